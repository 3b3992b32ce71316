/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Local operations: work requests that send nothing (LOCAL_INV, BIND_MW, REG_MR).
 *
 * One is carried out when sq.next comes to it: everything before it has been sent, nothing behind
 * it has. It takes no PSN and is carried out once, however often the requester goes back over it. It
 * completes in order, when it is the oldest work request. With a fence it waits until everything
 * before it has completed (IBTA volume 1, 10.8.3 and 11.4.1.1).
 *
 * Context: sq.lock held, bottom halves disabled.
 */
#ifndef BERTH_OP_LOCAL_OP_H
#define BERTH_OP_LOCAL_OP_H

#include "../obj/qp.h"

static inline bool berth_local_op_is(const struct berth_swqe *wqe)
{
	return wqe->opcode >= BERTH_WR_LOCAL_INV && wqe->opcode <= BERTH_WR_REG_MR;
}

u32 berth_local_op_step(struct berth_qp *qp);
void berth_local_op_settle(struct berth_qp *qp);

#endif
