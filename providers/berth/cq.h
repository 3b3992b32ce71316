/* SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB */
/*
 * Taking completions out of a CQ and reading them, for both polling interfaces (cq.c, cq_ex.c).
 * Everything here runs under the CQ's lock.
 */
#ifndef BERTH_CQ_H
#define BERTH_CQ_H

#include "berth.h"

/* The next completion, or NULL. It stays readable until cq_publish(). */
static inline struct berth_cqe *cq_next(struct berth_cq *cq)
{
	if (cq->cons == cq->prod) {
		cq->prod = ring_observe(&cq->ring->prod);
		if (cq->cons == cq->prod)
			return NULL;
	}
	return &cq->cqes[cq->cons++ & cq->mask];
}

/* Gives the entries that were read back to the kernel. */
static inline void cq_publish(struct berth_cq *cq)
{
	ring_publish(&cq->ring->cons, cq->cons);
}

/*
 * The work request of @cqe and all before it in its queue are done: their entries may be posted
 * again. The publish hands that on to the poster, who may be another thread.
 */
static inline void cq_retire(struct berth_cq *cq, const struct berth_cqe *cqe)
{
	struct berth_qp *qp = cq->last_qp;
	struct berth_wq *wq;

	if (berth_unlikely(!qp || qp->vqp.qp.qp_num != cqe->qpn)) {
		qp = berth_qp_find(to_bctx(cq->vcq.cq.context), cqe->qpn);
		if (!qp)
			return;
		cq->last_qp = qp;
	}
	wq = cqe->flags & BERTH_CQE_RECV ? &qp->rq : &qp->sq;
	ring_publish(&wq->tail, cqe->index + 1);
}

static inline enum ibv_wc_opcode cqe_wc_opcode(const struct berth_cqe *cqe)
{
	static const uint8_t send_opcodes[16] = {
		[BERTH_WR_SEND] = IBV_WC_SEND,
		[BERTH_WR_SEND_IMM] = IBV_WC_SEND,
		[BERTH_WR_SEND_INV] = IBV_WC_SEND,
		[BERTH_WR_WRITE] = IBV_WC_RDMA_WRITE,
		[BERTH_WR_WRITE_IMM] = IBV_WC_RDMA_WRITE,
		[BERTH_WR_READ] = IBV_WC_RDMA_READ,
		[BERTH_WR_CMP_SWP] = IBV_WC_COMP_SWAP,
		[BERTH_WR_FETCH_ADD] = IBV_WC_FETCH_ADD,
		[BERTH_WR_LOCAL_INV] = IBV_WC_LOCAL_INV,
		[BERTH_WR_BIND_MW] = IBV_WC_BIND_MW,
		[BERTH_WR_ATOMIC_WRITE] = VERBS_WC_ATOMIC_WRITE,
	};

	if (cqe->flags & BERTH_CQE_RECV)
		return cqe->opcode == BERTH_WR_WRITE_IMM ? IBV_WC_RECV_RDMA_WITH_IMM :
							   IBV_WC_RECV;
	return send_opcodes[cqe->opcode & 15];
}

static inline unsigned int cqe_wc_flags(const struct berth_cqe *cqe)
{
	static_assert(IBV_WC_GRH == 1 && BERTH_CQE_GRH == 8 && IBV_WC_WITH_IMM == 2 &&
		      BERTH_CQE_IMM == 2 && IBV_WC_WITH_INV == 8 && BERTH_CQE_INV == 4,
		      "flags moved");

	return (cqe->flags & BERTH_CQE_IMM) | (cqe->flags & BERTH_CQE_INV) << 1 |
	       (cqe->flags & BERTH_CQE_GRH) >> 3;
}

/*
 * There are no service levels on Ethernet, and a datagram's completion has to tell which header came with it (IBTA annex
 * A17, 17.4.5.1), for which the verbs have no field. Adapters put it there, and programs look for it there (UCX): 8 says
 * RoCEv2, 1 IPv6, 2 IPv4.
 */
static inline uint8_t cqe_sl(const struct berth_cqe *cqe)
{
	if (!(cqe->flags & BERTH_CQE_GRH))
		return 0;
	return 8 | (cqe->flags & BERTH_CQE_IPV4 ? 2 : 1);
}

#endif
