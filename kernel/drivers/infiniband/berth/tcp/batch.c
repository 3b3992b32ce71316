// SPDX-License-Identifier: GPL-2.0
/* Laying out FPDUs and handing them to TCP, see batch.h. RFC 5044, 4. */
#include <linux/crc32c.h>
#include <linux/mm.h>
#include <linux/socket.h>
#include <linux/uio.h>
#include <net/tcp.h>
#include "../net/bufs.h"
#include "../wire/ddp.h"
#include "../wire/mpa.h"
#include "batch.h"

/* Payloads up to this size are copied: a page reference costs more. */
#define COPY_MAX	512

/* What an FPDU is being built with. */
struct build {
	struct berth_batch *b;
	u32 count, bytes, last_len;	/* of the batch before, to go back to */
	u32 ulpdu;			/* length so far */
	bool crc;
	u32 sum;
};

static void grow(struct build *to, const void *bytes, u32 n)
{
	if (to->crc)
		to->sum = crc32c(to->sum, bytes, n);
}

/* Appends a piece of a page, whose reference it takes over. */
static void append(struct berth_batch *b, struct page *page, u32 offset, u32 len)
{
	bvec_set_page(&b->vec[b->count++], page, len, offset);
	b->bytes += len;
}

/* A new fragment; the batch before keeps what it has of the old one. */
static bool refill(struct page_frag *frag)
{
	u32 order = BERTH_BUF_ORDER;
	struct page *page = berth_buf_get(order);

	if (!page) {
		order = 0;
		page = alloc_page(GFP_ATOMIC | __GFP_NOWARN);
	}
	if (!page)
		return false;
	if (frag->page)
		put_page(frag->page);
	*frag = (struct page_frag){ .page = page, .size = PAGE_SIZE << order };
	return true;
}

/* Room for @n bytes in the fragment, at most linear_room(); NULL: no memory. To be used by append_linear(). */
static void *linear(struct berth_batch *b, u32 n)
{
	struct page_frag *frag = &b->frag;

	if ((!frag->page || frag->size - frag->offset < n) && !refill(frag))
		return NULL;
	return page_address(frag->page) + frag->offset;
}

/* What there is room for in one piece without a new fragment; a little of it is not worth a piece. */
static u32 linear_room(const struct berth_batch *b)
{
	u32 left = b->frag.page ? b->frag.size - b->frag.offset : 0;

	return max_t(u32, left, PAGE_SIZE);
}

/* The next @n bytes of the fragment are part of the stream; behind others of it they are one piece. */
static void append_linear(struct berth_batch *b, u32 n)
{
	struct page_frag *frag = &b->frag;
	struct bio_vec *last = b->count ? &b->vec[b->count - 1] : NULL;

	if (last && last->bv_page == frag->page && last->bv_offset + last->bv_len == frag->offset) {
		last->bv_len += n;
		b->bytes += n;
	} else {
		get_page(frag->page);
		append(b, frag->page, frag->offset, n);
	}
	frag->offset += n;
}

static struct build begin(struct berth_batch *b, bool crc)
{
	return (struct build){
		.b = b,
		.count = b->count,
		.bytes = b->bytes,
		.last_len = b->count ? b->vec[b->count - 1].bv_len : 0,
		.crc = crc,
		.sum = ~0,
	};
}

/* As if the FPDU had not been begun. */
static void undo(struct build *to)
{
	struct berth_batch *b = to->b;

	while (b->count > to->count)
		put_page(b->vec[--b->count].bv_page);
	if (b->count)
		b->vec[b->count - 1].bv_len = to->last_len;
	b->bytes = to->bytes;
}

static int add_header(struct build *to, const struct berth_ddp *seg)
{
	u8 *at = linear(to->b, BERTH_DDP_HDR_MAX);
	int n;

	if (!at)
		return -ENOMEM;
	n = berth_ddp_build(seg, at, BERTH_DDP_HDR_MAX);
	if (WARN_ON_ONCE(n < 0))
		return n;
	grow(to, at, n);
	append_linear(to->b, n);
	to->ulpdu = n - BERTH_MPA_LEN_LEN + seg->payload_len;
	return 0;
}

static int add_copy(struct build *to, struct berth_segs src, u32 offset, u32 n)
{
	void *at = linear(to->b, n);
	int ret;

	if (!at)
		return -ENOMEM;
	ret = berth_landing_gather(at, src, offset, n);
	if (ret)
		return ret;
	grow(to, at, n);
	append_linear(to->b, n);
	return 0;
}

/* Pages by reference, as far as that can be. Returns how many bytes. */
static u32 add_by_reference(struct build *to, struct berth_segs src, u32 offset, u32 n)
{
	/* Many small pieces take fewer vectors as copies. */
	const u32 most = BERTH_FPDU_VECS / 2, used = to->b->count - to->count;
	struct bio_vec *vec = &to->b->vec[to->b->count];
	u32 count, bytes = 0;

	if (used >= most)
		return 0;
	for (count = berth_landing_bvec(src, offset, n, vec, most - used); count; count--, vec++) {
		if (to->crc)
			grow(to, page_address(vec->bv_page) + vec->bv_offset, vec->bv_len);
		bytes += vec->bv_len;
		to->b->count++;
	}
	to->b->bytes += bytes;
	return bytes;
}

static int add_payload(struct build *to, struct berth_segs src, u32 offset, u32 length)
{
	const u32 end = offset + length;

	while (offset < end) {
		u32 n = length > COPY_MAX ? add_by_reference(to, src, offset, end - offset) : 0;
		int ret;

		if (!n) {
			n = min(end - offset, linear_room(to->b));
			ret = add_copy(to, src, offset, n);
			if (ret)
				return ret;
		}
		offset += n;
	}
	return 0;
}

static int add_trailer(struct build *to)
{
	const u32 pad = berth_mpa_pad(to->ulpdu);
	u8 *at = linear(to->b, pad + BERTH_MPA_CRC_LEN);
	__le32 sum = 0;

	if (!at)
		return -ENOMEM;
	memset(at, 0, pad);
	grow(to, at, pad);
	if (to->crc)
		sum = cpu_to_le32(~to->sum);
	memcpy(at + pad, &sum, sizeof(sum));
	append_linear(to->b, pad + BERTH_MPA_CRC_LEN);
	return 0;
}

/**
 * berth_batch_add - append one FPDU
 * @b: batch with berth_batch_room()
 * @seg: its headers; payload_len bytes of payload, BERTH_FPDU_MOST at most
 * @src: where the payload is
 * @offset: of the payload in @src
 * @crc: whether the connection uses MPA's CRC; the field is zero otherwise
 *
 * Context: RCU read side.
 * Return: 0; -ENOMEM; -EAGAIN, -EKEYREVOKED, -ERANGE of the memory. Nothing was added then.
 */
int berth_batch_add(struct berth_batch *b, const struct berth_ddp *seg, struct berth_segs src,
		    u32 offset, bool crc)
{
	struct build to = begin(b, crc);
	int ret;

	ret = add_header(&to, seg);
	if (!ret)
		ret = add_payload(&to, src, offset, seg->payload_len);
	if (!ret)
		ret = add_trailer(&to);
	if (ret)
		undo(&to);
	return ret;
}

/**
 * berth_batch_add_bytes - append bytes as they are
 * @b: batch with berth_batch_room()
 * @src: where they are
 * @offset: of the first in @src
 * @n: how many, BERTH_FPDU_MOST at most
 *
 * Context and return: as berth_batch_add().
 */
int berth_batch_add_bytes(struct berth_batch *b, struct berth_segs src, u32 offset, u32 n)
{
	struct build to = begin(b, false);
	int ret = add_payload(&to, src, offset, n);

	if (ret)
		undo(&to);
	return ret;
}

/* TCP has taken @n bytes. */
static void taken(struct berth_batch *b, u32 n)
{
	const struct bio_vec *vec = &b->vec[b->sent_vecs];

	b->bytes -= n;
	n += b->sent_bytes;
	for (; b->sent_vecs < b->count && n >= vec->bv_len; vec++, b->sent_vecs++) {
		n -= vec->bv_len;
		put_page(vec->bv_page);
	}
	b->sent_bytes = n;
}

/**
 * berth_batch_push - hand the batch to TCP
 * @b: batch
 * @sk: socket, locked
 * @ubuf: completed when nothing refers to the bytes any more, not even a receiver on this host; NULL:
 *	they may be referred to for longer
 * @more: more of the same follows at once
 *
 * Return: 0: all of it, the batch is empty; -EAGAIN: the socket is full, sk_write_space() will tell
 * when it is not; another negative errno: the connection is no more.
 */
int berth_batch_push(struct berth_batch *b, struct sock *sk, struct ubuf_info *ubuf,
		     bool more)
{
	const int how = (ubuf ? MSG_ZEROCOPY : MSG_SPLICE_PAGES) | (more ? MSG_MORE : 0);

	while (b->sent_vecs < b->count) {
		struct msghdr msg = {
			.msg_flags = MSG_DONTWAIT | MSG_NOSIGNAL | how,
			.msg_ubuf = ubuf,
		};
		int ret;

		iov_iter_bvec(&msg.msg_iter, ITER_SOURCE, b->vec + b->sent_vecs,
			      b->count - b->sent_vecs, b->sent_bytes + b->bytes);
		iov_iter_advance(&msg.msg_iter, b->sent_bytes);
		ret = tcp_sendmsg_locked(sk, &msg, b->bytes);
		if (ret < 0)
			return ret;
		taken(b, ret);
	}
	b->count = 0;
	b->sent_vecs = 0;
	return 0;
}

/* Forgets what TCP has not taken. */
void berth_batch_clear(struct berth_batch *b)
{
	for (; b->sent_vecs < b->count; b->sent_vecs++)
		put_page(b->vec[b->sent_vecs].bv_page);
	b->count = 0;
	b->bytes = 0;
	b->sent_vecs = 0;
	b->sent_bytes = 0;
}

void berth_batch_fini(struct berth_batch *b)
{
	berth_batch_clear(b);
	if (b->frag.page)
		put_page(b->frag.page);
	b->frag.page = NULL;
}
