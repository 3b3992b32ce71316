// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * Completion queues: create, poll, arm, resize, destroy. The kernel writes entries and prod, this side
 * reads them and writes cons and arm; polling makes no system call.
 */
#include <errno.h>
#include <sys/mman.h>

#include "cq.h"

struct create_cq_cmd {
	struct ibv_create_cq_ex ibv_cmd;
	struct berth_create_cq_req drv;
};

struct create_cq_resp {
	struct ib_uverbs_ex_create_cq_resp ibv_resp;
	struct berth_create_cq_resp drv;
};

static_assert(sizeof(struct create_cq_cmd) == 64 && offsetof(struct create_cq_cmd, drv) == 56,
	      "no padding before driver data");
static_assert(sizeof(struct create_cq_resp) == 32 && offsetof(struct create_cq_resp, drv) == 16,
	      "no padding before driver data");

struct resize_cq_resp {
	struct ib_uverbs_resize_cq_resp ibv_resp;
	struct berth_create_cq_resp drv;
};

static_assert(sizeof(struct resize_cq_resp) == 24 && offsetof(struct resize_cq_resp, drv) == 8,
	      "no padding before driver data");

#define CQ_WC_FLAGS	((uint64_t)IBV_WC_STANDARD_FLAGS | IBV_WC_EX_WITH_COMPLETION_TIMESTAMP | \
			 IBV_WC_EX_WITH_COMPLETION_TIMESTAMP_WALLCLOCK)
#define CQ_COMP_MASK	((uint32_t)(IBV_CQ_INIT_ATTR_MASK_FLAGS | IBV_CQ_INIT_ATTR_MASK_PD))
#define CQ_ATTR_FLAGS	((uint32_t)(IBV_CREATE_CQ_ATTR_SINGLE_THREADED | \
				    IBV_CREATE_CQ_ATTR_IGNORE_OVERRUN))

static int cq_map(struct berth_cq *cq, int cmd_fd, const struct berth_create_cq_resp *resp)
{
	size_t need = sizeof(*cq->ring) + (size_t)resp->entries * sizeof(*cq->cqes);
	void *map;

	if (!resp->entries || resp->entries & (resp->entries - 1) || need > resp->mmap_size)
		return EPROTO;

	map = mmap(NULL, resp->mmap_size, PROT_READ | PROT_WRITE, MAP_SHARED, cmd_fd,
		   resp->mmap_offset);
	if (map == MAP_FAILED)
		return errno;
	cq->ring = map;
	cq->cqes = (struct berth_cqe *)(cq->ring + 1);
	cq->mask = resp->entries - 1;
	cq->map_size = resp->mmap_size;
	return 0;
}

/* @attr is ours: what the kernel need not know of was taken out of it. @pd: a parent domain or NULL. */
static struct berth_cq *cq_create(struct ibv_context *ibctx, struct ibv_cq_init_attr_ex *attr,
				  uint32_t flags, bool lock_needed, struct ibv_pd *pd)
{
	struct create_cq_cmd cmd = { .drv.flags = flags };
	struct create_cq_resp resp = {};
	struct berth_origin origin;
	struct berth_cq *cq;
	int ret;

	cq = berth_object_alloc(pd, sizeof(*cq), BERTH_RES_CQ, &origin);
	if (!cq)
		return NULL;

	cq->origin = origin;
	berth_lock_init(&cq->lock, lock_needed && berth_needs_lock(ibctx, pd));
	ret = ibv_cmd_create_cq_ex(ibctx, attr, &cq->vcq, &cmd.ibv_cmd, sizeof(cmd),
				   &resp.ibv_resp, sizeof(resp), 0);
	if (ret)
		goto free_cq;
	ret = cq_map(cq, ibctx->cmd_fd, &resp.drv);
	if (ret)
		goto destroy_kernel_cq;
	return cq;

destroy_kernel_cq:
	ibv_cmd_destroy_cq(&cq->vcq.cq);
free_cq:
	berth_object_free(cq, &origin);
	errno = ret;
	return NULL;
}

struct ibv_cq *berth_create_cq(struct ibv_context *ibctx, int cqe,
			       struct ibv_comp_channel *channel, int comp_vector)
{
	struct ibv_cq_init_attr_ex attr = {
		.cqe = cqe,
		.channel = channel,
		.comp_vector = comp_vector,
	};
	struct berth_cq *cq;

	if (cqe < 1) {
		errno = EINVAL;
		return NULL;
	}
	cq = cq_create(ibctx, &attr, 0, true, NULL);
	return cq ? &cq->vcq.cq : NULL;
}

struct ibv_cq_ex *berth_create_cq_ex(struct ibv_context *ibctx, struct ibv_cq_init_attr_ex *attr)
{
	struct ibv_cq_init_attr_ex kernel_attr = {
		.cqe = attr->cqe,
		.channel = attr->channel,
		.comp_vector = attr->comp_vector,
	};
	uint32_t cq_flags = attr->comp_mask & IBV_CQ_INIT_ATTR_MASK_FLAGS ? attr->flags : 0;
	struct ibv_pd *pd = NULL;
	struct berth_cq *cq;
	uint32_t flags = 0;

	if (attr->wc_flags & ~CQ_WC_FLAGS || attr->comp_mask & ~CQ_COMP_MASK ||
	    cq_flags & ~CQ_ATTR_FLAGS) {
		errno = EOPNOTSUPP;
		return NULL;
	}
	if (attr->comp_mask & IBV_CQ_INIT_ATTR_MASK_PD) {
		pd = attr->parent_domain;
		if (!pd || !to_bpd(pd)->contained) {
			errno = EINVAL;
			return NULL;
		}
	}
	if (attr->wc_flags & IBV_WC_EX_WITH_COMPLETION_TIMESTAMP)
		flags |= BERTH_CQ_TIMESTAMP;
	if (attr->wc_flags & IBV_WC_EX_WITH_COMPLETION_TIMESTAMP_WALLCLOCK)
		flags |= BERTH_CQ_WALLCLOCK;
	if (cq_flags & IBV_CREATE_CQ_ATTR_IGNORE_OVERRUN)
		flags |= BERTH_CQ_IGNORE_OVERRUN;

	cq = cq_create(ibctx, &kernel_attr, flags,
		       !(cq_flags & IBV_CREATE_CQ_ATTR_SINGLE_THREADED), pd);
	if (!cq)
		return NULL;
	berth_cq_set_ex_ops(&cq->vcq.cq_ex, attr->wc_flags);
	return &cq->vcq.cq_ex;
}

int berth_destroy_cq(struct ibv_cq *ibcq)
{
	struct berth_cq *cq = to_bcq(ibcq);
	struct berth_origin origin;
	int ret;

	ret = berth_destroyed(ibv_cmd_destroy_cq(ibcq));
	if (ret)
		return ret;
	munmap(cq->ring, cq->map_size);
	origin = cq->origin;
	berth_object_free(cq, &origin);
	return 0;
}

static inline void cqe_to_wc(const struct berth_cqe *cqe, struct ibv_wc *wc)
{
	wc->wr_id = cqe->wr_id;
	wc->status = cqe->status;
	wc->opcode = cqe_wc_opcode(cqe);
	wc->vendor_err = cqe->vendor_err;
	wc->byte_len = cqe->byte_len;
	wc->imm_data = cqe->ex;
	wc->qp_num = cqe->qpn;
	wc->src_qp = cqe->src_qp;
	wc->wc_flags = cqe_wc_flags(cqe);
	wc->pkey_index = cqe->pkey_index;
	wc->slid = 0;
	wc->sl = cqe_sl(cqe);
	wc->dlid_path_bits = 0;
}

int berth_poll_cq(struct ibv_cq *ibcq, int num_entries, struct ibv_wc *wc)
{
	struct berth_cq *cq = to_bcq(ibcq);
	const struct berth_cqe *cqe;
	int n = 0;

	berth_lock(&cq->lock);
	while (n < num_entries) {
		cqe = cq_next(cq);
		if (!cqe)
			break;
		cq_retire(cq, cqe);
		cqe_to_wc(cqe, &wc[n++]);
	}
	if (n)
		cq_publish(cq);
	berth_unlock(&cq->lock);
	return n;
}

/*
 * The kernel goes on in the new ring at the counter that is the last in the old one; nobody polls or
 * arms meanwhile. Should mapping fail the completions are lost: the process is out of address space.
 */
int berth_resize_cq(struct ibv_cq *ibcq, int cqe)
{
	struct berth_cq *cq = to_bcq(ibcq);
	struct resize_cq_resp resp = {};
	struct ibv_resize_cq cmd = {};
	struct berth_cq old;
	uint32_t i;
	int ret;

	if (cqe < 1)
		return EINVAL;
	berth_lock(&cq->lock);
	cq_publish(cq);
	ret = ibv_cmd_resize_cq(ibcq, cqe, &cmd, sizeof(cmd), &resp.ibv_resp, sizeof(resp));
	if (ret)
		goto unlock;
	old = *cq;
	ret = cq_map(cq, ibcq->context->cmd_fd, &resp.drv);
	if (ret)
		goto unlock;
	old.prod = ring_observe(&old.ring->prod);
	for (i = cq->cons; i != old.prod; i++)
		cq->cqes[i & cq->mask] = old.cqes[i & old.mask];
	cq->prod = old.prod;
	munmap(old.ring, old.map_size);
unlock:
	berth_unlock(&cq->lock);
	return ret;
}

/*
 * Raises arm; an armed word is never lowered, because any completion covers a solicited one. The
 * barrier orders that before the load of prod in the application's next poll and pairs with the
 * one that the kernel has between its store of prod and its look at arm: either the kernel sees
 * the request, or the poll sees the completion.
 */
int berth_req_notify_cq(struct ibv_cq *ibcq, int solicited_only)
{
	struct berth_cq *cq = to_bcq(ibcq);
	uint32_t none = BERTH_CQ_ARM_NONE;

	/* The lock is for the ring, which resizing changes. */
	berth_lock(&cq->lock);
	if (solicited_only)
		__atomic_compare_exchange_n(&cq->ring->arm, &none, BERTH_CQ_ARM_SOLICITED, false,
					    __ATOMIC_SEQ_CST, __ATOMIC_RELAXED);
	else
		__atomic_store_n(&cq->ring->arm, BERTH_CQ_ARM_ANY, __ATOMIC_RELEASE);
	ring_full_barrier();
	berth_unlock(&cq->lock);
	return 0;
}

/**
 * berth_cq_forget_qp - take the completions of a QP out of a CQ
 * @cq: one of the CQs of the QP
 * @qp: the QP; the kernel adds no more completions of it
 *
 * The others move up, so that the room is free at once and polling need not look for the dead.
 *
 * Context: takes the lock of @cq.
 */
void berth_cq_forget_qp(struct berth_cq *cq, const struct berth_qp *qp)
{
	uint32_t from, to;

	berth_lock(&cq->lock);
	if (cq->last_qp == qp)
		cq->last_qp = NULL;

	cq->prod = ring_observe(&cq->ring->prod);
	for (from = to = cq->prod; from != cq->cons; ) {
		from--;
		if (cq->cqes[from & cq->mask].qpn == qp->vqp.qp.qp_num) {
			if (qp->area)
				berth_area_recover(qp->area, &cq->cqes[from & cq->mask]);
			continue;
		}
		to--;
		if (to != from)
			cq->cqes[to & cq->mask] = cq->cqes[from & cq->mask];
	}
	if (cq->cons != to) {
		cq->cons = to;
		cq_publish(cq);
	}
	berth_unlock(&cq->lock);
}
