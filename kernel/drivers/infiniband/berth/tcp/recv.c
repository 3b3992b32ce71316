// SPDX-License-Identifier: GPL-2.0
/*
 * The byte stream of a connection: found as FPDUs (wire/fpdu.h) and handed on as it comes, without
 * waiting for whole segments. Payload is placed from TCP's own buffers, once.
 *
 * Whatever cannot be done now is left in todo and stops the stream there; berth_tcp_receive() begins
 * with it. A segment without payload is acted on when its CRC has been seen, one with payload when its
 * headers are whole; with bad CRC its message never completes.
 *
 * Context: the socket's lock held, bottom halves disabled.
 */
#include <linux/crc32c.h>
#include <net/tcp.h>
#include "../obj/qp_state.h"
#include "../stats.h"
#include "ahead.h"
#include "conn.h"
#include "term.h"

/**
 * berth_tcp_refuse_segment - tell the peer what is wrong, and take no more
 * @conn: connection
 * @error: the reason
 * @f: stream that stands at the segment which is to be named with it
 *
 * Return: -EPROTO.
 */
int berth_tcp_refuse_segment(struct berth_conn *conn, struct berth_term_error error, const struct berth_fpdu *f)
{
	if (!conn->terminate_due)
		berth_term_name(&conn->term, error, f);
	conn->terminate_due = true;
	conn->broken = true;
	return -EPROTO;
}

/* The same of the segment that is being handled. */
int berth_tcp_refuse(struct berth_conn *conn, struct berth_term_error error)
{
	return berth_tcp_refuse_segment(conn, error, &conn->fpdu);
}

static int fail(struct berth_conn *conn, struct berth_term_error error, int event)
{
	struct berth_qp *qp = conn->qp;

	spin_lock(&qp->rq.lock);
	berth_qp_fail_locked(qp, event);
	spin_unlock(&qp->rq.lock);
	return berth_tcp_refuse(conn, error);
}

/* The stream makes no sense. */
static int broken(struct berth_conn *conn, struct berth_term_error error)
{
	return fail(conn, error, IB_EVENT_QP_FATAL);
}

/* A segment makes none: only where one ends behind the last address it is about memory. */
static int refused(struct berth_conn *conn, const struct berth_ddp *seg)
{
	if (seg->reason == BERTH_DDP_TO)
		return fail(conn, berth_term_error(seg), IB_EVENT_QP_ACCESS_ERR);
	berth_count(conn->qp->dev, BERTH_CNT_RX_MALFORMED);
	return broken(conn, berth_term_error(seg));
}

/**
 * berth_tcp_crc - go on with MPA's CRC, where the connection uses it
 * @conn: connection
 * @sum: so far; ~0 to begin
 * @bytes: what follows
 * @n: how many bytes
 *
 * Return: the sum.
 */
u32 berth_tcp_crc(const struct berth_conn *conn, u32 sum, const void *bytes, u32 n)
{
	return conn->crc ? crc32c(sum, bytes, n) : sum;
}

/* The same for payload, wherever it lies in the skb. */
u32 berth_tcp_crc_payload(const struct berth_conn *conn, u32 sum, struct berth_cursor at, u32 n)
{
	while (conn->crc && n) {
		u32 part;
		const void *bytes = berth_cursor_span(&at, &part);

		if (!bytes)
			return sum;
		part = min(part, n);
		sum = crc32c(sum, bytes, part);
		berth_cursor_skip(&at, part);
		n -= part;
	}
	return sum;
}

/* Segments that answer what we have asked, tell that it has to wait, or end it. */
bool berth_tcp_is_response(const struct berth_ddp *seg)
{
	struct berth_tcp_imm imm;

	switch (seg->opcode) {
	case BERTH_RDMAP_READ_RESPONSE:
	case BERTH_RDMAP_ATOMIC_RESPONSE:
	case BERTH_RDMAP_TERMINATE:
		return true;
	case BERTH_RDMAP_IMM:
		memcpy(&imm, &seg->imm, sizeof(imm));
		return (be32_to_cpu(imm.kind) & ~BERTH_TCP_IMM_PARAM) == BERTH_TCP_IMM_RNR;
	default:
		return false;
	}
}

/* Immediate data and atomics came with RFC 7306, and are agreed on between berths only. */
static bool is_known(const struct berth_conn *conn, const struct berth_ddp *seg)
{
	switch (seg->opcode) {
	case BERTH_RDMAP_IMM:
	case BERTH_RDMAP_IMM_SE:
	case BERTH_RDMAP_ATOMIC_REQUEST:
	case BERTH_RDMAP_ATOMIC_RESPONSE:
		return !berth_conn_is_iw(conn);
	default:
		return true;
	}
}

static int begin(struct berth_conn *conn, const struct berth_ddp *seg)
{
	static const struct berth_term_error unknown = {
		.layer = BERTH_TERM_RDMAP,
		.type = BERTH_TERM_RDMAP_OPERATION,
		.code = BERTH_TERM_RDMAP_OPCODE,
	};

	if (!is_known(conn, seg))
		return broken(conn, unknown);
	if (berth_tcp_is_response(seg))
		return berth_tcp_response_begin(conn, seg);
	return berth_tcp_request_begin(conn, seg);
}

static int end(struct berth_conn *conn, const struct berth_ddp *seg)
{
	if (berth_tcp_is_response(seg))
		return berth_tcp_response_end(conn, seg);
	return berth_tcp_request_end(conn, seg);
}

/* What the segment that was found still calls for. */
static int act(struct berth_conn *conn)
{
	const struct berth_ddp *seg = &conn->fpdu.seg;
	int ret = 0;

	if (conn->todo == BERTH_TCP_BEGIN || conn->todo == BERTH_TCP_WHOLE) {
		conn->unready = false;
		ret = begin(conn, seg);
		if (ret)
			return ret;
		conn->todo = conn->todo == BERTH_TCP_WHOLE ? BERTH_TCP_FINISH : BERTH_TCP_NOTHING;
	}
	if (conn->todo == BERTH_TCP_FINISH) {
		ret = end(conn, seg);
		if (ret != -EAGAIN)
			conn->todo = BERTH_TCP_NOTHING;
	}
	return ret;
}

static int take_header(struct berth_conn *conn, const void *bytes, u32 n)
{
	struct berth_fpdu *f = &conn->fpdu;
	int used = berth_fpdu_header(f, bytes, n);

	conn->heard = true;
	if (used < 0)
		return refused(conn, &f->seg);
	if (f->state == BERTH_FPDU_PAYLOAD || f->state == BERTH_FPDU_TRAILER) {
		conn->placed = 0;
		conn->sum = berth_tcp_crc(conn, ~0, f->hdr, f->hdr_len);
		conn->todo = f->left ? BERTH_TCP_BEGIN : BERTH_TCP_NOTHING;
		berth_count(conn->qp->dev, BERTH_CNT_RX_PACKETS);
	}
	return used;
}

static int take_payload(struct berth_conn *conn, struct berth_cursor *at, u32 n)
{
	const struct berth_cursor payload = *at;
	struct berth_fpdu *f = &conn->fpdu;
	int ret;

	n = min(n, f->left);
	if (berth_tcp_is_response(&f->seg))
		ret = berth_tcp_response_payload(conn, &f->seg, at, n);
	else
		ret = berth_tcp_request_payload(conn, &f->seg, at, n);
	if (ret)
		return ret;
	conn->sum = berth_tcp_crc_payload(conn, conn->sum, payload, n);
	conn->placed += n;
	berth_fpdu_payload(f, n);
	return n;
}

static int take_trailer(struct berth_conn *conn, const void *bytes, u32 n)
{
	static const struct berth_term_error bad_crc = {
		.layer = BERTH_TERM_LLP,
		.type = BERTH_TERM_LLP_MPA,
		.code = BERTH_TERM_MPA_CRC,
	};
	struct berth_fpdu *f = &conn->fpdu;
	int used = berth_fpdu_trailer(f, bytes, n);

	if (!berth_fpdu_done(f))
		return used;
	conn->sum = berth_tcp_crc(conn, conn->sum, f->trailer, f->pad);
	if (conn->crc && berth_fpdu_crc(f) != cpu_to_le32(~conn->sum)) {
		berth_count(conn->qp->dev, BERTH_CNT_RX_BAD_ICRC);
		return broken(conn, bad_crc);
	}
	conn->todo = f->seg.payload_len ? BERTH_TCP_FINISH : BERTH_TCP_WHOLE;
	return used;
}

/* Takes bytes; the cursor stands behind them then. Returns how many; 0: later; -EPROTO: that was the end. */
static int take(struct berth_conn *conn, struct berth_cursor *at, u32 n)
{
	const void *bytes;
	u32 span;
	int ret;

	ret = act(conn);
	if (ret)
		return ret == -EAGAIN ? 0 : ret;
	if (conn->fpdu.state == BERTH_FPDU_PAYLOAD) {
		ret = take_payload(conn, at, n);
		return ret == -EAGAIN ? 0 : ret;
	}
	bytes = berth_cursor_span(at, &span);
	if (!bytes)
		return broken(conn, (struct berth_term_error){});
	n = min(n, span);
	if (conn->fpdu.state == BERTH_FPDU_TRAILER)
		ret = take_trailer(conn, bytes, n);
	else
		ret = take_header(conn, bytes, n);
	if (ret > 0)
		berth_cursor_skip(at, ret);
	return ret;
}

/*
 * Hands bytes of an skb on, as they come or looking behind what waits. Returns how many were taken;
 * fewer than @len: no more now.
 */
static u32 feed(struct berth_conn *conn, struct sk_buff *skb, u32 offset, u32 len, bool behind)
{
	struct berth_cursor at;
	u32 done = 0;
	int n;

	if (!conn->broken && berth_cursor_init(&at, skb, offset))
		broken(conn, (struct berth_term_error){});
	while (done < len && !conn->broken) {
		if (behind)
			n = berth_ahead_take(conn, skb, &at, offset + done, len - done);
		else
			n = take(conn, &at, len - done);
		if (n > 0 && behind)
			berth_cursor_skip(&at, n);
		if (n < 0 && behind)
			broken(conn, (struct berth_term_error){});
		if (n < 0)
			conn->broken = true;
		if (n <= 0)
			break;
		done += n;
		if (behind && !conn->unready && berth_ahead_between(&conn->ahead))
			break;
	}
	return conn->broken ? len : done;
}

/* What is left from before. 0: whatever comes from the socket is next; -EAGAIN, -EPROTO. */
static int resume(struct berth_conn *conn)
{
	struct berth_ahead *ahead = &conn->ahead;
	struct sk_buff *skb;
	u32 offset, len, n;
	int ret = act(conn);

	while (!ret && ahead->active && berth_ahead_between(ahead)) {
		skb = berth_ahead_first(ahead, &offset, &len);
		if (!skb) {
			ahead->active = false;
			break;
		}
		n = feed(conn, skb, offset, len, false);
		berth_ahead_taken(ahead, n);
		if (conn->broken)
			return -EPROTO;
		if (n < len)
			return -EAGAIN;
		/* The last segment of what was kept may have nothing behind it. */
		ret = act(conn);
	}
	if (!ret && ahead->active)
		return -EAGAIN;
	return ret;
}

/* resume() of a stream that is not broken; it may be then. */
static int go_on(struct berth_conn *conn)
{
	int ret = conn->broken ? 0 : resume(conn);

	if (ret == -EPROTO)
		conn->broken = true;
	return ret;
}

/* Do bytes of the socket have to be looked at although what is before them waits? */
static bool look_behind(struct berth_conn *conn)
{
	if (!conn->ahead.active && conn->unready && conn->expect_count)
		berth_ahead_begin(conn);
	return conn->ahead.active;
}

/*
 * Behind what an skb had. An answer that leaves now takes TCP's acknowledgement along, which TCP else sends by itself as
 * soon as it has been read.
 */
static void answer(struct berth_conn *conn)
{
	/* A segment without payload is acted on although nothing follows it. */
	go_on(conn);
	/* A connection that is at its end is read to it. */
	if (conn->answer_count && conn->runner.sk->sk_state == TCP_ESTABLISHED)
		berth_tcp_send(conn, BERTH_BATCH_BYTES);
}

/* sk_read_actor_t: how many of @len bytes were taken; fewer end the reading. */
static int actor(read_descriptor_t *desc, struct sk_buff *skb, unsigned int offset, size_t len)
{
	struct berth_conn *conn = desc->arg.data;
	u32 done = 0;
	int ret;

	while (done < len && !conn->broken) {
		const bool behind = look_behind(conn);
		u32 n = feed(conn, skb, offset + done, len - done, behind);

		done += n;
		/* What was kept may go on, or what is behind has to be looked at. */
		ret = behind ? resume(conn) : 0;
		if (ret == -EPROTO)
			conn->broken = true;
		if (!n && (behind ? ret == -EAGAIN : !look_behind(conn))) {
			desc->count = 0;
			return done;
		}
	}
	answer(conn);
	return len;
}

/**
 * berth_tcp_receive - take what has come, as far as that is possible now
 * @conn: connection of a QP
 *
 * Context: as above. When the peer has closed and everything was read, the connection ends.
 */
void berth_tcp_receive(struct berth_conn *conn)
{
	struct sock *sk = conn->runner.sk;
	read_descriptor_t desc = { .arg.data = conn, .count = 1 };
	int ret;

	/* TCP may call us again while it answers for us. */
	if (conn->receiving || conn->ended)
		return;
	conn->receiving = true;
	ret = go_on(conn);
	if (ret != -EAGAIN || look_behind(conn))
		tcp_read_sock(sk, &desc, actor);
	else
		desc.count = 0;
	/* What has to wait may have come meanwhile. */
	go_on(conn);
	conn->receiving = false;
	if (sk->sk_err || (desc.count && (sk->sk_shutdown & RCV_SHUTDOWN || sk->sk_state == TCP_CLOSE)))
		berth_conn_end(conn);
}
