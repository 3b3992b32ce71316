/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a request of the peer does at the responder, whichever way it came: taking a receive,
 * resolving the memory that it names, finishing and failing a message (act.c), atomics (atomic.c).
 *
 * Context: rq.lock held, bottom halves disabled.
 */
#ifndef BERTH_OP_ACT_H
#define BERTH_OP_ACT_H

#include "../landing/landing.h"
#include "../obj/qp.h"

/* How a request fares; the order is that of severity. */
enum berth_rsp_result {
	BERTH_RSP_OK,
	BERTH_RSP_RNR,		/* no receive posted */
	BERTH_RSP_MOVING,	/* memory is being moved or paged in: like not ready */
	BERTH_RSP_INVALID,	/* NAK invalid request */
	BERTH_RSP_ACCESS,	/* NAK remote access error */
	BERTH_RSP_OPERATION,	/* NAK remote operational error */
};

/* The end of a message, for the receive completion. */
struct berth_rsp_tail {
	u8 opcode;		/* enum berth_wr_opcode as the sender would have it */
	bool solicited;
	u32 ex;			/* immediate or rkey */
};

/* An atomic as the peer asks for it. */
struct berth_rsp_atomic {
	u64 va;
	u64 operand;		/* to add, or to store; ATOMIC_WRITE: bytes as they lie in memory */
	u64 compare;
	u32 rkey;
	u32 psn;
	u8 opcode;		/* BERTH_WR_CMP_SWP, _FETCH_ADD, _ATOMIC_WRITE */
};

enum berth_rsp_result berth_rsp_take(struct berth_qp *qp);
enum berth_rsp_result berth_rsp_receive(struct berth_qp *qp, u32 need, struct berth_segs *segs);
enum berth_rsp_result berth_rsp_landing_error(int err);
enum berth_rsp_result berth_rsp_received(struct berth_qp *qp, int err);
void berth_rsp_ahead(struct berth_qp *qp);
enum berth_rsp_result berth_rsp_finish_receive(struct berth_qp *qp, const struct berth_rsp_tail *tail,
					       u32 length);
void berth_rsp_fail(struct berth_qp *qp, enum berth_rsp_result result);

enum berth_rsp_result berth_atomic_run(struct berth_qp *qp, const struct berth_rsp_atomic *atomic,
				       const struct berth_atomic **done);
const struct berth_atomic *berth_atomic_find(const struct berth_rq *rq, u32 psn);

/**
 * berth_rsp_range - resolve memory that the peer named
 * @qp: queue pair
 * @rkey: of the MR or memory window
 * @va: first byte
 * @length: bytes
 * @access: IB_ACCESS_REMOTE_WRITE, _READ or _ATOMIC; QP and MR must both grant it
 * @segs: receives the segment, in the responder's scratch
 *
 * Return: BERTH_RSP_OK, BERTH_RSP_ACCESS, BERTH_RSP_MOVING; BERTH_RSP_INVALID: the QP does not
 * allow this operation.
 */
static inline enum berth_rsp_result berth_rsp_range(struct berth_qp *qp, u32 rkey, u64 va, u32 length,
						    int access, struct berth_segs *segs)
{
	int ret;

	if ((qp->access & access) != access)
		return BERTH_RSP_INVALID;
	ret = berth_landing_remote(&qp->peer_keys, qp->pd, qp->qpn, rkey, va, length, access, qp->rq.seg);
	if (unlikely(ret))
		return ret == -EAGAIN ? BERTH_RSP_MOVING : BERTH_RSP_ACCESS;
	*segs = (struct berth_segs){ qp->rq.seg, 1 };
	return BERTH_RSP_OK;
}

/* What an error of moving the bytes of a request means; resolving has succeeded before. */
static inline enum berth_rsp_result berth_rsp_landed(int err)
{
	return likely(!err) ? BERTH_RSP_OK : berth_rsp_landing_error(err);
}

/* The last byte of a WRITE that consumes no receive has landed. */
static inline void berth_rsp_written(struct berth_qp *qp)
{
	qp->rq.in_message = false;
	qp->rq.msn++;
}

/**
 * berth_rsp_finish - the last byte of a SEND or WRITE has landed
 * @qp: queue pair; a receive is held where the message consumes one
 * @tail: how the message ends
 * @length: bytes of the message
 *
 * Invalidates what the message asks to invalidate, then completes the receive.
 *
 * Return: BERTH_RSP_OK, BERTH_RSP_ACCESS: the key to invalidate is not ours.
 */
static inline enum berth_rsp_result berth_rsp_finish(struct berth_qp *qp, const struct berth_rsp_tail *tail,
						     u32 length)
{
	if (tail->opcode != BERTH_WR_WRITE)
		return berth_rsp_finish_receive(qp, tail, length);
	berth_rsp_written(qp);
	return BERTH_RSP_OK;
}

#endif
