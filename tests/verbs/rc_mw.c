// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * rc_mw: keys that the consumer ends or makes with work requests: LOCAL_INV here, memory windows
 * in rc_mw_bind.c, and regions that change in rc_mw_rereg.c (InfiniBand Architecture 1.x, 10.6 and
 * 11.4.1.1). What no longer has a key is touched no more, by anybody; requests complete in order,
 * and none is carried out twice.
 */
#include <stdio.h>
#include <string.h>

#include "rc_mw.h"

int mw_post(struct vt_ep *ep, struct ibv_send_wr *wr)
{
	struct ibv_send_wr *bad = NULL;
	int err = ibv_post_send(ep->qp, wr, &bad);

	if (err)
		CHECK(bad, "ibv_post_send failed without setting bad_wr");
	return err;
}

int mw_inv(struct vt_ep *ep, uint64_t wr_id, uint32_t rkey, unsigned int flags)
{
	struct ibv_send_wr wr = { .wr_id = wr_id, .opcode = IBV_WR_LOCAL_INV,
				  .send_flags = IBV_SEND_SIGNALED | flags,
				  .invalidate_rkey = rkey };

	return mw_post(ep, &wr);
}

struct mw_bench mw_bench(const void *arg, struct vt_opts *o)
{
	const struct mw_arg *t = arg;
	struct mw_bench b = { .da = vt_open(vt_cfg.dev) };

	b.db = t->wire ? vt_open(vt_cfg.peer) : b.da;
	b.src = vt_buf_new(b.da, VT_HOST, MW_SIZE, MW_ACCESS);
	b.dst = vt_buf_new(b.db, VT_HOST, MW_SIZE, MW_ACCESS);
	b.p = vt_pair_new(b.da, b.db, o);
	return b;
}

void mw_recovered(struct mw_bench *b)
{
	struct vt_buf *src = vt_buf_new(b->da, VT_HOST, 5000, VT_ACCESS_ALL);
	struct vt_buf *dst = vt_buf_new(b->db, VT_HOST, 5000, VT_ACCESS_ALL);

	vt_pair_reset(b->p);
	vt_ping(b->p, src, dst, 5000);
}

/* The owner of a region ends its key: the peer's next access fails and touches nothing. */
static void inv_peer(const void *arg)
{
	struct vt_opts o = VT_OPTS;
	struct mw_bench b = mw_bench(arg, &o);
	struct ibv_wc wc;

	CHECK_ERRNO(vt_send(&b.p->a, 1, IBV_WR_RDMA_WRITE, vt_sge(b.src, 0, 5000), b.dst, 100,
			    IBV_SEND_SIGNALED), 0, "ibv_post_send");
	vt_expect_wc(&b.p->a, b.p->a.scq, 1, IBV_WC_SUCCESS, "WRITE before", NULL);
	vt_buf_expect_copy(b.dst, 100, 5000, b.src, 0, "WRITE before");
	vt_buf_fill(b.dst, 100, 5000);
	CHECK_ERRNO(mw_inv(&b.p->b, 2, b.dst->mr->rkey, 0), 0, "posting LOCAL_INV");
	vt_expect_wc(&b.p->b, b.p->b.scq, 2, IBV_WC_SUCCESS, "LOCAL_INV", &wc);
	CHECK_EQ(wc.opcode, IBV_WC_LOCAL_INV, "opcode of the completion");
	CHECK_ERRNO(vt_send(&b.p->a, 3, IBV_WR_RDMA_WRITE, vt_sge(b.src, 0, 5000), b.dst, 100,
			    IBV_SEND_SIGNALED), 0, "ibv_post_send");
	vt_expect_wc(&b.p->a, b.p->a.scq, 3, IBV_WC_REM_ACCESS_ERR, "WRITE after", NULL);
	vt_buf_check(b.dst, 0, MW_SIZE, "memory without a key");
	mw_recovered(&b);
}

/* Between requests: those before it are done with the region, the one behind it may not use it. */
static void inv_order(const void *arg)
{
	struct vt_opts o = VT_OPTS;
	struct mw_bench b = mw_bench(arg, &o);

	CHECK_ERRNO(vt_send(&b.p->a, 1, IBV_WR_RDMA_WRITE, vt_sge(b.src, 0, 30000), b.dst, 0,
			    IBV_SEND_SIGNALED), 0, "ibv_post_send");
	CHECK_ERRNO(vt_send(&b.p->a, 2, IBV_WR_RDMA_READ, vt_sge(b.src, 0, 8000), b.dst, 32000,
			    IBV_SEND_SIGNALED), 0, "ibv_post_send");
	CHECK_ERRNO(mw_inv(&b.p->a, 3, b.src->mr->rkey, IBV_SEND_FENCE), 0, "posting LOCAL_INV");
	CHECK_ERRNO(vt_send(&b.p->a, 4, IBV_WR_RDMA_WRITE, vt_sge(b.src, 0, 100), b.dst, 39000,
			    IBV_SEND_SIGNALED), 0, "ibv_post_send");
	vt_expect_wc(&b.p->a, b.p->a.scq, 1, IBV_WC_SUCCESS, "WRITE before", NULL);
	vt_expect_wc(&b.p->a, b.p->a.scq, 2, IBV_WC_SUCCESS, "READ before", NULL);
	vt_expect_wc(&b.p->a, b.p->a.scq, 3, IBV_WC_SUCCESS, "LOCAL_INV", NULL);
	vt_expect_wc(&b.p->a, b.p->a.scq, 4, IBV_WC_LOC_PROT_ERR, "WRITE behind", NULL);
	vt_buf_check(b.dst, 30000, MW_SIZE - 30000, "memory behind the first WRITE");
	mw_recovered(&b);
}

/* Many, each of a key of its own, between WRITEs: all complete, in order, and once. */
static void inv_many(const void *arg)
{
	struct vt_opts o = VT_OPTS;
	struct mw_bench b = mw_bench(arg, &o);
	struct ibv_mr *mr[MW_MANY];

	for (unsigned int i = 0; i < MW_MANY; i++) {
		mr[i] = ibv_reg_mr(b.da->pd, b.src->ptr, 4096, MW_ACCESS);
		CHECK(mr[i], "ibv_reg_mr: %s", strerror(errno));
	}
	for (unsigned int i = 0; i < MW_MANY; i++) {
		CHECK_ERRNO(vt_send(&b.p->a, 2 * i, IBV_WR_RDMA_WRITE, vt_sge(b.src, i, 9000), b.dst,
				    i * 100, IBV_SEND_SIGNALED), 0, "ibv_post_send");
		CHECK_ERRNO(mw_inv(&b.p->a, 2 * i + 1, mr[i]->rkey, 0), 0, "posting LOCAL_INV");
	}
	for (unsigned int i = 0; i < 2 * MW_MANY; i++)
		vt_expect_wc(&b.p->a, b.p->a.scq, i, IBV_WC_SUCCESS, i % 2 ? "LOCAL_INV" : "WRITE",
			     NULL);
	for (unsigned int i = 0; i < MW_MANY; i++)
		CHECK_ERRNO(ibv_dereg_mr(mr[i]), 0, "ibv_dereg_mr");
	vt_buf_expect_copy(b.dst, (MW_MANY - 1) * 100, 9000, b.src, MW_MANY - 1, "last WRITE");
	vt_buf_fill(b.dst, 0, MW_SIZE);
}

enum inv_fault { INV_UNKNOWN, INV_TWICE, INV_OTHER_PD, INV_FAULTS };

static const char *const inv_faults[INV_FAULTS] = { "unknown", "twice", "other_pd" };

/* What cannot be invalidated fails as a memory management operation, and takes the QP along. */
static void inv_refused(const void *arg)
{
	const struct mw_arg *t = arg;
	struct vt_opts o = VT_OPTS;
	struct mw_bench b = mw_bench(arg, &o);
	struct ibv_mr *mr = NULL;
	uint32_t key = 0xdead00;

	if (t->row == INV_TWICE) {
		key = b.src->mr->rkey;
		CHECK_ERRNO(mw_inv(&b.p->a, 1, key, 0), 0, "posting LOCAL_INV");
		vt_expect_wc(&b.p->a, b.p->a.scq, 1, IBV_WC_SUCCESS, "LOCAL_INV", NULL);
	} else if (t->row == INV_OTHER_PD) {
		mr = ibv_reg_mr(vt_pd_new(b.da), b.src->ptr, 4096, MW_ACCESS);
		CHECK(mr, "ibv_reg_mr: %s", strerror(errno));
		key = mr->rkey;
	}
	CHECK_ERRNO(mw_inv(&b.p->a, 2, key, 0), 0, "posting LOCAL_INV");
	CHECK_ERRNO(vt_send(&b.p->a, 3, IBV_WR_RDMA_WRITE, vt_sge(b.dst, 0, 0), b.dst, 0,
			    IBV_SEND_SIGNALED), 0, "ibv_post_send");
	vt_expect_wc(&b.p->a, b.p->a.scq, 2, IBV_WC_MW_BIND_ERR, "LOCAL_INV of a bad key", NULL);
	vt_expect_wc(&b.p->a, b.p->a.scq, 3, IBV_WC_WR_FLUSH_ERR, "WRITE behind", NULL);
	CHECK_EQ(vt_ep_state(&b.p->a), IBV_QPS_ERR, "state");
	if (mr)
		CHECK_ERRNO(ibv_dereg_mr(mr), 0, "ibv_dereg_mr");
	mw_recovered(&b);
}

void mw_add(const char *name, vt_fn fn, size_t row)
{
	for (unsigned int wire = 0; wire <= (vt_cfg.peer ? 1 : 0); wire++) {
		struct mw_arg *a = calloc(1, sizeof(*a));
		char full[64];

		if (!a)
			exit(2);
		a->wire = wire;
		a->row = row;
		snprintf(full, sizeof(full), "%s/%s", name, wire ? "wire" : "local");
		vt_add(full, fn, a, 0);
	}
}

static void add_cases(void)
{
	char name[64];

	mw_add_bind();
	mw_add_rereg();
	mw_add("inv/peer", inv_peer, 0);
	mw_add("inv/order", inv_order, 0);
	mw_add("inv/many", inv_many, 0);
	for (size_t i = 0; i < INV_FAULTS; i++) {
		snprintf(name, sizeof(name), "inv/refused/%s", inv_faults[i]);
		mw_add(name, inv_refused, i);
	}
}

int main(int argc, char **argv)
{
	return vt_main(argc, argv, add_cases);
}
