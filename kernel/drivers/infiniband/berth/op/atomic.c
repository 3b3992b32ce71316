// SPDX-License-Identifier: GPL-2.0
/*
 * Atomics at the responder: each is carried out once. What it found is kept for the last
 * BERTH_MAX_RD_ATOMIC of a connection, which is at least what its peer may have outstanding; a
 * request that comes again is answered from there (IBTA volume 1, 9.4.5 and 9.7.5.1.4).
 *
 * Words are in the byte order of this machine; they are atomic against the CPUs and all devices of
 * this host in system memory, against all devices of this host in I/O memory
 * (berth_window_atomic64()). ATOMIC WRITE, which finds nothing, is one of them: bytes that appear
 * at once, and after all that came before (annex A19).
 *
 * Context: rq.lock held, bottom halves disabled.
 */
#include "../wire/opcode.h"
#include "act.h"

static const struct berth_atomic *remember(struct berth_rq *rq, const struct berth_rsp_atomic *what,
					   u64 orig)
{
	struct berth_atomic *a = &rq->atomic[rq->atomics % BERTH_MAX_RD_ATOMIC];

	*a = (struct berth_atomic){
		.orig = orig,
		.psn = what->psn,
		.answer = what->opcode == BERTH_WR_ATOMIC_WRITE ? BERTH_RC_READ_RESPONSE_ONLY :
								  BERTH_RC_ATOMIC_ACK,
	};
	/* Counts on from a whole ring, so that a wrap never makes it look short. */
	if (++rq->atomics == 2 * BERTH_MAX_RD_ATOMIC)
		rq->atomics = BERTH_MAX_RD_ATOMIC;
	return a;
}

/**
 * berth_atomic_find - an atomic that was carried out
 * @rq: responder
 * @psn: of the request
 *
 * Return: the latest with that PSN, or NULL.
 */
const struct berth_atomic *berth_atomic_find(const struct berth_rq *rq, u32 psn)
{
	u32 i, n = min_t(u32, rq->atomics, BERTH_MAX_RD_ATOMIC);

	for (i = 1; i <= n; i++) {
		const struct berth_atomic *a = &rq->atomic[(rq->atomics - i) % BERTH_MAX_RD_ATOMIC];

		if (a->psn == psn)
			return a;
	}
	return NULL;
}

static int carry_out(struct berth_qp *qp, const struct berth_rsp_atomic *atomic,
		     struct berth_segs word, u64 *orig)
{
	*orig = 0;
	switch (atomic->opcode) {
	case BERTH_WR_ATOMIC_WRITE:
		return berth_landing_store64(qp->dev, word, atomic->operand);
	case BERTH_WR_CMP_SWP:
		return berth_landing_atomic(word, BERTH_ATOMIC_CMP_SWAP, atomic->operand,
					    atomic->compare, orig);
	default:
		return berth_landing_atomic(word, BERTH_ATOMIC_FETCH_ADD, atomic->operand, 0, orig);
	}
}

/**
 * berth_atomic_run - carry an atomic out
 * @qp: queue pair that the request came to
 * @atomic: the request, in order
 * @done: receives what it is answered with, valid while rq.lock is held
 *
 * Return: BERTH_RSP_OK; BERTH_RSP_INVALID: misaligned, or not allowed by the QP; BERTH_RSP_ACCESS,
 * BERTH_RSP_MOVING, BERTH_RSP_OPERATION. The memory is unchanged unless OK.
 */
enum berth_rsp_result berth_atomic_run(struct berth_qp *qp, const struct berth_rsp_atomic *atomic,
				       const struct berth_atomic **done)
{
	const int access = atomic->opcode == BERTH_WR_ATOMIC_WRITE ? IB_ACCESS_REMOTE_WRITE :
								     IB_ACCESS_REMOTE_ATOMIC;
	enum berth_rsp_result result;
	struct berth_segs word;
	u64 orig;
	int err;

	if (atomic->va % sizeof(u64))
		return BERTH_RSP_INVALID;
	result = berth_rsp_range(qp, atomic->rkey, atomic->va, sizeof(u64), access, &word);
	if (result)
		return result;
	err = carry_out(qp, atomic, word, &orig);
	if (err)
		return err == -EINVAL ? BERTH_RSP_INVALID : berth_rsp_landed(err);
	*done = remember(&qp->rq, atomic, orig);
	qp->rq.msn++;
	return BERTH_RSP_OK;
}
