// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * Queue pairs: create, modify, query, destroy, and the table that finds them by number.
 *
 * Control path. A QP number may be used again as soon as the kernel has destroyed its QP, which is
 * before the destroying thread is back here: whoever comes first, that thread or the creator of
 * the next QP with the number, takes the old QP out of the table and its completions out of the
 * CQs, under qp_table_lock.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "berth.h"

struct create_qp_cmd {
	struct ibv_create_qp ibv_cmd;
	struct berth_create_qp_req drv;
};

struct create_qp_resp {
	struct ib_uverbs_create_qp_resp ibv_resp;
	struct berth_create_qp_resp drv;
};

static_assert(sizeof(struct create_qp_cmd) == 72 && offsetof(struct create_qp_cmd, drv) == 64,
	      "no padding before driver data");
static_assert(sizeof(struct create_qp_resp) == 72 && offsetof(struct create_qp_resp, drv) == 32,
	      "no padding before driver data");

/* ---- the table ---- */

static struct berth_qp **qp_slot(struct berth_context *ctx, uint32_t qpn)
{
	struct berth_qp_leaf **leaf = &ctx->qp_table[qpn >> BERTH_QPN_LEAF_BITS];
	struct berth_qp_leaf *new_leaf;

	if (!*leaf) {
		new_leaf = calloc(1, sizeof(*new_leaf));
		if (!new_leaf)
			return NULL;
		/* Pairs with the acquire in berth_qp_find(). */
		__atomic_store_n(leaf, new_leaf, __ATOMIC_RELEASE);
	}
	return &(*leaf)->qp[qpn & (BERTH_QPN_LEAF_SIZE - 1)];
}

/* Out of the table first: then no poller that comes after the CQ locks can find it again. */
static void qp_forget(struct berth_qp **slot)
{
	struct berth_qp *qp = *slot;

	__atomic_store_n(slot, NULL, __ATOMIC_RELEASE);
	berth_cq_forget_qp(to_bcq(qp->vqp.qp.send_cq), qp);
	if (qp->vqp.qp.recv_cq != qp->vqp.qp.send_cq)
		berth_cq_forget_qp(to_bcq(qp->vqp.qp.recv_cq), qp);
}

static int qp_table_add(struct berth_context *ctx, struct berth_qp *qp)
{
	struct berth_qp **slot;

	pthread_mutex_lock(&ctx->qp_table_lock);
	slot = qp_slot(ctx, qp->vqp.qp.qp_num & BERTH_RING_QPN_MASK);
	if (slot) {
		if (*slot)
			qp_forget(slot);
		/* Pairs with the acquire in berth_qp_find(). */
		__atomic_store_n(slot, qp, __ATOMIC_RELEASE);
	}
	pthread_mutex_unlock(&ctx->qp_table_lock);
	return slot ? 0 : ENOMEM;
}

static void qp_table_del(struct berth_context *ctx, struct berth_qp *qp)
{
	struct berth_qp **slot;

	pthread_mutex_lock(&ctx->qp_table_lock);
	slot = qp_slot(ctx, qp->vqp.qp.qp_num & BERTH_RING_QPN_MASK);
	if (slot && *slot == qp)
		qp_forget(slot);
	pthread_mutex_unlock(&ctx->qp_table_lock);
}

/* ---- rings ---- */

static bool wq_fits(uint32_t entries, uint32_t stride, uint32_t offset, uint32_t wqe_size,
		    uint32_t max_wr, const struct berth_create_qp_resp *resp)
{
	if (entries & (entries - 1) || entries < max_wr)
		return false;
	if (!entries)
		return true;
	return stride >= wqe_size && !(stride % 8) && !(offset % 8) &&
	       offset >= resp->ring_offset + sizeof(struct berth_qp_ring) &&
	       offset + (uint64_t)entries * stride <= resp->mmap_size;
}

/* Whether the kernel's layout holds what it promised in @cap. */
static bool layout_fits(const struct berth_create_qp_resp *resp, const struct ibv_qp_cap *cap)
{
	uint32_t send_wqe = cap->max_send_sge * sizeof(struct berth_sge);

	if (cap->max_send_sge > BERTH_MAX_SGE || cap->max_recv_sge > BERTH_MAX_SGE ||
	    cap->max_inline_data > BERTH_MAX_INLINE ||
	    resp->ring_offset % 64 || resp->mmap_size < sizeof(struct berth_qp_ring) ||
	    resp->ring_offset > resp->mmap_size - sizeof(struct berth_qp_ring))
		return false;
	if (send_wqe < cap->max_inline_data)
		send_wqe = cap->max_inline_data;
	send_wqe += sizeof(struct berth_send_wqe);

	return wq_fits(resp->sq_entries, resp->sq_stride, resp->sq_offset, send_wqe,
		       cap->max_send_wr, resp) &&
	       wq_fits(resp->rq_entries, resp->rq_stride, resp->rq_offset,
		       sizeof(struct berth_recv_wqe) + cap->max_recv_sge * sizeof(struct berth_sge),
		       cap->max_recv_wr, resp);
}

static void wq_init(struct berth_wq *wq, void *map, uint32_t offset, uint32_t entries,
		    uint32_t stride, uint32_t *prod)
{
	wq->entries = (uint8_t *)map + offset;
	wq->mask = entries - 1;
	wq->stride = stride;
	wq->prod = prod;
	wq->head = ring_peek(prod);
	wq->tail = wq->head;
}

static int qp_map(struct berth_qp *qp, int cmd_fd, const struct berth_create_qp_resp *resp,
		  const struct ibv_qp_cap *cap)
{
	void *map;

	if (!layout_fits(resp, cap))
		return EPROTO;
	map = mmap(NULL, resp->mmap_size, PROT_READ | PROT_WRITE, MAP_SHARED, cmd_fd,
		   resp->mmap_offset);
	if (map == MAP_FAILED)
		return errno;

	qp->map = map;
	qp->ring = (struct berth_qp_ring *)((uint8_t *)map + resp->ring_offset);
	qp->map_size = resp->mmap_size;
	wq_init(&qp->sq, map, resp->sq_offset, resp->sq_entries, resp->sq_stride,
		&qp->ring->sq_prod);
	qp->sq.max_wr = cap->max_send_wr;
	qp->sq.max_sge = cap->max_send_sge;
	qp->sq.max_inline = cap->max_inline_data;
	wq_init(&qp->rq, map, resp->rq_offset, resp->rq_entries, resp->rq_stride,
		&qp->ring->rq_prod);
	qp->rq.max_wr = cap->max_recv_wr;
	qp->rq.max_sge = cap->max_recv_sge;
	return 0;
}

/*
 * In RESET the queues are empty: the kernel goes on at the present value of the counters, and so
 * does this side. No one may post meanwhile, so the locks only order threads.
 */
static void wq_reset(struct berth_wq *wq)
{
	berth_lock(&wq->lock);
	wq->head = ring_peek(wq->prod);
	ring_publish(&wq->tail, wq->head);
	berth_unlock(&wq->lock);
}

static void qp_reset(struct berth_qp *qp)
{
	berth_cq_forget_qp(to_bcq(qp->vqp.qp.send_cq), qp);
	if (qp->vqp.qp.recv_cq != qp->vqp.qp.send_cq)
		berth_cq_forget_qp(to_bcq(qp->vqp.qp.recv_cq), qp);
	wq_reset(&qp->sq);
	wq_reset(&qp->rq);
}

/* ---- verbs ---- */

/* A link of type berth_iw. */
static bool is_iwarp(const struct ibv_device *dev)
{
	return dev->transport_type == IBV_TRANSPORT_IWARP;
}

/*
 * What can be sent by a QP of a device, of a type and with enum berth_create_qp_flags: enum
 * ibv_qp_create_send_ops_flags; 0: there is no such QP.
 */
static uint64_t qp_send_ops(const struct ibv_device *dev, enum ibv_qp_type type, uint32_t flags)
{
	if (flags & BERTH_QP_TCP_STREAM)
		return BERTH_STREAM_SEND_OPS;
	if (flags & BERTH_QP_TCP)
		return BERTH_TCP_SEND_OPS;
	if (is_iwarp(dev))
		return BERTH_IWARP_SEND_OPS;
	switch (type) {
	case IBV_QPT_RC:
		return BERTH_SEND_OPS;
	case IBV_QPT_UC:
		return BERTH_UC_SEND_OPS;
	case IBV_QPT_UD:
		return BERTH_UD_SEND_OPS;
	default:
		return 0;
	}
}

/* 0, or why a QP as in @attr with @flags cannot be had. */
static int qp_check_attr(const struct ibv_device *dev, const struct ibv_qp_init_attr_ex *attr, uint32_t flags)
{
	uint64_t send_ops = qp_send_ops(dev, attr->qp_type, flags);

	if (!(attr->comp_mask & IBV_QP_INIT_ATTR_PD))
		return EINVAL;
	if (attr->comp_mask & ~(uint32_t)(IBV_QP_INIT_ATTR_PD | IBV_QP_INIT_ATTR_CREATE_FLAGS |
					  IBV_QP_INIT_ATTR_SEND_OPS_FLAGS))
		return EOPNOTSUPP;
	/* There is none that we know; a program may say so in the long form. */
	if (attr->comp_mask & IBV_QP_INIT_ATTR_CREATE_FLAGS && attr->create_flags)
		return EOPNOTSUPP;
	if (!send_ops)
		return EOPNOTSUPP;
	if ((attr->comp_mask & IBV_QP_INIT_ATTR_SEND_OPS_FLAGS) && attr->send_ops_flags & ~send_ops)
		return EOPNOTSUPP;
	if (!attr->send_cq || !attr->recv_cq)
		return EINVAL;
	return 0;
}

static void qp_init(struct berth_qp *qp, struct berth_context *ctx,
		    const struct ibv_qp_init_attr_ex *attr)
{
	bool lock = berth_needs_lock(&ctx->vctx.context, attr->pd);

	berth_lock_init(&qp->sq.lock, lock);
	berth_lock_init(&qp->rq.lock, lock);
	qp->doorbell_fd = ctx->doorbell_fd;
	qp->datagrams = attr->qp_type == IBV_QPT_UD;
	qp->sends_from = is_iwarp(ctx->vctx.context.device) ? IBV_QPS_INIT : IBV_QPS_RTS;
	qp->sig_all = attr->sq_sig_all ? BERTH_WR_SIGNALED : 0;
	verbs_qp_prepare(&qp->vqp);
}

/**
 * berth_create_qp_flags - create a queue pair
 * @ibctx: the context
 * @attr: what is asked for, replaced by what there is
 * @flags: enum berth_create_qp_flags; with any the type is IBV_QPT_RC
 *
 * Return: the QP, or NULL with errno set.
 */
struct ibv_qp *berth_create_qp_flags(struct ibv_context *ibctx, struct ibv_qp_init_attr_ex *attr,
				     uint32_t flags)
{
	bool ex = attr->comp_mask & IBV_QP_INIT_ATTR_SEND_OPS_FLAGS;
	struct berth_context *ctx = to_bctx(ibctx);
	struct create_qp_resp resp = {};
	struct create_qp_cmd cmd = { .drv.flags = flags };
	uint32_t mask = attr->comp_mask;
	struct berth_origin origin;
	struct berth_qp *qp;
	int more_ops;
	int ret;

	ret = qp_check_attr(ibctx->device, attr, flags);
	if (ret) {
		errno = ret;
		return NULL;
	}
	qp = berth_object_alloc(attr->pd, sizeof(*qp), BERTH_RES_QP, &origin);
	if (!qp)
		return NULL;
	qp->area = attr->srq ? to_bsrq(attr->srq)->area : NULL;

	qp->origin = origin;
	qp_init(qp, ctx, attr);
	/* The command has no room for flags, and refuses a mask that names them. */
	attr->comp_mask &= ~(uint32_t)IBV_QP_INIT_ATTR_CREATE_FLAGS;
	ret = ibv_cmd_create_qp_ex(ibctx, &qp->vqp, attr, &cmd.ibv_cmd, sizeof(cmd),
				   &resp.ibv_resp, sizeof(resp));
	attr->comp_mask = mask;
	if (ret)
		goto free_qp;
	ret = EPROTO;
	more_ops = verbs_qp_mark_ex(&qp->vqp, ex);
	if (more_ops < 0)
		goto destroy_kernel_qp;
	ret = EOPNOTSUPP;
	if (ex && attr->send_ops_flags & VERBS_QP_EX_WITH_ATOMIC_WRITE && !more_ops)
		goto destroy_kernel_qp;
	ret = qp_map(qp, ibctx->cmd_fd, &resp.drv, &attr->cap);
	if (ret)
		goto destroy_kernel_qp;
	if (ex)
		berth_qp_set_wr_ops(&qp->vqp, attr->send_ops_flags);
	ret = qp_table_add(ctx, qp);
	if (ret)
		goto unmap_rings;
	return &qp->vqp.qp;

unmap_rings:
	munmap(qp->map, qp->map_size);
destroy_kernel_qp:
	ibv_cmd_destroy_qp(&qp->vqp.qp);
free_qp:
	berth_object_free(qp, &origin);
	errno = ret;
	return NULL;
}

/*
 * What BERTH_QP_TYPE asks for, enum berth_create_qp_flags: "tcp" carries RC over TCP, "rc" or nothing
 * over RoCEv2. -1: neither; one line says so.
 */
static int env_qp_flags(const struct ibv_device *dev, enum ibv_qp_type type)
{
	const char *value = getenv("BERTH_QP_TYPE");

	/* There is but one kind. */
	if (is_iwarp(dev))
		return 0;
	if (!value || !*value || !strcmp(value, "rc"))
		return 0;
	if (!strcmp(value, "tcp"))
		return type == IBV_QPT_RC ? BERTH_QP_TCP : 0;
	fprintf(stderr, "libberth: BERTH_QP_TYPE=%s: use rc or tcp\n", value);
	return -1;
}

struct ibv_qp *berth_create_qp_ex(struct ibv_context *ibctx, struct ibv_qp_init_attr_ex *attr)
{
	int flags = env_qp_flags(ibctx->device, attr->qp_type);

	if (flags < 0) {
		errno = EINVAL;
		return NULL;
	}
	return berth_create_qp_flags(ibctx, attr, flags);
}

struct ibv_qp *berth_create_qp(struct ibv_pd *ibpd, struct ibv_qp_init_attr *attr)
{
	struct ibv_qp_init_attr_ex attr_ex = {
		.qp_context = attr->qp_context,
		.send_cq = attr->send_cq,
		.recv_cq = attr->recv_cq,
		.srq = attr->srq,
		.cap = attr->cap,
		.qp_type = attr->qp_type,
		.sq_sig_all = attr->sq_sig_all,
		.comp_mask = IBV_QP_INIT_ATTR_PD,
		.pd = ibpd,
	};
	struct ibv_qp *ibqp;

	ibqp = berth_create_qp_ex(ibpd->context, &attr_ex);
	if (ibqp)
		attr->cap = attr_ex.cap;
	return ibqp;
}

int berth_modify_qp(struct ibv_qp *ibqp, struct ibv_qp_attr *attr, int attr_mask)
{
	struct ibv_modify_qp cmd = {};
	int ret;

	ret = ibv_cmd_modify_qp(ibqp, attr, attr_mask, &cmd, sizeof(cmd));
	if (!ret && (attr_mask & IBV_QP_STATE) && attr->qp_state == IBV_QPS_RESET)
		qp_reset(to_bqp(ibqp));
	return ret;
}

int berth_query_qp(struct ibv_qp *ibqp, struct ibv_qp_attr *attr, int attr_mask,
		   struct ibv_qp_init_attr *init_attr)
{
	struct ibv_query_qp cmd = {};

	return ibv_cmd_query_qp(ibqp, attr, attr_mask, init_attr, &cmd, sizeof(cmd));
}

int berth_destroy_qp(struct ibv_qp *ibqp)
{
	struct berth_qp *qp = to_bqp(ibqp);
	struct berth_origin origin;
	int ret;

	ret = berth_destroyed(ibv_cmd_destroy_qp(ibqp));
	if (ret)
		return ret;
	qp_table_del(to_bctx(ibqp->context), qp);
	munmap(qp->map, qp->map_size);
	origin = qp->origin;
	berth_object_free(qp, &origin);
	return 0;
}
