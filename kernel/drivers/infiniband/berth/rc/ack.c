// SPDX-License-Identifier: GPL-2.0
/*
 * What the peer answers. Acknowledgements are cumulative; a read response acknowledges what was sent
 * before its request; an acknowledgement of something behind a READ whose data has not come tells
 * that responses were lost.
 *
 * Context: softirq, sq.lock held. The caller runs the requester afterwards. IBTA volume 1, 9.7.5
 * and 9.9.2.
 */
#include "../landing/landing.h"
#include "../obj/qp_state.h"
#include "../op/local_op.h"
#include "../stats.h"
#include "../wire/bth.h"
#include "../wire/packet.h"
#include "ack.h"
#include "flight.h"
#include "req.h"

/* Whether a PSN is one that we sent and that is not acknowledged yet. */
static bool in_flight(const struct berth_sq *sq, u32 psn)
{
	return berth_psn_cmp(psn, sq->una) >= 0 && berth_psn_cmp(psn, sq->sent) < 0;
}

static void retransmit(struct berth_qp *qp)
{
	berth_count(qp->dev, BERTH_CNT_RETRANSMITS);
	berth_req_go_back(qp);
}

/* The place to send from must not lie before what was acknowledged. */
static void skip_acknowledged(struct berth_qp *qp)
{
	struct berth_sq *sq = &qp->sq;
	struct berth_swqe *wqe;
	u32 done;

	if (sq->next != sq->tail || sq->tail == sq->head)
		return;
	wqe = berth_sq_slot(sq, sq->tail);
	if (!wqe->psns)
		return;
	done = berth_req_done(wqe, sq->una) * qp->mtu;
	sq->offset = max(sq->offset, done);
}

/*
 * Everything before @psn has reached the peer. Stops at a READ or atomic: its answer must come.
 * Returns false when such an answer before @psn is missing.
 */
static bool acknowledge(struct berth_qp *qp, u32 psn)
{
	struct berth_sq *sq = &qp->sq;
	bool moved = false, whole = true;
	u32 una = sq->una;

	while (sq->tail != sq->head && !READ_ONCE(qp->failed)) {
		struct berth_swqe *wqe = berth_sq_slot(sq, sq->tail);
		u32 done;

		if (!wqe->psns)
			break;
		/* Not before the first: psn is not before una, which lies in the oldest WQE. */
		done = berth_req_done(wqe, psn);
		if (!done)
			break;
		if (berth_swqe_fetches(wqe)) {
			whole = berth_psn_cmp(psn, sq->una) <= 0;
			break;
		}
		if (done < wqe->psns) {
			if (sq->una != psn)
				moved = true;
			sq->una = psn;
			break;
		}
		sq->una = berth_psn_add(wqe->first_psn, wqe->psns);
		moved = true;
		berth_sq_complete(qp, IB_WC_SUCCESS);
		berth_local_op_settle(qp);
	}
	if (moved) {
		berth_flight_grow(sq, qp->mtu, berth_psn_cmp(sq->una, una));
		berth_req_progress(qp);
		skip_acknowledged(qp);
	}
	return whole;
}

/**
 * berth_ack_sent - what was sent is done, as nobody will answer
 * @qp: queue pair of an unreliable service, sq.lock held
 */
void berth_ack_sent(struct berth_qp *qp)
{
	lockdep_assert_held(&qp->sq.lock);
	acknowledge(qp, qp->sq.sent);
}

/* Responses are missing: ask again, once until something comes. */
static void read_lost(struct berth_qp *qp)
{
	if (qp->sq.read_lost)
		return;
	berth_flight_lost(&qp->sq);
	retransmit(qp);
	qp->sq.read_lost = true;
}

static void nak(struct berth_qp *qp, u8 code)
{
	struct berth_sq *sq = &qp->sq;

	switch (code) {
	case BERTH_NAK_PSN_SEQUENCE:
		berth_count(qp->dev, BERTH_CNT_RX_SEQ_NAK);
		if (!sq->retry_left) {
			berth_count(qp->dev, BERTH_CNT_RETRY_EXCEEDED);
			berth_req_fail(qp, IB_WC_RETRY_EXC_ERR);
			return;
		}
		sq->retry_left--;
		berth_flight_lost(sq);
		retransmit(qp);
		return;
	case BERTH_NAK_INVALID_REQUEST:
		berth_req_fail(qp, IB_WC_REM_INV_REQ_ERR);
		break;
	case BERTH_NAK_REMOTE_ACCESS:
		berth_req_fail(qp, IB_WC_REM_ACCESS_ERR);
		break;
	case BERTH_NAK_REMOTE_OPERATION:
		berth_req_fail(qp, IB_WC_REM_OP_ERR);
		break;
	default:
		berth_req_fail(qp, IB_WC_BAD_RESP_ERR);
		break;
	}
	berth_count(qp->dev, BERTH_CNT_RX_ERROR_NAK);
}

static void ack(struct berth_qp *qp, const struct berth_packet *pkt)
{
	u8 value = berth_syndrome_value(pkt->syndrome);

	berth_count(qp->dev, BERTH_CNT_RX_ACK);
	switch (berth_syndrome_kind(pkt->syndrome)) {
	case BERTH_SYNDROME_ACK:
		if (!acknowledge(qp, berth_psn_add(pkt->psn, 1)))
			read_lost(qp);
		break;
	case BERTH_SYNDROME_RNR:
		if (!acknowledge(qp, pkt->psn)) {
			read_lost(qp);
			break;
		}
		berth_count(qp->dev, BERTH_CNT_RX_RNR_NAK);
		berth_req_rnr(qp, value);
		break;
	case BERTH_SYNDROME_NAK:
		/* The peer answers in order: what it complains of is behind all data it sent. */
		if (!acknowledge(qp, pkt->psn)) {
			read_lost(qp);
			break;
		}
		nak(qp, value);
		break;
	default:
		break;
	}
}

/* A read request has been answered whole: the next may go. */
static void pop_reads(struct berth_sq *sq)
{
	u32 n = 0;

	while (n < sq->reads && berth_psn_cmp(sq->una, sq->read_end[n]) >= 0)
		n++;
	if (!n)
		return;
	sq->reads -= n;
	memmove(sq->read_end, sq->read_end + n, sq->reads * sizeof(sq->read_end[0]));
}

/* The READ or atomic at the tail was answered; what came has landed. */
static void fetched(struct berth_qp *qp, const struct berth_swqe *wqe)
{
	struct berth_sq *sq = &qp->sq;

	sq->una = berth_psn_add(sq->una, 1);
	berth_flight_grow(sq, qp->mtu, 1);
	pop_reads(sq);
	berth_req_progress(qp);
	if (sq->una == berth_psn_add(wqe->first_psn, wqe->psns)) {
		berth_sq_complete(qp, IB_WC_SUCCESS);
		berth_local_op_settle(qp);
	} else {
		skip_acknowledged(qp);
	}
}

/* Our memory does not take what has come. */
static void not_landed(struct berth_qp *qp, int err)
{
	if (err == -EAGAIN) {
		berth_req_heard(qp);
		berth_req_go_back(qp);
		berth_req_wait_moving(qp);
		return;
	}
	berth_req_fail(qp, IB_WC_LOC_PROT_ERR);
}

/* Data for the READ at the tail, in order. */
static void read_data(struct berth_qp *qp, const struct berth_packet *pkt,
		      struct berth_cursor *payload)
{
	struct berth_sq *sq = &qp->sq;
	struct berth_swqe *wqe = berth_sq_slot(sq, sq->tail);
	u32 offset = berth_req_done(wqe, pkt->psn) * qp->mtu;
	int ret;

	if (pkt->payload_len != min(wqe->length - offset, qp->mtu)) {
		berth_req_fail(qp, IB_WC_BAD_RESP_ERR);
		return;
	}
	ret = berth_req_source(qp, wqe, IB_ACCESS_LOCAL_WRITE);
	if (ret >= 0)
		ret = berth_landing_from_skb(qp->dev, (struct berth_segs){ sq->seg, ret }, offset,
					     payload, pkt->payload_len);
	if (ret < 0) {
		not_landed(qp, ret);
		return;
	}
	berth_count_add(qp->dev, BERTH_CNT_RX_BYTES, pkt->payload_len);
	fetched(qp, wqe);
}

/* The value that the atomic at the tail found; asked again, the peer gives the same one. */
static void atomic_value(struct berth_qp *qp, const struct berth_packet *pkt)
{
	struct berth_sq *sq = &qp->sq;
	struct berth_swqe *wqe = berth_sq_slot(sq, sq->tail);
	int ret;

	if (berth_syndrome_kind(pkt->syndrome) != BERTH_SYNDROME_ACK) {
		berth_req_fail(qp, IB_WC_BAD_RESP_ERR);
		return;
	}
	ret = berth_req_source(qp, wqe, IB_ACCESS_LOCAL_WRITE);
	if (ret >= 0)
		ret = berth_landing_scatter(qp->dev, (struct berth_segs){ sq->seg, ret }, 0,
					    &pkt->orig, sizeof(pkt->orig));
	if (ret < 0)
		not_landed(qp, ret);
	else
		fetched(qp, wqe);
}

/* The ATOMIC WRITE at the tail was done. */
static void atomic_written(struct berth_qp *qp, const struct berth_packet *pkt)
{
	struct berth_swqe *wqe = berth_sq_slot(&qp->sq, qp->sq.tail);

	if (pkt->opcode != BERTH_RC_READ_RESPONSE_ONLY || pkt->payload_len ||
	    berth_syndrome_kind(pkt->syndrome) != BERTH_SYNDROME_ACK)
		berth_req_fail(qp, IB_WC_BAD_RESP_ERR);
	else
		fetched(qp, wqe);
}

/* The class of the packet that answers a work request. */
static u8 answer_class(const struct berth_swqe *wqe)
{
	if (wqe->opcode == BERTH_WR_READ || wqe->opcode == BERTH_WR_ATOMIC_WRITE)
		return BERTH_CLASS_READ;
	return berth_swqe_is_atomic(wqe) ? BERTH_CLASS_ATOMIC : BERTH_CLASS_ACK;
}

static void data_response(struct berth_qp *qp, const struct berth_packet *pkt,
			  struct berth_cursor *payload)
{
	struct berth_sq *sq = &qp->sq;
	const struct berth_swqe *wqe;

	acknowledge(qp, pkt->psn);
	if (sq->tail == sq->head || READ_ONCE(qp->failed))
		return;
	wqe = berth_sq_slot(sq, sq->tail);
	if (answer_class(wqe) != pkt->op->class || berth_psn_cmp(pkt->psn, sq->una) > 0)
		read_lost(qp);
	else if (pkt->psn != sq->una)
		return;
	else if (wqe->opcode == BERTH_WR_ATOMIC_WRITE)
		atomic_written(qp, pkt);
	else if (pkt->op->class == BERTH_CLASS_READ)
		read_data(qp, pkt, payload);
	else
		atomic_value(qp, pkt);
}

/* An acknowledgement of what was the newest that was acknowledged already. */
static bool repeats(const struct berth_sq *sq, const struct berth_packet *pkt)
{
	return pkt->op->class == BERTH_CLASS_ACK && pkt->psn == berth_psn_add(sq->una, -1) &&
	       berth_syndrome_kind(pkt->syndrome) == BERTH_SYNDROME_ACK;
}

/**
 * berth_ack_packet - handle a response packet
 * @qp: queue pair, sq.lock held
 * @pkt: parsed, ICRC checked, from the peer
 * @payload: at its payload
 *
 * What answers nothing that is in flight is dropped (duplicates, ghosts).
 */
void berth_ack_packet(struct berth_qp *qp, const struct berth_packet *pkt,
		      struct berth_cursor *payload)
{
	lockdep_assert_held(&qp->sq.lock);
	if (!berth_qp_requests(qp) || READ_ONCE(qp->failed))
		return;
	if (!in_flight(&qp->sq, pkt->psn)) {
		if (repeats(&qp->sq, pkt))
			berth_req_heard(qp);
		return;
	}
	switch (pkt->op->class) {
	case BERTH_CLASS_ACK:
		ack(qp, pkt);
		break;
	case BERTH_CLASS_READ:
	case BERTH_CLASS_ATOMIC:
		data_response(qp, pkt, payload);
		break;
	default:
		break;
	}
}
