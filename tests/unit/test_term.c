// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * wire/term: known bodies both ways, every set of flags with every length, what
 * cannot be, and what the peer is told of each refusal. Bodies under test lie in
 * heap blocks of exactly their length.
 */
#include "unit.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "wire/ddp.h"
#include "wire/term.h"

static int parse(struct berth_term *term, const u8 *bytes, u32 len)
{
	u8 *copy = malloc(len);
	int ret;

	assert_non_null(copy);
	memcpy(copy, bytes, len);
	memset(term, 0xa5, sizeof(*term));
	ret = berth_term_parse(term, copy, len);
	free(copy);
	return ret;
}

static void check_equal(const struct berth_term *a, const struct berth_term *b)
{
	assert_int_equal(a->error.layer, b->error.layer);
	assert_int_equal(a->error.type, b->error.type);
	assert_int_equal(a->error.code, b->error.code);
	assert_int_equal(a->flags, b->flags);
	assert_int_equal(a->seg_len, b->seg_len);
	assert_int_equal(a->copied_len, b->copied_len);
	assert_memory_equal(a->copied, b->copied, sizeof(a->copied));
}

static void check_known(const u8 *bytes, int len, const struct berth_term *want)
{
	struct berth_term term;
	u8 got[128];

	assert_int_equal(berth_term_len(want), len);
	berth_term_build(want, got);
	assert_memory_equal(got, bytes, len);
	assert_int_equal(parse(&term, bytes, len), 0);
	check_equal(&term, want);
}

static void term__known_bytes(void **state)
{
	/* MPA: the CRC was wrong. */
	static const u8 crc[] = { 0x20, 0x02, 0x00, 0x00 };
	const struct berth_term want_crc = {
		.error = { BERTH_TERM_LLP, BERTH_TERM_LLP_MPA, BERTH_TERM_MPA_CRC },
	};
	/* RDMAP: no access to what a READ of 46 bytes of ULPDU wants; M, D and R. */
	static const u8 access[] = {
		0x01, 0x02, 0xe0, 0x00, 0x00, 0x2e, 0x41, 0x41, 0x99,
	};
	const struct berth_term want_access = {
		.error = { BERTH_TERM_RDMAP, BERTH_TERM_RDMAP_PROTECTION, BERTH_TERM_RDMAP_ACCESS },
		.flags = BERTH_TERM_M | BERTH_TERM_D | BERTH_TERM_R, .seg_len = 46,
		.copied_len = 3, .copied = { 0x41, 0x41, 0x99 },
	};

	check_known(crc, sizeof(crc), &want_crc);
	check_known(access, sizeof(access), &want_access);
}

static void term__every_flag_and_length_there_and_back(void **state)
{
	for (int flags = 0; flags < 256; flags += 0x20) {
		bool sized = flags & 0xc0;

		for (int len = 0; len <= (sized ? 70 : 72); len++) {
			struct berth_term in = {
				.error = { 0xf, 0xe, 0xdc }, .flags = flags,
				.seg_len = sized ? 0xfedc : 0, .copied_len = len,
			}, out;
			int n = 4 + (sized ? 2 : 0) + len;
			u8 *bytes = malloc(n);

			memset(in.copied, 0x77, len);
			assert_int_equal(berth_term_len(&in), n);
			berth_term_build(&in, bytes);
			assert_int_equal(parse(&out, bytes, n), 0);
			check_equal(&out, &in);
			free(bytes);
		}
	}
}

static void term_parse__segment_length_missing(void **state)
{
	for (int flags = 0; flags < 256; flags += 0x20) {
		u8 bytes[6] = { 0x11, 0x00, flags, 0x00, 0x12, 0x34 };
		struct berth_term term;
		bool sized = flags & 0xc0;

		assert_int_equal(parse(&term, bytes, 4), sized ? -EBADMSG : 0);
		assert_int_equal(parse(&term, bytes, 5), sized ? -EBADMSG : 0);
		assert_int_equal(parse(&term, bytes, 6), 0);
		assert_int_equal(term.seg_len, sized ? 0x1234 : 0);
		assert_int_equal(term.copied_len, sized ? 0 : 2);
	}
}

static void term_parse__reserved_bits_do_not_matter(void **state)
{
	static const u8 bytes[] = { 0x00, 0x00, 0x1f, 0xff };
	struct berth_term term;

	assert_int_equal(parse(&term, bytes, 4), 0);
	assert_int_equal(term.flags, 0);
}

/*
 * As siw writes it on a little-endian machine, nibbles and flags the other way
 * round: DDP's untagged error 4. What it copied is still taken as it came.
 */
static void term_parse__of_siw(void **state)
{
	static const u8 bytes[] = {
		0x21, 0x04, 0x03, 0x00,
		0x00, 0x40, 0x41, 0x43, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 9,
	};
	struct berth_term term;

	assert_int_equal(parse(&term, bytes, sizeof(bytes)), 0);
	assert_int_equal(term.error.layer, 2);
	assert_int_equal(term.error.type, 1);
	assert_int_equal(term.error.code, 4);
	assert_int_equal(term.flags, 0);
	assert_int_equal(term.copied_len, 20);
	assert_memory_equal(term.copied, bytes + 4, 20);
}

static void term_len__what_cannot_be(void **state)
{
	const struct berth_term bad[] = {
		{ .error.layer = 16 }, { .error.type = 16 },
		{ .flags = 0x10 }, { .flags = 0xe1 },
		{ .copied_len = 73 }, { .copied_len = 255 },
		{ .flags = BERTH_TERM_M, .copied_len = 71 },
		{ .flags = BERTH_TERM_D, .copied_len = 71 },
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(berth_term_len(&bad[i]), -EINVAL);
}

static void check_error(enum berth_ddp_reason reason, bool tagged, u8 layer, u8 type, u8 code)
{
	const struct berth_ddp seg = { .reason = reason, .tagged = tagged };
	struct berth_term_error error = berth_term_error(&seg);

	assert_int_equal(error.layer, layer);
	assert_int_equal(error.type, type);
	assert_int_equal(error.code, code);
}

static void term_error__every_reason(void **state)
{
	check_error(BERTH_DDP_SHORT, false, 0, 2, 0xff);
	check_error(BERTH_DDP_VERSION, false, 1, 2, 0x06);
	check_error(BERTH_DDP_VERSION, true, 1, 1, 0x04);
	check_error(BERTH_DDP_RDMAP_VERSION, true, 0, 2, 0x05);
	check_error(BERTH_DDP_OPCODE, false, 0, 2, 0x06);
	check_error(BERTH_DDP_MODEL, true, 0, 2, 0x06);
	check_error(BERTH_DDP_PAYLOAD, false, 0, 2, 0xff);
	check_error(BERTH_DDP_PARTIAL, false, 0, 2, 0xff);
	check_error(BERTH_DDP_QN, false, 1, 2, 0x01);
	check_error(BERTH_DDP_MO, false, 1, 2, 0x04);
	check_error(BERTH_DDP_TO, true, 1, 1, 0x03);
	check_error(BERTH_DDP_AOP, false, 0, 2, 0x06);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(term__known_bytes),
		cmocka_unit_test(term__every_flag_and_length_there_and_back),
		cmocka_unit_test(term_parse__segment_length_missing),
		cmocka_unit_test(term_parse__reserved_bits_do_not_matter),
		cmocka_unit_test(term_parse__of_siw),
		cmocka_unit_test(term_len__what_cannot_be),
		cmocka_unit_test(term_error__every_reason),
	};

	return cmocka_run_group_tests_name("term", tests, NULL, NULL);
}
