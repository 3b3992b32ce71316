// SPDX-License-Identifier: GPL-2.0
/*
 * The opcode table and its inverse: from (what, first, last, tail) to an opcode.
 *
 * An opcode is three bits of service and five of operation; each service that
 * we know has a row of 32 entries, so that no value of the wire needs a bound.
 * Entries without a name are opcodes we do not speak. The length of the headers
 * is derived from the flags at compile time.
 *
 * Pure code on read-only data: any context, no locks.
 */
#include <linux/types.h>
#include <linux/errno.h>
#include <linux/build_bug.h>
#include "bth.h"
#include "opcode.h"

#define OPERATIONS	32

/* Bytes of the headers that the flags @f name. */
#define EXT(f, bit, type)	(((f) & (bit)) ? sizeof(struct type) : 0)
#define HDR_LEN(f)							\
	(sizeof(struct berth_bth) +					\
	 EXT(f, BERTH_OP_DETH, berth_deth) +				\
	 EXT(f, BERTH_OP_RETH, berth_reth) +				\
	 EXT(f, BERTH_OP_ATOMICETH, berth_atomiceth) +			\
	 EXT(f, BERTH_OP_AETH, berth_aeth) +				\
	 EXT(f, BERTH_OP_ATOMICACKETH, berth_atomicacketh) +		\
	 EXT(f, BERTH_OP_IMM, berth_immdt) +				\
	 EXT(f, BERTH_OP_IETH, berth_ieth))

#define ENTRY(op, cls, f)						\
	[(op) & (OPERATIONS - 1)] = {					\
		.name = #op, .flags = (f), .hdr_len = HDR_LEN(f),	\
		.class = (cls), .value = (op),				\
	}

#define RQ		BERTH_OP_REQUEST
#define RS		BERTH_OP_RESPONSE
#define FIRST		(BERTH_OP_START | BERTH_OP_PAYLOAD | BERTH_OP_FILLED)
#define MIDDLE		(BERTH_OP_PAYLOAD | BERTH_OP_FILLED)
#define LAST		(BERTH_OP_END | BERTH_OP_PAYLOAD | BERTH_OP_FILLED)
#define ONLY		(BERTH_OP_START | BERTH_OP_END | BERTH_OP_PAYLOAD)
#define BARE		(BERTH_OP_START | BERTH_OP_END)
#define RECV		BERTH_OP_RECV
#define IMM		BERTH_OP_IMM
#define INV		BERTH_OP_IETH
#define RETH		BERTH_OP_RETH
#define AETH		BERTH_OP_AETH
#define UD		BERTH_OP_DETH

static const struct berth_opcode rc_table[OPERATIONS] = {
	ENTRY(BERTH_RC_SEND_FIRST, BERTH_CLASS_SEND, RQ | FIRST),
	ENTRY(BERTH_RC_SEND_MIDDLE, BERTH_CLASS_SEND, RQ | MIDDLE),
	ENTRY(BERTH_RC_SEND_LAST, BERTH_CLASS_SEND, RQ | LAST | RECV),
	ENTRY(BERTH_RC_SEND_LAST_IMM, BERTH_CLASS_SEND, RQ | LAST | RECV | IMM),
	ENTRY(BERTH_RC_SEND_ONLY, BERTH_CLASS_SEND, RQ | ONLY | RECV),
	ENTRY(BERTH_RC_SEND_ONLY_IMM, BERTH_CLASS_SEND, RQ | ONLY | RECV | IMM),
	ENTRY(BERTH_RC_SEND_LAST_INV, BERTH_CLASS_SEND, RQ | LAST | RECV | INV),
	ENTRY(BERTH_RC_SEND_ONLY_INV, BERTH_CLASS_SEND, RQ | ONLY | RECV | INV),

	ENTRY(BERTH_RC_WRITE_FIRST, BERTH_CLASS_WRITE, RQ | FIRST | RETH),
	ENTRY(BERTH_RC_WRITE_MIDDLE, BERTH_CLASS_WRITE, RQ | MIDDLE),
	ENTRY(BERTH_RC_WRITE_LAST, BERTH_CLASS_WRITE, RQ | LAST),
	ENTRY(BERTH_RC_WRITE_LAST_IMM, BERTH_CLASS_WRITE, RQ | LAST | RECV | IMM),
	ENTRY(BERTH_RC_WRITE_ONLY, BERTH_CLASS_WRITE, RQ | ONLY | RETH),
	ENTRY(BERTH_RC_WRITE_ONLY_IMM, BERTH_CLASS_WRITE, RQ | ONLY | RECV | RETH | IMM),

	ENTRY(BERTH_RC_READ_REQUEST, BERTH_CLASS_READ, RQ | BARE | RETH),
	ENTRY(BERTH_RC_READ_RESPONSE_FIRST, BERTH_CLASS_READ, RS | FIRST | AETH),
	ENTRY(BERTH_RC_READ_RESPONSE_MIDDLE, BERTH_CLASS_READ, RS | MIDDLE),
	ENTRY(BERTH_RC_READ_RESPONSE_LAST, BERTH_CLASS_READ, RS | LAST | AETH),
	ENTRY(BERTH_RC_READ_RESPONSE_ONLY, BERTH_CLASS_READ, RS | ONLY | AETH),

	ENTRY(BERTH_RC_ACK, BERTH_CLASS_ACK, RS | BARE | AETH),
	ENTRY(BERTH_RC_ATOMIC_ACK, BERTH_CLASS_ATOMIC, RS | BARE | AETH | BERTH_OP_ATOMICACKETH),
	ENTRY(BERTH_RC_CMP_SWAP, BERTH_CLASS_ATOMIC, RQ | BARE | BERTH_OP_ATOMICETH),
	ENTRY(BERTH_RC_FETCH_ADD, BERTH_CLASS_ATOMIC, RQ | BARE | BERTH_OP_ATOMICETH),
	ENTRY(BERTH_RC_ATOMIC_WRITE, BERTH_CLASS_ATOMIC, RQ | ONLY | BERTH_OP_FILLED | RETH),
};

static const struct berth_opcode uc_table[OPERATIONS] = {
	ENTRY(BERTH_UC_SEND_FIRST, BERTH_CLASS_SEND, RQ | FIRST),
	ENTRY(BERTH_UC_SEND_MIDDLE, BERTH_CLASS_SEND, RQ | MIDDLE),
	ENTRY(BERTH_UC_SEND_LAST, BERTH_CLASS_SEND, RQ | LAST | RECV),
	ENTRY(BERTH_UC_SEND_LAST_IMM, BERTH_CLASS_SEND, RQ | LAST | RECV | IMM),
	ENTRY(BERTH_UC_SEND_ONLY, BERTH_CLASS_SEND, RQ | ONLY | RECV),
	ENTRY(BERTH_UC_SEND_ONLY_IMM, BERTH_CLASS_SEND, RQ | ONLY | RECV | IMM),

	ENTRY(BERTH_UC_WRITE_FIRST, BERTH_CLASS_WRITE, RQ | FIRST | RETH),
	ENTRY(BERTH_UC_WRITE_MIDDLE, BERTH_CLASS_WRITE, RQ | MIDDLE),
	ENTRY(BERTH_UC_WRITE_LAST, BERTH_CLASS_WRITE, RQ | LAST),
	ENTRY(BERTH_UC_WRITE_LAST_IMM, BERTH_CLASS_WRITE, RQ | LAST | RECV | IMM),
	ENTRY(BERTH_UC_WRITE_ONLY, BERTH_CLASS_WRITE, RQ | ONLY | RETH),
	ENTRY(BERTH_UC_WRITE_ONLY_IMM, BERTH_CLASS_WRITE, RQ | ONLY | RECV | RETH | IMM),
};

static const struct berth_opcode ud_table[OPERATIONS] = {
	ENTRY(BERTH_UD_SEND_ONLY, BERTH_CLASS_SEND, RQ | ONLY | RECV | UD),
	ENTRY(BERTH_UD_SEND_ONLY_IMM, BERTH_CLASS_SEND, RQ | ONLY | RECV | UD | IMM),
};

static_assert(HDR_LEN(BERTH_OP_ATOMICETH) == BERTH_HDR_MAX);
static_assert(HDR_LEN(BERTH_OP_RETH | BERTH_OP_IMM) < BERTH_HDR_MAX);

/**
 * berth_opcode_find - look an opcode up
 * @opcode: first byte of a BTH
 *
 * Context: Any.
 * Return: its entry, or NULL for an opcode that is reserved or not spoken.
 */
const struct berth_opcode *berth_opcode_find(u8 opcode)
{
	const struct berth_opcode *op;

	switch (opcode >> BERTH_SERVICE_SHIFT) {
	case BERTH_SERVICE_RC:
		op = &rc_table[opcode & (OPERATIONS - 1)];
		break;
	case BERTH_SERVICE_UC:
		op = &uc_table[opcode & (OPERATIONS - 1)];
		break;
	case BERTH_SERVICE_UD:
		op = &ud_table[opcode & (OPERATIONS - 1)];
		break;
	default:
		return NULL;
	}
	return op->name ? op : NULL;
}

enum position {
	POSITION_MIDDLE,
	POSITION_FIRST,
	POSITION_LAST,
	POSITION_ONLY,
	POSITIONS,
};

#define TAILS		(BERTH_TAIL_INV + 1)
#define KINDS		(BERTH_KIND_UD_SEND + 1)

/* Opcode + 1, so that 0 says "no such packet". */
#define OP(x)		((x) + 1)

static const u8 pick_table[KINDS][POSITIONS][TAILS] = {
	[BERTH_KIND_SEND] = {
		[POSITION_FIRST] = { OP(BERTH_RC_SEND_FIRST) },
		[POSITION_MIDDLE] = { OP(BERTH_RC_SEND_MIDDLE) },
		[POSITION_LAST] = { OP(BERTH_RC_SEND_LAST), OP(BERTH_RC_SEND_LAST_IMM),
				    OP(BERTH_RC_SEND_LAST_INV) },
		[POSITION_ONLY] = { OP(BERTH_RC_SEND_ONLY), OP(BERTH_RC_SEND_ONLY_IMM),
				    OP(BERTH_RC_SEND_ONLY_INV) },
	},
	[BERTH_KIND_WRITE] = {
		[POSITION_FIRST] = { OP(BERTH_RC_WRITE_FIRST) },
		[POSITION_MIDDLE] = { OP(BERTH_RC_WRITE_MIDDLE) },
		[POSITION_LAST] = { OP(BERTH_RC_WRITE_LAST), OP(BERTH_RC_WRITE_LAST_IMM) },
		[POSITION_ONLY] = { OP(BERTH_RC_WRITE_ONLY), OP(BERTH_RC_WRITE_ONLY_IMM) },
	},
	[BERTH_KIND_READ_RESPONSE] = {
		[POSITION_FIRST] = { OP(BERTH_RC_READ_RESPONSE_FIRST) },
		[POSITION_MIDDLE] = { OP(BERTH_RC_READ_RESPONSE_MIDDLE) },
		[POSITION_LAST] = { OP(BERTH_RC_READ_RESPONSE_LAST) },
		[POSITION_ONLY] = { OP(BERTH_RC_READ_RESPONSE_ONLY) },
	},
	[BERTH_KIND_READ_REQUEST][POSITION_ONLY] = { OP(BERTH_RC_READ_REQUEST) },
	[BERTH_KIND_CMP_SWAP][POSITION_ONLY] = { OP(BERTH_RC_CMP_SWAP) },
	[BERTH_KIND_FETCH_ADD][POSITION_ONLY] = { OP(BERTH_RC_FETCH_ADD) },
	[BERTH_KIND_ATOMIC_WRITE][POSITION_ONLY] = { OP(BERTH_RC_ATOMIC_WRITE) },
	[BERTH_KIND_ACK][POSITION_ONLY] = { OP(BERTH_RC_ACK) },
	[BERTH_KIND_ATOMIC_ACK][POSITION_ONLY] = { OP(BERTH_RC_ATOMIC_ACK) },
	[BERTH_KIND_UD_SEND][POSITION_ONLY] = { OP(BERTH_UD_SEND_ONLY),
						OP(BERTH_UD_SEND_ONLY_IMM) },
};

/**
 * berth_opcode_pick - the opcode of a packet to be sent, that of RC where UC has it too
 * @kind: what the message is
 * @first: whether the packet begins it
 * @last: whether the packet ends it
 * @tail: immediate data or invalidation that comes with the message; it goes
 *	out with the last packet and is of no account before
 *
 * Context: Any.
 * Return: the opcode, or -EINVAL when there is no such packet.
 */
int berth_opcode_pick(enum berth_op_kind kind, bool first, bool last, enum berth_op_tail tail)
{
	enum position position = (first ? POSITION_FIRST : 0) | (last ? POSITION_LAST : 0);
	int found;

	if ((unsigned int)kind >= KINDS || (unsigned int)tail >= TAILS)
		return -EINVAL;
	found = pick_table[kind][position][last ? tail : BERTH_TAIL_NONE];
	return found ? found - 1 : -EINVAL;
}
