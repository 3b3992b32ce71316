// SPDX-License-Identifier: GPL-2.0
/*
 * Answering READs and atomics: requests are queued (no more than the connection's
 * max_dest_rd_atomic) and answered in order, one burst under rq.lock at a time; in softirq up to a
 * budget, then in a worker. An atomic is carried out when it comes, only its answer waits behind
 * READs.
 *
 * A repeated request takes the place of everything queued from its PSN on: the requester has gone
 * back and will repeat the rest too.
 *
 * Context: rq.lock held but for berth_read_run() and the worker, which take it. IBTA volume 1,
 * 9.4.4 and 9.7.4.1.
 */
#include "../obj/qp_state.h"
#include "../stats.h"
#include "../wire/bth.h"
#include "../wire/packet.h"
#include "../net/burst.h"
#include "rsp.h"

/* Bursts that the worker sends before it lets others run. */
#define WORKER_BURSTS	64

static struct berth_read *queued(struct berth_rq *rq, u32 i)
{
	return &rq->read[(rq->read_first + i) % BERTH_MAX_RD_ATOMIC];
}

static void enqueue_atomic(struct berth_rq *rq, const struct berth_atomic *done, bool again)
{
	*queued(rq, rq->read_count++) = (struct berth_read){
		.va = done->orig,
		.psn = done->psn,
		.answer = done->answer,
		.again = again,
	};
}

static void enqueue(struct berth_rq *rq, const struct berth_packet *pkt, bool again)
{
	*queued(rq, rq->read_count++) = (struct berth_read){
		.va = pkt->va,
		.rkey = pkt->rkey,
		.length = pkt->dma_len,
		.psn = pkt->psn,
		.again = again,
	};
}

static void dequeue(struct berth_rq *rq)
{
	rq->read_first = (rq->read_first + 1) % BERTH_MAX_RD_ATOMIC;
	rq->read_count--;
}

/*
 * May one more be outstanding? Of a full queue the requester must have the oldest answer, or it would not ask for more: an
 * answer that is given once more is dropped.
 */
static bool room(struct berth_rq *rq)
{
	if (rq->read_count < rq->max_rd_atomic)
		return true;
	if (!rq->read_count || !queued(rq, 0)->again)
		return false;
	dequeue(rq);
	return true;
}

/* A new READ, in order. */
enum berth_rsp_result berth_read_request(struct berth_qp *qp, const struct berth_packet *pkt)
{
	struct berth_rq *rq = &qp->rq;
	enum berth_rsp_result result;
	struct berth_segs segs;

	if (!room(rq) || pkt->dma_len > BERTH_MAX_MSG)
		return BERTH_RSP_INVALID;
	result = berth_rsp_range(qp, pkt->rkey, pkt->va, pkt->dma_len, IB_ACCESS_REMOTE_READ,
				 &segs);
	if (!result)
		result = berth_rsp_landed(berth_landing_prepare(segs, 0, min(pkt->dma_len, qp->mtu),
								false));
	if (result)
		return result;
	enqueue(rq, pkt, false);
	rq->msn++;
	return BERTH_RSP_OK;
}

/* What the packet asks for. */
static enum berth_rsp_result take_atomic(const struct berth_packet *pkt,
					 struct berth_cursor *payload,
					 struct berth_rsp_atomic *atomic)
{
	*atomic = (struct berth_rsp_atomic){
		.va = pkt->va,
		.operand = pkt->swap_add,
		.compare = pkt->compare,
		.rkey = pkt->rkey,
		.psn = pkt->psn,
		.opcode = pkt->opcode == BERTH_RC_CMP_SWAP ? BERTH_WR_CMP_SWP : BERTH_WR_FETCH_ADD,
	};
	if (pkt->opcode != BERTH_RC_ATOMIC_WRITE)
		return BERTH_RSP_OK;
	if (pkt->dma_len != sizeof(u64) || pkt->payload_len != sizeof(u64))
		return BERTH_RSP_INVALID;
	atomic->opcode = BERTH_WR_ATOMIC_WRITE;
	if (berth_cursor_pull(payload, &atomic->operand, sizeof(u64)))
		return BERTH_RSP_OPERATION;
	return BERTH_RSP_OK;
}

/* A new atomic, in order. */
enum berth_rsp_result berth_read_atomic(struct berth_qp *qp, const struct berth_packet *pkt,
					struct berth_cursor *payload)
{
	const struct berth_atomic *done;
	struct berth_rsp_atomic atomic;
	struct berth_rq *rq = &qp->rq;
	enum berth_rsp_result result;

	if (!room(rq))
		return BERTH_RSP_INVALID;
	result = take_atomic(pkt, payload, &atomic);
	if (result)
		return result;
	result = berth_atomic_run(qp, &atomic, &done);
	if (result)
		return result;
	berth_count_add(qp->dev, BERTH_CNT_RX_BYTES, pkt->payload_len);
	enqueue_atomic(rq, done, false);
	return BERTH_RSP_OK;
}

/* A READ or atomic that was answered before, or is being answered. */
void berth_read_again(struct berth_qp *qp, const struct berth_packet *pkt)
{
	const struct berth_atomic *done;
	struct berth_rq *rq = &qp->rq;

	while (rq->read_count &&
	       berth_psn_cmp(queued(rq, rq->read_count - 1)->psn, pkt->psn) >= 0)
		rq->read_count--;
	if (rq->read_count >= rq->max_rd_atomic)
		return;
	if (pkt->op->class == BERTH_CLASS_ATOMIC) {
		done = berth_atomic_find(rq, pkt->psn);
		if (done)
			enqueue_atomic(rq, done, true);
	} else if (pkt->dma_len <= BERTH_MAX_MSG) {
		enqueue(rq, pkt, true);
	}
}

/* The response packet at an offset. */
static struct berth_packet response(const struct berth_qp *qp, const struct berth_read *read,
				    u32 offset)
{
	u32 left = read->length - offset;
	bool last = left <= qp->mtu;
	struct berth_packet pkt = {
		.opcode = berth_opcode_pick(BERTH_KIND_READ_RESPONSE, !offset, last,
					    BERTH_TAIL_NONE),
		.qpn = qp->dest_qpn,
		.psn = berth_psn_add(read->psn, offset / qp->mtu),
		.pkey = BERTH_DEFAULT_PKEY,
		.flags = BERTH_PKT_MIG,
		.payload_len = last ? left : qp->mtu,
		.syndrome = berth_syndrome_ack(BERTH_CREDIT_INVALID),
		.msn = qp->rq.msn,
	};

	pkt.op = berth_opcode_find(pkt.opcode);
	return pkt;
}

/* How many responses from the current offset on share a length. */
static u32 plan(struct berth_qp *qp, const struct berth_read *read, u32 *seg_len, u32 *last_len)
{
	u32 offset = read->offset, n = 0, limit = 1;

	do {
		struct berth_packet pkt = response(qp, read, offset);
		u32 len = berth_packet_wire_len(pkt.op, pkt.payload_len);

		if (!n) {
			*seg_len = len;
			limit = berth_burst_limit(qp, len);
		} else if (len > *seg_len) {
			break;
		}
		*last_len = len;
		offset += pkt.payload_len;
		n++;
		if (len < *seg_len)
			break;
	} while (offset < read->length && n < limit);
	return n;
}

static int fill(struct berth_qp *qp, const struct berth_read *read, struct berth_segs segs, u8 *at)
{
	struct berth_packet pkt = response(qp, read, read->offset);
	int hdr, ret;

	hdr = berth_packet_build(&pkt, at, BERTH_HDR_MAX);
	if (WARN_ON_ONCE(hdr < 0))
		return hdr;
	ret = berth_landing_gather(at + hdr, segs, read->offset, pkt.payload_len);
	memset(at + hdr + pkt.payload_len, 0, berth_pad_len(pkt.payload_len));
	if (!ret)
		berth_count_add(qp->dev, BERTH_CNT_TX_BYTES, pkt.payload_len);
	return ret;
}

/* The memory has gone since the request was taken. */
static void broken(struct berth_qp *qp, const struct berth_read *read,
		   enum berth_rsp_result result)
{
	struct berth_rq *rq = &qp->rq;

	rq->nak_psn = berth_psn_add(read->psn, read->offset / qp->mtu);
	rq->read_count = 0;
	if (result == BERTH_RSP_MOVING) {
		/*
		 * As a receiver that is not ready: the requester waits, then repeats everything from
		 * here on, also a request that waits to be refused.
		 */
		berth_count(qp->dev, BERTH_CNT_TX_RNR_NAK);
		rq->nak_syndrome = berth_syndrome_rnr(rq->min_rnr_timer);
		rq->fail = 0;
		return;
	}
	berth_count(qp->dev, BERTH_CNT_TX_ERROR_NAK);
	rq->nak_syndrome = berth_syndrome_nak(BERTH_NAK_REMOTE_ACCESS);
	/*
	 * What was answered before may have arrived meanwhile. Then the NAK is about the past for the requester, which has
	 * to be told of what it asks next, and a QP that has failed tells nothing.
	 */
	rq->fail = read->again ? 0 : BERTH_RSP_ACCESS;
}

/* Sends the answers to the atomics that are the oldest. One that is lost is asked for again. */
static void answer_atomics(struct berth_qp *qp)
{
	struct berth_rq *rq = &qp->rq;

	while (rq->read_count && queued(rq, 0)->answer) {
		const struct berth_read *read = queued(rq, 0);
		const struct berth_packet pkt = {
			.op = berth_opcode_find(read->answer),
			.opcode = read->answer,
			.qpn = qp->dest_qpn,
			.psn = read->psn,
			.pkey = BERTH_DEFAULT_PKEY,
			.flags = BERTH_PKT_MIG,
			.syndrome = berth_syndrome_ack(BERTH_CREDIT_INVALID),
			.msn = rq->msn,
			.orig = read->va,
		};

		berth_burst_single(qp, &pkt);
		dequeue(rq);
	}
}

/* Sends one burst of the oldest READ. False when it could not go on. */
static bool step(struct berth_qp *qp)
{
	struct berth_rq *rq = &qp->rq;
	struct berth_read *read = queued(rq, 0);
	enum berth_rsp_result result;
	u32 i, n, seg_len, last_len;
	struct berth_segs segs;
	struct berth_burst b;
	int ret = 0;

	if (read->answer) {
		answer_atomics(qp);
		return true;
	}
	result = berth_rsp_range(qp, read->rkey, read->va, read->length, IB_ACCESS_REMOTE_READ,
				 &segs);
	if (result) {
		broken(qp, read, result);
		return true;
	}
	n = plan(qp, read, &seg_len, &last_len);
	if (berth_burst_begin(&b, qp, n, seg_len, last_len)) {
		dequeue(rq);	/* as if the responses had been lost */
		return true;
	}
	for (i = 0; i < n; i++) {
		ret = fill(qp, read, segs, berth_burst_packet(&b, i));
		if (ret)
			break;
		read->offset += response(qp, read, read->offset).payload_len;
	}
	/* What precedes the NAK has to be there, or the requester asks for it instead of waiting. */
	if (i)
		berth_burst_send(&b, i);
	else
		berth_burst_cancel(&b);
	if (ret)
		broken(qp, read, berth_rsp_landed(ret));
	else if (read->offset == read->length)
		dequeue(rq);
	return true;
}

/**
 * berth_read_run - answer queued READs, then what waits behind them
 * @qp: queue pair, referenced, no lock held
 * @bursts: to send at most before the worker goes on
 *
 * Context: softirq or process.
 */
void berth_read_run(struct berth_qp *qp, u32 bursts)
{
	bool more;

	do {
		spin_lock_bh(&qp->rq.lock);
		more = qp->rq.read_count && berth_qp_responds(qp) && !READ_ONCE(qp->failed);
		if (more && bursts)
			step(qp);
		if (!qp->rq.read_count)
			berth_rsp_answer(qp);
		spin_unlock_bh(&qp->rq.lock);
	} while (more && bursts--);

	berth_qp_settle(qp);
	if (more)
		queue_work(berth_qp_wq, &qp->rq.work);
}

void berth_rsp_work(struct work_struct *work)
{
	berth_read_run(container_of(work, struct berth_qp, rq.work), WORKER_BURSTS);
}
