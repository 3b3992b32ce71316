// SPDX-License-Identifier: GPL-2.0
/*
 * Traffic over an area while user space makes the exporter move or revoke the buffer: every access
 * sees the right bytes, or is told why not; nothing is lost and nothing stale is written.
 *
 * Each thread owns a slice of the window. It writes a generation of its pattern, reads it back, and
 * compares: contents that did not move along show. State outlives a case and is protected by the
 * lock over cases.
 */
#include <linux/minmax.h>
#include <linux/slab.h>

#include "netmem_test.h"

#define TRAFFIC_THREADS	2
#define SLICE		1500

struct traffic {
	struct berth_area *area;
	struct berth_area_listener listener;
	struct nt_threads threads;
	atomic_t good;
	atomic_t again;
	atomic_t gone;
	atomic_t bad;
	atomic_t heard_ready;
	atomic_t heard_revoked;
	int last_error;
};

static struct traffic *traffic;

static void traffic_hear(struct berth_area_listener *listener, enum berth_window_state state)
{
	struct traffic *tr = container_of(listener, struct traffic, listener);

	atomic_inc(state == BERTH_WINDOW_READY ? &tr->heard_ready : &tr->heard_revoked);
}

static void count_error(struct traffic *tr, int err)
{
	if (err == -EAGAIN) {
		atomic_inc(&tr->again);
	} else if (err == -EKEYREVOKED) {
		atomic_inc(&tr->gone);
	} else {
		WRITE_ONCE(tr->last_error, err);
		atomic_inc(&tr->bad);
	}
}

static bool slice_equal(const u8 *buf, u64 pos, u32 seed)
{
	int i;

	for (i = 0; i < SLICE; i++)
		if (buf[i] != nt_byte(pos + i, seed))
			return false;
	return true;
}

/* Write a generation, then read it back until that succeeds or the window is gone. */
static void traffic_round(struct nt_threads *threads, u8 *buf, u64 pos, u32 seed)
{
	struct traffic *tr = threads->arg;
	struct berth_window *w = berth_area_window(tr->area);
	int err;

	nt_fill(buf, pos, SLICE, seed);
	err = nt_write(w, pos, buf, SLICE);
	if (err) {
		count_error(tr, err);
		return;
	}
	do {
		cond_resched();
		memset(buf, 0, SLICE);
		err = nt_read(w, pos, buf, SLICE);
		if (err)
			count_error(tr, err);
	} while (err == -EAGAIN && !nt_stopping(threads));
	if (!err)
		atomic_inc(slice_equal(buf, pos, seed) ? &tr->good : &tr->bad);
}

static void traffic_main(struct nt_threads *threads, int self)
{
	u8 *buf = kmalloc(SLICE, GFP_KERNEL);
	u32 seed = 0;

	while (buf && !nt_stopping(threads)) {
		traffic_round(threads, buf, 333 + 3000 * self, ++seed);
		cond_resched();
	}
	kfree(buf);
}

void test_traffic_start(struct nt *t)
{
	int err;

	if (!CHECK(t, !traffic, "runs already"))
		return;
	traffic = kzalloc(sizeof(*traffic), GFP_KERNEL);
	if (!CHECK(t, traffic, "no memory"))
		return;
	traffic->area = nt_area(t, 0);
	if (!traffic->area)
		goto free_traffic;
	traffic->listener.changed = traffic_hear;
	berth_area_listen(traffic->area, &traffic->listener);
	err = nt_threads_start(&traffic->threads, TRAFFIC_THREADS, traffic_main, traffic);
	if (CHECK(t, !err, "threads: error %d", err))
		return;
	berth_area_unlisten(traffic->area, &traffic->listener);
	berth_area_put(traffic->area);
free_traffic:
	kfree(traffic);
	traffic = NULL;
}

static bool wait_for(atomic_t *counter, int least)
{
	int i;

	for (i = 0; i < 3000 && atomic_read(counter) < least; i++)
		schedule_timeout_uninterruptible(msecs_to_jiffies(1) ?: 1);
	return atomic_read(counter) >= least;
}

/*
 * run->value moves have happened: traffic has resumed after them and the listener was told, perhaps
 * once for moves in quick succession. run->expect EKEYREVOKED: the buffer has been revoked instead.
 */
void test_traffic_check(struct nt *t)
{
	int heard;

	if (!CHECK(t, traffic, "does not run"))
		return;
	if (t->run->expect) {
		CHECK(t, wait_for(&traffic->gone, 1), "access goes on after the revocation");
		CHECK(t, wait_for(&traffic->heard_revoked, 1), "the listener was not told");
		CHECK(t, atomic_read(&traffic->heard_revoked) == 1, "the listener was told twice");
	} else {
		CHECK(t, wait_for(&traffic->good, atomic_read(&traffic->good) + 20),
		      "traffic does not resume: state %d, %d times again",
		      berth_window_state(berth_area_window(traffic->area)),
		      atomic_read(&traffic->again));
		heard = atomic_read(&traffic->heard_ready);
		CHECK(t, t->run->value ? heard >= 1 && heard <= t->run->value : !heard,
		      "the listener was told %d times after %llu moves", heard, t->run->value);
	}
	CHECK(t, !atomic_read(&traffic->bad), "%d accesses went wrong, last error %d",
	      atomic_read(&traffic->bad), READ_ONCE(traffic->last_error));
}

void test_traffic_stop(struct nt *t)
{
	if (!CHECK(t, traffic, "does not run"))
		return;
	t->run->value = atomic_read(&traffic->again);
	test_move_fini();
}

void test_move_fini(void)
{
	if (!traffic)
		return;
	WRITE_ONCE(traffic->threads.stop, true);
	nt_threads_join(&traffic->threads);
	berth_area_unlisten(traffic->area, &traffic->listener);
	berth_area_put(traffic->area);
	kfree(traffic);
	traffic = NULL;
}
