/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The responder: what a request of the peer does, whether it came as packets (rsp.c) or by the local
 * path (local.c). All under rq.lock with bottom halves disabled.
 */
#ifndef BERTH_RC_RSP_H
#define BERTH_RC_RSP_H

#include <linux/workqueue.h>
#include "../landing/landing.h"
#include "../obj/qp.h"

struct berth_packet;

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

/* act.c: what requests do */
enum berth_rsp_result berth_rsp_take(struct berth_qp *qp);
enum berth_rsp_result berth_rsp_receive(struct berth_qp *qp, u32 need, struct berth_segs *segs);
enum berth_rsp_result berth_rsp_range(struct berth_qp *qp, u32 rkey, u64 va, u32 length,
				      int access, struct berth_segs *segs);
enum berth_rsp_result berth_rsp_landed(int err);
enum berth_rsp_result berth_rsp_received(struct berth_qp *qp, int err);
void berth_rsp_ahead(struct berth_qp *qp);
enum berth_rsp_result berth_rsp_finish(struct berth_qp *qp, const struct berth_rsp_tail *tail,
				       u32 length);
void berth_rsp_fail(struct berth_qp *qp, enum berth_rsp_result result);

/* atomic.c: atomics, carried out once and remembered */
enum berth_rsp_result berth_atomic_run(struct berth_qp *qp, const struct berth_rsp_atomic *atomic,
				       const struct berth_atomic **done);
const struct berth_atomic *berth_atomic_find(const struct berth_rq *rq, u32 psn);

/* rsp.c: requests from the wire */
void berth_rsp_reset(struct berth_qp *qp, u32 psn);
enum berth_rsp_result berth_rsp_request(struct berth_qp *qp, const struct berth_packet *pkt,
					struct berth_cursor *payload);
void berth_rsp_packet(struct berth_qp *qp, const struct berth_packet *pkt,
		      struct berth_cursor *payload);
void berth_rsp_answer(struct berth_qp *qp);

/* read.c: answering READs and atomics, in softirq up to a budget, then in a worker */
enum berth_rsp_result berth_read_request(struct berth_qp *qp, const struct berth_packet *pkt);
enum berth_rsp_result berth_read_atomic(struct berth_qp *qp, const struct berth_packet *pkt,
					struct berth_cursor *payload);
void berth_read_again(struct berth_qp *qp, const struct berth_packet *pkt);
void berth_read_run(struct berth_qp *qp, u32 bursts);
void berth_rsp_work(struct work_struct *work);

#endif
