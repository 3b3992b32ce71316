// SPDX-License-Identifier: GPL-2.0
/* Answers behind a request that has to wait, see ahead.h. */
#include "../stats.h"
#include "ahead.h"
#include "conn.h"

/* Memory that may be kept for one connection; then the stream stops as if nothing were behind. */
#define KEPT_MAX	(1U << 20)

/* So few bytes of an skb are copied: they would keep much more memory than they are, and a segment may come in many such. */
#define COPY_MAX	512
#define COPY_ROOM	SKB_WITH_OVERHEAD(2048)

/* Where in an skb a kept piece lies. */
struct piece {
	u32 offset;
	u32 len;
	bool copied;	/* to an skb of ours, and to its end: there may be room for more */
};

static struct piece *piece_of(struct sk_buff *skb)
{
	BUILD_BUG_ON(sizeof(struct piece) > sizeof(skb->cb));
	return (struct piece *)skb->cb;
}

void berth_ahead_init(struct berth_ahead *ahead)
{
	__skb_queue_head_init(&ahead->kept);
}

void berth_ahead_purge(struct berth_ahead *ahead)
{
	__skb_queue_purge(&ahead->kept);
	ahead->bytes = 0;
	ahead->active = false;
}

/**
 * berth_ahead_begin - the stream stops where conn->fpdu stands
 * @conn: connection
 */
void berth_ahead_begin(struct berth_conn *conn)
{
	struct berth_ahead *ahead = &conn->ahead;

	if (ahead->active)
		return;
	ahead->active = true;
	ahead->fpdu = conn->fpdu;
}

/* Between two segments: from here on the bytes of the socket may be taken as ever. */
bool berth_ahead_between(const struct berth_ahead *ahead)
{
	return berth_fpdu_done(&ahead->fpdu);
}

static void keep(struct berth_ahead *ahead, struct sk_buff *skb, struct piece piece)
{
	*piece_of(skb) = piece;
	__skb_queue_tail(&ahead->kept, skb);
	ahead->bytes += skb->truesize;
}

/* The last skb that is kept, with room for @len bytes of a copy; NULL: no memory. */
static struct sk_buff *copy_room(struct berth_ahead *ahead, u32 len)
{
	struct sk_buff *skb = skb_peek_tail(&ahead->kept);

	BUILD_BUG_ON(COPY_ROOM < COPY_MAX || COPY_ROOM < BERTH_DDP_HDR_MAX);
	if (skb && piece_of(skb)->copied && skb_tailroom(skb) >= len)
		return skb;
	skb = alloc_skb(COPY_ROOM, GFP_ATOMIC | __GFP_NOWARN);
	if (skb)
		keep(ahead, skb, (struct piece){ .copied = true });
	return skb;
}

static int keep_copy(struct berth_ahead *ahead, const struct sk_buff *from, u32 offset, u32 len)
{
	struct sk_buff *skb = copy_room(ahead, len);

	if (!skb)
		return -ENOMEM;
	if (skb_copy_bits(from, offset, skb_tail_pointer(skb), len))
		return -EPROTO;
	skb_put(skb, len);
	piece_of(skb)->len += len;
	return 0;
}

/* Keeps bytes of an skb. Returns 0 or -ENOMEM. */
static int keep_part(struct berth_ahead *ahead, struct sk_buff *skb, u32 offset, u32 len)
{
	struct sk_buff *last = skb_peek_tail(&ahead->kept);
	struct sk_buff *clone;

	/* Pieces of one skb that follow each other. */
	if (last && last->head == skb->head && last->len == skb->len &&
	    piece_of(last)->offset + piece_of(last)->len == offset) {
		piece_of(last)->len += len;
		return 0;
	}
	if (len <= COPY_MAX && skb_frags_readable(skb))
		return keep_copy(ahead, skb, offset, len);
	clone = skb_clone(skb, GFP_ATOMIC | __GFP_NOWARN);
	if (!clone)
		return -ENOMEM;
	keep(ahead, clone, (struct piece){ .offset = offset, .len = len });
	return 0;
}

/* The headers of a request, which have been read already. */
static int keep_headers(struct berth_ahead *ahead)
{
	const struct berth_fpdu *f = &ahead->fpdu;
	struct sk_buff *skb = copy_room(ahead, f->hdr_len);

	if (!skb)
		return -ENOMEM;
	skb_put_data(skb, f->hdr, f->hdr_len);
	piece_of(skb)->len += f->hdr_len;
	return 0;
}

static int take_header(struct berth_conn *conn, const struct berth_cursor *at, u32 n)
{
	struct berth_ahead *ahead = &conn->ahead;
	struct berth_fpdu *f = &ahead->fpdu;
	struct berth_fpdu before = *f;
	const void *bytes;
	u32 span;
	int used, ret;

	bytes = berth_cursor_span(at, &span);
	if (!bytes)
		return -EPROTO;
	used = berth_fpdu_header(f, bytes, min(n, span));
	if (used < 0)
		return -EPROTO;
	if (f->state != BERTH_FPDU_PAYLOAD && f->state != BERTH_FPDU_TRAILER)
		return used;
	if (berth_tcp_is_response(&f->seg)) {
		ahead->sum = berth_tcp_crc(conn, ~0, f->hdr, f->hdr_len);
		ret = f->left ? berth_tcp_response_begin(conn, &f->seg) : 0;
	} else {
		ret = keep_headers(ahead);
	}
	if (ret)
		*f = before;
	return ret ? ret : used;
}

static int take_payload(struct berth_conn *conn, struct sk_buff *skb, const struct berth_cursor *at,
			u32 offset, u32 n)
{
	struct berth_ahead *ahead = &conn->ahead;
	struct berth_fpdu *f = &ahead->fpdu;
	struct berth_cursor payload = *at;
	int ret;

	n = min(n, f->left);
	if (berth_tcp_is_response(&f->seg)) {
		ret = berth_tcp_response_payload(conn, &f->seg, &payload, n);
		if (!ret)
			ahead->sum = berth_tcp_crc_payload(conn, ahead->sum, *at, n);
	} else {
		ret = keep_part(ahead, skb, offset, n);
	}
	if (ret)
		return ret;
	berth_fpdu_payload(f, n);
	return n;
}

/* An answer is whole. */
static int answered(struct berth_conn *conn)
{
	struct berth_ahead *ahead = &conn->ahead;
	const struct berth_fpdu *f = &ahead->fpdu;
	u32 sum = berth_tcp_crc(conn, ahead->sum, f->trailer, f->pad);
	int ret = 0;

	if (conn->crc && berth_fpdu_crc(f) != cpu_to_le32(~sum)) {
		berth_count(conn->qp->dev, BERTH_CNT_RX_BAD_ICRC);
		return -EPROTO;
	}
	if (!f->seg.payload_len)
		ret = berth_tcp_response_begin(conn, &f->seg);
	return ret ? ret : berth_tcp_response_end(conn, &f->seg);
}

static int take_trailer(struct berth_conn *conn, struct sk_buff *skb, const struct berth_cursor *at,
			u32 offset, u32 n)
{
	struct berth_ahead *ahead = &conn->ahead;
	struct berth_fpdu *f = &ahead->fpdu;
	struct berth_fpdu before = *f;
	const void *bytes;
	u32 span;
	int used, ret = 0;

	bytes = berth_cursor_span(at, &span);
	if (!bytes)
		return -EPROTO;
	used = berth_fpdu_trailer(f, bytes, min(n, span));
	if (!berth_tcp_is_response(&f->seg))
		ret = keep_part(ahead, skb, offset, used);
	else if (berth_fpdu_done(f))
		ret = answered(conn);
	if (ret)
		*f = before;
	return ret ? ret : used;
}

/**
 * berth_ahead_take - take bytes that are behind what waits
 * @conn: connection
 * @skb: where they are
 * @at: cursor at them
 * @offset: of them in @skb
 * @n: how many there are
 *
 * Return: how many were taken; 0: no more now; -EPROTO: the stream makes no sense.
 */
int berth_ahead_take(struct berth_conn *conn, struct sk_buff *skb, const struct berth_cursor *at,
		     u32 offset, u32 n)
{
	struct berth_ahead *ahead = &conn->ahead;
	int ret;

	/* Between two segments one may stop; the one that was begun is read to its end. */
	if (ahead->bytes >= KEPT_MAX && berth_ahead_between(ahead))
		return 0;
	switch (ahead->fpdu.state) {
	case BERTH_FPDU_PAYLOAD:
		ret = take_payload(conn, skb, at, offset, n);
		break;
	case BERTH_FPDU_TRAILER:
		ret = take_trailer(conn, skb, at, offset, n);
		break;
	default:
		ret = take_header(conn, at, n);
		break;
	}
	if (ret == -ENOMEM) {
		berth_runner_again(&conn->runner, 1);
		return 0;
	}
	return ret == -EAGAIN ? 0 : ret;
}

/**
 * berth_ahead_first - the oldest bytes that are kept
 * @ahead: of a connection
 * @offset: receives where in the skb they are
 * @len: receives how many
 *
 * Return: the skb, or NULL: nothing is kept. berth_ahead_taken() says what became of them.
 */
struct sk_buff *berth_ahead_first(struct berth_ahead *ahead, u32 *offset, u32 *len)
{
	struct sk_buff *skb = skb_peek(&ahead->kept);

	if (!skb)
		return NULL;
	*offset = piece_of(skb)->offset;
	*len = piece_of(skb)->len;
	return skb;
}

/* The first @n of the oldest bytes have been taken. */
void berth_ahead_taken(struct berth_ahead *ahead, u32 n)
{
	struct sk_buff *skb = skb_peek(&ahead->kept);
	struct piece *piece = piece_of(skb);

	piece->offset += n;
	piece->len -= n;
	if (piece->len)
		return;
	__skb_unlink(skb, &ahead->kept);
	ahead->bytes -= skb->truesize;
	kfree_skb(skb);
}
