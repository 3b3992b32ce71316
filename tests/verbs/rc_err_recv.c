// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * rc_errors: what a responder posted: a receive that is too small, that names memory it may not
 * write, or that is not there. Too small is a local length error here and an invalid request there;
 * bad memory is a local protection error here and an operational error there; none is RNR.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "rc_errors.h"

/* A SEND of @len into the receive @sge[@n] ends with these statuses. */
static void expect_recv_error(struct err_bench *b, uint32_t len, struct ibv_sge *sge, int n,
			      enum ibv_wc_status there, enum ibv_wc_status here, const char *what)
{
	struct ibv_recv_wr wr = { .wr_id = 61, .sg_list = sge, .num_sge = n }, *bad;

	CHECK_ERRNO(ibv_post_recv(b->p->b.qp, &wr, &bad), 0, "ibv_post_recv");
	CHECK_ERRNO(vt_send(&b->p->a, 60, IBV_WR_SEND, vt_sge(b->src, 0, len), NULL, 0,
			    IBV_SEND_SIGNALED), 0, "ibv_post_send");
	vt_expect_wc(&b->p->b, b->p->b.rcq, 61, there, what, NULL);
	vt_expect_wc(&b->p->a, b->p->a.scq, 60, here, what, NULL);
	vt_expect_state(&b->p->a, IBV_QPS_ERR, "state of the requester");
	vt_expect_state(&b->p->b, IBV_QPS_ERR, "state of the responder");
}

static void too_small(const void *arg)
{
	static const struct { uint32_t len, room; } rows[] = {
		{ 1, 0 }, { 2, 1 }, { 4097, 4096 }, { 20000, 19999 }, { 30000, 1 },
		{ 30000, 16384 },
	};
	struct vt_opts o = VT_OPTS;
	struct err_bench b;

	o.mtu = IBV_MTU_1024;
	b = err_bench(arg, &o, VT_ACCESS_ALL);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct ibv_sge sge = vt_sge(b.dst, 7, rows[i].room);

		expect_recv_error(&b, rows[i].len, &sge, rows[i].room ? 1 : 0, IBV_WC_LOC_LEN_ERR,
				  IBV_WC_REM_INV_REQ_ERR, "receive too small");
		vt_buf_check(b.dst, 0, 7, "in front of a receive too small");
		vt_buf_check(b.dst, 7 + rows[i].room, ERR_SIZE - 7 - rows[i].room,
			     "behind a receive too small");
		vt_buf_fill(b.dst, 0, b.dst->size);
		err_recovered(&b);
	}
}

/* The receive's memory is bad in all the ways that memory can be. */
static void bad_memory(const void *arg)
{
	struct vt_opts o = VT_OPTS;
	struct err_bench b = err_bench(arg, &o, VT_ACCESS_ALL);
	struct vt_buf *ro = vt_buf_new(b.db, VT_HOST, 4096, 0);
	struct ibv_sge sge[] = {
		vt_sge(b.dst, 0, 64), vt_sge(b.dst, ERR_SIZE - 63, 64), vt_sge(ro, 0, 64),
		vt_sge(b.dst, 0, 64), { -64ULL, 128, b.dst->mr->lkey },
	};

	sge[0].lkey ^= 0x100;
	sge[3].addr -= 1;
	for (size_t i = 0; i < sizeof(sge) / sizeof(sge[0]); i++) {
		expect_recv_error(&b, 64, &sge[i], 1, IBV_WC_LOC_PROT_ERR, IBV_WC_REM_OP_ERR,
				  "receive into bad memory");
		vt_buf_check(b.dst, 0, b.dst->size, "buffer of a refused receive");
		vt_buf_check(ro, 0, ro->size, "memory without LOCAL_WRITE");
		err_recovered(&b);
	}
}

static void other_pd(const void *arg)
{
	const struct err_arg *t = arg;
	struct err_bench b = { .da = vt_open(vt_cfg.dev) };
	struct vt_opts o = VT_OPTS;
	struct ibv_sge sge;

	b.db = t->wire ? vt_open(vt_cfg.peer) : b.da;
	o.pd[1] = vt_pd_new(b.db);
	b.src = vt_buf_new(b.da, VT_HOST, ERR_SIZE, VT_ACCESS_ALL);
	b.dst = vt_buf_new(b.db, t->mem, ERR_SIZE, VT_ACCESS_ALL);
	b.p = vt_pair_new(b.da, b.db, &o);
	sge = vt_sge(b.dst, 0, 64);
	expect_recv_error(&b, 64, &sge, 1, IBV_WC_LOC_PROT_ERR, IBV_WC_REM_OP_ERR,
			  "receive into a region of another PD");
	vt_buf_check(b.dst, 0, b.dst->size, "region of another PD");
}

static void destroyed(const void *arg)
{
	struct vt_opts o = VT_OPTS;
	struct err_bench b = err_bench(arg, &o, VT_ACCESS_ALL);
	struct ibv_sge sge = vt_sge(b.dst, 0, 64);

	vt_buf_dereg(b.dst);
	expect_recv_error(&b, 64, &sge, 1, IBV_WC_LOC_PROT_ERR, IBV_WC_REM_OP_ERR,
			  "receive into a region that is gone");
	vt_buf_check(b.dst, 0, b.dst->size, "memory of a region that is gone");
}

/* RNR with a count: the error comes, not before the waits are over. 40.96 ms each (code 24). */
static void rnr_exceeded(const void *arg)
{
	static const struct { uint8_t retry; unsigned int min_ms; } rows[] = {
		{ 0, 0 }, { 1, 40 }, { 3, 120 },
	};
	static const enum ibv_wr_opcode ops[] = { IBV_WR_SEND, IBV_WR_RDMA_WRITE_WITH_IMM };
	struct vt_opts o = VT_OPTS;
	struct err_bench b;

	o.min_rnr_timer = 24;
	b = err_bench(arg, &o, VT_ACCESS_ALL);
	for (size_t i = 0; i < 6; i++) {
		uint64_t begin;

		b.p->opts.rnr_retry = rows[i / 2].retry;
		vt_pair_reset(b.p);
		begin = vt_now_ms();
		CHECK_ERRNO(vt_send(&b.p->a, 60, ops[i % 2], vt_sge(b.src, 0, 9000), b.dst, 0,
				    IBV_SEND_SIGNALED), 0, "ibv_post_send");
		vt_expect_wc(&b.p->a, b.p->a.scq, 60, IBV_WC_RNR_RETRY_EXC_ERR, "no receive", NULL);
		CHECK(vt_now_ms() - begin >= rows[i / 2].min_ms,
		      "rnr_retry %u gave up after %llu ms, not before %u", rows[i / 2].retry,
		      (unsigned long long)(vt_now_ms() - begin), rows[i / 2].min_ms);
		CHECK(vt_now_ms() - begin < (rows[i / 2].min_ms + 2000) * vt_cfg.slow,
		      "rnr_retry %u took %llu ms", rows[i / 2].retry,
		      (unsigned long long)(vt_now_ms() - begin));
		CHECK_EQ(vt_ep_state(&b.p->b), IBV_QPS_RTS, "state of the responder");
		/* A WRITE consumes its receive with its last packet: what came before may have landed. */
		if (ops[i % 2] == IBV_WR_SEND)
			vt_buf_check(b.dst, 0, b.dst->size, "a SEND without receive");
		vt_buf_fill(b.dst, 0, b.dst->size);
	}
	b.p->opts.rnr_retry = 7;
	err_recovered(&b);
}

/* rnr_retry 7 waits for ever: the message gets through when the receive comes. */
static void rnr_waits(const void *arg)
{
	static const enum ibv_wr_opcode ops[] = { IBV_WR_SEND, IBV_WR_RDMA_WRITE_WITH_IMM };
	struct vt_opts o = VT_OPTS;
	struct err_bench b = err_bench(arg, &o, VT_ACCESS_ALL);

	for (int i = 0; i < 2; i++) {
		for (uint64_t k = 0; k < 4; k++)
			CHECK_ERRNO(vt_send(&b.p->a, k, ops[i], vt_sge(b.src, k, 9000), b.dst,
					    k * 9500, IBV_SEND_SIGNALED), 0, "ibv_post_send");
		vt_poll_none(b.p->a.scq, 300, "rnr_retry 7 without a receive");
		for (uint64_t k = 0; k < 4; k++) {
			CHECK_ERRNO(vt_recv(&b.p->b, k, vt_sge(b.dst, k * 9500, 9001)), 0,
				    "ibv_post_recv");
			vt_expect_wc(&b.p->b, b.p->b.rcq, k, IBV_WC_SUCCESS, "late receive", NULL);
			vt_expect_wc(&b.p->a, b.p->a.scq, k, IBV_WC_SUCCESS, "late receive", NULL);
			vt_buf_expect_copy(b.dst, k * 9500, 9000, b.src, k, "late receive");
			vt_buf_check(b.dst, k * 9500 + 9000, 500, "behind a late receive");
		}
		vt_poll_none(b.p->b.rcq, 50, "a request was delivered twice");
		vt_buf_fill(b.dst, 0, b.dst->size);
	}
}

void err_add_recv(void)
{
	static const enum vt_mem kinds[] = { VT_HOST, VT_BAR };
	static const struct { const char *name; vt_fn fn; } rows[] = {
		{ "too_small", too_small }, { "bad_memory", bad_memory }, { "other_pd", other_pd },
		{ "destroyed_mr", destroyed }, { "rnr_exceeded", rnr_exceeded },
		{ "rnr_waits", rnr_waits },
	};
	char name[128];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		for (int k = 0; k < 2; k++) {
			snprintf(name, sizeof(name), "recv/%s/%s", rows[i].name,
				 vt_mem_name[kinds[k]]);
			err_add(name, rows[i].fn, (struct err_arg){ .mem = kinds[k] }, 30);
		}
}
