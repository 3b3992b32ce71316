// SPDX-License-Identifier: GPL-2.0
/*
 * Windows over a list of kernel addresses that is exchanged while the window lives: what a kernel
 * consumer maps again and again (fast registration).
 *
 * Opening and closing happen in softirq and cannot wait for a grace period, but when close returns
 * no access may run: the consumer frees the memory then. So readers are counted for the time of
 * their copy, and close waits for the few that are inside. They never wait for anybody, so neither
 * two windows in one copy nor one window twice can deadlock. Each opening has offsets of its own:
 * one that was computed before finds nothing in the next.
 *
 * Context: bottom halves disabled for all but create and free: a reader is never interrupted by the
 * writer that waits for it.
 */
#include <linux/atomic.h>
#include <linux/err.h>
#include <linux/kernel.h>
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/processor.h>
#include <linux/slab.h>

#include "copy.h"
#include "window.h"
#include "window_list.h"

/* Offsets of one opening; its number stands above. */
#define LIST_SPAN_BITS	44

struct window_list {
	atomic_t readers;	/* inside an access */
	bool open;		/* written by open and close, which exclude each other */
	u32 opened;		/* how often */
	u32 max_pages;
	u32 shift;		/* of the page size */
	u64 base;		/* of the first byte; it and what follows: constant while open */
	u64 length;
	u64 first_offset;	/* of it in the first page */
	u64 pages[] __counted_by(max_pages);	/* kernel addresses */
};

struct window_list *berth_list_alloc(u32 max_pages)
{
	struct window_list *list;

	list = kvzalloc(struct_size(list, pages, max_pages), GFP_KERNEL_ACCOUNT);
	if (list)
		list->max_pages = max_pages;
	return list;
}

void berth_list_free(struct window_list *list)
{
	kvfree(list);
}

static int list_enter(struct window_list *list, u64 off, size_t len)
{
	atomic_inc(&list->readers);
	/* Pairs with the barrier in close: it sees us inside, or we see that it is closed. */
	smp_mb__after_atomic();
	/* Pairs with the release in open: the list is whole. */
	if (smp_load_acquire(&list->open) && off >= list->base &&
	    off - list->base <= list->length && len <= list->length - (off - list->base))
		return 0;
	atomic_dec(&list->readers);
	return -EKEYREVOKED;
}

static void list_leave(struct window_list *list)
{
	/* Pairs with the last barrier in close: what was read or written lies before it returns. */
	smp_mb__before_atomic();
	atomic_dec(&list->readers);
}

/* Address of an offset, and how many bytes lie together there. */
static void *list_span(const struct window_list *list, u64 off, size_t *len)
{
	u64 at = off - list->base + list->first_offset;
	u64 page_size = 1ULL << list->shift;
	u64 rest = at & (page_size - 1);

	*len = min_t(u64, *len, page_size - rest);
	return (void *)(uintptr_t)(list->pages[at >> list->shift] + rest);
}

int berth_list_write(struct berth_window *w, u64 off, const void *src, size_t len)
{
	int err = list_enter(w->list, off, len);

	if (err)
		return err;
	while (len) {
		size_t n = len;
		void *to = list_span(w->list, off, &n);

		copy_disjoint(to, src, n);
		off += n;
		src += n;
		len -= n;
	}
	list_leave(w->list);
	return 0;
}

int berth_list_read(struct berth_window *w, u64 off, void *dst, size_t len)
{
	int err = list_enter(w->list, off, len);

	if (err)
		return err;
	while (len) {
		size_t n = len;
		const void *from = list_span(w->list, off, &n);

		copy_disjoint(dst, from, n);
		off += n;
		dst += n;
		len -= n;
	}
	list_leave(w->list);
	return 0;
}

/**
 * berth_list_copy - copy where one end or both are lists
 * @dw: destination
 * @doff: offset in @dw
 * @sw: source
 * @soff: offset in @sw
 * @len: bytes
 *
 * The end that is no list is reached by the ordinary accessors, which check it piece by piece; the
 * caller has checked its range.
 *
 * Context: RCU read side, bottom halves disabled. Return: as berth_window_copy().
 */
int berth_list_copy(struct berth_window *dw, u64 doff, struct berth_window *sw, u64 soff,
		    size_t len)
{
	struct window_list *dl = dw->kind == WINDOW_LIST ? dw->list : NULL;
	struct window_list *sl = sw->kind == WINDOW_LIST ? sw->list : NULL;
	int err = 0;

	if (dl)
		err = list_enter(dl, doff, len);
	if (err)
		return err;
	if (sl)
		err = list_enter(sl, soff, len);
	if (err)
		goto leave_destination;

	while (len && !err) {
		size_t n = len;
		void *to = dl ? list_span(dl, doff, &n) : NULL;
		void *from = sl ? list_span(sl, soff, &n) : NULL;

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
	if (sl)
		list_leave(sl);
leave_destination:
	if (dl)
		list_leave(dl);
	return err;
}

/* The word of an atomic; NULL: not there, or not aligned. Left by berth_list_unpin(). */
int berth_list_pin(struct berth_window *w, u64 off, size_t len, void **at)
{
	size_t n = len;
	int err = list_enter(w->list, off, len);

	if (err)
		return err;
	*at = list_span(w->list, off, &n);
	if (n == len)
		return 0;
	list_leave(w->list);
	return -EINVAL;
}

void berth_list_unpin(struct berth_window *w)
{
	list_leave(w->list);
}

static bool list_fits(const struct berth_page_list *pages, u32 max_pages, u64 length)
{
	u64 end, need;

	if (!is_power_of_2(pages->page_size) || pages->first_offset >= pages->page_size ||
	    !length || length > BIT_ULL(LIST_SPAN_BITS))
		return false;
	end = pages->first_offset + length;
	need = DIV_ROUND_UP_ULL(end, pages->page_size);
	return pages->count <= max_pages && need <= pages->count;
}

int berth_window_list_open(struct berth_window *w, const struct berth_page_list *pages, u64 length,
			   u64 *base)
{
	struct window_list *list = w->list;

	if (WARN_ON_ONCE(w->kind != WINDOW_LIST) || list->open)
		return -EINVAL;
	if (!list_fits(pages, list->max_pages, length))
		return -EINVAL;
	memcpy(list->pages, pages->addr, pages->count * sizeof(list->pages[0]));
	list->shift = ilog2(pages->page_size);
	list->first_offset = pages->first_offset;
	list->length = length;
	list->opened++;
	list->base = (u64)list->opened << LIST_SPAN_BITS;
	*base = list->base;
	/* Pairs with the acquire in list_enter(): who finds it open finds the list whole. */
	smp_store_release(&list->open, true);
	return 0;
}
EXPORT_SYMBOL_GPL(berth_window_list_open);

void berth_window_list_close(struct berth_window *w)
{
	struct window_list *list = w->list;

	if (WARN_ON_ONCE(w->kind != WINDOW_LIST))
		return;
	WRITE_ONCE(list->open, false);
	/* Pairs with the barrier in list_enter(). */
	smp_mb();
	while (atomic_read(&list->readers))
		cpu_relax();
	/* Pairs with the barrier in list_leave(). */
	smp_mb();
}
EXPORT_SYMBOL_GPL(berth_window_list_close);

bool berth_window_address_ok(const void *addr, size_t len)
{
	return berth_window_direct_valid((uintptr_t)addr, len);
}
EXPORT_SYMBOL_GPL(berth_window_address_ok);
