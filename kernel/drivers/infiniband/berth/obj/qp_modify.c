// SPDX-License-Identifier: GPL-2.0
/*
 * The state machine of queue pairs. Which transitions exist, and which attributes each needs or
 * allows, is the RDMA core's table (ib_modify_qp_is_ok, IBTA volume 1, 10.3.1); here their values are
 * checked, all of them before anything changes, and applied under both locks.
 *
 * Context: process, state_mutex held throughout.
 */
#include "../transport.h"
#include "../wire/bth.h"
#include "qp_state.h"

#define ACCESS_FLAGS	(IB_ACCESS_LOCAL_WRITE | IB_ACCESS_REMOTE_WRITE | IB_ACCESS_REMOTE_READ | \
			 IB_ACCESS_REMOTE_ATOMIC | IB_ACCESS_RELAXED_ORDERING)

static int check_path(const struct berth_qp *qp, const struct ib_qp_attr *attr, int mask)
{
	if (mask & IB_QP_PORT && attr->port_num != 1)
		return -EINVAL;
	if (mask & IB_QP_PKEY_INDEX && attr->pkey_index)
		return -EINVAL;
	if (mask & IB_QP_ALT_PATH)
		return -EOPNOTSUPP;
	if (mask & IB_QP_PATH_MIG_STATE && attr->path_mig_state != IB_MIG_MIGRATED)
		return -EOPNOTSUPP;
	if (mask & IB_QP_PATH_MTU &&
	    (attr->path_mtu < IB_MTU_256 || attr->path_mtu > IB_MTU_4096))
		return -EINVAL;
	if (mask & IB_QP_DEST_QPN && attr->dest_qp_num > BERTH_QPN_MASK)
		return -EINVAL;
	if (mask & IB_QP_AV) {
		if (!(rdma_ah_get_ah_flags(&attr->ah_attr) & IB_AH_GRH) ||
		    rdma_ah_get_port_num(&attr->ah_attr) != 1)
			return -EINVAL;
	}
	return 0;
}

static int check_numbers(const struct ib_qp_attr *attr, int mask)
{
	if (mask & IB_QP_ACCESS_FLAGS && attr->qp_access_flags & ~ACCESS_FLAGS)
		return -EINVAL;
	if (mask & IB_QP_TIMEOUT && attr->timeout >= BERTH_TIMEOUT_CODES)
		return -EINVAL;
	if (mask & IB_QP_MIN_RNR_TIMER && attr->min_rnr_timer >= BERTH_RNR_CODES)
		return -EINVAL;
	if (mask & IB_QP_RETRY_CNT && attr->retry_cnt > 7)
		return -EINVAL;
	if (mask & IB_QP_RNR_RETRY && attr->rnr_retry > 7)
		return -EINVAL;
	if (mask & IB_QP_MAX_QP_RD_ATOMIC && attr->max_rd_atomic > BERTH_MAX_RD_ATOMIC)
		return -EINVAL;
	if (mask & IB_QP_MAX_DEST_RD_ATOMIC && attr->max_dest_rd_atomic > BERTH_MAX_RD_ATOMIC)
		return -EINVAL;
	return 0;
}

static void apply_path(struct berth_qp *qp, const struct ib_qp_attr *attr, int mask)
{
	if (mask & IB_QP_PATH_MTU) {
		qp->mtu = ib_mtu_enum_to_int(attr->path_mtu);
		qp->attr.path_mtu = attr->path_mtu;
	}
	if (mask & IB_QP_DEST_QPN)
		qp->dest_qpn = attr->dest_qp_num;
	if (mask & IB_QP_PORT)
		qp->attr.port_num = attr->port_num;
	if (mask & IB_QP_QKEY)
		qp->attr.qkey = qp->qkey = attr->qkey;
	if (mask & IB_QP_AV) {
		qp->attr.ah_attr = attr->ah_attr;
		qp->attr.ah_attr.grh.sgid_attr = NULL;
	}
}

static void apply_requester(struct berth_qp *qp, const struct ib_qp_attr *attr, int mask)
{
	struct berth_sq *sq = &qp->sq;

	if (mask & IB_QP_TIMEOUT)
		qp->attr.timeout = sq->timeout = attr->timeout;
	if (mask & IB_QP_RETRY_CNT)
		qp->attr.retry_cnt = sq->retry_count = sq->retry_left = attr->retry_cnt;
	if (mask & IB_QP_RNR_RETRY)
		qp->attr.rnr_retry = sq->rnr_retry = sq->rnr_left = attr->rnr_retry;
	if (mask & IB_QP_MAX_QP_RD_ATOMIC)
		qp->attr.max_rd_atomic = sq->max_rd_atomic = attr->max_rd_atomic;
	if (mask & IB_QP_SQ_PSN)
		qp->transport->reset_requester(qp, attr->sq_psn & BERTH_PSN_MASK);
}

static void apply_responder(struct berth_qp *qp, const struct ib_qp_attr *attr, int mask)
{
	struct berth_rq *rq = &qp->rq;

	if (mask & IB_QP_ACCESS_FLAGS)
		qp->access = attr->qp_access_flags;
	if (mask & IB_QP_MIN_RNR_TIMER)
		qp->attr.min_rnr_timer = rq->min_rnr_timer = attr->min_rnr_timer;
	if (mask & IB_QP_MAX_DEST_RD_ATOMIC)
		qp->attr.max_dest_rd_atomic = rq->max_rd_atomic = attr->max_dest_rd_atomic;
	if (mask & IB_QP_RQ_PSN)
		qp->transport->reset_responder(qp, attr->rq_psn & BERTH_PSN_MASK);
}

/*
 * Everything at once, so that a packet sees the QP before or after, never in between. Returns whether
 * that brought the QP to the error state.
 */
static bool apply(struct berth_qp *qp, const struct ib_qp_attr *attr, int mask,
		  enum ib_qp_state state, struct berth_path *path)
{
	bool changed;

	spin_lock_bh(&qp->sq.lock);
	spin_lock(&qp->rq.lock);
	apply_path(qp, attr, mask);
	apply_requester(qp, attr, mask);
	apply_responder(qp, attr, mask);
	if (mask & IB_QP_AV || state == IB_QPS_RESET)
		swap(qp->path, *path);
	if (state == IB_QPS_SQD && qp->state != IB_QPS_SQD)
		qp->sq.draining = mask & IB_QP_EN_SQD_ASYNC_NOTIFY && attr->en_sqd_async_notify;
	changed = mask & IB_QP_STATE && state != qp->state;
	if (changed)
		berth_qp_set_state(qp, state);
	spin_unlock(&qp->rq.lock);
	spin_unlock_bh(&qp->sq.lock);
	return changed && state == IB_QPS_ERR;
}

static int modify(struct berth_qp *qp, const struct ib_qp_attr *attr, int mask)
{
	struct berth_path path = {};
	enum ib_qp_state cur, next;
	int err;

	berth_qp_settle(qp);
	cur = READ_ONCE(qp->state);
	if (mask & IB_QP_CUR_STATE && attr->cur_qp_state != cur)
		return -EINVAL;
	next = mask & IB_QP_STATE ? attr->qp_state : cur;
	if (!ib_modify_qp_is_ok(cur, next, qp->ib->qp_type, mask))
		return -EINVAL;
	err = check_path(qp, attr, mask);
	if (err)
		return err;
	err = check_numbers(attr, mask);
	if (err)
		return err;
	if (mask & IB_QP_AV) {
		u32 dest = mask & IB_QP_DEST_QPN ? attr->dest_qp_num : qp->dest_qpn;

		err = berth_path_init(&path, qp->dev, &attr->ah_attr, qp->qpn, dest);
		if (err)
			return err;
	}
	if (apply(qp, attr, mask, next, &path))
		berth_qp_entered_error(qp);

	/* What was swapped out: packets that are being handled may still use its route (RCU). */
	berth_path_fini(&path);
	if (next == IB_QPS_RESET)
		qp->transport->quiesce(qp);
	if (next == IB_QPS_RTS || next == IB_QPS_SQD)
		qp->transport->kick(qp);
	return 0;
}

int berth_qp_modify(struct ib_qp *ib, struct ib_qp_attr *attr, int mask, struct ib_udata *udata)
{
	struct berth_qp *qp = berth_qp(ib);
	int err;

	if (mask & ~IB_QP_ATTR_STANDARD_BITS)
		return -EOPNOTSUPP;
	mutex_lock(&qp->state_mutex);
	err = modify(qp, attr, mask);
	mutex_unlock(&qp->state_mutex);
	return err;
}
