// SPDX-License-Identifier: GPL-2.0
/*
 * Unreliable connected service as a transport: RC's requester and responder, without what goes back.
 * What was given to IP is done. A message of which a packet is missing, for which no receive is
 * posted or which its memory does not take is dropped as a whole, and the next one may arrive; only
 * what is wrong with our own receive costs the QP.
 *
 * A receive that such a message had taken serves the next one; bytes may have landed in it, as bytes
 * of a WRITE may have in the memory that it named.
 *
 * Contexts and locks are those of struct berth_transport. IBTA volume 1, 9.8.2 and 9.9.3.
 */
#include "../obj/qp_state.h"
#include "../stats.h"
#include "../wire/bth.h"
#include "../wire/packet.h"
#include "rc.h"
#include "req.h"
#include "rsp.h"
#include "uc.h"

static bool takes(const struct berth_swqe *wqe)
{
	switch (wqe->opcode) {
	case BERTH_WR_SEND:
	case BERTH_WR_SEND_IMM:
	case BERTH_WR_WRITE:
	case BERTH_WR_WRITE_IMM:
	case BERTH_WR_LOCAL_INV:
	case BERTH_WR_BIND_MW:
	case BERTH_WR_REG_MR:
		return true;
	default:
		return false;
	}
}

/**
 * berth_uc_drop - a message cannot be taken
 * @qp: queue pair, rq.lock held
 * @result: why; not BERTH_RSP_OK
 *
 * The rest of it will be dropped, too.
 */
void berth_uc_drop(struct berth_qp *qp, enum berth_rsp_result result)
{
	lockdep_assert_held(&qp->rq.lock);
	berth_count(qp->dev, BERTH_CNT_RX_DROPPED);
	qp->rq.in_message = false;
	if (result == BERTH_RSP_OPERATION)
		berth_rsp_fail(qp, result);
	else
		qp->rq.status = IB_WC_SUCCESS;
}

static void request(struct berth_qp *qp, const struct berth_packet *pkt,
		    struct berth_cursor *payload, const struct berth_rx *rx)
{
	struct berth_rq *rq = &qp->rq;
	enum berth_rsp_result result;

	lockdep_assert_held(&rq->lock);
	if (!berth_qp_responds(qp) || READ_ONCE(qp->failed))
		return;
	if (pkt->psn != rq->epsn)
		berth_count(qp->dev, BERTH_CNT_RX_OUT_OF_ORDER);
	/* The end of what was under way is missing. */
	if (pkt->psn != rq->epsn || pkt->op->flags & BERTH_OP_START)
		rq->in_message = false;
	rq->epsn = berth_psn_add(pkt->psn, 1);
	result = berth_rsp_request(qp, pkt, payload);
	if (result != BERTH_RSP_OK)
		berth_uc_drop(qp, result);
}

const struct berth_transport berth_uc_transport = {
	.service = BERTH_SERVICE_UC,
	.sq_error = IB_QPS_SQE,
	.setup = berth_connected_setup,
	.quiesce = berth_connected_quiesce,
	.shutdown = berth_connected_shutdown,
	.takes = takes,
	.kick = berth_req_kick,
	.reset_requester = berth_req_reset,
	.reset_responder = berth_rsp_reset,
	.accepts = berth_connected_accepts,
	.request = request,
};
