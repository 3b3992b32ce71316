// SPDX-License-Identifier: GPL-2.0
/*
 * Posting and polling for kernel consumers, see kernel_verbs.h.
 *
 * A consumer's end of a ring is what the provider's is for a process: it writes entries, then the
 * producer counter of a queue; it reads entries, then moves the consumer counter of a CQ. The room
 * in a queue is known better here: an entry is free as soon as it was taken (RQ) or is done (SQ).
 *
 * Context: any, but for init and shutdown.
 */
#include <linux/slab.h>
#include <rdma/berth-abi.h>
#include "ah.h"
#include "cq.h"
#include "kernel_verbs.h"
#include "qp.h"
#include "srq.h"

#define SEND_FLAGS	(IB_SEND_FENCE | IB_SEND_SIGNALED | IB_SEND_SOLICITED | IB_SEND_INLINE)

static void ring_work(struct work_struct *work)
{
	struct berth_kqp *kqp = container_of(work, struct berth_kqp, work);

	berth_qp_ring(kqp->qp, BERTH_RING_SQ | BERTH_RING_RQ);
}

/**
 * berth_kqp_init - let a kernel consumer post to a QP
 * @qp: queue pair that nobody knows yet
 *
 * Context: process. Return: 0 or -ENOMEM; kfree(qp->kernel) undoes it.
 */
int berth_kqp_init(struct berth_qp *qp)
{
	struct berth_kqp *kqp = kzalloc(sizeof(*kqp), GFP_KERNEL);

	if (!kqp)
		return -ENOMEM;
	kqp->qp = qp;
	spin_lock_init(&kqp->sq_lock);
	spin_lock_init(&kqp->rq_lock);
	INIT_WORK(&kqp->work, ring_work);
	qp->kernel = kqp;
	return 0;
}

/**
 * berth_kqp_shutdown - the consumer posts no more
 * @qp: queue pair of a kernel consumer or a process
 *
 * Context: process.
 */
void berth_kqp_shutdown(struct berth_qp *qp)
{
	if (qp->kernel)
		cancel_work_sync(&qp->kernel->work);
}

static void put_sges(void *to, const struct ib_sge *sges, u32 n)
{
	static_assert(sizeof(struct berth_sge) == sizeof(struct ib_sge) &&
		      offsetof(struct berth_sge, addr) == offsetof(struct ib_sge, addr) &&
		      offsetof(struct berth_sge, length) == offsetof(struct ib_sge, length) &&
		      offsetof(struct berth_sge, lkey) == offsetof(struct ib_sge, lkey));
	memcpy(to, sges, n * sizeof(*sges));
}

/* Addresses of inline data are the consumer's own. */
static int put_inline(struct berth_send_wqe *wqe, const struct ib_send_wr *wr, u32 max)
{
	void *to = wqe + 1;
	u32 total = 0;
	int i;

	for (i = 0; i < wr->num_sge; i++) {
		const struct ib_sge *sge = &wr->sg_list[i];

		if (sge->length > max - total)
			return -EINVAL;
		memcpy(to + total, (const void *)(uintptr_t)sge->addr, sge->length);
		total += sge->length;
	}
	wqe->flags |= BERTH_WR_INLINE;
	wqe->inline_len = total;
	return 0;
}

static int put_data(const struct berth_qp *qp, struct berth_send_wqe *wqe,
		    const struct ib_send_wr *wr)
{
	if (wr->num_sge < 0 || wr->num_sge > qp->cap.max_send_sge)
		return -EINVAL;
	if (wr->send_flags & IB_SEND_INLINE)
		return put_inline(wqe, wr, qp->cap.max_inline_data);
	wqe->num_sge = wr->num_sge;
	put_sges(wqe + 1, wr->sg_list, wr->num_sge);
	return 0;
}

static u8 wqe_flags(int send_flags)
{
	return (send_flags & IB_SEND_SIGNALED ? BERTH_WR_SIGNALED : 0) |
	       (send_flags & IB_SEND_SOLICITED ? BERTH_WR_SOLICITED : 0) |
	       (send_flags & IB_SEND_FENCE ? BERTH_WR_FENCE : 0);
}

static void put_rdma(struct berth_send_wqe *wqe, u8 opcode, const struct ib_send_wr *wr)
{
	wqe->opcode = opcode;
	wqe->remote_addr = rdma_wr(wr)->remote_addr;
	wqe->rkey = rdma_wr(wr)->rkey;
}

static int put_datagram(struct berth_send_wqe *wqe, const struct ib_send_wr *wr)
{
	const struct ib_ud_wr *ud = ud_wr(wr);

	if (!ud->ah)
		return -EINVAL;
	wqe->ud.ah = berth_ah(ud->ah)->number;
	wqe->ud.qpn = ud->remote_qpn;
	wqe->ud.qkey = ud->remote_qkey;
	return 0;
}

static void put_atomic(struct berth_send_wqe *wqe, u8 opcode, const struct ib_send_wr *wr)
{
	wqe->opcode = opcode;
	wqe->remote_addr = atomic_wr(wr)->remote_addr;
	wqe->rkey = atomic_wr(wr)->rkey;
	wqe->atomic.compare_add = atomic_wr(wr)->compare_add;
	wqe->atomic.swap = atomic_wr(wr)->swap;
}

/* What the opcode brings. */
static int put_operation(const struct berth_qp *qp, struct berth_send_wqe *wqe,
			 const struct ib_send_wr *wr)
{
	switch (wr->opcode) {
	case IB_WR_SEND:
		wqe->opcode = BERTH_WR_SEND;
		break;
	case IB_WR_SEND_WITH_IMM:
		wqe->opcode = BERTH_WR_SEND_IMM;
		wqe->ex = (__force u32)wr->ex.imm_data;
		break;
	case IB_WR_SEND_WITH_INV:
		wqe->opcode = BERTH_WR_SEND_INV;
		wqe->ex = wr->ex.invalidate_rkey;
		break;
	case IB_WR_ATOMIC_CMP_AND_SWP:
		put_atomic(wqe, BERTH_WR_CMP_SWP, wr);
		break;
	case IB_WR_ATOMIC_FETCH_AND_ADD:
		put_atomic(wqe, BERTH_WR_FETCH_ADD, wr);
		break;
	case IB_WR_LOCAL_INV:
		wqe->opcode = BERTH_WR_LOCAL_INV;
		wqe->ex = wr->ex.invalidate_rkey;
		break;
	case IB_WR_REG_MR:
		wqe->opcode = BERTH_WR_REG_MR;
		wqe->rkey = reg_wr(wr)->key;
		wqe->ex = reg_wr(wr)->access;
		return reg_wr(wr)->mr->rkey >> 8 == wqe->rkey >> 8 ? 0 : -EINVAL;
	case IB_WR_RDMA_WRITE:
		put_rdma(wqe, BERTH_WR_WRITE, wr);
		break;
	case IB_WR_RDMA_WRITE_WITH_IMM:
		put_rdma(wqe, BERTH_WR_WRITE_IMM, wr);
		wqe->ex = (__force u32)wr->ex.imm_data;
		break;
	case IB_WR_RDMA_READ:
		put_rdma(wqe, BERTH_WR_READ, wr);
		break;
	case IB_WR_ATOMIC_WRITE:
		put_rdma(wqe, BERTH_WR_ATOMIC_WRITE, wr);
		break;
	default:
		return -EINVAL;
	}
	return 0;
}

static int build_send(const struct berth_qp *qp, struct berth_send_wqe *wqe,
		      const struct ib_send_wr *wr)
{
	int err;

	if (wr->send_flags & ~SEND_FLAGS)
		return -EINVAL;
	*wqe = (struct berth_send_wqe) {
		.wr_id = wr->wr_id,
		.flags = wqe_flags(wr->send_flags),
	};
	err = put_operation(qp, wqe, wr);
	if (!err && (qp->ib->qp_type == IB_QPT_UD || qp->ib->qp_type == IB_QPT_GSI))
		err = put_datagram(wqe, wr);
	return err ?: put_data(qp, wqe, wr);
}

/**
 * berth_post_send - ib_device_ops.post_send
 * @ib: QP of a kernel consumer
 * @wr: list of requests
 * @bad: receives the first that was not posted
 *
 * Context: any.
 * Return: 0; -EINVAL: a request that the QP cannot have, or its state takes none; -ENOMEM: full.
 */
int berth_post_send(struct ib_qp *ib, const struct ib_send_wr *wr, const struct ib_send_wr **bad)
{
	struct berth_qp *qp = berth_qp(ib);
	struct berth_sq *sq = &qp->sq;
	unsigned long flags;
	int err = 0;
	u32 prod;

	if (READ_ONCE(qp->state) < IB_QPS_RTS) {
		*bad = wr;
		return -EINVAL;
	}
	spin_lock_irqsave(&qp->kernel->sq_lock, flags);
	for (prod = qp->ring->sq_prod; wr; wr = wr->next, prod++) {
		struct berth_send_wqe *wqe = berth_sq_entry(sq, prod);

		/* Acquire: the entry that was there has been copied. */
		if (prod - smp_load_acquire(&sq->tail) >= qp->cap.max_send_wr)
			err = -ENOMEM;
		else
			err = build_send(qp, wqe, wr);
		if (err) {
			*bad = wr;
			break;
		}
	}
	/* Pairs with the acquire of berth_sq_fetch(): entries are whole before that. */
	smp_store_release(&qp->ring->sq_prod, prod);
	spin_unlock_irqrestore(&qp->kernel->sq_lock, flags);
	queue_work(berth_qp_wq, &qp->kernel->work);
	return err;
}

static int build_recv(struct berth_recv_wqe *wqe, const struct ib_recv_wr *wr, int max_sge)
{
	if (wr->num_sge < 0 || wr->num_sge > max_sge)
		return -EINVAL;
	*wqe = (struct berth_recv_wqe) {
		.wr_id = wr->wr_id,
		.num_sge = wr->num_sge,
	};
	put_sges(wqe + 1, wr->sg_list, wr->num_sge);
	return 0;
}

/**
 * berth_post_recv - ib_device_ops.post_recv
 * @ib: QP of a kernel consumer
 * @wr: list of requests
 * @bad: receives the first that was not posted
 *
 * Context: any.
 * Return: 0; -EINVAL: a request that the QP cannot have, or in RESET; -ENOMEM: full.
 */
int berth_post_recv(struct ib_qp *ib, const struct ib_recv_wr *wr, const struct ib_recv_wr **bad)
{
	struct berth_qp *qp = berth_qp(ib);
	struct berth_rq *rq = &qp->rq;
	unsigned long flags;
	int err = 0;
	u32 prod;

	if (READ_ONCE(qp->state) == IB_QPS_RESET) {
		*bad = wr;
		return -EINVAL;
	}
	spin_lock_irqsave(&qp->kernel->rq_lock, flags);
	for (prod = qp->ring->rq_prod; wr; wr = wr->next, prod++) {
		struct berth_recv_wqe *wqe = berth_rq_entry(rq, prod);

		/* Acquire: the entry that was there has been copied. */
		if (prod - smp_load_acquire(&rq->head) >= qp->cap.max_recv_wr)
			err = -ENOMEM;
		else
			err = build_recv(wqe, wr, qp->cap.max_recv_sge);
		if (err) {
			*bad = wr;
			break;
		}
	}
	/* Pairs with the acquire of berth_rq_take(). */
	smp_store_release(&qp->ring->rq_prod, prod);
	spin_unlock_irqrestore(&qp->kernel->rq_lock, flags);

	/* Pairs with the barrier between flags and rq_prod in qp_state.c. */
	smp_mb();
	if (READ_ONCE(qp->ring->flags) & BERTH_RING_RQ_DOORBELL)
		queue_work(berth_qp_wq, &qp->kernel->work);
	return err;
}

/**
 * berth_post_srq_recv - ib_device_ops.post_srq_recv
 * @ib: SRQ of a kernel consumer
 * @wr: list of requests
 * @bad: receives the first that was not posted
 *
 * Context: any. Return: 0; -EINVAL: a request that the SRQ cannot have; -ENOMEM: full.
 */
int berth_post_srq_recv(struct ib_srq *ib, const struct ib_recv_wr *wr,
			const struct ib_recv_wr **bad)
{
	struct berth_srq *srq = berth_srq(ib);
	struct berth_srq_ring *header = srq->header;
	unsigned long flags;
	int err = 0;
	u32 prod;

	spin_lock_irqsave(&srq->post_lock, flags);
	for (prod = header->prod; wr; wr = wr->next, prod++) {
		/* Acquire: the entry that was there has been copied. */
		if (prod - smp_load_acquire(&header->head) >= srq->max_wr)
			err = -ENOMEM;
		else
			err = build_recv(berth_srq_entry(srq, prod), wr, srq->max_sge);
		if (err) {
			*bad = wr;
			break;
		}
	}
	/* Pairs with the acquire of berth_srq_posted(). */
	smp_store_release(&header->prod, prod);
	spin_unlock_irqrestore(&srq->post_lock, flags);
	return err;
}

static enum ib_wc_opcode wc_opcode(const struct berth_cqe *cqe)
{
	static const enum ib_wc_opcode sends[] = {
		[BERTH_WR_SEND] = IB_WC_SEND,
		[BERTH_WR_SEND_IMM] = IB_WC_SEND,
		[BERTH_WR_SEND_INV] = IB_WC_SEND,
		[BERTH_WR_WRITE] = IB_WC_RDMA_WRITE,
		[BERTH_WR_WRITE_IMM] = IB_WC_RDMA_WRITE,
		[BERTH_WR_READ] = IB_WC_RDMA_READ,
		[BERTH_WR_CMP_SWP] = IB_WC_COMP_SWAP,
		[BERTH_WR_FETCH_ADD] = IB_WC_FETCH_ADD,
		[BERTH_WR_LOCAL_INV] = IB_WC_LOCAL_INV,
		[BERTH_WR_BIND_MW] = IB_WC_BIND_MW,
		[BERTH_WR_REG_MR] = IB_WC_REG_MR,
		[BERTH_WR_ATOMIC_WRITE] = IB_WC_ATOMIC_WRITE,
	};

	if (cqe->flags & BERTH_CQE_RECV)
		return cqe->opcode == BERTH_WR_WRITE_IMM ? IB_WC_RECV_RDMA_WITH_IMM : IB_WC_RECV;
	return cqe->opcode < ARRAY_SIZE(sends) ? sends[cqe->opcode] : IB_WC_SEND;
}

/* False: the QP is gone, and its completions with it. */
static bool to_wc(const struct berth_cqe *cqe, struct ib_wc *wc)
{
	struct berth_qp *qp = berth_qp_get(cqe->qpn);

	if (!qp)
		return false;
	*wc = (struct ib_wc) {
		.wr_id = cqe->wr_id,
		.status = cqe->status,
		.opcode = wc_opcode(cqe),
		.vendor_err = cqe->vendor_err,
		.byte_len = cqe->byte_len,
		.qp = qp->ib,
		.src_qp = cqe->src_qp,
		.pkey_index = cqe->pkey_index,
		.port_num = 1,
	};
	berth_qp_put(qp);
	if (cqe->flags & BERTH_CQE_IMM) {
		wc->wc_flags |= IB_WC_WITH_IMM;
		wc->ex.imm_data = (__force __be32)cqe->ex;
	} else if (cqe->flags & BERTH_CQE_INV) {
		wc->wc_flags |= IB_WC_WITH_INVALIDATE;
		wc->ex.invalidate_rkey = cqe->ex;
	}
	if (cqe->flags & BERTH_CQE_GRH) {
		wc->wc_flags |= IB_WC_GRH | IB_WC_WITH_NETWORK_HDR_TYPE;
		wc->network_hdr_type = cqe->flags & BERTH_CQE_IPV4 ? RDMA_NETWORK_IPV4 : RDMA_NETWORK_IPV6;
	}
	if (cqe->flags & BERTH_CQE_VLAN) {
		wc->wc_flags |= IB_WC_WITH_VLAN;
		wc->vlan_id = cqe->vlan_id;
	}
	return true;
}

/**
 * berth_poll_cq - ib_device_ops.poll_cq
 * @ib: CQ of a kernel consumer
 * @max: completions wanted
 * @wc: room for them
 *
 * Context: any. Return: how many there were, at most @max.
 */
int berth_poll_cq(struct ib_cq *ib, int max, struct ib_wc *wc)
{
	struct berth_cq *cq = berth_cq(ib);
	unsigned long flags;
	u32 cons;
	int n = 0;

	spin_lock_irqsave(&cq->poll_lock, flags);
	cons = cq->ring->cons;
	/* Acquire: pairs with the release of prod after the entry. */
	while (n < max && cons != smp_load_acquire(&cq->ring->prod)) {
		n += to_wc(&cq->cqes[cons & (cq->entries - 1)], &wc[n]);
		cons++;
	}
	/* Pairs with the acquire in has_room(): the entries may be overwritten. */
	smp_store_release(&cq->ring->cons, cons);
	spin_unlock_irqrestore(&cq->poll_lock, flags);
	return n;
}

/**
 * berth_req_notify_cq - ib_device_ops.req_notify_cq
 * @ib: CQ of a kernel consumer
 * @flags: which completions to tell of, and whether to say that some are there already
 *
 * Context: any. Return: 0; 1: IB_CQ_REPORT_MISSED_EVENTS, and there are completions to poll.
 */
int berth_req_notify_cq(struct ib_cq *ib, enum ib_cq_notify_flags flags)
{
	struct berth_cq_ring *ring = berth_cq(ib)->ring;

	if ((flags & IB_CQ_SOLICITED_MASK) == IB_CQ_SOLICITED)
		cmpxchg(&ring->arm, BERTH_CQ_ARM_NONE, BERTH_CQ_ARM_SOLICITED);
	else
		WRITE_ONCE(ring->arm, BERTH_CQ_ARM_ANY);
	/* Pairs with the barrier in take_arm(): either it sees the arm, or we see the entry. */
	smp_mb();
	if (!(flags & IB_CQ_REPORT_MISSED_EVENTS))
		return 0;
	return READ_ONCE(ring->prod) != READ_ONCE(ring->cons);
}
