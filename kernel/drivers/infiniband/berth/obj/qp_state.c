// SPDX-License-Identifier: GPL-2.0
/*
 * The one place that writes a QP's state, and the way into the error state.
 *
 * Context: process or softirq. berth_qp_set_state() wants both locks; berth_qp_settle() takes them.
 */
#include "../trace.h"
#include "../transport.h"
#include "qp_state.h"

static void lock_both(struct berth_qp *qp)
	__acquires(&qp->sq.lock) __acquires(&qp->rq.lock)
{
	spin_lock_bh(&qp->sq.lock);
	spin_lock(&qp->rq.lock);
}

static void unlock_both(struct berth_qp *qp)
	__releases(&qp->rq.lock) __releases(&qp->sq.lock)
{
	spin_unlock(&qp->rq.lock);
	spin_unlock_bh(&qp->sq.lock);
}

/**
 * berth_qp_event - raise an affiliated asynchronous event
 * @qp: queue pair, referenced or not yet destroyed
 * @event: what happened
 *
 * Context: no lock of the QP held.
 */
void berth_qp_event(struct berth_qp *qp, enum ib_event_type event)
{
	struct ib_event ev = {
		.device = qp->ib->device,
		.element.qp = qp->ib,
		.event = event,
	};

	if (qp->ib->event_handler)
		qp->ib->event_handler(&ev, qp->ib->qp_context);
}

/**
 * berth_qp_entered_error - tell what only QPs on an SRQ have to tell
 * @qp: queue pair, which has just come to the error state, referenced or not yet destroyed
 *
 * What it had taken was flushed with the change of the state, and it takes no more: the consumer may
 * destroy it without losing a WQE of the SRQ (IBTA volume 1, 10.3.1).
 *
 * Context: no lock of the QP held.
 */
void berth_qp_entered_error(struct berth_qp *qp)
{
	if (qp->srq)
		berth_qp_event(qp, IB_EVENT_QP_LAST_WQE_REACHED);
}

/**
 * berth_qp_ask_for_doorbell - have the process ring when it posts receives, or not
 * @qp: queue pair, rq.lock held
 * @on: whether
 *
 * In the error state nobody looks at the rings otherwise, and receives have to be flushed. What was
 * posted before the process sees this is seen by who looks at the ring afterwards.
 */
void berth_qp_ask_for_doorbell(struct berth_qp *qp, bool on)
{
	WRITE_ONCE(qp->ring->flags, on ? BERTH_RING_RQ_DOORBELL : 0);
	/* Pairs with the process's barrier between its store of rq_prod and its load of flags. */
	smp_mb();
}

/* The QP has come to a state in which a failure that was noted counts no more. */
static void forget_failure(struct berth_qp *qp)
{
	qp->failed = false;
	qp->fail_state = IB_QPS_RESET;
}

/**
 * berth_qp_set_state - write the state, with what comes with it
 * @qp: queue pair, sq.lock and rq.lock held
 * @state: the new state
 *
 * RESET forgets all work, ERR flushes it, SQE flushes the send queue.
 */
void berth_qp_set_state(struct berth_qp *qp, enum ib_qp_state state)
{
	lockdep_assert_held(&qp->sq.lock);
	lockdep_assert_held(&qp->rq.lock);

	trace_berth_qp_state(qp, state);
	WRITE_ONCE(qp->state, state);
	switch (state) {
	case IB_QPS_RESET:
		berth_sq_reset(qp);
		berth_rq_reset(qp);
		WRITE_ONCE(qp->ring->sq_prod, 0);
		WRITE_ONCE(qp->ring->rq_prod, 0);
		berth_qp_ask_for_doorbell(qp, false);
		forget_failure(qp);
		break;
	case IB_QPS_ERR:
		qp->rq.read_count = 0;
		qp->rq.ack_due = false;
		qp->rq.nak_syndrome = 0;
		qp->rq.fail = 0;
		qp->rq.in_message = false;
		qp->sq.waiting = false;
		berth_qp_ask_for_doorbell(qp, true);
		berth_sq_flush(qp);
		berth_rq_flush(qp);
		forget_failure(qp);
		break;
	case IB_QPS_SQE:
		qp->sq.waiting = false;
		berth_sq_flush(qp);
		/* What had begun has its PSNs, and the rest of it is not sent any more. */
		qp->sq.una = qp->sq.psn;
		qp->sq.sent = qp->sq.psn;
		forget_failure(qp);
		break;
	default:
		break;
	}
	if ((state == IB_QPS_RESET || state == IB_QPS_ERR) && qp->transport->stopped)
		qp->transport->stopped(qp);
}

/**
 * berth_qp_fail_locked - the QP cannot go on
 * @qp: queue pair, sq.lock or rq.lock held
 * @event: enum ib_event_type to raise, or BERTH_NO_EVENT where a completion tells
 *
 * Stops both sides at once. Whoever holds the lock calls berth_qp_settle() after dropping it.
 */
void berth_qp_fail_locked(struct berth_qp *qp, int event)
{
	if (!READ_ONCE(qp->failed))
		WRITE_ONCE(qp->fail_event, event);
	WRITE_ONCE(qp->fail_state, IB_QPS_ERR);
	/* Release: whoever sees failed sees the event; pairs with the acquire in settle. */
	smp_store_release(&qp->failed, true);
}

/**
 * berth_qp_fail_sq_locked - a send request has failed, and was completed
 * @qp: queue pair, sq.lock held
 *
 * Leads to where its transport says. What befalls the receive queue at the same time goes before.
 */
void berth_qp_fail_sq_locked(struct berth_qp *qp)
{
	lockdep_assert_held(&qp->sq.lock);
	if (!READ_ONCE(qp->failed))
		WRITE_ONCE(qp->fail_event, BERTH_NO_EVENT);
	cmpxchg(&qp->fail_state, IB_QPS_RESET, qp->transport->sq_error);
	/* As in berth_qp_fail_locked(). */
	smp_store_release(&qp->failed, true);
}

/**
 * berth_qp_settle - carry out a failure: error state, flush, event
 * @qp: queue pair, referenced, none of its locks held
 *
 * Cheap when there is none. Context: process or softirq.
 */
void berth_qp_settle(struct berth_qp *qp)
{
	int event = BERTH_NO_EVENT;
	bool entered = false;

	if (likely(!smp_load_acquire(&qp->failed)))
		return;

	lock_both(qp);
	if (qp->failed && qp->state != IB_QPS_RESET && qp->state != IB_QPS_ERR) {
		event = qp->fail_event;
		entered = qp->fail_state == IB_QPS_ERR;
		berth_qp_set_state(qp, qp->fail_state);
	}
	forget_failure(qp);
	unlock_both(qp);

	if (event != BERTH_NO_EVENT)
		berth_qp_event(qp, event);
	if (entered)
		berth_qp_entered_error(qp);
}
