/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What each RDMAP opcode means (RFC 5040, 4, and RFC 7306): whether its
 * segments are tagged or on which queue they come, how long its own header is,
 * whether payload follows.
 *
 * Read-only data, any context, pure code.
 */
#ifndef BERTH_WIRE_RDMAP_H
#define BERTH_WIRE_RDMAP_H

#include <linux/types.h>

enum berth_rdmap_opcode {
	BERTH_RDMAP_WRITE		= 0x0,
	BERTH_RDMAP_READ_REQUEST	= 0x1,
	BERTH_RDMAP_READ_RESPONSE	= 0x2,
	BERTH_RDMAP_SEND		= 0x3,
	BERTH_RDMAP_SEND_INV		= 0x4,
	BERTH_RDMAP_SEND_SE		= 0x5,
	BERTH_RDMAP_SEND_SE_INV		= 0x6,
	BERTH_RDMAP_TERMINATE		= 0x7,
	BERTH_RDMAP_IMM			= 0x8,
	BERTH_RDMAP_IMM_SE		= 0x9,
	BERTH_RDMAP_ATOMIC_REQUEST	= 0xa,
	BERTH_RDMAP_ATOMIC_RESPONSE	= 0xb,
};

/* Queues of untagged segments; each counts its messages by itself. */
enum berth_rdmap_qn {
	BERTH_QN_SEND,
	BERTH_QN_REQUEST,		/* reads and atomics */
	BERTH_QN_TERMINATE,
	BERTH_QN_ATOMIC_RESPONSE,
	BERTH_QNS,
};

/* The lower four bits of an atomic request; 1 is reserved (RFC 7306). */
enum berth_rdmap_aop {
	BERTH_AOP_FETCH_ADD		= 0,
	BERTH_AOP_CMP_SWAP		= 2,
};

/* berth_rdmap_op.flags */
#define BERTH_RDMAP_TAGGED	0x01
#define BERTH_RDMAP_PAYLOAD	0x02	/* payload is allowed; else one segment is the message */
#define BERTH_RDMAP_SE		0x04	/* solicited event */
#define BERTH_RDMAP_INV		0x08	/* invalidates an STag */
#define BERTH_RDMAP_OPEN	0x10	/* the body is at least body_len, and ends with the ULPDU */

/**
 * struct berth_rdmap_op - the properties of one opcode
 * @name: for traces
 * @flags: BERTH_RDMAP_*
 * @qn: enum berth_rdmap_qn of an untagged one
 * @body_len: bytes of the header of RDMAP behind that of DDP
 * @hdr_len: MPA's length field, header of DDP and body, bytes
 * @value: the opcode itself
 */
struct berth_rdmap_op {
	const char *name;
	u8 flags;
	u8 qn;
	u8 body_len;
	u8 hdr_len;
	u8 value;
};

/* Bytes of a DDP header, and of the bodies. */
#define BERTH_DDP_TAGGED_LEN	14
#define BERTH_DDP_UNTAGGED_LEN	18
#define BERTH_RDMAP_READ_LEN	28
#define BERTH_RDMAP_ATOMIC_LEN	52
#define BERTH_RDMAP_ACK_LEN	12
#define BERTH_RDMAP_IMM_LEN	8
#define BERTH_RDMAP_TERM_LEN	4

const struct berth_rdmap_op *berth_rdmap_find(u8 opcode);

#endif /* BERTH_WIRE_RDMAP_H */
