// SPDX-License-Identifier: GPL-2.0
/*
 * Chunk pools, one thread: exhaust and refill, references, leaks, bookings, arguments. The buffer
 * has to be 16 pages at least. Process context, see netmem_test.h.
 */
#include <linux/platform_device.h>
#include <linux/slab.h>

#include "netmem_test.h"

#define COUNT	14

static struct berth_chunks *pool(struct nt *t, struct berth_area *area, u64 first, u32 count)
{
	struct berth_chunks *chunks = berth_chunks_create(area, PAGE_SIZE, first, count);

	return CHECK(t, !IS_ERR(chunks), "create: error %ld", PTR_ERR(chunks)) ? chunks : NULL;
}

static void account_is(struct nt *t, struct berth_chunks *chunks, u32 allocated, const char *when)
{
	struct berth_chunk_account a;

	berth_chunks_account(chunks, &a);
	CHECK(t, a.allocated == allocated && a.allocated + a.free + a.cached == a.total,
	      "%s: %u allocated, %u free, %u cached of %u", when, a.allocated, a.free, a.cached,
	      a.total);
}

/* Take all chunks: each lies in the range, none is given twice, then none is left. */
static void take_all(struct nt *t, struct berth_chunks *chunks, struct berth_netmem *nm)
{
	unsigned long seen = 0;
	int i;

	for (i = 0; i < COUNT; i++) {
		u64 offset;

		nm[i] = berth_chunk_alloc(chunks);
		if (!CHECK(t, !berth_netmem_is_none(nm[i]), "chunk %d is missing", i))
			return;
		offset = berth_chunk_offset(nm[i]);
		CHECK(t, offset == PAGE_SIZE * (1 + berth_chunk_index(nm[i])) &&
		      berth_chunk_index(nm[i]) < COUNT, "offset %llu", offset);
		CHECK(t, !(seen & BIT(berth_chunk_index(nm[i]))), "given twice");
		seen |= BIT(berth_chunk_index(nm[i]));
	}
	CHECK(t, berth_netmem_is_none(berth_chunk_alloc(chunks)), "one too many");
}

void test_exhaust(struct nt *t)
{
	struct berth_area *area = nt_area(t, 0);
	struct berth_netmem nm[COUNT] = {};
	struct berth_chunk_account a;
	struct berth_chunks *chunks;
	int round, i;

	if (!area)
		return;
	chunks = pool(t, area, PAGE_SIZE, COUNT);
	for (round = 0; chunks && round < 3 && !nt_failed(t); round++) {
		account_is(t, chunks, 0, "before");
		take_all(t, chunks, nm);
		account_is(t, chunks, COUNT, "exhausted");
		for (i = 0; i < COUNT; i += 2)
			berth_chunk_put(nm[i]);
		account_is(t, chunks, COUNT / 2, "half");
		for (i = 0; i < COUNT; i += 2)
			nm[i] = berth_chunk_alloc(chunks);
		account_is(t, chunks, COUNT, "again");
		CHECK(t, berth_netmem_is_none(berth_chunk_alloc(chunks)), "one too many");
		for (i = 0; i < COUNT; i++)
			berth_chunk_put(nm[i]);
		berth_chunks_account(chunks, &a);
		CHECK(t, a.exhausted == 2 * (round + 1), "exhausted %llu times", a.exhausted);
	}
	CHECK(t, !berth_chunks_destroy(chunks), "chunks are out");
	berth_area_put(area);
}

void test_refs(struct nt *t)
{
	struct berth_area *area = nt_area(t, 0);
	struct berth_chunks *chunks = area ? pool(t, area, 0, 2) : NULL;
	struct berth_netmem nm, other;

	if (!chunks)
		goto put_area;
	nm = berth_chunk_alloc(chunks);
	if (CHECK(t, !berth_netmem_is_none(nm), "none")) {
		u32 index = berth_chunk_index(nm);

		CHECK(t, berth_chunk_size(nm) == PAGE_SIZE, "size %zu", berth_chunk_size(nm));
		CHECK(t, berth_chunk_area(nm) == area, "area");
		other = berth_chunk_by_index(chunks, index);
		CHECK(t, berth_netmem_equal(nm, other), "by its index");
		other = berth_chunk_by_index(chunks, !index);
		CHECK(t, berth_netmem_is_none(other), "a free one by its index");
		CHECK(t, berth_netmem_is_none(berth_chunk_by_index(chunks, 2)), "index 2");
		CHECK(t, berth_netmem_is_none(berth_chunk_by_index(chunks, ~0U)), "index ~0");
		berth_chunk_get(nm);
		berth_chunk_put(nm);
		account_is(t, chunks, 1, "one reference left");
		berth_chunk_put(nm);
		account_is(t, chunks, 0, "none left");
		CHECK(t, berth_netmem_is_none(berth_chunk_by_index(chunks, index)), "freed");
	}
	berth_chunk_put(berth_netmem_none());
	CHECK(t, !berth_chunks_destroy(chunks), "chunks are out");
put_area:
	berth_area_put(area);
}

/* Destroyed with chunks out: counted, kept until the last put, then really gone. */
void test_leak(struct nt *t)
{
	struct berth_area *area = nt_area(t, 0);
	struct berth_chunks *chunks = area ? pool(t, area, 0, 8) : NULL;
	struct berth_netmem nm[3];
	u32 out;
	int i;

	if (!chunks)
		goto put_area;
	for (i = 0; i < 3; i++)
		nm[i] = berth_chunk_alloc(chunks);
	out = berth_chunks_destroy(chunks);
	CHECK(t, out == 3, "%u chunks are out", out);
	CHECK(t, berth_chunks_create(area, PAGE_SIZE, 0, 1) == ERR_PTR(-EBUSY), "range is free");
	CHECK(t, berth_chunk_area(nm[0]) == area, "handle is dead");
	for (i = 0; i < 3; i++)
		berth_chunk_put(nm[i]);
	for (i = 0; i < 500; i++) {
		chunks = berth_chunks_create(area, PAGE_SIZE, 0, 8);
		if (chunks != ERR_PTR(-EBUSY))
			break;
		schedule_timeout_uninterruptible(1);
	}
	CHECK(t, !IS_ERR(chunks), "range is not free after the last put: %ld", PTR_ERR(chunks));
	CHECK(t, !berth_chunks_destroy(chunks), "chunks are out");
put_area:
	berth_area_put(area);
}

static void booking_pairs(struct nt *t, struct berth_area *area, struct berth_area *other)
{
	struct berth_chunks *chunks = pool(t, area, 4 * PAGE_SIZE, 4), *next;
	struct berth_booking booking = {};
	int err;

	if (!chunks)
		return;
	CHECK(t, berth_chunks_create(area, PAGE_SIZE, 7 * PAGE_SIZE, 1) == ERR_PTR(-EBUSY), "last");
	CHECK(t, berth_chunks_create(area, PAGE_SIZE, 0, 5) == ERR_PTR(-EBUSY), "first");
	CHECK(t, berth_chunks_create(other, PAGE_SIZE, 5 * PAGE_SIZE, 1) == ERR_PTR(-EBUSY),
	      "through another device");
	err = berth_area_book(other, &booking, 8 * PAGE_SIZE - 1, 1);
	CHECK(t, err == -EBUSY, "booking a byte: %d", err);
	err = berth_area_book(area, &booking, berth_area_size(area), 1);
	CHECK(t, err == -ERANGE, "booking beyond the end: %d", err);
	err = berth_area_book(area, &booking, 8 * PAGE_SIZE, 1);
	CHECK(t, !err, "booking beside: %d", err);
	CHECK(t, berth_chunks_create(area, PAGE_SIZE, 8 * PAGE_SIZE, 1) == ERR_PTR(-EBUSY),
	      "booked");
	berth_area_unbook(&booking);
	next = pool(t, other, 8 * PAGE_SIZE, 1);
	CHECK(t, !berth_chunks_destroy(next), "chunks are out");
	CHECK(t, !berth_chunks_destroy(chunks), "chunks are out");
	chunks = pool(t, other, 0, 8);
	CHECK(t, !berth_chunks_destroy(chunks), "chunks are out");
}

/* No byte has two owners, not through another device either. */
void test_booking(struct nt *t)
{
	const struct platform_device_info info = {
		.name = "netmem_test", .id = PLATFORM_DEVID_NONE, .dma_mask = DMA_BIT_MASK(64),
	};
	struct platform_device *pdev = platform_device_register_full(&info);
	struct berth_area *area, *other;

	if (!CHECK(t, !IS_ERR(pdev), "device: error %ld", PTR_ERR(pdev)))
		return;
	area = nt_area(t, 0);
	other = berth_area_get(&pdev->dev, t->buf[0], 0);
	if (area && CHECK(t, !IS_ERR(other), "other device: error %ld", PTR_ERR(other))) {
		CHECK(t, area != other, "two devices share an area");
		booking_pairs(t, area, other);
	}
	berth_area_put(other);
	berth_area_put(area);
	platform_device_unregister(pdev);
}

static void refused(struct nt *t, struct berth_area *area, size_t size, u64 first, u32 count,
		    int err)
{
	struct berth_chunks *chunks = berth_chunks_create(area, size, first, count);

	if (!CHECK(t, chunks == ERR_PTR(-err), "%u chunks of %zu at %llu: %d", count, size, first,
		   PTR_ERR_OR_ZERO(chunks)))
		berth_chunks_destroy(chunks);
}

void test_chunk_args(struct nt *t)
{
	struct berth_area *area = nt_area(t, 0);
	u64 size = t->buf[0]->size;

	if (!area)
		return;
	refused(t, area, 0, 0, 1, EINVAL);
	refused(t, area, PAGE_SIZE / 2, 0, 1, EINVAL);
	refused(t, area, 3 * PAGE_SIZE, 0, 1, EINVAL);
	refused(t, area, PAGE_SIZE, 1, 1, EINVAL);
	refused(t, area, PAGE_SIZE, 0, 0, EINVAL);
	refused(t, area, PAGE_SIZE, size, 1, ERANGE);
	refused(t, area, PAGE_SIZE, 0, size / PAGE_SIZE + 1, ERANGE);
	refused(t, area, PAGE_SIZE, ALIGN_DOWN(U64_MAX, PAGE_SIZE), 1, ERANGE);
	refused(t, area, 1UL << 62, 0, 4, ERANGE);
	refused(t, area, 1UL << 62, 0, 5, ERANGE);
	berth_area_put(area);
}
