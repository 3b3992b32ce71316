// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * rc_errors: what a requester names at the other end: keys, protection domains, bounds, rights.
 * Each ends with a remote access error at the requester and the error state at both ends; the
 * target keeps every byte; after RESET the pair works again.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "rc_errors.h"

#define FULL	ERR_SIZE

/* An address is relative to the target's region unless it is absolute. */
struct bad_range {
	const char *name;
	int64_t addr;
	uint32_t len;
	bool absolute;
	uint32_t key_xor;
};

static const struct bad_range ranges[] = {
	{ "key_index", 0, 64, false, 0x100 },
	{ "key_variant", 0, 64, false, 1 },
	{ "key_high", 0, 64, false, 0x80000000 },
	{ "one_before", -1, 1, false, 0 },
	{ "reaches_before", -1, 64, false, 0 },
	{ "one_behind", FULL, 1, false, 0 },
	{ "reaches_behind", FULL - 63, 64, false, 0 },
	{ "one_too_long", 0, FULL + 1, false, 0 },
	{ "long_one_behind", FULL - 20000 + 1, 20000, false, 0 },
	{ "page_behind", FULL + 4096, 64, false, 0 },
	{ "far_behind", 1LL << 32, 64, false, 0 },
	{ "far_before", -(1LL << 32), 64, false, 0 },
	{ "null", 0, 64, true, 0 },
	{ "wraps", -64, 128, true, 0 },
	{ "wraps_long", -20000, 36000, true, 0 },
	{ "top", -1, 1, true, 0 },
};

static void expect_refused(struct err_bench *b, enum ibv_wr_opcode op, uint64_t addr, uint32_t rkey,
			   uint32_t len, enum ibv_wc_status status, const char *what)
{
	struct ibv_sge sge = vt_sge(b->src, 0, len > ERR_SIZE ? ERR_SIZE : len);
	struct ibv_sge extra[2] = { sge, vt_sge(b->src, 0, len - sge.length) };
	struct ibv_send_wr wr = {
		.wr_id = 77, .sg_list = extra, .num_sge = len > ERR_SIZE ? 2 : 1, .opcode = op,
		.send_flags = IBV_SEND_SIGNALED, .wr.rdma = { addr, rkey },
	}, *bad;

	CHECK_ERRNO(ibv_post_send(b->p->a.qp, &wr, &bad), 0, "ibv_post_send");
	vt_expect_wc(&b->p->a, b->p->a.scq, 77, status, what, NULL);
	vt_expect_state(&b->p->a, IBV_QPS_ERR, "state of the requester");
	vt_expect_state(&b->p->b, IBV_QPS_ERR, "state of the responder");
	vt_buf_check(b->dst, 0, b->dst->size, "target of a refused request");
	vt_buf_check(b->src, 0, b->src->size, "local buffer of a refused request");
}

static void bad_ranges(const void *arg, enum ibv_wr_opcode op)
{
	const struct err_arg *t = arg;
	const struct bad_range *r = &ranges[t->row];
	struct vt_opts o = VT_OPTS;
	struct err_bench b = err_bench(t, &o, VT_ACCESS_ALL);
	uint64_t addr = (uint64_t)r->addr + (r->absolute ? 0 : b.dst->iova);
	uint32_t rkey = b.dst->mr->rkey ^ r->key_xor;

	expect_refused(&b, op, addr, rkey, r->len, IBV_WC_REM_ACCESS_ERR, r->name);
	err_recovered(&b);
}

static void bad_write(const void *arg)
{
	bad_ranges(arg, IBV_WR_RDMA_WRITE);
}

static void bad_read(const void *arg)
{
	bad_ranges(arg, IBV_WR_RDMA_READ);
}

/* Keys of no region at all. */
static void odd_keys(const void *arg)
{
	static const uint32_t keys[] = { 0, 1, 0xff, 0x100, 0xffffffff, 0x80000000, 0xffffff00 };
	const struct err_arg *t = arg;
	struct vt_opts o = VT_OPTS;
	struct err_bench b = err_bench(t, &o, VT_ACCESS_ALL);

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		if (keys[i] == b.dst->mr->rkey || keys[i] == b.src->mr->rkey)
			continue;
		expect_refused(&b, i & 1 ? IBV_WR_RDMA_READ : IBV_WR_RDMA_WRITE, b.dst->iova, keys[i],
			       64, IBV_WC_REM_ACCESS_ERR, "key of no region");
		err_recovered(&b);
	}
}

/* The region exists and the peer may use it, but the responder's QP is of another PD. */
static void other_pd(const void *arg)
{
	const struct err_arg *t = arg;
	struct vt_opts o = VT_OPTS;
	struct err_bench b = { .da = vt_open(vt_cfg.dev) };

	b.db = t->wire ? vt_open(vt_cfg.peer) : b.da;
	o.pd[1] = vt_pd_new(b.db);
	b.src = vt_buf_new(b.da, VT_HOST, ERR_SIZE, VT_ACCESS_ALL);
	b.dst = vt_buf_new(b.db, t->mem, ERR_SIZE, VT_ACCESS_ALL);
	b.p = vt_pair_new(b.da, b.db, &o);
	expect_refused(&b, IBV_WR_RDMA_WRITE, b.dst->iova, b.dst->mr->rkey, 64,
		       IBV_WC_REM_ACCESS_ERR, "WRITE to a region of another PD");
	vt_pair_reset(b.p);
	expect_refused(&b, IBV_WR_RDMA_READ, b.dst->iova, b.dst->mr->rkey, 9000,
		       IBV_WC_REM_ACCESS_ERR, "READ of a region of another PD");
}

static void right(const void *arg, int access, enum ibv_wr_opcode op)
{
	struct vt_opts o = VT_OPTS;
	struct err_bench b = err_bench(arg, &o, access);

	expect_refused(&b, op, b.dst->iova + 5, b.dst->mr->rkey, 5000, IBV_WC_REM_ACCESS_ERR,
		       "missing right");
	err_recovered(&b);
}

static void no_remote_write(const void *arg)
{
	right(arg, IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_READ, IBV_WR_RDMA_WRITE);
}

static void no_remote_write_imm(const void *arg)
{
	struct vt_opts o = VT_OPTS;
	struct err_bench b = err_bench(arg, &o, IBV_ACCESS_LOCAL_WRITE);
	struct ibv_recv_wr rr = { .wr_id = 5 }, *bad;

	CHECK_ERRNO(ibv_post_recv(b.p->b.qp, &rr, &bad), 0, "ibv_post_recv");
	expect_refused(&b, IBV_WR_RDMA_WRITE_WITH_IMM, b.dst->iova, b.dst->mr->rkey, 5000,
		       IBV_WC_REM_ACCESS_ERR, "missing right");
	vt_expect_wc(&b.p->b, b.p->b.rcq, 5, IBV_WC_WR_FLUSH_ERR, "receive of a QP in error", NULL);
}

static void no_remote_read(const void *arg)
{
	right(arg, IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_WRITE, IBV_WR_RDMA_READ);
}

/* The QP's own rights: a request of a kind that it is not set up for is an invalid request. */
static void qp_right(const void *arg, unsigned int qp_access, enum ibv_wr_opcode op)
{
	struct vt_opts o = VT_OPTS;
	struct err_bench b;

	o.qp_access = qp_access;
	b = err_bench(arg, &o, VT_ACCESS_ALL);
	expect_refused(&b, op, b.dst->iova, b.dst->mr->rkey, 100, IBV_WC_REM_INV_REQ_ERR,
		       "QP without the right");
	err_recovered(&b);
}

static void qp_no_write(const void *arg)
{
	qp_right(arg, IBV_ACCESS_REMOTE_READ, IBV_WR_RDMA_WRITE);
}

static void qp_no_read(const void *arg)
{
	qp_right(arg, IBV_ACCESS_REMOTE_WRITE, IBV_WR_RDMA_READ);
}

/* A region that is gone. */
static void destroyed(const void *arg)
{
	struct vt_opts o = VT_OPTS;
	struct err_bench b = err_bench(arg, &o, VT_ACCESS_ALL);
	uint32_t rkey = b.dst->mr->rkey;

	vt_buf_dereg(b.dst);
	expect_refused(&b, IBV_WR_RDMA_WRITE, b.dst->iova, rkey, 64, IBV_WC_REM_ACCESS_ERR,
		       "WRITE to a region that is gone");
	vt_pair_reset(b.p);
	expect_refused(&b, IBV_WR_RDMA_READ, b.dst->iova, rkey, 64, IBV_WC_REM_ACCESS_ERR,
		       "READ of a region that is gone");
	err_recovered(&b);
}

/* No bytes, no check: key and address of an empty request mean nothing (C9-88). */
static void empty(const void *arg)
{
	struct vt_opts o = VT_OPTS;
	struct err_bench b = err_bench(arg, &o, VT_ACCESS_ALL);
	static const enum ibv_wr_opcode op[] = { IBV_WR_RDMA_WRITE, IBV_WR_RDMA_READ };

	for (int i = 0; i < 2; i++) {
		struct ibv_send_wr wr = { .wr_id = 1, .opcode = op[i], .wr.rdma = { -1ULL, 0xdead00 },
					  .send_flags = IBV_SEND_SIGNALED }, *bad;

		CHECK_ERRNO(ibv_post_send(b.p->a.qp, &wr, &bad), 0, "ibv_post_send");
		vt_expect_wc(&b.p->a, b.p->a.scq, 1, IBV_WC_SUCCESS, "0 bytes, bad key", NULL);
	}
	CHECK_EQ(vt_ep_state(&b.p->b), IBV_QPS_RTS, "state of the responder");
}

/* What was registered for good serves others, too: a peer cannot take it away, be it of the same PD. */
static void invalidate(const void *arg)
{
	struct vt_opts o = VT_OPTS;
	struct err_bench b = err_bench(arg, &o, VT_ACCESS_ALL);
	struct vt_buf *msg = vt_buf_new(b.db, VT_HOST, 64, VT_ACCESS_ALL);
	struct ibv_sge sge = vt_sge(b.src, 0, 64);
	struct ibv_send_wr wr = { .wr_id = 3, .sg_list = &sge, .num_sge = 1,
				  .opcode = IBV_WR_SEND_WITH_INV, .send_flags = IBV_SEND_SIGNALED,
				  .invalidate_rkey = b.dst->mr->rkey }, *bad;
	struct vt_pair *other = vt_pair_new(b.da, b.db, &o);

	CHECK_ERRNO(vt_recv(&b.p->b, 4, vt_sge(msg, 0, 64)), 0, "ibv_post_recv");
	CHECK_ERRNO(ibv_post_send(b.p->a.qp, &wr, &bad), 0, "ibv_post_send");
	vt_expect_wc(&b.p->a, b.p->a.scq, 3, IBV_WC_REM_ACCESS_ERR, "SEND that invalidates a region", NULL);
	vt_expect_wc(&b.p->b, b.p->b.rcq, 4, IBV_WC_WR_FLUSH_ERR, "its receive", NULL);
	vt_expect_state(&b.p->b, IBV_QPS_ERR, "state of the responder");
	CHECK_ERRNO(vt_send(&other->a, 8, IBV_WR_RDMA_WRITE, vt_sge(b.src, 0, 64), b.dst, 0,
			    IBV_SEND_SIGNALED), 0, "ibv_post_send");
	vt_expect_wc(&other->a, other->a.scq, 8, IBV_WC_SUCCESS, "WRITE to the region that stays", NULL);
	vt_buf_expect_copy(b.dst, 0, 64, b.src, 0, "WRITE to the region that stays");
	vt_buf_fill(b.dst, 0, 64);
	err_recovered(&b);
}

void err_add_remote(void)
{
	static const enum vt_mem kinds[] = { VT_HOST, VT_BAR };
	char name[128];

	for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++)
		for (int k = 0; k < 2; k++) {
			struct err_arg a = { .mem = kinds[k], .row = i };

			snprintf(name, sizeof(name), "remote/write/%s/%s", ranges[i].name,
				 vt_mem_name[a.mem]);
			err_add(name, bad_write, a, 0);
			snprintf(name, sizeof(name), "remote/read/%s/%s", ranges[i].name,
				 vt_mem_name[a.mem]);
			err_add(name, bad_read, a, 0);
		}
	for (int k = 0; k < 2; k++) {
		static const struct { const char *name; vt_fn fn; } rows[] = {
			{ "odd_keys", odd_keys }, { "other_pd", other_pd },
			{ "no_remote_write", no_remote_write },
			{ "no_remote_write_imm", no_remote_write_imm },
			{ "no_remote_read", no_remote_read }, { "qp_no_write", qp_no_write },
			{ "qp_no_read", qp_no_read }, { "destroyed_mr", destroyed },
			{ "empty_bad_key", empty }, { "invalidate", invalidate },
		};

		for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
			snprintf(name, sizeof(name), "remote/%s/%s", rows[i].name,
				 vt_mem_name[kinds[k]]);
			err_add(name, rows[i].fn, (struct err_arg){ .mem = kinds[k] }, 0);
		}
	}
}
