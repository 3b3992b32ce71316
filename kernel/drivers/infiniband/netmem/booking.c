// SPDX-License-Identifier: GPL-2.0
/*
 * The book: who owns which memory. No byte has two owners. It has two sides:
 *
 *  bookings	ranges of dma-bufs. An allocator books the range that it gives out in pieces, through an
 *		area; whichever device or area others come by, and whether it is mapped or not.
 *  claims	runs of DMA addresses of berth_netmem_device(), for owners who know their memory by nothing
 *		else, and for memory that several dma-bufs are over. A booking through an area of that
 *		device has a claim on what its range is mapped to, from before the window is published
 *		until its last reader has left.
 *
 * Process context. book_lock protects both sides. It is a leaf lock under which nothing is allocated,
 * because it is taken where an exporter evicts, perhaps to get memory. Bookings are few (one for each
 * pool), so a list does; claims may have as many runs as a dma-buf has pages. Which bookings an area
 * has, and their claims, is under the dma-buf's reservation lock, as its mapping is.
 */
#include <linux/dma-resv.h>
#include <linux/interval_tree_generic.h>
#include <linux/lockdep.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/overflow.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>

#include "area.h"
#include "booking.h"
#include "lease.h"

/**
 * struct claimed_run - one run of a claim
 * @rb: in the tree of all.
 * @first: first address.
 * @last: last address; a run may end with the last there is.
 * @claim: whose it is.
 * @subtree_last: the tree's.
 */
struct claimed_run {
	struct rb_node rb;
	u64 first;
	u64 last;
	u64 subtree_last;
	struct berth_claim *claim;
};

struct berth_claim {
	struct berth_source *source;	/* whose chunks may be leased, or NULL; book_lock */
	u32 count;
	struct claimed_run run[];
};

#define RUN_FIRST(run)	((run)->first)
#define RUN_LAST(run)	((run)->last)
/* Not the kernel's own interval_tree_insert(): its ends are long, and a configuration may lack it. */
INTERVAL_TREE_DEFINE(struct claimed_run, rb, u64, subtree_last, RUN_FIRST, RUN_LAST,
		     static inline, run_tree)

static DEFINE_MUTEX(book_lock);
static LIST_HEAD(bookings);
static struct rb_root_cached claimed = RB_ROOT_CACHED;

/*
 * ---- claims ----
 */

static void take_out(struct berth_claim *claim, u32 count)
{
	lockdep_assert_held(&book_lock);
	while (count) {
		run_tree_remove(&claim->run[--count], &claimed);
		cond_resched();
	}
}

/* All or nothing. Runs of one claim may not overlap each other either. */
static int enter(struct berth_claim *claim)
{
	u32 i;

	lockdep_assert_held(&book_lock);
	for (i = 0; i < claim->count; i++) {
		struct claimed_run *run = &claim->run[i];

		if (run_tree_iter_first(&claimed, run->first, run->last)) {
			take_out(claim, i);
			return -EBUSY;
		}
		run_tree_insert(run, &claimed);
		cond_resched();
	}
	return 0;
}

static int fill(struct berth_claim *claim, const struct berth_run *run)
{
	u32 i;

	for (i = 0; i < claim->count; i++) {
		claim->run[i].first = run[i].first;
		claim->run[i].claim = claim;
		if (!run[i].length ||
		    check_add_overflow(run[i].first, run[i].length - 1, &claim->run[i].last))
			return -EINVAL;
	}
	return 0;
}

struct berth_claim *berth_claim_runs(const struct berth_run *run, u32 count)
{
	struct berth_claim *claim;
	int err;

	claim = kvmalloc(struct_size(claim, run, count), GFP_KERNEL_ACCOUNT);
	if (!claim)
		return ERR_PTR(-ENOMEM);
	claim->source = NULL;
	claim->count = count;
	err = fill(claim, run);
	if (!err) {
		mutex_lock(&book_lock);
		err = enter(claim);
		mutex_unlock(&book_lock);
	}
	if (err) {
		kvfree(claim);
		return ERR_PTR(err);
	}
	return claim;
}
EXPORT_SYMBOL_GPL(berth_claim_runs);

void berth_claim_drop(struct berth_claim *claim)
{
	if (IS_ERR_OR_NULL(claim))
		return;
	mutex_lock(&book_lock);
	take_out(claim, claim->count);
	mutex_unlock(&book_lock);
	kvfree(claim);
}
EXPORT_SYMBOL_GPL(berth_claim_drop);

/*
 * ---- sources ----
 */

void berth_source_offer(struct berth_claim *claim, struct berth_source *source, const struct berth_source_ops *ops,
			u32 total)
{
	source->ops = ops;
	source->total = total;
	spin_lock_init(&source->lock);
	INIT_LIST_HEAD(&source->leases);
	mutex_lock(&book_lock);
	claim->source = source;
	mutex_unlock(&book_lock);
}
EXPORT_SYMBOL_GPL(berth_source_offer);

/* The claim that has all of a run; NULL: there is not one that has. */
static struct berth_claim *claim_of(const struct berth_run *run)
{
	const u64 last = run->first + run->length - 1;
	struct berth_claim *claim = NULL;
	struct claimed_run *have;
	u64 at = run->first;

	lockdep_assert_held(&book_lock);
	for (;;) {
		have = run_tree_iter_first(&claimed, at, at);
		if (!have || (claim && have->claim != claim))
			return NULL;
		claim = have->claim;
		if (have->last >= last)
			return claim;
		at = have->last + 1;
	}
}

/* The source of all the runs, held; NULL: they have not one that they can have. */
static struct berth_source *source_of(const struct berth_run *run, u32 count)
{
	struct berth_claim *claim = NULL, *next;
	struct berth_source *source = NULL;
	u32 i;

	mutex_lock(&book_lock);
	for (i = 0; i < count; i++) {
		next = claim_of(&run[i]);
		if (!next || (claim && next != claim))
			goto unlock;
		claim = next;
	}
	if (claim && claim->source && claim->source->ops->get(claim->source))
		source = claim->source;
unlock:
	mutex_unlock(&book_lock);
	return source;
}

/*
 * ---- bookings ----
 */

static bool is_booked(const struct dma_buf *dmabuf, u64 first, u64 end)
{
	const struct berth_booking *booking;

	lockdep_assert_held(&book_lock);
	list_for_each_entry(booking, &bookings, node)
		if (booking->area->dmabuf == dmabuf && first < booking->end && booking->first < end)
			return true;
	return false;
}

static int booking_add(struct berth_booking *booking)
{
	int err = -EBUSY;

	mutex_lock(&book_lock);
	if (!is_booked(booking->area->dmabuf, booking->first, booking->end)) {
		list_add_tail(&booking->node, &bookings);
		err = 0;
	}
	mutex_unlock(&book_lock);
	return err;
}

static void booking_del(struct berth_booking *booking)
{
	mutex_lock(&book_lock);
	list_del(&booking->node);
	mutex_unlock(&book_lock);
}

/*
 * How many runs a range of the mapped dma-buf lies in, and which, if there is an array to note them
 * in. What the exporter has not mapped has no address, for nobody.
 */
static u32 find_runs(const struct berth_booking *booking, struct berth_run *run)
{
	struct scatterlist *sg;
	u64 at = 0, next = 0;
	u32 count = 0;
	int i;

	for_each_sgtable_dma_sg(booking->area->sgt, sg, i) {
		const u64 from = max(booking->first, at);
		const u64 to = min(booking->end, at + sg_dma_len(sg));
		const u64 address = sg_dma_address(sg) + (from - at);

		at += sg_dma_len(sg);
		if (from >= to)
			continue;
		if (!count || address != next) {
			if (run)
				run[count] = (struct berth_run){ .first = address };
			count++;
		}
		if (run)
			run[count - 1].length += to - from;
		next = address + (to - from);
	}
	return count;
}

/* The runs of a range of the mapped dma-buf, to be freed with kvfree(); NULL: no memory. */
static struct berth_run *runs_of(const struct berth_booking *booking, u32 *count)
{
	struct berth_run *run;

	*count = find_runs(booking, NULL);
	run = kvmalloc_array(*count, sizeof(*run), GFP_KERNEL_ACCOUNT);
	if (run)
		find_runs(booking, run);
	return run;
}

/**
 * berth_source_get() - whose chunks a range of an area's memory consists of
 * @area: mapped.
 * @first: first byte.
 * @length: bytes.
 *
 * Context: process; sleeps; reservation lock held.
 * Return: the source, held; ERR_PTR: -EBUSY: it is not of one source, or that is ending; -ENOMEM.
 */
struct berth_source *berth_source_get(struct berth_area *area, u64 first, u64 length)
{
	const struct berth_booking range = { .area = area, .first = first, .end = first + length };
	struct berth_source *source;
	struct berth_run *run;
	u32 count;

	dma_resv_assert_held(area->dmabuf->resv);
	if (area->dev != berth_netmem_device())
		return ERR_PTR(-EBUSY);
	run = runs_of(&range, &count);
	if (!run)
		return ERR_PTR(-ENOMEM);
	source = source_of(run, count);
	kvfree(run);
	return source ?: ERR_PTR(-EBUSY);
}

/*
 * The area is mapped. Allocating under the reservation lock is what exporters do to map, and what
 * dma_resv_lockdep() allows.
 */
static int booking_claim(struct berth_booking *booking)
{
	struct berth_claim *claim;
	struct berth_run *run;
	u32 count;

	dma_resv_assert_held(booking->area->dmabuf->resv);
	/* Addresses of another device mean something else. */
	if (booking->area->dev != berth_netmem_device())
		return 0;
	run = runs_of(booking, &count);
	if (!run)
		return -ENOMEM;
	claim = berth_claim_runs(run, count);
	kvfree(run);
	if (IS_ERR(claim))
		return PTR_ERR(claim);
	booking->claim = claim;
	return 0;
}

static int book_locked(struct berth_booking *booking)
{
	struct berth_area *area = booking->area;
	int err;

	dma_resv_assert_held(area->dmabuf->resv);
	err = booking_add(booking);
	if (err)
		return err;
	/* Else berth_bookings_claim() does it. */
	if (area->sgt)
		err = booking_claim(booking);
	if (err) {
		booking_del(booking);
		return err;
	}
	list_add_tail(&booking->area_node, &area->bookings);
	return 0;
}

int berth_area_book(struct berth_area *area, struct berth_booking *booking, u64 first, u64 length)
{
	u64 end;
	int err;

	if (!length || check_add_overflow(first, length, &end) || end > berth_area_size(area))
		return -ERANGE;
	*booking = (struct berth_booking){ .area = area, .first = first, .end = end };
	dma_resv_lock(area->dmabuf->resv, NULL);
	err = book_locked(booking);
	dma_resv_unlock(area->dmabuf->resv);
	if (err)
		booking->area = NULL;
	return err;
}
EXPORT_SYMBOL_GPL(berth_area_book);

void berth_area_unbook(struct berth_booking *booking)
{
	struct berth_area *area = booking->area;

	if (!area)
		return;
	dma_resv_lock(area->dmabuf->resv, NULL);
	list_del(&booking->area_node);
	berth_claim_drop(booking->claim);
	booking_del(booking);
	dma_resv_unlock(area->dmabuf->resv);
	*booking = (struct berth_booking){};
}
EXPORT_SYMBOL_GPL(berth_area_unbook);

/**
 * berth_bookings_claim() - the memory of an area has addresses now: claim those that are booked
 * @area: the area, with @area->sgt set and not published yet.
 *
 * Context: process; sleeps; reservation lock held.
 * Return: 0; -EADDRINUSE when somebody else has claimed some of them; -ENOMEM. Nothing is claimed
 *	unless 0.
 */
int berth_bookings_claim(struct berth_area *area)
{
	struct berth_booking *booking;
	int err;

	dma_resv_assert_held(area->dmabuf->resv);
	list_for_each_entry(booking, &area->bookings, area_node) {
		err = booking_claim(booking);
		if (err) {
			berth_bookings_drop(area);
			/* EBUSY would be an exporter that may be asked again. */
			return err == -EBUSY ? -EADDRINUSE : err;
		}
	}
	return 0;
}

/**
 * berth_bookings_drop() - the addresses of an area's memory are going to be somebody else's
 * @area: the area; nobody accesses it any more, it is still mapped.
 *
 * The bookings stay.
 *
 * Context: process; sleeps, does not allocate; reservation lock held.
 */
void berth_bookings_drop(struct berth_area *area)
{
	struct berth_booking *booking;

	dma_resv_assert_held(area->dmabuf->resv);
	list_for_each_entry(booking, &area->bookings, area_node) {
		berth_claim_drop(booking->claim);
		booking->claim = NULL;
	}
}

/* After the areas: what is claimed now was leaked by somebody who is gone. */
void berth_bookings_fini(void)
{
	WARN(!RB_EMPTY_ROOT(&claimed.rb_root), "berth_netmem: leaked claims on memory\n");
}
