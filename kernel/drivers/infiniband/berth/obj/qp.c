// SPDX-License-Identifier: GPL-2.0
/*
 * Queue pairs: create, find, ring, query, destroy. The state machine is in qp_modify.c, the way into
 * error in qp_state.c.
 *
 * All QPs of all devices share one table, so that a number names one QP on this host. It is read
 * under RCU by packets and doorbells.
 *
 * Context: process, but for find, get and put, which any context may call.
 */
#include <linux/mm.h>
#include <linux/random.h>
#include <linux/xarray.h>
#include <rdma/uverbs_ioctl.h>
#include "../stats.h"
#include "../transport.h"
#include "cq.h"
#include "gsi.h"
#include "kernel_verbs.h"
#include "qp_state.h"
#include "shared.h"
#include "srq.h"
#include "ucontext.h"
#include "udata.h"

/* 0 and 1 are special QPs; the top one means multicast. */
#define QPN_FIRST	0x10
#define QPN_LAST	0xfffffe

static DEFINE_XARRAY_ALLOC(qps);
static u32 qpn_next;
struct workqueue_struct *berth_qp_wq;

int berth_qp_module_init(void)
{
	/* Bound: what a CPU began to send it goes on to send, see berth_req_kick(). */
	berth_qp_wq = alloc_workqueue("berth", WQ_CPU_INTENSIVE | WQ_MEM_RECLAIM, 0);
	if (!berth_qp_wq)
		return -ENOMEM;
	qpn_next = get_random_u32_inclusive(QPN_FIRST, QPN_LAST);
	return 0;
}

void berth_qp_module_fini(void)
{
	WARN_ON(!xa_empty(&qps));
	destroy_workqueue(berth_qp_wq);
}

/**
 * berth_qp_get - the QP of a number, with a reference
 * @qpn: its number
 *
 * Context: any. Return: the QP, or NULL; berth_qp_put() it.
 */
struct berth_qp *berth_qp_get(u32 qpn)
{
	struct berth_qp *qp;

	rcu_read_lock();
	qp = xa_load(&qps, qpn);
	if (qp && !refcount_inc_not_zero(&qp->refs))
		qp = NULL;
	rcu_read_unlock();
	return qp;
}

void berth_qp_put(struct berth_qp *qp)
{
	if (refcount_dec_and_test(&qp->refs))
		complete(&qp->drained);
}

/**
 * berth_qp_get_owned - a QP of one context, with a reference
 * @uctx: the context
 * @qpn: number of the QP
 *
 * Context: any. Return: the QP, or NULL: there is none, or it is somebody else's.
 */
struct berth_qp *berth_qp_get_owned(const struct berth_ucontext *uctx, u32 qpn)
{
	struct berth_qp *qp = berth_qp_get(qpn);

	if (qp && qp->uctx != uctx) {
		berth_qp_put(qp);
		return NULL;
	}
	return qp;
}

/**
 * berth_qp_ring - the process has posted work
 * @qp: referenced
 * @queues: BERTH_RING_SQ, BERTH_RING_RQ
 *
 * Context: process.
 */
void berth_qp_ring(struct berth_qp *qp, u32 queues)
{
	berth_count(qp->dev, BERTH_CNT_DOORBELLS);
	if (queues & BERTH_RING_RQ) {
		spin_lock_bh(&qp->rq.lock);
		if (qp->state == IB_QPS_ERR)
			berth_rq_flush(qp);
		spin_unlock_bh(&qp->rq.lock);
		if (qp->transport->receives_posted)
			qp->transport->receives_posted(qp);
	}
	if (queues & BERTH_RING_SQ)
		qp->transport->kick(qp);
}

static int check_init(const struct berth_dev *dev, const struct ib_qp_init_attr *init, bool user,
		      u32 flags)
{
	const struct ib_qp_cap *cap = &init->cap;

	if (!berth_transport_find(dev, init->qp_type, flags) || init->create_flags || init->rwq_ind_tbl ||
	    (init->srq && init->srq->srq_type != IB_SRQT_BASIC) ||
	    (user && init->qp_type == IB_QPT_GSI))
		return -EOPNOTSUPP;
	if (!init->send_cq || !init->recv_cq)
		return -EINVAL;
	/* A datagram is not told from its GRH by pieces. */
	if (init->qp_type == IB_QPT_UD && init->srq && berth_srq(init->srq)->area)
		return -EINVAL;
	if (cap->max_send_wr > BERTH_MAX_WR || cap->max_recv_wr > BERTH_MAX_WR ||
	    cap->max_send_sge > BERTH_MAX_SGE || cap->max_recv_sge > BERTH_MAX_SGE ||
	    cap->max_inline_data > BERTH_MAX_INLINE)
		return -EINVAL;
	return 0;
}

/* Lays header, SQ and RQ out in one shared piece of memory. */
static int rings_alloc(struct berth_qp *qp, struct berth_create_qp_resp *resp)
{
	u32 sq_bytes = qp->sq.entries * qp->sq.ring_stride;
	u32 rq_bytes = qp->rq.entries * qp->rq.stride;
	u32 sq_offset = sizeof(struct berth_qp_ring);
	u32 rq_offset = ALIGN(sq_offset + sq_bytes, 64);

	qp->shared = berth_shared_alloc_part(qp->uctx, rq_offset + rq_bytes);
	if (IS_ERR(qp->shared))
		return PTR_ERR(qp->shared);
	qp->ring = qp->shared->va;
	qp->sq.ring = qp->shared->va + sq_offset;
	qp->rq.ring = qp->shared->va + rq_offset;

	*resp = (struct berth_create_qp_resp){
		.mmap_offset = qp->uctx ? berth_shared_mmap_offset(qp->shared) : 0,
		.mmap_size = qp->shared->size,
		.ring_offset = qp->shared->offset,
		.sq_offset = qp->shared->offset + sq_offset,
		.sq_entries = qp->sq.entries,
		.sq_stride = qp->sq.ring_stride,
		.rq_offset = qp->shared->offset + rq_offset,
		.rq_entries = qp->rq.entries,
		.rq_stride = qp->rq.stride,
	};
	return 0;
}

static void free_memory(struct berth_qp *qp)
{
	if (qp->transport->teardown)
		qp->transport->teardown(qp);
	kfree(qp->kernel);
	berth_rq_fini(qp);
	berth_sq_fini(qp);
	kfree_rcu(qp, rcu);
}

static struct berth_qp *alloc_memory(struct ib_qp *ib, const struct ib_qp_init_attr *init,
				     struct ib_udata *udata, u32 flags)
{
	struct berth_qp *qp = kzalloc(sizeof(*qp), GFP_KERNEL_ACCOUNT);
	int err;

	if (!qp)
		return ERR_PTR(-ENOMEM);
	qp->dev = berth_dev(ib->device);
	qp->own_keys.dev = qp->dev;
	qp->peer_keys.dev = qp->dev;
	qp->ib = ib;
	qp->pd = ib->pd;
	qp->transport = berth_transport_find(qp->dev, init->qp_type, flags);
	qp->send_cq = berth_cq(init->send_cq);
	qp->recv_cq = berth_cq(init->recv_cq);
	qp->srq = init->srq ? berth_srq(init->srq) : NULL;
	qp->rq.pd = init->srq ? init->srq->pd : ib->pd;
	qp->uctx = udata ? rdma_udata_to_drv_context(udata, struct berth_ucontext, ib) : NULL;
	qp->gsi = init->qp_type == IB_QPT_GSI;
	qp->sig_all = init->sq_sig_type == IB_SIGNAL_ALL_WR;
	qp->state = IB_QPS_RESET;
	qp->mtu = 256;
	qp->cap = init->cap;
	refcount_set(&qp->refs, 1);
	init_completion(&qp->drained);
	mutex_init(&qp->state_mutex);

	err = qp->transport->setup(qp);
	if (err) {
		kfree(qp);
		return ERR_PTR(err);
	}
	/* Both initialise their locks first: free_memory() fits from here on. */
	err = berth_sq_init(qp, &init->cap);
	if (!err)
		err = berth_rq_init(qp, &init->cap);
	if (!err && !udata)
		err = berth_kqp_init(qp);
	if (err) {
		free_memory(qp);
		return ERR_PTR(err);
	}
	return qp;
}

static int publish(struct berth_qp *qp)
{
	int err = xa_alloc_cyclic(&qps, &qp->qpn, qp, XA_LIMIT(QPN_FIRST, QPN_LAST), &qpn_next,
				  GFP_KERNEL_ACCOUNT);

	if (err < 0)
		return err;
	qp->wire_qpn = qp->gsi ? BERTH_GSI_QPN : qp->qpn;
	if (qp->gsi)
		berth_gsi_add(qp);
	return 0;
}

/* Takes the QP out of everybody's reach and waits for those who have it. */
static void unpublish(struct berth_qp *qp)
{
	if (qp->gsi)
		berth_gsi_del(qp);
	xa_erase(&qps, qp->qpn);
	berth_qp_put(qp);
	wait_for_completion(&qp->drained);
	berth_kqp_shutdown(qp);
	qp->transport->shutdown(qp);
}

int berth_qp_create(struct ib_qp *ib, struct ib_qp_init_attr *init, struct ib_udata *udata)
{
	struct berth_create_qp_resp resp;
	struct berth_create_qp_req req = {};
	struct berth_qp *qp;
	int err;

	if (udata) {
		err = berth_udata_copy_in(udata, &req, sizeof(req));
		if (err)
			return err;
		if (req.reserved)
			return -EINVAL;
	}
	if (init->srq) {
		init->cap.max_recv_wr = 0;
		init->cap.max_recv_sge = 0;
	}
	err = check_init(berth_dev(ib->device), init, udata, req.flags);
	if (err)
		return err;

	err = berth_limit_take(berth_dev(ib->device), BERTH_LIMIT_QP);
	if (err)
		return err;
	qp = alloc_memory(ib, init, udata, req.flags);
	if (IS_ERR(qp)) {
		err = PTR_ERR(qp);
		goto uncount;
	}
	err = rings_alloc(qp, &resp);
	if (err)
		goto free_qp;
	err = publish(qp);
	if (err)
		goto free_rings;
	if (udata) {
		err = berth_udata_copy_out(udata, &resp, sizeof(resp));
		if (err)
			goto unpublish_qp;
	}
	container_of(ib, struct berth_ibqp, ib)->qp = qp;
	ib->qp_num = qp->wire_qpn;
	return 0;

unpublish_qp:
	unpublish(qp);
free_rings:
	berth_shared_free(qp->shared);
free_qp:
	free_memory(qp);
uncount:
	berth_limit_give(berth_dev(ib->device), BERTH_LIMIT_QP);
	return err;
}

int berth_qp_destroy(struct ib_qp *ib, struct ib_udata *udata)
{
	struct berth_qp *qp = berth_qp(ib);

	/* Whoever still has the QP finds a state in which it does nothing. */
	spin_lock_bh(&qp->sq.lock);
	spin_lock(&qp->rq.lock);
	berth_qp_set_state(qp, IB_QPS_RESET);
	spin_unlock(&qp->rq.lock);
	spin_unlock_bh(&qp->sq.lock);

	unpublish(qp);
	berth_path_fini(&qp->path);
	berth_shared_free(qp->shared);
	mutex_destroy(&qp->state_mutex);
	free_memory(qp);
	berth_limit_give(berth_dev(ib->device), BERTH_LIMIT_QP);
	return 0;
}

int berth_qp_query(struct ib_qp *ib, struct ib_qp_attr *attr, int mask,
		   struct ib_qp_init_attr *init)
{
	struct berth_qp *qp = berth_qp(ib);

	/* Who has seen a completion with an error finds the state that goes with it. */
	berth_qp_settle(qp);
	mutex_lock(&qp->state_mutex);
	*attr = qp->attr;
	spin_lock_bh(&qp->sq.lock);
	attr->qp_state = qp->state;
	attr->sq_psn = qp->sq.psn;
	attr->sq_draining = qp->state == IB_QPS_SQD && berth_sq_busy(&qp->sq);
	spin_unlock_bh(&qp->sq.lock);
	spin_lock_bh(&qp->rq.lock);
	attr->rq_psn = qp->rq.epsn;
	spin_unlock_bh(&qp->rq.lock);
	mutex_unlock(&qp->state_mutex);

	attr->cur_qp_state = attr->qp_state;
	attr->dest_qp_num = qp->dest_qpn;
	attr->qp_access_flags = qp->access;
	attr->path_mig_state = IB_MIG_MIGRATED;
	attr->cap = qp->cap;

	*init = (struct ib_qp_init_attr){
		.event_handler = ib->event_handler,
		.qp_context = ib->qp_context,
		.send_cq = ib->send_cq,
		.recv_cq = ib->recv_cq,
		.srq = ib->srq,
		.cap = qp->cap,
		.sq_sig_type = qp->sig_all ? IB_SIGNAL_ALL_WR : IB_SIGNAL_REQ_WR,
		.qp_type = ib->qp_type,
	};
	return 0;
}
