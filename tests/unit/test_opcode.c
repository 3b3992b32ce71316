// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * wire/opcode: every one of the 256 opcodes against a table written out here
 * by hand from the specification, and the way back from intent to opcode.
 */
#include "unit.h"
#include <errno.h>
#include <string.h>
#include "wire/bth.h"
#include "wire/opcode.h"

/*
 * One letter per property. headers: d DETH, r RETH, t AtomicETH, a AETH,
 * k AtomicAckETH, i ImmDt, v IETH. rest: q request, s response, < starts,
 * > ends, p payload allowed, P required, c completes a receive, u UD.
 */
struct expectation {
	u8 opcode;
	u8 hdr_len;
	u8 class;
	const char *headers;
	const char *rest;
};

#define SEND	BERTH_CLASS_SEND
#define WRITE	BERTH_CLASS_WRITE
#define READ	BERTH_CLASS_READ
#define ATOMIC	BERTH_CLASS_ATOMIC
#define ACK	BERTH_CLASS_ACK

static const struct expectation expected[] = {
	{ 0x00, 12, SEND,   "",   "q<P" },
	{ 0x01, 12, SEND,   "",   "qP" },
	{ 0x02, 12, SEND,   "",   "q>Pc" },
	{ 0x03, 16, SEND,   "i",  "q>Pc" },
	{ 0x04, 12, SEND,   "",   "q<>pc" },
	{ 0x05, 16, SEND,   "i",  "q<>pc" },
	{ 0x06, 28, WRITE,  "r",  "q<P" },
	{ 0x07, 12, WRITE,  "",   "qP" },
	{ 0x08, 12, WRITE,  "",   "q>P" },
	{ 0x09, 16, WRITE,  "i",  "q>Pc" },
	{ 0x0a, 28, WRITE,  "r",  "q<>p" },
	{ 0x0b, 32, WRITE,  "ri", "q<>pc" },
	{ 0x0c, 28, READ,   "r",  "q<>" },
	{ 0x0d, 16, READ,   "a",  "s<P" },
	{ 0x0e, 12, READ,   "",   "sP" },
	{ 0x0f, 16, READ,   "a",  "s>P" },
	{ 0x10, 16, READ,   "a",  "s<>p" },
	{ 0x11, 16, ACK,    "a",  "s<>" },
	{ 0x12, 24, ATOMIC, "ak", "s<>" },
	{ 0x13, 40, ATOMIC, "t",  "q<>" },
	{ 0x14, 40, ATOMIC, "t",  "q<>" },
	{ 0x16, 16, SEND,   "v",  "q>Pc" },
	{ 0x17, 16, SEND,   "v",  "q<>pc" },
	{ 0x1d, 28, ATOMIC, "r",  "q<>P" },
	{ 0x20, 12, SEND,   "",   "q<P" },
	{ 0x21, 12, SEND,   "",   "qP" },
	{ 0x22, 12, SEND,   "",   "q>Pc" },
	{ 0x23, 16, SEND,   "i",  "q>Pc" },
	{ 0x24, 12, SEND,   "",   "q<>pc" },
	{ 0x25, 16, SEND,   "i",  "q<>pc" },
	{ 0x26, 28, WRITE,  "r",  "q<P" },
	{ 0x27, 12, WRITE,  "",   "qP" },
	{ 0x28, 12, WRITE,  "",   "q>P" },
	{ 0x29, 16, WRITE,  "i",  "q>Pc" },
	{ 0x2a, 28, WRITE,  "r",  "q<>p" },
	{ 0x2b, 32, WRITE,  "ri", "q<>pc" },
	{ 0x64, 20, SEND,   "d",  "q<>pc" },
	{ 0x65, 24, SEND,   "di", "q<>pc" },
};

static u16 flags_of(const char *letters)
{
	static const struct { char letter; u16 flags; } map[] = {
		{ 'd', BERTH_OP_DETH }, { 'r', BERTH_OP_RETH }, { 't', BERTH_OP_ATOMICETH },
		{ 'a', BERTH_OP_AETH }, { 'k', BERTH_OP_ATOMICACKETH }, { 'i', BERTH_OP_IMM },
		{ 'v', BERTH_OP_IETH }, { 'q', BERTH_OP_REQUEST }, { 's', BERTH_OP_RESPONSE },
		{ '<', BERTH_OP_START }, { '>', BERTH_OP_END }, { 'p', BERTH_OP_PAYLOAD },
		{ 'P', BERTH_OP_PAYLOAD | BERTH_OP_FILLED }, { 'c', BERTH_OP_RECV },
	};
	u16 flags = 0;

	for (; *letters; letters++)
		for (size_t i = 0; i < sizeof(map) / sizeof(map[0]); i++)
			if (map[i].letter == *letters)
				flags |= map[i].flags;
	return flags;
}

static const struct expectation *expect(u8 opcode)
{
	for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++)
		if (expected[i].opcode == opcode)
			return &expected[i];
	return NULL;
}

static void opcode_find__every_value(void **state)
{
	for (int v = 0; v < 256; v++) {
		const struct berth_opcode *op = berth_opcode_find(v);
		const struct expectation *e = expect(v);

		if (!e) {
			assert_null(op);
			continue;
		}
		assert_non_null(op);
		assert_int_equal(op->value, v);
		assert_int_equal(berth_opcode_service(op), v / 32);
		assert_int_equal(op->hdr_len, e->hdr_len);
		assert_int_equal(op->class, e->class);
		assert_int_equal(op->flags, flags_of(e->headers) | flags_of(e->rest));
		assert_true(op->hdr_len <= BERTH_HDR_MAX);
	}
}

static void opcode_find__names_match(void **state)
{
	assert_string_equal(berth_opcode_find(BERTH_RC_SEND_ONLY_INV)->name,
			    "BERTH_RC_SEND_ONLY_INV");
	assert_string_equal(berth_opcode_find(BERTH_UD_SEND_ONLY)->name, "BERTH_UD_SEND_ONLY");
}

static int pick(enum berth_op_kind kind, const char *where, enum berth_op_tail tail)
{
	return berth_opcode_pick(kind, strchr(where, '<'), strchr(where, '>'), tail);
}

static void opcode_pick__send(void **state)
{
	for (enum berth_op_tail t = BERTH_TAIL_NONE; t <= BERTH_TAIL_INV; t++) {
		assert_int_equal(pick(BERTH_KIND_SEND, "<", t), 0x00);
		assert_int_equal(pick(BERTH_KIND_SEND, "", t), 0x01);
	}
	assert_int_equal(pick(BERTH_KIND_SEND, ">", BERTH_TAIL_NONE), 0x02);
	assert_int_equal(pick(BERTH_KIND_SEND, ">", BERTH_TAIL_IMM), 0x03);
	assert_int_equal(pick(BERTH_KIND_SEND, ">", BERTH_TAIL_INV), 0x16);
	assert_int_equal(pick(BERTH_KIND_SEND, "<>", BERTH_TAIL_NONE), 0x04);
	assert_int_equal(pick(BERTH_KIND_SEND, "<>", BERTH_TAIL_IMM), 0x05);
	assert_int_equal(pick(BERTH_KIND_SEND, "<>", BERTH_TAIL_INV), 0x17);
}

static void opcode_pick__write(void **state)
{
	assert_int_equal(pick(BERTH_KIND_WRITE, "<", BERTH_TAIL_IMM), 0x06);
	assert_int_equal(pick(BERTH_KIND_WRITE, "", BERTH_TAIL_IMM), 0x07);
	assert_int_equal(pick(BERTH_KIND_WRITE, ">", BERTH_TAIL_NONE), 0x08);
	assert_int_equal(pick(BERTH_KIND_WRITE, ">", BERTH_TAIL_IMM), 0x09);
	assert_int_equal(pick(BERTH_KIND_WRITE, "<>", BERTH_TAIL_NONE), 0x0a);
	assert_int_equal(pick(BERTH_KIND_WRITE, "<>", BERTH_TAIL_IMM), 0x0b);
	assert_int_equal(pick(BERTH_KIND_WRITE, ">", BERTH_TAIL_INV), -EINVAL);
	assert_int_equal(pick(BERTH_KIND_WRITE, "<>", BERTH_TAIL_INV), -EINVAL);
}

static void opcode_pick__read_response(void **state)
{
	assert_int_equal(pick(BERTH_KIND_READ_RESPONSE, "<", BERTH_TAIL_NONE), 0x0d);
	assert_int_equal(pick(BERTH_KIND_READ_RESPONSE, "", BERTH_TAIL_NONE), 0x0e);
	assert_int_equal(pick(BERTH_KIND_READ_RESPONSE, ">", BERTH_TAIL_NONE), 0x0f);
	assert_int_equal(pick(BERTH_KIND_READ_RESPONSE, "<>", BERTH_TAIL_NONE), 0x10);
	assert_int_equal(pick(BERTH_KIND_READ_RESPONSE, "<>", BERTH_TAIL_IMM), -EINVAL);
}

static void opcode_pick__single_packets(void **state)
{
	static const struct { enum berth_op_kind kind; int opcode; } single[] = {
		{ BERTH_KIND_READ_REQUEST, 0x0c }, { BERTH_KIND_CMP_SWAP, 0x13 },
		{ BERTH_KIND_FETCH_ADD, 0x14 }, { BERTH_KIND_ACK, 0x11 },
		{ BERTH_KIND_ATOMIC_ACK, 0x12 }, { BERTH_KIND_UD_SEND, 0x64 },
		{ BERTH_KIND_ATOMIC_WRITE, 0x1d },
	};

	for (size_t i = 0; i < sizeof(single) / sizeof(single[0]); i++) {
		assert_int_equal(pick(single[i].kind, "<>", BERTH_TAIL_NONE), single[i].opcode);
		assert_int_equal(pick(single[i].kind, "<", BERTH_TAIL_NONE), -EINVAL);
		assert_int_equal(pick(single[i].kind, "", BERTH_TAIL_NONE), -EINVAL);
		assert_int_equal(pick(single[i].kind, ">", BERTH_TAIL_NONE), -EINVAL);
		assert_int_equal(pick(single[i].kind, "<>", BERTH_TAIL_INV), -EINVAL);
		assert_int_equal(pick(single[i].kind, "<>", BERTH_TAIL_IMM),
				 single[i].kind == BERTH_KIND_UD_SEND ? 0x65 : -EINVAL);
	}
}

static void opcode_pick__agrees_with_the_table(void **state)
{
	for (int kind = 0; kind <= BERTH_KIND_UD_SEND; kind++)
		for (int where = 0; where < 4; where++)
			for (int tail = 0; tail <= BERTH_TAIL_INV; tail++) {
				bool first = where & 1, last = where & 2;
				int v = berth_opcode_pick(kind, first, last, tail);
				const struct berth_opcode *op;

				if (v < 0)
					continue;
				op = berth_opcode_find(v);
				assert_non_null(op);
				assert_int_equal(!!(op->flags & BERTH_OP_START), first);
				assert_int_equal(!!(op->flags & BERTH_OP_END), last);
				assert_int_equal(!!(op->flags & BERTH_OP_IMM),
						 last && tail == BERTH_TAIL_IMM);
				assert_int_equal(!!(op->flags & BERTH_OP_IETH),
						 last && tail == BERTH_TAIL_INV);
			}
}

static void opcode_pick__refuses_what_is_no_kind(void **state)
{
	assert_int_equal(berth_opcode_pick(BERTH_KIND_UD_SEND + 1, true, true, 0), -EINVAL);
	assert_int_equal(berth_opcode_pick(-1, true, true, 0), -EINVAL);
	assert_int_equal(berth_opcode_pick(BERTH_KIND_SEND, true, true, BERTH_TAIL_INV + 1),
			 -EINVAL);
	assert_int_equal(berth_opcode_pick(BERTH_KIND_SEND, true, true, -1), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(opcode_find__every_value),
		cmocka_unit_test(opcode_find__names_match),
		cmocka_unit_test(opcode_pick__send),
		cmocka_unit_test(opcode_pick__write),
		cmocka_unit_test(opcode_pick__read_response),
		cmocka_unit_test(opcode_pick__single_packets),
		cmocka_unit_test(opcode_pick__agrees_with_the_table),
		cmocka_unit_test(opcode_pick__refuses_what_is_no_kind),
	};

	return cmocka_run_group_tests_name("opcode", tests, NULL, NULL);
}
