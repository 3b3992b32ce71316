// SPDX-License-Identifier: GPL-2.0
/*
 * Shared receive queues: create, modify, query, destroy, see srq.h.
 *
 * Process context; the core owns the memory and refuses to destroy an SRQ that a QP uses. It does
 * not serialise modify: what that changes it changes at once under srq->lock.
 */
#include <linux/log2.h>
#include <rdma/uverbs_ioctl.h>
#include "../dev.h"
#include "../ring/rx_area.h"
#include "shared.h"
#include "srq.h"
#include "ucontext.h"
#include "udata.h"

static int check_init(const struct ib_srq_init_attr *init, struct ib_udata *udata)
{
	struct berth_create_srq_req req = {};
	int err;

	if (init->srq_type != IB_SRQT_BASIC)
		return -EOPNOTSUPP;
	if (!init->attr.max_wr || init->attr.max_wr > BERTH_MAX_WR ||
	    init->attr.max_sge > BERTH_MAX_SGE)
		return -EINVAL;
	if (!udata)
		return 0;
	err = berth_udata_copy_in(udata, &req, sizeof(req));
	if (err)
		return err;
	if (req.reserved)
		return -EINVAL;
	return req.flags ? -EOPNOTSUPP : 0;
}

static struct berth_shared *alloc_ring(struct ib_udata *udata, u32 entries, u32 stride)
{
	struct berth_ucontext *uctx = rdma_udata_to_drv_context(udata, struct berth_ucontext, ib);

	return berth_shared_alloc(uctx, sizeof(struct berth_srq_ring) + (size_t)entries * stride);
}

static int tell_ring(const struct berth_srq *srq, struct ib_udata *udata)
{
	struct berth_create_srq_resp resp = {
		.mmap_offset = berth_shared_mmap_offset(srq->shared),
		.mmap_size = srq->shared->size,
		.entries = srq->entries,
		.stride = srq->stride,
	};

	return berth_udata_copy_out(udata, &resp, sizeof(resp));
}

/**
 * berth_srq_create - ib_device_ops.create_srq
 * @ib: allocated and zeroed by the core
 * @init: type and sizes; those that are granted are stored. A limit is armed by modify alone.
 * @udata: of a process, with struct berth_create_srq_req and _resp; NULL for a kernel consumer
 *
 * Context: process; sleeps.
 * Return: 0; -EOPNOTSUPP: another type than basic, unknown flags; -EINVAL: sizes or driver data out
 * of range; -ENOMEM, also when the device has max_srq; -ENOSPC, -EFAULT.
 */
int berth_srq_create(struct ib_srq *ib, struct ib_srq_init_attr *init, struct ib_udata *udata)
{
	struct berth_srq *srq = berth_srq(ib);
	int err;

	err = check_init(init, udata);
	if (err)
		return err;
	err = berth_limit_take(berth_dev(ib->device), BERTH_LIMIT_SRQ);
	if (err)
		return err;
	spin_lock_init(&srq->lock);
	spin_lock_init(&srq->post_lock);
	srq->max_wr = init->attr.max_wr;
	srq->max_sge = max(init->attr.max_sge, 1U);
	srq->entries = roundup_pow_of_two(srq->max_wr);
	srq->stride = sizeof(struct berth_recv_wqe) + srq->max_sge * sizeof(struct berth_sge);
	srq->shared = alloc_ring(udata, srq->entries, srq->stride);
	if (IS_ERR(srq->shared)) {
		err = PTR_ERR(srq->shared);
		goto uncount;
	}
	srq->header = srq->shared->va;
	srq->ring = srq->header + 1;
	if (udata) {
		err = tell_ring(srq, udata);
		if (err)
			goto free_shared;
	}
	init->attr.max_sge = srq->max_sge;
	return 0;

free_shared:
	berth_shared_free(srq->shared);
uncount:
	berth_limit_give(berth_dev(ib->device), BERTH_LIMIT_SRQ);
	return err;
}

static int resize(struct berth_srq *srq, u32 max_wr, struct ib_udata *udata)
{
	struct berth_srq_ring *old;
	struct berth_shared *shared;
	u32 entries = roundup_pow_of_two(max_wr);
	int err;

	shared = alloc_ring(udata, entries, srq->stride);
	if (IS_ERR(shared))
		return PTR_ERR(shared);
	spin_lock_bh(&srq->lock);
	old = srq->header;
	err = berth_srq_move(srq, shared->va, entries, max_wr);
	if (!err) {
		old->next_offset = berth_shared_mmap_offset(shared);
		old->next_size = shared->size;
		old->next_entries = entries;
		swap(srq->shared, shared);
	}
	spin_unlock_bh(&srq->lock);
	/* The old one, whose pages the process keeps while it maps them; or the new one. */
	berth_shared_free(shared);
	return err;
}

/* IBTA volume 1, 10.2.9.3: when fewer than the limit are posted, that is told at once. */
static int arm(struct berth_srq *srq, u32 limit)
{
	bool reached;
	int n;

	spin_lock_bh(&srq->lock);
	if (limit > srq->max_wr) {
		spin_unlock_bh(&srq->lock);
		return -EINVAL;
	}
	n = berth_srq_posted(srq);
	reached = n >= 0 && n < limit;
	srq->limit = reached ? 0 : limit;
	spin_unlock_bh(&srq->lock);

	if (reached)
		berth_srq_event(srq, IB_EVENT_SRQ_LIMIT_REACHED);
	return 0;
}

/**
 * berth_srq_modify - ib_device_ops.modify_srq
 * @ib: shared receive queue
 * @attr: new values
 * @mask: IB_SRQ_MAX_WR (of a process only): another size, which what is posted must fit;
 *	IB_SRQ_LIMIT: arm, or with 0 disarm
 * @udata: brings nothing
 *
 * Context: process; sleeps.
 * Return: 0; -EINVAL: out of range, unknown driver data, an SRQ with an area; -EOPNOTSUPP: kernel consumers do not
 * resize; -ENOMEM.
 */
int berth_srq_modify(struct ib_srq *ib, struct ib_srq_attr *attr, enum ib_srq_attr_mask mask,
		     struct ib_udata *udata)
{
	struct berth_srq *srq = berth_srq(ib);
	int err;

	/* Nothing is posted where an area is. */
	if (mask & ~(IB_SRQ_MAX_WR | IB_SRQ_LIMIT) || berth_udata_none(udata) || srq->area)
		return -EINVAL;
	if (mask & IB_SRQ_MAX_WR) {
		if (!udata)
			return -EOPNOTSUPP;
		if (!attr->max_wr || attr->max_wr > BERTH_MAX_WR)
			return -EINVAL;
		if (mask & IB_SRQ_LIMIT && attr->srq_limit > attr->max_wr)
			return -EINVAL;
		err = resize(srq, attr->max_wr, udata);
		if (err)
			return err;
	}
	return mask & IB_SRQ_LIMIT ? arm(srq, attr->srq_limit) : 0;
}

/* ib_device_ops.query_srq: the limit is 0 when it was reached. Context: process. Return: 0. */
int berth_srq_query(struct ib_srq *ib, struct ib_srq_attr *attr)
{
	struct berth_srq *srq = berth_srq(ib);

	spin_lock_bh(&srq->lock);
	attr->max_wr = srq->max_wr;
	attr->max_sge = srq->max_sge;
	attr->srq_limit = srq->limit;
	spin_unlock_bh(&srq->lock);
	return 0;
}

/* ib_device_ops.destroy_srq: no QP uses it. Context: process; sleeps. Return: 0. */
int berth_srq_destroy(struct ib_srq *ib, struct ib_udata *udata)
{
	berth_rx_area_leave(berth_srq(ib)->area);
	berth_shared_free(berth_srq(ib)->shared);
	berth_limit_give(berth_dev(ib->device), BERTH_LIMIT_SRQ);
	return 0;
}

/**
 * berth_srq_event - raise an affiliated asynchronous event
 * @srq: shared receive queue
 * @event: what happened
 *
 * Context: any, srq->lock not held.
 */
void berth_srq_event(struct berth_srq *srq, enum ib_event_type event)
{
	struct ib_event ev = {
		.device = srq->ib.device,
		.element.srq = &srq->ib,
		.event = event,
	};

	if (srq->ib.event_handler)
		srq->ib.event_handler(&ev, srq->ib.srq_context);
}
