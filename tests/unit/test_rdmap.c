// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/* wire/rdmap: the table against the figures of RFC 5040, 4, and RFC 7306, written out again. */
#include "unit.h"
#include "wire/rdmap.h"

struct expected {
	u8 opcode;
	bool tagged;
	bool payload;
	bool se;
	bool inv;
	u8 qn;
	u8 body;
	u8 hdr;		/* with the two bytes of MPA */
};

static const struct expected expected[] = {
	/*  op  T      payload SE    inv    QN body hdr */
	{ 0x0, true,  true,  false, false, 0, 0,  16 },	/* RDMA Write */
	{ 0x1, false, false, false, false, 1, 28, 48 },	/* RDMA Read Request */
	{ 0x2, true,  true,  false, false, 0, 0,  16 },	/* RDMA Read Response */
	{ 0x3, false, true,  false, false, 0, 0,  20 },	/* Send */
	{ 0x4, false, true,  false, true,  0, 0,  20 },	/* Send with Invalidate */
	{ 0x5, false, true,  true,  false, 0, 0,  20 },	/* Send with SE */
	{ 0x6, false, true,  true,  true,  0, 0,  20 },	/* Send with SE and Invalidate */
	{ 0x7, false, false, false, false, 2, 4,  24 },	/* Terminate */
	{ 0x8, false, false, false, false, 0, 8,  28 },	/* Immediate Data */
	{ 0x9, false, false, true,  false, 0, 8,  28 },	/* Immediate Data with SE */
	{ 0xa, false, false, false, false, 1, 52, 72 },	/* Atomic Request */
	{ 0xb, false, false, false, false, 3, 12, 32 },	/* Atomic Response */
};

static void rdmap_find__every_opcode(void **state)
{
	for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
		const struct expected *e = &expected[i];
		const struct berth_rdmap_op *op = berth_rdmap_find(e->opcode);

		assert_non_null(op);
		assert_non_null(op->name);
		assert_int_equal(op->value, e->opcode);
		assert_int_equal(!!(op->flags & BERTH_RDMAP_TAGGED), e->tagged);
		assert_int_equal(!!(op->flags & BERTH_RDMAP_PAYLOAD), e->payload);
		assert_int_equal(!!(op->flags & BERTH_RDMAP_SE), e->se);
		assert_int_equal(!!(op->flags & BERTH_RDMAP_INV), e->inv);
		assert_int_equal(!!(op->flags & BERTH_RDMAP_OPEN), e->opcode == 0x7);
		assert_int_equal(op->qn, e->qn);
		assert_int_equal(op->body_len, e->body);
		assert_int_equal(op->hdr_len, e->hdr);
	}
}

static void rdmap_find__nothing_else(void **state)
{
	for (int v = 0xc; v < 256; v++)
		assert_null(berth_rdmap_find(v));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rdmap_find__every_opcode),
		cmocka_unit_test(rdmap_find__nothing_else),
	};

	return cmocka_run_group_tests_name("rdmap", tests, NULL, NULL);
}
