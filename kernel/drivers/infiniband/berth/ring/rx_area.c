// SPDX-License-Identifier: GPL-2.0
/*
 * Taking chunks for arriving messages, lending them to the process and taking them back, see rx_area.h.
 *
 * Context: bottom halves disabled; of a queue, its rq.lock held. The ring may change under us at any moment: each entry is
 * read once.
 */
#include <linux/nospec.h>
#include "rq.h"
#include "rx_area.h"

/* Tokens that are looked at for one message: a process that returns nonsense shall not keep a packet waiting. */
#define TAKE_BACK	1024

static void refuse(struct berth_rx_area *area)
{
	WRITE_ONCE(area->ring->refused, ++area->refused);
}

static void take_back_one(struct berth_rx_area *area, u32 token)
{
	struct berth_netmem chunk;

	if (token >= area->count || !test_and_clear_bit(array_index_nospec(token, area->count), area->lent)) {
		refuse(area);
		return;
	}
	chunk = berth_chunk_by_index(area->chunks, token);
	berth_chunk_put(chunk);
	atomic_inc(&area->credit);
}

/* What the process has returned. */
static void take_back(struct berth_rx_area *area)
{
	u32 n, i;

	spin_lock(&area->lock);
	/* Acquire: pairs with the release store of prod after the tokens. */
	n = smp_load_acquire(&area->ring->prod) - area->head;
	if (n > area->entries) {
		/* Nonsense. What is in the ring now counts as never returned. */
		refuse(area);
		area->head += n;
		n = 0;
	}
	n = min_t(u32, n, TAKE_BACK);
	for (i = 0; i < n; i++, area->head++)
		take_back_one(area, READ_ONCE(area->returned[area->head & (area->entries - 1)]));
	spin_unlock(&area->lock);
}

static bool promise(struct berth_rx_area *area)
{
	int credit = atomic_read(&area->credit);

	do {
		if (credit < (int)area->max_pieces)
			return false;
	} while (!atomic_try_cmpxchg(&area->credit, &credit, credit - (int)area->max_pieces));
	return true;
}

/**
 * berth_rx_area_begin - a message is about to arrive
 * @area: of its queue
 *
 * Return: 0: what the largest message needs is promised, and to be settled by berth_rx_area_lend() or _drop(); -EAGAIN:
 * there is not so much until the process returns some.
 */
int berth_rx_area_begin(struct berth_rx_area *area)
{
	if (likely(promise(area)))
		return 0;
	take_back(area);
	return promise(area) ? 0 : -EAGAIN;
}

/**
 * berth_rx_area_extend - have chunks for so many bytes of the message that is arriving
 * @rq: receive queue that has begun a message
 * @need: bytes from its start, at most rq->capacity
 *
 * Return: 0; -EAGAIN: a chunk is just on its way between processors.
 */
int berth_rx_area_extend(struct berth_rq *rq, u32 need)
{
	struct berth_rx_area *area = rq->area;
	struct berth_netmem chunk;

	while ((u64)rq->num_sge << area->shift < need) {
		chunk = berth_chunk_alloc(area->chunks);
		if (unlikely(berth_netmem_is_none(chunk)))
			return -EAGAIN;
		rq->chunk[rq->num_sge] = chunk;
		rq->sge[rq->num_sge++] = (struct berth_sge){
			.addr = area->addr + ((u64)berth_chunk_index(chunk) << area->shift),
			.length = 1U << area->shift,
			.lkey = area->lkey,
		};
	}
	return 0;
}

/* The promise to a message that has @used chunks is settled. */
static void settle(struct berth_rq *rq, u32 used)
{
	atomic_add(rq->area->max_pieces - used, &rq->area->credit);
	rq->num_sge = 0;
}

/**
 * berth_rx_area_lend - a message is complete: its chunks are the process's
 * @rq: receive queue
 * @length: bytes
 *
 * What it needs no more (of a message that was begun again and is shorter) stays.
 *
 * Return: what the completion says: the first token, or BERTH_NO_TOKEN.
 */
u64 berth_rx_area_lend(struct berth_rq *rq, u32 length)
{
	struct berth_rx_area *area = rq->area;
	u32 next = BERTH_NO_TOKEN, token, i;
	const u32 used = min_t(u64, DIV_ROUND_UP_ULL(length, 1U << area->shift), rq->num_sge);

	for (i = rq->num_sge; i > used; i--)
		berth_chunk_put(rq->chunk[i - 1]);
	for (; i; i--) {
		token = berth_chunk_index(rq->chunk[i - 1]);
		area->piece[token] = (struct berth_area_piece){
			.length = min_t(u32, length - ((i - 1) << area->shift), 1U << area->shift),
			.next = next,
		};
		set_bit(token, area->lent);
		next = token;
	}
	settle(rq, used);
	rq->lent = used;
	return next;
}

/**
 * berth_rx_area_recall - take back what was lent last
 * @rq: receive queue, nothing begun since
 *
 * What the process has returned, having guessed it, is not ours any more.
 */
void berth_rx_area_recall(struct berth_rq *rq)
{
	struct berth_rx_area *area = rq->area;

	while (rq->lent--) {
		if (!test_and_clear_bit(berth_chunk_index(rq->chunk[rq->lent]), area->lent))
			continue;
		berth_chunk_put(rq->chunk[rq->lent]);
		atomic_inc(&area->credit);
	}
}

/**
 * berth_rx_area_drop - a message will not be completed
 * @rq: receive queue that has begun it
 */
void berth_rx_area_drop(struct berth_rq *rq)
{
	u32 i;

	for (i = 0; i < rq->num_sge; i++)
		berth_chunk_put(rq->chunk[i]);
	settle(rq, 0);
}

/**
 * berth_rx_area_reclaim - take all back, whatever the process says
 * @area: without users
 *
 * Context: process.
 */
void berth_rx_area_reclaim(struct berth_rx_area *area)
{
	u32 token;

	for_each_set_bit(token, area->lent, area->count)
		berth_chunk_put(berth_chunk_by_index(area->chunks, token));
	bitmap_zero(area->lent, area->count);
}
