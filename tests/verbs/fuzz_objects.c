// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * What fuzz_abi's children do with objects beyond those of a connection: domains, extended CQs,
 * SRQs, null memory, memory windows, device memory, multicast groups; and the end of any object.
 */
#include <infiniband/berthdv.h>

#include "fuzz_abi.h"
#include "vt_ud.h"

static void keep_td(void)
{
	struct ibv_td_init_attr ia = { .comp_mask = fuzz_odds(95) ? 0 : (uint32_t)fuzz_odd() };

	bag_keep(&child.td, ibv_alloc_td(child.ctx, &ia));
}

/* A thread domain, or a domain that stands for another one. */
void do_domains(void)
{
	struct ibv_parent_domain_init_attr ia = { .pd = bag_pick(&child.pd) };

	keep_td();
	ia.td = fuzz_odds(50) ? bag_pick(&child.td) : NULL;
	if (ia.pd)
		bag_keep(&child.pd, ibv_alloc_parent_domain(child.ctx, &ia));
}

void do_cq_ex(void)
{
	struct ibv_cq_init_attr_ex ia = {
		.cqe = fuzz_odds(80) ? 1 + fuzz_below(300) : (uint32_t)fuzz_odd(),
		.channel = fuzz_odds(30) ? bag_pick(&child.chan) : NULL,
		.comp_vector = fuzz_odds(95) ? 0 : (uint32_t)fuzz_odd(),
		.wc_flags = fuzz_odds(80) ? fuzz_below(1 << 12) : fuzz_odd(),
		.comp_mask = fuzz_odds(95) ? IBV_CQ_INIT_ATTR_MASK_FLAGS : (uint32_t)fuzz_odd(),
		.flags = fuzz_odds(80) ? fuzz_below(4) : (uint32_t)fuzz_odd(),
		.parent_domain = bag_pick(&child.pd),
	};
	struct ibv_cq_ex *cq;

	if (ia.parent_domain && fuzz_odds(30))
		ia.comp_mask |= IBV_CQ_INIT_ATTR_MASK_PD;
	else
		ia.comp_mask &= ~(uint32_t)IBV_CQ_INIT_ATTR_MASK_PD;
	cq = ibv_create_cq_ex(child.ctx, &ia);
	if (cq)
		bag_keep(&child.cq, ibv_cq_ex_to_cq(cq));
	rings_find();
}

void do_srq(void)
{
	struct ibv_srq_init_attr ia = {
		.attr = { .max_wr = fuzz_odds(80) ? 1 + fuzz_below(100) : (uint32_t)fuzz_odd(),
			  .max_sge = fuzz_limit(8), .srq_limit = (uint32_t)fuzz_odd() },
	};
	struct ibv_pd *pd = bag_pick(&child.pd);

	if (pd)
		bag_keep(&child.srq, ibv_create_srq(pd, &ia));
	rings_find();
}

/* The provider unmaps the old ring when the size changes. */
void do_srq_modify(void)
{
	struct ibv_srq *srq = bag_pick(&child.srq);
	struct ibv_srq_attr a = {
		.max_wr = fuzz_odds(80) ? 1 + fuzz_below(200) : (uint32_t)fuzz_odd(),
		.srq_limit = fuzz_odds(80) ? fuzz_below(40) : (uint32_t)fuzz_odd(),
	};
	int mask = fuzz_odds(95) ? (int)fuzz_below(4) : (int)fuzz_below(16);

	if (!srq)
		return;
	if (fuzz_odds(20)) {
		ibv_query_srq(srq, &a);
		return;
	}
	if (mask & IBV_SRQ_MAX_WR && fuzz_odds(50))
		rings_forget();
	ibv_modify_srq(srq, &a, mask);
	rings_find();
}

void do_srq_recv(void)
{
	struct ibv_sge sge[2] = { fuzz_sge(), fuzz_sge() };
	struct ibv_recv_wr wr = { .wr_id = fuzz_rnd(), .sg_list = sge, .num_sge = (int)fuzz_below(3) };
	struct ibv_srq *srq = bag_pick(&child.srq);
	struct ibv_recv_wr *bad;

	if (srq)
		ibv_post_srq_recv(srq, &wr, &bad);
}

void do_null_mr(void)
{
	struct ibv_pd *pd = bag_pick(&child.pd);

	if (pd)
		bag_keep(&child.mr, ibv_alloc_null_mr(pd));
}

void do_mw(void)
{
	struct ibv_pd *pd = bag_pick(&child.pd);
	uint32_t type = fuzz_odds(90) ? 1 + fuzz_below(2) : (uint32_t)fuzz_odd();

	if (pd)
		bag_keep(&child.mw, ibv_alloc_mw(pd, (enum ibv_mw_type)type));
}

static struct ibv_mw_bind_info any_bind(struct ibv_mr *mr)
{
	return (struct ibv_mw_bind_info){
		.mr = mr,
		.addr = fuzz_odds(85) ? (uintptr_t)child.memory + fuzz_below(FUZZ_MEMORY) : fuzz_odd(),
		.length = fuzz_odds(85) ? fuzz_below(9000) : fuzz_odd(),
		.mw_access_flags = fuzz_odds(70) ? IBV_ACCESS_REMOTE_WRITE | IBV_ACCESS_REMOTE_READ :
				   (uint32_t)fuzz_odd(),
	};
}

/* Binding either way, and ending a key. The rings' own share of such requests is in fuzz_rings.c. */
void do_bind(void)
{
	struct ibv_qp *qp = bag_pick(&child.qp);
	struct ibv_mw *mw = bag_pick(&child.mw);
	struct ibv_mr *mr = bag_pick(&child.mr);
	struct ibv_send_wr wr = { .wr_id = fuzz_rnd(), .opcode = IBV_WR_BIND_MW,
				  .send_flags = fuzz_below(16) }, *bad;
	struct ibv_mw_bind bind;

	if (!qp || !mw || !mr)
		return;
	bind = (struct ibv_mw_bind){ .wr_id = fuzz_rnd(), .send_flags = fuzz_below(16),
				     .bind_info = any_bind(mr) };
	switch (fuzz_below(3)) {
	case 0:
		ibv_bind_mw(qp, mw, &bind);
		return;
	case 1:
		wr.bind_mw.mw = mw;
		wr.bind_mw.rkey = fuzz_odds(80) ? ibv_inc_rkey(mw->rkey) : (uint32_t)fuzz_odd();
		wr.bind_mw.bind_info = bind.bind_info;
		if (!ibv_post_send(qp, &wr, &bad) && fuzz_odds(80))
			mw->rkey = wr.bind_mw.rkey;
		return;
	default:
		wr.opcode = IBV_WR_LOCAL_INV;
		wr.invalidate_rkey = fuzz_odds(60) ? mw->rkey : fuzz_odds(50) ? mr->rkey :
				     innocent_region(fuzz_below(8))->key;
		ibv_post_send(qp, &wr, &bad);
	}
}

void do_dm(void)
{
	struct ibv_alloc_dm_attr a = {
		.length = fuzz_odds(80) ? 1 + fuzz_below(20000) : fuzz_odd(),
		.log_align_req = fuzz_odds(80) ? fuzz_below(13) : (uint32_t)fuzz_odd(),
		.comp_mask = fuzz_odds(95) ? 0 : (uint32_t)fuzz_odd(),
	};

	bag_keep(&child.dm, ibv_alloc_dm(child.ctx, &a));
	rings_find();
}

void do_dm_mr(void)
{
	struct ibv_pd *pd = bag_pick(&child.pd);
	struct ibv_dm *dm = bag_pick(&child.dm);
	uint64_t off = fuzz_odds(80) ? fuzz_below(8192) : fuzz_odd();
	size_t len = fuzz_odds(80) ? fuzz_below(12000) : fuzz_odd();

	if (pd && dm)
		bag_keep(&child.mr, ibv_reg_dm_mr(pd, dm, off, len, (unsigned int)fuzz_access() |
						  (fuzz_odds(95) ? IBV_ACCESS_ZERO_BASED : 0)));
}

void do_dm_copy(void)
{
	struct ibv_dm *dm = bag_pick(&child.dm);
	uint64_t off = fuzz_odds(80) ? fuzz_below(20000) & ~3U : fuzz_odd();
	size_t len = fuzz_below(20000) & ~3U;

	if (!dm)
		return;
	if (fuzz_odds(50))
		ibv_memcpy_to_dm(dm, off, child.memory, len);
	else
		ibv_memcpy_from_dm(child.memory, dm, off, len);
}

void do_mcast(void)
{
	union ibv_gid group = ud_group(fuzz_odds(50), (uint16_t)fuzz_below(4));
	struct ibv_qp *qp = bag_pick(&child.qp);

	if (fuzz_odds(10))
		fuzz_bytes(&group, sizeof(group));
	if (!qp)
		return;
	if (fuzz_odds(60))
		ibv_attach_mcast(qp, &group, 0);
	else
		ibv_detach_mcast(qp, &group, 0);
}

static int destroy_qp(void *item)
{
	return ibv_destroy_qp(item);
}

static int destroy_cq(void *item)
{
	return ibv_destroy_cq(item);
}

static int destroy_srq(void *item)
{
	return ibv_destroy_srq(item);
}

static int dereg_mr(void *item)
{
	return ibv_dereg_mr(item);
}

static int dealloc_mw(void *item)
{
	return ibv_dealloc_mw(item);
}

static int free_dm(void *item)
{
	return ibv_free_dm(item);
}

static int destroy_ah(void *item)
{
	return ibv_destroy_ah(item);
}

static int dealloc_td(void *item)
{
	return ibv_dealloc_td(item);
}

static int dealloc_pd(void *item)
{
	return ibv_dealloc_pd(item);
}

static int destroy_area(void *item)
{
	return berthdv_destroy_area(item);
}

/* A ring that is scribbled over must not be unmapped under the thread: forget it first. */
void do_destroy(void)
{
	static const struct {
		struct fuzz_bag *bag;
		int (*destroy)(void *item);
	} kinds[] = {
		{ &child.qp, destroy_qp }, { &child.cq, destroy_cq }, { &child.srq, destroy_srq },
		{ &child.mr, dereg_mr }, { &child.mw, dealloc_mw }, { &child.dm, free_dm },
		{ &child.ah, destroy_ah }, { &child.td, dealloc_td }, { &child.pd, dealloc_pd },
		{ &child.area, destroy_area },
	};
	uint32_t kind = fuzz_below(sizeof(kinds) / sizeof(kinds[0]));
	void *item = bag_take(kinds[kind].bag);

	if (!item)
		return;
	rings_forget();
	/* What is still in use stays. */
	if (kinds[kind].destroy(item))
		bag_keep(kinds[kind].bag, item);
	rings_find();
}
