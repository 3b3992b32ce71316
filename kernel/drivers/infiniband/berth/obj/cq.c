// SPDX-License-Identifier: GPL-2.0
/*
 * Completion queues, see cq.h.
 *
 * Create and destroy: process context, serialised by the core. Posting: any queue's context with
 * bottom halves disabled, under cq->lock. The core frees the berth_cq; the ring is a berth_shared.
 * Destroy needs to wait for nobody: the core refuses it while a QP refers to the CQ, and a QP that
 * is gone posts no more.
 *
 * What the process writes (cons, arm) decides only over its own entries and its own wake-ups. A
 * consumer counter that cannot be, ahead of the producer or more than a ring behind it, is a ring
 * without room.
 */
#include <linux/ktime.h>
#include <linux/log2.h>
#include <net/netlink.h>
#include <rdma/rdma_netlink.h>
#include <rdma/restrack.h>
#include <rdma/uverbs_ioctl.h>
#include "../dev.h"
#include "../stats.h"
#include "cq.h"
#include "shared.h"
#include "ucontext.h"
#include "udata.h"

/* Driver data of a process and flags of the verb, as one set of enum berth_create_cq_flags. */
static int take_flags(const struct ib_cq_init_attr *attr, struct ib_udata *udata, u32 *flags)
{
	struct berth_create_cq_req req = {};
	int ret;

	if (udata) {
		ret = berth_udata_copy_in(udata, &req, sizeof(req));
		if (ret)
			return ret;
	}
	if (req.reserved)
		return -EINVAL;
	if (req.flags & ~(u32)(BERTH_CQ_TIMESTAMP | BERTH_CQ_WALLCLOCK | BERTH_CQ_IGNORE_OVERRUN))
		return -EOPNOTSUPP;
	if (attr->flags & ~(u32)(IB_UVERBS_CQ_FLAGS_TIMESTAMP_COMPLETION |
				 IB_UVERBS_CQ_FLAGS_IGNORE_OVERRUN))
		return -EOPNOTSUPP;

	*flags = req.flags;
	if (attr->flags & IB_UVERBS_CQ_FLAGS_TIMESTAMP_COMPLETION)
		*flags |= BERTH_CQ_TIMESTAMP;
	if (attr->flags & IB_UVERBS_CQ_FLAGS_IGNORE_OVERRUN)
		*flags |= BERTH_CQ_IGNORE_OVERRUN;
	return 0;
}

static int tell_ring(const struct berth_cq *cq, struct ib_udata *udata)
{
	struct berth_create_cq_resp resp = {
		.mmap_offset = berth_shared_mmap_offset(cq->shared),
		.mmap_size = cq->shared->size,
		.entries = cq->entries,
	};

	return berth_udata_copy_out(udata, &resp, sizeof(resp));
}

/**
 * berth_cq_create - ib_device_ops.create_cq
 * @ib: allocated and zeroed by the core; its cqe is set to the entries that can be used.
 * @attr: size, vector and flags.
 * @attrs: of a process, with struct berth_create_cq_req and _resp; NULL for a kernel consumer.
 *
 * Context: process; sleeps.
 * Return: 0; -EINVAL: size, vector or driver data out of range; -EOPNOTSUPP: unknown flags;
 * -ENOMEM, also when the device has max_cq; -ENOSPC, -EFAULT.
 */
int berth_cq_create(struct ib_cq *ib, const struct ib_cq_init_attr *attr,
		    struct uverbs_attr_bundle *attrs)
{
	struct ib_udata *udata = attrs ? &attrs->driver_udata : NULL;
	struct berth_ucontext *uctx =
		rdma_udata_to_drv_context(udata, struct berth_ucontext, ib);
	struct berth_cq *cq = berth_cq(ib);
	int ret;

	if (attr->cqe < 1 || attr->cqe > BERTH_MAX_CQE ||
	    attr->comp_vector >= ib->device->num_comp_vectors)
		return -EINVAL;
	ret = take_flags(attr, udata, &cq->flags);
	if (ret)
		return ret;
	ret = berth_limit_take(berth_dev(ib->device), BERTH_LIMIT_CQ);
	if (ret)
		return ret;

	spin_lock_init(&cq->lock);
	spin_lock_init(&cq->poll_lock);
	cq->entries = roundup_pow_of_two(attr->cqe);
	cq->shared = berth_shared_alloc(uctx, sizeof(*cq->ring) + cq->entries * sizeof(*cq->cqes));
	if (IS_ERR(cq->shared)) {
		ret = PTR_ERR(cq->shared);
		goto uncount;
	}
	cq->ring = cq->shared->va;
	cq->cqes = (struct berth_cqe *)(cq->ring + 1);
	ib->cqe = cq->entries;

	if (udata) {
		ret = tell_ring(cq, udata);
		if (ret)
			goto free_shared;
	}
	return 0;

free_shared:
	berth_shared_free(cq->shared);
uncount:
	berth_limit_give(berth_dev(ib->device), BERTH_LIMIT_CQ);
	return ret;
}

/*
 * Goes on in another ring. What has been posted stays where it is: the process, which has both rings
 * mapped, moves what it has not read, so that nothing here takes long with the lock held.
 */
static int move(struct berth_cq *cq, struct berth_shared *to, u32 entries)
{
	struct berth_cq_ring *ring = to->va;
	/* Pairs with the process's release of cons. */
	u32 cons = smp_load_acquire(&cq->ring->cons);

	lockdep_assert_held(&cq->lock);
	if (cq->prod - cons > min(entries, cq->entries))
		return -EINVAL;
	ring->cons = cons;
	ring->prod = cq->prod;
	ring->arm = READ_ONCE(cq->ring->arm);
	cq->cons = cons;
	cq->ring = ring;
	cq->cqes = (struct berth_cqe *)(ring + 1);
	cq->entries = entries;
	return 0;
}

/**
 * berth_cq_resize - ib_device_ops.resize_cq
 * @ib: CQ of a process; its cqe is set to the entries that can be used.
 * @cqe: entries asked for.
 * @udata: with struct berth_create_cq_resp; NULL for a kernel consumer, who may not resize.
 *
 * Context: process; sleeps. The core does not serialise calls; each changes all at once.
 * Return: 0; -EINVAL: size out of range, or less than what is to be polled; -EOPNOTSUPP, -ENOMEM,
 * -ENOSPC, -EFAULT.
 */
int berth_cq_resize(struct ib_cq *ib, int cqe, struct ib_udata *udata)
{
	struct berth_ucontext *uctx =
		rdma_udata_to_drv_context(udata, struct berth_ucontext, ib);
	struct berth_cq *cq = berth_cq(ib);
	struct berth_create_cq_resp resp;
	struct berth_shared *shared;
	int ret;

	if (!udata)
		return -EOPNOTSUPP;
	if (cqe < 1 || cqe > BERTH_MAX_CQE || berth_udata_none(udata))
		return -EINVAL;
	resp.entries = roundup_pow_of_two(cqe);
	shared = berth_shared_alloc(uctx, sizeof(*cq->ring) + resp.entries * sizeof(*cq->cqes));
	if (IS_ERR(shared))
		return PTR_ERR(shared);
	resp.mmap_offset = berth_shared_mmap_offset(shared);
	resp.mmap_size = shared->size;

	spin_lock_bh(&cq->lock);
	ret = move(cq, shared, resp.entries);
	if (!ret) {
		swap(cq->shared, shared);
		ib->cqe = resp.entries;
	}
	spin_unlock_bh(&cq->lock);
	/* The old one, whose pages the process keeps while it maps them; or the new one. */
	berth_shared_free(shared);
	return ret ?: berth_udata_copy_out(udata, &resp, sizeof(resp));
}

/**
 * berth_cq_destroy - ib_device_ops.destroy_cq
 * @ib: a CQ to which no QP refers.
 * @udata: ignored.
 *
 * Context: process; sleeps. Return: 0.
 */
int berth_cq_destroy(struct ib_cq *ib, struct ib_udata *udata)
{
	berth_shared_free(berth_cq(ib)->shared);
	berth_limit_give(berth_dev(ib->device), BERTH_LIMIT_CQ);
	return 0;
}

/* Room for one entry. The consumer counter is read again only when the ring seems full. */
static bool has_room(struct berth_cq *cq)
{
	u32 cons;

	lockdep_assert_held(&cq->lock);
	if (cq->prod - cq->cons < cq->entries)
		return true;
	/* Pairs with the process's release of cons: it has read the entries that we overwrite. */
	cons = smp_load_acquire(&cq->ring->cons);
	if (cq->prod - cons >= cq->entries)
		return false;
	cq->cons = cons;
	return true;
}

/* Whether the process waits for this entry; if so it is disarmed and must be woken. */
static bool take_arm(struct berth_cq *cq, const struct berth_cqe *cqe)
{
	u32 arm;

	lockdep_assert_held(&cq->lock);
	/*
	 * Between our store of prod and our load of arm. Pairs with the full barrier of the process
	 * between its store of arm and its last poll: either it sees the entry or we see the arm.
	 */
	smp_mb();
	arm = READ_ONCE(cq->ring->arm);
	if (likely(arm == BERTH_CQ_ARM_NONE))
		return false;
	if (arm == BERTH_CQ_ARM_SOLICITED && !(cqe->flags & BERTH_CQE_SOLICITED) &&
	    cqe->status == IB_WC_SUCCESS)
		return false;
	/* The process may have raised it from solicited to any meanwhile: both are served. */
	return xchg(&cq->ring->arm, BERTH_CQ_ARM_NONE) != BERTH_CQ_ARM_NONE;
}

static void put_entry(struct berth_cq *cq, const struct berth_cqe *cqe)
{
	struct berth_cqe *slot = &cq->cqes[cq->prod & (cq->entries - 1)];

	lockdep_assert_held(&cq->lock);
	*slot = *cqe;
	if (cq->flags & BERTH_CQ_TIMESTAMP)
		slot->timestamp = ktime_get_ns();
	if (cq->flags & BERTH_CQ_WALLCLOCK)
		slot->wallclock = ktime_get_real_ns();
	cq->prod++;
	/* Pairs with the process's acquire of prod: the entry is whole before it is announced. */
	smp_store_release(&cq->ring->prod, cq->prod);
}

/* The first entry was lost. The CQ is not locked. Out of line: the fast path needs no stack. */
static noinline void raise_overflow(struct berth_cq *cq)
{
	struct ib_event event = {
		.device = cq->ib.device,
		.element.cq = &cq->ib,
		.event = IB_EVENT_CQ_ERR,
	};

	if (cq->ib.event_handler)
		cq->ib.event_handler(&event, cq->ib.cq_context);
}

/**
 * berth_cq_post - announce a completion
 * @cq: the queue; a reference of one of its QPs keeps it.
 * @cqe: the entry, complete but for the timestamp; copied.
 *
 * When the ring is full the entry is lost, IB_EVENT_CQ_ERR is raised, and the CQ takes no entry any
 * more (IBTA volume 1, 11.6.3.1, CQ error): the completions of a QP would have a gap. With
 * BERTH_CQ_IGNORE_OVERRUN the entry is lost and that is all: the process said that it does not mind.
 * Wakes whoever waits on the completion channel.
 *
 * Context: bottom halves disabled, any lock above cq->lock (qp.h); does not sleep.
 * Return: false when the entry was lost: unless berth_cq_may_lose(), the QP goes to error.
 */
bool berth_cq_post(struct berth_cq *cq, const struct berth_cqe *cqe)
{
	bool first_loss = false, wake = false, posted;

	lockdep_assert_in_softirq();
	spin_lock(&cq->lock);
	posted = !cq->overflow && has_room(cq);
	if (likely(posted)) {
		put_entry(cq, cqe);
		wake = take_arm(cq, cqe);
	} else if (berth_cq_may_lose(cq)) {
		wake = take_arm(cq, cqe);
	} else {
		first_loss = !cq->overflow;
		cq->overflow = true;
	}
	spin_unlock(&cq->lock);

	if (wake && cq->ib.comp_handler)
		cq->ib.comp_handler(&cq->ib, cq->ib.cq_context);
	if (unlikely(!posted))
		berth_count(berth_dev(cq->ib.device), BERTH_CNT_CQ_OVERFLOW);
	if (unlikely(first_loss))
		raise_overflow(cq);
	return posted;
}

/**
 * berth_cq_fill_res - ib_device_ops.fill_res_cq_entry: `rdma -dd resource show cq`
 * @msg: netlink message to add to.
 * @ib: a CQ that cannot go meanwhile.
 *
 * Context: process. Return: 0, or -EMSGSIZE.
 */
int berth_cq_fill_res(struct sk_buff *msg, struct ib_cq *ib)
{
	struct berth_cq *cq = berth_cq(ib);
	struct nlattr *table;
	bool overflow;
	u32 prod, cons;

	spin_lock_bh(&cq->lock);
	prod = cq->prod;
	cons = READ_ONCE(cq->ring->cons);
	overflow = cq->overflow;
	spin_unlock_bh(&cq->lock);

	table = nla_nest_start(msg, RDMA_NLDEV_ATTR_DRIVER);
	if (!table)
		return -EMSGSIZE;
	if (rdma_nl_put_driver_u32(msg, "produced", prod) ||
	    rdma_nl_put_driver_u32(msg, "consumed", cons) ||
	    rdma_nl_put_driver_u32(msg, "overflow", overflow)) {
		nla_nest_cancel(msg, table);
		return -EMSGSIZE;
	}
	nla_nest_end(msg, table);
	return 0;
}
