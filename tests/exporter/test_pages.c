// SPDX-License-Identifier: GPL-2.0
/* Windows over pages and over the direct map. Process context, see netmem_test.h. */
#include <linux/bvec.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "netmem_test.h"

#define NPAGES	6

/* Pages in no order, two of them one folio. */
static bool pages_alloc(struct nt *t, struct page **pages)
{
	struct page *pair = alloc_pages(GFP_KERNEL | __GFP_COMP | __GFP_ZERO, 1);
	bool ok = pair;
	int i;

	pages[1] = pair;
	pages[2] = pair ? pair + 1 : NULL;
	for (i = 0; i < NPAGES; i++) {
		if (i == 1 || i == 2)
			continue;
		pages[i] = alloc_page(GFP_KERNEL | __GFP_ZERO);
		ok = ok && pages[i];
	}
	swap(pages[0], pages[NPAGES - 1]);
	return CHECK(t, ok, "no memory");
}

static void pages_free(struct page **pages)
{
	int i;

	for (i = 0; i < NPAGES; i++)
		if (i != 2 && pages[i])
			__free_pages(pages[i], i == 1);
}

/* Follow the window page by page and look at the bytes. */
static void pages_walk(struct nt *t, struct berth_window *w, struct page **pages, u64 first)
{
	u64 off = 0, length = berth_window_length(w);

	while (off < length && !nt_failed(t)) {
		int index = (off + first) >> PAGE_SHIFT, refs;
		struct bio_vec vec = {};
		u32 at, most, n;

		refs = page_count(pages[index]);
		rcu_read_lock();
		n = berth_window_bvec(w, off, length - off, &vec, 1);
		rcu_read_unlock();
		if (!CHECK(t, n == 1 && vec.bv_page == pages[index], "no page, or a wrong one, at %llu", off))
			return;
		at = vec.bv_offset;
		CHECK(t, page_count(vec.bv_page) == refs + 1, "%d references", page_count(vec.bv_page));
		CHECK(t, at == ((off + first) & ~PAGE_MASK), "offset %u in the page", at);
		most = (index == 1 ? 2 : 1) * PAGE_SIZE - at;
		CHECK(t, vec.bv_len == min_t(u64, most, length - off), "%u bytes at %llu", vec.bv_len, off);
		nt_match(t, page_address(vec.bv_page) + at, off, vec.bv_len, 3, "page");
		put_page(vec.bv_page);
		off += vec.bv_len;
	}
}

/* All at once: as many pieces as walking has found, whose bytes are those of the range. */
static void pages_at_once(struct nt *t, struct berth_window *w, u64 off, u32 len, u32 room, u32 want)
{
	struct bio_vec vec[NPAGES];
	u32 i, n, bytes = 0;

	rcu_read_lock();
	n = berth_window_bvec(w, off, len, vec, room);
	rcu_read_unlock();
	CHECK(t, n == want, "%u pieces of %u bytes at %llu", n, len, off);
	for (i = 0; i < n; i++) {
		nt_match(t, page_address(vec[i].bv_page) + vec[i].bv_offset, off + bytes, vec[i].bv_len, 3, "piece");
		bytes += vec[i].bv_len;
		put_page(vec[i].bv_page);
	}
	CHECK(t, !n || n == room || bytes == len, "%u bytes of %u at %llu", bytes, len, off);
}

void test_pages(struct nt *t)
{
	u64 first = 1234, length = (NPAGES - 1) * PAGE_SIZE - 17;
	struct page *pages[NPAGES];
	struct berth_window *w;
	u8 *scratch;

	scratch = vmalloc(length);
	if (pages_alloc(t, pages) && CHECK(t, scratch, "no memory")) {
		w = berth_window_create_pages(pages, NPAGES, first, length);
		if (CHECK(t, !IS_ERR(w), "create: error %ld", PTR_ERR(w))) {
			nt_fill(scratch, 0, length, 3);
			CHECK(t, !nt_write(w, 0, scratch, length), "write");
			CHECK(t, nt_write(w, 1, scratch, length) == -ERANGE, "write too long");
			CHECK(t, !berth_window_is_iomem(w), "is I/O memory");
			pages_walk(t, w, pages, first);
			pages_at_once(t, w, 0, length, NPAGES, NPAGES - 1);
			pages_at_once(t, w, 0, length, 3, 3);
			pages_at_once(t, w, 2 * PAGE_SIZE - first - 1000, 2000, NPAGES, 1);
			pages_at_once(t, w, length - 1, 1, NPAGES, 1);
			pages_at_once(t, w, 0, 0, NPAGES, 0);
			pages_at_once(t, w, 1, length, NPAGES, 0);
			memset(scratch, 0, length);
			CHECK(t, !nt_read(w, 0, scratch, length), "read");
			nt_match(t, scratch, 0, length, 3, "read");
			berth_window_destroy(w);
		}
	}
	vfree(scratch);
	pages_free(pages);
}

static void bad(struct nt *t, struct page **pages, unsigned long n, unsigned long first, u64 length)
{
	struct berth_window *w = berth_window_create_pages(pages, n, first, length);

	if (!CHECK(t, w == ERR_PTR(-EINVAL), "%lu pages from %lu, %llu bytes: %d", n, first,
		   length, PTR_ERR_OR_ZERO(w)))
		berth_window_destroy(w);
}

void test_pages_bad(struct nt *t)
{
	struct page *pages[NPAGES];
	struct berth_window *w;
	u8 byte = 0;

	if (pages_alloc(t, pages)) {
		bad(t, pages, 2, 0, PAGE_SIZE);
		bad(t, pages, 1, 1, PAGE_SIZE);
		bad(t, pages, 1, PAGE_SIZE, 1);
		bad(t, pages, 0, 0, 1);
		bad(t, pages, 1, 0, 0);
		bad(t, pages, 1, 4, U64_MAX);
		w = berth_window_create_pages(pages, 0, 0, 0);
		if (CHECK(t, !IS_ERR(w), "empty window: error %ld", PTR_ERR(w))) {
			CHECK(t, !nt_write(w, 0, &byte, 0), "0 bytes into an empty window");
			CHECK(t, nt_write(w, 0, &byte, 1) == -ERANGE, "1 byte into it");
			berth_window_destroy(w);
		}
	}
	pages_free(pages);
}

/* A dma-buf has no pages for anybody, and linear addresses only in system memory. */
void test_pages_none(struct nt *t)
{
	struct berth_area *area = nt_area(t, 0);
	struct berth_window *w;
	struct bio_vec vec;
	void *linear;
	u32 given;

	if (!area)
		return;
	w = berth_area_window(area);
	rcu_read_lock();
	given = berth_window_bvec(w, 0, 1, &vec, 1);
	linear = berth_window_linear(w, 4095, 2);
	rcu_read_unlock();
	CHECK(t, !given, "gave out a page");
	CHECK(t, !linear == berth_window_is_iomem(w), "linear address of I/O memory, or none");
	berth_area_put(area);
}

static void direct_refused(struct nt *t, struct berth_window *w, u64 addr, size_t len,
			   const char *what)
{
	u8 byte = 0;
	int err = nt_read(w, addr, &byte, len);

	CHECK(t, err == -ERANGE, "%s: %d", what, err);
}

void test_direct(struct nt *t)
{
	struct berth_window *w = berth_window_create_direct();
	u8 *slab = kmalloc(600, GFP_KERNEL), *virt = vmalloc(64), buf[600];
	unsigned long whole = __get_free_page(GFP_KERNEL);
	struct bio_vec vec;

	if (CHECK(t, !IS_ERR(w) && slab && virt && whole, "no memory")) {
		nt_fill(buf, 0, sizeof(buf), 4);
		CHECK(t, !nt_write(w, (uintptr_t)slab, buf, sizeof(buf)), "write");
		nt_match(t, slab, 0, sizeof(buf), 4, "slab");
		direct_refused(t, w, (uintptr_t)virt, 1, "vmalloc memory");
		direct_refused(t, w, 0, 1, "address 0");
		direct_refused(t, w, 0x1000, 1, "user address");
		direct_refused(t, w, U64_MAX, 1, "last address");
		rcu_read_lock();
		CHECK(t, !berth_window_bvec(w, (uintptr_t)slab, 100, &vec, 1), "slab page");
		if (CHECK(t, berth_window_bvec(w, whole + 4000, 100, &vec, 1) == 1, "no page")) {
			CHECK(t, vec.bv_page == virt_to_page((void *)whole) && vec.bv_offset == 4000 &&
			      vec.bv_len == 96, "at %u, %u bytes", vec.bv_offset, vec.bv_len);
			put_page(vec.bv_page);
		}
		rcu_read_unlock();
	}
	berth_window_destroy(w);
	free_page(whole);
	vfree(virt);
	kfree(slab);
}
