// SPDX-License-Identifier: GPL-2.0
/*
 * Memory windows, see mw.h. alloc and dealloc run in process context; the rest with bottom halves
 * disabled, as parts of requests.
 */
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include "mw.h"
#include "qp.h"
#include "udata.h"

#define MW_RIGHTS \
	(IB_ACCESS_REMOTE_READ | IB_ACCESS_REMOTE_WRITE | IB_ACCESS_REMOTE_ATOMIC)
#define MW_WRITES	(IB_ACCESS_REMOTE_WRITE | IB_ACCESS_REMOTE_ATOMIC)
#define MW_INDEX_LIMIT	XA_LIMIT(1, (1U << BERTH_KEY_INDEX_BITS) - 1)

static struct berth_mw *to_mw(struct ib_mw *ib)
{
	return container_of(ib, struct berth_mw, ib);
}

static u32 index_of(u32 key)
{
	return (key & ~BERTH_KEY_WINDOW) >> BERTH_KEY_VARIANT_BITS;
}

/**
 * berth_mw_alloc - ib_device_ops.alloc_mw
 * @ib: memory of the core; device, pd and type are set
 * @udata: brings nothing
 *
 * Context: process; sleeps.
 * Return: 0; -EINVAL: driver data, or a type that there is not (the core passes on whatever a
 * process says); -ENOMEM, also when every key is in use.
 */
int berth_mw_alloc(struct ib_mw *ib, struct ib_udata *udata)
{
	struct berth_dev *dev = berth_dev(ib->device);
	struct berth_mw *mw = to_mw(ib);
	u32 index;
	int ret;

	if (ib->type != IB_MW_TYPE_1 && ib->type != IB_MW_TYPE_2)
		return -EINVAL;
	ret = berth_udata_none(udata);
	if (ret)
		return ret;
	spin_lock_init(&mw->lock);
	ret = xa_alloc_cyclic(&dev->mws, &index, mw, MW_INDEX_LIMIT, &dev->mw_next, GFP_KERNEL);
	if (ret < 0)
		return ret == -EBUSY ? -ENOMEM : ret;
	ib->rkey = BERTH_KEY_WINDOW | index << BERTH_KEY_VARIANT_BITS;
	return 0;
}

/* Replaces the binding; mw->lock held. */
static void set_binding(struct berth_mw *mw, struct berth_mw_binding *binding)
{
	struct berth_mw_binding *old;

	old = rcu_replace_pointer(mw->binding, binding, lockdep_is_held(&mw->lock));
	if (!old)
		return;
	/* Whoever still reads it is waited for before the MR goes. */
	atomic_dec(&old->mr->bound);
	kfree_rcu(old, rcu);
}

/**
 * berth_mw_dealloc - ib_device_ops.dealloc_mw
 * @ib: the window, bound or not; freed by the core
 *
 * Context: process; sleeps for an expedited grace period. Return: 0.
 */
int berth_mw_dealloc(struct ib_mw *ib)
{
	struct berth_mw *mw = to_mw(ib);

	xa_erase(&berth_dev(ib->device)->mws, index_of(ib->rkey));
	spin_lock_bh(&mw->lock);
	mw->gone = true;
	set_binding(mw, NULL);
	spin_unlock_bh(&mw->lock);
	synchronize_rcu_expedited();
	return 0;
}

/*
 * What can be said without looking at the MR (IBTA volume 1, 10.6.7.2 and 11.2.8). The local right to
 * write says nothing about a window, but programs name it.
 */
static bool window_ok(const struct berth_mw *mw, const struct berth_qp *qp,
		      const struct berth_swqe *wqe)
{
	if (mw->gone || mw->ib.pd != qp->pd || !berth_key_is_window(wqe->ex) ||
	    index_of(wqe->ex) != index_of(wqe->rkey) ||
	    wqe->bind.access & ~(MW_RIGHTS | IB_ACCESS_LOCAL_WRITE | IB_ZERO_BASED))
		return false;
	if (mw->ib.type == IB_MW_TYPE_1)
		return !(wqe->bind.access & IB_ZERO_BASED);
	/* Type 2: only one that is not bound, and never to nothing. */
	return wqe->bind.length && !rcu_access_pointer(mw->binding);
}

static bool mr_ok(const struct berth_mr *mr, const struct berth_qp *qp,
		  const struct berth_swqe *wqe, u64 *offset)
{
	if (!mr || mr->ib.pd != qp->pd || mr->ib.type == IB_MR_TYPE_DMA || mr->fast)
		return false;
	if (wqe->bind.access & MW_WRITES && !(mr->access & IB_ACCESS_LOCAL_WRITE))
		return false;
	return berth_mr_covers(mr, wqe->remote_addr, wqe->bind.length, IB_ACCESS_MW_BIND,
			       offset);
}

static int make_binding(struct berth_mw *mw, struct berth_qp *qp, const struct berth_swqe *wqe)
{
	struct berth_mr *mr = berth_mr_find(qp->dev, wqe->bind.lkey);
	struct berth_mw_binding *binding;
	u64 offset;

	if (!mr_ok(mr, qp, wqe, &offset))
		return -EINVAL;
	binding = kmalloc(sizeof(*binding), GFP_ATOMIC | __GFP_NOWARN);
	if (!binding)
		return -EAGAIN;
	if (!atomic_inc_unless_negative(&mr->bound)) {
		kfree(binding);
		return -EINVAL;
	}
	*binding = (struct berth_mw_binding){
		.mr = mr,
		.key = wqe->ex,
		.qpn = mw->ib.type == IB_MW_TYPE_2 ? qp->qpn : 0,
		.access = wqe->bind.access & MW_RIGHTS,
		.first = wqe->bind.access & IB_ZERO_BASED ? 0 : wqe->remote_addr,
		.length = wqe->bind.length,
		.offset = mr->window_offset + offset,
	};
	set_binding(mw, binding);
	return 0;
}

/**
 * berth_mw_bind - carry BIND_MW out
 * @qp: queue pair that it was posted to
 * @wqe: private copy
 *
 * Context: RCU reader, bottom halves disabled.
 * Return: 0; -EINVAL: not a window, MR, range or right that fit each other; -EAGAIN: no memory.
 */
int berth_mw_bind(struct berth_qp *qp, const struct berth_swqe *wqe)
{
	struct berth_mw *mw;
	int ret = 0;

	if (!berth_key_is_window(wqe->rkey))
		return -EINVAL;
	mw = xa_load(&qp->dev->mws, index_of(wqe->rkey));
	if (!mw)
		return -EINVAL;
	spin_lock(&mw->lock);
	if (!window_ok(mw, qp, wqe))
		ret = -EINVAL;
	else if (wqe->bind.length)
		ret = make_binding(mw, qp, wqe);
	else
		set_binding(mw, NULL);
	spin_unlock(&mw->lock);
	return ret;
}

static struct berth_mw_binding *binding_of(struct berth_mw *mw, const struct ib_pd *pd, u32 key)
{
	struct berth_mw_binding *binding;

	if (!mw || mw->ib.pd != pd)
		return NULL;
	binding = rcu_dereference_check(mw->binding, rcu_read_lock_bh_held());
	return binding && binding->key == key ? binding : NULL;
}

/**
 * berth_mw_find - the binding that a key names
 * @dev: the device
 * @pd: domain of the QP through which the peer comes
 * @qpn: that QP
 * @key: a window's
 *
 * Context: RCU reader. Return: the binding, valid until the end of the RCU section; NULL: none that
 * may be used so.
 */
const struct berth_mw_binding *berth_mw_find(struct berth_dev *dev, const struct ib_pd *pd, u32 qpn,
					     u32 key)
{
	struct berth_mw_binding *binding;

	binding = binding_of(xa_load(&dev->mws, index_of(key)), pd, key);
	if (!binding || (binding->qpn && binding->qpn != qpn))
		return NULL;
	return binding;
}

static int window_invalidate(struct berth_qp *qp, u32 key, bool by_peer)
{
	struct berth_mw *mw = xa_load(&qp->dev->mws, index_of(key));
	struct berth_mw_binding *binding;
	int ret = -EINVAL;

	if (!mw || mw->ib.type != IB_MW_TYPE_2)
		return -EINVAL;
	spin_lock(&mw->lock);
	binding = binding_of(mw, qp->pd, key);
	if (binding && (!by_peer || binding->qpn == qp->qpn)) {
		set_binding(mw, NULL);
		ret = 0;
	}
	spin_unlock(&mw->lock);
	return ret;
}

/**
 * berth_key_invalidate - end the key of an MR or a window of type 2
 * @qp: queue pair by which the order came
 * @key: the key
 * @by_peer: a peer asked for it (SEND with invalidate), not the consumer (LOCAL_INV)
 *
 * Context: RCU reader, bottom halves disabled. Return: 0 or -EINVAL, see berth_mr_invalidate().
 */
int berth_key_invalidate(struct berth_qp *qp, u32 key, bool by_peer)
{
	if (berth_key_is_window(key))
		return window_invalidate(qp, key, by_peer);
	return berth_mr_invalidate(qp->dev, qp->pd, key, by_peer);
}
