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

struct berth_swqe *berth_req_next(struct berth_qp *qp);
void berth_req_fail(struct berth_qp *qp, enum ib_wc_status status);
bool berth_req_rnr_left(struct berth_qp *qp);
bool berth_req_drained(struct berth_qp *qp);
void berth_req_wait(struct berth_qp *qp, u32 usec);
void berth_req_wait_moving(struct berth_qp *qp);
int berth_req_source(struct berth_qp *qp, struct berth_swqe *wqe, int access);
int berth_req_prepare(struct berth_qp *qp, struct berth_swqe *wqe, struct berth_segs segs,
		      u32 offset, u32 length, bool write);

#endif
