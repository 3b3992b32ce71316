// SPDX-License-Identifier: GPL-2.0
/*
 * The table of RDMAP opcodes: sixteen entries, so that no value of the wire
 * needs a bound. Entries without a name are opcodes that no RFC assigns.
 *
 * Pure code on read-only data: any context, no locks.
 */
#include <linux/types.h>
#include "mpa.h"
#include "rdmap.h"

#define OPCODES		16

#define ENTRY(op, queue, f, body)						\
	[op] = {								\
		.name = #op, .flags = (f), .qn = (queue), .body_len = (body),	\
		.hdr_len = BERTH_MPA_LEN_LEN + (body) +				\
			   ((f) & BERTH_RDMAP_TAGGED ? BERTH_DDP_TAGGED_LEN	\
						     : BERTH_DDP_UNTAGGED_LEN),	\
		.value = (op),							\
	}

#define TAGGED		BERTH_RDMAP_TAGGED
#define PAYLOAD		BERTH_RDMAP_PAYLOAD
#define SE		BERTH_RDMAP_SE
#define INV		BERTH_RDMAP_INV

static const struct berth_rdmap_op table[OPCODES] = {
	ENTRY(BERTH_RDMAP_WRITE, 0, TAGGED | PAYLOAD, 0),
	ENTRY(BERTH_RDMAP_READ_REQUEST, BERTH_QN_REQUEST, 0, BERTH_RDMAP_READ_LEN),
	ENTRY(BERTH_RDMAP_READ_RESPONSE, 0, TAGGED | PAYLOAD, 0),
	ENTRY(BERTH_RDMAP_SEND, BERTH_QN_SEND, PAYLOAD, 0),
	ENTRY(BERTH_RDMAP_SEND_INV, BERTH_QN_SEND, PAYLOAD | INV, 0),
	ENTRY(BERTH_RDMAP_SEND_SE, BERTH_QN_SEND, PAYLOAD | SE, 0),
	ENTRY(BERTH_RDMAP_SEND_SE_INV, BERTH_QN_SEND, PAYLOAD | SE | INV, 0),
	ENTRY(BERTH_RDMAP_TERMINATE, BERTH_QN_TERMINATE, BERTH_RDMAP_OPEN, BERTH_RDMAP_TERM_LEN),
	ENTRY(BERTH_RDMAP_IMM, BERTH_QN_SEND, 0, BERTH_RDMAP_IMM_LEN),
	ENTRY(BERTH_RDMAP_IMM_SE, BERTH_QN_SEND, SE, BERTH_RDMAP_IMM_LEN),
	ENTRY(BERTH_RDMAP_ATOMIC_REQUEST, BERTH_QN_REQUEST, 0, BERTH_RDMAP_ATOMIC_LEN),
	ENTRY(BERTH_RDMAP_ATOMIC_RESPONSE, BERTH_QN_ATOMIC_RESPONSE, 0, BERTH_RDMAP_ACK_LEN),
};

/**
 * berth_rdmap_find - look an opcode up
 * @opcode: the lower four bits of RDMAP's control byte; others find nothing
 *
 * Context: Any.
 * Return: its entry, or NULL for an opcode that is reserved.
 */
const struct berth_rdmap_op *berth_rdmap_find(u8 opcode)
{
	if (opcode >= OPCODES || !table[opcode].name)
		return NULL;
	return &table[opcode];
}
