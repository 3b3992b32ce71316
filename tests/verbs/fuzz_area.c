// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * What fuzz_abi's children do with areas: over a dma-buf that each was given, for QPs and SRQs, with tokens that are anything.
 */
#include <infiniband/berthdv.h>

#include "fuzz_abi.h"

static int dmabuf = -1;

/** area_open() - Have a dma-buf, which an unprivileged process cannot get. */
void area_open(void)
{
	dmabuf = vt_dmabuf_alloc(VT_HEAP, FUZZ_MEMORY, NULL);
}

void do_area(void)
{
	const struct berthdv_area_attr attr = {
		.chunk_size = fuzz_odds(90) ? 4096U << fuzz_below(3) : (uint32_t)fuzz_odd(),
		.max_message = fuzz_odds(90) ? 1 + fuzz_below(65536) : (uint32_t)fuzz_odd(),
		.comp_mask = fuzz_odds(98) ? 0 : fuzz_odd(),
	};
	uint64_t off = fuzz_odds(60) ? 0 : fuzz_below(FUZZ_MEMORY);
	struct ibv_pd *pd = bag_pick(&child.pd);
	struct ibv_mr *mr = bag_pick(&child.mr);

	if (pd && fuzz_odds(50)) {
		mr = ibv_reg_dmabuf_mr(pd, off, FUZZ_MEMORY - off, off, dmabuf, fuzz_access());
		bag_keep(&child.mr, mr);
	}
	if (mr)
		bag_keep(&child.area, berthdv_create_area(mr, &attr));
	rings_find();
}

void do_area_srq(void)
{
	struct ibv_srq_init_attr ia = { };
	struct berthdv_srq_init_attr dv = { .area = bag_pick(&child.area) };
	struct ibv_pd *pd = bag_pick(&child.pd);

	if (pd && dv.area)
		bag_keep(&child.srq, berthdv_create_srq(pd, &ia, &dv));
	rings_find();
}

void do_area_qp(void)
{
	struct berthdv_qp_init_attr dv = {
		.qp_type = fuzz_below(3), .comp_mask = BERTHDV_QP_INIT_ATTR_AREA, .area = bag_pick(&child.area),
	};
	struct ibv_qp_init_attr_ex ia = {
		.send_cq = bag_pick(&child.cq), .recv_cq = bag_pick(&child.cq), .pd = bag_pick(&child.pd),
		.srq = fuzz_odds(10) ? bag_pick(&child.srq) : NULL, .comp_mask = IBV_QP_INIT_ATTR_PD,
		.qp_type = IBV_QPT_RC, .cap = { 1 + fuzz_below(16), fuzz_odds(10), 2, 2, fuzz_below(64) },
	};

	if (ia.pd && ia.send_cq && ia.recv_cq && dv.area)
		bag_keep(&child.qp, berthdv_create_qp(child.ctx, &ia, &dv));
	rings_find();
}

void do_area_return(void)
{
	struct berthdv_area *area = bag_pick(&child.area);
	uint32_t token[64], n = fuzz_below(64);

	for (uint32_t i = 0; i < n; i++)
		token[i] = fuzz_odds(90) ? fuzz_below(64) : (uint32_t)fuzz_odd();
	if (area)
		berthdv_area_return(area, token, n);
}
