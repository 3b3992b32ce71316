// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * rc_data: every RC opcode with every kind of memory at both ends, on one device and over the
 * wire, verified byte for byte. This file: the program and the matrix of opcode, path and memory;
 * path MTUs; IPv6; PSN wrap; a QP connected to itself.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rc_data.h"

#define MIB	(1024 * 1024)

const char *const rc_path_name[P_PATHS] = { "local", "wire" };

const struct rc_arg *rc_arg_new(struct rc_arg a)
{
	struct rc_arg *p = malloc(sizeof(*p));

	if (!p) {
		perror("rc_data");
		exit(2);
	}
	*p = a;
	return p;
}

void rc_add(vt_fn fn, struct rc_arg a, unsigned int seconds, const char *fmt, ...)
{
	char name[128];
	va_list ap;

	if (a.path == P_WIRE && !vt_cfg.peer)
		return;
	va_start(ap, fmt);
	vsnprintf(name, sizeof(name), fmt, ap);
	va_end(ap);
	vt_add(name, fn, rc_arg_new(a), seconds);
}

struct rc_devs rc_open(enum rc_path path)
{
	struct rc_devs d = { .a = vt_open(vt_cfg.dev) };

	d.b = path == P_WIRE ? vt_open(vt_cfg.peer) : d.a;
	return d;
}

struct vt_dev *rc_src_dev(const struct rc_devs *d, enum xfer_op op)
{
	return op == X_READ ? d->b : d->a;
}

struct vt_dev *rc_dst_dev(const struct rc_devs *d, enum xfer_op op)
{
	return op == X_READ ? d->a : d->b;
}

/* Odd and page-crossing places, for source and destination. */
static const uint16_t offsets[][2] = {
	{ 0, 0 }, { 1, 0 }, { 0, 1 }, { 3, 5 }, { 7, 4091 }, { 4095, 2 }, { 2000, 3001 },
};

static void run_lengths(struct vt_pair *p, enum xfer_op op, struct vt_buf *src, struct vt_buf *dst,
			const uint32_t *len, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const uint16_t *off = offsets[i % (sizeof(offsets) / sizeof(offsets[0]))];
		struct xfer x = xfer_simple(op, src, off[0], dst, off[1], len[i]);

		xfer_run(&p->a, &p->b, &x);
	}
	vt_buf_check(src, 0, src->size, "source after all transfers");
	vt_buf_check(dst, 0, dst->size, "destination after all transfers");
}

static void matrix(const void *arg)
{
	const struct rc_arg *t = arg;
	struct rc_devs d = rc_open(t->path);
	size_t size = MIB + 13 + 2 * 4096;
	struct vt_buf *src = vt_buf_new(rc_src_dev(&d, t->op), t->src, size, VT_ACCESS_ALL);
	struct vt_buf *dst = vt_buf_new(rc_dst_dev(&d, t->op), t->dst, size, VT_ACCESS_ALL);
	struct vt_opts o = VT_OPTS;
	struct vt_pair *p = vt_pair_new(d.a, d.b, &o);
	uint32_t mtu = vt_mtu_bytes(p->opts.mtu);
	const uint32_t len[] = {
		0, 1, 2, 3, 7, 8, 63, 64, 65, 255, 256, 511, 512, 513, mtu - 1, mtu, mtu + 1,
		2 * mtu - 1, 2 * mtu, 2 * mtu + 1, 4095, 4096, 4097, 15 * mtu, 16 * mtu + 3,
		65535, 65536, 65537, MIB + 13,
	};

	run_lengths(p, t->op, src, dst, len, sizeof(len) / sizeof(len[0]));
}

/* Lengths around multiples of the path MTU, more than a super-packet's 15 segments among them. */
static void mtus(const void *arg)
{
	const struct rc_arg *t = arg;
	struct rc_devs d = rc_open(t->path);
	uint32_t mtu = vt_mtu_bytes(t->mtu);
	size_t size = 64 * mtu + 3 * 4096;
	struct vt_buf *src = vt_buf_new(rc_src_dev(&d, t->op), t->src, size, VT_ACCESS_ALL);
	struct vt_buf *dst = vt_buf_new(rc_dst_dev(&d, t->op), t->dst, size, VT_ACCESS_ALL);
	struct vt_opts o = VT_OPTS;
	const uint32_t len[] = {
		0, 1, 2, 3, 4, 5, mtu - 1, mtu, mtu + 1, 2 * mtu - 1, 2 * mtu, 2 * mtu + 3,
		3 * mtu + 2, 14 * mtu + 1, 15 * mtu, 15 * mtu + 1, 16 * mtu - 1, 16 * mtu, 17 * mtu,
		30 * mtu, 31 * mtu + 2, 64 * mtu - 1, 64 * mtu,
	};
	struct vt_pair *p;

	o.mtu = t->mtu;
	p = vt_pair_new(d.a, d.b, &o);
	run_lengths(p, t->op, src, dst, len, sizeof(len) / sizeof(len[0]));
}

static void ipv6(const void *arg)
{
	const struct rc_arg *t = arg;
	struct rc_devs d = rc_open(t->path);
	size_t size = 128 * 1024;
	struct vt_buf *src = vt_buf_new(rc_src_dev(&d, t->op), t->src, size, VT_ACCESS_ALL);
	struct vt_buf *dst = vt_buf_new(rc_dst_dev(&d, t->op), t->dst, size, VT_ACCESS_ALL);
	static const uint32_t len[] = { 0, 1, 1023, 4097, 65535, 100001 };
	struct vt_opts o = VT_OPTS;

	o.v6 = true;
	run_lengths(vt_pair_new(d.a, d.b, &o), t->op, src, dst, len, sizeof(len) / sizeof(len[0]));
}

/* First PSNs so that the wrap falls into, before and behind a message of many packets. */
static void psn_wrap(const void *arg)
{
	const struct rc_arg *t = arg;
	struct rc_devs d = rc_open(t->path);
	size_t size = 64 * 256 + 4096;
	struct vt_buf *src = vt_buf_new(rc_src_dev(&d, t->op), t->src, size, VT_ACCESS_ALL);
	struct vt_buf *dst = vt_buf_new(rc_dst_dev(&d, t->op), t->dst, size, VT_ACCESS_ALL);
	static const uint32_t psn[] = { 0, 1, 0x7fffff, 0x7ffff0, 0xfffff0, 0xfffffe, 0xffffff };
	static const uint32_t len[] = { 1, 40 * 256 + 1, 0, 64 * 256, 256 };
	struct vt_opts o = VT_OPTS;
	struct vt_pair *p;

	o.mtu = IBV_MTU_256;
	o.psn[0] = 0xfffffa;
	o.psn[1] = 0xfffffd;
	p = vt_pair_new(d.a, d.b, &o);
	for (size_t i = 0; i < sizeof(psn) / sizeof(psn[0]); i++) {
		p->a.psn = psn[i];
		p->b.psn = psn[sizeof(psn) / sizeof(psn[0]) - 1 - i];
		vt_pair_reset(p);
		run_lengths(p, t->op, src, dst, len, sizeof(len) / sizeof(len[0]));
	}
}

/* A QP connected to itself is its own requester and responder. */
static void self(const void *arg)
{
	const struct rc_arg *t = arg;
	struct rc_devs d = rc_open(P_LOCAL);
	size_t size = 96 * 1024;
	struct vt_buf *src = vt_buf_new(d.a, t->src, size, VT_ACCESS_ALL);
	struct vt_buf *dst = vt_buf_new(d.a, t->dst, size, VT_ACCESS_ALL);
	static const uint32_t len[] = { 0, 1, 4095, 65537, 80000 };
	struct vt_opts o = VT_OPTS;
	struct vt_pair *p = vt_zalloc(sizeof(*p));

	p->opts = o;
	vt_ep_create(&p->a, d.a, &o, 0);
	CHECK_ERRNO(vt_ep_to_init(&p->a, &o), 0, "RESET to INIT");
	CHECK_ERRNO(vt_ep_to_rtr(&p->a, &p->a, &o), 0, "INIT to RTR, connected to itself");
	CHECK_ERRNO(vt_ep_to_rts(&p->a, &o), 0, "RTR to RTS");
	p->b = p->a;
	run_lengths(p, t->op, src, dst, len, sizeof(len) / sizeof(len[0]));
}

static void add_matrix_of(enum rc_path path, enum xfer_op op)
{
	for (int s = VT_HOST; s <= VT_BAR; s++)
		for (int e = VT_HOST; e <= VT_BAR; e++)
			rc_add(matrix, (struct rc_arg){ .op = op, .path = path, .src = (enum vt_mem)s,
			       .dst = (enum vt_mem)e }, 0, "data/%s/%s/%s-%s", xfer_ops[op].name,
			       rc_path_name[path], vt_mem_name[s], vt_mem_name[e]);
}

void rc_data_add_matrix(void)
{
	static const struct { enum vt_mem src, dst; } mem[] = {
		{ VT_HOST, VT_HOST }, { VT_BAR, VT_HEAP }, { VT_HOST, VT_BAR },
		{ VT_UDMABUF, VT_BAR }, { VT_HEAP, VT_HOST },
	};

	for (int path = 0; path < P_PATHS; path++)
		for (int op = 0; op < X_OPS; op++)
			add_matrix_of((enum rc_path)path, (enum xfer_op)op);
	for (int path = 0; path < P_PATHS; path++)
		for (int op = 0; op < X_OPS; op++) {
			struct rc_arg a = { .op = (enum xfer_op)op, .path = (enum rc_path)path };

			rc_add(ipv6, a, 0, "ipv6/%s/%s", xfer_ops[op].name, rc_path_name[path]);
			rc_add(psn_wrap, a, 0, "psn_wrap/%s/%s", xfer_ops[op].name,
			       rc_path_name[path]);
			for (int mtu = IBV_MTU_256; mtu <= IBV_MTU_4096; mtu++) {
				a.mtu = (enum ibv_mtu)mtu;
				a.src = mem[(op + mtu) % 5].src;
				a.dst = mem[(op + mtu) % 5].dst;
				if (path == P_WIRE || mtu == IBV_MTU_1024)
					rc_add(mtus, a, 0, "mtu/%s/%s/%u/%s-%s", xfer_ops[op].name,
					       rc_path_name[path], vt_mtu_bytes(a.mtu),
					       vt_mem_name[a.src], vt_mem_name[a.dst]);
			}
		}
	for (int op = 0; op < X_OPS; op++)
		rc_add(self, (struct rc_arg){ .op = (enum xfer_op)op }, 0, "self/%s",
		       xfer_ops[op].name);
}

static void add_cases(void)
{
	rc_data_add_matrix();
	rc_data_add_shape();
	rc_data_add_many();
	rc_data_add_big();
}

int main(int argc, char **argv)
{
	return vt_main(argc, argv, add_cases);
}
