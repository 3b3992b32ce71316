// SPDX-License-Identifier: GPL-2.0
/*
 * Memory regions that are paged on demand: over a range of the process, or over all of its memory, now
 * and later (an implicit region). What there is to it is in berth_netmem's paged windows; here are
 * keys, rights and advice. Nothing is pinned, nothing counts as locked memory.
 *
 * Process context. A region follows whatever the process maps at its addresses. Memory that is not
 * there is brought in when work requests come to it: they wait, a peer is told that we are not ready.
 * What the process does not have, or not with the right to write, is the protection error that an
 * unknown key is.
 */
#include <linux/overflow.h>
#include <linux/rcupdate.h>
#include <linux/uaccess.h>
#include "mr.h"

#define RIGHTS \
	(IB_ACCESS_LOCAL_WRITE | IB_ACCESS_REMOTE_READ | IB_ACCESS_REMOTE_WRITE | \
	 IB_ACCESS_REMOTE_ATOMIC | IB_ACCESS_MW_BIND)

/* Huge pages are taken as they come; the flag changes nothing. */
#define FLAGS	(IB_ACCESS_ON_DEMAND | IB_ACCESS_HUGETLB | IB_ACCESS_OPTIONAL)

/**
 * berth_mr_odp_caps - add what can be paged on demand to the attributes of a device
 * @attr: attributes, otherwise complete
 *
 * Receives of UD work, too, but a datagram that finds its receive absent is dropped, so they are
 * not reported.
 *
 * Context: any.
 */
void berth_mr_odp_caps(struct ib_device_attr *attr)
{
	if (!berth_paging_supported())
		return;
	attr->kernel_cap_flags |= IBK_ON_DEMAND_PAGING;
	attr->odp_caps = (struct ib_odp_caps) {
		.general_caps = IB_ODP_SUPPORT | IB_ODP_SUPPORT_IMPLICIT,
		.per_transport_caps.rc_odp_caps =
			IB_ODP_SUPPORT_SEND | IB_ODP_SUPPORT_RECV | IB_ODP_SUPPORT_WRITE |
			IB_ODP_SUPPORT_READ | IB_ODP_SUPPORT_ATOMIC | IB_ODP_SUPPORT_SRQ_RECV,
		.per_transport_caps.ud_odp_caps = IB_ODP_SUPPORT_SEND,
	};
}

/* All of the process's memory, or a range that lies where processes can have some. */
static int check_range(u64 start, u64 length, u64 iova)
{
	u64 end;

	if (!length || check_add_overflow(iova, length, &end))
		return -EINVAL;
	if (!start && length == U64_MAX)
		return 0;
	if (check_add_overflow(start, length, &end))
		return -EINVAL;
	return access_ok(u64_to_user_ptr(start), length) ? 0 : -EFAULT;
}

/**
 * berth_mr_reg_odp - register memory of the calling process that is paged on demand
 * @pd: domain of the process
 * @start: first byte; 0 with U64_MAX for @length: all of its memory
 * @length: in bytes
 * @iova: address under which @start is known to work requests
 * @access: enum ib_access_flags, with IB_ACCESS_ON_DEMAND
 *
 * Nothing need be mapped there yet.
 *
 * Context: process; sleeps.
 * Return: the MR; ERR_PTR: -EINVAL: no bytes, or an end that wraps; -EFAULT: no process can have
 * memory there; -EOPNOTSUPP: rights, or a kernel without paging; -ENOMEM, -EINTR.
 */
struct ib_mr *berth_mr_reg_odp(struct ib_pd *pd, u64 start, u64 length, u64 iova, int access)
{
	struct berth_mr *mr;
	int ret;

	if (access & ~(RIGHTS | FLAGS))
		return ERR_PTR(-EOPNOTSUPP);
	ret = check_range(start, length, iova);
	if (ret)
		return ERR_PTR(ret);
	mr = berth_mr_alloc(pd, iova, length, access);
	if (IS_ERR(mr))
		return ERR_CAST(mr);
	mr->paged = true;
	mr->window = berth_window_create_paged(start, length, access & IB_ACCESS_LOCAL_WRITE);
	if (IS_ERR(mr->window)) {
		ret = PTR_ERR(mr->window);
		mr->window = NULL;
		berth_mr_destroy(mr);
		return ERR_PTR(ret);
	}
	berth_mr_publish(mr);
	return &mr->ib;
}

/* The window of a piece and where in it the piece lies; held. NULL: the piece names none. */
static struct berth_window *hold_window(struct ib_pd *pd, const struct ib_sge *sge, int access,
					u64 *offset)
{
	struct berth_window *window = NULL;
	struct berth_mr *mr;

	rcu_read_lock();
	mr = berth_mr_find(berth_dev(pd->device), sge->lkey);
	if (mr && mr->ib.pd == pd && mr->paged &&
	    berth_mr_covers(mr, sge->addr, sge->length, access, offset) &&
	    berth_window_hold(mr->window))
		window = mr->window;
	rcu_read_unlock();
	return window;
}

static int advise_piece(struct ib_pd *pd, const struct ib_sge *sge, enum berth_paging how,
			bool wait)
{
	const int access = how == BERTH_PAGING_WRITE ? IB_ACCESS_LOCAL_WRITE : 0;
	struct berth_window *window;
	u64 offset;
	int ret;

	window = hold_window(pd, sge, access, &offset);
	if (!window)
		return -EFAULT;
	ret = berth_window_prefetch(window, offset, sge->length, how, wait);
	berth_window_release(window);
	return ret == -ENOMEM || ret == -EBUSY || !ret ? ret : -EFAULT;
}

/**
 * berth_mr_advise - ib_device_ops.advise_mr: bring memory in before it is needed
 * @pd: domain of the regions
 * @advice: for what
 * @flags: IB_UVERBS_ADVISE_MR_FLAG_FLUSH: wait until it is there
 * @sge: pieces of regions that are paged on demand
 * @count: of them
 * @attrs: bring nothing
 *
 * Without FLUSH it is a hint: errors of the process's memory are not told, and what is too much is
 * left out.
 *
 * Context: process; sleeps.
 * Return: 0; -EOPNOTSUPP: an advice that nobody here knows; -EFAULT: a key that is none or of other
 * memory, a right that it has not, a range outside it, and with FLUSH a part that the process has not;
 * -ENOMEM; -EBUSY: the process changes its memory all the time.
 */
int berth_mr_advise(struct ib_pd *pd, enum ib_uverbs_advise_mr_advice advice, u32 flags,
		    struct ib_sge *sge, u32 count, struct uverbs_attr_bundle *attrs)
{
	const bool wait = flags & IB_UVERBS_ADVISE_MR_FLAG_FLUSH;
	enum berth_paging how;
	int ret = 0;
	u32 i;

	switch (advice) {
	case IB_UVERBS_ADVISE_MR_ADVICE_PREFETCH:
		how = BERTH_PAGING_READ;
		break;
	case IB_UVERBS_ADVISE_MR_ADVICE_PREFETCH_WRITE:
		how = BERTH_PAGING_WRITE;
		break;
	case IB_UVERBS_ADVISE_MR_ADVICE_PREFETCH_NO_FAULT:
		how = BERTH_PAGING_LOOK;
		break;
	default:
		return -EOPNOTSUPP;
	}
	for (i = 0; i < count && !ret; i++)
		ret = advise_piece(pd, &sge[i], how, wait);
	return ret;
}
