// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * rc_errors: what a requester names at its own end. A local protection error, the peer hears
 * nothing of it, the target keeps its bytes. Also entries behind a good one, READ into memory
 * without the right to write it, and what the sender's kind of memory changes: nothing.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "rc_errors.h"

struct bad_sge {
	const char *name;
	int64_t addr;
	uint32_t len;
	bool absolute;
	uint32_t key_xor;
};

static const struct bad_sge sges[] = {
	{ "key_index", 0, 64, false, 0x100 },
	{ "key_variant", 0, 64, false, 1 },
	{ "one_before", -1, 1, false, 0 },
	{ "reaches_before", -1, 64, false, 0 },
	{ "one_behind", ERR_SIZE, 1, false, 0 },
	{ "reaches_behind", ERR_SIZE - 63, 64, false, 0 },
	{ "long_one_behind", ERR_SIZE - 20000 + 1, 20000, false, 0 },
	{ "null", 0, 64, true, 0 },
	{ "wraps", -64, 128, true, 0 },
	{ "top", -1, 1, true, 0 },
};

/* The bench turned around: the buffer under test is the requester's. */
static struct err_bench local_bench(const struct err_arg *t, int access)
{
	struct vt_opts o = VT_OPTS;
	struct err_bench b = { .da = vt_open(vt_cfg.dev) };

	o.timeout = 20;		/* so long that nobody waits for it by mistake */
	b.db = t->wire ? vt_open(vt_cfg.peer) : b.da;
	b.src = vt_buf_new(b.da, t->mem, ERR_SIZE, access);
	b.dst = vt_buf_new(b.db, VT_HOST, ERR_SIZE, VT_ACCESS_ALL);
	b.p = vt_pair_new(b.da, b.db, &o);
	return b;
}

static void expect_local_error(struct err_bench *b, enum ibv_wr_opcode op, struct ibv_sge *sge,
			       int n, const char *what)
{
	struct ibv_send_wr wr = { .wr_id = 78, .sg_list = sge, .num_sge = n, .opcode = op,
				  .send_flags = IBV_SEND_SIGNALED }, *bad;

	wr.wr.rdma.remote_addr = b->dst->iova;
	wr.wr.rdma.rkey = b->dst->mr->rkey;
	CHECK_ERRNO(ibv_post_send(b->p->a.qp, &wr, &bad), 0, "ibv_post_send");
	vt_expect_wc(&b->p->a, b->p->a.scq, 78, IBV_WC_LOC_PROT_ERR, what, NULL);
	vt_expect_state(&b->p->a, IBV_QPS_ERR, "state of the requester");
	vt_buf_check(b->src, 0, b->src->size, "local buffer of a refused request");
}

static void bad_sge(const void *arg)
{
	const struct err_arg *t = arg;
	const struct bad_sge *r = &sges[t->row];
	struct err_bench b = local_bench(t, VT_ACCESS_ALL);
	static const enum ibv_wr_opcode ops[] = { IBV_WR_RDMA_WRITE, IBV_WR_RDMA_READ, IBV_WR_SEND };

	for (int i = 0; i < 3; i++) {
		struct ibv_sge sge = {
			.addr = (uint64_t)r->addr + (r->absolute ? 0 : b.src->iova),
			.length = r->len, .lkey = b.src->mr->lkey ^ r->key_xor,
		};

		CHECK_ERRNO(vt_recv(&b.p->b, 5, vt_sge(b.dst, 0, ERR_SIZE)), 0, "ibv_post_recv");
		expect_local_error(&b, ops[i], &sge, 1, r->name);
		vt_buf_check(b.dst, 0, b.dst->size, "target of a refused request");
		CHECK_EQ(vt_ep_state(&b.p->b), IBV_QPS_RTS, "state of the responder");
		vt_pair_reset(b.p);
	}
	err_recovered(&b);
}

/* The second of three entries is bad: what lies behind the first may not be written. */
static void bad_second(const void *arg)
{
	const struct err_arg *t = arg;
	struct err_bench b = local_bench(t, VT_ACCESS_ALL);
	struct ibv_sge sge[3] = { vt_sge(b.src, 0, 9000), vt_sge(b.src, ERR_SIZE - 1, 2),
				  vt_sge(b.src, 100, 100) };

	expect_local_error(&b, IBV_WR_RDMA_WRITE, sge, 3, "second of three entries");
	vt_buf_check(b.dst, 9000, ERR_SIZE - 9000, "target behind the good entry");
	vt_buf_fill(b.dst, 0, 9000);
	err_recovered(&b);
}

static void other_pd(const void *arg)
{
	const struct err_arg *t = arg;
	struct err_bench b = { .da = vt_open(vt_cfg.dev) };
	struct vt_opts o = VT_OPTS;
	struct ibv_sge sge;

	b.db = t->wire ? vt_open(vt_cfg.peer) : b.da;
	o.pd[0] = vt_pd_new(b.da);
	b.src = vt_buf_new(b.da, t->mem, ERR_SIZE, VT_ACCESS_ALL);
	b.dst = vt_buf_new(b.db, VT_HOST, ERR_SIZE, VT_ACCESS_ALL);
	b.p = vt_pair_new(b.da, b.db, &o);
	sge = vt_sge(b.src, 0, 64);
	expect_local_error(&b, IBV_WR_RDMA_WRITE, &sge, 1, "local region of another PD");
	vt_buf_check(b.dst, 0, b.dst->size, "target of a refused request");
}

/* READ stores into local memory, and needs the right to. */
static void read_into_readonly(const void *arg)
{
	const struct err_arg *t = arg;
	struct err_bench b = local_bench(t, IBV_ACCESS_REMOTE_READ);
	struct ibv_sge sge = vt_sge(b.src, 0, 9000);

	expect_local_error(&b, IBV_WR_RDMA_READ, &sge, 1, "READ into memory without LOCAL_WRITE");
	vt_pair_reset(b.p);
	/* As a source it is good. */
	CHECK_ERRNO(vt_send(&b.p->a, 1, IBV_WR_RDMA_WRITE, sge, b.dst, 0, IBV_SEND_SIGNALED), 0,
		    "ibv_post_send");
	vt_expect_wc(&b.p->a, b.p->a.scq, 1, IBV_WC_SUCCESS, "WRITE from memory without LOCAL_WRITE",
		     NULL);
	vt_buf_expect_copy(b.dst, 0, 9000, b.src, 0, "WRITE from memory without LOCAL_WRITE");
}

static void destroyed(const void *arg)
{
	const struct err_arg *t = arg;
	struct err_bench b = local_bench(t, VT_ACCESS_ALL);
	struct ibv_sge sge = vt_sge(b.src, 0, 64);

	vt_buf_dereg(b.src);
	expect_local_error(&b, IBV_WR_RDMA_WRITE, &sge, 1, "local region that is gone");
	vt_buf_check(b.dst, 0, b.dst->size, "target of a refused request");
	err_recovered(&b);
}

/* An entry of 0 bytes is not looked at, alone or between others. */
static void empty(const void *arg)
{
	const struct err_arg *t = arg;
	struct err_bench b = local_bench(t, VT_ACCESS_ALL);
	struct ibv_sge sge[3] = { vt_sge(b.src, 5, 100), { -1ULL, 0, 0xdead00 },
				  vt_sge(b.src, 500, 77) };
	struct ibv_send_wr wr = { .wr_id = 2, .sg_list = sge, .num_sge = 3,
				  .opcode = IBV_WR_RDMA_WRITE, .send_flags = IBV_SEND_SIGNALED,
				  .wr.rdma = { b.dst->iova, b.dst->mr->rkey } }, *bad;

	CHECK_ERRNO(ibv_post_send(b.p->a.qp, &wr, &bad), 0, "ibv_post_send");
	vt_expect_wc(&b.p->a, b.p->a.scq, 2, IBV_WC_SUCCESS, "empty entry between others", NULL);
	vt_buf_expect_copy(b.dst, 0, 100, b.src, 5, "in front of the empty entry");
	vt_buf_expect_copy(b.dst, 100, 77, b.src, 500, "behind the empty entry");
	vt_buf_check(b.dst, 177, 1000, "behind the message");
	CHECK_ERRNO(vt_send(&b.p->a, 3, IBV_WR_RDMA_WRITE, sge[1], b.dst, 0, IBV_SEND_SIGNALED), 0,
		    "ibv_post_send");
	vt_expect_wc(&b.p->a, b.p->a.scq, 3, IBV_WC_SUCCESS, "one empty entry", NULL);
}

/* Requests before the bad one succeed, those behind it are flushed, in order. */
static void in_the_middle(const void *arg)
{
	const struct err_arg *t = arg;
	struct err_bench b = local_bench(t, VT_ACCESS_ALL);
	struct ibv_send_wr wr[20] = { }, *bad;
	struct ibv_sge sge[20];
	uint64_t begin;

	for (int i = 0; i < 20; i++) {
		sge[i] = vt_sge(b.src, i * 1000, 1000);
		sge[i].lkey ^= i == 11 ? 0x300 : 0;
		/* Only some ask for a completion: an error gives one to each. */
		wr[i] = (struct ibv_send_wr){
			.wr_id = (uint64_t)i, .sg_list = &sge[i], .num_sge = 1,
			.opcode = IBV_WR_RDMA_WRITE, .next = i < 19 ? &wr[i + 1] : NULL,
			.send_flags = i == 4 || i == 10 ? IBV_SEND_SIGNALED : 0,
			.wr.rdma = { b.dst->iova + i * 1000, b.dst->mr->rkey },
		};
	}
	begin = vt_now_ms();
	CHECK_ERRNO(ibv_post_send(b.p->a.qp, wr, &bad), 0, "ibv_post_send of a list");
	vt_expect_wc(&b.p->a, b.p->a.scq, 4, IBV_WC_SUCCESS, "before the bad one", NULL);
	vt_expect_wc(&b.p->a, b.p->a.scq, 10, IBV_WC_SUCCESS, "before the bad one", NULL);
	vt_expect_wc(&b.p->a, b.p->a.scq, 11, IBV_WC_LOC_PROT_ERR, "the bad one", NULL);
	for (uint64_t i = 12; i < 20; i++)
		vt_expect_wc(&b.p->a, b.p->a.scq, i, IBV_WC_WR_FLUSH_ERR, "behind the bad one", NULL);
	vt_poll_none(b.p->a.scq, 20, "after the flush");
	CHECK(vt_now_ms() - begin < 3000 * vt_cfg.slow, "the completions took %llu ms: a lost time-out",
	      (unsigned long long)(vt_now_ms() - begin));
	vt_buf_expect_copy(b.dst, 0, 11000, b.src, 0, "WRITEs before the bad one");
	vt_buf_check(b.dst, 11000, b.dst->size - 11000, "target of refused and flushed WRITEs");
}

void err_add_local(void)
{
	static const enum vt_mem kinds[] = { VT_HOST, VT_BAR };
	static const struct { const char *name; vt_fn fn; } rows[] = {
		{ "bad_second", bad_second }, { "other_pd", other_pd },
		{ "read_into_readonly", read_into_readonly }, { "destroyed_mr", destroyed },
		{ "empty_sge", empty }, { "in_the_middle", in_the_middle },
	};
	char name[128];

	for (int k = 0; k < 2; k++) {
		for (size_t i = 0; i < sizeof(sges) / sizeof(sges[0]); i++) {
			snprintf(name, sizeof(name), "local/%s/%s", sges[i].name,
				 vt_mem_name[kinds[k]]);
			err_add(name, bad_sge, (struct err_arg){ .mem = kinds[k], .row = i }, 0);
		}
		for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
			snprintf(name, sizeof(name), "local/%s/%s", rows[i].name,
				 vt_mem_name[kinds[k]]);
			err_add(name, rows[i].fn, (struct err_arg){ .mem = kinds[k] }, 0);
		}
	}
}
