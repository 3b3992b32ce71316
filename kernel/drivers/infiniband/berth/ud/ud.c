// SPDX-License-Identifier: GPL-2.0
/*
 * Unreliable datagram service as a transport. Nothing is acknowledged and nothing is repeated: a
 * request is done when its packet was given to IP, and a packet that nobody can take is dropped.
 *
 * Contexts and locks are those of struct berth_transport. IBTA volume 1, 9.8.
 */
#include "ud.h"

static int setup(struct berth_qp *qp)
{
	hrtimer_init(&qp->sq.wait, CLOCK_MONOTONIC, HRTIMER_MODE_REL_SOFT);
	qp->sq.wait.function = berth_ud_resume;
	INIT_WORK(&qp->sq.work, berth_ud_work);
	return 0;
}

static void quiesce(struct berth_qp *qp)
{
	hrtimer_cancel(&qp->sq.wait);
}

/* The timer starts the work, and in RESET the work does not start the timer. */
static void shutdown(struct berth_qp *qp)
{
	hrtimer_cancel(&qp->sq.wait);
	cancel_work_sync(&qp->sq.work);
}

static void reset_requester(struct berth_qp *qp, u32 psn)
{
	qp->sq.psn = psn;
	qp->sq.waiting = false;
}

/* Datagrams come in any order. */
static void reset_responder(struct berth_qp *qp, u32 psn)
{
}

const struct berth_transport berth_ud_transport = {
	.service = BERTH_SERVICE_UD,
	.sq_error = IB_QPS_SQE,
	.setup = setup,
	.quiesce = quiesce,
	.shutdown = shutdown,
	.takes = berth_ud_takes,
	.kick = berth_ud_kick,
	.reset_requester = reset_requester,
	.reset_responder = reset_responder,
	.accepts = berth_ud_accepts,
	.request = berth_ud_request,
};
