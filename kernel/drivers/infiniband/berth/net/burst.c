// SPDX-License-Identifier: GPL-2.0
/*
 * Building and sending bursts.
 *
 * Packets are laid out whole (headers, payload, padding, ICRC) one behind the other, none of them
 * across two buffers, so that headers and ICRC can be written in place; a short burst lives in the
 * skb's linear part. The ICRC covers the IP identification, which is known only when the headers
 * have been made: it is computed last.
 *
 * Context: bottom halves disabled. No memory or no route: nothing is sent, which the peer cannot
 * tell from a lost packet, and retransmission deals with it.
 */
#include <linux/mm.h>
#include "../stats.h"
#include "../trace.h"
#include "../wire/bth.h"
#include "../wire/icrc.h"
#include "bufs.h"
#include "burst.h"
#include "path.h"

#define LINEAR_MAX	1536
#define BUF_SKIP	4	/* puts what follows a BTH at a multiple of 16, as CRC-32 likes it */

static_assert((PAGE_SIZE << BERTH_BUF_ORDER_MIN) >=
	      BUF_SKIP + 4096 + BERTH_HDR_MAX + BERTH_ICRC_LEN);
static_assert((BUF_SKIP + sizeof(struct berth_bth)) % 16 == 0);

/* Where packet i lies in its buffer, and how long it is. */
static u32 packet_len(const struct berth_burst *b, u32 i)
{
	return i == b->count - 1 ? b->last_len : b->seg_len;
}

static int add_buffers(struct berth_burst *b, u32 order)
{
	u32 i, left = b->count;

	b->per_buf = ((PAGE_SIZE << order) - BUF_SKIP) / b->seg_len;
	for (i = 0; left; i++) {
		struct page *page;

		if (i == BERTH_BURST_BUFS || i == MAX_SKB_FRAGS)
			return -ENOMEM;
		page = berth_buf_get(order);
		if (!page)
			return -ENOMEM;
		b->buf[i] = page_address(page) + BUF_SKIP;
		skb_add_rx_frag(b->skb, i, page, BUF_SKIP, 0, PAGE_SIZE << order);
		left -= min(left, b->per_buf);
	}
	b->bufs = i;
	return 0;
}

static int with_buffers(struct berth_burst *b, u32 order)
{
	int ret;

	b->skb = berth_path_skb(b->path, 0);
	if (!b->skb)
		return -ENOMEM;
	ret = add_buffers(b, order);
	if (ret) {
		kfree_skb(b->skb);
		b->skb = NULL;
	}
	return ret;
}

/**
 * berth_burst_begin_on - memory for the packets of a burst
 * @b: burst
 * @qp: queue pair; one of its locks is held
 * @path: where to, stays until the burst is sent or cancelled
 * @count: packets, 1 to berth_burst_limit()
 * @seg_len: UDP payload of all packets but the last, bytes
 * @last_len: of the last, at most @seg_len
 *
 * Return: 0 or -ENOMEM (no memory or no route; counted).
 */
int berth_burst_begin_on(struct berth_burst *b, struct berth_qp *qp, struct berth_path *path,
			 u32 count, u32 seg_len, u32 last_len)
{
	u32 total = (count - 1) * seg_len + last_len;
	int ret;

	b->qp = qp;
	b->path = path;
	b->seg_len = seg_len;
	b->last_len = last_len;
	b->count = count;
	b->per_buf = 0;
	b->bufs = 0;
	if (total <= LINEAR_MAX) {
		b->skb = berth_path_skb(path, total);
		ret = b->skb ? 0 : -ENOMEM;
		if (b->skb)
			b->buf[0] = skb_put(b->skb, total);
	} else {
		ret = with_buffers(b, count > 1 ? BERTH_BUF_ORDER : BERTH_BUF_ORDER_MIN);
		if (ret && count <= MAX_SKB_FRAGS)
			ret = with_buffers(b, BERTH_BUF_ORDER_MIN);
	}
	if (ret)
		berth_count(qp->dev, BERTH_CNT_TX_NO_MEMORY);
	return ret;
}

/* The same, to the peer of a connected QP. */
int berth_burst_begin(struct berth_burst *b, struct berth_qp *qp, u32 count, u32 seg_len,
		      u32 last_len)
{
	return berth_burst_begin_on(b, qp, &qp->path, count, seg_len, last_len);
}

/**
 * berth_burst_packet - memory of packet @i
 * @b: burst
 * @i: 0 to count - 1
 *
 * Return: room for the packet's length, ICRC included.
 */
u8 *berth_burst_packet(const struct berth_burst *b, u32 i)
{
	if (!b->per_buf)
		return b->buf[0] + i * b->seg_len;
	return b->buf[i / b->per_buf] + (i % b->per_buf) * b->seg_len;
}

/* Gives each buffer's fragment the length that was filled. */
static void size_fragments(struct berth_burst *b)
{
	struct skb_shared_info *shinfo = skb_shinfo(b->skb);
	u32 i, first, used;

	for (i = 0, first = 0; i < b->bufs; i++, first += b->per_buf) {
		if (first >= b->count) {
			put_page(virt_to_head_page(b->buf[i]));
			continue;
		}
		if (first + b->per_buf >= b->count)
			used = (b->count - first - 1) * b->seg_len + b->last_len;
		else
			used = b->per_buf * b->seg_len;
		skb_frag_size_set(&shinfo->frags[i], used);
		b->skb->len += used;
		b->skb->data_len += used;
		shinfo->nr_frags = i + 1;
	}
}

static void write_icrc(struct berth_burst *b, u16 id)
{
	struct berth_icrc icrc;
	u32 i, begun = 0;

	for (i = 0; i < b->count; i++) {
		u8 *p = berth_burst_packet(b, i);
		u32 len = packet_len(b, i), covered = len - BERTH_ICRC_LEN, crc;
		__le32 end;

		if (len != begun)
			berth_path_icrc(b->path, &icrc, id, len);
		begun = len;
		crc = berth_icrc_bth(&icrc, i, (const struct berth_bth *)p);
		crc = berth_icrc_payload(crc, p + sizeof(struct berth_bth),
					 covered - sizeof(struct berth_bth));
		end = berth_icrc_final(crc);
		memcpy(p + covered, &end, sizeof(end));
	}
}

/**
 * berth_burst_send - finish a burst and give it to IP
 * @b: burst; over after this
 * @count: packets that were filled, at least 1; fewer than planned end with a full-sized one
 */
void berth_burst_send(struct berth_burst *b, u32 count)
{
	struct berth_qp *qp = b->qp;
	u16 id;

	if (count < b->count) {
		b->count = count;
		b->last_len = b->seg_len;
		if (!b->per_buf)
			skb_trim(b->skb, count * b->seg_len);
	}
	size_fragments(b);
	id = berth_path_headers(b->path, b->skb, b->count, b->seg_len);
	write_icrc(b, id);
	trace_berth_tx(qp, berth_burst_packet(b, 0), b->count);
	berth_path_xmit(b->path, b->skb);
}

void berth_burst_cancel(struct berth_burst *b)
{
	kfree_skb(b->skb);
}

/* How many packets of @seg_len may leave as one. */
u32 berth_burst_limit(struct berth_qp *qp, u32 seg_len)
{
	u32 n = berth_path_gso_segs(&qp->path, seg_len);

	return clamp(n, 1U, (u32)BERTH_BURST_MAX);
}

/**
 * berth_burst_single - send one packet without payload
 * @qp: queue pair; one of its locks is held
 * @pkt: the packet, with op set
 *
 * Return: 0 or -ENOMEM.
 */
int berth_burst_single(struct berth_qp *qp, const struct berth_packet *pkt)
{
	u32 len = berth_packet_wire_len(pkt->op, 0);
	struct berth_burst b;
	int ret;

	ret = berth_burst_begin(&b, qp, 1, len, len);
	if (ret)
		return ret;
	berth_packet_build(pkt, berth_burst_packet(&b, 0), BERTH_HDR_MAX);
	berth_burst_send(&b, 1);
	return 0;
}
