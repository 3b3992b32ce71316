// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * wire/bth: layouts byte by byte, PSN arithmetic around every wrap, syndromes,
 * and the timer and MTU tables against the formulas behind them.
 */
#include "unit.h"
#include <string.h>
#include "wire/bth.h"

static void bth__accessors_read_the_right_bits(void **state)
{
	const u8 bytes[12] = { 0x0a, 0xf0, 0x12, 0x34, 0xc0, 0xab, 0xcd, 0xef,
			       0x80, 0x01, 0x02, 0x03 };
	struct berth_bth bth;

	memcpy(&bth, bytes, sizeof(bth));
	assert_int_equal(bth.opcode, 0x0a);
	assert_true(berth_bth_se(&bth));
	assert_true(berth_bth_mig(&bth));
	assert_int_equal(berth_bth_pad(&bth), 3);
	assert_int_equal(berth_bth_tver(&bth), 0);
	assert_int_equal(berth_bth_pkey(&bth), 0x1234);
	assert_true(berth_bth_fecn(&bth));
	assert_true(berth_bth_becn(&bth));
	assert_int_equal(berth_bth_qpn(&bth), 0xabcdef);
	assert_true(berth_bth_ackreq(&bth));
	assert_int_equal(berth_bth_psn(&bth), 0x010203);
}

static void bth__each_flag_is_alone(void **state)
{
	struct berth_bth bth = { .flags = 0x80 };

	assert_true(berth_bth_se(&bth));
	assert_false(berth_bth_mig(&bth));
	bth.flags = 0x40;
	assert_false(berth_bth_se(&bth));
	assert_true(berth_bth_mig(&bth));
	bth.flags = 0x10;
	assert_int_equal(berth_bth_pad(&bth), 1);
	bth.flags = 0x0f;
	assert_int_equal(berth_bth_pad(&bth), 0);
	assert_int_equal(berth_bth_tver(&bth), 15);

	bth.qpn = cpu_to_be32(0x80000000);
	assert_true(berth_bth_fecn(&bth));
	assert_false(berth_bth_becn(&bth));
	bth.qpn = cpu_to_be32(0x40000000);
	assert_false(berth_bth_fecn(&bth));
	assert_true(berth_bth_becn(&bth));
	bth.qpn = cpu_to_be32(0x3f000000);
	assert_false(berth_bth_fecn(&bth));
	assert_false(berth_bth_becn(&bth));
	assert_int_equal(berth_bth_qpn(&bth), 0);

	bth.psn = cpu_to_be32(0x7fffffff);
	assert_false(berth_bth_ackreq(&bth));
	assert_int_equal(berth_bth_psn(&bth), 0xffffff);
}

static void bth__extended_headers_are_packed(void **state)
{
	assert_int_equal(offsetof(struct berth_reth, rkey), 8);
	assert_int_equal(offsetof(struct berth_reth, len), 12);
	assert_int_equal(offsetof(struct berth_atomiceth, rkey), 8);
	assert_int_equal(offsetof(struct berth_atomiceth, swap_add), 12);
	assert_int_equal(offsetof(struct berth_atomiceth, compare), 20);
	assert_int_equal(offsetof(struct berth_deth, src_qpn), 4);
	assert_int_equal(_Alignof(struct berth_reth), 1);
	assert_int_equal(_Alignof(struct berth_bth), 1);
}

static void pad_len__completes_to_four(void **state)
{
	for (u32 n = 0; n < 64; n++) {
		assert_int_equal((n + berth_pad_len(n)) % 4, 0);
		assert_in_range(berth_pad_len(n), 0, 3);
	}
}

static void psn_add__wraps_at_24_bits(void **state)
{
	assert_int_equal(berth_psn_add(0, 0), 0);
	assert_int_equal(berth_psn_add(0xffffff, 1), 0);
	assert_int_equal(berth_psn_add(0xfffffe, 5), 3);
	assert_int_equal(berth_psn_add(0, -1), 0xffffff);
	assert_int_equal(berth_psn_add(3, -5), 0xfffffe);
	assert_int_equal(berth_psn_add(0x7fffff, 1), 0x800000);
	assert_int_equal(berth_psn_add(5, 0x1000000), 5);
	assert_int_equal(berth_psn_add(0x12abcdef, 0), 0xabcdef);
}

static void psn_cmp__small_distances_around_wraps(void **state)
{
	static const u32 bases[] = { 0, 1, 0x7ffffe, 0x7fffff, 0x800000, 0x800001,
				     0xfffffe, 0xffffff, 0x123456 };

	for (size_t i = 0; i < sizeof(bases) / sizeof(bases[0]); i++)
		for (int d = -300; d <= 300; d++) {
			u32 ahead = berth_psn_add(bases[i], d);

			assert_int_equal(berth_psn_cmp(ahead, bases[i]), d);
			assert_int_equal(berth_psn_cmp(bases[i], ahead), -d);
		}
}

static void psn_cmp__half_of_the_space(void **state)
{
	assert_int_equal(berth_psn_cmp(0x7fffff, 0), 0x7fffff);
	assert_int_equal(berth_psn_cmp(0x800000, 0), -0x800000);
	assert_int_equal(berth_psn_cmp(0, 0x800000), -0x800000);
	assert_int_equal(berth_psn_cmp(0x800001, 0), -0x7fffff);
	assert_int_equal(berth_psn_cmp(0, 0x800001), 0x7fffff);
	assert_int_equal(berth_psn_cmp(0x7ffffe, 0xffffff), 0x7fffff);
	assert_int_equal(berth_psn_cmp(0x7fffff, 0xffffff), -0x800000);
}

static void psn_cmp__ignores_bits_above(void **state)
{
	assert_int_equal(berth_psn_cmp(0xff000005, 0x03), 2);
	assert_int_equal(berth_psn_cmp(0x03, 0x80000005), -2);
}

static void psn_cmp__inverts_add_everywhere(void **state)
{
	u32 a = 1, b = 2;

	for (int i = 0; i < 200000; i++) {
		a = a * 1664525 + 1013904223;
		b = b * 22695477 + 1;
		assert_int_equal(berth_psn_add(b >> 8, berth_psn_cmp(a >> 8, b >> 8)), a >> 8);
		assert_in_range(berth_psn_cmp(a >> 8, b >> 8) + 0x800000, 0, 0xffffff);
	}
}

static void syndrome_kind__every_value(void **state)
{
	for (int s = 0; s < 256; s++) {
		enum berth_syndrome_kind want = BERTH_SYNDROME_RESERVED;

		if (s < 0x20)
			want = BERTH_SYNDROME_ACK;
		else if (s < 0x40)
			want = BERTH_SYNDROME_RNR;
		else if (s >= 0x60 && s <= 0x64)
			want = BERTH_SYNDROME_NAK;
		assert_int_equal(berth_syndrome_kind(s), want);
		assert_int_equal(berth_syndrome_value(s), s & 31);
	}
}

static void syndrome__encodes_what_the_wire_has(void **state)
{
	assert_int_equal(berth_syndrome_ack(BERTH_CREDIT_INVALID), 0x1f);
	assert_int_equal(berth_syndrome_ack(0), 0x00);
	assert_int_equal(berth_syndrome_rnr(0), 0x20);
	assert_int_equal(berth_syndrome_rnr(14), 0x2e);
	assert_int_equal(berth_syndrome_rnr(31), 0x3f);
	assert_int_equal(berth_syndrome_nak(BERTH_NAK_PSN_SEQUENCE), 0x60);
	assert_int_equal(berth_syndrome_nak(BERTH_NAK_INVALID_REQUEST), 0x61);
	assert_int_equal(berth_syndrome_nak(BERTH_NAK_REMOTE_ACCESS), 0x62);
	assert_int_equal(berth_syndrome_nak(BERTH_NAK_REMOTE_OPERATION), 0x63);
}

static void aeth__splits_syndrome_and_msn(void **state)
{
	const u8 bytes[4] = { 0x62, 0xfe, 0xdc, 0xba };
	struct berth_aeth aeth;

	memcpy(&aeth, bytes, sizeof(aeth));
	assert_int_equal(berth_aeth_syndrome(&aeth), 0x62);
	assert_int_equal(berth_aeth_msn(&aeth), 0xfedcba);
}

static void credits__codes_grow_by_half_octaves(void **state)
{
	for (int code = 0; code < 5; code++)
		assert_int_equal(berth_syndrome_credits(code), code);
	/* From 4 on, each code is 1.5 or 4/3 of the one before: doubled every two. */
	for (int code = 6; code < 31; code++)
		assert_int_equal(berth_syndrome_credits(code),
				 2 * berth_syndrome_credits(code - 2));
	assert_int_equal(berth_syndrome_credits(5), 6);
	assert_int_equal(berth_syndrome_credits(30), 32768);
	assert_int_equal(berth_syndrome_credits(31), -1);
}

static void credit_code__never_promises_more(void **state)
{
	for (u32 n = 0; n < 70000; n++) {
		u8 code = berth_credit_code(n);

		assert_in_range(code, 0, 30);
		assert_true((u32)berth_syndrome_credits(code) <= n);
		if (code < 30)
			assert_true((u32)berth_syndrome_credits(code + 1) > n);
	}
	assert_int_equal(berth_credit_code(~0u), 30);
}

static void rnr_usec__table(void **state)
{
	static const u32 first[] = { 655360, 10, 20, 30, 40, 60 };

	for (u8 code = 0; code < 6; code++)
		assert_int_equal(berth_rnr_usec(code), first[code]);
	for (u8 code = 6; code < 32; code++)
		assert_int_equal(berth_rnr_usec(code), 2 * berth_rnr_usec(code - 2));
	assert_int_equal(berth_rnr_usec(14), 1280);
	assert_int_equal(berth_rnr_usec(25), 61440);
	assert_int_equal(berth_rnr_usec(31), 491520);
	assert_int_equal(berth_rnr_usec(0xe0 | 12), berth_rnr_usec(12));
}

static void rnr_code__shortest_that_suffices(void **state)
{
	assert_int_equal(berth_rnr_code(0), 1);
	assert_int_equal(berth_rnr_code(10), 1);
	assert_int_equal(berth_rnr_code(11), 2);
	assert_int_equal(berth_rnr_code(491520), 31);
	assert_int_equal(berth_rnr_code(491521), 0);
	assert_int_equal(berth_rnr_code(~0u), 0);
	for (u8 code = 0; code < 32; code++)
		assert_int_equal(berth_rnr_code(berth_rnr_usec(code)), code);
}

static void timeout_nsec__table(void **state)
{
	assert_int_equal(berth_timeout_nsec(0), 0);
	assert_int_equal(berth_timeout_nsec(1), 8192);
	assert_int_equal(berth_timeout_nsec(14), 67108864);
	assert_true(berth_timeout_nsec(31) == 8796093022208ull);
	assert_int_equal(berth_timeout_nsec(0x20 | 3), berth_timeout_nsec(3));
}

static void mtu__bytes_and_enum(void **state)
{
	static const u32 sizes[] = { 256, 512, 1024, 2048, 4096 };

	for (u8 i = 0; i < 5; i++) {
		assert_int_equal(berth_mtu_bytes(i + 1), sizes[i]);
		assert_int_equal(berth_mtu_enum(sizes[i]), i + 1);
		assert_int_equal(berth_mtu_enum(sizes[i] - 1), i);
		assert_int_equal(berth_mtu_enum(sizes[i] + 1), i + 1);
	}
	assert_int_equal(berth_mtu_bytes(0), 0);
	assert_int_equal(berth_mtu_bytes(6), 0);
	assert_int_equal(berth_mtu_bytes(255), 0);
	assert_int_equal(berth_mtu_enum(0), 0);
	assert_int_equal(berth_mtu_enum(~0u), 5);
}

static void mtu_of_link__leaves_room_for_headers(void **state)
{
	assert_int_equal(berth_mtu_of_link(1500), 3);
	assert_int_equal(berth_mtu_of_link(4200), 5);
	assert_int_equal(berth_mtu_of_link(4096 + 84), 5);
	assert_int_equal(berth_mtu_of_link(4096 + 83), 4);
	assert_int_equal(berth_mtu_of_link(65536), 5);
	assert_int_equal(berth_mtu_of_link(339), 0);
	assert_int_equal(berth_mtu_of_link(340), 1);
	assert_int_equal(berth_mtu_of_link(0), 0);
	assert_int_equal(berth_mtu_of_link(83), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bth__accessors_read_the_right_bits),
		cmocka_unit_test(bth__each_flag_is_alone),
		cmocka_unit_test(bth__extended_headers_are_packed),
		cmocka_unit_test(pad_len__completes_to_four),
		cmocka_unit_test(psn_add__wraps_at_24_bits),
		cmocka_unit_test(psn_cmp__small_distances_around_wraps),
		cmocka_unit_test(psn_cmp__half_of_the_space),
		cmocka_unit_test(psn_cmp__ignores_bits_above),
		cmocka_unit_test(psn_cmp__inverts_add_everywhere),
		cmocka_unit_test(syndrome_kind__every_value),
		cmocka_unit_test(syndrome__encodes_what_the_wire_has),
		cmocka_unit_test(aeth__splits_syndrome_and_msn),
		cmocka_unit_test(credits__codes_grow_by_half_octaves),
		cmocka_unit_test(credit_code__never_promises_more),
		cmocka_unit_test(rnr_usec__table),
		cmocka_unit_test(rnr_code__shortest_that_suffices),
		cmocka_unit_test(timeout_nsec__table),
		cmocka_unit_test(mtu__bytes_and_enum),
		cmocka_unit_test(mtu_of_link__leaves_room_for_headers),
	};

	return cmocka_run_group_tests_name("bth", tests, NULL, NULL);
}
