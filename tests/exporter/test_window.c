// SPDX-License-Identifier: GPL-2.0
/*
 * Windows over dma-bufs: writes, reads and copies at odd offsets and lengths with bytes that depend
 * on their position, bounds, atomics. A window has to be at least 32 KiB. Process context, see
 * netmem_test.h.
 */
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "netmem_test.h"

/* Bytes looked at on both sides of what was written. */
#define MARGIN	16

static const u32 test_offsets[] = { 0, 1, 2, 7, 8, 63, 4090, 4095, 4096, 4097, 8191, 12345 };
static const u32 test_lengths[] = { 0, 1, 2, 3, 7, 8, 9, 63, 64, 65, 255, 256, 257, 511, 512, 513,
				    519, 4095, 4096, 4097, 9001 };

/* Fill a window with one seed. */
static bool window_fill(struct nt *t, struct berth_window *w, u8 *scratch, u32 seed)
{
	u64 len = berth_window_length(w);
	int err;

	nt_fill(scratch, 0, len, seed);
	err = nt_write(w, 0, scratch, len);
	return CHECK(t, !err, "filling the window: error %d", err);
}

/* The window holds seed 1 everywhere, but in [off, off + len) seed 2 shifted by shift. */
static bool window_check(struct nt *t, struct berth_window *w, u8 *scratch, u64 off, size_t len,
			 u64 shift)
{
	u64 begin = off > MARGIN ? off - MARGIN : 0;
	u64 end = min(berth_window_length(w), off + len + MARGIN);
	int err = nt_read(w, begin, scratch, end - begin);

	return CHECK(t, !err, "reading back: error %d", err) &&
	       nt_match(t, scratch, begin, off - begin, 1, "before") &&
	       nt_match(t, scratch + (off - begin), off + shift, len, 2, "inside") &&
	       nt_match(t, scratch + (off - begin) + len, off + len, end - off - len, 1, "after");
}

static bool restore(struct nt *t, struct berth_window *w, u8 *scratch, u64 off, size_t len)
{
	nt_fill(scratch, off, len, 1);
	return CHECK(t, !nt_write(w, off, scratch, len), "restoring");
}

static void rw_one(struct nt *t, struct berth_window *w, u8 *scratch, u64 off, size_t len)
{
	int err;

	nt_fill(scratch, off, len, 2);
	err = nt_write(w, off, scratch, len);
	if (CHECK(t, !err, "write of %zu at %llu: error %d", len, off, err) &&
	    window_check(t, w, scratch, off, len, 0))
		restore(t, w, scratch, off, len);
}

void test_rw(struct nt *t)
{
	struct berth_area *area = nt_area(t, 0);
	struct berth_window *w;
	unsigned int i, j;
	u8 *scratch;

	if (!area)
		return;
	w = berth_area_window(area);
	CHECK(t, berth_window_state(w) == BERTH_WINDOW_READY, "state %d", berth_window_state(w));
	CHECK(t, berth_window_length(w) == t->buf[0]->size, "length %llu", berth_window_length(w));
	CHECK(t, berth_window_is_iomem(w) == t->run->expect, "iomem is %d",
	      berth_window_is_iomem(w));
	scratch = vmalloc(berth_window_length(w));
	if (CHECK(t, scratch, "no memory") && window_fill(t, w, scratch, 1)) {
		for (i = 0; i < ARRAY_SIZE(test_offsets); i++)
			for (j = 0; j < ARRAY_SIZE(test_lengths) && !nt_failed(t); j++)
				rw_one(t, w, scratch, test_offsets[i], test_lengths[j]);
		/* The last bytes of the window. */
		for (j = 0; j < ARRAY_SIZE(test_lengths) && !nt_failed(t); j++)
			rw_one(t, w, scratch, berth_window_length(w) - test_lengths[j],
			       test_lengths[j]);
	}
	vfree(scratch);
	berth_area_put(area);
}

static void copy_one(struct nt *t, struct berth_window *dw, u64 doff, struct berth_window *sw,
		     u64 soff, size_t len, u8 *scratch)
{
	int err = nt_copy(dw, doff, sw, soff, len);

	if (CHECK(t, !err, "copy of %zu from %llu to %llu: error %d", len, soff, doff, err) &&
	    window_check(t, dw, scratch, doff, len, soff - doff))
		restore(t, dw, scratch, doff, len);
}

static void copy_all(struct nt *t, struct berth_window *dw, struct berth_window *sw, u8 *scratch)
{
	unsigned int i, j, k;

	if (!window_fill(t, dw, scratch, 1) || !window_fill(t, sw, scratch, 2))
		return;
	for (i = 0; i < ARRAY_SIZE(test_offsets); i++)
		for (j = 0; j < ARRAY_SIZE(test_offsets); j++)
			for (k = (i + j) % 3; k < ARRAY_SIZE(test_lengths) && !nt_failed(t); k += 3)
				copy_one(t, dw, test_offsets[i], sw, test_offsets[j],
					 test_lengths[k], scratch);
}

void test_copy(struct nt *t)
{
	struct berth_area *da = nt_area(t, 0);
	struct berth_area *sa = da ? nt_area(t, 1) : NULL;
	u8 *scratch;

	if (sa) {
		scratch = vmalloc(max(berth_area_size(da), berth_area_size(sa)));
		if (CHECK(t, scratch, "no memory"))
			copy_all(t, berth_area_window(da), berth_area_window(sa), scratch);
		vfree(scratch);
	}
	berth_area_put(sa);
	berth_area_put(da);
}

/* Within one window, ranges that overlap both ways: as memmove() in system memory. */
void test_overlap(struct nt *t)
{
	static const s32 by[] = { -4096, -513, -8, -1, 0, 1, 8, 513, 4096 };
	struct berth_area *area = nt_area(t, 0);
	struct berth_window *w;
	unsigned int i;
	u8 *scratch;
	int err;

	if (!area)
		return;
	w = berth_area_window(area);
	scratch = vmalloc(berth_window_length(w));
	CHECK(t, scratch, "no memory");
	for (i = 0; i < ARRAY_SIZE(by) && !nt_failed(t); i++) {
		u64 from = 8192 + 3, to = from + by[i];

		window_fill(t, w, scratch, 1);
		err = nt_copy(w, to, w, from, 6000);
		CHECK(t, !err, "copy by %d: error %d", by[i], err);
		err = nt_read(w, to, scratch, 6000);
		if (CHECK(t, !err, "read: error %d", err))
			nt_match(t, scratch, from, 6000, 1, "moved");
	}
	vfree(scratch);
	berth_area_put(area);
}

/* Every accessor refuses a range, and nothing in the last page changed. */
static void bounds_one(struct nt *t, struct berth_window *w, u64 off, size_t len, u8 *buf)
{
	int write = nt_write(w, off, buf, len), read = nt_read(w, off, buf, len);
	int to = nt_copy(w, off, w, 0, len), from = nt_copy(w, 0, w, off, len);
	void *linear;

	rcu_read_lock();
	linear = berth_window_linear(w, off, len);
	rcu_read_unlock();
	CHECK(t, write == -ERANGE && read == -ERANGE && to == -ERANGE && from == -ERANGE && !linear,
	      "%zu at %llu: write %d, read %d, copy to %d, from %d, linear %d", len, off, write,
	      read, to, from, !!linear);
}

void test_bounds(struct nt *t)
{
	struct berth_area *area = nt_area(t, 0);
	struct berth_window *w;
	u64 size, old;
	u8 buf[64];
	int err;

	if (!area)
		return;
	w = berth_area_window(area);
	size = berth_window_length(w);
	nt_fill(buf, size - sizeof(buf), sizeof(buf), 1);
	CHECK(t, !nt_write(w, size - sizeof(buf), buf, sizeof(buf)), "write of the last bytes");
	bounds_one(t, w, size, 1, buf);
	bounds_one(t, w, size - 1, 2, buf);
	bounds_one(t, w, size + 1, 0, buf);
	bounds_one(t, w, size - 63, 64, buf);
	bounds_one(t, w, 0, size + 1, buf);
	bounds_one(t, w, 1, SIZE_MAX, buf);
	bounds_one(t, w, U64_MAX, 1, buf);
	bounds_one(t, w, U64_MAX, 2, buf);
	bounds_one(t, w, U64_MAX - 7, 16, buf);
	rcu_read_lock();
	err = berth_window_atomic64(w, size, BERTH_ATOMIC_FETCH_ADD, 1, 0, &old);
	CHECK(t, err == -ERANGE, "atomic at the end: %d", err);
	err = berth_window_atomic64(w, size - 4, BERTH_ATOMIC_FETCH_ADD, 1, 0, &old);
	CHECK(t, err == -ERANGE, "atomic across the end: %d", err);
	err = berth_window_store64(w, size - 4, 1);
	CHECK(t, err == -ERANGE, "store across the end: %d", err);
	rcu_read_unlock();
	CHECK(t, !nt_write(w, size, buf, 0), "0 bytes at the end are inside");
	CHECK(t, !nt_read(w, size - sizeof(buf), buf, sizeof(buf)), "read of the last bytes");
	nt_match(t, buf, size - sizeof(buf), sizeof(buf), 1, "last bytes");
	berth_area_put(area);
}

static u64 atomic_once(struct nt *t, struct berth_window *w, enum berth_atomic_op op, u64 operand,
		       u64 compare)
{
	u64 old = 0;
	int err;

	local_bh_disable();
	err = berth_window_atomic64(w, 4096 + 8, op, operand, compare, &old);
	local_bh_enable();
	CHECK(t, !err, "op %d: error %d", op, err);
	return old;
}

void test_atomic(struct nt *t)
{
	const u64 a = 0x0123456789abcdefULL, b = 0xfedcba9876543210ULL;
	u64 guard[3] = { ~0ULL, a, ~0ULL }, old;
	struct berth_area *area = nt_area(t, 0);
	struct berth_window *w;
	int err;

	if (!area)
		return;
	w = berth_area_window(area);
	CHECK(t, !nt_write(w, 4096, guard, sizeof(guard)), "write");
	old = atomic_once(t, w, BERTH_ATOMIC_FETCH_ADD, b, 0);
	CHECK(t, old == a, "fetch-add found %#llx", old);
	old = atomic_once(t, w, BERTH_ATOMIC_CMP_SWAP, 1, a);
	CHECK(t, old == a + b, "cmp-swap found %#llx", old);
	old = atomic_once(t, w, BERTH_ATOMIC_CMP_SWAP, 1, a + b);
	CHECK(t, old == a + b, "cmp-swap swapped on a difference: %#llx", old);
	old = atomic_once(t, w, BERTH_ATOMIC_SWAP, 5, 0);
	CHECK(t, old == 1, "cmp-swap did not swap: %#llx", old);
	CHECK(t, !nt_read(w, 4096, guard, sizeof(guard)), "read");
	CHECK(t, guard[0] == ~0ULL && guard[1] == 5 && guard[2] == ~0ULL,
	      "memory is %#llx %#llx %#llx", guard[0], guard[1], guard[2]);
	rcu_read_lock();
	err = berth_window_store64(w, 4096 + 8, b);
	CHECK(t, !err, "store: error %d", err);
	rcu_read_unlock();
	CHECK(t, !nt_read(w, 4096, guard, sizeof(guard)), "read");
	CHECK(t, guard[0] == ~0ULL && guard[1] == b && guard[2] == ~0ULL,
	      "after the store memory is %#llx %#llx %#llx", guard[0], guard[1], guard[2]);
	rcu_read_lock();
	err = berth_window_store64(w, 4096 + 4, 1);
	CHECK(t, err == -EINVAL, "misaligned store: %d", err);
	err = berth_window_atomic64(w, 4097, BERTH_ATOMIC_SWAP, 1, 0, &old);
	CHECK(t, err == -EINVAL, "misaligned: %d", err);
	err = berth_window_atomic64(w, 4096, BERTH_ATOMIC_SWAP + 1, 1, 0, &old);
	CHECK(t, err == -EINVAL, "unknown operation: %d", err);
	rcu_read_unlock();
	berth_area_put(area);
}

#define ADDS	20000

static void add_many(struct nt_threads *threads, int self)
{
	struct berth_window *w = threads->arg;
	u64 old;
	int i;

	for (i = 0; i < ADDS; i++) {
		rcu_read_lock();
		berth_window_atomic64(w, 64, BERTH_ATOMIC_FETCH_ADD, self + 1, 0, &old);
		rcu_read_unlock();
	}
}

/* Threads add to one word: no addition is lost. */
void test_atomic_race(struct nt *t)
{
	struct berth_area *area = nt_area(t, 0);
	struct nt_threads threads;
	struct berth_window *w;
	u64 word = 0;
	int err;

	if (!area)
		return;
	w = berth_area_window(area);
	CHECK(t, !nt_write(w, 64, &word, sizeof(word)), "write");
	err = nt_threads_start(&threads, 4, add_many, w);
	if (CHECK(t, !err, "threads: error %d", err))
		nt_threads_join(&threads);
	CHECK(t, !nt_read(w, 64, &word, sizeof(word)), "read");
	CHECK(t, word == (1 + 2 + 3 + 4) * (u64)ADDS, "sum is %llu", word);
	berth_area_put(area);
}
