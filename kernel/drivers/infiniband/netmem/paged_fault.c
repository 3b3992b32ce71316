// SPDX-License-Identifier: GPL-2.0
/*
 * Paged windows: bringing pages in and taking them out.
 *
 * In: a worker of each window serves what accesses have missed, oldest first; a prefetch may do the
 * same in its own context. hmm_range_fault() faults the pages in as the process would, copying what
 * is shared and reading what was swapped out, and names them; they enter the table unless an
 * invalidation came in between, which means another try. A page that the process has not, or not
 * with that right, is remembered for a while, so that the access that comes back for it is told
 * instead of waiting for ever.
 *
 * Out: the notifier, before the process or the kernel takes a page away or makes it read-only
 * (unmap, fork, discard, reclaim, migration, exit). It clears the entries, which waits for running
 * copies, and marks the pages dirty that could be written, as nobody else knows.
 *
 * Context: process; the notifier also where nobody may sleep, and in reclaim: it takes spinlocks and
 * allocates nothing.
 *
 * Locks: mmap_lock, then (never together with it) p->lock; p->want_lock is a leaf.
 */
#include <linux/hmm.h>
#include <linux/jiffies.h>
#include <linux/memcontrol.h>
#include <linux/memremap.h>
#include <linux/minmax.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "window.h"
#include "window_paged.h"

/* Faulted in at once. Divides PAGED_LEAF_PAGES. */
#define FAULT_PAGES	64UL

/* Taken out at once. */
#define TAKE_PAGES	32U

/* How long one batch may be disturbed before the worker turns to others. */
#define FAULT_TIMEOUT	HZ

/* Longer than a peer waits that was told to come back (655 ms at most), short for everybody else. */
#define FAILURE_TIME	(2 * HZ)

/* A hint is served in pieces, so that accesses need not wait for all of it. */
#define HINT_PAGES	1024UL

/*
 * A fault waits as long as the process likes that serves it (FUSE, userfaultfd). Workers that do so are ours, not those that
 * everybody's work needs.
 */
static struct workqueue_struct *fault_wq;

/* ---- out ---- */

/*
 * Clears entries of the first leaf at or behind *at. Returns how many pages are to be marked dirty,
 * each with a reference; *at is behind what was cleared.
 */
static unsigned int clear_leaf(struct window_paged *p, unsigned long *at, unsigned long last,
			       struct page **dirty)
{
	unsigned long index = *at / PAGED_LEAF_PAGES, page, end;
	struct paged_leaf *leaf;
	unsigned int n = 0;

	leaf = xa_find(&p->leaves, &index, last / PAGED_LEAF_PAGES, XA_PRESENT);
	if (!leaf) {
		*at = last + 1;
		return 0;
	}
	page = max(*at, index * PAGED_LEAF_PAGES);
	end = min(last, index * PAGED_LEAF_PAGES + PAGED_LEAF_PAGES - 1);
	for (; page <= end && n < TAKE_PAGES; page++) {
		unsigned long *entry = &leaf->entry[page % PAGED_LEAF_PAGES];

		if (*entry & PAGED_WRITE) {
			dirty[n] = virt_to_page((void *)(*entry & PAGE_MASK));
			get_page(dirty[n++]);
		}
		*entry = 0;
	}
	*at = page;
	return n;
}

/*
 * When it returns nobody touches these pages. The notifier's are mapped until it returns. At the end
 * of a window (no @seq; may sleep) the process may drop a page as soon as it has left the table: the
 * reference keeps it, and its lock keeps its file from losing it while it is marked.
 */
static void take_out(struct window_paged *p, unsigned long first, unsigned long last,
		     const unsigned long *seq)
{
	struct page *dirty[TAKE_PAGES];
	unsigned int i, n;

	while (first <= last) {
		paged_write_lock(p);
		if (seq)
			mmu_interval_set_seq(&p->notifier, *seq);
		n = clear_leaf(p, &first, last, dirty);
		paged_write_unlock(p);
		for (i = 0; i < n; i++) {
			if (seq)
				set_page_dirty(dirty[i]);
			else
				set_page_dirty_lock(dirty[i]);
			put_page(dirty[i]);
		}
	}
}

static bool invalidate(struct mmu_interval_notifier *notifier,
		       const struct mmu_notifier_range *range, unsigned long seq)
{
	struct window_paged *p = container_of(notifier, struct window_paged, notifier);
	unsigned long first = max(range->start >> PAGE_SHIFT, p->first_page);
	unsigned long last = min((range->end - 1) >> PAGE_SHIFT, p->first_page + p->pages - 1);

	if (range->event == MMU_NOTIFY_RELEASE)
		WRITE_ONCE(p->gone, true);
	take_out(p, first - p->first_page, last - p->first_page, &seq);
	return true;
}

static const struct mmu_interval_notifier_ops notifier_ops = {
	.invalidate = invalidate,
};

/* ---- in ---- */

static struct paged_leaf *get_leaf(struct window_paged *p, unsigned long page)
{
	unsigned long index = page / PAGED_LEAF_PAGES;
	struct paged_leaf *leaf = xa_load(&p->leaves, index), *other;

	if (leaf)
		return leaf;
	leaf = kzalloc(sizeof(*leaf), GFP_KERNEL_ACCOUNT);
	if (!leaf)
		return NULL;
	other = xa_cmpxchg(&p->leaves, index, NULL, leaf, GFP_KERNEL_ACCOUNT);
	if (!other)
		return leaf;
	/* The worker and a prefetch at once; or no memory. */
	kfree(leaf);
	return xa_is_err(other) ? NULL : other;
}

/*
 * Memory of other devices that happens to have a struct page is not for copying, nor is what the kernel has taken out of its own
 * map: memfd_secret(), which hmm_range_fault() gives out like any other. Such memory is so from before the process sees it until
 * after it was told that it is gone, so whatever is in the table stays in the map.
 */
static bool page_ok(const struct page *page)
{
	u8 byte;

	return !is_pci_p2pdma_page(page) && !is_device_private_page(page) && page_address(page) &&
	       !copy_from_kernel_nofault(&byte, page_address(page), sizeof(byte));
}

static bool any_there(const unsigned long *pfns, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		if (pfns[i] & HMM_PFN_VALID)
			return true;
	return false;
}

/* Pages that hmm_range_fault() has named enter the table. -EBUSY: they are not current any more. */
static int install(struct window_paged *p, unsigned long first, unsigned int n,
		   const unsigned long *pfns, unsigned long seq)
{
	struct paged_leaf *leaf;
	unsigned int i;
	int err = 0;

	/* Not for what the process has not: a hint costs only what it brings. */
	if (!any_there(pfns, n))
		return 0;
	leaf = get_leaf(p, first);
	if (!leaf)
		return -ENOMEM;
	paged_write_lock(p);
	if (mmu_interval_read_retry(&p->notifier, seq))
		err = -EBUSY;
	for (i = 0; i < n && !err; i++) {
		struct page *page;
		unsigned long entry;

		if (!(pfns[i] & HMM_PFN_VALID))
			continue;
		page = hmm_pfn_to_page(pfns[i]);
		if (!page_ok(page)) {
			err = -EFAULT;
			break;
		}
		entry = (unsigned long)page_address(page) | PAGED_READ;
		/* Whatever the process may write to, also where nobody asked: the page stays so. */
		if (p->writable && pfns[i] & HMM_PFN_WRITE)
			entry |= PAGED_WRITE;
		leaf->entry[(first + i) % PAGED_LEAF_PAGES] = entry;
	}
	paged_write_unlock(p);
	return err;
}

static unsigned long hmm_flags(enum berth_paging how)
{
	switch (how) {
	case BERTH_PAGING_WRITE:
		return HMM_PFN_REQ_FAULT | HMM_PFN_REQ_WRITE;
	case BERTH_PAGING_READ:
		return HMM_PFN_REQ_FAULT;
	default:
		return 0;
	}
}

/* Pages of one leaf. The mm has users. */
static int fault_batch(struct window_paged *p, unsigned long first, unsigned int n,
		       enum berth_paging how)
{
	unsigned long pfns[FAULT_PAGES];
	struct hmm_range range = {
		.notifier = &p->notifier,
		.start = (p->first_page + first) << PAGE_SHIFT,
		.end = (p->first_page + first + n) << PAGE_SHIFT,
		.hmm_pfns = pfns,
		.default_flags = hmm_flags(how),
	};
	const unsigned long timeout = jiffies + FAULT_TIMEOUT;
	int err;

	do {
		range.notifier_seq = mmu_interval_read_begin(&p->notifier);
		mmap_read_lock(p->notifier.mm);
		err = hmm_range_fault(&range);
		mmap_read_unlock(p->notifier.mm);
		if (!err)
			err = install(p, first, n, pfns, range.notifier_seq);
	} while (err == -EBUSY && time_before(jiffies, timeout));
	return err;
}

static bool batch_there(struct window_paged *p, unsigned long first, unsigned int n,
			enum berth_paging how)
{
	const unsigned long rights = how == BERTH_PAGING_WRITE ? PAGED_RIGHTS : PAGED_READ;
	unsigned long missing;

	read_lock_bh(&p->lock);
	missing = paged_missing(p, first, first + n - 1, rights);
	read_unlock_bh(&p->lock);
	return missing >= first + n;
}

/* Not there and not coming, as opposed to disturbed or short of memory. */
static bool is_final(int err)
{
	return err && err != -EBUSY && err != -ENOMEM && err != -EINTR;
}

/* One by one, to know which it is that is not to be had. */
static int fault_singly(struct window_paged *p, unsigned long first, unsigned int n,
			enum berth_paging how, unsigned long *failed)
{
	unsigned int i;
	int err;

	for (i = 0; i < n; i++) {
		err = fault_batch(p, first + i, 1, how);
		if (err) {
			*failed = first + i;
			return err;
		}
	}
	return 0;
}

static int fault_pages(struct window_paged *p, unsigned long first, unsigned long last,
		       enum berth_paging how, unsigned long *failed)
{
	unsigned int n;
	int err;

	for (; first <= last; first += n) {
		if (READ_ONCE(p->closed))
			return -EBUSY;
		cond_resched();
		n = min(last - first + 1, FAULT_PAGES - first % FAULT_PAGES);
		if (batch_there(p, first, n, how))
			continue;
		err = fault_batch(p, first, n, how);
		if (is_final(err))
			err = fault_singly(p, first, n, how, failed);
		if (err)
			return err;
	}
	return 0;
}

/**
 * berth_paged_fault - bring pages in
 * @p: the window
 * @first: page
 * @last: page; those behind the first one that is not to be had are left out
 * @how: for what
 * @failed: receives the page that failed
 *
 * Context: process; sleeps, for as long as it takes to read from disk.
 * Return: 0; -EFAULT: a page is not there, or not for that; -ENOMEM; -EBUSY: the process changes its
 * memory all the time; -EKEYREVOKED: it has none any more.
 */
int berth_paged_fault(struct window_paged *p, unsigned long first, unsigned long last,
		      enum berth_paging how, unsigned long *failed)
{
	struct mem_cgroup *memcg, *before;
	struct mm_struct *mm = p->notifier.mm;
	int err;

	*failed = first;
	if (!mmget_not_zero(mm)) {
		WRITE_ONCE(p->gone, true);
		return -EKEYREVOKED;
	}
	/* Leaves and page tables are the process's, also where the worker makes them. */
	memcg = get_mem_cgroup_from_mm(mm);
	before = set_active_memcg(memcg);
	err = fault_pages(p, first, last, how, failed);
	set_active_memcg(before);
	mem_cgroup_put(memcg);
	/* If it is the last one, the end of an address space is not for here. */
	mmput_async(mm);
	return is_final(err) ? -EFAULT : err;
}

/* ---- what is wanted ---- */

static bool take_failure(struct window_paged *p, const struct paged_want *want)
{
	bool found = false;
	unsigned int i;

	lockdep_assert_held(&p->want_lock);
	for (i = 0; i < PAGED_FAILURES; i++) {
		struct paged_failure *f = &p->failures[i];

		if (!f->valid || f->page < want->first || f->page > want->last ||
		    (f->write && want->how != BERTH_PAGING_WRITE))
			continue;
		/* One answer, one try: the process may have put something there since. */
		f->valid = false;
		found |= time_before(jiffies, f->until);
	}
	return found;
}

/* What else is wanted of this page would fail, too, and be told to an access that never asked. */
static void forget_wants(struct window_paged *p, unsigned long page, bool write)
{
	unsigned int i, n = 0;

	for (i = 0; i < p->want_count; i++) {
		const struct paged_want *w = &p->wants[i];

		if (w->hint || w->first > page || w->last < page ||
		    (write && w->how != BERTH_PAGING_WRITE))
			p->wants[n++] = *w;
	}
	p->want_count = n;
}

static void remember_failure(struct window_paged *p, unsigned long page, bool write)
{
	lockdep_assert_held(&p->want_lock);
	forget_wants(p, page, write);
	p->failures[p->failure_next++ % PAGED_FAILURES] = (struct paged_failure){
		.page = page,
		.until = jiffies + FAILURE_TIME,
		.write = write,
		.valid = true,
	};
}

static bool is_wanted(const struct window_paged *p, const struct paged_want *want)
{
	unsigned int i;

	for (i = 0; i < p->want_count; i++) {
		const struct paged_want *w = &p->wants[i];

		if (w->first <= want->first && w->last >= want->last && w->how == want->how &&
		    w->hint == want->hint)
			return true;
	}
	return false;
}

/**
 * berth_paged_want - have pages brought in
 * @p: the window
 * @want: which, for what
 *
 * What is too much is left out: an access comes again, and finds room for more than hints may take.
 *
 * Context: any but hard interrupts; does not sleep.
 * Return: -EAGAIN: come again; -EKEYREVOKED: one of the pages could not be had a moment ago.
 */
int berth_paged_want(struct window_paged *p, const struct paged_want *want)
{
	const unsigned int most = want->hint ? PAGED_WANTS / 2 : PAGED_WANTS;
	bool failed;

	spin_lock_bh(&p->want_lock);
	failed = !want->hint && take_failure(p, want);
	if (!failed && p->want_count < most && !is_wanted(p, want))
		p->wants[p->want_count++] = *want;
	spin_unlock_bh(&p->want_lock);
	if (failed)
		return -EKEYREVOKED;
	queue_work(fault_wq, &p->work);
	return -EAGAIN;
}

/*
 * The oldest; of a hint, a piece. It stays the first in line until it is served: accesses that come
 * again meanwhile want nothing new, and no second failure is remembered than the one that they are told.
 */
static bool next_want(struct window_paged *p, struct paged_want *want)
{
	bool any;

	spin_lock_bh(&p->want_lock);
	any = p->want_count;
	if (any) {
		*want = p->wants[0];
		if (want->hint)
			want->last = min(want->last, want->first + HINT_PAGES - 1);
	}
	spin_unlock_bh(&p->want_lock);
	return any;
}

/* What is left of a hint goes to the end. */
static void want_served(struct window_paged *p, const struct paged_want *want, int err,
			unsigned long failed)
{
	struct paged_want rest;

	spin_lock_bh(&p->want_lock);
	rest = p->wants[0];
	p->want_count--;
	memmove(p->wants, p->wants + 1, p->want_count * sizeof(p->wants[0]));
	if (rest.last > want->last) {
		rest.first = want->last + 1;
		p->wants[p->want_count++] = rest;
	}
	if (err == -EFAULT && !want->hint)
		remember_failure(p, failed, want->how == BERTH_PAGING_WRITE);
	spin_unlock_bh(&p->want_lock);
}

static void serve_wants(struct work_struct *work)
{
	struct window_paged *p = container_of(work, struct window_paged, work);
	struct paged_want want;
	unsigned long failed;

	while (next_want(p, &want)) {
		int err = berth_paged_fault(p, want.first, want.last, want.how, &failed);

		want_served(p, &want, err, failed);
	}
}

/**
 * berth_paged_watch - begin to be told of what becomes of the memory
 * @p: the window, otherwise complete
 * @mm: of the caller
 *
 * Context: process; sleeps. Return: 0, -ENOMEM, -EINTR.
 */
int berth_paged_watch(struct window_paged *p, struct mm_struct *mm)
{
	INIT_WORK(&p->work, serve_wants);
	/* Less one byte, which no invalidation is as short as: the length of all memory is no number. */
	return mmu_interval_notifier_insert(&p->notifier, mm, p->first_page << PAGE_SHIFT,
					    (p->pages << PAGE_SHIFT) - 1, &notifier_ops);
}

/**
 * berth_paged_unwatch - undo berth_paged_watch()
 * @p: the window, without users
 *
 * Pages leave while the notifier is still there: afterwards nothing says that they are what they
 * were.
 *
 * Context: process; sleeps.
 */
void berth_paged_unwatch(struct window_paged *p)
{
	cancel_work_sync(&p->work);
	take_out(p, 0, p->pages - 1, NULL);
	mmu_interval_notifier_remove(&p->notifier);
}

int berth_paged_init(void)
{
	fault_wq = alloc_workqueue("berth_paged", WQ_UNBOUND, WQ_MAX_ACTIVE);
	return fault_wq ? 0 : -ENOMEM;
}

/* There are no windows any more. */
void berth_paged_fini(void)
{
	destroy_workqueue(fault_wq);
}
