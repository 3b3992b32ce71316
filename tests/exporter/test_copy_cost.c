// SPDX-License-Identifier: GPL-2.0
/*
 * What copying costs the processor when nothing of ours is in the way: the limit that ./run bench holds
 * figures against. Between two buffers of the kernel's own, in process context. See netmem_test.h.
 */
#include <linux/ktime.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/string.h>

#include "netmem_test.h"

#define COPY_MAX	(8UL << 20)	/* bytes of a buffer */
#define COPY_TIMES	(1 << 20)

/* The kernel's memcpy(), whichever it has chosen for this processor. */
static void copy_plain(void *dst, const void *src, size_t len)
{
	memcpy(dst, src, len);
}

/* A string move of words; what is left over as above. Processors other than x86-64 have no such thing. */
static void copy_string(void *dst, const void *src, size_t len)
{
#ifdef CONFIG_X86_64
	size_t words = len >> 3;

	asm volatile("rep movsq" : "+D" (dst), "+S" (src), "+c" (words) : : "memory");
	len &= 7;
	if (!len)
		return;
#endif
	memcpy(dst, src, len);
}

/* Nanoseconds for @times copies, the best of several runs. */
static u64 cost_of(void *dst, const void *src, size_t len, int times,
		   void (*copy)(void *dst, const void *src, size_t len))
{
	u64 best = U64_MAX;
	int run, i;

	/* Pages that nobody has touched yet are no part of it. */
	memset(dst, 1, len);
	for (run = 0; run < 3; run++) {
		u64 start = ktime_get_ns();

		for (i = 0; i < times; i++)
			copy(dst, src, len);
		best = min(best, ktime_get_ns() - start);
		cond_resched();
	}
	return best;
}

/* run.value: in: bytes of a copy; out: nanoseconds for run.expect of them. */
static void copy_cost(struct nt *t, void (*copy)(void *dst, const void *src, size_t len))
{
	size_t len = t->run->value;
	int times = t->run->expect;
	u8 *dst, *src;

	if (!CHECK(t, len && len <= COPY_MAX && times > 0 && times <= COPY_TIMES,
		   "%d copies of %zu bytes: 1 to %d of 1 to %lu are possible", times, len, COPY_TIMES,
		   COPY_MAX))
		return;
	dst = kvmalloc(len, GFP_KERNEL);
	src = kvmalloc(len, GFP_KERNEL);
	if (CHECK(t, dst && src, "no memory")) {
		nt_fill(src, 0, len, 1);
		t->run->value = cost_of(dst, src, len, times, copy);
		nt_match(t, dst, 0, len, 1, "the copy");
	}
	kvfree(src);
	kvfree(dst);
}

void test_memcpy_cost(struct nt *t)
{
	copy_cost(t, copy_plain);
}

void test_string_cost(struct nt *t)
{
	copy_cost(t, copy_string);
}
