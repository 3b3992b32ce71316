// SPDX-License-Identifier: GPL-2.0
/*
 * Memory has one owner, by whatever it is known: claims of addresses against each other, and against
 * pools of chunks over the dma-buf that lies there, also when it moves. Here claims of addresses
 * stand for the bindings of a NIC, which look at the dma-buf as a NIC does.
 *
 * Process context, see netmem_test.h. A pool that outlives its case is protected by the lock over
 * cases.
 */
#include <linux/delay.h>
#include <linux/dma-resv.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>
#include <linux/sort.h>

#include "netmem_test.h"

/* No memory is there, and a test has them for itself. */
#define NOWHERE		BIT_ULL(52)
#define MANY		4000

/* Whether runs can be claimed; gives them back at once. */
static int try_runs(const struct berth_run *run, u32 count)
{
	struct berth_claim *claim = berth_claim_runs(run, count);

	berth_claim_drop(claim);
	return PTR_ERR_OR_ZERO(claim);
}

static int try_run(u64 first, u64 length)
{
	const struct berth_run run = { first, length };

	return try_runs(&run, 1);
}

/*
 * ---- addresses only ----
 */

static void try_around(struct nt *t)
{
	const struct {
		u64 first, length;
		int err;
	} cases[] = {
		{ NOWHERE - 1, 1, 0 }, { NOWHERE - 1, 2, -EBUSY }, { NOWHERE, 1, -EBUSY },
		{ NOWHERE + 4095, 1, -EBUSY }, { NOWHERE + 4096, 1, 0 },
		{ NOWHERE + 4096, 4096, 0 }, { NOWHERE + 4096, 4097, -EBUSY },
		{ NOWHERE + 4095, 4098, -EBUSY }, { NOWHERE - 4096, 1 << 20, -EBUSY },
		{ NOWHERE + 100, 200, -EBUSY }, { NOWHERE + 3 * 4096, 4096, 0 },
		{ 0, NOWHERE, 0 }, { 0, U64_MAX, -EBUSY }, { U64_MAX, 1, 0 },
		{ U64_MAX, 2, -EINVAL }, { NOWHERE, U64_MAX, -EINVAL }, { NOWHERE, 0, -EINVAL },
	};
	int i, err;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		err = try_run(cases[i].first, cases[i].length);
		CHECK(t, err == cases[i].err, "%#llx, %#llx bytes: %d", cases[i].first,
		      cases[i].length, err);
	}
}

/* Two pages with one between them are claimed; what is refused leaves nothing behind. */
void test_claim(struct nt *t)
{
	const struct berth_run two[] = { { NOWHERE + 2 * 4096, 4096 }, { NOWHERE, 4096 } };
	const struct berth_run half[] = { { NOWHERE + 4096, 4096 }, { NOWHERE + 3 * 4096 - 1, 1 } };
	const struct berth_run twice[] = { { NOWHERE + 4096, 100 }, { NOWHERE + 4096 + 99, 1 } };
	struct berth_claim *claim = berth_claim_runs(two, 2);
	int err;

	if (!CHECK(t, !IS_ERR(claim), "claim: %ld", PTR_ERR(claim)))
		return;
	try_around(t);
	err = try_runs(half, 2);
	CHECK(t, err == -EBUSY, "one free, one not: %d", err);
	err = try_runs(twice, 2);
	CHECK(t, err == -EBUSY, "a byte twice: %d", err);
	err = try_run(NOWHERE + 4096, 4096);
	CHECK(t, !err, "what was refused is still claimed: %d", err);
	err = try_runs(NULL, 0);
	CHECK(t, !err, "nothing: %d", err);
	berth_claim_drop(NULL);
	berth_claim_drop(ERR_PTR(-EBUSY));
	berth_claim_drop(claim);
	err = try_run(0, U64_MAX);
	CHECK(t, !err, "still claimed: %d", err);
}

/* Every other page, then those between them, from the other end. */
void test_claim_many(struct nt *t)
{
	struct berth_run *run = kvmalloc_array(MANY, sizeof(*run), GFP_KERNEL);
	struct berth_claim *even, *odd;
	int i, err;

	if (!CHECK(t, run, "no memory"))
		return;
	for (i = 0; i < MANY; i++)
		run[i] = (struct berth_run){ NOWHERE + 2 * i * 4096ULL, 4096 };
	even = berth_claim_runs(run, MANY);
	CHECK(t, !IS_ERR(even), "even pages: %ld", PTR_ERR(even));
	for (i = 0; i < MANY; i++)
		run[i] = (struct berth_run){ NOWHERE + (2 * (MANY - i) - 1) * 4096ULL, 4096 };
	odd = berth_claim_runs(run, MANY);
	CHECK(t, !IS_ERR(odd), "odd pages: %ld", PTR_ERR(odd));
	berth_claim_drop(even);
	for (i = 0; i < 2 * MANY; i++) {
		err = try_run(NOWHERE + i * 4096ULL, 4096);
		CHECK(t, err == (i & 1 ? -EBUSY : 0), "page %d: %d", i, err);
	}
	/* The last of them is not free. */
	run[MANY - 1].first = NOWHERE + 4096;
	for (i = 0; i < MANY - 1; i++)
		run[i].first = NOWHERE + 2 * i * 4096ULL;
	err = try_runs(run, MANY);
	CHECK(t, err == -EBUSY, "one of many is claimed: %d", err);
	berth_claim_drop(odd);
	err = try_runs(run, MANY);
	CHECK(t, !err, "many: %d", err);
	kvfree(run);
}

struct claim_race {
	atomic_t rounds;
	atomic_t owners;
	atomic_t had;
	atomic_t bad;
};

static void race_one(struct nt_threads *threads, int self)
{
	struct claim_race *race = threads->arg;
	struct berth_run run[2] = { { NOWHERE, 8192 }, { NOWHERE + 65536, 4096 } };

	/* Each wants another part of the same, in another order. */
	run[self & 1].first += 4096 * (self & 1);
	if (self & 2)
		swap(run[0], run[1]);
	while (atomic_dec_return(&race->rounds) >= 0) {
		struct berth_claim *claim = berth_claim_runs(run, 2);

		if (claim == ERR_PTR(-EBUSY)) {
			cond_resched();
			continue;
		}
		if (IS_ERR(claim) || atomic_inc_return(&race->owners) != 1)
			atomic_inc(&race->bad);
		atomic_inc(&race->had);
		cond_resched();
		atomic_dec(&race->owners);
		berth_claim_drop(claim);
	}
}

/* Threads claim at once: never do two have it. */
void test_claim_race(struct nt *t)
{
	struct claim_race race = {};
	struct nt_threads threads;
	int err;

	atomic_set(&race.rounds, 20000);
	err = nt_threads_start(&threads, 4, race_one, &race);
	if (!CHECK(t, !err, "threads: error %d", err))
		return;
	nt_threads_join(&threads);
	CHECK(t, atomic_read(&race.had), "nobody got it");
	CHECK(t, !atomic_read(&race.bad), "two owners %d times", atomic_read(&race.bad));
	err = try_run(0, U64_MAX);
	CHECK(t, !err, "still claimed: %d", err);
}

/*
 * ---- where a dma-buf lies ----
 */

/* Of its first pages. */
#define PAGES		48
/* The pool's. */
#define FIRST		4
#define COUNT		8

/* As a NIC: attached without move_notify. It cannot move before it is detached, so it is at once. */
static bool look(struct nt *t, u64 *page)
{
	struct dma_buf_attachment *attach;
	struct scatterlist *sg;
	struct sg_table *sgt;
	u32 n = 0, at;
	int i;

	attach = dma_buf_attach(t->buf[0], berth_netmem_device());
	if (!CHECK(t, !IS_ERR(attach), "attach: %ld", PTR_ERR(attach)))
		return false;
	sgt = dma_buf_map_attachment_unlocked(attach, DMA_FROM_DEVICE);
	if (CHECK(t, !IS_ERR(sgt), "map: %ld", PTR_ERR(sgt))) {
		for_each_sgtable_dma_sg(sgt, sg, i)
			for (at = 0; at < sg_dma_len(sg) && n < PAGES; at += PAGE_SIZE)
				page[n++] = sg_dma_address(sg) + at;
		dma_buf_unmap_attachment_unlocked(attach, sgt, DMA_FROM_DEVICE);
	}
	dma_buf_detach(t->buf[0], attach);
	return CHECK(t, n == PAGES, "%u pages", n);
}

static struct berth_claim *claim_pages(const u64 *page, u32 count)
{
	struct berth_run run[PAGES];
	u32 i;

	for (i = 0; i < count; i++)
		run[i] = (struct berth_run){ page[i], PAGE_SIZE };
	return berth_claim_runs(run, count);
}

static int try_pages(const u64 *page, u32 count)
{
	struct berth_claim *claim = claim_pages(page, count);

	berth_claim_drop(claim);
	return PTR_ERR_OR_ZERO(claim);
}

/* The pool's pages are claimed, each of them, and no other. */
static void pool_is_claimed(struct nt *t, const u64 *page, bool want)
{
	int i, err;

	for (i = 0; i < PAGES; i++) {
		bool is = want && i >= FIRST && i < FIRST + COUNT;

		err = try_pages(&page[i], 1);
		CHECK(t, err == (is ? -EBUSY : 0), "page %d: %d", i, err);
	}
	err = try_pages(page, PAGES);
	CHECK(t, err == (want ? -EBUSY : 0), "all pages: %d", err);
}

static struct berth_chunks *make_pool(struct berth_area *area)
{
	return berth_chunks_create(area, PAGE_SIZE, FIRST * PAGE_SIZE, COUNT);
}

/* First the pool, then the NIC: until the last chunk is put. */
static void pool_first(struct nt *t, struct berth_area *area, const u64 *page)
{
	struct berth_chunks *chunks = make_pool(area);
	struct berth_claim *beside;
	struct berth_netmem nm;
	int i, err;

	if (!CHECK(t, !IS_ERR(chunks), "pool: %ld", PTR_ERR(chunks)))
		return;
	pool_is_claimed(t, page, true);
	beside = claim_pages(page, FIRST);
	CHECK(t, !IS_ERR(beside), "beside the pool: %ld", PTR_ERR(beside));
	nm = berth_chunk_alloc(chunks);
	CHECK(t, berth_chunks_destroy(chunks) == 1, "no chunk is out");
	err = try_pages(&page[FIRST], COUNT);
	CHECK(t, err == -EBUSY, "memory whose chunk is out: %d", err);
	berth_chunk_put(nm);
	for (i = 0; i < 500 && err == -EBUSY; i++) {
		schedule_timeout_uninterruptible(1);
		err = try_pages(&page[FIRST], COUNT);
	}
	CHECK(t, !err, "memory after the last put: %d", err);
	berth_claim_drop(beside);
	pool_is_claimed(t, page, false);
}

/* First the NIC, then the pool: not before the NIC's last chunk is home. */
static void nic_first(struct nt *t, struct berth_area *area, const u64 *page)
{
	struct berth_claim *claim = claim_pages(&page[FIRST + COUNT - 1], PAGES - FIRST - COUNT + 1);
	struct berth_chunks *chunks;
	struct berth_booking booking = {};
	int err;

	if (!CHECK(t, !IS_ERR(claim), "claim: %ld", PTR_ERR(claim)))
		return;
	chunks = make_pool(area);
	CHECK(t, chunks == ERR_PTR(-EBUSY), "pool over claimed memory: %d", PTR_ERR_OR_ZERO(chunks));
	err = berth_area_book(area, &booking, (FIRST + COUNT) * PAGE_SIZE - 1, 1);
	CHECK(t, err == -EBUSY, "booking a claimed byte: %d", err);
	berth_area_unbook(&booking);
	err = berth_area_book(area, &booking, (FIRST + COUNT - 1) * PAGE_SIZE - 1, 1);
	CHECK(t, !err, "booking beside: %d", err);
	berth_claim_drop(claim);
	chunks = make_pool(area);
	CHECK(t, chunks == ERR_PTR(-EBUSY), "pool over a booked byte: %d", PTR_ERR_OR_ZERO(chunks));
	/* One byte of a page. */
	err = try_pages(&page[FIRST + COUNT - 2], 1);
	CHECK(t, err == -EBUSY, "claiming a booked byte: %d", err);
	err = try_run(page[FIRST + COUNT - 2], PAGE_SIZE - 1);
	CHECK(t, !err, "claiming beside it: %d", err);
	berth_area_unbook(&booking);
	chunks = make_pool(area);
	CHECK(t, !IS_ERR(chunks), "pool over free memory: %ld", PTR_ERR(chunks));
	berth_chunks_destroy(chunks);
	pool_is_claimed(t, page, false);
}

/* Whoever is revoked does not write there any more. */
static void pool_revoked(struct nt *t, struct berth_area *area, const u64 *page)
{
	struct berth_chunks *chunks = make_pool(area);
	struct berth_claim *claim;

	if (!CHECK(t, !IS_ERR(chunks), "pool: %ld", PTR_ERR(chunks)))
		return;
	berth_area_revoke(area);
	claim = claim_pages(page, PAGES);
	CHECK(t, !IS_ERR(claim), "memory of a revoked area: %ld", PTR_ERR(claim));
	CHECK(t, !berth_chunks_destroy(chunks), "chunks are out");
	berth_claim_drop(claim);
	pool_is_claimed(t, page, false);
}

struct owner_race {
	struct berth_area *area;
	const u64 *page;
	atomic_t rounds;
	atomic_t owners;
	atomic_t pools;
	atomic_t claims;
	atomic_t bad;
};

static void count_owner(struct owner_race *race, atomic_t *kind, long err)
{
	if (err == -EBUSY)
		return;
	if (err || atomic_inc_return(&race->owners) != 1)
		atomic_inc(&race->bad);
	atomic_inc(kind);
	cond_resched();
	atomic_dec(&race->owners);
}

static bool enough(struct owner_race *race)
{
	return atomic_read(&race->pools) >= 50 && atomic_read(&race->claims) >= 50;
}

/* Odd threads are NICs, the others make pools. */
static void own_one(struct nt_threads *threads, int self)
{
	struct owner_race *race = threads->arg;

	while (!enough(race) && atomic_dec_return(&race->rounds) >= 0) {
		if (self & 1) {
			struct berth_claim *claim = claim_pages(race->page, PAGES);

			count_owner(race, &race->claims, PTR_ERR_OR_ZERO(claim));
			berth_claim_drop(claim);
		} else {
			struct berth_chunks *chunks = make_pool(race->area);

			count_owner(race, &race->pools, PTR_ERR_OR_ZERO(chunks));
			berth_chunks_destroy(chunks);
		}
		cond_resched();
	}
}

/* Threads want the same memory at once, by the dma-buf and by its addresses. */
static void pool_or_nic(struct nt *t, struct berth_area *area, const u64 *page)
{
	struct owner_race race = { .area = area, .page = page };
	struct nt_threads threads;
	int err;

	atomic_set(&race.rounds, 1000000);
	err = nt_threads_start(&threads, 4, own_one, &race);
	if (!CHECK(t, !err, "threads: error %d", err))
		return;
	nt_threads_join(&threads);
	CHECK(t, enough(&race), "%d pools, %d claims", atomic_read(&race.pools),
	      atomic_read(&race.claims));
	CHECK(t, !atomic_read(&race.bad), "two owners %d times", atomic_read(&race.bad));
	pool_is_claimed(t, page, false);
}

void test_claim_area(struct nt *t)
{
	struct berth_area *area = nt_area(t, 0);
	u64 page[PAGES];

	if (area && look(t, page)) {
		/* A memory region without a pool owns nothing. */
		pool_is_claimed(t, page, false);
		pool_first(t, area, page);
		nic_first(t, area, page);
		pool_or_nic(t, area, page);
		pool_revoked(t, area, page);
	}
	berth_area_put(area);
}

/*
 * ---- a pool that outlives its case, and moves ----
 */

static struct {
	struct berth_area *area;
	struct berth_chunks *chunks;
	struct berth_claim *rest;	/* of others */
	u64 page[PAGES];		/* where it was seen last; page[0]: 0 if it was not */
} kept;

/* An area, with a pool; or berth_chunks_create() answers run->expect, and nothing is kept. */
void test_pool_keep(struct nt *t)
{
	struct berth_area *area;

	if (!CHECK(t, !kept.area, "one is kept already"))
		return;
	area = nt_area(t, 0);
	if (!area)
		return;
	kept.chunks = make_pool(area);
	kept.area = area;
	if (!CHECK(t, PTR_ERR_OR_ZERO(kept.chunks) == -t->run->expect, "pool: %d",
		   PTR_ERR_OR_ZERO(kept.chunks)) || t->run->expect)
		test_claim_fini();
}

void test_pool_drop(struct nt *t)
{
	CHECK(t, kept.area, "none is kept");
	test_claim_fini();
}

/*
 * ---- bookings come and go while the kept area moves ----
 */

#define CHURNERS	3

static struct {
	struct nt_threads threads;
	bool runs;
	atomic_t good;
	int last_error;
} churn;

/* Each has pages of its own, so nothing stands in its way. */
static void churn_one(struct nt_threads *threads, int self)
{
	struct berth_booking booking = {};
	int err;

	while (!nt_stopping(threads)) {
		err = berth_area_book(kept.area, &booking, (FIRST + COUNT * (self + 1)) * PAGE_SIZE,
				      COUNT * PAGE_SIZE);
		if (err)
			WRITE_ONCE(churn.last_error, err);
		else
			atomic_inc(&churn.good);
		berth_area_unbook(&booking);
		cond_resched();
	}
}

static void churn_end(void)
{
	if (!churn.runs)
		return;
	WRITE_ONCE(churn.threads.stop, true);
	nt_threads_join(&churn.threads);
	churn.runs = false;
}

void test_churn_start(struct nt *t)
{
	int err;

	if (!CHECK(t, kept.area && !churn.runs, "none is kept, or it is churned already"))
		return;
	atomic_set(&churn.good, 0);
	churn.last_error = 0;
	err = nt_threads_start(&churn.threads, CHURNERS, churn_one, NULL);
	churn.runs = CHECK(t, !err, "threads: error %d", err);
}

void test_churn_stop(struct nt *t)
{
	int i;

	if (!CHECK(t, churn.runs, "does not run"))
		return;
	/* On a busy machine they may hardly have had their turn yet. */
	for (i = 0; i < 1000 && atomic_read(&churn.good) <= CHURNERS; i++)
		msleep(10);
	churn_end();
	CHECK(t, !churn.last_error, "booking: %d", churn.last_error);
	CHECK(t, atomic_read(&churn.good) > CHURNERS, "%d bookings", atomic_read(&churn.good));
}

void test_claim_fini(void)
{
	churn_end();
	berth_chunks_destroy(kept.chunks);
	berth_area_put(kept.area);
	berth_claim_drop(kept.rest);
	memset(&kept, 0, sizeof(kept));
}

static bool state_becomes(enum berth_window_state state)
{
	int i;

	for (i = 0; i < 3000 && berth_window_state(berth_area_window(kept.area)) != state; i++)
		schedule_timeout_uninterruptible(msecs_to_jiffies(1) ?: 1);
	return berth_window_state(berth_area_window(kept.area)) == state;
}

/* The kept area is ready, and its pool's memory claimed where it is; where it was before is free. */
void test_claim_here(struct nt *t)
{
	u64 page[PAGES];
	int i, j, err;

	if (!CHECK(t, kept.area, "none is kept") ||
	    !CHECK(t, state_becomes(BERTH_WINDOW_READY), "not ready") || !look(t, page))
		return;
	pool_is_claimed(t, page, true);
	for (i = 0; kept.page[0] && i < PAGES; i++) {
		for (j = 0; j < PAGES && page[j] != kept.page[i]; j++)
			;
		err = try_pages(&kept.page[i], 1);
		CHECK(t, j < PAGES || !err, "page %d is claimed where it was", i);
	}
	CHECK(t, !kept.page[0] || memcmp(page, kept.page, sizeof(page)), "has not moved");
	memcpy(kept.page, page, sizeof(page));
}

static int compare_addresses(const void *a, const void *b)
{
	const u64 x = *(const u64 *)a, y = *(const u64 *)b;

	return x < y ? -1 : x > y;
}

/* Somebody claims all addresses but the pool's: wherever it moves, it is not alone. */
void test_claim_rest(struct nt *t)
{
	struct berth_run run[COUNT + 1];
	struct berth_claim *claim;
	u64 page[PAGES], from = 0;
	u32 n = 0, i;

	if (!CHECK(t, kept.area && !kept.rest, "none is kept") || !look(t, page))
		return;
	memcpy(kept.page, page, sizeof(page));
	sort(&page[FIRST], COUNT, sizeof(*page), compare_addresses, NULL);
	for (i = FIRST; i < FIRST + COUNT; i++) {
		if (page[i] > from)
			run[n++] = (struct berth_run){ from, page[i] - from };
		from = page[i] + PAGE_SIZE;
	}
	run[n++] = (struct berth_run){ from, U64_MAX - from };
	claim = berth_claim_runs(run, n);
	if (CHECK(t, !IS_ERR(claim), "the rest: %ld", PTR_ERR(claim)))
		kept.rest = claim;
}

/*
 * The kept area has moved to where somebody else has claimed: it is not coming back, its claims are
 * gone, and the other's stay. Its pool keeps what it has booked of the dma-buf until its end.
 */
void test_claim_lost(struct nt *t)
{
	struct berth_area *fresh;
	struct berth_chunks *chunks;
	int err;

	if (!CHECK(t, kept.area, "none is kept") ||
	    !CHECK(t, state_becomes(BERTH_WINDOW_REVOKED), "not revoked"))
		return;
	err = try_pages(&kept.page[FIRST], COUNT);
	CHECK(t, !err, "where it was: %d", err);
	err = try_run(NOWHERE, 1);
	CHECK(t, err == -EBUSY, "the other's claim: %d", err);
	fresh = nt_area(t, 0);
	if (!fresh)
		return;
	CHECK(t, fresh != kept.area, "the revoked area was found again");
	chunks = berth_chunks_create(fresh, PAGE_SIZE, 0, 1);
	CHECK(t, chunks == ERR_PTR(-EBUSY), "pool over the other's: %d", PTR_ERR_OR_ZERO(chunks));
	berth_claim_drop(kept.rest);
	kept.rest = NULL;
	chunks = make_pool(fresh);
	CHECK(t, chunks == ERR_PTR(-EBUSY), "pool over the pool: %d", PTR_ERR_OR_ZERO(chunks));
	CHECK(t, !berth_chunks_destroy(kept.chunks), "chunks are out");
	kept.chunks = NULL;
	chunks = make_pool(fresh);
	CHECK(t, !IS_ERR(chunks), "pool of the fresh area: %ld", PTR_ERR(chunks));
	berth_chunks_destroy(chunks);
	berth_area_put(fresh);
}

/* The kept area has just been moved: end its pool, and make it again. run->value: while it moved. */
void test_pool_again(struct nt *t)
{
	struct berth_window *w;

	if (!CHECK(t, kept.area, "none is kept"))
		return;
	w = berth_area_window(kept.area);
	CHECK(t, !berth_chunks_destroy(kept.chunks), "chunks are out");
	kept.chunks = make_pool(kept.area);
	t->run->value = berth_window_state(w) == BERTH_WINDOW_MOVING;
	CHECK(t, !IS_ERR(kept.chunks), "pool: %ld", PTR_ERR(kept.chunks));
}
