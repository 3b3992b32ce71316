// SPDX-License-Identifier: GPL-2.0
/*
 * Changing a memory region in place: its memory, its domain, its rights, alone or together. The
 * keys stay. What is new is made ready first; then the key is out of use for a grace period, in
 * which accesses by it fail, and comes back with all of it. A failure leaves the region as it was.
 *
 * Context: process; uverbs holds the object for writing, so there is one caller at a time.
 */
#include <linux/overflow.h>
#include <linux/rcupdate.h>
#include "mr.h"
#include "udata.h"

/* What a region becomes. */
struct change {
	int access;
	u64 iova;
	u64 length;
	struct ib_pd *pd;
	struct ib_umem *umem;		/* new ones, or NULL: they stay */
	struct berth_window *window;
};

/* Pins memory; start and length are the caller's or the old ones. */
static int repin(struct berth_mr *mr, struct change *c, u64 start, u64 length)
{
	struct ib_umem *umem;

	umem = ib_umem_get(mr->ib.device, start, length, c->access);
	if (IS_ERR(umem))
		return PTR_ERR(umem);
	c->window = berth_mr_umem_window(umem);
	if (IS_ERR(c->window)) {
		int ret = PTR_ERR(c->window);

		c->window = NULL;
		ib_umem_release(umem);
		return ret;
	}
	c->umem = umem;
	return 0;
}

static int prepare(struct berth_mr *mr, struct change *c, int flags, u64 start)
{
	u64 end;

	if (flags & IB_MR_REREG_TRANS) {
		if (!mr->umem)
			return -EOPNOTSUPP;
		if (!c->length || check_add_overflow(c->iova, c->length, &end))
			return -EINVAL;
		return repin(mr, c, start, c->length);
	}
	if (!ib_access_writable(c->access))
		return 0;
	/* Pages that were pinned for reading only. */
	if (mr->umem && !mr->umem->writable)
		return repin(mr, c, mr->umem->address, mr->umem->length);
	/* The right to write to a dma-buf was looked at when there was a file to look at. */
	return mr->umem || ib_access_writable(mr->access) ? 0 : -EACCES;
}

static void carry_out(struct berth_mr *mr, struct change *c)
{
	WRITE_ONCE(mr->valid, false);
	synchronize_rcu_expedited();

	mr->access = c->access & ~IB_ACCESS_OPTIONAL;
	mr->ib.pd = c->pd;
	mr->iova = c->iova;
	mr->length = c->length;
	mr->ib.iova = c->iova;
	mr->ib.length = c->length;
	if (c->umem) {
		swap(mr->umem, c->umem);
		swap(mr->window, c->window);
		berth_window_destroy(c->window);
		ib_umem_release(c->umem);
	}
	/* Pairs with the acquire in berth_mr_find(). */
	smp_store_release(&mr->valid, true);
}

/**
 * berth_mr_rereg - ib_device_ops.rereg_user_mr
 * @ib: the region
 * @flags: IB_MR_REREG_TRANS, _PD, _ACCESS: what changes
 * @start: TRANS: first byte in the process
 * @length: TRANS: in bytes
 * @iova: TRANS: its address in work requests
 * @access: ACCESS: enum ib_access_flags, checked by the core
 * @pd: the domain it will be in
 * @udata: brings nothing
 *
 * Context: process; sleeps for an expedited grace period.
 * Return: NULL: done in place; ERR_PTR: -EBUSY: windows are bound to it; -EOPNOTSUPP: other memory
 * for a dma-buf, a region that is paged on demand, or rights that we do not have; -EACCES: right to
 * write to a dma-buf that was registered for reading; -EINVAL, -ENOMEM, -EFAULT as of registration.
 */
struct ib_mr *berth_mr_rereg(struct ib_mr *ib, int flags, u64 start, u64 length, u64 iova,
			     int access, struct ib_pd *pd, struct ib_udata *udata)
{
	struct berth_mr *mr = berth_mr(ib);
	struct change c = {
		.access = flags & IB_MR_REREG_ACCESS ? access : mr->access,
		.iova = flags & IB_MR_REREG_TRANS ? iova : mr->iova,
		.length = flags & IB_MR_REREG_TRANS ? length : mr->length,
		.pd = pd,
	};
	int ret;

	ret = mr->paged ? -EOPNOTSUPP : berth_mr_check_access(c.access);
	if (!ret)
		ret = berth_udata_none(udata);
	if (ret)
		return ERR_PTR(ret);
	if (!berth_mr_close(mr))
		return ERR_PTR(-EBUSY);
	ret = prepare(mr, &c, flags, start);
	if (!ret)
		carry_out(mr, &c);
	berth_mr_open(mr);
	return ERR_PTR(ret);
}
