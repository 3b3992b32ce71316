// SPDX-License-Identifier: GPL-2.0
/*
 * The requester's loop, waiting, retrying and failing.
 *
 * Every WQE is given its PSNs when it is started; una is the oldest PSN that is not acknowledged or
 * whose read data has not come. Going back means sending again from una. The timer of the ack timeout
 * is armed lazily: a deadline that moved is noticed when it fires. Waiting for a receiver that is not
 * ready has a timer of its own, because it lasts microseconds.
 *
 * Context: process with bottom halves enabled, softirq, timer, worker. IBTA volume 1, 9.7.
 */
#include <linux/ktime.h>
#include <linux/sched/signal.h>
#include "../landing/landing.h"
#include "../obj/cq.h"
#include "../obj/qp_state.h"
#include "../op/local_op.h"
#include "../stats.h"
#include "../trace.h"
#include "../wire/bth.h"
#include "flight.h"
#include "local.h"
#include "req.h"
#include "send.h"

/* To the state of a QP that has just come to RTS. sq.lock held. */
void berth_req_reset(struct berth_qp *qp, u32 psn)
{
	struct berth_sq *sq = &qp->sq;

	lockdep_assert_held(&sq->lock);
	sq->psn = psn;
	sq->una = psn;
	sq->sent = psn;
	berth_flight_reset(sq, qp->mtu);
	sq->reads = 0;
	sq->read_lost = false;
	sq->waiting = false;
	sq->piece_shift = 0;
}

static bool outstanding(const struct berth_sq *sq)
{
	return sq->una != sq->sent;
}

static void arm(struct berth_sq *sq, unsigned long when)
{
	if (!timer_pending(&sq->timer) || time_before(when, sq->timer.expires))
		mod_timer(&sq->timer, when);
}

/*
 * What was acknowledged before is acknowledged again: the peer is there, and busy with copies. More of them would
 * only keep it longer from what it has not answered yet, so the clock starts anew; retries stay used up. So it does where
 * the peer need not answer.
 */
void berth_req_heard(struct berth_qp *qp)
{
	lockdep_assert_held(&qp->sq.lock);
	qp->sq.deadline = jiffies + qp->sq.patience;
}

/* How much of the oldest WQE is acknowledged. */
static u32 acknowledged(const struct berth_qp *qp)
{
	const struct berth_sq *sq = &qp->sq;
	const struct berth_swqe *wqe = berth_sq_slot(sq, sq->tail);

	return sq->tail != sq->head && wqe->psns ? berth_req_done(wqe, sq->una) * qp->mtu : 0;
}

/* Is all that is outstanding to be sent again after the wait? The peer need not answer before. */
static bool waits_at_una(const struct berth_qp *qp)
{
	const struct berth_sq *sq = &qp->sq;

	return sq->waiting && sq->next == sq->tail && sq->offset == acknowledged(qp);
}

/*
 * The responder was not ready for the packet at una. It has answered, so neither the clock of the ack timeout nor its
 * retries go on. A copy of what began the wait counts for nothing.
 */
void berth_req_rnr(struct berth_qp *qp, u8 timer_code)
{
	struct berth_sq *sq = &qp->sq;
	u32 usec = berth_rnr_usec(timer_code);

	if (waits_at_una(qp) || !berth_req_rnr_left(qp))
		return;
	berth_req_go_back(qp);
	berth_req_wait(qp, usec);
	sq->retry_left = sq->retry_count;
	sq->deadline = jiffies + usecs_to_jiffies(usec) + sq->patience;
}

/* Send again from una on. */
void berth_req_go_back(struct berth_qp *qp)
{
	struct berth_sq *sq = &qp->sq;

	lockdep_assert_held(&sq->lock);
	sq->reads = 0;
	sq->next = sq->tail;
	sq->offset = acknowledged(qp);
}

/*
 * One step. Returns what it cost (more may be possible), or 0: nothing to do, or waiting for the
 * peer, the timer or the process.
 */
static u32 step(struct berth_qp *qp, struct berth_qp **peer, bool *report_drained)
{
	struct berth_sq *sq = &qp->sq;
	struct berth_swqe *wqe;
	int ret;

	if (READ_ONCE(qp->failed))
		return 0;
	if (qp->state == IB_QPS_ERR || qp->state == IB_QPS_SQE)
		berth_sq_flush(qp);
	if (!berth_qp_requests(qp) || sq->waiting)
		return 0;
	if (sq->next == sq->head && !berth_sq_fetch(qp)) {
		*report_drained = berth_req_drained(qp);
		return 0;
	}

	wqe = berth_sq_slot(sq, sq->next);
	if (qp->state == IB_QPS_SQD && !wqe->psns && !wqe->carried_out) {
		*report_drained = berth_req_drained(qp);
		return 0;
	}
	if (wqe->status != IB_WC_SUCCESS) {
		if (sq->tail == sq->next)
			berth_req_fail(qp, wqe->status);
		return 0;
	}
	if (berth_local_op_is(wqe))
		return berth_local_op_step(qp);

	ret = berth_local_step(qp, peer);
	if (ret == -ENOTCONN)
		ret = berth_send_step(qp);
	return max(ret, 0);
}

/**
 * berth_req_run - send until there is nothing to send, the window is full, or the budget is used up
 * @qp: queue pair, referenced
 * @budget: bytes
 *
 * Context: process or softirq; none of the QP's locks held. Return: true when the budget ended it.
 */
bool berth_req_run(struct berth_qp *qp, u32 budget)
{
	u32 cost, used = 0;

	do {
		struct berth_qp *peer = NULL;
		bool report_drained = false;

		spin_lock_bh(&qp->sq.lock);
		cost = step(qp, &peer, &report_drained);
		spin_unlock_bh(&qp->sq.lock);

		berth_qp_settle(qp);
		if (peer) {
			berth_qp_settle(peer);
			berth_qp_put(peer);
		}
		if (report_drained)
			berth_qp_event(qp, IB_EVENT_SQ_DRAINED);
		used += cost;
	} while (cost && used < budget);
	return cost;
}

/* After what a packet or the timer has changed; the worker of this CPU does what is too much. */
void berth_req_softirq(struct berth_qp *qp)
{
	if (berth_req_run(qp, BERTH_BUDGET_SOFTIRQ))
		queue_work(berth_qp_wq, &qp->sq.work);
}

static void run_stretches(struct berth_qp *qp)
{
	u32 i;

	for (i = 0; i < BERTH_DOORBELL_STRETCHES && !signal_pending(current); i++) {
		if (!berth_req_run(qp, BERTH_BUDGET_PROCESS))
			return;
		cond_resched();
	}
	queue_work(berth_qp_wq, &qp->sq.work);
}

/**
 * berth_req_kick - the process has posted something
 * @qp: queue pair, referenced
 *
 * Virtual netdevs (veth, lo) queue what they carry per CPU. While packets that another CPU sent are
 * on their way, that CPU goes on, or the new ones would overtake them.
 *
 * Context: process.
 */
void berth_req_kick(struct berth_qp *qp)
{
	struct berth_sq *sq = &qp->sq;

	if (READ_ONCE(sq->una) != READ_ONCE(sq->sent) &&
	    READ_ONCE(sq->cpu) != raw_smp_processor_id())
		queue_work_on(READ_ONCE(sq->cpu), berth_qp_wq, &sq->work);
	else
		run_stretches(qp);
}

void berth_req_work(struct work_struct *work)
{
	run_stretches(container_of(work, struct berth_qp, sq.work));
}

/* Nothing was heard for too long. */
static void timed_out(struct berth_qp *qp)
{
	struct berth_sq *sq = &qp->sq;

	berth_count(qp->dev, BERTH_CNT_TIMEOUTS);
	if (!sq->retry_left) {
		berth_count(qp->dev, BERTH_CNT_RETRY_EXCEEDED);
		berth_req_fail(qp, IB_WC_RETRY_EXC_ERR);
		return;
	}
	sq->retry_left--;
	sq->read_lost = false;
	sq->deadline = jiffies + sq->patience;
	berth_count(qp->dev, BERTH_CNT_RETRANSMITS);
	berth_flight_timed_out(sq);
	berth_req_go_back(qp);
	arm(sq, sq->deadline);
}

/* The wait is over, unless another one has begun since the timer fired. */
enum hrtimer_restart berth_req_resume(struct hrtimer *timer)
{
	struct berth_qp *qp = container_of(timer, struct berth_qp, sq.wait);
	struct berth_sq *sq = &qp->sq;

	spin_lock(&sq->lock);
	if (!ktime_before(ktime_get(), sq->resume))
		sq->waiting = false;
	spin_unlock(&sq->lock);
	berth_req_softirq(qp);
	return HRTIMER_NORESTART;
}

void berth_req_timer(struct timer_list *timer)
{
	struct berth_qp *qp = container_of(timer, struct berth_qp, sq.timer);
	struct berth_sq *sq = &qp->sq;

	spin_lock(&sq->lock);
	if (!berth_qp_requests(qp) || READ_ONCE(qp->failed)) {
		spin_unlock(&sq->lock);
		return;
	}
	if (outstanding(sq) && sq->timeout) {
		if (time_after_eq(jiffies, sq->deadline) && waits_at_una(qp))
			berth_req_heard(qp);
		if (time_after_eq(jiffies, sq->deadline))
			timed_out(qp);
		else
			arm(sq, sq->deadline);
	}
	spin_unlock(&sq->lock);
	berth_qp_settle(qp);
	berth_req_softirq(qp);
}
