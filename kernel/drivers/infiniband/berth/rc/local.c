// SPDX-License-Identifier: GPL-2.0
/*
 * The local path. Where the peer of a QP lives in the same network namespace, a step of the
 * requester moves the bytes of its WQE itself: source MR to destination MR, once. What it does at
 * the peer goes through the same code as packets (op/act.c), and both sides' PSNs advance as if packets
 * had been sent, so that a connection may change between this path and the wire at any piece.
 *
 * Context: sq.lock of the requester held; takes rq.lock of the peer. Nothing on the wire may be
 * outstanding.
 */
#include "../landing/landing.h"
#include "../obj/qp_state.h"
#include "../op/local_op.h"
#include "../stats.h"
#include "../transport.h"
#include "../wire/bth.h"
#include "local.h"
#include "req.h"
#include "rsp.h"
#include "uc.h"

/* Bytes moved, or WQEs handled, under one hold of the locks. */
#define CHUNK_BYTES	(64U << 10)
#define CHUNK_WQES	16

/*
 * Memory that is paged on demand has to be there as a whole while a piece is moved. Where pages go as
 * fast as they come a small piece has better chances, so the next after a failure is this much smaller;
 * still whole packets of the largest path MTU.
 */
#define SMALL_SHIFT	4
static_assert(CHUNK_BYTES >> SMALL_SHIFT == 4096);

static bool link_up(const struct berth_dev *dev)
{
	return netif_running(dev->ndev) && netif_carrier_ok(dev->ndev);
}

static bool same_addr(int family, const union berth_addr *a, const union berth_addr *b)
{
	if (family == AF_INET)
		return a->v4 == b->v4;
	return ipv6_addr_equal(&a->v6, &b->v6);
}

/* Whether a packet from qp sent now would be taken by this QP as the next one it expects. */
static bool is_peer(const struct berth_qp *qp, const struct berth_qp *peer, u32 psn)
{
	const struct berth_path *out = &qp->path, *in = &peer->path;

	return berth_qp_responds(peer) && !READ_ONCE(peer->failed) &&
	       peer->transport == qp->transport && peer->dest_qpn == qp->qpn &&
	       peer->dev->netns == qp->dev->netns &&
	       out->family == in->family &&
	       same_addr(out->family, &out->daddr, &in->saddr) &&
	       same_addr(out->family, &out->saddr, &in->daddr) &&
	       peer->rq.epsn == psn && !peer->rq.read_count &&
	       link_up(qp->dev) && link_up(peer->dev);
}

static enum ib_wc_status status_of(enum berth_rsp_result result)
{
	switch (result) {
	case BERTH_RSP_INVALID:
		return IB_WC_REM_INV_REQ_ERR;
	case BERTH_RSP_ACCESS:
		return IB_WC_REM_ACCESS_ERR;
	default:
		return IB_WC_REM_OP_ERR;
	}
}

/* The part of a WQE that this step moves. */
struct piece {
	struct berth_swqe *wqe;
	u32 offset;
	u32 length;
	bool last;
};

static struct piece next_piece(const struct berth_sq *sq, struct berth_swqe *wqe)
{
	u32 left = wqe->length - sq->offset;
	u32 most = CHUNK_BYTES >> sq->piece_shift;

	return (struct piece){
		.wqe = wqe,
		.offset = sq->offset,
		.length = min(left, most),
		.last = left <= most,
	};
}

static enum berth_rsp_result send_piece(struct berth_qp *peer, const struct piece *p,
					const struct berth_segs *src)
{
	enum berth_rsp_result result;
	struct berth_segs dst;
	int ret;

	result = berth_rsp_take(peer);
	if (result)
		return result;
	result = berth_rsp_receive(peer, p->wqe->length, &dst);
	if (result)
		return result;
	ret = berth_landing_copy(peer->dev, &dst, src, p->offset, p->length);
	return berth_rsp_received(peer, ret);
}

static enum berth_rsp_result write_piece(struct berth_qp *peer, const struct piece *p,
					 const struct berth_segs *src)
{
	enum berth_rsp_result result;
	struct berth_segs dst;
	int ret;

	result = berth_rsp_range(peer, p->wqe->rkey, p->wqe->remote_addr, p->wqe->length,
				 IB_ACCESS_REMOTE_WRITE, &dst);
	if (result)
		return result;
	if (p->last && p->wqe->opcode == BERTH_WR_WRITE_IMM) {
		result = berth_rsp_take(peer);
		if (result)
			return result;
	}
	ret = berth_landing_copy(peer->dev, &dst, src, p->offset, p->length);
	return berth_rsp_landed(ret);
}

static enum berth_rsp_result read_piece(struct berth_qp *qp, struct berth_qp *peer,
					const struct piece *p, const struct berth_segs *dst)
{
	enum berth_rsp_result result;
	struct berth_segs src;
	int ret;

	if (!peer->rq.max_rd_atomic)
		return BERTH_RSP_INVALID;
	result = berth_rsp_range(peer, p->wqe->rkey, p->wqe->remote_addr, p->wqe->length,
				 IB_ACCESS_REMOTE_READ, &src);
	if (result)
		return result;
	ret = berth_landing_copy(qp->dev, dst, &src, p->offset, p->length);
	return berth_rsp_landed(ret);
}

/*
 * The value that was found goes to our memory, which was ready a moment ago. Where it is no longer,
 * the peer has served the request all the same and stands behind it: we shall ask again over the
 * wire, and are answered from what it remembers.
 */
static enum berth_rsp_result atomic_piece(struct berth_qp *qp, struct berth_qp *peer,
					  const struct piece *p, const struct berth_segs *dst)
{
	const struct berth_swqe *wqe = p->wqe;
	const bool swap = wqe->opcode == BERTH_WR_CMP_SWP;
	const struct berth_rsp_atomic atomic = {
		.va = wqe->remote_addr,
		.operand = swap ? wqe->atomic.swap : wqe->atomic.compare_add,
		.compare = wqe->atomic.compare_add,
		.rkey = wqe->rkey,
		.psn = wqe->first_psn,
		.opcode = wqe->opcode,
	};
	const struct berth_atomic *done;
	enum berth_rsp_result result;

	if (!peer->rq.max_rd_atomic)
		return BERTH_RSP_INVALID;
	result = berth_atomic_run(peer, &atomic, &done);
	if (result)
		return result;
	if (!berth_landing_scatter(qp->dev, *dst, 0, &done->orig, sizeof(done->orig)))
		return BERTH_RSP_OK;
	peer->rq.epsn = berth_psn_add(wqe->first_psn, 1);
	qp->sq.sent = peer->rq.epsn;
	berth_req_heard(qp);
	return BERTH_RSP_MOVING;
}

static enum berth_rsp_result atomic_write_piece(struct berth_qp *peer, const struct piece *p,
						const struct berth_segs *src)
{
	struct berth_rsp_atomic atomic = {
		.va = p->wqe->remote_addr,
		.rkey = p->wqe->rkey,
		.psn = p->wqe->first_psn,
		.opcode = BERTH_WR_ATOMIC_WRITE,
	};
	const struct berth_atomic *done;
	enum berth_rsp_result result;
	int ret;

	if (!peer->rq.max_rd_atomic)
		return BERTH_RSP_INVALID;
	ret = berth_landing_gather(&atomic.operand, *src, 0, sizeof(atomic.operand));
	if (ret)
		return berth_rsp_landed(ret);
	result = berth_atomic_run(peer, &atomic, &done);
	if (!result)
		berth_count_add(peer->dev, BERTH_CNT_LOCAL_BYTES, sizeof(atomic.operand));
	return result;
}

/* The last byte of a SEND or WRITE is there. */
static enum berth_rsp_result finish(struct berth_qp *peer, const struct berth_swqe *wqe)
{
	struct berth_rsp_tail tail = {
		.opcode = wqe->opcode,
		.solicited = wqe->flags & BERTH_WR_SOLICITED,
		.ex = wqe->ex,
	};

	return berth_rsp_finish(peer, &tail, wqe->length);
}

static enum berth_rsp_result move_piece(struct berth_qp *qp, struct berth_qp *peer,
					const struct piece *p, const struct berth_segs *own)
{
	enum berth_rsp_result result;

	switch (p->wqe->opcode) {
	case BERTH_WR_READ:
		result = read_piece(qp, peer, p, own);
		if (!result && p->last)
			peer->rq.msn++;
		return result;
	case BERTH_WR_CMP_SWP:
	case BERTH_WR_FETCH_ADD:
		return atomic_piece(qp, peer, p, own);
	case BERTH_WR_ATOMIC_WRITE:
		return atomic_write_piece(peer, p, own);
	case BERTH_WR_WRITE:
	case BERTH_WR_WRITE_IMM:
		result = write_piece(peer, p, own);
		break;
	default:
		result = send_piece(peer, p, own);
		break;
	}
	if (result || !p->last)
		return result;
	if (p->wqe->opcode != BERTH_WR_WRITE)
		return finish(peer, p->wqe);
	berth_rsp_written(peer);
	return BERTH_RSP_OK;
}

/* More of the message follows, perhaps in packets. */
static void under_way(struct berth_rq *rq, const struct piece *p)
{
	const struct berth_swqe *wqe = p->wqe;

	if (berth_swqe_fetches(wqe))
		return;
	rq->in_message = true;
	rq->class = berth_swqe_is_write(wqe) ? BERTH_CLASS_WRITE : BERTH_CLASS_SEND;
	rq->received = p->offset + p->length;
	rq->rkey = wqe->rkey;
	rq->va = wqe->remote_addr;
	rq->dma_len = wqe->length;
}

/* A piece was moved: both sides stand where packets would have brought them. */
static void advance(struct berth_qp *qp, struct berth_qp *peer, const struct piece *p)
{
	struct berth_sq *sq = &qp->sq;
	u32 psn;

	if (p->last)
		psn = berth_psn_add(p->wqe->first_psn, p->wqe->psns);
	else
		psn = berth_req_psn(qp, p->wqe, p->offset + p->length);
	sq->una = psn;
	sq->sent = psn;
	peer->rq.epsn = psn;
	peer->rq.seq_nak_sent = false;
	sq->piece_shift -= !!sq->piece_shift;
	berth_req_progress(qp);
	if (p->last) {
		sq->next++;
		sq->offset = 0;
		berth_sq_complete(qp, IB_WC_SUCCESS);
	} else {
		sq->offset += p->length;
		under_way(&peer->rq, p);
	}
}

/* Nothing was moved. */
static void stumble(struct berth_qp *qp, struct berth_qp *peer, enum berth_rsp_result result)
{
	switch (result) {
	case BERTH_RSP_RNR:
		berth_req_rnr(qp, peer->rq.min_rnr_timer);
		break;
	case BERTH_RSP_MOVING:
		qp->sq.piece_shift = SMALL_SHIFT;
		berth_req_wait_moving(qp);
		break;
	default:
		berth_rsp_fail(peer, result);
		berth_req_fail(qp, status_of(result));
		break;
	}
}

/* The requester's memory: an error of it is no matter of the peer. */
static int own_memory(struct berth_qp *qp, const struct piece *p, struct berth_segs *own)
{
	const bool lands = berth_swqe_lands(p->wqe);
	int ret;

	ret = berth_req_source(qp, p->wqe, lands ? IB_ACCESS_LOCAL_WRITE : 0);
	if (ret < 0)
		return ret;
	*own = (struct berth_segs){ qp->sq.seg, ret };
	return berth_req_prepare(qp, p->wqe, *own, p->offset, p->length, lands);
}

/* Returns the cost of a piece, or 0 when it could not be moved. */
static u32 one(struct berth_qp *qp, struct berth_qp *peer, struct berth_swqe *wqe)
{
	struct piece p = next_piece(&qp->sq, wqe);
	enum berth_rsp_result result;
	struct berth_segs own;

	if (own_memory(qp, &p, &own)) {
		qp->sq.piece_shift = SMALL_SHIFT;
		if (p.wqe->status != IB_WC_SUCCESS)
			berth_req_fail(qp, p.wqe->status);
		return 0;
	}
	result = move_piece(qp, peer, &p, &own);
	if (result && !qp->transport->reliable) {
		berth_uc_drop(peer, result);
		p.last = true;	/* the rest of it is dropped, too */
	} else if (result) {
		stumble(qp, peer, result);
		return 0;
	}
	advance(qp, peer, &p);
	return p.length + BERTH_WQE_COST;
}

static u32 run(struct berth_qp *qp, struct berth_qp *peer)
{
	struct berth_sq *sq = &qp->sq;
	u32 cost, used = 0;
	int n;

	for (n = 0; n < CHUNK_WQES && used < CHUNK_BYTES; n++) {
		struct berth_swqe *wqe;

		if (sq->next == sq->head && !berth_sq_fetch(qp))
			break;
		wqe = berth_sq_slot(sq, sq->next);
		if (wqe->status != IB_WC_SUCCESS || berth_local_op_is(wqe))
			return used ? used : BERTH_WQE_COST;
		if (qp->state == IB_QPS_SQD && !wqe->psns)
			break;
		berth_req_start(qp, wqe);
		cost = one(qp, peer, wqe);
		used += cost;
		if (!cost || READ_ONCE(qp->failed) || READ_ONCE(peer->failed))
			break;
	}
	return used;
}

/**
 * berth_local_step - handle WQEs by the local path
 * @qp: queue pair, sq.lock held, a WQE without error at sq.next
 * @failed_peer: receives the peer, with a reference, when it must be settled after sq.lock was
 *	dropped
 *
 * Return: the cost of what was moved, 0: it has to wait or has failed, -ENOTCONN: not for this path.
 */
int berth_local_step(struct berth_qp *qp, struct berth_qp **failed_peer)
{
	struct berth_sq *sq = &qp->sq;
	struct berth_swqe *wqe = berth_sq_slot(sq, sq->next);
	struct berth_qp *peer;
	int ret;
	u32 psn;

	lockdep_assert_held(&sq->lock);
	if (sq->tail != sq->next)
		return -ENOTCONN;
	peer = berth_qp_get(qp->dest_qpn);
	if (!peer)
		return -ENOTCONN;

	psn = wqe->psns ? berth_req_psn(qp, wqe, sq->offset) : sq->psn;
	spin_lock(&peer->rq.lock);
	if (is_peer(qp, peer, psn) && sq->una == psn)
		ret = run(qp, peer);
	else
		ret = -ENOTCONN;
	spin_unlock(&peer->rq.lock);

	if (READ_ONCE(peer->failed))
		*failed_peer = peer;
	else
		berth_qp_put(peer);
	return ret;
}
