// SPDX-License-Identifier: GPL-2.0
/*
 * Requests from the wire: order, opcode sequence, lengths; and what is answered.
 *
 * Acknowledgements are coalesced: packets note that one is due, berth_rsp_answer() sends it once for
 * all that arrived together. It waits behind read responses that are still to be sent, because it
 * acknowledges them too; so does a NAK, and the failure of the QP that comes with it.
 *
 * Context: softirq, rq.lock held. IBTA volume 1, 9.7.2 to 9.7.5 and 9.9.3.
 */
#include "../obj/qp_state.h"
#include "../stats.h"
#include "../trace.h"
#include "../wire/bth.h"
#include "../wire/packet.h"
#include "../net/burst.h"
#include "rsp.h"

/* To the state of a QP that has just come to RTR. */
void berth_rsp_reset(struct berth_qp *qp, u32 psn)
{
	lockdep_assert_held(&qp->rq.lock);
	qp->rq.epsn = psn;
	qp->rq.msn = 0;
	qp->rq.seq_nak_sent = false;
	qp->rq.atomics = 0;
}

/* Does the packet fit the message that is under way, or start one where none is? */
static bool in_sequence(const struct berth_qp *qp, const struct berth_packet *pkt)
{
	const struct berth_rq *rq = &qp->rq;
	bool start = pkt->op->flags & BERTH_OP_START;

	if (start == rq->in_message)
		return false;
	return start || pkt->op->class == rq->class;
}

/* All but the last packet of a message are full; the last of several is not empty. */
static bool length_ok(const struct berth_qp *qp, const struct berth_packet *pkt)
{
	if (!(pkt->op->flags & BERTH_OP_END))
		return pkt->payload_len == qp->mtu;
	if (!(pkt->op->flags & BERTH_OP_START) && !pkt->payload_len)
		return false;
	return pkt->payload_len <= qp->mtu;
}

static u8 tail_opcode(const struct berth_packet *pkt)
{
	bool imm = pkt->op->flags & BERTH_OP_IMM;

	if (pkt->op->class == BERTH_CLASS_WRITE)
		return imm ? BERTH_WR_WRITE_IMM : BERTH_WR_WRITE;
	if (pkt->op->flags & BERTH_OP_IETH)
		return BERTH_WR_SEND_INV;
	return imm ? BERTH_WR_SEND_IMM : BERTH_WR_SEND;
}

static enum berth_rsp_result finish(struct berth_qp *qp, const struct berth_packet *pkt)
{
	struct berth_rsp_tail tail = {
		.opcode = tail_opcode(pkt),
		.solicited = pkt->flags & BERTH_PKT_SE,
		.ex = pkt->op->flags & BERTH_OP_IETH ? pkt->inv_rkey : (__force u32)pkt->imm,
	};

	return berth_rsp_finish(qp, &tail, qp->rq.received);
}

/* Lands the payload behind what the message brought so far. */
static enum berth_rsp_result land(struct berth_qp *qp, struct berth_segs segs,
				  const struct berth_packet *pkt, struct berth_cursor *payload)
{
	struct berth_rq *rq = &qp->rq;
	int ret;

	ret = berth_landing_from_skb(qp->dev, segs, rq->received, payload, pkt->payload_len);
	if (ret == -EAGAIN && rq->class == BERTH_CLASS_SEND)
		berth_rsp_ahead(qp);
	if (ret && rq->class == BERTH_CLASS_SEND)
		return berth_rsp_received(qp, ret);
	if (ret)
		return berth_rsp_landed(ret);
	berth_count_add(qp->dev, BERTH_CNT_RX_BYTES, pkt->payload_len);
	rq->received += pkt->payload_len;
	if (!(pkt->op->flags & BERTH_OP_END)) {
		rq->in_message = true;
		return BERTH_RSP_OK;
	}
	return finish(qp, pkt);
}

static enum berth_rsp_result send_request(struct berth_qp *qp, const struct berth_packet *pkt,
					  struct berth_cursor *payload)
{
	struct berth_rq *rq = &qp->rq;
	enum berth_rsp_result result;
	struct berth_segs segs;

	if (pkt->op->flags & BERTH_OP_START) {
		result = berth_rsp_take(qp);
		if (result)
			return result;
		rq->received = 0;
	}
	if (rq->received > BERTH_MAX_MSG - pkt->payload_len)
		return BERTH_RSP_INVALID;
	result = berth_rsp_receive(qp, rq->received + pkt->payload_len, &segs);
	if (result)
		return result;
	return land(qp, segs, pkt, payload);
}

/*
 * Where a WRITE goes. Resolved as a whole, with the first packet: nothing lands of one that does not fit. Packets that come
 * together share what the first of them found, as all bytes of one access do.
 */
static enum berth_rsp_result write_place(struct berth_qp *qp, struct berth_segs *segs)
{
	struct berth_rq *rq = &qp->rq;
	enum berth_rsp_result result;

	if (rq->write_held) {
		*segs = (struct berth_segs){ rq->seg, 1 };
		return BERTH_RSP_OK;
	}
	result = berth_rsp_range(qp, rq->rkey, rq->va, rq->dma_len, IB_ACCESS_REMOTE_WRITE, segs);
	rq->write_held = result == BERTH_RSP_OK;
	return result;
}

static enum berth_rsp_result write_request(struct berth_qp *qp, const struct berth_packet *pkt,
					   struct berth_cursor *payload)
{
	struct berth_rq *rq = &qp->rq;
	enum berth_rsp_result result;
	struct berth_segs segs;
	u32 left;

	if (pkt->op->flags & BERTH_OP_START) {
		rq->received = 0;
		rq->rkey = pkt->rkey;
		rq->va = pkt->va;
		rq->dma_len = pkt->dma_len;
		if (rq->dma_len > BERTH_MAX_MSG)
			return BERTH_RSP_INVALID;
	}
	left = rq->dma_len - rq->received;
	if (pkt->op->flags & BERTH_OP_END ? pkt->payload_len != left : pkt->payload_len >= left)
		return BERTH_RSP_INVALID;
	result = write_place(qp, &segs);
	if (result)
		return result;
	if (pkt->op->flags & BERTH_OP_IMM) {
		result = berth_rsp_take(qp);
		if (result)
			return result;
	}
	return land(qp, segs, pkt, payload);
}

/**
 * berth_rsp_request - carry out a request packet
 * @qp: queue pair, rq.lock held
 * @pkt: the next one in sequence
 * @payload: at its payload
 *
 * Return: how it fares; but for BERTH_RSP_OK it left no trace beyond bytes that had landed.
 */
enum berth_rsp_result berth_rsp_request(struct berth_qp *qp, const struct berth_packet *pkt,
					struct berth_cursor *payload)
{
	if (!in_sequence(qp, pkt) || !length_ok(qp, pkt))
		return BERTH_RSP_INVALID;
	if (pkt->op->flags & BERTH_OP_START)
		qp->rq.write_held = false;
	switch (pkt->op->class) {
	case BERTH_CLASS_SEND:
		qp->rq.class = BERTH_CLASS_SEND;
		return send_request(qp, pkt, payload);
	case BERTH_CLASS_WRITE:
		qp->rq.class = BERTH_CLASS_WRITE;
		return write_request(qp, pkt, payload);
	case BERTH_CLASS_READ:
		return berth_read_request(qp, pkt);
	case BERTH_CLASS_ATOMIC:
		return berth_read_atomic(qp, pkt, payload);
	default:
		return BERTH_RSP_INVALID;
	}
}

static void set_nak(struct berth_rq *rq, u8 syndrome, u32 psn)
{
	rq->nak_syndrome = syndrome;
	rq->nak_psn = psn;
	/* One answer is enough: what the requester had sent behind this packet is dropped. */
	rq->seq_nak_sent = true;
}

static u8 nak_code(enum berth_rsp_result result)
{
	switch (result) {
	case BERTH_RSP_ACCESS:
		return BERTH_NAK_REMOTE_ACCESS;
	case BERTH_RSP_OPERATION:
		return BERTH_NAK_REMOTE_OPERATION;
	default:
		return BERTH_NAK_INVALID_REQUEST;
	}
}

/* The packet that was expected has been carried out. */
static void accepted(struct berth_rq *rq, const struct berth_packet *pkt)
{
	rq->seq_nak_sent = false;
	/* An atomic's answer acknowledges it. */
	if (pkt->flags & BERTH_PKT_ACKREQ && pkt->op->class != BERTH_CLASS_ATOMIC)
		rq->ack_due = true;
}

static void settle_result(struct berth_qp *qp, const struct berth_packet *pkt,
			  enum berth_rsp_result result)
{
	struct berth_rq *rq = &qp->rq;

	switch (result) {
	case BERTH_RSP_OK:
		accepted(rq, pkt);
		break;
	case BERTH_RSP_RNR:
	case BERTH_RSP_MOVING:
		berth_count(qp->dev, BERTH_CNT_TX_RNR_NAK);
		set_nak(rq, berth_syndrome_rnr(rq->min_rnr_timer), pkt->psn);
		break;
	default:
		berth_count(qp->dev, BERTH_CNT_TX_ERROR_NAK);
		set_nak(rq, berth_syndrome_nak(nak_code(result)), pkt->psn);
		rq->fail = result;
		break;
	}
}

static u32 psns_of(const struct berth_qp *qp, const struct berth_packet *pkt)
{
	if (pkt->op->class != BERTH_CLASS_READ)
		return 1;
	return max(DIV_ROUND_UP(pkt->dma_len, qp->mtu), 1U);
}

/*
 * A request that was served before: answer READs and atomics again, acknowledge the others where that is asked for.
 * A requester that goes back asks with its last packet; an answer to each would keep both from what is new.
 */
static void duplicate(struct berth_qp *qp, const struct berth_packet *pkt)
{
	berth_count(qp->dev, BERTH_CNT_RX_DUPLICATE);
	if (pkt->op->class == BERTH_CLASS_READ || pkt->op->class == BERTH_CLASS_ATOMIC)
		berth_read_again(qp, pkt);
	else if (pkt->flags & BERTH_PKT_ACKREQ)
		qp->rq.ack_due = true;
}

/**
 * berth_rsp_packet - handle a request packet
 * @qp: queue pair, rq.lock held
 * @pkt: parsed, ICRC checked, from the peer
 * @payload: at its payload
 *
 * What is to be answered is noted; berth_rsp_answer() sends it.
 */
void berth_rsp_packet(struct berth_qp *qp, const struct berth_packet *pkt,
		      struct berth_cursor *payload)
{
	struct berth_rq *rq = &qp->rq;
	enum berth_rsp_result result;
	s32 ahead;

	lockdep_assert_held(&rq->lock);
	if (!berth_qp_responds(qp) || READ_ONCE(qp->failed) || rq->fail)
		return;
	ahead = berth_psn_cmp(pkt->psn, rq->epsn);
	if (ahead < 0) {
		duplicate(qp, pkt);
		return;
	}
	if (ahead > 0) {
		berth_count(qp->dev, BERTH_CNT_RX_OUT_OF_ORDER);
		if (!rq->seq_nak_sent) {
			berth_count(qp->dev, BERTH_CNT_TX_SEQ_NAK);
			set_nak(rq, berth_syndrome_nak(BERTH_NAK_PSN_SEQUENCE), rq->epsn);
		}
		return;
	}
	result = berth_rsp_request(qp, pkt, payload);
	if (result == BERTH_RSP_OK)
		rq->epsn = berth_psn_add(rq->epsn, psns_of(qp, pkt));
	settle_result(qp, pkt, result);
}

/**
 * berth_rsp_middle - handle the next packet of a WRITE that is neither its first nor its last
 * @qp: queue pair, rq.lock held
 * @pkt: like one that was handled since the lock was taken, but for PSN and ack request
 * @payload: its payload
 *
 * Return: false: it is another one, or does not fare well: it is for berth_rsp_packet(). Bytes may have landed.
 */
bool berth_rsp_middle(struct berth_qp *qp, const struct berth_packet *pkt, const u8 *payload)
{
	struct berth_rq *rq = &qp->rq;

	lockdep_assert_held(&rq->lock);
	if (!rq->write_held || !rq->in_message || pkt->opcode != BERTH_RC_WRITE_MIDDLE || pkt->psn != rq->epsn ||
	    pkt->payload_len != qp->mtu || qp->mtu >= rq->dma_len - rq->received ||
	    !berth_qp_responds(qp) || READ_ONCE(qp->failed) || rq->fail ||
	    berth_landing_scatter(qp->dev, (struct berth_segs){ rq->seg, 1 }, rq->received, payload, qp->mtu))
		return false;
	trace_berth_landing(qp->dev, qp->mtu, false);
	berth_count_add(qp->dev, BERTH_CNT_RX_BYTES, qp->mtu);
	rq->received += qp->mtu;
	rq->epsn = berth_psn_add(rq->epsn, 1);
	accepted(rq, pkt);
	return true;
}

/**
 * berth_rsp_answer - send the acknowledgement or NAK that is due
 * @qp: queue pair, rq.lock held
 *
 * Not before all read responses that it would acknowledge have left.
 */
void berth_rsp_answer(struct berth_qp *qp)
{
	struct berth_rq *rq = &qp->rq;
	struct berth_packet pkt = {
		.op = berth_opcode_find(BERTH_RC_ACK),
		.opcode = BERTH_RC_ACK,
		.qpn = qp->dest_qpn,
		.pkey = BERTH_DEFAULT_PKEY,
		.flags = BERTH_PKT_MIG,
		.psn = berth_psn_add(rq->epsn, -1),
		.syndrome = berth_syndrome_ack(BERTH_CREDIT_INVALID),
		.msn = rq->msn,
	};

	lockdep_assert_held(&rq->lock);
	if ((!rq->ack_due && !rq->nak_syndrome) || rq->read_count)
		return;
	if (rq->nak_syndrome) {
		pkt.psn = rq->nak_psn;
		pkt.syndrome = rq->nak_syndrome;
	}
	rq->ack_due = false;
	rq->nak_syndrome = 0;
	berth_count(qp->dev, BERTH_CNT_TX_ACK);
	berth_burst_single(qp, &pkt);
	if (rq->fail) {
		berth_rsp_fail(qp, rq->fail);
		rq->fail = 0;
	}
}
