// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * ibv_post_send and ibv_post_recv: a list of work requests becomes entries of a ring, one publish
 * of the counter and at most one system call.
 *
 * Fast path. Entries are written under the queue's lock; the doorbell is rung after it, because
 * the kernel works on requests in the doorbell's context.
 */
#include <errno.h>
#include <string.h>

#include "berth.h"

enum send_kind {
	SEND_EX = 1 << 0,	/* takes immediate data or an rkey to invalidate */
	SEND_RDMA = 1 << 1,	/* takes a remote address */
	SEND_NO_INLINE = 1 << 2,
	SEND_DATAGRAM = 1 << 3,	/* can be one */
	SEND_BIND = 1 << 6,	/* a memory window */
	SEND_ATOMIC = 1 << 5,	/* takes a remote address and operands */
	SEND_NO_DATA = 1 << 4,	/* neither SGEs nor inline data, whatever the request says */
};

struct send_op {
	uint8_t opcode;		/* enum berth_wr_opcode, 0: not offered */
	uint8_t kind;
};

static const struct send_op send_ops[] = {
	[IBV_WR_RDMA_WRITE] = { BERTH_WR_WRITE, SEND_RDMA },
	[IBV_WR_RDMA_WRITE_WITH_IMM] = { BERTH_WR_WRITE_IMM, SEND_RDMA | SEND_EX },
	[IBV_WR_SEND] = { BERTH_WR_SEND, SEND_DATAGRAM },
	[IBV_WR_SEND_WITH_IMM] = { BERTH_WR_SEND_IMM, SEND_EX | SEND_DATAGRAM },
	[IBV_WR_RDMA_READ] = { BERTH_WR_READ, SEND_RDMA | SEND_NO_INLINE },
	[IBV_WR_ATOMIC_CMP_AND_SWP] = { BERTH_WR_CMP_SWP, SEND_ATOMIC | SEND_NO_INLINE },
	[IBV_WR_ATOMIC_FETCH_AND_ADD] = { BERTH_WR_FETCH_ADD, SEND_ATOMIC | SEND_NO_INLINE },
	[IBV_WR_BIND_MW] = { BERTH_WR_BIND_MW, SEND_BIND | SEND_NO_DATA },
	[IBV_WR_LOCAL_INV] = { BERTH_WR_LOCAL_INV, SEND_EX | SEND_NO_DATA },
	[IBV_WR_SEND_WITH_INV] = { BERTH_WR_SEND_INV, SEND_EX },
	[VERBS_WR_ATOMIC_WRITE] = { BERTH_WR_ATOMIC_WRITE, SEND_RDMA },
};

static inline int put_sges(struct berth_send_wqe *wqe, const struct ibv_sge *sges, uint32_t n)
{
	struct berth_sge *to = (struct berth_sge *)(wqe + 1);
	uint64_t total = 0;
	uint32_t i;

	for (i = 0; i < n; i++) {
		memcpy(&to[i], &sges[i], sizeof(to[i]));
		total += sges[i].length;
	}
	if (berth_unlikely(total > BERTH_MAX_MSG))
		return EINVAL;
	wqe->num_sge = n;
	wqe->inline_len = 0;
	return 0;
}

static inline int put_inline(struct berth_send_wqe *wqe, const struct ibv_sge *sges, uint32_t n,
			     uint32_t max)
{
	uint8_t *to = (uint8_t *)(wqe + 1);
	uint32_t total = 0;
	uint32_t i;

	for (i = 0; i < n; i++) {
		if (berth_unlikely(sges[i].length > max - total))
			return EINVAL;
		memcpy(to + total, (void *)(uintptr_t)sges[i].addr, sges[i].length);
		total += sges[i].length;
	}
	wqe->num_sge = 0;
	wqe->inline_len = total;
	return 0;
}

/* Fills the entry from @wr; the kernel does not see it until the counter is published. */
static inline int build_send(const struct berth_qp *qp, struct berth_send_wqe *wqe,
			     const struct ibv_send_wr *wr)
{
	uint32_t num_sge = wr->num_sge;		/* negative: more than any limit */
	struct send_op op;

	if (berth_unlikely((unsigned int)wr->opcode >= sizeof(send_ops) / sizeof(send_ops[0])))
		return EINVAL;
	op = send_ops[wr->opcode];
	if (berth_unlikely(!op.opcode || wr->send_flags & ~BERTH_SEND_FLAGS ||
			   num_sge > qp->sq.max_sge))
		return EINVAL;

	wqe->wr_id = wr->wr_id;
	wqe->opcode = op.opcode;
	wqe->flags = berth_wr_flags(wr->send_flags) | qp->sig_all;
	wqe->reserved0 = 0;
	/* imm_data and invalidate_rkey are one member: the bits go through as they are. */
	wqe->ex = op.kind & SEND_EX ? wr->imm_data : 0;
	if (op.kind & SEND_RDMA) {
		wqe->rkey = wr->wr.rdma.rkey;
		wqe->remote_addr = wr->wr.rdma.remote_addr;
	} else if (op.kind & SEND_ATOMIC) {
		wqe->rkey = wr->wr.atomic.rkey;
		wqe->remote_addr = wr->wr.atomic.remote_addr;
		wqe->atomic.compare_add = wr->wr.atomic.compare_add;
		wqe->atomic.swap = wr->wr.atomic.swap;
	} else {
		wqe->rkey = 0;
		wqe->remote_addr = 0;
	}
	if (qp->datagrams) {
		if (berth_unlikely(!(op.kind & SEND_DATAGRAM) || !wr->wr.ud.ah))
			return EINVAL;
		put_ud_addr(wqe, wr->wr.ud.ah, wr->wr.ud.remote_qpn, wr->wr.ud.remote_qkey);
	}

	if (op.kind & SEND_NO_DATA) {
		if (wr->send_flags & IBV_SEND_INLINE)
			return EINVAL;
		wqe->num_sge = 0;
		wqe->inline_len = 0;
		return op.kind & SEND_BIND ? berth_put_bind(wqe, wr->bind_mw.mw, wr->bind_mw.rkey,
							    &wr->bind_mw.bind_info) : 0;
	}
	if (!(wr->send_flags & IBV_SEND_INLINE))
		return put_sges(wqe, wr->sg_list, num_sge);
	if (berth_unlikely(op.kind & SEND_NO_INLINE))
		return EINVAL;
	wqe->flags |= BERTH_WR_INLINE;
	return put_inline(wqe, wr->sg_list, num_sge, qp->sq.max_inline);
}

int berth_post_send(struct ibv_qp *ibqp, struct ibv_send_wr *wr, struct ibv_send_wr **bad_wr)
{
	struct berth_qp *qp = to_bqp(ibqp);
	struct ibv_send_wr *first = wr;
	struct berth_wq *sq = &qp->sq;
	uint32_t head;
	int ret = 0;
	int err;

	if (berth_unlikely(ibqp->state < qp->sends_from)) {
		*bad_wr = wr;
		return EINVAL;
	}

	berth_lock(&sq->lock);
	for (head = sq->head; wr; wr = wr->next, head++) {
		ret = wq_is_full(sq, head) ? ENOMEM : build_send(qp, sq_entry(sq, head), wr);
		if (berth_unlikely(ret)) {
			*bad_wr = wr;
			break;
		}
	}
	if (berth_unlikely(head == sq->head)) {
		berth_unlock(&sq->lock);
		return ret;
	}
	sq->head = head;
	ring_publish(sq->prod, head);
	berth_unlock(&sq->lock);

	err = berth_ring_doorbell(qp->doorbell_fd, ibqp->qp_num | BERTH_RING_SQ);
	if (berth_unlikely(err)) {
		*bad_wr = first;
		return err;
	}
	return ret;
}

static inline int build_recv(const struct berth_wq *rq, struct berth_recv_wqe *wqe,
			     const struct ibv_recv_wr *wr)
{
	struct berth_sge *to = (struct berth_sge *)(wqe + 1);
	uint32_t num_sge = wr->num_sge;		/* negative: more than any limit */
	uint32_t i;

	if (berth_unlikely(num_sge > rq->max_sge))
		return EINVAL;
	wqe->wr_id = wr->wr_id;
	wqe->num_sge = num_sge;
	wqe->reserved = 0;
	for (i = 0; i < num_sge; i++)
		memcpy(&to[i], &wr->sg_list[i], sizeof(to[i]));
	return 0;
}

int berth_post_recv(struct ibv_qp *ibqp, struct ibv_recv_wr *wr, struct ibv_recv_wr **bad_wr)
{
	struct berth_qp *qp = to_bqp(ibqp);
	struct ibv_recv_wr *first = wr;
	struct berth_wq *rq = &qp->rq;
	uint32_t head;
	int ret = 0;
	int err;

	if (berth_unlikely(ibqp->state == IBV_QPS_RESET || ibqp->srq)) {
		*bad_wr = wr;
		return EINVAL;
	}

	berth_lock(&rq->lock);
	for (head = rq->head; wr; wr = wr->next, head++) {
		ret = wq_is_full(rq, head) ? ENOMEM : build_recv(rq, rq_entry(rq, head), wr);
		if (berth_unlikely(ret)) {
			*bad_wr = wr;
			break;
		}
	}
	if (head != rq->head) {
		rq->head = head;
		ring_publish(rq->prod, head);
	}
	berth_unlock(&rq->lock);

	/*
	 * The kernel takes receives when messages come; it asks for a doorbell only when it has to
	 * flush them. Pairs with its barrier between writing flags and reading rq_prod.
	 */
	ring_full_barrier();
	if (berth_likely(!(ring_peek(&qp->ring->flags) & BERTH_RING_RQ_DOORBELL)))
		return ret;
	err = berth_ring_doorbell(qp->doorbell_fd, ibqp->qp_num | BERTH_RING_RQ);
	if (berth_unlikely(err)) {
		*bad_wr = first;
		return err;
	}
	return ret;
}

/*
 * No system call: QPs take receives when messages come, and none is flushed with a QP. Pairs with
 * the kernel's store of the ring's head after it has copied an entry.
 */
int berth_post_srq_recv(struct ibv_srq *ibsrq, struct ibv_recv_wr *wr, struct ibv_recv_wr **bad_wr)
{
	struct berth_srq *srq = to_bsrq(ibsrq);
	struct berth_wq *wq = &srq->wq;
	uint32_t head;
	int ret = 0;

	berth_lock(&wq->lock);
	for (head = wq->head; wr; wr = wr->next, head++) {
		ret = ENOMEM;
		if (berth_likely(head - ring_observe(&srq->ring->head) < wq->max_wr))
			ret = build_recv(wq, rq_entry(wq, head), wr);
		if (berth_unlikely(ret)) {
			*bad_wr = wr;
			break;
		}
	}
	if (head != wq->head) {
		wq->head = head;
		ring_publish(wq->prod, head);
	}
	berth_unlock(&wq->lock);
	return ret;
}
