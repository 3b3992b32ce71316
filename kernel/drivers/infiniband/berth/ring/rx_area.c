// SPDX-License-Identifier: GPL-2.0
/*
 * Taking chunks for arriving messages, lending them to the process and taking them back, see rx_area.h.
 *
 * Context: bottom halves disabled; of a queue, its rq.lock held. The ring may change under us at any moment: each entry is
 * read once.
 */
#include <linux/bottom_half.h>
#include <linux/nospec.h>
#include "rx_area.h"

/* Tokens that are looked at for one message: a process that returns nonsense shall not keep a packet waiting. */
#define TAKE_BACK	1024

/* ---- chunks, ours or leased ---- */

static u32 number_of(const struct berth_rx_area *area, struct berth_netmem chunk)
{
	return area->lease ? berth_lease_index(area->lease, chunk) : berth_chunk_index(chunk);
}

static struct berth_netmem chunk_of(const struct berth_rx_area *area, u32 token)
{
	return area->lease ? berth_lease_by_index(area->lease, token) : berth_chunk_by_index(area->chunks, token);
}

/* A chunk that nobody needs any more. Of leased ones @spare stay. */
static void give(struct berth_rx_area *area, struct berth_netmem chunk, u32 spare)
{
	if (!area->lease) {
		berth_chunk_put(chunk);
	} else if (atomic_read(&area->credit) >= (int)spare || !berth_lease_keep(area->lease, chunk)) {
		berth_lease_home(area->lease, chunk);
		return;
	}
	atomic_inc(&area->credit);
}

static bool promise(struct berth_rx_area *area, u32 n)
{
	int credit = atomic_read(&area->credit);

	do {
		if (credit < (int)n)
			return false;
	} while (!atomic_try_cmpxchg(&area->credit, &credit, credit - (int)n));
	return true;
}

/* ---- tokens ---- */

static void refuse(struct berth_rx_area *area)
{
	WRITE_ONCE(area->ring->refused, ++area->refused);
}

static void take_back_one(struct berth_rx_area *area, u32 token, u32 spare)
{
	if (token < area->count && test_and_clear_bit(array_index_nospec(token, area->count), area->lent))
		give(area, chunk_of(area, token), spare);
	else
		refuse(area);
}

/* What the process has returned. */
static void take_back(struct berth_rx_area *area, u32 spare)
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
		take_back_one(area, READ_ONCE(area->returned[area->head & (area->entries - 1)]), spare);
	spin_unlock(&area->lock);
}

/* ---- messages ---- */

static bool promise_or_fetch(struct berth_rx_area *area, u32 n)
{
	if (likely(promise(area, n)))
		return true;
	take_back(area, area->spare);
	if (promise(area, n))
		return true;
	if (!area->lease)
		return false;
	atomic_add(berth_lease_draw(area->lease, n), &area->credit);
	return promise(area, n);
}

/**
 * berth_rx_area_begin - a message is about to arrive
 * @rq: receive queue with an area
 * @whole: it has to be completed, however long it is
 *
 * Return: 0: what it needs is promised, and to be settled by berth_rx_area_lend() or _drop(); -EAGAIN: there is not so
 * much until the process returns some.
 */
int berth_rx_area_begin(struct berth_rq *rq, bool whole)
{
	struct berth_rx_area *area = rq->area;

	/* Chunks that nobody draws here are wanted by others. */
	if (area->lease)
		take_back(area, area->spare);
	rq->promised = whole ? area->max_pieces : 0;
	rq->drawn = 0;
	rq->num_sge = 0;
	rq->reach = 0;
	return promise_or_fetch(area, rq->promised) ? 0 : -EAGAIN;
}

/* The token of a chunk of the list. */
static u32 token_at(const struct berth_rq *rq, u32 i)
{
	return (rq->sge[i].addr - rq->area->addr) >> rq->area->shift;
}

static void append(struct berth_rq *rq, struct berth_netmem chunk, u32 token, u32 offset, u32 length, u32 flags)
{
	const struct berth_rx_area *area = rq->area;

	/* The rest when it is lent; until then nobody looks. */
	area->piece[token].flags = flags;
	rq->chunk[rq->num_sge] = chunk;
	rq->sge[rq->num_sge++] = (struct berth_sge){
		.addr = area->addr + ((u64)token << area->shift) + offset,
		.length = length,
		.lkey = area->lkey,
	};
	rq->reach += length;
}

static int draw(struct berth_rq *rq)
{
	struct berth_rx_area *area = rq->area;
	struct berth_netmem chunk;

	if (rq->drawn == rq->promised) {
		if (!promise_or_fetch(area, 1))
			return -EAGAIN;
		rq->promised++;
	}
	chunk = area->lease ? berth_lease_take(area->lease) : berth_chunk_alloc(area->chunks);
	if (unlikely(berth_netmem_is_none(chunk)))
		return -EAGAIN;
	rq->drawn++;
	append(rq, chunk, number_of(area, chunk), 0, 1U << area->shift, 0);
	return 0;
}

/**
 * berth_rx_area_extend - have chunks for so many bytes of the message that is arriving
 * @rq: receive queue that has begun a message
 * @need: bytes from its start, at most berth_rx_area_room() more than have come
 *
 * Return: 0; -EAGAIN: a chunk is just on its way between processors, or (of a message that need not be whole) there is none.
 */
int berth_rx_area_extend(struct berth_rq *rq, u32 need)
{
	while (rq->reach < need) {
		int err = draw(rq);

		if (err)
			return err;
	}
	return 0;
}

/* What comes next begins another piece. */
static void seal(struct berth_rq *rq)
{
	while (rq->reach > rq->received) {
		struct berth_sge *last = &rq->sge[rq->num_sge - 1];
		const u32 unused = min(rq->reach - rq->received, last->length);

		rq->reach -= unused;
		last->length -= unused;
		if (last->length)
			return;
		/* Nothing has landed in it. */
		rq->num_sge--;
		give(rq->area, rq->chunk[rq->num_sge], rq->area->spare);
	}
}

static bool most_are_out(const struct berth_rx_area *area)
{
	return area->lease && 2 * berth_lease_out(area->lease) > area->count;
}

/**
 * berth_rx_area_is_crowded - the NIC may run short of chunks, which it does not tell its peers
 * @area: area
 *
 * Return: whether most of them are out, even when what the process has returned is taken back.
 */
bool berth_rx_area_is_crowded(struct berth_rx_area *area)
{
	if (likely(!most_are_out(area)))
		return false;
	take_back(area, area->spare);
	return most_are_out(area);
}

/**
 * berth_rx_area_adopt - bytes that a packet has brought in a chunk are the next of the message
 * @rq: receive queue that has begun a message
 * @chunk: of any allocator
 * @offset: where in it
 * @length: bytes, at most berth_rx_area_room()
 *
 * Return: 0: they are, without having been copied; -ENOSPC: the message has no room for another piece; -ENOENT: the chunk
 * is not of this area; -EEXIST: the process has it.
 */
int berth_rx_area_adopt(struct berth_rq *rq, netmem_ref chunk, u32 offset, u32 length)
{
	struct berth_rx_area *area = rq->area;
	struct berth_netmem nm;
	u32 token;

	if (!area->lease)
		return -ENOENT;
	seal(rq);
	if (rq->num_sge == area->max_pieces)
		return -ENOSPC;
	nm = berth_lease_adopt(area->lease, chunk, &token);
	if (berth_netmem_is_none(nm))
		return -ENOENT;
	if (test_bit(token, area->lent)) {
		berth_lease_home(area->lease, nm);
		return -EEXIST;
	}
	append(rq, nm, token, offset, length, BERTH_PIECE_HANDED_OVER);
	return 0;
}

/* The promise to a message is settled. */
static void settle(struct berth_rq *rq)
{
	atomic_add(rq->promised - rq->drawn, &rq->area->credit);
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
	u32 first = BERTH_NO_TOKEN, last = BERTH_NO_TOKEN, token, n, i;
	struct berth_area_piece *piece;

	for (i = 0; i < rq->num_sge && length; i++, length -= n) {
		token = token_at(rq, i);
		n = min(length, rq->sge[i].length);
		piece = &area->piece[token];
		piece->offset = rq->sge[i].addr - area->addr - ((u64)token << area->shift);
		piece->length = n;
		piece->next = BERTH_NO_TOKEN;
		if (i)
			area->piece[last].next = token;
		else
			first = token;
		last = token;
		set_bit(token, area->lent);
	}
	rq->lent = i;
	for (; i < rq->num_sge; i++)
		give(area, rq->chunk[i], area->spare);
	settle(rq);
	return first;
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

	while (rq->lent--)
		if (test_and_clear_bit(token_at(rq, rq->lent), area->lent))
			give(area, rq->chunk[rq->lent], area->spare);
}

/**
 * berth_rx_area_drop - a message will not be completed
 * @rq: receive queue that has begun it
 */
void berth_rx_area_drop(struct berth_rq *rq)
{
	u32 i;

	for (i = 0; i < rq->num_sge; i++)
		give(rq->area, rq->chunk[i], rq->area->spare);
	settle(rq);
}

/**
 * berth_rx_area_spare - whoever leases the chunks to us has none
 * @owner: area
 */
void berth_rx_area_spare(void *owner)
{
	struct berth_rx_area *area = owner;
	struct berth_netmem chunk;

	take_back(area, 0);
	while (promise(area, 1)) {
		chunk = berth_lease_take(area->lease);
		if (!berth_netmem_is_none(chunk))
			berth_lease_home(area->lease, chunk);
	}
}

/**
 * berth_rx_area_reclaim - take all back, whatever the process says
 * @area: without users; whoever leases the chunks to us may still ask for some
 *
 * Context: process.
 */
void berth_rx_area_reclaim(struct berth_rx_area *area)
{
	u32 token;

	local_bh_disable();
	for_each_set_bit(token, area->lent, area->count)
		if (test_and_clear_bit(token, area->lent))
			give(area, chunk_of(area, token), 0);
	local_bh_enable();
}
