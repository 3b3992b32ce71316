// SPDX-License-Identifier: GPL-2.0
/*
 * The requester's side of a work request, see source.h.
 */
#include <linux/jiffies.h>
#include <linux/ktime.h>
#include "../obj/qp_state.h"
#include "../stats.h"
#include "../wire/bth.h"
#include "source.h"

/* How long to wait for memory that its exporter is moving, or that is being paged in. */
#define MOVING_USEC	1000

/**
 * berth_req_set_timeout - the ack timeout as the consumer sets it
 * @sq: of the QP, sq.lock held
 * @code: 5-bit code of the QP attribute; the specification allows one to four times what it says
 */
void berth_req_set_timeout(struct berth_sq *sq, u8 code)
{
	sq->timeout = code;
	sq->patience = nsecs_to_jiffies(3 * berth_timeout_nsec(code)) + 2;
}

/**
 * berth_req_fail - the oldest WQE has failed: the QP goes where its service says
 * @qp: queue pair, sq.lock held
 * @status: what the WQE completes with
 */
void berth_req_fail(struct berth_qp *qp, enum ib_wc_status status)
{
	lockdep_assert_held(&qp->sq.lock);
	if (qp->sq.tail != qp->sq.head)
		berth_sq_complete(qp, status);
	berth_qp_fail_sq_locked(qp);
}

/**
 * berth_req_next - the WQE at next, where there is one that may be begun or gone on with
 * @qp: queue pair whose transport sends each once, sq.lock held
 *
 * One that is bad fails when those before it have completed. In the error state what was posted is flushed.
 *
 * Return: it, or NULL.
 */
struct berth_swqe *berth_req_next(struct berth_qp *qp)
{
	struct berth_sq *sq = &qp->sq;
	struct berth_swqe *wqe;

	if (READ_ONCE(qp->failed))
		return NULL;
	if (qp->state == IB_QPS_ERR)
		berth_sq_flush(qp);
	if (!berth_qp_requests(qp) || sq->waiting)
		return NULL;
	if (sq->next == sq->head && !berth_sq_fetch(qp))
		return NULL;
	wqe = berth_sq_slot(sq, sq->next);
	if (qp->state == IB_QPS_SQD && !wqe->psns && !wqe->carried_out)
		return NULL;
	if (wqe->status != IB_WC_SUCCESS) {
		if (sq->tail == sq->next)
			berth_req_fail(qp, wqe->status);
		return NULL;
	}
	return wqe;
}

/**
 * berth_req_rnr_left - the peer has no receive for a request: may it be tried again
 * @qp: queue pair, sq.lock held
 *
 * Return: false: it was tried as often as the QP says, and the oldest WQE has failed.
 */
bool berth_req_rnr_left(struct berth_qp *qp)
{
	struct berth_sq *sq = &qp->sq;

	lockdep_assert_held(&sq->lock);
	if (!sq->rnr_left) {
		berth_count(qp->dev, BERTH_CNT_RNR_EXCEEDED);
		berth_req_fail(qp, IB_WC_RNR_RETRY_EXC_ERR);
		return false;
	}
	if (sq->rnr_retry != 7)
		sq->rnr_left--;
	return true;
}

/**
 * berth_req_drained - has a QP in SQD come to where nothing is outstanding any more
 * @qp: queue pair, sq.lock held
 *
 * Return: true once, where the consumer asked to be told.
 */
bool berth_req_drained(struct berth_qp *qp)
{
	struct berth_sq *sq = &qp->sq;

	if (!sq->draining || berth_sq_busy(sq))
		return false;
	sq->draining = false;
	return true;
}

/**
 * berth_req_wait - send nothing until a time has passed
 * @qp: queue pair, sq.lock held
 * @usec: how long
 */
void berth_req_wait(struct berth_qp *qp, u32 usec)
{
	struct berth_sq *sq = &qp->sq;

	lockdep_assert_held(&sq->lock);
	sq->waiting = true;
	sq->resume = ktime_add_us(ktime_get(), usec);
	hrtimer_start(&sq->wait, ns_to_ktime((u64)usec * NSEC_PER_USEC),
		      HRTIMER_MODE_REL_SOFT);
}

/**
 * berth_req_wait_moving - memory is being moved by its exporter, or paged in: look again soon
 * @qp: queue pair, sq.lock held
 */
void berth_req_wait_moving(struct berth_qp *qp)
{
	berth_req_wait(qp, MOVING_USEC);
}

/* berth_req_source(): the memory cannot be used, or not now. */
int berth_req_source_error(struct berth_qp *qp, struct berth_swqe *wqe, int err)
{
	if (err == -EAGAIN)
		berth_req_wait_moving(qp);
	else
		wqe->status = IB_WC_LOC_PROT_ERR;
	return err;
}

/* berth_req_prepare() of memory that is paged on demand. */
int berth_req_fetch(struct berth_qp *qp, struct berth_swqe *wqe, struct berth_segs segs,
		    u32 offset, u32 length, bool write)
{
	int ret = berth_landing_fetch(segs, offset, length, write);

	return ret ? berth_req_source_error(qp, wqe, ret) : 0;
}
