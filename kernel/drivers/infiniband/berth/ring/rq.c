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
#include "srq.h"

u32 berth_rq_ring_stride(const struct ib_qp_cap *cap)
{
	return sizeof(struct berth_recv_wqe) + max(cap->max_recv_sge, 1U) * sizeof(struct berth_sge);
}

int berth_rq_init(struct berth_qp *qp, const struct ib_qp_cap *cap)
{
	struct berth_rq *rq = &qp->rq;

	spin_lock_init(&rq->lock);
	if (qp->srq) {
		rq->max_sge = qp->srq->max_sge;
	} else if (cap->max_recv_wr) {
		rq->entries = roundup_pow_of_two(cap->max_recv_wr);
		rq->max_sge = max(cap->max_recv_sge, 1U);
		rq->stride = berth_rq_ring_stride(cap);
	}
	/* The responder needs one segment even where nothing can be received: WRITE and READ. */
	rq->seg = kcalloc(max(rq->max_sge, 1U), sizeof(*rq->seg), GFP_KERNEL_ACCOUNT);
	if (!rq->seg)
		return -ENOMEM;
	rq->sge = kcalloc(max(rq->max_sge, 1U), sizeof(*rq->sge), GFP_KERNEL_ACCOUNT);
	if (!rq->sge) {
		kfree(rq->seg);
		rq->seg = NULL;
		return -ENOMEM;
	}
	return 0;
}

void berth_rq_fini(struct berth_qp *qp)
{
	kfree(qp->rq.sge);
	kfree(qp->rq.seg);
}

/* To the state of a new RQ; posted WQEs are forgotten, as RESET demands. */
void berth_rq_reset(struct berth_qp *qp)
{
	struct berth_rq *rq = &qp->rq;

	lockdep_assert_held(&rq->lock);
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

/**
 * berth_rq_take - take the next receive WQE for the message that is arriving
 * @qp: queue pair, rq.lock held, no WQE held
 *
 * Return: 0: held; -EAGAIN: none posted (receiver not ready); -EINVAL: held, but its list is not
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
 * A full CQ takes the QP to error.
 */
void berth_rq_complete(struct berth_qp *qp, struct berth_cqe *cqe)
{
	struct berth_rq *rq = &qp->rq;

	lockdep_assert_held(&rq->lock);
	cqe->wr_id = rq->wr_id;
	cqe->qpn = qp->qpn;
	if (!cqe->src_qp)
		cqe->src_qp = qp->dest_qpn;
	cqe->index = rq->index;
	cqe->flags |= BERTH_CQE_RECV;
	rq->held = false;
	trace_berth_completion(qp, cqe);
	if (!berth_cq_post(qp->recv_cq, cqe))
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
