// SPDX-License-Identifier: GPL-2.0
/*
 * Leases, see <berth/lease.h>.
 *
 * Creating and destroying: process context. The rest with bottom halves disabled, never sleeping. A chunk that is out has a
 * reference of the holder's, a kept one of the lease's.
 *
 * Locks: lease->lock is a leaf but for the source's own, which is not taken under it. source->lock is a leaf.
 */
#include <linux/bottom_half.h>
#include <linux/dma-resv.h>
#include <linux/hash.h>
#include <linux/log2.h>
#include <linux/nospec.h>
#include <linux/rculist.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>
#include <net/page_pool/helpers.h>

#include "area.h"
#include "lease.h"

#define DRAW_BATCH	64
#define EMPTY		U32_MAX

/**
 * struct berth_lease - see the top of the file
 * @area: we hold a reference; constant.
 * @source: we hold it; constant.
 * @count: chunks; constant.
 * @chunk: by number; constant.
 * @slot: a hash table, by chunk: its number, or EMPTY; at least half of it is empty. Constant.
 * @slot_bits: log2 of how many there are; constant.
 * @wanted: see berth_lease_create().
 * @owner: for @wanted.
 * @node: in the source's list.
 * @area_node: in the area's list, under its pools_lock.
 * @out: chunks that the holder has.
 * @lock: protects the next two.
 * @kept: valid entries of @keep.
 * @keep: chunks that are kept; room for all.
 */
struct berth_lease {
	struct berth_area *area;
	struct berth_source *source;
	u32 count;
	u32 slot_bits;
	netmem_ref *chunk;
	u32 *slot;
	void (*wanted)(void *owner);
	void *owner;
	struct list_head node;
	struct list_head area_node;
	atomic_t out;

	spinlock_t lock ____cacheline_aligned_in_smp;
	u32 kept;
	netmem_ref *keep;
};

/* ---- sources ---- */

void berth_source_short(struct berth_source *source)
{
	struct berth_lease *lease;

	rcu_read_lock();
	list_for_each_entry_rcu(lease, &source->leases, node)
		lease->wanted(lease->owner);
	rcu_read_unlock();
}
EXPORT_SYMBOL_GPL(berth_source_short);

/* ---- numbers ---- */

static u32 slot_of(const struct berth_lease *lease, netmem_ref chunk)
{
	return hash_long((__force unsigned long)chunk, lease->slot_bits);
}

static u32 slot_after(const struct berth_lease *lease, u32 slot)
{
	return (slot + 1) & ((1U << lease->slot_bits) - 1);
}

/* EMPTY: it has none here. */
static u32 number_of(const struct berth_lease *lease, netmem_ref chunk)
{
	u32 slot = slot_of(lease, chunk), number;

	while ((number = lease->slot[slot]) != EMPTY && lease->chunk[number] != chunk)
		slot = slot_after(lease, slot);
	return number;
}

/* A chunk has one number: two places of a dma-buf may be the same page, and the process chooses which. */
static int note(struct berth_lease *lease, u32 number, u64 address)
{
	netmem_ref chunk = lease->source->ops->find(lease->source, address);
	u32 slot;

	if (address & ~PAGE_MASK || !chunk || number_of(lease, chunk) != EMPTY)
		return -EBUSY;
	lease->chunk[number] = chunk;
	for (slot = slot_of(lease, chunk); lease->slot[slot] != EMPTY; slot = slot_after(lease, slot))
		;
	lease->slot[slot] = number;
	return 0;
}

/* Which chunk is where in the dma-buf; all of it in whole pages. Reservation lock held, area mapped. */
static int note_all(struct berth_lease *lease, u64 first)
{
	const u64 end = first + ((u64)lease->count << PAGE_SHIFT);
	struct scatterlist *sg;
	u64 at = 0, off, next;
	u32 number = 0;
	int i, err;

	for_each_sgtable_dma_sg(lease->area->sgt, sg, i) {
		next = at + sg_dma_len(sg);
		for (off = max(first, at); off < min(end, next); off += PAGE_SIZE) {
			if (!IS_ALIGNED(off, PAGE_SIZE) || next - off < PAGE_SIZE)
				return -EBUSY;
			err = note(lease, number++, sg_dma_address(sg) + (off - at));
			if (err)
				return err;
		}
		at = next;
		cond_resched();
	}
	return number == lease->count ? 0 : -EBUSY;
}

/* ---- leases ---- */

static void lease_free(struct berth_lease *lease)
{
	if (!IS_ERR_OR_NULL(lease->source))
		lease->source->ops->put(lease->source);
	kvfree(lease->slot);
	kvfree(lease->chunk);
	kvfree(lease->keep);
	kfree(lease);
}

static int tables_alloc(struct berth_lease *lease)
{
	lease->slot_bits = order_base_2(lease->count) + 1;
	lease->chunk = kvcalloc(lease->count, sizeof(*lease->chunk), GFP_KERNEL_ACCOUNT);
	lease->keep = kvmalloc_array(lease->count, sizeof(*lease->keep), GFP_KERNEL_ACCOUNT);
	lease->slot = kvmalloc_array(1U << lease->slot_bits, sizeof(*lease->slot), GFP_KERNEL_ACCOUNT);
	if (!lease->chunk || !lease->keep || !lease->slot)
		return -ENOMEM;
	memset(lease->slot, 0xff, sizeof(*lease->slot) << lease->slot_bits);
	return 0;
}

static int find_chunks(struct berth_lease *lease, struct berth_area *area, u64 first)
{
	int err = -EBUSY;

	dma_resv_lock(area->dmabuf->resv, NULL);
	if (area->sgt) {
		lease->source = berth_source_get(area, first, (u64)lease->count << PAGE_SHIFT);
		err = PTR_ERR_OR_ZERO(lease->source);
		if (!err)
			err = lease->source->total == lease->count ? note_all(lease, first) : -EBUSY;
	}
	dma_resv_unlock(area->dmabuf->resv);
	return err;
}

struct berth_lease *berth_lease_create(struct berth_area *area, u64 first, u32 count, void (*wanted)(void *owner),
				       void *owner)
{
	struct berth_lease *lease = kzalloc(sizeof(*lease), GFP_KERNEL_ACCOUNT);
	int err;

	if (!lease)
		return ERR_PTR(-ENOMEM);
	spin_lock_init(&lease->lock);
	lease->area = area;
	lease->count = count;
	lease->wanted = wanted;
	lease->owner = owner;
	err = tables_alloc(lease);
	if (!err)
		err = find_chunks(lease, area, first);
	if (err) {
		lease_free(lease);
		return ERR_PTR(err);
	}
	berth_area_hold(area);
	spin_lock(&area->pools_lock);
	list_add_tail(&lease->area_node, &area->leases);
	spin_unlock(&area->pools_lock);
	spin_lock_bh(&lease->source->lock);
	list_add_tail_rcu(&lease->node, &lease->source->leases);
	spin_unlock_bh(&lease->source->lock);
	return lease;
}
EXPORT_SYMBOL_GPL(berth_lease_create);

/* Acquire: what others have read of it comes before the next bytes. */
static bool is_ours_alone(netmem_ref chunk)
{
	return atomic_long_read_acquire(netmem_get_pp_ref_count_ref(chunk)) == 1;
}

/* Bottom halves disabled. */
static void put_home(struct berth_lease *lease, netmem_ref chunk)
{
	if (likely(is_ours_alone(chunk)))
		lease->source->ops->give(lease->source, chunk);
	else
		page_pool_put_full_netmem(netmem_get_pp(chunk), chunk, false);
}

void berth_lease_destroy(struct berth_lease *lease)
{
	struct berth_area *area;

	if (IS_ERR_OR_NULL(lease))
		return;
	area = lease->area;
	WARN(atomic_read(&lease->out), "berth_netmem: area %u: a lease ends with %d chunks out\n", area->id,
	     atomic_read(&lease->out));
	spin_lock_bh(&lease->source->lock);
	list_del_rcu(&lease->node);
	spin_unlock_bh(&lease->source->lock);
	spin_lock(&area->pools_lock);
	list_del(&lease->area_node);
	spin_unlock(&area->pools_lock);
	/* Whoever found it in the source's list. */
	synchronize_rcu_expedited();
	local_bh_disable();
	while (lease->kept)
		put_home(lease, lease->keep[--lease->kept]);
	local_bh_enable();
	lease_free(lease);
	berth_area_put(area);
}
EXPORT_SYMBOL_GPL(berth_lease_destroy);

/* The sum over the leases of an area, for debugfs. Of one source: an area is over one dma-buf. */
void berth_area_leases_account(struct berth_area *area, struct berth_lease_account *sum)
{
	struct berth_source *source = NULL;
	struct berth_lease *lease;

	*sum = (struct berth_lease_account){};
	spin_lock(&area->pools_lock);
	list_for_each_entry(lease, &area->leases, area_node) {
		sum->total = lease->count;
		/* The lease holds it, so this does not fail. */
		if (!source && lease->source->ops->get(lease->source))
			source = lease->source;
		sum->out += atomic_read(&lease->out);
		sum->kept += READ_ONCE(lease->kept);
	}
	spin_unlock(&area->pools_lock);
	if (source) {
		sum->home = source->ops->home(source);
		source->ops->put(source);
	}
}

/* ---- chunks ---- */

/* There is room for all that there are. */
static void keep_some(struct berth_lease *lease, const netmem_ref *chunk, u32 n)
{
	spin_lock(&lease->lock);
	memcpy(&lease->keep[lease->kept], chunk, n * sizeof(*chunk));
	lease->kept += n;
	spin_unlock(&lease->lock);
}

u32 berth_lease_draw(struct berth_lease *lease, u32 n)
{
	netmem_ref chunk[DRAW_BATCH];
	u32 drawn = 0, got;

	do {
		got = lease->source->ops->take(lease->source, chunk, min_t(u32, n - drawn, DRAW_BATCH));
		keep_some(lease, chunk, got);
		drawn += got;
	} while (got && drawn < n);
	return drawn;
}
EXPORT_SYMBOL_GPL(berth_lease_draw);

struct berth_netmem berth_lease_take(struct berth_lease *lease)
{
	struct berth_netmem nm = berth_netmem_none();

	spin_lock(&lease->lock);
	if (likely(lease->kept))
		nm.ref = lease->keep[--lease->kept];
	spin_unlock(&lease->lock);
	if (likely(nm.ref))
		atomic_inc(&lease->out);
	return nm;
}
EXPORT_SYMBOL_GPL(berth_lease_take);

struct berth_netmem berth_lease_adopt(struct berth_lease *lease, netmem_ref chunk, u32 *index)
{
	*index = number_of(lease, chunk);
	if (*index == EMPTY)
		return berth_netmem_none();
	atomic_long_inc(netmem_get_pp_ref_count_ref(chunk));
	atomic_inc(&lease->out);
	return (struct berth_netmem){ .ref = chunk };
}
EXPORT_SYMBOL_GPL(berth_lease_adopt);

bool berth_lease_keep(struct berth_lease *lease, struct berth_netmem nm)
{
	if (unlikely(!is_ours_alone(nm.ref)))
		return false;
	spin_lock(&lease->lock);
	lease->keep[lease->kept++] = nm.ref;
	spin_unlock(&lease->lock);
	atomic_dec(&lease->out);
	return true;
}
EXPORT_SYMBOL_GPL(berth_lease_keep);

void berth_lease_home(struct berth_lease *lease, struct berth_netmem nm)
{
	atomic_dec(&lease->out);
	put_home(lease, nm.ref);
}
EXPORT_SYMBOL_GPL(berth_lease_home);

u32 berth_lease_out(const struct berth_lease *lease)
{
	return atomic_read(&lease->out);
}
EXPORT_SYMBOL_GPL(berth_lease_out);

u32 berth_lease_index(const struct berth_lease *lease, struct berth_netmem nm)
{
	return number_of(lease, nm.ref);
}
EXPORT_SYMBOL_GPL(berth_lease_index);

struct berth_netmem berth_lease_by_index(const struct berth_lease *lease, u32 index)
{
	if (index >= lease->count)
		return berth_netmem_none();
	return (struct berth_netmem){ .ref = lease->chunk[array_index_nospec(index, lease->count)] };
}
EXPORT_SYMBOL_GPL(berth_lease_by_index);
