// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * The ibv_wr_* interface: start, one call per request, one per its data, then complete or abort.
 *
 * The SQ is locked from start to complete. Requests are built behind sq.head, where the kernel
 * does not look; the first error stays and makes the rest of the batch, and its completion, fail.
 */
#include <errno.h>
#include <string.h>

#include "berth.h"

static void wr_fail(struct berth_qp *qp, int err)
{
	qp->wr_err = err;
	qp->wr_cur = NULL;
}

static inline struct berth_send_wqe *wr_begin(struct ibv_qp_ex *ibqp, uint8_t opcode)
{
	struct berth_qp *qp = to_bqp_ex(ibqp);
	struct berth_send_wqe *wqe;

	if (berth_unlikely(qp->wr_err))
		return NULL;
	if (berth_unlikely(ibqp->wr_flags & ~BERTH_SEND_FLAGS)) {
		wr_fail(qp, EINVAL);
		return NULL;
	}
	if (berth_unlikely(wq_is_full(&qp->sq, qp->wr_head))) {
		wr_fail(qp, ENOMEM);
		return NULL;
	}

	wqe = sq_entry(&qp->sq, qp->wr_head++);
	wqe->wr_id = ibqp->wr_id;
	wqe->opcode = opcode;
	/* IBV_SEND_INLINE says nothing here: the call that sets the data does. */
	wqe->flags = berth_wr_flags(ibqp->wr_flags) | qp->sig_all;
	wqe->num_sge = 0;
	wqe->reserved0 = 0;
	wqe->ex = 0;
	wqe->inline_len = 0;
	wqe->rkey = 0;
	wqe->remote_addr = 0;
	if (qp->datagrams)
		memset(&wqe->ud, 0, sizeof(wqe->ud));
	qp->wr_cur = wqe;
	return wqe;
}

static inline void wr_rdma(struct ibv_qp_ex *ibqp, uint8_t opcode, uint32_t rkey,
			   uint64_t remote_addr, uint32_t ex)
{
	struct berth_send_wqe *wqe = wr_begin(ibqp, opcode);

	if (berth_unlikely(!wqe))
		return;
	wqe->rkey = rkey;
	wqe->remote_addr = remote_addr;
	wqe->ex = ex;
}

static void wr_atomic(struct ibv_qp_ex *ibqp, uint8_t opcode, uint32_t rkey, uint64_t remote_addr,
		      uint64_t compare_add, uint64_t swap)
{
	struct berth_send_wqe *wqe = wr_begin(ibqp, opcode);

	if (berth_unlikely(!wqe))
		return;
	wqe->rkey = rkey;
	wqe->remote_addr = remote_addr;
	wqe->atomic.compare_add = compare_add;
	wqe->atomic.swap = swap;
}

static void wr_atomic_cmp_swp(struct ibv_qp_ex *ibqp, uint32_t rkey, uint64_t remote_addr,
			      uint64_t compare, uint64_t swap)
{
	wr_atomic(ibqp, BERTH_WR_CMP_SWP, rkey, remote_addr, compare, swap);
}

static void wr_atomic_fetch_add(struct ibv_qp_ex *ibqp, uint32_t rkey, uint64_t remote_addr,
				uint64_t add)
{
	wr_atomic(ibqp, BERTH_WR_FETCH_ADD, rkey, remote_addr, add, 0);
}

/* The eight bytes travel inline, for which there is room in any queue. */
static void wr_atomic_write(struct ibv_qp_ex *ibqp, uint32_t rkey, uint64_t remote_addr,
			    const void *atomic_wr)
{
	struct berth_send_wqe *wqe = wr_begin(ibqp, BERTH_WR_ATOMIC_WRITE);

	if (berth_unlikely(!wqe))
		return;
	wqe->rkey = rkey;
	wqe->remote_addr = remote_addr;
	wqe->flags |= BERTH_WR_INLINE;
	wqe->inline_len = 8;
	memcpy(wqe + 1, atomic_wr, 8);
}

static void wr_bind_mw(struct ibv_qp_ex *ibqp, struct ibv_mw *mw, uint32_t rkey,
		       const struct ibv_mw_bind_info *info)
{
	struct berth_send_wqe *wqe = wr_begin(ibqp, BERTH_WR_BIND_MW);

	if (berth_unlikely(!wqe))
		return;
	if (berth_unlikely(berth_put_bind(wqe, mw, rkey, info)))
		wr_fail(to_bqp_ex(ibqp), EINVAL);
}

static void wr_local_inv(struct ibv_qp_ex *ibqp, uint32_t invalidate_rkey)
{
	struct berth_send_wqe *wqe = wr_begin(ibqp, BERTH_WR_LOCAL_INV);

	if (berth_likely(wqe))
		wqe->ex = invalidate_rkey;
}

static void wr_rdma_read(struct ibv_qp_ex *ibqp, uint32_t rkey, uint64_t remote_addr)
{
	wr_rdma(ibqp, BERTH_WR_READ, rkey, remote_addr, 0);
}

static void wr_rdma_write(struct ibv_qp_ex *ibqp, uint32_t rkey, uint64_t remote_addr)
{
	wr_rdma(ibqp, BERTH_WR_WRITE, rkey, remote_addr, 0);
}

static void wr_rdma_write_imm(struct ibv_qp_ex *ibqp, uint32_t rkey, uint64_t remote_addr,
			      __be32 imm_data)
{
	wr_rdma(ibqp, BERTH_WR_WRITE_IMM, rkey, remote_addr, imm_data);
}

static void wr_send(struct ibv_qp_ex *ibqp)
{
	wr_begin(ibqp, BERTH_WR_SEND);
}

static void wr_send_imm(struct ibv_qp_ex *ibqp, __be32 imm_data)
{
	struct berth_send_wqe *wqe = wr_begin(ibqp, BERTH_WR_SEND_IMM);

	if (berth_likely(wqe))
		wqe->ex = imm_data;
}

static void wr_send_inv(struct ibv_qp_ex *ibqp, uint32_t invalidate_rkey)
{
	struct berth_send_wqe *wqe = wr_begin(ibqp, BERTH_WR_SEND_INV);

	if (berth_likely(wqe))
		wqe->ex = invalidate_rkey;
}

static void wr_set_sge(struct ibv_qp_ex *ibqp, uint32_t lkey, uint64_t addr, uint32_t length)
{
	struct berth_qp *qp = to_bqp_ex(ibqp);
	struct berth_sge *to;

	if (berth_unlikely(!qp->wr_cur))
		return;
	if (berth_unlikely(length > BERTH_MAX_MSG || !qp->sq.max_sge)) {
		wr_fail(qp, EINVAL);
		return;
	}
	to = (struct berth_sge *)(qp->wr_cur + 1);
	to->addr = addr;
	to->length = length;
	to->lkey = lkey;
	qp->wr_cur->num_sge = 1;
}

static void wr_set_sge_list(struct ibv_qp_ex *ibqp, size_t num_sge, const struct ibv_sge *sges)
{
	struct berth_qp *qp = to_bqp_ex(ibqp);
	struct berth_sge *to;
	uint64_t total = 0;
	size_t i;

	if (berth_unlikely(!qp->wr_cur))
		return;
	if (berth_unlikely(num_sge > qp->sq.max_sge)) {
		wr_fail(qp, EINVAL);
		return;
	}
	to = (struct berth_sge *)(qp->wr_cur + 1);
	for (i = 0; i < num_sge; i++) {
		memcpy(&to[i], &sges[i], sizeof(to[i]));
		total += sges[i].length;
	}
	if (berth_unlikely(total > BERTH_MAX_MSG)) {
		wr_fail(qp, EINVAL);
		return;
	}
	qp->wr_cur->num_sge = num_sge;
}

static void wr_set_inline_data_list(struct ibv_qp_ex *ibqp, size_t num_buf,
				    const struct ibv_data_buf *bufs)
{
	struct berth_qp *qp = to_bqp_ex(ibqp);
	struct berth_send_wqe *wqe = qp->wr_cur;
	uint32_t total = 0;
	size_t i;

	if (berth_unlikely(!wqe))
		return;
	if (berth_unlikely(wqe->opcode == BERTH_WR_READ || wqe->opcode == BERTH_WR_CMP_SWP ||
			   wqe->opcode == BERTH_WR_FETCH_ADD)) {
		wr_fail(qp, EINVAL);
		return;
	}
	for (i = 0; i < num_buf; i++) {
		if (berth_unlikely(bufs[i].length > qp->sq.max_inline - total)) {
			wr_fail(qp, EINVAL);
			return;
		}
		memcpy((uint8_t *)(wqe + 1) + total, bufs[i].addr, bufs[i].length);
		total += bufs[i].length;
	}
	wqe->flags |= BERTH_WR_INLINE;
	wqe->inline_len = total;
}

static void wr_set_inline_data(struct ibv_qp_ex *ibqp, void *addr, size_t length)
{
	const struct ibv_data_buf buf = { .addr = addr, .length = length };

	wr_set_inline_data_list(ibqp, 1, &buf);
}

static void wr_set_ud_addr(struct ibv_qp_ex *ibqp, struct ibv_ah *ah, uint32_t remote_qpn,
			   uint32_t remote_qkey)
{
	struct berth_qp *qp = to_bqp_ex(ibqp);

	if (berth_unlikely(!qp->wr_cur))
		return;
	put_ud_addr(qp->wr_cur, ah, remote_qpn, remote_qkey);
}

static void wr_start(struct ibv_qp_ex *ibqp)
{
	struct berth_qp *qp = to_bqp_ex(ibqp);

	berth_lock(&qp->sq.lock);
	qp->wr_head = qp->sq.head;
	qp->wr_err = qp->vqp.qp.state < qp->sends_from ? EINVAL : 0;
	qp->wr_cur = NULL;
}

static int wr_complete(struct ibv_qp_ex *ibqp)
{
	struct berth_qp *qp = to_bqp_ex(ibqp);
	struct berth_wq *sq = &qp->sq;
	int err = qp->wr_err;

	if (berth_unlikely(err || qp->wr_head == sq->head)) {
		berth_unlock(&sq->lock);
		return err;
	}
	sq->head = qp->wr_head;
	ring_publish(sq->prod, sq->head);
	berth_unlock(&sq->lock);
	return berth_ring_doorbell(qp->doorbell_fd, qp->vqp.qp.qp_num | BERTH_RING_SQ);
}

static void wr_abort(struct ibv_qp_ex *ibqp)
{
	berth_unlock(&to_bqp_ex(ibqp)->sq.lock);
}

/**
 * berth_qp_set_wr_ops - offer the ibv_wr_* interface
 * @vqp: a new QP, marked
 * @send_ops: enum ibv_qp_create_send_ops_flags, a part of BERTH_SEND_OPS
 */
void berth_qp_set_wr_ops(struct verbs_qp *vqp, uint64_t send_ops)
{
	struct ibv_qp_ex *ibqp = &vqp->qp_ex;

	ibqp->wr_start = wr_start;
	ibqp->wr_complete = wr_complete;
	ibqp->wr_abort = wr_abort;
	if (to_bqp_ex(ibqp)->datagrams)
		ibqp->wr_set_ud_addr = wr_set_ud_addr;
	ibqp->wr_set_sge = wr_set_sge;
	ibqp->wr_set_sge_list = wr_set_sge_list;
	ibqp->wr_set_inline_data = wr_set_inline_data;
	ibqp->wr_set_inline_data_list = wr_set_inline_data_list;
	if (send_ops & IBV_QP_EX_WITH_ATOMIC_CMP_AND_SWP)
		ibqp->wr_atomic_cmp_swp = wr_atomic_cmp_swp;
	if (send_ops & IBV_QP_EX_WITH_ATOMIC_FETCH_AND_ADD)
		ibqp->wr_atomic_fetch_add = wr_atomic_fetch_add;
	if (send_ops & VERBS_QP_EX_WITH_ATOMIC_WRITE)
		verbs_qp_set_atomic_write(vqp, wr_atomic_write);
	if (send_ops & IBV_QP_EX_WITH_BIND_MW)
		ibqp->wr_bind_mw = wr_bind_mw;
	if (send_ops & IBV_QP_EX_WITH_LOCAL_INV)
		ibqp->wr_local_inv = wr_local_inv;
	if (send_ops & IBV_QP_EX_WITH_RDMA_READ)
		ibqp->wr_rdma_read = wr_rdma_read;
	if (send_ops & IBV_QP_EX_WITH_RDMA_WRITE)
		ibqp->wr_rdma_write = wr_rdma_write;
	if (send_ops & IBV_QP_EX_WITH_RDMA_WRITE_WITH_IMM)
		ibqp->wr_rdma_write_imm = wr_rdma_write_imm;
	if (send_ops & IBV_QP_EX_WITH_SEND)
		ibqp->wr_send = wr_send;
	if (send_ops & IBV_QP_EX_WITH_SEND_WITH_IMM)
		ibqp->wr_send_imm = wr_send_imm;
	if (send_ops & IBV_QP_EX_WITH_SEND_WITH_INV)
		ibqp->wr_send_inv = wr_send_inv;
}
