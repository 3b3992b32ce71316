// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * Memory windows: the peer reaches what a window is bound to, through whom and how its type says, and
 * nothing else; binding checks what it must, and a region with windows stays.
 */
#include <stdio.h>
#include <string.h>

#include "rc_mw.h"

#define FIRST	1000	/* what is bound of the target */
#define LENGTH	8000

#define RW	(IBV_ACCESS_REMOTE_WRITE | IBV_ACCESS_REMOTE_READ)

static int dealloc(void *mw)
{
	return ibv_dealloc_mw(mw);
}

static struct ibv_mw *mw_new(struct ibv_pd *pd, enum ibv_mw_type type)
{
	struct ibv_mw *mw = ibv_alloc_mw(pd, type);

	CHECK(mw, "ibv_alloc_mw: %s", strerror(errno));
	vt_defer(dealloc, mw, "ibv_dealloc_mw");
	return mw;
}

static struct ibv_mw_bind_info info_of(const struct vt_buf *buf, unsigned int access)
{
	return (struct ibv_mw_bind_info){ .mr = buf->mr, .addr = buf->iova + FIRST,
					  .length = LENGTH, .mw_access_flags = access };
}

/* Posts a bind of either type; @key receives the key of the bound window. */
static int bind_post(struct vt_ep *ep, uint64_t wr_id, struct ibv_mw *mw,
		     const struct ibv_mw_bind_info *info, uint32_t *key)
{
	struct ibv_mw_bind one = { .wr_id = wr_id, .send_flags = IBV_SEND_SIGNALED,
				   .bind_info = *info };
	struct ibv_send_wr two = { .wr_id = wr_id, .opcode = IBV_WR_BIND_MW,
				   .send_flags = IBV_SEND_SIGNALED,
				   .bind_mw = { .mw = mw, .bind_info = *info } };
	int err;

	if (mw->type == IBV_MW_TYPE_1) {
		err = ibv_bind_mw(ep->qp, mw, &one);
		*key = mw->rkey;
		return err;
	}
	two.bind_mw.rkey = ibv_inc_rkey(mw->rkey);
	err = mw_post(ep, &two);
	if (!err)
		mw->rkey = two.bind_mw.rkey;
	*key = two.bind_mw.rkey;
	return err;
}

static uint32_t bind(struct vt_ep *ep, struct ibv_mw *mw, const struct ibv_mw_bind_info *info)
{
	struct ibv_wc wc;
	uint32_t key;

	CHECK_ERRNO(bind_post(ep, 0xb1, mw, info, &key), 0, "posting a bind");
	vt_expect_wc(ep, ep->scq, 0xb1, IBV_WC_SUCCESS, "bind", &wc);
	CHECK_EQ(wc.opcode, IBV_WC_BIND_MW, "opcode of the completion");
	return key;
}

/* One WRITE of the requester, with the status that it must have; nothing lands unless success. */
static void try_write(struct mw_bench *b, struct vt_ep *a, uint64_t addr, size_t off, uint32_t len,
		      uint32_t key, enum ibv_wc_status status, const char *what)
{
	CHECK_ERRNO(vt_rdma(a, 0x77, IBV_WR_RDMA_WRITE, vt_sge(b->src, 0, len), addr, key), 0,
		    "ibv_post_send");
	vt_expect_wc(a, a->scq, 0x77, status, what, NULL);
	if (status == IBV_WC_SUCCESS) {
		vt_buf_expect_copy(b->dst, off, len, b->src, 0, what);
		vt_buf_fill(b->dst, off, len);
	}
	vt_buf_check(b->dst, 0, MW_SIZE, what);
}

static enum ibv_mw_type type_of(const void *arg)
{
	return ((const struct mw_arg *)arg)->row ? IBV_MW_TYPE_2 : IBV_MW_TYPE_1;
}

/* Within the window everything works; a byte outside does not. */
static void reach(const void *arg)
{
	struct vt_opts o = VT_OPTS;
	struct mw_bench b = mw_bench(arg, &o);
	struct ibv_mw *mw = mw_new(b.db->pd, type_of(arg));
	struct ibv_mw_bind_info info = info_of(b.dst, RW);
	uint64_t at = b.dst->iova + FIRST;
	uint32_t key = bind(&b.p->b, mw, &info);

	try_write(&b, &b.p->a, at, FIRST, LENGTH, key, IBV_WC_SUCCESS, "WRITE of the whole window");
	try_write(&b, &b.p->a, at + LENGTH - 1, FIRST + LENGTH - 1, 1, key, IBV_WC_SUCCESS,
		  "WRITE of the last byte");
	CHECK_ERRNO(vt_rdma(&b.p->a, 5, IBV_WR_RDMA_READ, vt_sge(b.src, 0, LENGTH), at, key), 0,
		    "ibv_post_send");
	vt_expect_wc(&b.p->a, b.p->a.scq, 5, IBV_WC_SUCCESS, "READ of the whole window", NULL);
	vt_buf_expect_copy(b.src, 0, LENGTH, b.dst, FIRST, "READ of the whole window");
	vt_buf_fill(b.src, 0, LENGTH);
	try_write(&b, &b.p->a, at + LENGTH, 0, 1, key, IBV_WC_REM_ACCESS_ERR, "WRITE behind it");
	mw_recovered(&b);
}

enum bad_use { U_BEFORE, U_LENGTH, U_WRITE, U_ATOMIC, U_OLD_KEY, U_AS_LKEY, USES };

static const char *const uses[USES] = { "before", "length", "write", "atomic", "old_key", "as_lkey" };

/* What a window does not allow, each on a connection of its own. */
static void misuse(const void *arg, enum ibv_mw_type type)
{
	const struct mw_arg *t = arg;
	struct vt_opts o = VT_OPTS;
	struct mw_bench b;
	struct ibv_mw_bind_info info;
	struct ibv_mw *mw;
	uint64_t at;
	uint32_t key;

	o.qp_access |= IBV_ACCESS_REMOTE_ATOMIC;
	b = mw_bench(arg, &o);
	mw = mw_new(b.db->pd, type);
	info = info_of(b.dst, t->row == U_WRITE || t->row == U_ATOMIC ? IBV_ACCESS_REMOTE_READ : RW);
	at = b.dst->iova + FIRST;
	if (t->row == U_BEFORE) {
		try_write(&b, &b.p->a, at, 0, 10, mw->rkey, IBV_WC_REM_ACCESS_ERR, "not bound yet");
		mw_recovered(&b);
		return;
	}
	key = bind(&b.p->b, mw, &info);
	switch (t->row) {
	case U_LENGTH:
		try_write(&b, &b.p->a, at - 1, 0, 1, key, IBV_WC_REM_ACCESS_ERR, "before the window");
		break;
	case U_WRITE:
		try_write(&b, &b.p->a, at, 0, 10, key, IBV_WC_REM_ACCESS_ERR, "no right to write");
		break;
	case U_ATOMIC: {
		struct ibv_sge sge = vt_sge(b.src, 0, 8);
		struct ibv_send_wr wr = {
			.wr_id = 9, .sg_list = &sge, .num_sge = 1,
			.opcode = IBV_WR_ATOMIC_FETCH_AND_ADD, .send_flags = IBV_SEND_SIGNALED,
			.wr.atomic = { .remote_addr = (at + 7) & ~7ULL, .rkey = key },
		};

		CHECK_ERRNO(mw_post(&b.p->a, &wr), 0, "ibv_post_send");
		vt_expect_wc(&b.p->a, b.p->a.scq, 9, IBV_WC_REM_ACCESS_ERR, "no right to atomics", NULL);
		break;
	}
	case U_OLD_KEY:
		try_write(&b, &b.p->a, at, 0, 10, key - 1, IBV_WC_REM_ACCESS_ERR, "another low byte");
		break;
	default: {
		struct ibv_sge sge = { .addr = at, .length = 10, .lkey = key };

		CHECK_ERRNO(vt_recv(&b.p->b, 4, vt_sge(b.dst, 0, 100)), 0, "ibv_post_recv");
		CHECK_ERRNO(vt_send(&b.p->b, 3, IBV_WR_SEND, sge, NULL, 0, IBV_SEND_SIGNALED), 0,
			    "ibv_post_send");
		vt_expect_wc(&b.p->b, b.p->b.scq, 3, IBV_WC_LOC_PROT_ERR, "as an lkey", NULL);
		break;
	}
	}
	vt_buf_check(b.dst, 0, MW_SIZE, uses[t->row]);
	mw_recovered(&b);
}

static void misuse1(const void *arg)
{
	misuse(arg, IBV_MW_TYPE_1);
}

static void misuse2(const void *arg)
{
	misuse(arg, IBV_MW_TYPE_2);
}

/* Type 1: bound anew the old key is dead; bound to nothing both are; any QP of the domain will do. */
static void rebind(const void *arg)
{
	struct vt_opts o = VT_OPTS;
	struct mw_bench b = mw_bench(arg, &o);
	struct ibv_mw *mw = mw_new(b.db->pd, IBV_MW_TYPE_1);
	struct vt_pair *other = vt_pair_new(b.da, b.db, &o);
	struct ibv_mw_bind_info info = info_of(b.dst, RW), none = { };
	uint64_t at = b.dst->iova + FIRST;
	uint32_t old = bind(&b.p->b, mw, &info), key = bind(&b.p->b, mw, &info);

	CHECK(old != key, "the same key twice");
	try_write(&b, &other->a, at, FIRST, 100, key, IBV_WC_SUCCESS, "through another QP");
	try_write(&b, &b.p->a, at, 0, 100, old, IBV_WC_REM_ACCESS_ERR, "the key before");
	mw_recovered(&b);
	bind(&b.p->b, mw, &none);
	try_write(&b, &b.p->a, at, 0, 100, key, IBV_WC_REM_ACCESS_ERR, "unbound");
	mw_recovered(&b);
}

/* Type 2: through another QP of the domain, which did not bind it, there is no way. */
static void other_qp(const void *arg)
{
	struct vt_opts o = VT_OPTS;
	struct mw_bench b = mw_bench(arg, &o);
	struct ibv_mw *mw = mw_new(b.db->pd, IBV_MW_TYPE_2);
	struct vt_pair *other = vt_pair_new(b.da, b.db, &o);
	struct ibv_mw_bind_info info = info_of(b.dst, RW);
	uint32_t key = bind(&b.p->b, mw, &info);
	struct ibv_send_wr inv = { .wr_id = 6, .opcode = IBV_WR_SEND_WITH_INV, .send_flags = IBV_SEND_SIGNALED,
				   .invalidate_rkey = key };

	try_write(&b, &other->a, b.dst->iova + FIRST, 0, 100, key, IBV_WC_REM_ACCESS_ERR,
		  "through another QP");
	/* Nor can it be ended there. */
	vt_pair_reset(other);
	CHECK_ERRNO(vt_recv(&other->b, 5, vt_sge(b.dst, 0, 0)), 0, "ibv_post_recv");
	CHECK_ERRNO(mw_post(&other->a, &inv), 0, "ibv_post_send");
	vt_expect_wc(&other->a, other->a.scq, 6, IBV_WC_REM_ACCESS_ERR, "SEND with invalidate of another QP's window", NULL);
	try_write(&b, &b.p->a, b.dst->iova + FIRST, FIRST, 100, key, IBV_WC_SUCCESS,
		  "through the QP that bound it");
}

/* Type 2 is ended by its owner, or by the peer, and can be bound again then; not before. */
static void invalidate(const void *arg)
{
	struct vt_opts o = VT_OPTS;
	struct mw_bench b = mw_bench(arg, &o);
	struct ibv_mw *mw = mw_new(b.db->pd, IBV_MW_TYPE_2);
	struct ibv_mw_bind_info info = info_of(b.dst, RW);
	uint64_t at = b.dst->iova + FIRST;
	struct ibv_sge sge = vt_sge(b.src, 0, 64);
	struct ibv_send_wr wr = { .wr_id = 6, .sg_list = &sge, .num_sge = 1,
				  .opcode = IBV_WR_SEND_WITH_INV, .send_flags = IBV_SEND_SIGNALED };
	struct ibv_wc wc;
	uint32_t key;

	key = bind(&b.p->b, mw, &info);
	CHECK_ERRNO(mw_inv(&b.p->b, 2, key, 0), 0, "posting LOCAL_INV");
	vt_expect_wc(&b.p->b, b.p->b.scq, 2, IBV_WC_SUCCESS, "LOCAL_INV of a window", NULL);
	key = bind(&b.p->b, mw, &info);
	try_write(&b, &b.p->a, at, FIRST, 100, key, IBV_WC_SUCCESS, "bound again");
	CHECK_ERRNO(vt_recv(&b.p->b, 5, vt_sge(b.dst, 20000, 64)), 0, "ibv_post_recv");
	wr.invalidate_rkey = key;
	CHECK_ERRNO(mw_post(&b.p->a, &wr), 0, "ibv_post_send");
	vt_expect_wc(&b.p->a, b.p->a.scq, 6, IBV_WC_SUCCESS, "SEND with invalidate", NULL);
	vt_expect_wc(&b.p->b, b.p->b.rcq, 5, IBV_WC_SUCCESS, "its receive", &wc);
	CHECK(wc.wc_flags & IBV_WC_WITH_INV && wc.invalidated_rkey == key, "wrong key was told");
	vt_buf_fill(b.dst, 20000, 64);
	try_write(&b, &b.p->a, at, 0, 100, key, IBV_WC_REM_ACCESS_ERR, "after the peer ended it");
	mw_recovered(&b);
	key = bind(&b.p->b, mw, &info);
	try_write(&b, &b.p->a, at, FIRST, 100, key, IBV_WC_SUCCESS, "bound once more");
}

/* Zero based (type 2): the first byte is address 0. */
static void zero_based(const void *arg)
{
	struct vt_opts o = VT_OPTS;
	struct mw_bench b = mw_bench(arg, &o);
	struct ibv_mw *mw = mw_new(b.db->pd, IBV_MW_TYPE_2);
	struct ibv_mw_bind_info info = info_of(b.dst, RW | IBV_ACCESS_ZERO_BASED);
	uint32_t key = bind(&b.p->b, mw, &info);

	try_write(&b, &b.p->a, 0, FIRST, LENGTH, key, IBV_WC_SUCCESS, "all of it");
	try_write(&b, &b.p->a, 1, 0, LENGTH, key, IBV_WC_REM_ACCESS_ERR, "a byte too far");
	mw_recovered(&b);
}

enum bad_bind {
	B_NO_RIGHT, B_NO_WRITE, B_BEFORE, B_BEYOND, B_MR_PD, B_MW_PD, B_FLAGS, B_MR_KEY, B_ZERO_BASED1,
	B_TWICE2, B_NOTHING2, B_INDEX2, BINDS
};

static const char *const binds[BINDS] = {
	"no_right", "no_write", "before", "beyond", "mr_pd", "mw_pd", "flags", "mr_key",
	"type1/zero_based", "type2/twice", "type2/nothing", "type2/index",
};

/* A bind that must fail completes so, takes the QP to error, and leaves no window behind. */
static void bad_bind(const void *arg)
{
	const struct mw_arg *t = arg;
	enum ibv_mw_type type = t->row >= B_TWICE2 ? IBV_MW_TYPE_2 : IBV_MW_TYPE_1;
	struct vt_opts o = VT_OPTS;
	struct mw_bench b = mw_bench(arg, &o);
	struct ibv_mw_bind_info info = info_of(b.dst, RW);
	struct ibv_pd *pd = t->row == B_MW_PD || t->row == B_MR_PD ? vt_pd_new(b.db) : b.db->pd;
	struct ibv_mw *mw = mw_new(t->row == B_MW_PD ? pd : b.db->pd, type);
	struct ibv_mr fake = *b.dst->mr, *mr = NULL;
	uint32_t key;

	if (t->row == B_NO_RIGHT || t->row == B_NO_WRITE || t->row == B_MR_PD) {
		unsigned int access = t->row == B_NO_RIGHT ? VT_ACCESS_ALL :
				      t->row == B_NO_WRITE ? IBV_ACCESS_MW_BIND : MW_ACCESS;

		mr = ibv_reg_mr(pd, b.dst->ptr, MW_SIZE, access);
		CHECK(mr, "ibv_reg_mr: %s", strerror(errno));
		fake = *mr;
		info.addr = (uintptr_t)b.dst->ptr + FIRST;
	}
	info.mr = &fake;
	fake.pd = mw->pd;	/* libibverbs compares them */
	if (t->row == B_BEFORE)
		info.addr = b.dst->iova - 1;
	else if (t->row == B_BEYOND)
		info.length = MW_SIZE - FIRST + 1;
	else if (t->row == B_FLAGS)
		info.mw_access_flags |= IBV_ACCESS_ON_DEMAND;
	else if (t->row == B_MR_KEY)
		fake.lkey ^= 1;
	else if (t->row == B_ZERO_BASED1)
		info.mw_access_flags |= IBV_ACCESS_ZERO_BASED;
	else if (t->row == B_TWICE2)
		bind(&b.p->b, mw, &info);
	else if (t->row == B_NOTHING2)
		info.length = 0;
	else if (t->row == B_INDEX2)
		mw->rkey += 256;
	CHECK_ERRNO(bind_post(&b.p->b, 8, mw, &info, &key), 0, "posting a bind");
	vt_expect_wc(&b.p->b, b.p->b.scq, 8, IBV_WC_MW_BIND_ERR, binds[t->row], NULL);
	CHECK_EQ(vt_ep_state(&b.p->b), IBV_QPS_ERR, "state");
	if (mr)
		CHECK_ERRNO(ibv_dereg_mr(mr), 0, "ibv_dereg_mr: no window was bound");
	mw_recovered(&b);
}

/* A region with windows stays; when the last has gone it goes too. */
static void busy(const void *arg)
{
	struct vt_opts o = VT_OPTS;
	struct mw_bench b = mw_bench(arg, &o);
	struct ibv_mw_bind_info info = info_of(b.dst, RW);
	struct ibv_mw *mw[2];

	for (int i = 0; i < 2; i++) {
		mw[i] = ibv_alloc_mw(b.db->pd, type_of(arg));
		CHECK(mw[i], "ibv_alloc_mw: %s", strerror(errno));
		bind(&b.p->b, mw[i], &info);
	}
	for (int i = 0; i < 2; i++) {
		CHECK_ERRNO(ibv_dereg_mr(b.dst->mr), EBUSY, "ibv_dereg_mr of a region with windows");
		CHECK(ibv_rereg_mr(b.dst->mr, IBV_REREG_MR_CHANGE_ACCESS, NULL, NULL, 0, MW_ACCESS),
		      "ibv_rereg_mr of a region with windows");
		CHECK_ERRNO(ibv_dealloc_mw(mw[i]), 0, "ibv_dealloc_mw");
	}
	vt_buf_dereg(b.dst);
}

/* There are two types. */
static void types(const void *arg)
{
	static const unsigned int unknown[] = { 0, 3, 255 };
	struct vt_dev *d = vt_open(vt_cfg.dev);

	(void)arg;
	for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++) {
		CHECK(!ibv_alloc_mw(d->pd, (enum ibv_mw_type)unknown[i]), "a window of type %u",
		      unknown[i]);
		CHECK_ERRNO(errno, EINVAL, "ibv_alloc_mw");
	}
}

void mw_add_bind(void)
{
	char name[64];

	vt_add("mw/types", types, NULL, 0);
	for (size_t type = 0; type < 2; type++) {
		snprintf(name, sizeof(name), "mw/reach/type%zu", type + 1);
		mw_add(name, reach, type);
		snprintf(name, sizeof(name), "mw/busy/type%zu", type + 1);
		mw_add(name, busy, type);
		for (size_t i = 0; i < USES; i++) {
			snprintf(name, sizeof(name), "mw/misuse/type%zu/%s", type + 1, uses[i]);
			mw_add(name, type ? misuse2 : misuse1, i);
		}
	}
	mw_add("mw/rebind", rebind, 0);
	mw_add("mw/other_qp", other_qp, 0);
	mw_add("mw/invalidate", invalidate, 0);
	mw_add("mw/zero_based", zero_based, 0);
	for (size_t i = 0; i < BINDS; i++) {
		snprintf(name, sizeof(name), "mw/bad/%s", binds[i]);
		mw_add(name, bad_bind, i);
	}
}
