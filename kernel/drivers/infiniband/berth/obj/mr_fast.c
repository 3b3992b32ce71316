// SPDX-License-Identifier: GPL-2.0
/*
 * Fast registration: MRs of kernel consumers whose memory and key change while they live. They are
 * made closed (alloc_mr), given a list of addresses (map_mr_sg), opened with a new key by a work
 * request (REG_MR), and closed by another (LOCAL_INV) or by the peer (SEND with invalidate).
 *
 * The list that map_mr_sg builds is the consumer's until REG_MR is carried out, which copies it to
 * the window; so is what the core keeps in struct ib_mr (iova, length, page_size). The data path
 * looks only at berth_mr and the window. fast->lock makes opening and closing exclude each other,
 * because two QPs of a domain may do it at once; it nests inside the locks of a QP.
 *
 * Readers take no lock. They load window_offset before they compare the key, and it is written
 * before the key changes: an access that was looked up by an old key holds an old offset, which the
 * window refuses (berth_window_list_open()).
 *
 * Context: map_mr_sg any; alloc process; the others bottom halves disabled. IBTA volume 1, 10.6.4.
 */
#include <linux/overflow.h>
#include <linux/slab.h>
#include "mr.h"
#include "mr_fast.h"

struct berth_mr_fast {
	spinlock_t lock;	/* opening and closing */
	u32 max_pages;
	u32 count;		/* of addr in use */
	u32 first_offset;	/* of the first byte in the first page */
	u64 addr[] __counted_by(max_pages);
};

static struct berth_mr_fast *fast_alloc(u32 max_pages)
{
	struct berth_mr_fast *fast = kvzalloc(struct_size(fast, addr, max_pages), GFP_KERNEL);

	if (!fast)
		return NULL;
	spin_lock_init(&fast->lock);
	fast->max_pages = max_pages;
	return fast;
}

/**
 * berth_mr_alloc_fast - ib_device_ops.alloc_mr
 * @pd: domain of a kernel consumer
 * @type: of the MR
 * @max_pages: how long a list it must take
 *
 * Context: process; sleeps.
 * Return: the MR, closed; ERR_PTR: -EOPNOTSUPP: lists with gaps, integrity; -EINVAL: too long a
 * list; -ENOMEM.
 */
struct ib_mr *berth_mr_alloc_fast(struct ib_pd *pd, enum ib_mr_type type, u32 max_pages)
{
	struct berth_mr *mr;
	int ret = -ENOMEM;

	if (type != IB_MR_TYPE_MEM_REG)
		return ERR_PTR(-EOPNOTSUPP);
	if (!max_pages || max_pages > BERTH_MAX_FAST_PAGES)
		return ERR_PTR(-EINVAL);
	mr = berth_mr_alloc(pd, 0, 0, 0);
	if (IS_ERR(mr))
		return ERR_CAST(mr);
	mr->ib.type = type;
	mr->fast = fast_alloc(max_pages);
	if (!mr->fast)
		goto destroy;
	mr->window = berth_window_create_list(max_pages);
	if (IS_ERR(mr->window)) {
		ret = PTR_ERR(mr->window);
		mr->window = NULL;
		goto destroy;
	}
	berth_mr_publish_closed(mr);
	return &mr->ib;

destroy:
	berth_mr_destroy(mr);
	return ERR_PTR(ret);
}

void berth_mr_fast_free(struct berth_mr *mr)
{
	kvfree(mr->fast);
}

static int set_page(struct ib_mr *ib, u64 addr)
{
	struct berth_mr_fast *fast = berth_mr(ib)->fast;

	if (fast->count == fast->max_pages)
		return -ENOMEM;
	if (!berth_window_address_ok((void *)(uintptr_t)addr, ib->page_size))
		return -EINVAL;
	fast->addr[fast->count++] = addr;
	return 0;
}

/**
 * berth_mr_map_sg - ib_device_ops.map_mr_sg: what the next REG_MR is to register
 * @ib: MR of berth_mr_alloc_fast()
 * @sg: mapped list; its addresses are kernel addresses (ib_uses_virt_dma())
 * @nents: entries
 * @sg_offset: where to begin in the first; NULL: at its start
 *
 * Context: any; the consumer serialises it with REG_MR.
 * Return: how many entries, from the first on, fit; negative errno.
 */
int berth_mr_map_sg(struct ib_mr *ib, struct scatterlist *sg, int nents, unsigned int *sg_offset)
{
	struct berth_mr_fast *fast = berth_mr(ib)->fast;
	int n;

	fast->count = 0;
	n = ib_sg_to_pages(ib, sg, nents, sg_offset, set_page);
	if (n > 0)
		fast->first_offset = ib->iova & (ib->page_size - 1);
	return n;
}

/* fast->lock held, the MR closed. */
static int open_mr(struct berth_mr *mr, u32 key, int access)
{
	struct berth_mr_fast *fast = mr->fast;
	struct berth_page_list pages = {
		.addr = fast->addr,
		.count = fast->count,
		.page_size = mr->ib.page_size,
		.first_offset = fast->first_offset,
	};
	u64 base;
	int ret;

	lockdep_assert_held(&fast->lock);
	ret = berth_window_list_open(mr->window, &pages, mr->ib.length, &base);
	if (ret)
		return ret;
	WRITE_ONCE(mr->window_offset, base);
	/* Pairs with the acquire of window_offset in berth_mr_has_key(). */
	smp_wmb();
	WRITE_ONCE(mr->key, key);
	WRITE_ONCE(mr->iova, mr->ib.iova);
	WRITE_ONCE(mr->length, mr->ib.length);
	WRITE_ONCE(mr->access, access & ~IB_ACCESS_OPTIONAL);
	/* Pairs with the acquire of valid in the lookups. */
	smp_store_release(&mr->valid, true);
	return 0;
}

/**
 * berth_mr_fast_register - carry out a REG_MR
 * @dev: the device
 * @pd: of the QP
 * @key: of the MR, with the variant that it shall have from now on
 * @access: enum ib_access_flags
 *
 * Context: RCU reader, bottom halves disabled; does not sleep.
 * Return: 0; -EINVAL: no such MR in the domain, one that is open, or a list that it cannot have.
 */
int berth_mr_fast_register(struct berth_dev *dev, struct ib_pd *pd, u32 key, int access)
{
	struct berth_mr *mr = xa_load(&dev->mrs, key >> 8);
	u64 end;
	int ret;

	if (!mr || !mr->fast || mr->ib.pd != pd || berth_mr_check_access(access) ||
	    access & IB_ACCESS_MW_BIND ||
	    check_add_overflow(mr->ib.iova, mr->ib.length, &end))
		return -EINVAL;
	spin_lock(&mr->fast->lock);
	ret = mr->valid ? -EINVAL : open_mr(mr, key, access);
	spin_unlock(&mr->fast->lock);
	return ret;
}

/**
 * berth_mr_fast_invalidate - end a key of a fast MR; no access runs when it returns
 * @mr: the MR
 * @key: exactly its key; one that was invalidated before does no harm
 *
 * Context: RCU reader, bottom halves disabled; does not sleep, waits for running copies.
 * Return: 0; -EINVAL: another key.
 */
int berth_mr_fast_invalidate(struct berth_mr *mr, u32 key)
{
	int ret = -EINVAL;

	spin_lock(&mr->fast->lock);
	if (mr->key == key) {
		WRITE_ONCE(mr->valid, false);
		berth_window_list_close(mr->window);
		ret = 0;
	}
	spin_unlock(&mr->fast->lock);
	return ret;
}
