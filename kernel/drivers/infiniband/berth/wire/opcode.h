/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What each transport opcode means: which headers follow the BTH and where,
 * whether it starts or ends a message, carries payload, completes a receive.
 *
 * The table covers the services RC and UC and the datagrams of UD (IBTA volume 1,
 * 9.2.1 and 9.4). Transports look an opcode up once per packet and then ask
 * flags; they hold no opcode switch of their own. Read-only data, any context,
 * pure code.
 */
#ifndef BERTH_WIRE_OPCODE_H
#define BERTH_WIRE_OPCODE_H

#include <linux/types.h>

enum berth_opcode_value {
	BERTH_RC_SEND_FIRST		= 0x00,
	BERTH_RC_SEND_MIDDLE		= 0x01,
	BERTH_RC_SEND_LAST		= 0x02,
	BERTH_RC_SEND_LAST_IMM		= 0x03,
	BERTH_RC_SEND_ONLY		= 0x04,
	BERTH_RC_SEND_ONLY_IMM		= 0x05,
	BERTH_RC_WRITE_FIRST		= 0x06,
	BERTH_RC_WRITE_MIDDLE		= 0x07,
	BERTH_RC_WRITE_LAST		= 0x08,
	BERTH_RC_WRITE_LAST_IMM		= 0x09,
	BERTH_RC_WRITE_ONLY		= 0x0a,
	BERTH_RC_WRITE_ONLY_IMM		= 0x0b,
	BERTH_RC_READ_REQUEST		= 0x0c,
	BERTH_RC_READ_RESPONSE_FIRST	= 0x0d,
	BERTH_RC_READ_RESPONSE_MIDDLE	= 0x0e,
	BERTH_RC_READ_RESPONSE_LAST	= 0x0f,
	BERTH_RC_READ_RESPONSE_ONLY	= 0x10,
	BERTH_RC_ACK			= 0x11,
	BERTH_RC_ATOMIC_ACK		= 0x12,
	BERTH_RC_CMP_SWAP		= 0x13,
	BERTH_RC_FETCH_ADD		= 0x14,
	BERTH_RC_SEND_LAST_INV		= 0x16,
	BERTH_RC_SEND_ONLY_INV		= 0x17,
	BERTH_RC_ATOMIC_WRITE		= 0x1d,

	BERTH_UC_SEND_FIRST		= 0x20,
	BERTH_UC_SEND_MIDDLE		= 0x21,
	BERTH_UC_SEND_LAST		= 0x22,
	BERTH_UC_SEND_LAST_IMM		= 0x23,
	BERTH_UC_SEND_ONLY		= 0x24,
	BERTH_UC_SEND_ONLY_IMM		= 0x25,
	BERTH_UC_WRITE_FIRST		= 0x26,
	BERTH_UC_WRITE_MIDDLE		= 0x27,
	BERTH_UC_WRITE_LAST		= 0x28,
	BERTH_UC_WRITE_LAST_IMM		= 0x29,
	BERTH_UC_WRITE_ONLY		= 0x2a,
	BERTH_UC_WRITE_ONLY_IMM		= 0x2b,

	BERTH_UD_SEND_ONLY		= 0x64,
	BERTH_UD_SEND_ONLY_IMM		= 0x65,
};

/* The upper three bits of an opcode. */
#define BERTH_SERVICE_SHIFT	5
enum berth_service {
	BERTH_SERVICE_RC		= 0,
	BERTH_SERVICE_UC		= 1,
	BERTH_SERVICE_UD		= 3,
	BERTH_SERVICE_NONE		= 8,	/* of no packet */
};

/*
 * The request that a packet belongs to; a response has that of its request, but for ATOMIC WRITE:
 * it is an atomic that is answered like a READ of no bytes (IBTA volume 1, annex A19).
 */
enum berth_op_class {
	BERTH_CLASS_SEND,
	BERTH_CLASS_WRITE,
	BERTH_CLASS_READ,
	BERTH_CLASS_ATOMIC,
	BERTH_CLASS_ACK,
};

/* Extended headers, in the order in which they follow the BTH. */
#define BERTH_OP_DETH		0x0001
#define BERTH_OP_RETH		0x0002
#define BERTH_OP_ATOMICETH	0x0004
#define BERTH_OP_AETH		0x0008
#define BERTH_OP_ATOMICACKETH	0x0010
#define BERTH_OP_IMM		0x0020
#define BERTH_OP_IETH		0x0040

#define BERTH_OP_REQUEST	0x0100
#define BERTH_OP_RESPONSE	0x0200
#define BERTH_OP_START		0x0400	/* first packet of a message */
#define BERTH_OP_END		0x0800	/* last packet of a message */
#define BERTH_OP_PAYLOAD	0x1000	/* payload is allowed */
#define BERTH_OP_FILLED		0x2000	/* payload is required; FIRST, MIDDLE: one path MTU */
#define BERTH_OP_RECV		0x4000	/* the end of a message that completes a receive */

/**
 * struct berth_opcode - the properties of one opcode
 * @name: for traces
 * @flags: BERTH_OP_*
 * @hdr_len: BTH and extended headers, bytes
 * @class: enum berth_op_class
 * @value: the opcode itself
 */
struct berth_opcode {
	const char *name;
	u16 flags;
	u8 hdr_len;
	u8 class;
	u8 value;
};

/* The longest headers of any opcode in the table: BTH and AtomicETH. */
#define BERTH_HDR_MAX		40

/* What berth_opcode_pick() is asked to send. */
enum berth_op_kind {
	BERTH_KIND_SEND,
	BERTH_KIND_WRITE,
	BERTH_KIND_READ_REQUEST,
	BERTH_KIND_READ_RESPONSE,
	BERTH_KIND_CMP_SWAP,
	BERTH_KIND_FETCH_ADD,
	BERTH_KIND_ATOMIC_WRITE,
	BERTH_KIND_ACK,
	BERTH_KIND_ATOMIC_ACK,
	BERTH_KIND_UD_SEND,
};

/* What the last packet of a SEND or WRITE brings besides payload. */
enum berth_op_tail {
	BERTH_TAIL_NONE,
	BERTH_TAIL_IMM,
	BERTH_TAIL_INV,
};

static inline enum berth_service berth_opcode_service(const struct berth_opcode *op)
{
	return op->value >> BERTH_SERVICE_SHIFT;
}

/* SEND and WRITE are the same operations in RC and UC: the opcode of UC for one of RC, and so on. */
static inline u8 berth_opcode_in(enum berth_service service, u8 rc_opcode)
{
	return service << BERTH_SERVICE_SHIFT | rc_opcode;
}

const struct berth_opcode *berth_opcode_find(u8 opcode);
int berth_opcode_pick(enum berth_op_kind kind, bool first, bool last, enum berth_op_tail tail);

#endif /* BERTH_WIRE_OPCODE_H */
