/* SPDX-License-Identifier: GPL-2.0 */
/*
 * How a QP gets into the error state on its own, and what the state is.
 *
 * The data path finds errors while it holds one of the two locks, and the state needs both: it marks
 * the failure (berth_qp_fail_locked), and calls berth_qp_settle after it dropped its lock.
 */
#ifndef BERTH_OBJ_QP_STATE_H
#define BERTH_OBJ_QP_STATE_H

#include "qp.h"

#define BERTH_NO_EVENT	(-1)

void berth_qp_fail_locked(struct berth_qp *qp, int event);
void berth_qp_fail_sq_locked(struct berth_qp *qp);
void berth_qp_settle(struct berth_qp *qp);
void berth_qp_set_state(struct berth_qp *qp, enum ib_qp_state state);
void berth_qp_ask_for_doorbell(struct berth_qp *qp, bool on);
void berth_qp_entered_error(struct berth_qp *qp);
void berth_qp_event(struct berth_qp *qp, enum ib_event_type event);

/* Requests of the peer are answered. Either lock held. */
static inline bool berth_qp_responds(const struct berth_qp *qp)
{
	return qp->state == IB_QPS_RTR || qp->state == IB_QPS_RTS || qp->state == IB_QPS_SQD ||
	       qp->state == IB_QPS_SQE;
}

/* Own requests are sent. sq.lock held. */
static inline bool berth_qp_requests(const struct berth_qp *qp)
{
	return qp->state == IB_QPS_RTS || qp->state == IB_QPS_SQD;
}

#endif
