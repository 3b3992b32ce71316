/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The headers of one DDP segment, decoded: MPA's length field, the header of
 * DDP (RFC 5041, 4) and that of RDMAP (RFC 5040, 4; RFC 7306), in host order.
 * berth_ddp_parse() makes it from bytes of the stream and trusts nothing;
 * berth_ddp_build() is its inverse. Payload, padding and CRC are the caller's.
 *
 * Pure code, any context; the structure is owned by the caller and refers to
 * nothing but the read-only opcode table.
 */
#ifndef BERTH_WIRE_DDP_H
#define BERTH_WIRE_DDP_H

#include <linux/types.h>
#include "mpa.h"
#include "rdmap.h"
#include "term.h"

/* What must be seen to know how long the headers are: length and control bytes. */
#define BERTH_DDP_PREFIX_LEN	4

/* The longest headers: those of a Terminate that copies the longest. */
#define BERTH_DDP_HDR_MAX						\
	(BERTH_MPA_LEN_LEN + BERTH_DDP_UNTAGGED_LEN +			\
	 BERTH_RDMAP_TERM_LEN + BERTH_TERM_EXTRA_MAX)

/* Why a segment was refused; indexes counters. */
enum berth_ddp_reason {
	BERTH_DDP_OK,
	BERTH_DDP_SHORT,	/* ends within its headers */
	BERTH_DDP_VERSION,	/* version of DDP other than 1 */
	BERTH_DDP_RDMAP_VERSION,	/* version of RDMAP other than 1 */
	BERTH_DDP_OPCODE,	/* opcode not in the table */
	BERTH_DDP_MODEL,	/* tagged where the opcode is untagged, or the reverse */
	BERTH_DDP_PAYLOAD,	/* payload where the opcode has none */
	BERTH_DDP_PARTIAL,	/* not the last segment of a message that has only one */
	BERTH_DDP_QN,		/* not the queue of the opcode */
	BERTH_DDP_MO,		/* message offset wraps, or is not 0 where it must be */
	BERTH_DDP_TO,		/* tagged offset wraps */
	BERTH_DDP_AOP,		/* unknown atomic operation */
	BERTH_DDP_REASONS,
};

struct berth_rdmap_read {
	u64 sink_to;
	u64 src_to;
	u32 sink_stag;
	u32 src_stag;
	u32 size;
};

/*
 * FETCH_ADD: no carry leaves a bit of @mask, so that 0 is a plain addition; it is
 * sent with @compare 0 and @compare_mask ~0. CMP_SWAP: the masks select the bits
 * to swap and to compare (RFC 7306, 5.1 and 5.2.1).
 */
struct berth_rdmap_atomic {
	u64 to;
	u64 data;		/* to add or to swap in */
	u64 mask;
	u64 compare;
	u64 compare_mask;
	u32 stag;
	u32 request_id;
	u8 aop;			/* enum berth_rdmap_aop */
};

struct berth_rdmap_ack {
	u64 orig;
	u32 request_id;
};

/**
 * struct berth_ddp - decoded view of the headers of one segment
 * @op: table entry of @opcode
 * @to: tagged: offset within the buffer
 * @stag: tagged: buffer
 * @qn: untagged: queue, enum berth_rdmap_qn
 * @msn: untagged: message of the queue, from 1 on
 * @mo: untagged: offset within the message
 * @inv_stag: SEND that invalidates: what
 * @payload_len: bytes of payload
 * @opcode: enum berth_rdmap_opcode
 * @tagged: as the opcode has it
 * @last: the last segment of its message
 * @hdr_len: length field, headers of DDP and RDMAP: the payload's offset
 * @reason: enum berth_ddp_reason of the last parse
 * @read: READ_REQUEST
 * @atomic: ATOMIC_REQUEST
 * @ack: ATOMIC_RESPONSE
 * @imm: IMM, IMM_SE: opaque and as on the wire
 * @term: TERMINATE
 *
 * Fields of a header that the opcode does not have are 0.
 */
struct berth_ddp {
	const struct berth_rdmap_op *op;
	u64 to;
	u32 stag;
	u32 qn;
	u32 msn;
	u32 mo;
	u32 inv_stag;
	u32 payload_len;
	u8 opcode;
	bool tagged;
	bool last;
	u8 hdr_len;
	u8 reason;
	union {
		struct berth_rdmap_read read;
		struct berth_rdmap_atomic atomic;
		struct berth_rdmap_ack ack;
		__be64 imm;
		struct berth_term term;
	};
};

int berth_ddp_prefix(struct berth_ddp *seg, const void *prefix);
int berth_ddp_rest(struct berth_ddp *seg, const void *hdr);
int berth_ddp_parse(struct berth_ddp *seg, const void *hdr, size_t avail);
int berth_ddp_build(const struct berth_ddp *seg, void *buf, size_t room);

/**
 * berth_ddp_ulpdu_len - length of a segment as MPA counts it
 * @seg: decoded headers
 *
 * Return: headers and payload, without the length field.
 */
static inline u32 berth_ddp_ulpdu_len(const struct berth_ddp *seg)
{
	return seg->hdr_len - BERTH_MPA_LEN_LEN + seg->payload_len;
}

#endif /* BERTH_WIRE_DDP_H */
