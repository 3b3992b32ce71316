// SPDX-License-Identifier: GPL-2.0
/*
 * Receive areas: create, give to a QP or an SRQ, destroy, see ring/rx_area.h.
 *
 * Context: process. uverbs locks its objects: an area is not destroyed while it is given to a queue, and a queue gets one area
 * at a time. An area counts the queues that use it and is not destroyed before they are, which uverbs copes with when a
 * process ends or a device goes.
 */
#include <linux/bitmap.h>
#include <linux/log2.h>
#include <rdma/uverbs_std_types.h>
#include <rdma/uverbs_types.h>
#include "../ring/rx_area.h"
#include "mr.h"
#include "qp.h"
#include "rx_area.h"
#include "shared.h"
#include "srq.h"
#include "ucontext.h"

#define UVERBS_MODULE_NAME berth
#include <rdma/uverbs_named_ioctl.h>

static int check_request(const struct berth_create_area_req *req)
{
	if (req->reserved || req->chunk_size < PAGE_SIZE || !is_power_of_2(req->chunk_size) || !req->max_message ||
	    req->max_message > BERTH_MAX_MSG ||
	    DIV_ROUND_UP(req->max_message, req->chunk_size) > BERTH_MAX_PIECES)
		return -EINVAL;
	return req->flags ? -EOPNOTSUPP : 0;
}

/* What the MR holds: whole chunks, from a page of the dma-buf on. */
static int measure(struct berth_rx_area *area, const struct berth_mr *mr, const struct berth_create_area_req *req)
{
	const u32 lead = -mr->window_offset & ~PAGE_MASK;
	const u64 count = (mr->length - min_t(u64, lead, mr->length)) / req->chunk_size;

	area->shift = ilog2(req->chunk_size);
	area->max_pieces = DIV_ROUND_UP(req->max_message, req->chunk_size);
	area->count = count;
	area->entries = roundup_pow_of_two(max_t(u32, count, 1));
	area->pd = mr->ib.pd;
	area->lkey = mr->key;
	area->addr = mr->iova + lead;
	if (!mr->area || count < area->max_pieces || count > BERTH_MAX_CHUNKS)
		return -EINVAL;
	return mr->access & IB_ACCESS_LOCAL_WRITE ? 0 : -EACCES;
}

static int share(struct berth_rx_area *area, struct berth_ucontext *uctx, u32 first, struct berth_create_area_resp *resp)
{
	const u32 returned = sizeof(struct berth_area_ring);
	const u32 piece = ALIGN(returned + area->entries * sizeof(u32), 64);

	area->shared = berth_shared_alloc(uctx, piece + area->count * sizeof(struct berth_area_piece));
	if (IS_ERR(area->shared))
		return PTR_ERR(area->shared);
	area->ring = area->shared->va;
	area->returned = area->shared->va + returned;
	area->piece = area->shared->va + piece;
	*resp = (struct berth_create_area_resp){
		.mmap_offset = berth_shared_mmap_offset(area->shared),
		.mmap_size = area->shared->size,
		.chunks = area->count,
		.entries = area->entries,
		.returned_offset = returned,
		.piece_offset = piece,
		.first = first,
	};
	return 0;
}

/* Without users; accepts a half-built one. */
static void area_free(struct berth_rx_area *area)
{
	berth_lease_destroy(area->lease);
	berth_chunks_destroy(area->chunks);
	berth_shared_free(area->shared);
	bitmap_free(area->lent);
	kfree(area);
}

/* Our own; or those of the NIC whose queues the memory is bound to. */
static int get_chunks(struct berth_rx_area *area, struct berth_area *memory, u64 first)
{
	area->chunks = berth_chunks_create(memory, 1UL << area->shift, first, area->count);
	if (area->chunks == ERR_PTR(-EBUSY) && area->shift == PAGE_SHIFT) {
		area->chunks = NULL;
		area->spare = 2 * area->max_pieces;
		area->lease = berth_lease_create(memory, first, area->count, berth_rx_area_spare, area);
		return PTR_ERR_OR_ZERO(area->lease);
	}
	atomic_set(&area->credit, area->count);
	return PTR_ERR_OR_ZERO(area->chunks);
}

static struct berth_rx_area *area_create(const struct berth_mr *mr, struct berth_ucontext *uctx,
					 const struct berth_create_area_req *req, struct berth_create_area_resp *resp)
{
	struct berth_rx_area *area = kzalloc(sizeof(*area), GFP_KERNEL_ACCOUNT);
	int err;

	if (!area)
		return ERR_PTR(-ENOMEM);
	spin_lock_init(&area->lock);
	err = measure(area, mr, req);
	if (err)
		goto free_area;
	area->lent = bitmap_zalloc(area->count, GFP_KERNEL_ACCOUNT);
	if (!area->lent) {
		err = -ENOMEM;
		goto free_area;
	}
	/* What the source asks of us from then on needs the ring. */
	err = share(area, uctx, area->addr - mr->iova, resp);
	if (!err)
		err = get_chunks(area, mr->area, mr->window_offset + area->addr - mr->iova);
	if (!err)
		return area;

free_area:
	area_free(area);
	return ERR_PTR(err);
}

static int UVERBS_HANDLER(BERTH_METHOD_AREA_CREATE)(struct uverbs_attr_bundle *attrs)
{
	struct ib_uobject *uobj = uverbs_attr_get_uobject(attrs, BERTH_ATTR_AREA_CREATE_HANDLE);
	struct ib_mr *mr = uverbs_attr_get_obj(attrs, BERTH_ATTR_AREA_CREATE_MR);
	struct berth_create_area_resp resp;
	struct berth_create_area_req req;
	struct berth_rx_area *area;
	int err;

	if (IS_ERR(mr))
		return PTR_ERR(mr);
	err = uverbs_copy_from(&req, attrs, BERTH_ATTR_AREA_CREATE_REQ);
	if (!err)
		err = check_request(&req);
	if (err)
		return err;
	area = area_create(berth_mr(mr), berth_ucontext(attrs->context), &req, &resp);
	if (IS_ERR(area))
		return PTR_ERR(area);
	err = uverbs_copy_to(attrs, BERTH_ATTR_AREA_CREATE_RESP, &resp, sizeof(resp));
	if (err) {
		area_free(area);
		return err;
	}
	uobj->object = area;
	return 0;
}

static int area_destroy(struct ib_uobject *uobj, enum rdma_remove_reason why, struct uverbs_attr_bundle *attrs)
{
	struct berth_rx_area *area = uobj->object;

	if (atomic_read(&area->users))
		return -EBUSY;
	berth_rx_area_reclaim(area);
	area_free(area);
	return 0;
}

static int qp_set_area(struct berth_qp *qp, struct berth_rx_area *area)
{
	const enum ib_qp_type type = qp->ib->qp_type;

	if ((type != IB_QPT_RC && type != IB_QPT_UC) || qp->state != IB_QPS_RESET || qp->srq || qp->rq.entries ||
	    qp->rq.area || qp->pd != area->pd)
		return -EINVAL;
	return berth_rq_set_area(qp, area);
}

static int UVERBS_HANDLER(BERTH_METHOD_QP_SET_AREA)(struct uverbs_attr_bundle *attrs)
{
	struct ib_qp *ib = uverbs_attr_get_obj(attrs, BERTH_ATTR_SET_AREA_HANDLE);
	struct berth_rx_area *area = uverbs_attr_get_obj(attrs, BERTH_ATTR_SET_AREA_AREA);
	struct berth_qp *qp;
	int err;

	if (IS_ERR(ib))
		return PTR_ERR(ib);
	if (IS_ERR(area))
		return PTR_ERR(area);
	qp = berth_qp(ib);
	mutex_lock(&qp->state_mutex);
	err = qp_set_area(qp, area);
	mutex_unlock(&qp->state_mutex);
	return err;
}

static int UVERBS_HANDLER(BERTH_METHOD_SRQ_SET_AREA)(struct uverbs_attr_bundle *attrs)
{
	struct ib_srq *ib = uverbs_attr_get_obj(attrs, BERTH_ATTR_SET_AREA_HANDLE);
	struct berth_rx_area *area = uverbs_attr_get_obj(attrs, BERTH_ATTR_SET_AREA_AREA);
	struct berth_srq *srq;

	if (IS_ERR(ib))
		return PTR_ERR(ib);
	if (IS_ERR(area))
		return PTR_ERR(area);
	srq = berth_srq(ib);
	if (srq->area || ib->pd != area->pd || atomic_read(&ib->usecnt))
		return -EINVAL;
	berth_rx_area_join(area);
	srq->area = area;
	return 0;
}

DECLARE_UVERBS_NAMED_METHOD(BERTH_METHOD_AREA_CREATE,
			    UVERBS_ATTR_IDR(BERTH_ATTR_AREA_CREATE_HANDLE, BERTH_OBJECT_AREA,
					    UVERBS_ACCESS_NEW, UA_MANDATORY),
			    UVERBS_ATTR_IDR(BERTH_ATTR_AREA_CREATE_MR, UVERBS_OBJECT_MR,
					    UVERBS_ACCESS_READ, UA_MANDATORY),
			    UVERBS_ATTR_PTR_IN(BERTH_ATTR_AREA_CREATE_REQ,
					       UVERBS_ATTR_TYPE(struct berth_create_area_req), UA_MANDATORY),
			    UVERBS_ATTR_PTR_OUT(BERTH_ATTR_AREA_CREATE_RESP,
						UVERBS_ATTR_TYPE(struct berth_create_area_resp), UA_MANDATORY));

DECLARE_UVERBS_NAMED_METHOD_DESTROY(BERTH_METHOD_AREA_DESTROY,
				    UVERBS_ATTR_IDR(BERTH_ATTR_AREA_DESTROY_HANDLE, BERTH_OBJECT_AREA,
						    UVERBS_ACCESS_DESTROY, UA_MANDATORY));

DECLARE_UVERBS_NAMED_OBJECT(BERTH_OBJECT_AREA, UVERBS_TYPE_ALLOC_IDR(area_destroy),
			    &UVERBS_METHOD(BERTH_METHOD_AREA_CREATE), &UVERBS_METHOD(BERTH_METHOD_AREA_DESTROY));

/* Nobody else has the queue meanwhile. */
DECLARE_UVERBS_NAMED_METHOD(BERTH_METHOD_QP_SET_AREA,
			    UVERBS_ATTR_IDR(BERTH_ATTR_SET_AREA_HANDLE, UVERBS_OBJECT_QP,
					    UVERBS_ACCESS_WRITE, UA_MANDATORY),
			    UVERBS_ATTR_IDR(BERTH_ATTR_SET_AREA_AREA, BERTH_OBJECT_AREA,
					    UVERBS_ACCESS_READ, UA_MANDATORY));

DECLARE_UVERBS_NAMED_METHOD(BERTH_METHOD_SRQ_SET_AREA,
			    UVERBS_ATTR_IDR(BERTH_ATTR_SET_AREA_HANDLE, UVERBS_OBJECT_SRQ,
					    UVERBS_ACCESS_WRITE, UA_MANDATORY),
			    UVERBS_ATTR_IDR(BERTH_ATTR_SET_AREA_AREA, BERTH_OBJECT_AREA,
					    UVERBS_ACCESS_READ, UA_MANDATORY));

ADD_UVERBS_METHODS(berth_qp_area, UVERBS_OBJECT_QP, &UVERBS_METHOD(BERTH_METHOD_QP_SET_AREA));
ADD_UVERBS_METHODS(berth_srq_area, UVERBS_OBJECT_SRQ, &UVERBS_METHOD(BERTH_METHOD_SRQ_SET_AREA));

const struct uapi_definition berth_rx_area_uapi_defs[] = {
	UAPI_DEF_CHAIN_OBJ_TREE_NAMED(BERTH_OBJECT_AREA),
	UAPI_DEF_CHAIN_OBJ_TREE(UVERBS_OBJECT_QP, &berth_qp_area),
	UAPI_DEF_CHAIN_OBJ_TREE(UVERBS_OBJECT_SRQ, &berth_srq_area),
	{}
};
