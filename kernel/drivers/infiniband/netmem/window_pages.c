// SPDX-License-Identifier: GPL-2.0
/*
 * Windows that are not over a dma-buf: over pinned pages, mapped into one linear range, over the
 * kernel's direct map, and (window_list.c) over lists of addresses in it. Those that are paged on
 * demand are made in window_paged.c.
 *
 * The caller owns the pins; a window keeps a copy of the page pointers, so that a sender can put
 * the pages themselves into a packet. These are the only windows that know pages. Created and
 * destroyed in process context; berth_window_bvec() runs inside the caller's RCU read-side section.
 * No locks.
 */
#include <linux/atomic.h>
#include <linux/bvec.h>
#include <linux/err.h>
#include <linux/mm.h>
#include <linux/net.h>
#include <linux/overflow.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "window.h"
#include "window_list.h"
#include "window_paged.h"

/* Windows that berth_window_destroy() has not seen yet. */
static atomic_long_t windows_alive = ATOMIC_LONG_INIT(0);

long berth_windows_alive(void)
{
	return atomic_long_read(&windows_alive);
}

struct berth_window *berth_window_alloc(enum window_kind kind, u64 length)
{
	struct berth_window *w = kzalloc(sizeof(*w), GFP_KERNEL_ACCOUNT);

	if (!w)
		return NULL;
	berth_window_init(w, kind, length);
	atomic_long_inc(&windows_alive);
	return w;
}

static void window_free(struct berth_window *w)
{
	vunmap(w->vmap);
	berth_list_free(w->list);
	berth_paged_free(w->paged);
	kvfree(w->pages);
	kfree(w);
	atomic_long_dec(&windows_alive);
}

static bool pages_fit(unsigned long npages, unsigned long first_offset, u64 length)
{
	u64 end;

	if (first_offset >= PAGE_SIZE || check_add_overflow(length, (u64)first_offset, &end))
		return false;
	if (!length)
		return !npages;
	return npages == ((end - 1) >> PAGE_SHIFT) + 1;
}

struct berth_window *berth_window_create_pages(struct page **pages, unsigned long npages,
					       unsigned long first_offset, u64 length)
{
	struct iosys_map map = IOSYS_MAP_INIT_VADDR(NULL);
	struct berth_window *w;

	if (!pages_fit(npages, first_offset, length))
		return ERR_PTR(-EINVAL);
	if (npages > INT_MAX)
		return ERR_PTR(-ENOMEM);
	w = berth_window_alloc(WINDOW_PAGES, length);
	if (!w)
		return ERR_PTR(-ENOMEM);
	w->first_offset = first_offset;
	w->npages = npages;
	if (npages) {
		w->pages = kvmalloc_array(npages, sizeof(*pages), GFP_KERNEL_ACCOUNT);
		if (!w->pages)
			goto free_window;
		memcpy(w->pages, pages, npages * sizeof(*pages));
		w->vmap = vmap(w->pages, npages, VM_MAP, PAGE_KERNEL);
		if (!w->vmap)
			goto free_window;
		iosys_map_set_vaddr(&map, w->vmap + first_offset);
	}
	berth_window_publish(w, &map);
	return w;

free_window:
	window_free(w);
	return ERR_PTR(-ENOMEM);
}
EXPORT_SYMBOL_GPL(berth_window_create_pages);

struct berth_window *berth_window_create_direct(void)
{
	struct iosys_map map = IOSYS_MAP_INIT_VADDR(NULL);
	struct berth_window *w = berth_window_alloc(WINDOW_DIRECT, U64_MAX);

	if (!w)
		return ERR_PTR(-ENOMEM);
	berth_window_publish(w, &map);
	return w;
}
EXPORT_SYMBOL_GPL(berth_window_create_direct);

struct berth_window *berth_window_create_list(u32 max_pages)
{
	struct iosys_map map = IOSYS_MAP_INIT_VADDR(NULL);
	struct berth_window *w = berth_window_alloc(WINDOW_LIST, U64_MAX);

	if (!w)
		return ERR_PTR(-ENOMEM);
	w->list = berth_list_alloc(max_pages);
	if (!w->list) {
		window_free(w);
		return ERR_PTR(-ENOMEM);
	}
	berth_window_publish(w, &map);
	return w;
}
EXPORT_SYMBOL_GPL(berth_window_create_list);

void berth_window_destroy(struct berth_window *w)
{
	if (IS_ERR_OR_NULL(w) || WARN_ON_ONCE(w->kind == WINDOW_AREA))
		return;
	berth_window_set_state(w, BERTH_WINDOW_REVOKED);
	berth_window_unpublish(w);
	window_free(w);
}
EXPORT_SYMBOL_GPL(berth_window_destroy);

bool berth_window_direct_valid(u64 addr, size_t len)
{
	if (!len)
		return true;
	return virt_addr_valid((void *)(uintptr_t)addr) &&
	       virt_addr_valid((void *)(uintptr_t)(addr + len - 1));
}

/* How many bytes follow in the same folio, at consecutive page structures, from pages[index] on. */
static u32 pages_run(const struct berth_window *w, unsigned long index, u32 page_off, u32 want)
{
	u32 have = PAGE_SIZE - page_off;
	struct page *page = w->pages[index];

	while (have < want && index + 1 < w->npages && w->pages[index + 1] == page + 1 &&
	       page_folio(page + 1) == page_folio(page)) {
		have += PAGE_SIZE;
		page++;
		index++;
	}
	return min(have, want);
}

static u32 pages_bvec(struct berth_window *w, u64 off, u32 len, struct bio_vec *vec, u32 room)
{
	u64 at = off + w->first_offset;
	u32 n, count;

	for (count = 0; count < room && len; count++, at += n, len -= n) {
		struct page *page = w->pages[at >> PAGE_SHIFT];

		n = pages_run(w, at >> PAGE_SHIFT, at & ~PAGE_MASK, len);
		get_page(page);
		bvec_set_page(&vec[count], page, n, at & ~PAGE_MASK);
	}
	return count;
}

static u32 direct_bvec(u64 addr, u32 len, struct bio_vec *vec, u32 room)
{
	u32 n, count;

	for (count = 0; count < room && len; count++, addr += n, len -= n) {
		struct page *page;

		n = min_t(u32, len, PAGE_SIZE - (addr & ~PAGE_MASK));
		if (!berth_window_direct_valid(addr, n))
			break;
		page = virt_to_page((void *)(uintptr_t)addr);
		/* The slab allocator gives its pages out again without asking their reference count. */
		if (!sendpage_ok(page))
			break;
		get_page(page);
		bvec_set_page(&vec[count], page, n, addr & ~PAGE_MASK);
	}
	return count;
}

u32 berth_window_bvec(struct berth_window *w, u64 off, u32 len, struct bio_vec *vec, u32 room)
{
	if ((w->kind != WINDOW_PAGES && w->kind != WINDOW_DIRECT) || off > w->length ||
	    len > w->length - off)
		return 0;
	if (!rcu_access_pointer(w->map))
		return 0;
	if (w->kind == WINDOW_DIRECT)
		return direct_bvec(off, len, vec, room);
	return pages_bvec(w, off, len, vec, room);
}
EXPORT_SYMBOL_GPL(berth_window_bvec);
