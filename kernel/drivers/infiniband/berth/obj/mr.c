// SPDX-License-Identifier: GPL-2.0
/*
 * Memory regions: keys, life and death, and the two kinds that are made of system memory. dma-bufs
 * are in mr_dmabuf.c, memory that is paged on demand in mr_odp.c.
 *
 * Registration and deregistration run in process context. An MR owns its window (or its reference
 * of an area, whose window it borrows), its umem and its key. Readers are under RCU, see mr.h.
 *
 * A key is an index in berth_dev.mrs and a variant byte. Indices are given out in a circle and the
 * variant is how often the circle was closed, so an index is never given out twice with one
 * variant until 2^31 registrations later, and a stale key finds nothing.
 */
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/overflow.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <net/netlink.h>
#include <rdma/rdma_netlink.h>
#include <rdma/restrack.h>
#include "mr.h"
#include "mr_fast.h"
#include "udata.h"

#define MR_VARIANT_BITS	BERTH_KEY_VARIANT_BITS
#define MR_INDEX_BITS	BERTH_KEY_INDEX_BITS
#define MR_INDEX_MASK	((1U << MR_INDEX_BITS) - 1)
#define MR_INDEX_LIMIT	XA_LIMIT(1, MR_INDEX_MASK)

#define MR_REMOTE_RIGHTS \
	(IB_ACCESS_REMOTE_READ | IB_ACCESS_REMOTE_WRITE | IB_ACCESS_REMOTE_ATOMIC)

/*
 * Protects mr_next of every device: the index to try next, and above it the variant. Not the
 * xa_lock: that is dropped to allocate memory, and another registration could then go round the
 * circle in between.
 */
static DEFINE_MUTEX(key_mutex);

/* Reserve an index; lookups find nothing there until berth_mr_publish(). */
static int take_key(struct berth_dev *dev, u32 *key)
{
	u32 index, next, variant;
	int ret;

	mutex_lock(&key_mutex);
	next = dev->mr_next & MR_INDEX_MASK;
	variant = dev->mr_next >> MR_INDEX_BITS;
	ret = xa_alloc_cyclic(&dev->mrs, &index, NULL, MR_INDEX_LIMIT, &next, GFP_KERNEL);
	if (ret == 1)
		variant++;
	if (ret >= 0) {
		*key = index << MR_VARIANT_BITS | (u8)variant;
		/* Beyond the last index the sum is index 0 of the next variant. */
		dev->mr_next = (variant << MR_INDEX_BITS) + next;
	}
	mutex_unlock(&key_mutex);

	/* There are max_mr. */
	if (ret == -EBUSY)
		return -ENOMEM;
	return ret < 0 ? ret : 0;
}

/**
 * berth_mr_look_up - find the MR at an index, and remember it
 * @keys: of the side of a QP that looks it up, whose lock is held
 * @index: of a key
 *
 * Context: RCU reader. Return: the MR, whatever its key; or NULL.
 */
struct berth_mr *berth_mr_look_up(struct berth_keys *keys, u32 index)
{
	/* Acquire: before the lookup, so that an MR that goes after it is missed next time. */
	keys->lost = atomic64_read_acquire(&keys->dev->mrs_lost);
	keys->last = xa_load(&keys->dev->mrs, index);
	keys->index = index;
	return keys->last;
}

/**
 * berth_mr_check_access - whether an MR can have these rights
 * @access: as the consumer asked; the core has checked that rights of peers to write come with the
 *	local one.
 *
 * Context: any. Return: 0; -EOPNOTSUPP: on-demand paging (which mr_odp.c takes away before), zero based,
 * flushing.
 */
int berth_mr_check_access(int access)
{
	return access & ~(IB_ACCESS_LOCAL_WRITE | MR_REMOTE_RIGHTS | IB_ACCESS_MW_BIND |
			  IB_ACCESS_OPTIONAL) ? -EOPNOTSUPP : 0;
}

/**
 * berth_mr_alloc - make an MR that nobody can find yet
 * @pd: its domain.
 * @iova: address of its first byte.
 * @length: in bytes; the caller has checked that iova + length does not wrap.
 * @access: rights, checked; the optional ones are dropped.
 *
 * Context: process; sleeps.
 * Return: the MR with its key; ERR_PTR: -ENOMEM, also when every key is in use.
 */
struct berth_mr *berth_mr_alloc(struct ib_pd *pd, u64 iova, u64 length, int access)
{
	struct berth_mr *mr;
	int ret;

	mr = kzalloc(sizeof(*mr), GFP_KERNEL_ACCOUNT);
	if (!mr)
		return ERR_PTR(-ENOMEM);
	ret = take_key(berth_dev(pd->device), &mr->key);
	if (ret) {
		kfree(mr);
		return ERR_PTR(ret);
	}

	/* The core writes some of these once more after registration, with the same values. */
	mr->ib.device = pd->device;
	mr->ib.pd = pd;
	mr->ib.type = IB_MR_TYPE_USER;
	mr->ib.iova = iova;
	mr->ib.length = length;
	mr->iova = iova;
	mr->length = length;
	mr->ib.lkey = mr->key;
	mr->ib.rkey = mr->key;
	mr->access = access & ~IB_ACCESS_OPTIONAL;
	return mr;
}

/**
 * berth_mr_publish_closed - let work requests find an MR that is not valid yet
 * @mr: complete.
 *
 * Context: process; sleeps.
 */
void berth_mr_publish_closed(struct berth_mr *mr)
{
	struct berth_dev *dev = berth_dev(mr->ib.device);

	/* The index is reserved, so there is nothing to allocate and nothing that can fail. */
	WARN_ON(xa_is_err(xa_store(&dev->mrs, mr->key >> MR_VARIANT_BITS, mr, GFP_KERNEL)));
}

/**
 * berth_mr_publish - let the data path find an MR; the last step of making one
 * @mr: complete.
 *
 * Context: process; sleeps.
 */
void berth_mr_publish(struct berth_mr *mr)
{
	/* Pairs with the acquire of valid in the lookups. */
	smp_store_release(&mr->valid, true);
	berth_mr_publish_closed(mr);
}

/**
 * berth_mr_destroy - undo berth_mr_alloc() and all that followed
 * @mr: complete or not; freed.
 *
 * When it returns no access runs any more. The wait is expedited because deregistration is a
 * synchronous verb, also in the exit of a process with thousands of MRs; a normal grace period
 * takes tens of milliseconds.
 *
 * Context: process; sleeps.
 */
void berth_mr_destroy(struct berth_mr *mr)
{
	struct berth_dev *dev = berth_dev(mr->ib.device);

	xa_erase(&dev->mrs, mr->key >> MR_VARIANT_BITS);
	/* Release: whoever sees it does not find the MR. See keys.h. */
	atomic64_inc_return_release(&dev->mrs_lost);
	if (mr->area) {
		/* The window is the area's and may be in use by others for long: wait here. */
		synchronize_rcu_expedited();
		berth_area_put(mr->area);
	} else {
		/* Waits for the same grace period itself. */
		berth_window_destroy(mr->window);
	}
	if (mr->umem)
		ib_umem_release(mr->umem);
	berth_mr_fast_free(mr);
	kfree(mr);
}

/* The window keeps a copy of the array of pages; the umem keeps them pinned. */
struct berth_window *berth_mr_umem_window(struct ib_umem *umem)
{
	size_t npages = ib_umem_num_pages(umem), n = 0;
	struct berth_window *window;
	struct sg_page_iter iter;
	struct page **pages;

	pages = kvmalloc_array(npages, sizeof(*pages), GFP_KERNEL);
	if (!pages)
		return ERR_PTR(-ENOMEM);
	for_each_sgtable_page(&umem->sgt_append.sgt, &iter, 0) {
		if (WARN_ON(n == npages))
			break;
		pages[n++] = sg_page_iter_page(&iter);
	}
	window = berth_window_create_pages(pages, n, ib_umem_offset(umem), umem->length);
	kvfree(pages);
	return window;
}

/**
 * berth_mr_reg_user - ib_device_ops.reg_user_mr
 * @pd: domain of the process.
 * @start: its first byte.
 * @length: in bytes.
 * @iova: address under which @start is known to work requests.
 * @access: enum ib_access_flags.
 * @udata: brings nothing.
 *
 * Context: process; sleeps.
 * Return: the MR; ERR_PTR: -EINVAL: no bytes, an end that wraps, or driver data; -EOPNOTSUPP: see
 * berth_mr_check_access(); -ENOMEM (also RLIMIT_MEMLOCK), -EFAULT; with IB_ACCESS_ON_DEMAND, see
 * berth_mr_reg_odp().
 */
struct ib_mr *berth_mr_reg_user(struct ib_pd *pd, u64 start, u64 length, u64 iova, int access,
				struct ib_udata *udata)
{
	struct berth_mr *mr;
	u64 end;
	int ret;

	ret = berth_udata_none(udata);
	if (!ret && access & IB_ACCESS_ON_DEMAND)
		return berth_mr_reg_odp(pd, start, length, iova, access);
	if (!ret)
		ret = berth_mr_check_access(access);
	if (ret)
		return ERR_PTR(ret);
	if (!length || check_add_overflow(iova, length, &end))
		return ERR_PTR(-EINVAL);

	mr = berth_mr_alloc(pd, iova, length, access);
	if (IS_ERR(mr))
		return ERR_CAST(mr);
	mr->umem = ib_umem_get(pd->device, start, length, access);
	if (IS_ERR(mr->umem)) {
		ret = PTR_ERR(mr->umem);
		mr->umem = NULL;
		goto destroy;
	}
	mr->window = berth_mr_umem_window(mr->umem);
	if (IS_ERR(mr->window)) {
		ret = PTR_ERR(mr->window);
		mr->window = NULL;
		goto destroy;
	}
	berth_mr_publish(mr);
	return &mr->ib;

destroy:
	berth_mr_destroy(mr);
	return ERR_PTR(ret);
}

/**
 * berth_mr_get_dma - ib_device_ops.get_dma_mr: the direct map, for kernel consumers
 * @pd: domain of a kernel consumer.
 * @access: enum ib_access_flags.
 *
 * An address in it is a kernel virtual address, as the core's ib_dma_map functions return for this
 * device (ib_uses_virt_dma()).
 *
 * Context: process; sleeps.
 * Return: the MR; ERR_PTR: -EOPNOTSUPP, -ENOMEM.
 */
struct ib_mr *berth_mr_get_dma(struct ib_pd *pd, int access)
{
	struct berth_mr *mr;
	int ret;

	ret = berth_mr_check_access(access);
	if (ret)
		return ERR_PTR(ret);
	mr = berth_mr_alloc(pd, 0, U64_MAX, access);
	if (IS_ERR(mr))
		return ERR_CAST(mr);
	mr->ib.type = IB_MR_TYPE_DMA;
	mr->window = berth_window_create_direct();
	if (IS_ERR(mr->window)) {
		ret = PTR_ERR(mr->window);
		mr->window = NULL;
		goto destroy;
	}
	berth_mr_publish(mr);
	return &mr->ib;

destroy:
	berth_mr_destroy(mr);
	return ERR_PTR(ret);
}

/**
 * berth_mr_dereg - ib_device_ops.dereg_mr
 * @ib: the MR; freed.
 * @udata: ignored.
 *
 * Context: process; sleeps for an expedited grace period.
 * Return: 0; -EBUSY: memory windows are bound to it.
 */
int berth_mr_dereg(struct ib_mr *ib, struct ib_udata *udata)
{
	struct berth_mr *mr = berth_mr(ib);

	if (!berth_mr_close(mr))
		return -EBUSY;
	berth_mr_destroy(mr);
	return 0;
}

/**
 * berth_mr_invalidate - end a key on behalf of a peer (SEND with invalidate) or of the consumer
 *	(LOCAL_INV)
 * @dev: the device.
 * @pd: of the QP that received the message, or that the request was posted to.
 * @rkey: the key.
 * @by_peer: a peer asked for it.
 *
 * What was registered for good serves many peers, of which none may take it from the others: a peer
 * gives back only MRs of fast registration that grant it something (and memory windows, see mw.c). The
 * consumer may end any; those of another domain or with windows, or the direct map, nobody.
 * From here on every access by the key fails, local ones too; the MR waits for deregistration.
 * Accesses that run at this moment in another context may end after it, but for MRs of fast
 * registration.
 *
 * Context: RCU reader; softirq or process; does not sleep.
 * Return: 0; -EINVAL: no such valid key in the domain, or not for peers.
 */
int berth_mr_invalidate(struct berth_dev *dev, struct ib_pd *pd, u32 rkey, bool by_peer)
{
	struct berth_mr *mr = xa_load(&dev->mrs, rkey >> MR_VARIANT_BITS);

	if (!mr || mr->ib.pd != pd || mr->ib.type == IB_MR_TYPE_DMA || atomic_read(&mr->bound))
		return -EINVAL;
	if (by_peer && (!mr->fast || !(READ_ONCE(mr->access) & MR_REMOTE_RIGHTS)))
		return -EINVAL;
	if (mr->fast)
		return berth_mr_fast_invalidate(mr, rkey);
	if (mr->key != rkey || !READ_ONCE(mr->valid))
		return -EINVAL;
	WRITE_ONCE(mr->valid, false);
	return 0;
}

/**
 * berth_mr_fill_res - ib_device_ops.fill_res_mr_entry: `rdma -dd resource show mr`
 * @msg: netlink message to add to.
 * @ib: an MR that cannot go meanwhile.
 *
 * Context: process. Return: 0, or -EMSGSIZE.
 */
int berth_mr_fill_res(struct sk_buff *msg, struct ib_mr *ib)
{
	struct berth_mr *mr = berth_mr(ib);
	const char *memory = "pages";
	struct nlattr *table;

	if (mr->area)
		memory = berth_window_is_iomem(mr->window) ? "dma-buf, I/O" : "dma-buf";
	else if (mr->fast)
		memory = "fast registration";
	else if (mr->paged)
		memory = "pages, on demand";
	else if (!mr->umem)
		memory = "direct map";

	table = nla_nest_start(msg, RDMA_NLDEV_ATTR_DRIVER);
	if (!table)
		return -EMSGSIZE;
	if (rdma_nl_put_driver_string(msg, "memory", memory) ||
	    rdma_nl_put_driver_u32(msg, "valid", READ_ONCE(mr->valid)) ||
	    (mr->area && rdma_nl_put_driver_u32(msg, "area", berth_area_id(mr->area)))) {
		nla_nest_cancel(msg, table);
		return -EMSGSIZE;
	}
	nla_nest_end(msg, table);
	return 0;
}
