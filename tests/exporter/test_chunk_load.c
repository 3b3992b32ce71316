// SPDX-License-Identifier: GPL-2.0
/* Chunk pools under load: many threads on one pool, what an allocation costs. See netmem_test.h. */
#include <linux/bottom_half.h>
#include <linux/hrtimer.h>
#include <linux/ktime.h>
#include <linux/slab.h>

#include <berth/lease.h>

#include "netmem_test.h"

#define LOAD_THREADS	6
#define LOAD_CHUNKS	48
#define LOAD_HELD	10
#define LOAD_ROUNDS	20000
#define SOFTIRQ_HELD	4
#define SOFTIRQ_NSEC	30000

/* Takes and gives in softirq, in the middle of what a thread does. */
struct interrupter {
	struct hrtimer timer;
	struct load *load;
	struct berth_netmem nm[SOFTIRQ_HELD];
	u32 fired;
};

struct load {
	struct berth_chunks *chunks;
	struct interrupter interrupter[LOAD_THREADS];
	atomic_t owned[LOAD_CHUNKS];
	atomic_t twice;
	atomic_t given;
	atomic_t none;
};

static void load_take(struct load *load, struct berth_netmem *nm)
{
	*nm = berth_chunk_alloc(load->chunks);
	if (berth_netmem_is_none(*nm)) {
		atomic_inc(&load->none);
		return;
	}
	atomic_inc(&load->given);
	if (atomic_xchg(&load->owned[berth_chunk_index(*nm)], 1))
		atomic_inc(&load->twice);
}

static void load_give(struct load *load, struct berth_netmem *nm)
{
	if (berth_netmem_is_none(*nm))
		return;
	atomic_set(&load->owned[berth_chunk_index(*nm)], 0);
	berth_chunk_put(*nm);
	*nm = berth_netmem_none();
}

static enum hrtimer_restart interrupt(struct hrtimer *timer)
{
	struct interrupter *by = container_of(timer, struct interrupter, timer);
	struct berth_netmem *nm = &by->nm[by->fired++ % SOFTIRQ_HELD];

	if (berth_netmem_is_none(*nm))
		load_take(by->load, nm);
	else
		load_give(by->load, nm);
	hrtimer_forward_now(timer, SOFTIRQ_NSEC);
	return HRTIMER_RESTART;
}

static void interrupter_start(struct interrupter *by, struct load *load)
{
	by->load = load;
	hrtimer_init(&by->timer, CLOCK_MONOTONIC, HRTIMER_MODE_REL_SOFT);
	by->timer.function = interrupt;
	hrtimer_start(&by->timer, SOFTIRQ_NSEC, HRTIMER_MODE_REL_SOFT);
}

static void interrupter_stop(struct interrupter *by)
{
	int i;

	hrtimer_cancel(&by->timer);
	for (i = 0; i < SOFTIRQ_HELD; i++)
		load_give(by->load, &by->nm[i]);
}

/* Hold a varying number of chunks; together the threads want more than there are. */
static void load_main(struct nt_threads *threads, int self)
{
	struct berth_netmem nm[LOAD_HELD] = {};
	struct load *load = threads->arg;
	u32 random = self + 1;
	int i;

	interrupter_start(&load->interrupter[self], load);
	for (i = 0; i < LOAD_ROUNDS; i++) {
		u32 slot;

		random = random * 1664525 + 1013904223;
		slot = (random >> 16) % LOAD_HELD;
		if (berth_netmem_is_none(nm[slot]))
			load_take(load, &nm[slot]);
		else
			load_give(load, &nm[slot]);
		if (!(i & 63))
			cond_resched();
	}
	interrupter_stop(&load->interrupter[self]);
	for (i = 0; i < LOAD_HELD; i++)
		load_give(load, &nm[i]);
}

/* Threads on all CPUs, and timers that interrupt them: no chunk has two owners, and none is lost in a cache. */
void test_percpu(struct nt *t)
{
	struct berth_area *area = nt_area(t, 0);
	struct load *load = kzalloc(sizeof(*load), GFP_KERNEL);
	struct berth_netmem nm[LOAD_CHUNKS];
	struct berth_chunk_account a;
	struct nt_threads threads;
	u32 fired = 0;
	int err, i;

	if (!area || !CHECK(t, load, "no memory"))
		goto free_load;
	load->chunks = berth_chunks_create(area, PAGE_SIZE, 0, LOAD_CHUNKS);
	if (!CHECK(t, !IS_ERR(load->chunks), "create: error %ld", PTR_ERR(load->chunks)))
		goto free_load;
	err = nt_threads_start(&threads, LOAD_THREADS, load_main, load);
	if (CHECK(t, !err, "threads: error %d", err))
		nt_threads_join(&threads);
	CHECK(t, !atomic_read(&load->twice), "%d chunks had two owners", atomic_read(&load->twice));
	CHECK(t, atomic_read(&load->given) > LOAD_ROUNDS, "only %d given",
	      atomic_read(&load->given));
	for (i = 0; i < LOAD_THREADS; i++)
		fired += load->interrupter[i].fired;
	CHECK(t, fired, "nothing happened in softirq");
	berth_chunks_account(load->chunks, &a);
	CHECK(t, !a.allocated && a.exhausted == atomic_read(&load->none),
	      "%u allocated at the end, exhausted %llu times, not %d", a.allocated, a.exhausted,
	      atomic_read(&load->none));
	/* Caches of other CPUs are full now; all chunks can be had all the same. */
	for (i = 0; i < LOAD_CHUNKS; i++) {
		nm[i] = berth_chunk_alloc(load->chunks);
		CHECK(t, !berth_netmem_is_none(nm[i]), "only %d can be had", i);
	}
	for (i = 0; i < LOAD_CHUNKS; i++)
		berth_chunk_put(nm[i]);
	CHECK(t, !berth_chunks_destroy(load->chunks), "chunks are out");
free_load:
	kfree(load);
	berth_area_put(area);
}

static void last_put_main(struct nt_threads *threads, int self)
{
	struct berth_netmem *nm = threads->arg;

	berth_chunk_put(nm[self]);
}

/* Chunks come back from several CPUs while the pool is being destroyed. */
void test_last_put(struct nt *t)
{
	struct berth_area *area = nt_area(t, 0);
	struct nt_threads threads;
	struct berth_netmem nm[4];
	int round, err, i;

	for (round = 0; area && round < 20 && !nt_failed(t); round++) {
		struct berth_chunks *chunks;

		/* The pool before may still wait for its last chunk. */
		for (i = 0; i < 500; i++) {
			chunks = berth_chunks_create(area, PAGE_SIZE, 0, 4);
			if (chunks != ERR_PTR(-EBUSY))
				break;
			schedule_timeout_uninterruptible(1);
		}
		if (!CHECK(t, !IS_ERR(chunks), "create: error %ld", PTR_ERR(chunks)))
			break;
		for (i = 0; i < 4; i++)
			nm[i] = berth_chunk_alloc(chunks);
		err = nt_threads_start(&threads, 4, last_put_main, nm);
		CHECK(t, !err, "threads: error %d", err);
		berth_chunks_destroy(chunks);
		if (!err)
			nt_threads_join(&threads);
	}
	berth_area_put(area);
}

#define COST_ROUNDS	20000

/* Nanoseconds for an allocation and a release, the best of several runs. */
static u64 cost_of(struct nt *t, struct berth_area *area, u32 count)
{
	struct berth_chunks *chunks = berth_chunks_create(area, PAGE_SIZE, 0, count);
	u64 best = U64_MAX;
	int run, i;

	if (!CHECK(t, !IS_ERR(chunks), "create: error %ld", PTR_ERR(chunks)))
		return 0;
	for (run = 0; run < 7; run++) {
		u64 start = ktime_get_ns();

		for (i = 0; i < COST_ROUNDS; i++)
			berth_chunk_put(berth_chunk_alloc(chunks));
		best = min(best, ktime_get_ns() - start);
		cond_resched();
	}
	CHECK(t, !berth_chunks_destroy(chunks), "chunks are out");
	return best / COST_ROUNDS;
}

/* The cost does not depend on the size of the pool. */
void test_cost(struct nt *t)
{
	struct berth_area *area = nt_area(t, 0);
	u64 few, many;
	u32 all;

	if (!area)
		return;
	all = berth_area_size(area) >> PAGE_SHIFT;
	few = cost_of(t, area, 16);
	many = cost_of(t, area, all);
	CHECK(t, many < 3 * few + 100, "%llu ns from 16 chunks, %llu ns from %u", few, many, all);
	t->run->value = many;
	berth_area_put(area);
}

static void wanted(void *owner)
{
}

#define MESSAGE	16	/* chunks of 64 KiB */

/* Nanoseconds for a chunk of a lease and its return, of @MESSAGE at a time, the best of several runs: home, or to be kept. */
static u32 lease_cost_of(struct nt *t, struct berth_lease *lease, bool home)
{
	struct berth_netmem nm[MESSAGE];
	u64 best = U64_MAX;
	int run, i, j;

	for (run = 0; run < 7; run++) {
		u64 start = ktime_get_ns();

		local_bh_disable();
		for (i = 0; i < COST_ROUNDS; i += MESSAGE) {
			if (home)
				berth_lease_draw(lease, MESSAGE);
			for (j = 0; j < MESSAGE; j++) {
				nm[j] = berth_lease_take(lease);
				if (!CHECK(t, !berth_netmem_is_none(nm[j]), "no chunk in round %d", i))
					break;
			}
			while (j--) {
				if (home)
					berth_lease_home(lease, nm[j]);
				else
					CHECK(t, berth_lease_keep(lease, nm[j]), "somebody else has it, in round %d", i);
			}
		}
		local_bh_enable();
		best = min(best, ktime_get_ns() - start);
		cond_resched();
	}
	return best / COST_ROUNDS;
}

/* Of memory that is bound to a NIC's queue. Of the value the upper half is what a chunk costs that goes home. */
void test_lease_cost(struct nt *t)
{
	struct berth_area *area = nt_area(t, 0);
	struct berth_lease *lease;
	u32 home, keep;

	if (!area)
		return;
	lease = berth_lease_create(area, 0, berth_area_size(area) >> PAGE_SHIFT, wanted, NULL);
	if (CHECK(t, !IS_ERR(lease), "lease: error %ld", PTR_ERR(lease))) {
		home = lease_cost_of(t, lease, true);
		local_bh_disable();
		berth_lease_draw(lease, MESSAGE);
		local_bh_enable();
		keep = lease_cost_of(t, lease, false);
		t->run->value = (u64)home << 32 | keep;
	}
	berth_lease_destroy(lease);
	berth_area_put(area);
}
