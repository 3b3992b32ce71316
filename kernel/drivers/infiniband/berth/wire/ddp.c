// SPDX-License-Identifier: GPL-2.0
/*
 * Bytes of the stream to struct berth_ddp and back.
 *
 * The first four bytes, MPA's length and the control bytes of DDP and RDMAP,
 * tell how long headers and payload are; berth_ddp_prefix() looks at those, so
 * that a receiver knows what to wait for. Everything that one segment can be
 * wrong in by itself is refused; whether it fits its stream (MSN, buffers) is
 * for the transport. Reserved bits are not looked at (RFC 5041, 4; RFC 5040, 4).
 *
 * Pure code, any context, no locks.
 */
#include <linux/types.h>
#include <linux/build_bug.h>
#include <linux/errno.h>
#include <linux/string.h>
#include <asm/byteorder.h>
#include "ddp.h"

#define DDP_TAGGED	0x80
#define DDP_LAST	0x40
#define DDP_VERSION	0x03
#define RDMAP_VERSION	0xc0
#define RDMAP_OPCODE	0x0f

/* Both versions are 1. */
#define DDP_VERSION_1	0x01
#define RDMAP_VERSION_1	0x40

#define AOP_MASK	0x0f

struct wire_prefix {
	__be16 len;
	u8 ddp;
	u8 rdmap;
} __packed;

struct wire_tagged {
	struct wire_prefix prefix;
	__be32 stag;
	__be64 to;
} __packed;

struct wire_untagged {
	struct wire_prefix prefix;
	__be32 inv_stag;	/* reserved but for SENDs that invalidate */
	__be32 qn;
	__be32 msn;
	__be32 mo;
} __packed;

struct wire_read {
	__be32 sink_stag;
	__be64 sink_to;
	__be32 size;
	__be32 src_stag;
	__be64 src_to;
} __packed;

struct wire_atomic {
	__be32 aop;		/* 28 reserved bits, operation */
	__be32 request_id;
	__be32 stag;
	__be64 to;
	__be64 data;
	__be64 mask;
	__be64 compare;
	__be64 compare_mask;
} __packed;

struct wire_ack {
	__be32 request_id;
	__be64 orig;
} __packed;

struct wire_imm {
	__be64 imm;
} __packed;

static_assert(sizeof(struct wire_prefix) == BERTH_DDP_PREFIX_LEN);
static_assert(sizeof(struct wire_tagged) == BERTH_MPA_LEN_LEN + BERTH_DDP_TAGGED_LEN);
static_assert(sizeof(struct wire_untagged) == BERTH_MPA_LEN_LEN + BERTH_DDP_UNTAGGED_LEN);
static_assert(sizeof(struct wire_read) == BERTH_RDMAP_READ_LEN);
static_assert(sizeof(struct wire_atomic) == BERTH_RDMAP_ATOMIC_LEN);
static_assert(sizeof(struct wire_ack) == BERTH_RDMAP_ACK_LEN);
static_assert(sizeof(struct wire_imm) == BERTH_RDMAP_IMM_LEN);
static_assert(BERTH_DDP_HDR_MAX <= 255);

static int refuse(struct berth_ddp *seg, enum berth_ddp_reason reason)
{
	seg->reason = reason;
	switch (reason) {
	case BERTH_DDP_VERSION:
	case BERTH_DDP_RDMAP_VERSION:
	case BERTH_DDP_OPCODE:
	case BERTH_DDP_AOP:
		return -EPROTO;
	default:
		return -EBADMSG;
	}
}

/**
 * berth_ddp_prefix - what the first bytes of a segment tell
 * @seg: result; every field is written: op, opcode, tagged, last, hdr_len and
 *	payload_len, the others 0
 * @prefix: BERTH_DDP_PREFIX_LEN bytes of the stream, from MPA's length field on
 *
 * Context: Any.
 * Return: bytes of the headers, length field included; errors as of
 * berth_ddp_parse().
 */
int berth_ddp_prefix(struct berth_ddp *seg, const void *prefix)
{
	const struct wire_prefix *w = prefix;
	u32 len = BERTH_MPA_LEN_LEN + be16_to_cpu(w->len);

	memset(seg, 0, sizeof(*seg));
	if (len < BERTH_MPA_LEN_LEN + BERTH_DDP_TAGGED_LEN)
		return refuse(seg, BERTH_DDP_SHORT);
	seg->tagged = w->ddp & DDP_TAGGED;
	seg->last = w->ddp & DDP_LAST;
	if ((w->ddp & DDP_VERSION) != DDP_VERSION_1)
		return refuse(seg, BERTH_DDP_VERSION);
	if ((w->rdmap & RDMAP_VERSION) != RDMAP_VERSION_1)
		return refuse(seg, BERTH_DDP_RDMAP_VERSION);
	seg->opcode = w->rdmap & RDMAP_OPCODE;
	seg->op = berth_rdmap_find(seg->opcode);
	if (!seg->op)
		return refuse(seg, BERTH_DDP_OPCODE);
	if (seg->tagged != !!(seg->op->flags & BERTH_RDMAP_TAGGED))
		return refuse(seg, BERTH_DDP_MODEL);
	if (len < seg->op->hdr_len)
		return refuse(seg, BERTH_DDP_SHORT);
	seg->hdr_len = seg->op->hdr_len;
	if (seg->op->flags & BERTH_RDMAP_OPEN && len <= BERTH_DDP_HDR_MAX)
		seg->hdr_len = len;
	seg->payload_len = len - seg->hdr_len;
	if (seg->payload_len && !(seg->op->flags & BERTH_RDMAP_PAYLOAD))
		return refuse(seg, BERTH_DDP_PAYLOAD);
	return seg->hdr_len;
}

static const void *decode_ddp(struct berth_ddp *seg, const void *hdr)
{
	const struct wire_tagged *tagged = hdr;
	const struct wire_untagged *untagged = hdr;

	if (seg->tagged) {
		seg->stag = be32_to_cpu(tagged->stag);
		seg->to = be64_to_cpu(tagged->to);
		return tagged + 1;
	}
	if (seg->op->flags & BERTH_RDMAP_INV)
		seg->inv_stag = be32_to_cpu(untagged->inv_stag);
	seg->qn = be32_to_cpu(untagged->qn);
	seg->msn = be32_to_cpu(untagged->msn);
	seg->mo = be32_to_cpu(untagged->mo);
	return untagged + 1;
}

static void decode_read(struct berth_rdmap_read *read, const struct wire_read *w)
{
	read->sink_stag = be32_to_cpu(w->sink_stag);
	read->sink_to = be64_to_cpu(w->sink_to);
	read->size = be32_to_cpu(w->size);
	read->src_stag = be32_to_cpu(w->src_stag);
	read->src_to = be64_to_cpu(w->src_to);
}

static void decode_atomic(struct berth_rdmap_atomic *atomic, const struct wire_atomic *w)
{
	atomic->aop = be32_to_cpu(w->aop) & AOP_MASK;
	atomic->request_id = be32_to_cpu(w->request_id);
	atomic->stag = be32_to_cpu(w->stag);
	atomic->to = be64_to_cpu(w->to);
	atomic->data = be64_to_cpu(w->data);
	atomic->mask = be64_to_cpu(w->mask);
	atomic->compare = be64_to_cpu(w->compare);
	atomic->compare_mask = be64_to_cpu(w->compare_mask);
}

static int decode_body(struct berth_ddp *seg, const void *body)
{
	switch (seg->opcode) {
	case BERTH_RDMAP_READ_REQUEST:
		decode_read(&seg->read, body);
		break;
	case BERTH_RDMAP_ATOMIC_REQUEST:
		decode_atomic(&seg->atomic, body);
		break;
	case BERTH_RDMAP_ATOMIC_RESPONSE:
		seg->ack.request_id = be32_to_cpu(((const struct wire_ack *)body)->request_id);
		seg->ack.orig = be64_to_cpu(((const struct wire_ack *)body)->orig);
		break;
	case BERTH_RDMAP_IMM:
	case BERTH_RDMAP_IMM_SE:
		seg->imm = ((const struct wire_imm *)body)->imm;
		break;
	case BERTH_RDMAP_TERMINATE:
		return berth_term_parse(&seg->term, body, seg->hdr_len - BERTH_MPA_LEN_LEN -
							  BERTH_DDP_UNTAGGED_LEN);
	}
	return 0;
}

/* What a segment says of its place and of its operation. */
static enum berth_ddp_reason check(const struct berth_ddp *seg, const struct berth_rdmap_op *op)
{
	if (!(op->flags & BERTH_RDMAP_PAYLOAD)) {
		if (!seg->last)
			return BERTH_DDP_PARTIAL;
		if (seg->mo)
			return BERTH_DDP_MO;
	}
	if (!(op->flags & BERTH_RDMAP_TAGGED) && seg->mo + seg->payload_len < seg->mo)
		return BERTH_DDP_MO;
	if (op->value == BERTH_RDMAP_ATOMIC_REQUEST && seg->atomic.aop != BERTH_AOP_FETCH_ADD &&
	    seg->atomic.aop != BERTH_AOP_CMP_SWAP)
		return BERTH_DDP_AOP;
	return BERTH_DDP_OK;
}

/**
 * berth_ddp_rest - decode what follows the first bytes of a segment
 * @seg: as berth_ddp_prefix() has left it; the other fields are written
 * @hdr: the FPDU from its length field on, any alignment; @seg->hdr_len bytes
 *
 * Context: Any.
 * Return: as of berth_ddp_parse().
 */
int berth_ddp_rest(struct berth_ddp *seg, const void *hdr)
{
	enum berth_ddp_reason reason;

	if (decode_body(seg, decode_ddp(seg, hdr)))
		return refuse(seg, BERTH_DDP_SHORT);
	if (!seg->tagged && seg->qn != seg->op->qn)
		return refuse(seg, BERTH_DDP_QN);
	reason = check(seg, seg->op);
	if (reason)
		return refuse(seg, reason);
	/* Up to the very last address is no wrap. Who builds leaves it to the peer to refuse one. */
	if (seg->tagged && seg->payload_len && seg->to + (seg->payload_len - 1) < seg->to)
		return refuse(seg, BERTH_DDP_TO);
	return seg->hdr_len;
}

/**
 * berth_ddp_parse - decode the headers of one segment
 * @seg: result; every field is written
 * @hdr: the FPDU from its length field on, any alignment
 * @avail: bytes readable at @hdr: the headers, as berth_ddp_prefix() tells, or
 *	BERTH_DDP_HDR_MAX, or more
 *
 * Payload and CRC are not looked at. After a refusal @seg->reason says why,
 * berth_term_error() what to tell the peer, and the other fields are for nothing
 * but a trace.
 *
 * Context: Any.
 * Return: bytes of the headers, length field included; -EPROTO for versions,
 * opcodes or operations that we do not speak; -EBADMSG for a segment that
 * contradicts itself.
 */
int berth_ddp_parse(struct berth_ddp *seg, const void *hdr, size_t avail)
{
	int len;

	if (avail < BERTH_DDP_PREFIX_LEN) {
		memset(seg, 0, sizeof(*seg));
		return refuse(seg, BERTH_DDP_SHORT);
	}
	len = berth_ddp_prefix(seg, hdr);
	if (len < 0)
		return len;
	if (avail < (size_t)len)
		return refuse(seg, BERTH_DDP_SHORT);
	return berth_ddp_rest(seg, hdr);
}

static void *encode_ddp(void *buf, const struct berth_ddp *seg, const struct berth_rdmap_op *op,
			u32 ulpdu_len)
{
	bool is_tagged = op->flags & BERTH_RDMAP_TAGGED;
	struct wire_untagged *untagged = buf;
	struct wire_tagged *tagged = buf;
	struct wire_prefix *w = buf;

	w->len = cpu_to_be16(ulpdu_len);
	w->ddp = DDP_VERSION_1 | (is_tagged ? DDP_TAGGED : 0) | (seg->last ? DDP_LAST : 0);
	w->rdmap = RDMAP_VERSION_1 | op->value;
	if (is_tagged) {
		tagged->stag = cpu_to_be32(seg->stag);
		tagged->to = cpu_to_be64(seg->to);
		return tagged + 1;
	}
	untagged->inv_stag = cpu_to_be32(op->flags & BERTH_RDMAP_INV ? seg->inv_stag : 0);
	untagged->qn = cpu_to_be32(op->qn);
	untagged->msn = cpu_to_be32(seg->msn);
	untagged->mo = cpu_to_be32(seg->mo);
	return untagged + 1;
}

static void encode_read(struct wire_read *w, const struct berth_rdmap_read *read)
{
	w->sink_stag = cpu_to_be32(read->sink_stag);
	w->sink_to = cpu_to_be64(read->sink_to);
	w->size = cpu_to_be32(read->size);
	w->src_stag = cpu_to_be32(read->src_stag);
	w->src_to = cpu_to_be64(read->src_to);
}

static void encode_atomic(struct wire_atomic *w, const struct berth_rdmap_atomic *atomic)
{
	w->aop = cpu_to_be32(atomic->aop);
	w->request_id = cpu_to_be32(atomic->request_id);
	w->stag = cpu_to_be32(atomic->stag);
	w->to = cpu_to_be64(atomic->to);
	w->data = cpu_to_be64(atomic->data);
	w->mask = cpu_to_be64(atomic->mask);
	w->compare = cpu_to_be64(atomic->compare);
	w->compare_mask = cpu_to_be64(atomic->compare_mask);
}

static void encode_body(void *body, const struct berth_ddp *seg)
{
	switch (seg->opcode) {
	case BERTH_RDMAP_READ_REQUEST:
		encode_read(body, &seg->read);
		break;
	case BERTH_RDMAP_ATOMIC_REQUEST:
		encode_atomic(body, &seg->atomic);
		break;
	case BERTH_RDMAP_ATOMIC_RESPONSE:
		((struct wire_ack *)body)->request_id = cpu_to_be32(seg->ack.request_id);
		((struct wire_ack *)body)->orig = cpu_to_be64(seg->ack.orig);
		break;
	case BERTH_RDMAP_IMM:
	case BERTH_RDMAP_IMM_SE:
		((struct wire_imm *)body)->imm = seg->imm;
		break;
	case BERTH_RDMAP_TERMINATE:
		berth_term_build(&seg->term, body);
		break;
	}
}

/**
 * berth_ddp_build - write the headers of a segment
 * @seg: what to write: opcode, last, payload_len and the fields of the headers
 *	that the opcode has; op, tagged, qn, hdr_len, reason are not read
 * @buf: where MPA's length field goes, any alignment
 * @room: bytes at @buf; BERTH_DDP_HDR_MAX are always enough
 *
 * Context: Any.
 * Return: bytes written, the offset of the payload; -EINVAL for a segment that
 * berth_ddp_parse() would refuse, but for one that ends behind the last address,
 * or whose length does not fit; -ENOSPC when
 * @room is too small. Nothing is written then.
 */
int berth_ddp_build(const struct berth_ddp *seg, void *buf, size_t room)
{
	const struct berth_rdmap_op *op = berth_rdmap_find(seg->opcode);
	u32 hdr_len;
	int body;

	if (!op || (seg->payload_len && !(op->flags & BERTH_RDMAP_PAYLOAD)) || check(seg, op))
		return -EINVAL;
	body = op->flags & BERTH_RDMAP_OPEN ? berth_term_len(&seg->term) : op->body_len;
	if (body < 0)
		return body;
	hdr_len = op->hdr_len - op->body_len + body;
	if (seg->payload_len > BERTH_MPA_ULPDU_MAX - (hdr_len - BERTH_MPA_LEN_LEN))
		return -EINVAL;
	if (room < hdr_len)
		return -ENOSPC;
	encode_body(encode_ddp(buf, seg, op, hdr_len - BERTH_MPA_LEN_LEN + seg->payload_len), seg);
	return hdr_len;
}
