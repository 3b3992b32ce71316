// SPDX-License-Identifier: GPL-2.0
/*
 * Areas: shared and counted, refused for the right reason, revoked under traffic, kept alive
 * without a file descriptor. Process context, see netmem_test.h; the kept area is protected by the
 * lock over cases.
 */
#include <linux/dma-resv.h>
#include <linux/platform_device.h>
#include <linux/vmalloc.h>

#include "netmem_test.h"

#define SHARERS	8

struct sharing {
	struct nt *t;
	struct berth_area *area[SHARERS];
};

static void share_one(struct nt_threads *threads, int self)
{
	struct sharing *sharing = threads->arg;

	sharing->area[self] = berth_area_get(berth_netmem_device(), sharing->t->buf[0], 0);
}

/* Threads get one area at once: it is one area, with one attachment, gone with the last put. */
void test_share(struct nt *t)
{
	unsigned int before = nt_attachments(t->buf[0]);
	struct sharing sharing = { .t = t };
	struct nt_threads threads;
	int err, i;

	err = nt_threads_start(&threads, SHARERS, share_one, &sharing);
	if (!CHECK(t, !err, "threads: error %d", err))
		return;
	nt_threads_join(&threads);
	for (i = 0; i < SHARERS; i++)
		CHECK(t, !IS_ERR_OR_NULL(sharing.area[i]) && sharing.area[i] == sharing.area[0],
		      "thread %d has another area: %d", i, PTR_ERR_OR_ZERO(sharing.area[i]));
	CHECK(t, nt_attachments(t->buf[0]) == before + 1, "%u attachments",
	      nt_attachments(t->buf[0]));
	for (i = 0; i < SHARERS; i++) {
		CHECK(t, nt_attachments(t->buf[0]) == before + 1, "detached before the last put");
		berth_area_put(sharing.area[i]);
	}
	CHECK(t, nt_attachments(t->buf[0]) == before, "still attached");
}

struct racing {
	struct nt *t;
	atomic_t rounds;
	atomic_t bad;
};

static void race_one(struct nt_threads *threads, int self)
{
	struct racing *racing = threads->arg;
	u64 word;

	while (atomic_dec_return(&racing->rounds) >= 0) {
		struct berth_area *area = berth_area_get(berth_netmem_device(),
							 racing->t->buf[0], 0);

		if (IS_ERR(area) || nt_write(berth_area_window(area), 8 * self, &self, 4) ||
		    nt_read(berth_area_window(area), 0, &word, sizeof(word)))
			atomic_inc(&racing->bad);
		berth_area_put(area);
	}
}

/* Last puts race with gets. */
void test_race(struct nt *t)
{
	unsigned int before = nt_attachments(t->buf[0]);
	struct racing racing = { .t = t };
	struct nt_threads threads;
	int err;

	atomic_set(&racing.rounds, 400);
	err = nt_threads_start(&threads, 4, race_one, &racing);
	if (!CHECK(t, !err, "threads: error %d", err))
		return;
	nt_threads_join(&threads);
	CHECK(t, !atomic_read(&racing.bad), "%d rounds failed", atomic_read(&racing.bad));
	CHECK(t, nt_attachments(t->buf[0]) == before, "still attached");
}

/* berth_area_get() answers run->expect, and leaves nothing behind. */
void test_refuse(struct nt *t)
{
	unsigned int flags = t->run->flags & NETMEM_TEST_IOREMAP ? BERTH_AREA_IOREMAP : 0;
	unsigned int before = nt_attachments(t->buf[0]);
	struct berth_area *area;

	area = berth_area_get(berth_netmem_device(), t->buf[0], flags);
	CHECK(t, IS_ERR(area) && PTR_ERR(area) == -t->run->expect, "answer %d",
	      PTR_ERR_OR_ZERO(area));
	berth_area_put(area);
	CHECK(t, nt_attachments(t->buf[0]) == before, "still attached");
	area = berth_area_get(berth_netmem_device(), t->buf[0], ~0U);
	CHECK(t, area == ERR_PTR(-EINVAL), "unknown flags accepted");
	area = berth_area_get_fd(berth_netmem_device(), -1, 0);
	CHECK(t, area == ERR_PTR(-EBADF), "fd -1: %d", PTR_ERR_OR_ZERO(area));
}

/* Who shares an area that was mapped by ioremap has to have asked for that, too. */
void test_ioremap_share(struct nt *t)
{
	struct berth_area *area, *other;

	t->run->flags = NETMEM_TEST_IOREMAP;
	area = nt_area(t, 0);
	if (!area)
		return;
	CHECK(t, berth_window_is_iomem(berth_area_window(area)), "not I/O memory");
	other = berth_area_get(berth_netmem_device(), t->buf[0], 0);
	CHECK(t, other == ERR_PTR(-EOPNOTSUPP), "without asking: %d", PTR_ERR_OR_ZERO(other));
	other = berth_area_get(berth_netmem_device(), t->buf[0], BERTH_AREA_IOREMAP);
	if (CHECK(t, other == area, "not shared: %d", PTR_ERR_OR_ZERO(other)))
		berth_area_put(other);
	berth_area_put(area);
}

/*
 * ---- revocation ----
 */

struct revoking {
	struct berth_window *w;
	atomic_t ok;
	atomic_t refused;
	atomic_t bad;
	bool revoked;
};

/* Access until refused; after berth_area_revoke() has returned nothing may succeed. */
static void revoke_reader(struct nt_threads *threads, int self)
{
	struct revoking *r = threads->arg;
	u8 buf[600];

	while (!nt_stopping(threads)) {
		bool was = smp_load_acquire(&r->revoked);
		int err;

		err = self & 1 ? nt_write(r->w, 1000 * self, buf, sizeof(buf))
			       : nt_read(r->w, 1000 * self, buf, sizeof(buf));
		if (!err)
			atomic_inc(was ? &r->bad : &r->ok);
		else if (err == -EKEYREVOKED)
			atomic_inc(&r->refused);
		else
			atomic_inc(&r->bad);
		cond_resched();
	}
}

struct hearing {
	struct berth_area_listener listener;
	atomic_t ready;
	atomic_t revoked;
};

static void hear(struct berth_area_listener *listener, enum berth_window_state state)
{
	struct hearing *h = container_of(listener, struct hearing, listener);

	atomic_inc(state == BERTH_WINDOW_REVOKED ? &h->revoked : &h->ready);
}

static void revoke_under_traffic(struct nt *t, struct berth_area *area)
{
	struct revoking r = { .w = berth_area_window(area) };
	struct nt_threads threads;
	int err, i;

	err = nt_threads_start(&threads, 4, revoke_reader, &r);
	if (!CHECK(t, !err, "threads: error %d", err))
		return;
	for (i = 0; i < 500 && atomic_read(&r.ok) < 1000; i++)
		schedule_timeout_uninterruptible(1);
	berth_area_revoke(area);
	/* Pairs with the load in revoke_reader(). */
	smp_store_release(&r.revoked, true);
	for (i = 0; i < 500 && atomic_read(&r.refused) < 100; i++)
		schedule_timeout_uninterruptible(1);
	WRITE_ONCE(threads.stop, true);
	nt_threads_join(&threads);
	CHECK(t, atomic_read(&r.ok) && atomic_read(&r.refused), "%d accesses, %d refused",
	      atomic_read(&r.ok), atomic_read(&r.refused));
	CHECK(t, !atomic_read(&r.bad), "%d accesses after the revocation", atomic_read(&r.bad));
}

void test_revoke(struct nt *t)
{
	unsigned int before = nt_attachments(t->buf[0]);
	struct hearing h = { .listener.changed = hear };
	struct berth_area *area = nt_area(t, 0), *fresh;
	int i;

	if (!area)
		return;
	berth_area_listen(area, &h.listener);
	revoke_under_traffic(t, area);
	CHECK(t, berth_window_state(berth_area_window(area)) == BERTH_WINDOW_REVOKED, "state");
	for (i = 0; i < 500 && !atomic_read(&h.revoked); i++)
		schedule_timeout_uninterruptible(1);
	berth_area_revoke(area);
	schedule_timeout_uninterruptible(HZ / 20);
	berth_area_unlisten(area, &h.listener);
	CHECK(t, atomic_read(&h.revoked) == 1, "told %d times", atomic_read(&h.revoked));
	fresh = nt_area(t, 0);
	if (fresh) {
		CHECK(t, fresh != area, "the revoked area was found again");
		CHECK(t, berth_window_state(berth_area_window(fresh)) == BERTH_WINDOW_READY,
		      "the fresh area is not ready");
	}
	berth_area_put(area);
	berth_area_put(fresh);
	CHECK(t, nt_attachments(t->buf[0]) == before, "still attached");
}

/*
 * ---- an area that outlives its file descriptor ----
 */

static struct berth_area *kept;

void test_keep(struct nt *t)
{
	u8 buf[64];

	if (!CHECK(t, !kept, "one is kept already"))
		return;
	kept = nt_area(t, 0);
	if (!kept)
		return;
	nt_fill(buf, 777, sizeof(buf), 5);
	CHECK(t, !nt_write(berth_area_window(kept), 777, buf, sizeof(buf)), "write");
	t->run->value = berth_area_id(kept);
}

/* The kept area answers run->expect: 0 and the bytes, or an error. */
void test_kept(struct nt *t)
{
	u8 buf[64];
	int err;

	if (!CHECK(t, kept, "none is kept"))
		return;
	err = nt_read(berth_area_window(kept), 777, buf, sizeof(buf));
	CHECK(t, err == -t->run->expect, "read: %d", err);
	if (!err)
		nt_match(t, buf, 777, sizeof(buf), 5, "kept");
}

void test_drop(struct nt *t)
{
	CHECK(t, kept, "none is kept");
	test_area_fini();
}

void test_area_fini(void)
{
	berth_area_put(kept);
	kept = NULL;
}
