// SPDX-License-Identifier: GPL-2.0
/*
 * Carrying out local operations, see local_op.h. To add one: let ring/sq.c take its WQE and write
 * its function here: 0, -EAGAIN (no memory, tried again soon) or an error, which completes as a
 * memory management operation error (IBV_WC_MW_BIND_ERR).
 */
#include "../obj/mr_fast.h"
#include "../obj/mw.h"
#include "local_op.h"
#include "source.h"

/*
 * The responder of the same QP is kept out while keys change, so that no access of this
 * connection's peer by an old one is under way when the operation completes.
 */
static int carry_out(struct berth_qp *qp, const struct berth_swqe *wqe)
{
	int err;

	spin_lock(&qp->rq.lock);
	switch (wqe->opcode) {
	case BERTH_WR_LOCAL_INV:
		err = berth_key_invalidate(qp, wqe->ex, false);
		break;
	case BERTH_WR_BIND_MW:
		err = berth_mw_bind(qp, wqe);
		break;
	case BERTH_WR_REG_MR:
		err = berth_mr_fast_register(qp->dev, qp->pd, wqe->rkey, wqe->ex);
		break;
	default:
		err = -EINVAL;
		break;
	}
	spin_unlock(&qp->rq.lock);
	return err;
}

/**
 * berth_local_op_settle - complete local operations that are the oldest work requests
 * @qp: queue pair
 *
 * Called after each completion, so that the oldest work request never is one that was carried out.
 */
void berth_local_op_settle(struct berth_qp *qp)
{
	struct berth_sq *sq = &qp->sq;

	lockdep_assert_held(&sq->lock);
	while (sq->tail != sq->head && berth_sq_slot(sq, sq->tail)->carried_out)
		berth_sq_complete(qp, IB_WC_SUCCESS);
}

/**
 * berth_local_op_step - carry out the local operation at sq.next, or pass it when that was done
 * @qp: queue pair, a local operation without error at sq.next
 *
 * A failure is noted in its status, so that it completes with it when its turn comes.
 *
 * Return: the cost, 0: it has to wait.
 */
u32 berth_local_op_step(struct berth_qp *qp)
{
	struct berth_sq *sq = &qp->sq;
	struct berth_swqe *wqe = berth_sq_slot(sq, sq->next);
	int err;

	lockdep_assert_held(&sq->lock);
	if (!wqe->carried_out) {
		if (wqe->flags & BERTH_WR_FENCE && sq->tail != sq->next)
			return 0;
		err = carry_out(qp, wqe);
		if (err == -EAGAIN) {
			berth_req_wait_moving(qp);
			return 0;
		}
		if (err) {
			wqe->status = IB_WC_MW_BIND_ERR;
			return BERTH_WQE_COST;
		}
		wqe->carried_out = true;
	}
	sq->next++;
	sq->offset = 0;
	berth_local_op_settle(qp);
	return BERTH_WQE_COST;
}
