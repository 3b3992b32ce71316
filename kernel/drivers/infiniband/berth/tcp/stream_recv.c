// SPDX-License-Identifier: GPL-2.0
/*
 * Bytes that come by an adopted socket: into the posted receives, in order. A receive completes when it
 * is full, or when what the peer has pushed has landed and there is nothing behind it (PSH, which a
 * sender sets on the last segment of what it has: RFC 9293, 3.9.1.2). Linux sets PSH on whatever packet has more than one
 * segment, too, also where it has cut a larger write into several: so behind such a packet, when its last segment is full,
 * there is a short wait for more. Where no receive is posted bytes stay with TCP, whose window stops the peer.
 *
 * What has come in chunks of the area that the QP receives into is not copied: the chunks are the next pieces of the
 * receive (hand_over()). Other memory that the CPU must not read takes the QP to error.
 *
 * Context: the socket's lock held, bottom halves disabled; takes rq.lock.
 */
#include <net/tcp.h>
#include "../obj/qp_state.h"
#include "../landing/landing.h"
#include "../op/act.h"
#include "../ring/rx_area.h"
#include "../stats.h"
#include "stream.h"

/* For what follows a packet that may be a part of what the peer has written. */
#define CUT_WAIT	(50 * NSEC_PER_USEC)

static int fail(struct berth_socket *s, enum berth_rsp_result result)
{
	berth_rsp_fail(s->qp, result);
	return -EPROTO;
}

/* A receive to land in. rq.lock held. Returns 0; -EAGAIN: there is none; -EPROTO: the QP has failed. */
static int hold_receive(struct berth_socket *s)
{
	struct berth_qp *qp = s->qp;
	struct berth_rq *rq = &qp->rq;
	const bool silent = berth_receives_come_silently(qp);
	enum berth_rsp_result result;

	if (!berth_qp_responds(qp) || READ_ONCE(qp->failed))
		return -EPROTO;
	if (rq->in_message)
		return 0;
	result = berth_rsp_take(qp);
	if (result == BERTH_RSP_RNR && !silent) {
		/* What was posted before the process sees this is seen now. */
		berth_qp_ask_for_doorbell(qp, true);
		s->unready = true;
		result = berth_rsp_take(qp);
	}
	if (result == BERTH_RSP_RNR) {
		if (silent)
			berth_runner_again(&s->runner, rq->area ? 1 : BERTH_SILENT_POLL);
		return -EAGAIN;
	}
	if (result)
		return fail(s, result);
	if (s->unready)
		berth_qp_ask_for_doorbell(qp, false);
	s->unready = false;
	if (!rq->capacity) {
		/* Its completion would say that the stream has ended. */
		rq->status = IB_WC_LOC_LEN_ERR;
		return fail(s, BERTH_RSP_INVALID);
	}
	rq->in_message = true;
	rq->received = 0;
	return 0;
}

/* The receive that is held is done. */
static void finish(struct berth_socket *s)
{
	static const struct berth_rsp_tail tail = { .opcode = BERTH_WR_SEND, .solicited = true };
	struct berth_qp *qp = s->qp;

	berth_rsp_finish(qp, &tail, qp->rq.received);
	qp->rq.received = 0;
	s->held_back = false;
}

static u32 room(const struct berth_rq *rq)
{
	return rq->area ? berth_rx_area_room(rq) : rq->capacity - rq->received;
}

/* @n more bytes of the receive are there. */
static void received(struct berth_socket *s, u32 n)
{
	berth_count_add(s->qp->dev, BERTH_CNT_RX_BYTES, n);
	if (!room(&s->qp->rq))
		finish(s);
}

/* No more chunks for now: the process is told what has come, so that it returns them. */
static void await_chunks(struct berth_socket *s)
{
	if (s->qp->rq.received)
		finish(s);
	berth_runner_again(&s->runner, 1);
}

/* With an area: how many of @n bytes there are chunks for. */
static u32 chunks_for(struct berth_socket *s, u32 n)
{
	struct berth_rq *rq = &s->qp->rq;

	if (!rq->area || !berth_rx_area_extend(rq, rq->received + n))
		return n;
	n = min(n, rq->reach - rq->received);
	if (!n)
		await_chunks(s);
	return n;
}

/* Lands up to @n bytes; the cursor stands behind them then. Returns how many; 0: no more now; -EPROTO. */
static int land(struct berth_socket *s, struct berth_cursor *at, u32 n)
{
	struct berth_qp *qp = s->qp;
	struct berth_rq *rq = &qp->rq;
	enum berth_rsp_result result;
	struct berth_segs segs;
	int ret;

	n = chunks_for(s, min(n, room(rq)));
	if (!n)
		return 0;
	result = berth_rsp_receive(qp, rq->received + n, &segs);
	if (!result) {
		ret = berth_landing_from_skb(qp->dev, segs, rq->received, at, n);
		if (ret == -EAGAIN)
			berth_rsp_ahead(qp);
		result = berth_rsp_received(qp, ret);
	}
	if (result == BERTH_RSP_MOVING) {
		berth_runner_again(&s->runner, 1);
		return 0;
	}
	if (result)
		return fail(s, result);
	rq->received += n;
	received(s, n);
	return n;
}

/*
 * Is what was adopted last the process's still, that is, in the region? Asked once for all of the area while nobody can
 * take the region away (actor() has bottom halves disabled), or of a region that has become smaller for each piece.
 */
static int check_region(struct berth_socket *s)
{
	struct berth_qp *qp = s->qp;
	struct berth_rq *rq = &qp->rq;
	const struct berth_rx_area *area = rq->area;
	const struct berth_sge *sge = &rq->sge[rq->num_sge - 1];
	const u64 size = (u64)area->count << area->shift;

	if (s->granted)
		return 0;
	s->granted = size <= U32_MAX && !berth_landing_range(&qp->peer_keys, rq->pd, area->lkey, area->addr, size,
							     IB_ACCESS_LOCAL_WRITE, rq->seg);
	if (likely(s->granted))
		return 0;
	return berth_landing_range(&qp->peer_keys, rq->pd, sge->lkey, sge->addr, sge->length, IB_ACCESS_LOCAL_WRITE, rq->seg);
}

/*
 * Up to @n bytes that the CPU must not read, all in one chunk. Returns as land(). With too many chunks out they wait in the
 * socket, whose window tells the peer.
 */
static int hand_over_piece(struct berth_socket *s, struct berth_cursor *at, u32 n)
{
	struct berth_rq *rq = &s->qp->rq;
	const skb_frag_t *frag;
	int err = -ENOENT;
	u32 offset;

	if (rq->area && berth_rx_area_is_crowded(rq->area)) {
		await_chunks(s);
		return 0;
	}
	frag = berth_cursor_frag(at, &offset);
	/* As long as there is room for a piece there is room for all of one, so a chunk comes once. */
	n = min(n, room(rq));
	if (frag && rq->area)
		err = berth_rx_area_adopt(rq, frag->netmem, skb_frag_off(frag) + offset, n);
	if (!err)
		err = check_region(s);
	if (err) {
		rq->status = IB_WC_LOC_PROT_ERR;
		return fail(s, BERTH_RSP_OPERATION);
	}
	rq->received += n;
	berth_cursor_skip(at, n);
	return n;
}

static bool has_piece(const struct berth_rq *rq)
{
	return rq->num_sge < rq->area->max_pieces && room(rq);
}

/* Up to @n bytes, the first of which the CPU must not read, as far as the receive has room. Returns as land(). */
static int hand_over(struct berth_socket *s, struct berth_cursor *at, u32 n)
{
	u32 done = 0, span;
	int ret = 0;

	while (done < n && !berth_cursor_span(at, &span) && (!done || has_piece(&s->qp->rq))) {
		ret = hand_over_piece(s, at, min(n - done, span));
		if (ret <= 0)
			break;
		done += ret;
	}
	if (ret < 0)
		return ret;
	if (done) {
		berth_count_add(s->qp->dev, BERTH_CNT_HANDED_OVER_BYTES, done);
		received(s, done);
	}
	return done;
}

/* Takes up to @n bytes. Returns as land(). */
static int take(struct berth_socket *s, struct berth_cursor *at, u32 n)
{
	struct berth_rq *rq = &s->qp->rq;
	bool readable = true;
	u32 span;
	int ret;

	if (unlikely(!skb_frags_readable(at->skb))) {
		readable = berth_cursor_span(at, &span);
		if (readable)
			n = min(n, span);
		/* A receive that has no room for another piece is done. */
		else if (rq->in_message && rq->area && rq->num_sge == rq->area->max_pieces && rq->received)
			finish(s);
	}
	ret = hold_receive(s);
	if (ret)
		return ret == -EAGAIN ? 0 : ret;
	return likely(readable) ? land(s, at, n) : hand_over(s, at, n);
}

/* Has the peer's TCP perhaps cut what its process has written behind this packet? */
static bool may_be_cut(const struct sk_buff *skb)
{
	const u32 segment = skb_shinfo(skb)->gso_size;

	return segment && skb->len > segment && skb->len % segment == 0;
}

/* sk_read_actor_t: how many of @len bytes were taken; fewer end the reading. */
static int actor(read_descriptor_t *desc, struct sk_buff *skb, unsigned int offset, size_t len)
{
	struct berth_socket *s = desc->arg.data;
	struct berth_cursor at;
	u32 done = 0;
	int n = 0;

	if (berth_cursor_init(&at, skb, offset))
		n = -EPROTO;
	spin_lock(&s->qp->rq.lock);
	s->granted = false;
	while (n >= 0 && done < len) {
		n = take(s, &at, len - done);
		if (n <= 0)
			break;
		done += n;
	}
	spin_unlock(&s->qp->rq.lock);
	s->pushed = offset + done == skb->len && TCP_SKB_CB(skb)->tcp_flags & TCPHDR_PSH;
	s->cut = s->pushed && may_be_cut(skb);
	if (done < len)
		desc->count = 0;
	return done;
}

/* More may follow. For one packet in a row, so that who sends such ones all the time does not make the process wait. */
static void hold_back(struct berth_socket *s)
{
	s->held_back = true;
	hrtimer_start(&s->qp->stream->cut_wait, ns_to_ktime(CUT_WAIT), HRTIMER_MODE_REL_SOFT);
}

/* Everything that has come was landed: is there something to tell? */
static void settle(struct berth_socket *s)
{
	struct berth_qp *qp = s->qp;
	const bool end = s->runner.sk->sk_shutdown & RCV_SHUTDOWN || s->runner.sk->sk_state == TCP_CLOSE;

	spin_lock(&qp->rq.lock);
	if (qp->rq.in_message && qp->rq.received && (s->pushed || end)) {
		if (s->cut && !s->held_back && !end)
			hold_back(s);
		else
			finish(s);
	}
	if (end && !s->ended && !s->runner.sk->sk_err && !hold_receive(s)) {
		s->ended = true;
		finish(s);
	}
	spin_unlock(&qp->rq.lock);
}

/**
 * berth_stream_receive - take what has come, as far as that is possible now
 * @s: socket of a QP
 */
void berth_stream_receive(struct berth_socket *s)
{
	read_descriptor_t desc = { .arg.data = s, .count = 1 };
	struct sock *sk = s->runner.sk;

	/* TCP may call us again while it answers for us. */
	if (s->receiving || s->broken)
		return;
	s->receiving = true;
	/* The wait is over, unless it is for what comes now. */
	s->cut = false;
	if (hrtimer_is_queued(&s->qp->stream->cut_wait))
		hrtimer_try_to_cancel(&s->qp->stream->cut_wait);
	/* A byte that is urgent is one of the stream here. */
	WRITE_ONCE(tcp_sk(sk)->urg_data, 0);
	tcp_read_sock(sk, &desc, actor);
	if (desc.count)
		settle(s);
	s->receiving = false;
	if (sk->sk_err && desc.count)
		berth_socket_broken(s, sk->sk_err);
}
