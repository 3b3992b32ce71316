// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * Shared receive queues: create, modify, query, destroy. Posting is in wr.c.
 *
 * Control path. The ring is memory of the kernel; another size means another ring, which takes the
 * place of the present one under the SRQ's lock.
 */
#include <errno.h>
#include <sys/mman.h>

#include "berth.h"

struct create_srq_cmd {
	struct ibv_create_srq ibv_cmd;
	struct berth_create_srq_req drv;
};

struct create_srq_resp {
	struct ib_uverbs_create_srq_resp ibv_resp;
	struct berth_create_srq_resp drv;
};

static_assert(sizeof(struct create_srq_cmd) == 48 && offsetof(struct create_srq_cmd, drv) == 40,
	      "no padding before driver data");
static_assert(sizeof(struct create_srq_resp) == 40 && offsetof(struct create_srq_resp, drv) == 16,
	      "no padding before driver data");

static bool layout_fits(uint32_t entries, uint32_t stride, uint32_t max_wr, uint32_t max_sge,
			uint32_t map_size)
{
	return entries && !(entries & (entries - 1)) && entries >= max_wr &&
	       max_sge <= BERTH_MAX_SGE && !(stride % 8) &&
	       stride >= sizeof(struct berth_recv_wqe) + max_sge * sizeof(struct berth_sge) &&
	       sizeof(struct berth_srq_ring) + (uint64_t)entries * stride <= map_size;
}

/* Maps a ring and goes on in it. The stride and the largest list are set. */
static int srq_map(struct berth_srq *srq, uint64_t offset, uint32_t map_size, uint32_t entries,
		   uint32_t max_wr)
{
	struct berth_wq *wq = &srq->wq;
	void *map;

	if (!layout_fits(entries, wq->stride, max_wr, wq->max_sge, map_size))
		return EPROTO;
	map = mmap(NULL, map_size, PROT_READ | PROT_WRITE, MAP_SHARED,
		   srq->vsrq.srq.context->cmd_fd, offset);
	if (map == MAP_FAILED)
		return errno;
	if (srq->ring)
		munmap(srq->ring, srq->map_size);
	srq->ring = map;
	srq->map_size = map_size;
	wq->entries = (uint8_t *)(srq->ring + 1);
	wq->prod = &srq->ring->prod;
	wq->mask = entries - 1;
	wq->max_wr = max_wr;
	wq->head = ring_peek(wq->prod);
	return 0;
}

struct ibv_srq *berth_create_srq(struct ibv_pd *ibpd, struct ibv_srq_init_attr *attr)
{
	struct create_srq_resp resp = {};
	struct create_srq_cmd cmd = {};
	struct berth_origin origin;
	struct berth_srq *srq;
	int ret;

	srq = berth_object_alloc(ibpd, sizeof(*srq), BERTH_RES_SRQ, &origin);
	if (!srq)
		return NULL;
	srq->origin = origin;
	berth_lock_init(&srq->wq.lock, berth_needs_lock(ibpd->context, ibpd));
	ret = ibv_cmd_create_srq(ibpd, &srq->vsrq.srq, attr, &cmd.ibv_cmd, sizeof(cmd),
				 &resp.ibv_resp, sizeof(resp));
	if (ret)
		goto free_srq;
	srq->vsrq.srq.context = ibpd->context;
	srq->wq.stride = resp.drv.stride;
	srq->wq.max_sge = attr->attr.max_sge;
	ret = srq_map(srq, resp.drv.mmap_offset, resp.drv.mmap_size, resp.drv.entries,
		      attr->attr.max_wr);
	if (ret)
		goto destroy_kernel_srq;
	return &srq->vsrq.srq;

destroy_kernel_srq:
	ibv_cmd_destroy_srq(&srq->vsrq.srq);
free_srq:
	berth_object_free(srq, &origin);
	errno = ret;
	return NULL;
}

/*
 * Nobody may post meanwhile: the kernel moves what is posted. Should mapping the new ring fail the
 * kernel takes from a ring that nobody here can reach; the process is out of address space then.
 */
static int srq_resize(struct berth_srq *srq, struct ibv_srq_attr *attr, int attr_mask)
{
	struct ibv_modify_srq cmd = {};
	struct berth_srq_ring *old;
	int ret;

	berth_lock(&srq->wq.lock);
	ret = ibv_cmd_modify_srq(&srq->vsrq.srq, attr, attr_mask, &cmd, sizeof(cmd));
	old = srq->ring;
	/* Also when the kernel refused the limit after it had made the ring. */
	if (old->next_entries) {
		int err = srq_map(srq, old->next_offset, old->next_size, old->next_entries,
				  attr->max_wr);

		ret = ret ? ret : err;
	}
	berth_unlock(&srq->wq.lock);
	return ret;
}

int berth_modify_srq(struct ibv_srq *ibsrq, struct ibv_srq_attr *attr, int attr_mask)
{
	struct ibv_modify_srq cmd = {};

	if (attr_mask & IBV_SRQ_MAX_WR)
		return srq_resize(to_bsrq(ibsrq), attr, attr_mask);
	return ibv_cmd_modify_srq(ibsrq, attr, attr_mask, &cmd, sizeof(cmd));
}

int berth_query_srq(struct ibv_srq *ibsrq, struct ibv_srq_attr *attr)
{
	struct ibv_query_srq cmd = {};

	return ibv_cmd_query_srq(ibsrq, attr, &cmd, sizeof(cmd));
}

int berth_destroy_srq(struct ibv_srq *ibsrq)
{
	struct berth_srq *srq = to_bsrq(ibsrq);
	struct berth_origin origin;
	int ret;

	ret = berth_destroyed(ibv_cmd_destroy_srq(ibsrq));
	if (ret)
		return ret;
	munmap(srq->ring, srq->map_size);
	origin = srq->origin;
	berth_object_free(srq, &origin);
	return 0;
}
