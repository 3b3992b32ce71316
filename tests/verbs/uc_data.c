// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * uc_data: unreliable connections. This file: the program; every opcode of UC with every kind of
 * memory, path MTUs, PSN wrap, IPv6; messages over a wire that loses packets.
 *
 * Nobody tells the requester when a WRITE has landed, so a SEND of no bytes follows each message.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "uc_data.h"

#define KIB	1024
#define MARKER	0x3a12c

static const enum xfer_op uc_ops[] = { X_SEND, X_SEND_IMM, X_WRITE, X_WRITE_IMM };

struct uc_bench uc_bench_new(const struct uc_arg *a, size_t size)
{
	struct uc_bench b = { .da = vt_open(vt_cfg.dev), .opts = VT_OPTS };

	b.db = a->wire ? vt_open(vt_cfg.peer) : b.da;
	b.opts.type = IBV_QPT_UC;
	b.opts.mtu = a->mtu;
	b.opts.v6 = a->v6;
	b.src = vt_buf_new(b.da, a->src, size, VT_ACCESS_ALL);
	b.dst = vt_buf_new(b.db, a->dst, size, VT_ACCESS_ALL);
	b.p = vt_pair_new(b.da, b.db, &b.opts);
	return b;
}

void uc_run(struct uc_bench *b, struct xfer *x)
{
	struct vt_ep *from = &b->p->a, *to = &b->p->b;
	struct ibv_wc wc;

	xfer_post_recv(to, x);
	CHECK_ERRNO(vt_recv(to, MARKER, vt_sge(b->dst, 0, 0)), 0, "receive for the marker");
	xfer_post_send(from, x);
	CHECK_ERRNO(vt_send(from, MARKER, IBV_WR_SEND, vt_sge(b->src, 0, 0), NULL, 0, 0), 0, "marker");
	if (xfer_ops[x->op].recv) {
		vt_poll(to->rcq, &wc, xfer_ops[x->op].name);
		xfer_check_recv_wc(to, x, &wc);
	}
	vt_expect_wc(to, to->rcq, MARKER, IBV_WC_SUCCESS, "marker", NULL);
	vt_poll(from->scq, &wc, xfer_ops[x->op].name);
	xfer_check_send_wc(from, x, &wc);
	xfer_check_bytes(x);
	xfer_restore(x);
	x->wr_id++;
}

static void lengths(struct uc_bench *b, enum xfer_op op, const uint32_t *len, size_t n)
{
	static const uint16_t offsets[][2] = { { 0, 0 }, { 1, 0 }, { 3, 5 }, { 7, 4091 }, { 2000, 3001 } };

	for (size_t i = 0; i < n; i++) {
		const uint16_t *off = offsets[i % (sizeof(offsets) / sizeof(offsets[0]))];
		struct xfer x = xfer_simple(op, b->src, off[0], b->dst, off[1], len[i]);

		uc_run(b, &x);
	}
	vt_buf_check(b->src, 0, b->src->size, "source after all messages");
	vt_buf_check(b->dst, 0, b->dst->size, "destination after all messages");
}

static void matrix(const void *arg)
{
	const struct uc_arg *a = arg;
	struct uc_bench b = uc_bench_new(a, 512 * KIB);
	uint32_t mtu = vt_mtu_bytes(b.p->opts.mtu);
	const uint32_t len[] = {
		0, 1, 3, 8, 255, 256, 511, 513, mtu - 1, mtu, mtu + 1, 2 * mtu - 1, 2 * mtu, 2 * mtu + 1,
		15 * mtu, 16 * mtu + 3, 65535, 65536, 65537, 400 * KIB + 13,
	};

	lengths(&b, a->op, len, sizeof(len) / sizeof(len[0]));
}

/* First PSNs so that the wrap falls into a message of many packets. */
static void psn_wrap(const void *arg)
{
	const struct uc_arg *a = arg;
	struct uc_bench b = uc_bench_new(a, 64 * KIB);
	static const uint32_t len[] = { 1, 40 * 256 + 1, 0, 64 * 256, 256 };

	b.p->opts.mtu = IBV_MTU_256;
	for (uint32_t psn = 0xfffff8; psn <= 0xffffff; psn += 7) {
		b.p->a.psn = psn;
		vt_pair_reset(b.p);
		lengths(&b, a->op, len, sizeof(len) / sizeof(len[0]));
	}
}

/* ---- a wire that loses packets ---- */

#define LOSSY_MSG	(24 * KIB)
#define LOSSY_DEPTH	8
#define LOSSY_ROUNDS	60

struct lossy {
	struct uc_bench b;
	unsigned int receives, arrived, sent;
	uint32_t last;		/* number of the latest message that arrived */
	bool reordered;
};

static size_t lossy_from(uint32_t n)
{
	return (n * 977) % LOSSY_MSG;
}

/* What arrives is whole, is what its number says, and comes in the wire's order. */
static void lossy_take(struct lossy *l, const struct ibv_wc *wc)
{
	size_t at = wc->wr_id * LOSSY_MSG;
	uint32_t n = ntohl(wc->imm_data);

	CHECK_EQ(wc->status, IBV_WC_SUCCESS, "status of a receive");
	CHECK_EQ(wc->byte_len, LOSSY_MSG, "bytes of a message");
	CHECK(l->reordered || !l->arrived || n > l->last, "message %u arrived after %u", n, l->last);
	vt_buf_expect_copy(l->b.dst, at, LOSSY_MSG, l->b.src, lossy_from(n), "a message that arrived");
	l->last = n;
	l->arrived++;
	CHECK_ERRNO(vt_recv(&l->b.p->b, wc->wr_id, vt_sge(l->b.dst, at, LOSSY_MSG)), 0, "ibv_post_recv");
}

static void lossy_send(struct lossy *l)
{
	struct ibv_sge sge = vt_sge(l->b.src, lossy_from(l->sent), LOSSY_MSG);
	struct ibv_send_wr *bad, wr = { .wr_id = l->sent, .sg_list = &sge, .num_sge = 1,
					.opcode = IBV_WR_SEND_WITH_IMM, .send_flags = IBV_SEND_SIGNALED,
					.imm_data = htonl(l->sent) };

	CHECK_ERRNO(ibv_post_send(l->b.p->a.qp, &wr, &bad), 0, "ibv_post_send");
	vt_expect_wc(&l->b.p->a, l->b.p->a.scq, l->sent, IBV_WC_SUCCESS, "sending is all that counts", NULL);
	l->sent++;
}

/* VT_LOSSY tells what the caller does to the wire; "reorder" is a kind of its own. */
static void lossy(const void *arg)
{
	struct lossy l = { .b = uc_bench_new(arg, LOSSY_MSG * LOSSY_DEPTH) };
	const char *how = getenv("VT_LOSSY");
	struct ibv_wc wc;

	l.reordered = how && !strcmp(how, "reorder");
	for (uint64_t i = 0; i < LOSSY_DEPTH; i++)
		CHECK_ERRNO(vt_recv(&l.b.p->b, i, vt_sge(l.b.dst, i * LOSSY_MSG, LOSSY_MSG)), 0,
			    "ibv_post_recv");
	for (int round = 0; round < LOSSY_ROUNDS; round++) {
		for (int i = 0; i < LOSSY_DEPTH / 2; i++)
			lossy_send(&l);
		/* Where nothing is lost all come, however slow the receiver is (rxe). */
		while ((how || l.arrived < l.sent) && vt_poll_for(l.b.p->b.rcq, &wc, how ? 20 : 2000))
			lossy_take(&l, &wc);
	}
	CHECK(l.arrived, "none of %u messages arrived", l.sent);
	if (how)
		CHECK(l.arrived < l.sent, "all of %u messages arrived over a wire that loses packets", l.sent);
	else
		CHECK_EQ(l.arrived, l.sent, "messages that arrived");
	CHECK_EQ(vt_ep_state(&l.b.p->a), IBV_QPS_RTS, "state of the sender");
	CHECK_EQ(vt_ep_state(&l.b.p->b), IBV_QPS_RTS, "state of the receiver");
	vt_buf_fill(l.b.dst, 0, l.b.dst->size);
}

/* ---- the program ---- */

void uc_add(const char *name, vt_fn fn, struct uc_arg a)
{
	static const char *const way[] = { "local", "wire" };
	char full[96];

	for (int wire = 0; wire <= (vt_cfg.peer ? 1 : 0); wire++) {
		struct uc_arg *copy = malloc(sizeof(*copy));

		if (!copy) {
			perror("uc_data");
			exit(2);
		}
		*copy = a;
		copy->wire = wire;
		snprintf(full, sizeof(full), "uc/%s/%s", name, way[wire]);
		vt_add(full, fn, copy, 0);
	}
}

static void add_op(enum xfer_op op)
{
	const char *name = xfer_ops[op].name;
	char text[64];

	for (int s = VT_HOST; s <= VT_BAR; s++)
		for (int d = VT_HOST; d <= VT_BAR; d++) {
			snprintf(text, sizeof(text), "%s/%s-%s", name, vt_mem_name[s], vt_mem_name[d]);
			uc_add(text, matrix, (struct uc_arg){ .op = op, .src = (enum vt_mem)s,
			       .dst = (enum vt_mem)d });
		}
	for (int mtu = IBV_MTU_256; mtu <= IBV_MTU_4096; mtu++) {
		snprintf(text, sizeof(text), "%s/mtu/%u", name, vt_mtu_bytes((enum ibv_mtu)mtu));
		uc_add(text, matrix, (struct uc_arg){ .op = op, .mtu = (enum ibv_mtu)mtu });
	}
	snprintf(text, sizeof(text), "%s/ipv6", name);
	uc_add(text, matrix, (struct uc_arg){ .op = op, .v6 = true });
	snprintf(text, sizeof(text), "%s/psn_wrap", name);
	uc_add(text, psn_wrap, (struct uc_arg){ .op = op, .mtu = IBV_MTU_256 });
}

static void add_cases(void)
{
	for (size_t i = 0; i < sizeof(uc_ops) / sizeof(uc_ops[0]); i++)
		add_op(uc_ops[i]);
	uc_add("lossy", lossy, (struct uc_arg){ .op = X_SEND_IMM });
	uc_errors_add();
}

int main(int argc, char **argv)
{
	return vt_main(argc, argv, add_cases);
}
