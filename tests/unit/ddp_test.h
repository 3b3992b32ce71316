/* SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB */
/* Segments for the tests of wire/ddp: a sample of each opcode, and what it takes to compare two. */
#ifndef BERTH_DDP_TEST_H
#define BERTH_DDP_TEST_H

#include "unit.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <asm/byteorder.h>
#include "wire/ddp.h"

#define OPCODES	12

/* Parse from a block that ends with the last of @avail bytes. */
static inline int parse(struct berth_ddp *seg, const u8 *bytes, size_t avail)
{
	u8 *copy = malloc(avail ? avail : 1);
	int ret;

	assert_non_null(copy);
	memcpy(copy, bytes, avail);
	memset(seg, 0xa5, sizeof(*seg));
	ret = berth_ddp_parse(seg, avail ? copy : copy + 1, avail);
	free(copy);
	return ret;
}

static inline bool carries(u8 opcode)
{
	return berth_rdmap_find(opcode)->flags & BERTH_RDMAP_PAYLOAD;
}

/* A segment of one opcode with something of its own in each field. */
static inline struct berth_ddp sample(u8 opcode)
{
	struct berth_ddp seg = { .opcode = opcode, .last = true };

	if (berth_rdmap_find(opcode)->flags & BERTH_RDMAP_TAGGED) {
		seg.stag = 0xdeadbeef;
		seg.to = 0x1122334455667788;
	} else {
		seg.msn = 0x01020304;
		seg.mo = carries(opcode) ? 0x40302010 : 0;
	}
	if (berth_rdmap_find(opcode)->flags & BERTH_RDMAP_INV)
		seg.inv_stag = 0xcafef00d;
	switch (opcode) {
	case BERTH_RDMAP_READ_REQUEST:
		seg.read = (struct berth_rdmap_read){
			.sink_stag = 0x51525354, .sink_to = 0x6162636465666768,
			.size = 0x71727374, .src_stag = 0x81828384, .src_to = 0x9192939495969798,
		};
		break;
	case BERTH_RDMAP_ATOMIC_REQUEST:
		seg.atomic = (struct berth_rdmap_atomic){
			.aop = BERTH_AOP_CMP_SWAP, .request_id = 0x51525354, .stag = 0x61626364,
			.to = 0x7172737475767778, .data = 0x8182838485868788,
			.mask = 0x9192939495969798, .compare = 0xa1a2a3a4a5a6a7a8,
			.compare_mask = 0xb1b2b3b4b5b6b7b8,
		};
		break;
	case BERTH_RDMAP_ATOMIC_RESPONSE:
		seg.ack = (struct berth_rdmap_ack){
			.request_id = 0x51525354, .orig = 0x6162636465666768,
		};
		break;
	case BERTH_RDMAP_IMM:
	case BERTH_RDMAP_IMM_SE:
		seg.imm = cpu_to_be64(0x5152535455565758);
		break;
	case BERTH_RDMAP_TERMINATE:
		seg.term = (struct berth_term){
			.error = { BERTH_TERM_DDP, BERTH_TERM_DDP_TAGGED, BERTH_TERM_TAGGED_WRAP },
			.flags = BERTH_TERM_M | BERTH_TERM_D, .seg_len = 0x0123, .copied_len = 14,
		};
		for (int i = 0; i < 14; i++)
			seg.term.copied[i] = 0xc0 + i;
		break;
	}
	return seg;
}

static inline void check_body(const struct berth_ddp *a, const struct berth_ddp *b)
{
	switch (b->opcode) {
	case BERTH_RDMAP_READ_REQUEST:
		assert_int_equal(a->read.sink_stag, b->read.sink_stag);
		assert_true(a->read.sink_to == b->read.sink_to);
		assert_int_equal(a->read.size, b->read.size);
		assert_int_equal(a->read.src_stag, b->read.src_stag);
		assert_true(a->read.src_to == b->read.src_to);
		break;
	case BERTH_RDMAP_ATOMIC_REQUEST:
		assert_int_equal(a->atomic.aop, b->atomic.aop);
		assert_int_equal(a->atomic.request_id, b->atomic.request_id);
		assert_int_equal(a->atomic.stag, b->atomic.stag);
		assert_true(a->atomic.to == b->atomic.to);
		assert_true(a->atomic.data == b->atomic.data);
		assert_true(a->atomic.mask == b->atomic.mask);
		assert_true(a->atomic.compare == b->atomic.compare);
		assert_true(a->atomic.compare_mask == b->atomic.compare_mask);
		break;
	case BERTH_RDMAP_ATOMIC_RESPONSE:
		assert_int_equal(a->ack.request_id, b->ack.request_id);
		assert_true(a->ack.orig == b->ack.orig);
		break;
	case BERTH_RDMAP_IMM:
	case BERTH_RDMAP_IMM_SE:
		assert_true(a->imm == b->imm);
		break;
	case BERTH_RDMAP_TERMINATE:
		assert_memory_equal(&a->term.error, &b->term.error, sizeof(a->term.error));
		assert_int_equal(a->term.flags, b->term.flags);
		assert_int_equal(a->term.seg_len, b->term.seg_len);
		assert_int_equal(a->term.copied_len, b->term.copied_len);
		assert_memory_equal(a->term.copied, b->term.copied, sizeof(a->term.copied));
		break;
	}
}

static inline void check_equal(const struct berth_ddp *a, const struct berth_ddp *b)
{
	assert_int_equal(a->opcode, b->opcode);
	assert_int_equal(a->last, b->last);
	assert_int_equal(a->payload_len, b->payload_len);
	assert_int_equal(a->stag, b->stag);
	assert_true(a->to == b->to);
	assert_int_equal(a->msn, b->msn);
	assert_int_equal(a->mo, b->mo);
	assert_int_equal(a->inv_stag, b->inv_stag);
	check_body(a, b);
}

#endif /* BERTH_DDP_TEST_H */
