/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The requester: sends what is in the SQ, one step (a burst on the wire, or a piece of the local
 * path) under sq.lock at a time. It runs in the doorbell's context with a budget, in softirq when
 * acknowledgements open the window, and goes on in a worker when the budget is used up.
 */
#ifndef BERTH_RC_REQ_H
#define BERTH_RC_REQ_H

#include <linux/hrtimer.h>
#include <linux/jiffies.h>
#include <linux/timer.h>
#include <linux/workqueue.h>
#include "../op/source.h"
#include "../wire/bth.h"

/*
 * How much may be moved at a stretch, in bytes: by a process (or the worker in its stead) before it
 * looks whether others want the CPU, and by softirq before the worker takes over.
 */
#define BERTH_BUDGET_PROCESS	(1U << 20)
#define BERTH_BUDGET_SOFTIRQ	(256U << 10)

/* Stretches that one doorbell is good for before the worker takes over. */
#define BERTH_DOORBELL_STRETCHES	16

bool berth_req_run(struct berth_qp *qp, u32 budget);
void berth_req_softirq(struct berth_qp *qp);
void berth_req_kick(struct berth_qp *qp);
void berth_req_timer(struct timer_list *timer);
enum hrtimer_restart berth_req_resume(struct hrtimer *timer);
void berth_req_work(struct work_struct *work);
void berth_req_reset(struct berth_qp *qp, u32 psn);

/* For the parts of the requester; sq.lock held. */
void berth_req_rnr(struct berth_qp *qp, u8 timer_code);
void berth_req_go_back(struct berth_qp *qp);
void berth_req_heard(struct berth_qp *qp);

/* Something was acknowledged, or sent when nothing was outstanding: the clock starts anew. */
static inline void berth_req_progress(struct berth_qp *qp)
{
	struct berth_sq *sq = &qp->sq;

	sq->retry_left = sq->retry_count;
	sq->rnr_left = sq->rnr_retry;
	sq->read_lost = false;
	sq->deadline = jiffies + sq->patience;
}

/*
 * How many PSNs of a started WQE lie before @psn, which is not before its first. Unsigned: the
 * longest message at the smallest path MTU takes 2^23 PSNs, half of their space.
 */
static inline u32 berth_req_done(const struct berth_swqe *wqe, u32 psn)
{
	return (psn - wqe->first_psn) & BERTH_PSN_MASK;
}

/* Gives a WQE its PSNs. */
static inline void berth_req_start(struct berth_qp *qp, struct berth_swqe *wqe)
{
	if (wqe->psns)
		return;
	wqe->psns = likely(wqe->length <= qp->mtu) ? 1 : DIV_ROUND_UP(wqe->length, qp->mtu);
	wqe->first_psn = qp->sq.psn;
	qp->sq.psn = berth_psn_add(qp->sq.psn, wqe->psns);
}

/* The PSN of byte offset of a started WQE. */
static inline u32 berth_req_psn(const struct berth_qp *qp, const struct berth_swqe *wqe, u32 offset)
{
	return berth_psn_add(wqe->first_psn, offset / qp->mtu);
}

#endif
