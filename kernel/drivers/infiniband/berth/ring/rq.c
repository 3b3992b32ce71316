// SPDX-License-Identifier: GPL-2.0
/*
 * Taking receive WQEs from the shared ring, and completing them.
 *
 * Context: rq.lock held with bottom halves disabled, but for init, fini (process, not published).
 */
#include <linux/mm.h>
#include "../landing/landing.h"
#include "../obj/cq.h"
#include "../obj/qp.h"
#include "../obj/qp_state.h"
#include "../trace.h"
#include "../transport.h"
#include "rx_area.h"
#include "srq.h"

u32 berth_rq_ring_stride(const struct ib_qp_cap *cap)
{
	return sizeof(struct berth_recv_wqe) + max(cap->max_recv_sge, 1U) * sizeof(struct berth_sge);
}

/* In place of those that there are. */
static int lists_alloc(struct berth_rq *rq, u32 count)
{
	struct berth_seg *seg = kvcalloc(count, sizeof(*seg), GFP_KERNEL_ACCOUNT);
	struct berth_sge *sge = kvcalloc(count, sizeof(*sge), GFP_KERNEL_ACCOUNT);

	if (!seg || !sge) {
		kvfree(sge);
		kvfree(seg);
		return -ENOMEM;
	}
	spin_lock_bh(&rq->lock);
	swap(rq->sge, sge);
	swap(rq->seg, seg);
	spin_unlock_bh(&rq->lock);
	kvfree(sge);
	kvfree(seg);
	return 0;
}

int berth_rq_init(struct berth_qp *qp, const struct ib_qp_cap *cap)
{
	struct berth_rq *rq = &qp->rq;
	int err;

	spin_lock_init(&rq->lock);
	if (qp->srq) {
		rq->max_sge = qp->srq->max_sge;
	} else if (cap->max_recv_wr) {
		rq->entries = roundup_pow_of_two(cap->max_recv_wr);
		rq->max_sge = max(cap->max_recv_sge, 1U);
		rq->stride = berth_rq_ring_stride(cap);
	}
	/* The responder needs one segment even where nothing can be received: WRITE and READ. */
	err = lists_alloc(rq, max(rq->max_sge, 1U));
	if (!err && qp->srq && qp->srq->area)
		err = berth_rq_set_area(qp, qp->srq->area);
	return err;
}

/**
 * berth_rq_set_area - take what arrives from an area
 * @qp: queue pair that nothing arrives for yet, without an area
 * @area: which the queue pair uses from now on
 *
 * Context: process; sleeps. Return: 0, -ENOMEM.
 */
int berth_rq_set_area(struct berth_qp *qp, struct berth_rx_area *area)
{
	struct berth_rq *rq = &qp->rq;
	int err;

	rq->chunk = kvcalloc(area->max_pieces, sizeof(*rq->chunk), GFP_KERNEL_ACCOUNT);
	if (!rq->chunk)
		return -ENOMEM;
	err = lists_alloc(rq, area->max_pieces);
	if (err) {
		kvfree(rq->chunk);
		rq->chunk = NULL;
		return err;
	}
	berth_rx_area_join(area);
	rq->max_sge = area->max_pieces;
	rq->area = area;
	return 0;
}

void berth_rq_fini(struct berth_qp *qp)
{
	struct berth_rq *rq = &qp->rq;

	berth_rx_area_leave(rq->area);
	kvfree(rq->chunk);
	kvfree(rq->sge);
	kvfree(rq->seg);
}

/* To the state of a new RQ; posted WQEs are forgotten, as RESET demands. */
void berth_rq_reset(struct berth_qp *qp)
{
	struct berth_rq *rq = &qp->rq;

	lockdep_assert_held(&rq->lock);
	if (rq->held && rq->area)
		berth_rx_area_drop(rq);
	rq->head = 0;
	rq->held = false;
	rq->msn = 0;
	rq->seq_nak_sent = false;
	rq->ack_due = false;
	rq->in_message = false;
	rq->received = 0;
	rq->nak_syndrome = 0;
	rq->fail = 0;
	rq->status = IB_WC_SUCCESS;
	rq->read_first = 0;
	rq->read_count = 0;
}

/* Entries that the process has posted and we have not taken; -EINVAL when it says nonsense. */
static int posted(const struct berth_qp *qp)
{
	/* Acquire: pairs with the process's release store of rq_prod after the entries. */
	u32 n = smp_load_acquire(&qp->ring->rq_prod) - qp->rq.head;

	return n > qp->rq.entries ? -EINVAL : n;
}

/* The entry at head was copied. Release: pairs with berth_post_recv(), which overwrites it then. */
static void leave_entry(struct berth_rq *rq)
{
	smp_store_release(&rq->head, rq->head + 1);	/* see above */
}

/* As berth_srq_take(), from the QP's own ring. */
static int take_own(struct berth_qp *qp, struct berth_recv_wqe *wqe)
{
	struct berth_rq *rq = &qp->rq;
	const void *entry;
	int n;

	if (!rq->entries)
		return -EAGAIN;
	n = posted(qp);
	if (n <= 0)
		return n ? n : -EAGAIN;

	entry = berth_rq_entry(rq, rq->head);
	memcpy(wqe, entry, sizeof(*wqe));
	barrier();	/* from here on only the copy */
	if (wqe->num_sge <= rq->max_sge)
		memcpy(rq->sge, entry + sizeof(*wqe), wqe->num_sge * sizeof(struct berth_sge));
	rq->index = rq->head;
	leave_entry(rq);
	return 0;
}

static int take_area(struct berth_qp *qp)
{
	struct berth_rq *rq = &qp->rq;
	int err = berth_rx_area_begin(rq, !qp->transport->stream);

	if (err)
		return err;
	rq->held = true;
	rq->wr_id = BERTH_NO_TOKEN;
	rq->capacity = min_t(u64, (u64)rq->area->max_pieces << rq->area->shift, U32_MAX);
	return 0;
}

/**
 * berth_rq_take - take the next receive WQE for the message that is arriving
 * @qp: queue pair, rq.lock held, no WQE held
 *
 * From an area: what the largest message needs, so that its list grows as bytes arrive (berth_rx_area_extend()).
 *
 * Return: 0: held; -EAGAIN: none posted, or no chunks (receiver not ready); -EINVAL: held, but its list is not
 * one this queue can have, or the process broke its ring (then none is held).
 */
int berth_rq_take(struct berth_qp *qp)
{
	struct berth_rq *rq = &qp->rq;
	struct berth_recv_wqe wqe;
	u64 total = 0;
	int err;
	u32 i;

	lockdep_assert_held(&rq->lock);
	if (rq->area)
		return take_area(qp);
	if (qp->srq)
		err = berth_srq_take(qp->srq, &wqe, rq->sge, &rq->index);
	else
		err = take_own(qp, &wqe);
	if (err)
		return err;

	rq->held = true;
	rq->wr_id = wqe.wr_id;
	rq->num_sge = 0;
	rq->capacity = 0;
	if (wqe.num_sge > rq->max_sge || wqe.reserved)
		return -EINVAL;
	for (i = 0; i < wqe.num_sge; i++)
		total += rq->sge[i].length;
	rq->num_sge = wqe.num_sge;
	rq->capacity = min_t(u64, total, U32_MAX);
	return 0;
}

/**
 * berth_rq_complete - the held receive WQE is done
 * @qp: queue pair, rq.lock held, a WQE held
 * @cqe: status, opcode, flags, byte_len, ex set by the caller; src_qp by one without a peer
 *
 * A full CQ takes the QP to error, unless its process does not mind.
 */
void berth_rq_complete(struct berth_qp *qp, struct berth_cqe *cqe)
{
	struct berth_rq *rq = &qp->rq;

	lockdep_assert_held(&rq->lock);
	if (rq->area && cqe->status == IB_WC_SUCCESS)
		rq->wr_id = berth_rx_area_lend(rq, cqe->opcode == BERTH_WR_WRITE_IMM ? 0 : cqe->byte_len);
	else if (rq->area)
		berth_rx_area_drop(rq);
	cqe->wr_id = rq->wr_id;
	cqe->qpn = qp->qpn;
	if (!cqe->src_qp)
		cqe->src_qp = qp->dest_qpn;
	cqe->index = rq->index;
	cqe->flags |= BERTH_CQE_RECV;
	rq->held = false;
	trace_berth_completion(qp, cqe);
	if (likely(berth_cq_post(qp->recv_cq, cqe)))
		return;
	/* Nobody is told of it. */
	if (rq->area && cqe->status == IB_WC_SUCCESS)
		berth_rx_area_recall(rq);
	if (!berth_cq_may_lose(qp->recv_cq))
		berth_qp_fail_locked(qp, IB_EVENT_QP_FATAL);
}

static void flush_one(struct berth_qp *qp, u64 wr_id, u32 counter)
{
	struct berth_cqe cqe = {
		.wr_id = wr_id,
		.status = IB_WC_WR_FLUSH_ERR,
		.opcode = BERTH_WR_SEND,
		.flags = BERTH_CQE_RECV,
		.qpn = qp->qpn,
		.index = counter,
	};

	trace_berth_completion(qp, &cqe);
	berth_cq_post(qp->recv_cq, &cqe);
}

/**
 * berth_rq_flush - complete everything that was posted with a flush error, in order
 * @qp: queue pair in the error state, rq.lock held
 *
 * What is in an SRQ stays there for others; only what this QP has taken is its own.
 */
void berth_rq_flush(struct berth_qp *qp)
{
	struct berth_rq *rq = &qp->rq;
	int n;

	lockdep_assert_held(&rq->lock);
	if (rq->held) {
		rq->held = false;
		/* Nobody has posted it, so nobody is told. */
		if (rq->area)
			berth_rx_area_drop(rq);
		else
			flush_one(qp, rq->wr_id, rq->index);
	}
	if (!rq->entries)
		return;
	for (n = posted(qp); n > 0; n--) {
		const struct berth_recv_wqe *wqe = berth_rq_entry(rq, rq->head);

		u64 wr_id = READ_ONCE(wqe->wr_id);
		u32 counter = rq->head;

		leave_entry(rq);
		flush_one(qp, wr_id, counter);
	}
}
