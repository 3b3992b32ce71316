// SPDX-License-Identifier: GPL-2.0
/*
 * The state machine of queue pairs. Which transitions exist, and which attributes each needs or
 * allows, is the RDMA core's table (ib_modify_qp_is_ok, IBTA volume 1, 10.3.1); here their values are
 * checked, all of them before anything changes, and applied under both locks.
 *
 * A QP may fail at any moment until they are held. The transition is judged once without them, so
 * that nothing is prepared for one that does not exist, and again with them, which is what counts: a
 * QP that has failed meanwhile is not brought from RTR to RTS, but RESET and ERR take it from
 * wherever it is.
 *
 * Context: process, state_mutex held throughout.
 */
#include "../op/source.h"
#include "../transport.h"
#include "../wire/bth.h"
#include "qp_state.h"

/* Programs pass the flags of their regions; what says nothing of a QP counts for nothing. */
#define REGION_FLAGS	(IB_ACCESS_MW_BIND | IB_ACCESS_ON_DEMAND | IB_ACCESS_HUGETLB)
#define ACCESS_FLAGS	(IB_ACCESS_LOCAL_WRITE | IB_ACCESS_REMOTE_WRITE | IB_ACCESS_REMOTE_READ | \
			 IB_ACCESS_REMOTE_ATOMIC | IB_ACCESS_RELAXED_ORDERING | REGION_FLAGS)

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

	if (mask & IB_QP_TIMEOUT) {
		qp->attr.timeout = attr->timeout;
		berth_req_set_timeout(sq, attr->timeout);
	}
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
 * iWARP: the connection manager alone leads to RTS (tcp/iw_cm.c). SQD is RDMAC's CLOSING, in which nothing is sent
 * any more; what was handed to TCP is still delivered.
 */
static int judge_iw(enum ib_qp_state cur, enum ib_qp_state next, int mask)
{
	if (mask & ~(IB_QP_STATE | IB_QP_CUR_STATE | IB_QP_ACCESS_FLAGS | IB_QP_PORT | IB_QP_PKEY_INDEX))
		return -EINVAL;
	switch (next) {
	case IB_QPS_RESET:
	case IB_QPS_ERR:
		return next;
	case IB_QPS_SQD:
		return cur == IB_QPS_RTS || cur == IB_QPS_ERR ? IB_QPS_ERR : -EINVAL;
	case IB_QPS_INIT:
		return cur == IB_QPS_RESET || cur == IB_QPS_INIT ? next : -EINVAL;
	case IB_QPS_RTR:
		return cur == IB_QPS_INIT || cur == IB_QPS_RTR ? next : -EINVAL;
	default:
		return cur == next ? next : -EINVAL;
	}
}

/* Where the QP will be; -EINVAL: it is not where the caller says, or no way leads there. */
static int judge(const struct berth_qp *qp, const struct ib_qp_attr *attr, int mask)
{
	enum ib_qp_state cur = READ_ONCE(qp->state);
	enum ib_qp_state next = mask & IB_QP_STATE ? attr->qp_state : cur;

	if (mask & IB_QP_CUR_STATE && attr->cur_qp_state != cur)
		return -EINVAL;
	if (qp->dev->iw)
		return judge_iw(cur, next, mask);
	return ib_modify_qp_is_ok(cur, next, qp->ib->qp_type, mask) ? next : -EINVAL;
}

/* Everything at once, so that a packet sees the QP before or after, never in between. */
static void apply_locked(struct berth_qp *qp, const struct ib_qp_attr *attr, int mask,
			 enum ib_qp_state next, struct berth_path *path)
{
	apply_path(qp, attr, mask);
	apply_requester(qp, attr, mask);
	apply_responder(qp, attr, mask);
	if (mask & IB_QP_AV || next == IB_QPS_RESET)
		swap(qp->path, *path);
	if (next != IB_QPS_SQD)
		qp->sq.draining = false;
	else if (qp->state != IB_QPS_SQD)
		qp->sq.draining = mask & IB_QP_EN_SQD_ASYNC_NOTIFY && attr->en_sqd_async_notify;
	if (next != qp->state)
		berth_qp_set_state(qp, next);
}

/* Returns as judge(). *failed: that brought the QP to the error state. */
static int apply(struct berth_qp *qp, const struct ib_qp_attr *attr, int mask,
		 struct berth_path *path, bool *failed)
{
	int next;

	spin_lock_bh(&qp->sq.lock);
	spin_lock(&qp->rq.lock);
	next = judge(qp, attr, mask);
	*failed = next == IB_QPS_ERR && qp->state != IB_QPS_ERR;
	if (next >= 0)
		apply_locked(qp, attr, mask, next, path);
	spin_unlock(&qp->rq.lock);
	spin_unlock_bh(&qp->sq.lock);
	return next;
}

static int modify(struct berth_qp *qp, const struct ib_qp_attr *attr, int mask)
{
	struct berth_path path = {};
	int err, next;
	bool failed;

	berth_qp_settle(qp);
	err = judge(qp, attr, mask);
	if (err < 0)
		return err;
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
	if (mask & IB_QP_STATE && (attr->qp_state == IB_QPS_INIT || attr->qp_state == IB_QPS_RTR) &&
	    qp->transport->prepare) {
		err = qp->transport->prepare(qp, attr->qp_state);
		if (err) {
			berth_path_fini(&path);
			return err;
		}
	}
	next = apply(qp, attr, mask, &path, &failed);
	if (failed)
		berth_qp_entered_error(qp);

	/* What was swapped out: packets that are being handled may still use its route (RCU). */
	berth_path_fini(&path);
	if (next < 0)
		return next;
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
