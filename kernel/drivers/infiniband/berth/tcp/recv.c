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
#include "conn.h"
#include "term.h"

/**
 * berth_tcp_refuse - tell the peer what is wrong, and take no more
 * @conn: connection
 * @error: the reason; the segment that is being handled is named with it
 *
 * Return: -EPROTO.
 */
int berth_tcp_refuse(struct berth_conn *conn, struct berth_term_error error)
{
	if (!conn->terminate_due)
		berth_term_name(&conn->term, error, &conn->fpdu);
	conn->terminate_due = true;
	conn->broken = true;
	return -EPROTO;
}

/* The stream makes no sense. */
static int broken(struct berth_conn *conn, struct berth_term_error error)
{
	struct berth_qp *qp = conn->qp;

	spin_lock(&qp->rq.lock);
	berth_qp_fail_locked(qp, IB_EVENT_QP_FATAL);
	spin_unlock(&qp->rq.lock);
	return berth_tcp_refuse(conn, error);
}

static void grow(struct berth_conn *conn, const void *bytes, u32 n)
{
	if (conn->crc)
		conn->sum = crc32c(conn->sum, bytes, n);
}

/* The same for payload, wherever it lies in the skb. */
static void grow_payload(struct berth_conn *conn, struct berth_cursor at, u32 n)
{
	while (conn->crc && n) {
		u32 part;
		const void *bytes = berth_cursor_span(&at, &part);

		if (!bytes)
			return;
		part = min(part, n);
		grow(conn, bytes, part);
		berth_cursor_skip(&at, part);
		n -= part;
	}
}

/* Segments that answer what we have asked, or end it. */
static bool is_response(const struct berth_ddp *seg)
{
	return seg->opcode == BERTH_RDMAP_READ_RESPONSE ||
	       seg->opcode == BERTH_RDMAP_ATOMIC_RESPONSE || seg->opcode == BERTH_RDMAP_TERMINATE;
}

/* Immediate data that is none: the peer says that it has no receive for us. */
static bool rnr_notice(struct berth_conn *conn, const struct berth_ddp *seg)
{
	struct berth_tcp_imm imm;
	u32 kind;

	if (seg->opcode != BERTH_RDMAP_IMM)
		return false;
	memcpy(&imm, &seg->imm, sizeof(imm));
	kind = be32_to_cpu(imm.kind);
	if ((kind & ~BERTH_TCP_IMM_PARAM) != BERTH_TCP_IMM_RNR ||
	    seg->msn != conn->msn[BERTH_QN_SEND])
		return false;
	conn->msn[BERTH_QN_SEND]++;
	berth_tcp_rnr_notice(conn, be32_to_cpu(imm.data), kind & BERTH_TCP_IMM_PARAM);
	return true;
}

static int begin(struct berth_conn *conn, const struct berth_ddp *seg)
{
	if (is_response(seg))
		return berth_tcp_response_begin(conn, seg);
	if (rnr_notice(conn, seg))
		return 0;
	return berth_tcp_request_begin(conn, seg);
}

static int end(struct berth_conn *conn, const struct berth_ddp *seg)
{
	if (is_response(seg))
		return berth_tcp_response_end(conn, seg);
	return berth_tcp_request_end(conn, seg);
}

/* What the segment that was found still calls for. */
static int act(struct berth_conn *conn)
{
	const struct berth_ddp *seg = &conn->fpdu.seg;
	int ret = 0;

	if (conn->todo == BERTH_TCP_BEGIN || conn->todo == BERTH_TCP_WHOLE) {
		ret = begin(conn, seg);
		if (ret)
			return ret;
		conn->todo = conn->todo == BERTH_TCP_WHOLE ? BERTH_TCP_FINISH : BERTH_TCP_NOTHING;
	}
	if (conn->todo == BERTH_TCP_FINISH) {
		conn->todo = BERTH_TCP_NOTHING;
		ret = end(conn, seg);
	}
	return ret;
}

static int take_header(struct berth_conn *conn, const void *bytes, u32 n)
{
	struct berth_fpdu *f = &conn->fpdu;
	int used = berth_fpdu_header(f, bytes, n);

	if (used < 0) {
		berth_count(conn->qp->dev, BERTH_CNT_RX_MALFORMED);
		return broken(conn, berth_term_error(&f->seg));
	}
	if (f->state == BERTH_FPDU_PAYLOAD || f->state == BERTH_FPDU_TRAILER) {
		conn->heard = true;
		conn->placed = 0;
		conn->sum = ~0;
		grow(conn, f->hdr, f->hdr_len);
		conn->todo = f->left ? BERTH_TCP_BEGIN : BERTH_TCP_NOTHING;
		berth_count(conn->qp->dev, BERTH_CNT_RX_PACKETS);
	}
	return used;
}

static int take_payload(struct berth_conn *conn, const struct berth_cursor *at, u32 n)
{
	struct berth_fpdu *f = &conn->fpdu;
	int ret;

	n = min(n, f->left);
	if (is_response(&f->seg))
		ret = berth_tcp_response_payload(conn, &f->seg, *at, n);
	else
		ret = berth_tcp_request_payload(conn, &f->seg, *at, n);
	if (ret)
		return ret;
	grow_payload(conn, *at, n);
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
	grow(conn, f->trailer, f->pad);
	if (conn->crc && berth_fpdu_crc(f) != cpu_to_le32(~conn->sum)) {
		berth_count(conn->qp->dev, BERTH_CNT_RX_BAD_ICRC);
		return broken(conn, bad_crc);
	}
	conn->todo = f->seg.payload_len ? BERTH_TCP_FINISH : BERTH_TCP_WHOLE;
	return used;
}

/* Takes bytes. Returns how many; 0: later; -EPROTO: that was the end. */
static int take(struct berth_conn *conn, const struct berth_cursor *at, u32 n)
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
		return take_trailer(conn, bytes, n);
	return take_header(conn, bytes, n);
}

/* sk_read_actor_t: how many of @len bytes were taken; fewer end the reading. */
static int actor(read_descriptor_t *desc, struct sk_buff *skb, unsigned int offset, size_t len)
{
	struct berth_conn *conn = desc->arg.data;
	struct berth_cursor at;
	u32 left = len;

	if (!conn->broken && berth_cursor_init(&at, skb, offset))
		broken(conn, (struct berth_term_error){});
	while (left && !conn->broken) {
		int n = take(conn, &at, left);

		if (n < 0) {
			conn->broken = true;
			break;
		}
		if (!n) {
			desc->count = 0;
			return len - left;
		}
		berth_cursor_skip(&at, n);
		left -= n;
	}
	return len;
}

/**
 * berth_tcp_receive - take what has come, as far as that is possible now
 * @conn: connection of a QP
 *
 * Context: as above. When the peer has closed and everything was taken, the connection ends.
 */
void berth_tcp_receive(struct berth_conn *conn)
{
	struct sock *sk = conn->sk;
	read_descriptor_t desc = { .arg.data = conn, .count = 1 };
	int ret;

	/* TCP may call us again while it answers for us. */
	if (conn->receiving || conn->ended)
		return;
	conn->receiving = true;
	ret = conn->broken ? 0 : act(conn);
	if (ret == -EPROTO)
		conn->broken = true;
	if (ret != -EAGAIN)
		tcp_read_sock(sk, &desc, actor);
	/* Segments without payload that came last are acted on when nothing follows them. */
	if (ret != -EAGAIN && !conn->broken && act(conn) == -EPROTO)
		conn->broken = true;
	conn->receiving = false;
	if (desc.count && ret != -EAGAIN && conn->todo == BERTH_TCP_NOTHING &&
	    (sk->sk_shutdown & RCV_SHUTDOWN || sk->sk_state == TCP_CLOSE))
		berth_conn_end(conn);
	else if (sk->sk_err)
		berth_conn_end(conn);
}
