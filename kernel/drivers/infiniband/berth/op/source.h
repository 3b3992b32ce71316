/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a work request needs at the requester, whichever service carries it: its memory, waiting until
 * that is there, and failing.
 *
 * Context: sq.lock held, bottom halves disabled.
 */
#ifndef BERTH_OP_SOURCE_H
#define BERTH_OP_SOURCE_H

#include "../landing/landing.h"
#include "../obj/qp.h"

/* What handling a WQE costs besides its bytes, for budgets. */
#define BERTH_WQE_COST		512

/* Has somebody waited for what was outstanding? A WQE that is bad, or whoever brought the QP to SQD. */
static inline bool berth_req_is_awaited(const struct berth_sq *sq)
{
	return sq->tail == sq->next && (sq->draining || sq->next != sq->head);
}

void berth_req_set_timeout(struct berth_sq *sq, u8 code);
struct berth_swqe *berth_req_next(struct berth_qp *qp);
void berth_req_fail(struct berth_qp *qp, enum ib_wc_status status);
bool berth_req_rnr_left(struct berth_qp *qp);
bool berth_req_drained(struct berth_qp *qp);
void berth_req_wait(struct berth_qp *qp, u32 usec);
void berth_req_wait_moving(struct berth_qp *qp);
int berth_req_source_error(struct berth_qp *qp, struct berth_swqe *wqe, int err);
int berth_req_fetch(struct berth_qp *qp, struct berth_swqe *wqe, struct berth_segs segs,
		    u32 offset, u32 length, bool write);

/**
 * berth_req_source - resolve a WQE's memory into the requester's scratch
 * @qp: queue pair, sq.lock held
 * @wqe: private copy
 * @access: 0 to read it (SEND, WRITE), IB_ACCESS_LOCAL_WRITE to write it (READ)
 *
 * A failure is noted in the WQE's status, or the requester waits for memory that is moving.
 *
 * Return: the number of segments in sq.seg, or a negative errno.
 */
static inline int berth_req_source(struct berth_qp *qp, struct berth_swqe *wqe, int access)
{
	struct berth_sq *sq = &qp->sq;
	int ret;

	if (wqe->flags & BERTH_WR_INLINE) {
		sq->seg[0] = (struct berth_seg){
			.bytes = (const u8 *)wqe->sge,
			.length = wqe->length,
		};
		return 1;
	}
	ret = berth_landing_resolve(&qp->own_keys, qp->pd, wqe->sge, wqe->num_sge, wqe->length, access, sq->seg);
	return likely(ret >= 0) ? ret : berth_req_source_error(qp, wqe, ret);
}

/**
 * berth_req_prepare - see that a WQE's memory is there, where it is paged on demand
 * @qp: queue pair, sq.lock held
 * @wqe: private copy
 * @segs: from berth_req_source()
 * @offset: of the message
 * @length: bytes that will be accessed at once
 * @write: they will be written
 *
 * A failure is noted in the WQE's status, or the requester waits.
 *
 * Return: 0 or a negative errno.
 */
static inline int berth_req_prepare(struct berth_qp *qp, struct berth_swqe *wqe, struct berth_segs segs,
				    u32 offset, u32 length, bool write)
{
	if (likely(!segs.count || !segs.seg->paged))
		return 0;
	return berth_req_fetch(qp, wqe, segs, offset, length, write);
}

#endif
