// SPDX-License-Identifier: GPL-2.0
/*
 * Bytes for an adopted socket. SENDs are laid out in batches, each handed to TCP as one part, by
 * reference (MSG_ZEROCOPY): TCP completes the part when the peer has acknowledged it and no skb refers to
 * its pages any more, also none that a receiver on this host has yet to read. SENDs complete with the
 * part that ends them, in order.
 *
 * Context: the socket's lock held, bottom halves disabled; takes sq.lock.
 */
#include <net/tcp.h>
#include "../obj/qp_state.h"
#include "../op/source.h"
#include "../stats.h"
#include "stream.h"

/* sq.lock held: WQEs before @counter are done. */
static void complete_before(struct berth_qp *qp, u32 counter)
{
	struct berth_sq *sq = &qp->sq;

	while ((s32)(counter - sq->tail) > 0 && sq->tail != sq->head && !READ_ONCE(qp->failed))
		berth_sq_complete(qp, IB_WC_SUCCESS);
}

/* The oldest parts that are done, with the WQEs that they end. s->lock and sq.lock held. */
static void reap(struct berth_socket *s)
{
	struct berth_part *part;

	while (s->part_count) {
		part = &s->part[s->part_first];
		if (!part->done)
			return;
		complete_before(s->qp, part->counter);
		s->part_first = (s->part_first + 1) % BERTH_STREAM_PARTS;
		s->part_count--;
	}
}

/* Has somebody waited for what was outstanding? A WQE that is bad, or whoever brought the QP to SQD. */
static bool is_awaited(const struct berth_sq *sq)
{
	return sq->tail == sq->next && (sq->draining || sq->next != sq->head);
}

/*
 * ubuf_info_ops.complete, whenever TCP drops a reference. Whoever drops the last one may hold anything,
 * also sq.lock of another QP when a queueing discipline discards its packets: so sq.lock is tried only.
 */
static void part_put(struct sk_buff *skb, struct ubuf_info *ubuf, bool success)
{
	struct berth_part *part = container_of(ubuf, struct berth_part, ubuf);
	struct berth_socket *s = part->socket;
	struct berth_qp *qp;

	if (!refcount_dec_and_test(&ubuf->refcnt))
		return;
	spin_lock_bh(&s->lock);
	part->done = true;
	qp = s->qp;
	if (qp) {
		bool later = true;

		if (spin_trylock(&qp->sq.lock)) {
			reap(s);
			later = s->starved || READ_ONCE(qp->failed) || is_awaited(&qp->sq);
			spin_unlock(&qp->sq.lock);
		}
		if (later)
			mod_delayed_work(berth_qp_wq, &qp->stream->run_work, 0);
	}
	spin_unlock_bh(&s->lock);
	berth_socket_put(s);
}

static const struct ubuf_info_ops part_ops = { .complete = part_put };

/* Begins a part. Returns false when too many are under way: part_put() goes on. */
static bool begin_part(struct berth_socket *s)
{
	struct berth_part *part = NULL;

	if (s->filling)
		return true;
	spin_lock(&s->lock);
	spin_lock(&s->qp->sq.lock);
	reap(s);
	spin_unlock(&s->qp->sq.lock);
	s->starved = s->part_count == BERTH_STREAM_PARTS;
	if (!s->starved) {
		part = &s->part[(s->part_first + s->part_count++) % BERTH_STREAM_PARTS];
		part->done = false;
		part->laid = false;
	}
	spin_unlock(&s->lock);
	if (!part)
		return false;
	berth_socket_get(s);
	part->socket = s;
	part->ubuf.ops = &part_ops;
	part->ubuf.flags = SKBFL_ZEROCOPY_FRAG | SKBFL_DONT_ORPHAN;
	refcount_set(&part->ubuf.refcnt, 1);
	s->filling = part;
	return true;
}

/* All of the part has been handed to TCP, which alone refers to it now. */
static void end_part(struct berth_socket *s)
{
	struct berth_part *part = s->filling;

	if (!part)
		return;
	s->filling = NULL;
	part_put(NULL, &part->ubuf, true);
}

/* Some of a WQE's bytes into the batch. Returns what that cost, 0: nothing may be sent now. */
static u32 step(struct berth_socket *s)
{
	struct berth_qp *qp = s->qp;
	struct berth_sq *sq = &qp->sq;
	struct berth_swqe *wqe = berth_req_next(qp);
	int ret;
	u32 n;

	if (!wqe)
		return 0;
	wqe->psns = 1;
	n = min(wqe->length - sq->offset, BERTH_FPDU_MOST);
	ret = berth_req_source(qp, wqe, 0);
	if (ret >= 0)
		ret = berth_batch_add_bytes(&s->batch, (struct berth_segs){ sq->seg, ret },
					    sq->offset, n);
	if (ret == -ENOMEM || ret == -EAGAIN) {
		berth_req_wait_moving(qp);
		return 0;
	}
	if (ret) {
		wqe->status = IB_WC_LOC_PROT_ERR;
		return BERTH_WQE_COST;
	}
	berth_count_add(qp->dev, BERTH_CNT_TX_BYTES, n);
	sq->offset += n;
	if (sq->offset == wqe->length) {
		sq->next++;
		sq->offset = 0;
	}
	return n + BERTH_WQE_COST;
}

/* Lays out the next part. Returns its cost, 0: there is nothing to send. */
static u32 fill(struct berth_socket *s)
{
	struct berth_sq *sq = &s->qp->sq;
	u32 cost, used = 0;

	if (!begin_part(s))
		return 0;
	spin_lock(&sq->lock);
	do {
		cost = berth_batch_room(&s->batch) ? step(s) : 0;
		used += cost;
	} while (cost);
	s->filling->counter = sq->next;
	s->filling->open = sq->offset;
	spin_unlock(&sq->lock);
	s->filling->laid = used;
	return used;
}

/**
 * berth_stream_forget - what TCP has not taken is not sent
 * @s: socket
 */
void berth_stream_forget(struct berth_socket *s)
{
	berth_batch_clear(&s->batch);
	end_part(s);
}

/**
 * berth_stream_send - send until there is nothing to send, the socket is full, or the budget is used up
 * @s: socket of a QP
 * @budget: bytes
 *
 * Return: true when the budget ended it.
 */
bool berth_stream_send(struct berth_socket *s, u32 budget)
{
	struct sock *sk = s->sk;
	u32 used = 0, cost = 0;
	int err = 0;

	/* TCP may take what has come meanwhile in the middle of sending, and call us again. */
	if (s->sending || s->broken)
		return false;
	s->sending = true;
	do {
		if (s->filling && s->filling->laid) {
			err = berth_batch_push(&s->batch, sk, &s->filling->ubuf,
					       s->filling->open);
			if (err)
				break;
			end_part(s);
		}
		cost = fill(s);
		used += cost;
	} while (cost && used < budget);
	s->sending = false;
	if (err && err != -EAGAIN)
		berth_socket_broken(s, -err);
	/* Out of memory, not full: with nothing under way TCP has nothing to tell. */
	if (err == -EAGAIN && !tcp_sk(sk)->packets_out)
		berth_socket_again(s, 1);
	return !err && cost;
}
