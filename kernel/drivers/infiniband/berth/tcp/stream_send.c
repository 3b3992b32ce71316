// SPDX-License-Identifier: GPL-2.0
/*
 * Bytes for an adopted socket. SENDs are laid out in batches, each handed to TCP as one part (part.h), and
 * complete with the part that ends them, in order.
 *
 * Context: the socket's lock held, bottom halves disabled; takes sq.lock.
 */
#include <net/tcp.h>
#include "../obj/qp_state.h"
#include "../op/source.h"
#include "../stats.h"
#include "stream.h"

/*
 * berth_parts.complete: SENDs whose bytes are free are complete. sq.lock held. Those that TCP has forgotten because
 * the connection was reset were not delivered.
 */
void berth_stream_freed(void *owner)
{
	struct berth_socket *s = owner;
	const u32 counter = READ_ONCE(s->parts->counter);
	struct berth_qp *qp = s->qp;
	struct berth_sq *sq = &qp->sq;

	if (READ_ONCE(s->runner.sk->sk_err))
		return;
	while ((s32)(counter - sq->tail) > 0 && sq->tail != sq->head && !READ_ONCE(qp->failed))
		berth_sq_complete(qp, IB_WC_SUCCESS);
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
	struct berth_parts *parts = s->parts;
	u32 cost, used = 0;

	if (!berth_parts_begin(parts))
		return 0;
	spin_lock(&sq->lock);
	berth_stream_freed(s);
	do {
		cost = berth_batch_room(&s->batch) ? step(s) : 0;
		used += cost;
	} while (cost);
	parts->filling->counter = sq->next;
	parts->filling->open = sq->offset;
	spin_unlock(&sq->lock);
	parts->filling->laid = used;
	return used;
}

/**
 * berth_stream_forget - what TCP has not taken is not sent
 * @s: socket
 */
void berth_stream_forget(struct berth_socket *s)
{
	berth_batch_clear(&s->batch);
	berth_parts_end(s->parts);
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
	struct berth_parts *parts = s->parts;
	struct sock *sk = s->runner.sk;
	u32 used = 0, cost = 0;
	int err = 0;

	/* TCP may take what has come meanwhile in the middle of sending, and call us again. */
	if (s->runner.sending || s->broken)
		return false;
	s->runner.sending = true;
	do {
		if (parts->filling && parts->filling->laid) {
			err = berth_batch_push(&s->batch, sk, &parts->filling->ubuf,
					       parts->filling->open);
			if (err)
				break;
			berth_parts_end(parts);
		}
		cost = fill(s);
		used += cost;
	} while (cost && used < budget);
	s->runner.sending = false;
	if (err && err != -EAGAIN)
		berth_socket_broken(s, -err);
	/* Out of memory, not full: with nothing under way TCP has nothing to tell. */
	if (err == -EAGAIN && !tcp_sk(sk)->packets_out)
		berth_runner_again(&s->runner, 1);
	return !err && cost;
}
