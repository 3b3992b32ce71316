// SPDX-License-Identifier: GPL-2.0
/*
 * Windows over a process's memory, paged in on demand: making and ending one, and access to its
 * bytes.
 *
 * Pages are reached one by one by the kernel's own address of each. They are neither pinned nor
 * referenced: a page in the table stays until the notifier (paged_fault.c) has taken it out, and the
 * notifier waits for those who hold the lock for reading. An access looks at all of its pages first
 * and touches none unless all are there with the rights it needs; else it says -EAGAIN, and
 * berth_window_prepare() has them brought.
 *
 * A lock and not RCU, because the kernel takes pages out one by one when it is short of memory, and
 * each would cost a grace period; and because the notifier so never sleeps, and need not refuse a
 * caller that must not. A reader holds the lock for one copy.
 *
 * Context: accessors with bottom halves disabled or not, never from hard interrupts. Two windows
 * may be locked for reading together, in any order: readers in softirq, or with bottom halves
 * disabled as here, are never queued behind a writer that waits. Who holds nothing yet stands back
 * for writers.
 */
#include <linux/err.h>
#include <linux/minmax.h>
#include <linux/overflow.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "copy.h"
#include "window.h"
#include "window_paged.h"

/* What one access may ask for, in pages: one wait in 1 MiB. */
#define AHEAD_PAGES	256UL

static unsigned long page_of(const struct window_paged *p, u64 off)
{
	return (off + p->first_offset) >> PAGE_SHIFT;
}

/* May this range be accessed at all? */
static int range_ok(const struct berth_window *w, u64 off, size_t len)
{
	if (unlikely(off > w->length || len > w->length - off))
		return -ERANGE;
	return likely(READ_ONCE(w->state) == BERTH_WINDOW_READY) ? 0 : -EKEYREVOKED;
}

static bool all_there(struct window_paged *p, u64 off, size_t len, bool write)
{
	unsigned long last = page_of(p, off + len - 1);

	return paged_missing(p, page_of(p, off), last,
			     write ? PAGED_RIGHTS : PAGED_READ) > last;
}

static void stand_back(struct window_paged *p)
{
	while (unlikely(atomic_read(&p->writers)))
		cpu_relax();
}

/* On success the lock is held for reading and all pages are there. @len is not 0. */
static int enter(struct berth_window *w, u64 off, size_t len, bool write)
{
	int err = range_ok(w, off, len);

	if (err)
		return err;
	read_lock_bh(&w->paged->lock);
	if (likely(all_there(w->paged, off, len, write))) {
		__release(&w->paged->lock);	/* sparse knows no lock that is taken or not */
		return 0;
	}
	read_unlock_bh(&w->paged->lock);
	return -EAGAIN;
}

static void leave(struct window_paged *p)
{
	__acquire(&p->lock);
	read_unlock_bh(&p->lock);
}

/* Address of an offset, and how many bytes lie together there. */
static void *span(struct window_paged *p, u64 off, size_t *len)
{
	u64 at = off + p->first_offset;
	unsigned long rest = at & ~PAGE_MASK;

	*len = min_t(size_t, *len, PAGE_SIZE - rest);
	return (void *)((paged_entry(p, at >> PAGE_SHIFT) & PAGE_MASK) + rest);
}

int berth_paged_write(struct berth_window *w, u64 off, const void *src, size_t len)
{
	struct window_paged *p = w->paged;
	int err;

	if (!len)
		return range_ok(w, off, 0);
	stand_back(p);
	err = enter(w, off, len, true);
	if (err)
		return err;
	while (len) {
		size_t n = len;
		void *to = span(p, off, &n);

		copy_disjoint(to, src, n);
		off += n;
		src += n;
		len -= n;
	}
	leave(p);
	return 0;
}

int berth_paged_read(struct berth_window *w, u64 off, void *dst, size_t len)
{
	struct window_paged *p = w->paged;
	int err;

	if (!len)
		return range_ok(w, off, 0);
	stand_back(p);
	err = enter(w, off, len, false);
	if (err)
		return err;
	while (len) {
		size_t n = len;
		const void *from = span(p, off, &n);

		copy_disjoint(dst, from, n);
		off += n;
		dst += n;
		len -= n;
	}
	leave(p);
	return 0;
}

/* Would an access succeed now? */
int berth_paged_check(struct berth_window *w, u64 off, size_t len, bool write)
{
	int err;

	if (!len)
		return range_ok(w, off, 0);
	stand_back(w->paged);
	err = enter(w, off, len, write);
	if (!err)
		leave(w->paged);
	return err;
}

/* Both ends, those that are paged; the same window is entered once. */
static int enter_both(struct berth_window *dw, u64 doff, struct berth_window *sw, u64 soff,
		      size_t len)
{
	struct window_paged *dp = dw->paged, *sp = sw->paged;
	int err = 0;

	if (dp)
		stand_back(dp);
	if (sp)
		stand_back(sp);
	if (dp)
		err = enter(dw, doff, len, true);
	if (err || !sp)
		return err;
	if (sp != dp)
		err = enter(sw, soff, len, false);
	else
		err = range_ok(sw, soff, len);
	if (!err && sp == dp && !all_there(sp, soff, len, false))
		err = -EAGAIN;
	if (err && dp)
		leave(dp);
	return err;
}

/**
 * berth_paged_copy - copy where one end or both are paged
 * @dw: destination
 * @doff: offset in @dw
 * @sw: source
 * @soff: offset in @sw
 * @len: bytes
 *
 * The end that is not paged is reached by the ordinary accessors; the caller has checked its range.
 *
 * Context: RCU read side. Return: as berth_window_copy().
 */
int berth_paged_copy(struct berth_window *dw, u64 doff, struct berth_window *sw, u64 soff,
		     size_t len)
{
	struct window_paged *dp = dw->paged, *sp = sw->paged;
	int err;

	if (!len)
		return range_ok(dp ? dw : sw, dp ? doff : soff, 0);
	err = enter_both(dw, doff, sw, soff, len);
	if (err)
		return err;
	while (len && !err) {
		size_t n = len;
		void *to = dp ? span(dp, doff, &n) : NULL;
		void *from = sp ? span(sp, soff, &n) : NULL;

		if (to && from)
			copy_any(to, from, n);
		else if (to)
			err = berth_window_read(sw, soff, to, n);
		else
			err = berth_window_write(dw, doff, from, n);
		doff += n;
		soff += n;
		len -= n;
	}
	if (sp && sp != dp)
		leave(sp);
	if (dp)
		leave(dp);
	return err;
}

/* A word to be written, within a page. Left by berth_paged_unpin(). */
int berth_paged_pin(struct berth_window *w, u64 off, size_t len, void **at)
{
	size_t n = len;
	int err;

	stand_back(w->paged);
	err = enter(w, off, len, true);
	if (err)
		return err;
	*at = span(w->paged, off, &n);
	if (n == len)
		return 0;
	leave(w->paged);
	return -EINVAL;
}

void berth_paged_unpin(struct berth_window *w)
{
	leave(w->paged);
}

/* See berth_window_prepare(). */
int berth_paged_prepare(struct berth_window *w, u64 off, size_t len, bool write)
{
	struct window_paged *p = w->paged;
	struct paged_want want = { .how = write ? BERTH_PAGING_WRITE : BERTH_PAGING_READ };
	int err = range_ok(w, off, len);

	if (err || !len)
		return err;
	want.first = page_of(p, off);
	want.last = min(page_of(p, off + len - 1), want.first + AHEAD_PAGES - 1);
	stand_back(p);
	read_lock_bh(&p->lock);
	want.first = paged_missing(p, want.first, want.last, write ? PAGED_RIGHTS : PAGED_READ);
	read_unlock_bh(&p->lock);
	if (want.first > want.last)
		return 0;
	if (READ_ONCE(p->gone) || (write && !p->writable))
		return -EKEYREVOKED;
	return berth_paged_want(p, &want);
}

bool berth_paging_supported(void)
{
	return true;
}
EXPORT_SYMBOL_GPL(berth_paging_supported);

static struct window_paged *paged_alloc(u64 start, u64 length, bool writable)
{
	struct window_paged *p;
	u64 end;

	if (!length || check_add_overflow(start, length, &end))
		return ERR_PTR(-EINVAL);
	p = kzalloc(sizeof(*p), GFP_KERNEL_ACCOUNT);
	if (!p)
		return ERR_PTR(-ENOMEM);
	p->first_page = start >> PAGE_SHIFT;
	p->first_offset = start & ~PAGE_MASK;
	p->pages = ((end - 1) >> PAGE_SHIFT) - p->first_page + 1;
	p->writable = writable;
	rwlock_init(&p->lock);
	xa_init(&p->leaves);
	spin_lock_init(&p->want_lock);
	refcount_set(&p->users, 1);
	init_completion(&p->idle);
	return p;
}

struct berth_window *berth_window_create_paged(u64 start, u64 length, bool writable)
{
	struct iosys_map map = IOSYS_MAP_INIT_VADDR(NULL);
	struct window_paged *p = paged_alloc(start, length, writable);
	struct berth_window *w;
	int err;

	if (IS_ERR(p))
		return ERR_CAST(p);
	err = current->mm ? berth_paged_watch(p, current->mm) : -EINVAL;
	if (err) {
		kfree(p);
		return ERR_PTR(err);
	}
	w = berth_window_alloc(WINDOW_PAGED, length);
	if (!w) {
		berth_paged_free(p);
		return ERR_PTR(-ENOMEM);
	}
	w->paged = p;
	berth_window_publish(w, &map);
	return w;
}
EXPORT_SYMBOL_GPL(berth_window_create_paged);

/* Nobody finds the window any more, and whoever accessed it has left. */
void berth_paged_free(struct window_paged *p)
{
	struct paged_leaf *leaf;
	unsigned long index;

	if (!p)
		return;
	WRITE_ONCE(p->closed, true);
	berth_paged_put(p);
	wait_for_completion(&p->idle);
	berth_paged_unwatch(p);
	xa_for_each(&p->leaves, index, leaf)
		kfree(leaf);
	xa_destroy(&p->leaves);
	kfree(p);
}

bool berth_window_hold(struct berth_window *w)
{
	return w->kind == WINDOW_PAGED && refcount_inc_not_zero(&w->paged->users);
}
EXPORT_SYMBOL_GPL(berth_window_hold);

void berth_window_release(struct berth_window *w)
{
	berth_paged_put(w->paged);
}
EXPORT_SYMBOL_GPL(berth_window_release);

int berth_window_prefetch(struct berth_window *w, u64 off, u64 len, enum berth_paging how,
			  bool wait)
{
	struct paged_want want = { .how = how, .hint = true };
	struct window_paged *p = w->paged;
	unsigned long failed;

	if (off > w->length || len > w->length - off)
		return -ERANGE;
	if (w->kind != WINDOW_PAGED)
		return 0;
	if (how == BERTH_PAGING_WRITE && !p->writable)
		return -EACCES;
	if (!len)
		return 0;
	want.first = page_of(p, off);
	want.last = page_of(p, off + len - 1);
	if (wait)
		return berth_paged_fault(p, want.first, want.last, how, &failed);
	berth_paged_want(p, &want);
	return 0;
}
EXPORT_SYMBOL_GPL(berth_window_prefetch);
