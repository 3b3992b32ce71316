// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * tcp/term.c: a Terminate names the segment that its sender stands at, and its receiver finds the
 * same; what names none, or less than it promises, is told apart.
 */
#include "unit.h"
#include <errno.h>
#include <string.h>
#include "tcp/term.h"

static const struct berth_term_error error = {
	.layer = BERTH_TERM_RDMAP, .type = BERTH_TERM_RDMAP_PROTECTION, .code = BERTH_TERM_RDMAP_ACCESS,
};

/* A stream that stands behind the headers of @seg. */
static struct berth_fpdu stand_at(const struct berth_ddp *seg)
{
	u8 bytes[BERTH_DDP_HDR_MAX];
	struct berth_fpdu f;
	int n = berth_ddp_build(seg, bytes, sizeof(bytes));

	assert_true(n > 0);
	berth_fpdu_init(&f);
	assert_int_equal(berth_fpdu_header(&f, bytes, n), n);
	return f;
}

static struct berth_ddp named(const struct berth_ddp *seg)
{
	struct berth_fpdu f = stand_at(seg);
	struct berth_term term;
	struct berth_ddp out;

	berth_term_name(&term, error, &f);
	assert_int_equal(term.error.code, error.code);
	assert_int_equal(berth_term_named(&term, &out), 0);
	assert_int_equal(out.opcode, seg->opcode);
	return out;
}

static void term_named__write(void **state)
{
	const struct berth_ddp seg = {
		.tagged = true, .last = true, .opcode = BERTH_RDMAP_WRITE,
		.stag = 0x12345678, .to = 0xfedcba9876543210, .payload_len = 1000,
	};
	struct berth_ddp out = named(&seg);

	assert_int_equal(out.stag, seg.stag);
	assert_true(out.to == seg.to);
}

static void term_named__send(void **state)
{
	const struct berth_ddp seg = {
		.last = true, .opcode = BERTH_RDMAP_SEND_SE_INV, .inv_stag = 7, .qn = BERTH_QN_SEND,
		.msn = 0x80000001, .mo = 32768, .payload_len = 5,
	};
	struct berth_ddp out = named(&seg);

	assert_int_equal(out.msn, seg.msn);
	assert_int_equal(out.qn, BERTH_QN_SEND);
}

/* Only the headers of requests that fetch are copied with their bodies. */
static void term_named__immediate(void **state)
{
	const struct berth_ddp seg = {
		.last = true, .opcode = BERTH_RDMAP_IMM, .qn = BERTH_QN_SEND, .msn = 12, .imm = 99,
	};
	struct berth_ddp out = named(&seg);

	assert_int_equal(out.msn, 12);
}

static void term_named__read(void **state)
{
	const struct berth_ddp seg = {
		.last = true, .opcode = BERTH_RDMAP_READ_REQUEST, .qn = BERTH_QN_REQUEST, .msn = 3,
		.read = { .sink_stag = 1, .size = 77, .src_stag = 0xabcdef01, .src_to = 0x1122334455667788 },
	};
	struct berth_ddp out = named(&seg);

	assert_int_equal(out.read.src_stag, seg.read.src_stag);
	assert_true(out.read.src_to == seg.read.src_to);
	assert_int_equal(out.read.size, 77);
}

static void term_named__atomic(void **state)
{
	const struct berth_ddp seg = {
		.last = true, .opcode = BERTH_RDMAP_ATOMIC_REQUEST, .qn = BERTH_QN_REQUEST, .msn = 4,
		.atomic = { .to = 0x1000, .stag = 0x55, .request_id = 9, .aop = BERTH_AOP_CMP_SWAP },
	};
	struct berth_ddp out = named(&seg);

	assert_int_equal(out.atomic.stag, 0x55);
	assert_true(out.atomic.to == 0x1000);
}

/* A range that ends behind the last address is refused by the parser, and named all the same. */
static void term_named__wrap(void **state)
{
	const struct berth_ddp seg = {
		.tagged = true, .last = true, .opcode = BERTH_RDMAP_WRITE,
		.stag = 0x77, .to = ~0ULL - 9, .payload_len = 100,
	};
	u8 bytes[BERTH_DDP_HDR_MAX];
	struct berth_fpdu f;
	struct berth_term term;
	struct berth_ddp out;
	int n = berth_ddp_build(&seg, bytes, sizeof(bytes));

	assert_true(n > 0);
	berth_fpdu_init(&f);
	assert_true(berth_fpdu_header(&f, bytes, n) < 0);
	berth_term_name(&term, berth_term_error(&f.seg), &f);
	assert_int_equal(term.error.code, BERTH_TERM_TAGGED_WRAP);
	assert_int_equal(berth_term_named(&term, &out), 0);
	assert_int_equal(out.stag, 0x77);
	assert_true(out.to == seg.to);
}

static void term_name__nothing(void **state)
{
	struct berth_fpdu f;
	struct berth_term term;
	struct berth_ddp out;

	berth_fpdu_init(&f);
	berth_term_name(&term, error, &f);
	assert_int_equal(term.flags, 0);
	assert_int_equal(berth_term_named(&term, &out), -ENOENT);
	/* Half of the headers. */
	assert_int_equal(berth_fpdu_header(&f, "\x00\x20\xc1\x40\x00\x00", 6), 6);
	berth_term_name(&term, error, &f);
	assert_int_equal(term.flags, 0);
}

/* A peer may say that it copied what it has not, or copy nonsense. */
static void term_named__lies(void **state)
{
	struct berth_term term = { .flags = BERTH_TERM_D, .copied_len = 13, .copied = { 0xc1, 0x40 } };
	struct berth_ddp out;

	assert_int_equal(berth_term_named(&term, &out), -ENOENT);
	term.copied_len = BERTH_TERM_EXTRA_MAX;
	term.copied[1] = 0x4f;
	assert_int_equal(berth_term_named(&term, &out), -ENOENT);
	term.copied[1] = 0x43;
	memset(term.copied + 2, 0xff, BERTH_TERM_EXTRA_MAX - 2);
	assert_int_equal(berth_term_named(&term, &out), 0);
	assert_int_equal(out.msn, 0xffffffff);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(term_named__write),
		cmocka_unit_test(term_named__send),
		cmocka_unit_test(term_named__immediate),
		cmocka_unit_test(term_named__read),
		cmocka_unit_test(term_named__atomic),
		cmocka_unit_test(term_named__wrap),
		cmocka_unit_test(term_name__nothing),
		cmocka_unit_test(term_named__lies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
