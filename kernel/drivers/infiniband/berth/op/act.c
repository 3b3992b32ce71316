// SPDX-License-Identifier: GPL-2.0
/*
 * What a request does at the responder: taking a receive, resolving the memory it names, finishing
 * and failing a message. Shared by the transports, and by the wire and the local path of each, so that all behave alike.
 *
 * Context: rq.lock held, bottom halves disabled. IBTA volume 1, 9.7.4 and 9.9.3.
 */
#include "../obj/cq.h"
#include "../obj/mw.h"
#include "../obj/qp_state.h"
#include "../ring/rx_area.h"
#include "act.h"

/* What may be brought in of a receive before it is known to be needed. */
#define AHEAD_BYTES	(256U << 10)

/* Errors of the posted receive: the peer is told that we failed. */
static enum berth_rsp_result receive_error(struct berth_qp *qp, int err)
{
	if (err == -EAGAIN)
		return BERTH_RSP_MOVING;
	qp->rq.status = IB_WC_LOC_PROT_ERR;
	return BERTH_RSP_OPERATION;
}

/**
 * berth_rsp_take - make sure that a receive WQE is held
 * @qp: queue pair
 *
 * Return: BERTH_RSP_OK, BERTH_RSP_RNR, BERTH_RSP_OPERATION.
 */
enum berth_rsp_result berth_rsp_take(struct berth_qp *qp)
{
	int ret;

	/* One that was malformed stays so, where the QP fails a little later only. */
	if (qp->rq.held)
		return qp->rq.status == IB_WC_LOC_QP_OP_ERR ? BERTH_RSP_OPERATION : BERTH_RSP_OK;
	ret = berth_rq_take(qp);
	if (!ret)
		return BERTH_RSP_OK;
	if (ret == -EAGAIN)
		return BERTH_RSP_RNR;
	qp->rq.status = IB_WC_LOC_QP_OP_ERR;
	return BERTH_RSP_OPERATION;
}

/**
 * berth_rsp_receive - resolve the held receive WQE
 * @qp: queue pair
 * @need: bytes from the start of the list that must fit
 * @segs: receives the segments, in the responder's scratch
 *
 * Return: BERTH_RSP_OK; BERTH_RSP_INVALID: too small; BERTH_RSP_MOVING; BERTH_RSP_OPERATION.
 */
enum berth_rsp_result berth_rsp_receive(struct berth_qp *qp, u32 need, struct berth_segs *segs)
{
	struct berth_rq *rq = &qp->rq;
	int ret;

	if (need > rq->capacity) {
		rq->status = IB_WC_LOC_LEN_ERR;
		return BERTH_RSP_INVALID;
	}
	if (rq->area && berth_rx_area_extend(rq, need))
		return BERTH_RSP_MOVING;
	ret = berth_landing_resolve(&qp->peer_keys, rq->pd, rq->sge, rq->num_sge, need,
				    IB_ACCESS_LOCAL_WRITE, rq->seg);
	if (ret < 0)
		return receive_error(qp, ret);
	*segs = (struct berth_segs){ rq->seg, ret };
	return BERTH_RSP_OK;
}

/* berth_rsp_landed() of an error. */
enum berth_rsp_result berth_rsp_landing_error(int err)
{
	if (err == -EAGAIN)
		return BERTH_RSP_MOVING;
	return err == -EKEYREVOKED ? BERTH_RSP_ACCESS : BERTH_RSP_OPERATION;
}

/* The same where the bytes went to the posted receive, whose memory may end at any time. */
enum berth_rsp_result berth_rsp_received(struct berth_qp *qp, int err)
{
	return err == -EKEYREVOKED ? receive_error(qp, err) : berth_rsp_landed(err);
}

/**
 * berth_rsp_ahead - the memory of the receive that a message is arriving in is absent
 * @qp: queue pair, a receive is held
 *
 * A packet does not tell how long its message is: what follows in the list is brought in, too, or a
 * long message would have to wait for every page.
 */
void berth_rsp_ahead(struct berth_qp *qp)
{
	struct berth_rq *rq = &qp->rq;
	u32 need = min(rq->capacity, rq->received + AHEAD_BYTES);
	int n;

	n = berth_landing_resolve(&qp->peer_keys, rq->pd, rq->sge, rq->num_sge, need, IB_ACCESS_LOCAL_WRITE,
				  rq->seg);
	if (n > 0)
		berth_landing_ahead((struct berth_segs){ rq->seg, n }, rq->received);
}

/* berth_rsp_finish() of a message that consumes a receive. */
enum berth_rsp_result berth_rsp_finish_receive(struct berth_qp *qp, const struct berth_rsp_tail *tail,
					       u32 length)
{
	struct berth_cqe cqe = {
		.status = IB_WC_SUCCESS,
		.opcode = tail->opcode,
		.byte_len = length,
		.ex = tail->ex,
	};

	switch (tail->opcode) {
	case BERTH_WR_SEND_INV:
		if (berth_key_invalidate(qp, tail->ex, true))
			return BERTH_RSP_ACCESS;
		cqe.flags = BERTH_CQE_INV;
		break;
	case BERTH_WR_SEND_IMM:
	case BERTH_WR_WRITE_IMM:
		cqe.flags = BERTH_CQE_IMM;
		break;
	}
	if (tail->solicited)
		cqe.flags |= BERTH_CQE_SOLICITED;
	berth_rq_complete(qp, &cqe);
	qp->rq.in_message = false;
	qp->rq.msn++;
	return BERTH_RSP_OK;
}

/**
 * berth_rsp_fail - a request ended with an error that takes the QP down
 * @qp: queue pair
 * @result: BERTH_RSP_INVALID, _ACCESS or _OPERATION
 *
 * Completes the held receive when it was at fault (rq.status); otherwise it is flushed with the
 * rest, and an event says that the peer's request was wrong.
 */
void berth_rsp_fail(struct berth_qp *qp, enum berth_rsp_result result)
{
	struct berth_rq *rq = &qp->rq;
	int event = result == BERTH_RSP_ACCESS ? IB_EVENT_QP_ACCESS_ERR : IB_EVENT_QP_REQ_ERR;

	if (rq->status != IB_WC_SUCCESS && rq->held) {
		struct berth_cqe cqe = { .status = rq->status, .opcode = BERTH_WR_SEND };

		berth_rq_complete(qp, &cqe);
		event = BERTH_NO_EVENT;
	} else if (result == BERTH_RSP_OPERATION) {
		event = IB_EVENT_QP_FATAL;
	}
	rq->status = IB_WC_SUCCESS;
	berth_qp_fail_locked(qp, event);
}
