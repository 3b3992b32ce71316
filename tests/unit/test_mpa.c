// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * wire/mpa: known frames both ways, every flag, every length of private data,
 * what is refused and how early, and the arithmetic of an FPDU. Frames under
 * test lie in heap blocks of exactly their readable length.
 */
#include "unit.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "wire/mpa.h"

#define REQ	'M', 'P', 'A', ' ', 'I', 'D', ' ', 'R', 'e', 'q', ' ', 'F', 'r', 'a', 'm', 'e'
#define REP	'M', 'P', 'A', ' ', 'I', 'D', ' ', 'R', 'e', 'p', ' ', 'F', 'r', 'a', 'm', 'e'

/* Revision 1, CRC wanted, three bytes of private data. */
static const u8 request_1[] = { REQ, 0x40, 0x01, 0x00, 0x03, 'a', 'b', 'c' };
static const struct berth_mpa_frame want_request_1 = { .crc = true, .rev = 1, .pd_len = 3 };

/* Revision 2, refused, markers wanted, enhanced: A, IRD 16; C, D, ORD 32; two bytes. */
static const u8 reply_2[] = { REP, 0xb0, 0x02, 0x00, 0x06, 0x80, 0x10, 0xc0, 0x20, 0xfe, 0xed };
static const struct berth_mpa_frame want_reply_2 = {
	.reply = true, .markers = true, .reject = true, .enhanced = true, .rev = 2, .pd_len = 2,
	.ird = 16, .ord = 32, .peer_to_peer = true, .rtr_write = true, .rtr_read = true,
};

static int parse(struct berth_mpa_frame *f, const u8 *bytes, size_t avail)
{
	u8 *copy = malloc(avail ? avail : 1);
	int ret;

	assert_non_null(copy);
	memcpy(copy, bytes, avail);
	memset(f, 0xa5, sizeof(*f));
	ret = berth_mpa_parse(f, avail ? copy : copy + 1, avail);
	free(copy);
	return ret;
}

static void check_equal(const struct berth_mpa_frame *a, const struct berth_mpa_frame *b)
{
	assert_int_equal(a->reply, b->reply);
	assert_int_equal(a->markers, b->markers);
	assert_int_equal(a->crc, b->crc);
	assert_int_equal(a->reject, b->reject);
	assert_int_equal(a->enhanced, b->enhanced);
	assert_int_equal(a->rev, b->rev);
	assert_int_equal(a->pd_len, b->pd_len);
	assert_int_equal(a->ird, b->ird);
	assert_int_equal(a->ord, b->ord);
	assert_int_equal(a->peer_to_peer, b->peer_to_peer);
	assert_int_equal(a->rtr_send, b->rtr_send);
	assert_int_equal(a->rtr_write, b->rtr_write);
	assert_int_equal(a->rtr_read, b->rtr_read);
}

static void check_known(const u8 *bytes, int len, const struct berth_mpa_frame *want)
{
	struct berth_mpa_frame f;
	u8 got[BERTH_MPA_FRAME_MAX];
	u32 at = berth_mpa_pd_offset(want);

	assert_int_equal(parse(&f, bytes, len), len);
	check_equal(&f, want);
	assert_int_equal(at + want->pd_len, len);
	assert_int_equal(berth_mpa_build(want, bytes + at, got, len), len);
	assert_memory_equal(got, bytes, len);
}

static void mpa__known_bytes(void **state)
{
	check_known(request_1, sizeof(request_1), &want_request_1);
	check_known(reply_2, sizeof(reply_2), &want_reply_2);
}

static void mpa__every_flag_there_and_back(void **state)
{
	for (int bits = 0; bits < 512; bits++) {
		struct berth_mpa_frame in = {
			.reply = bits & 1, .markers = bits & 2, .crc = bits & 4,
			.reject = (bits & 9) == 9, .enhanced = bits & 16, .rev = 2,
		}, out;
		u8 bytes[24];
		int len = in.enhanced ? 24 : 20;

		if (in.enhanced) {
			in.peer_to_peer = bits & 32;
			in.rtr_send = bits & 64;
			in.rtr_write = bits & 128;
			in.rtr_read = bits & 256;
			in.ird = 0x3fff;
			in.ord = 0x1234;
		}
		assert_int_equal(berth_mpa_build(&in, NULL, bytes, sizeof(bytes)), len);
		assert_int_equal(parse(&out, bytes, len), len);
		check_equal(&out, &in);
	}
}

static void mpa__every_length_of_private_data(void **state)
{
	u8 pd[BERTH_MPA_PD_MAX + 1], bytes[BERTH_MPA_FRAME_MAX + 8];

	for (size_t i = 0; i < sizeof(pd); i++)
		pd[i] = i * 7;
	for (int enhanced = 0; enhanced < 2; enhanced++) {
		for (int n = 0; n <= 512 - 4 * enhanced; n++) {
			struct berth_mpa_frame in = { .rev = 2, .enhanced = enhanced, .pd_len = n };
			struct berth_mpa_frame out;
			int len = 20 + 4 * enhanced + n;

			assert_int_equal(berth_mpa_build(&in, pd, bytes, len), len);
			assert_int_equal(bytes[18] << 8 | bytes[19], 4 * enhanced + n);
			assert_int_equal(parse(&out, bytes, len), len);
			check_equal(&out, &in);
			assert_memory_equal(bytes + berth_mpa_pd_offset(&out), pd, n);
		}
	}
}

static void mpa_parse__every_truncation_asks_for_more(void **state)
{
	struct berth_mpa_frame f;

	for (size_t n = 0; n < sizeof(request_1); n++)
		assert_int_equal(parse(&f, request_1, n), -EAGAIN);
	for (size_t n = 0; n < sizeof(reply_2); n++)
		assert_int_equal(parse(&f, reply_2, n), -EAGAIN);
}

static void mpa_parse__leaves_what_follows(void **state)
{
	u8 bytes[sizeof(reply_2) + 5];
	struct berth_mpa_frame f;

	memset(bytes, 0xff, sizeof(bytes));
	memcpy(bytes, reply_2, sizeof(reply_2));
	assert_int_equal(parse(&f, bytes, sizeof(bytes)), sizeof(reply_2));
	check_equal(&f, &want_reply_2);
}

/* A wrong byte of the key is refused when it comes, and for ever after. */
static void mpa_parse__wrong_keys(void **state)
{
	struct berth_mpa_frame f;

	for (size_t at = 0; at < 16; at++) {
		u8 bytes[sizeof(request_1)];

		memcpy(bytes, request_1, sizeof(bytes));
		bytes[at] ^= 0x20;
		for (size_t n = 0; n <= at; n++)
			assert_int_equal(parse(&f, bytes, n), -EAGAIN);
		for (size_t n = at + 1; n <= sizeof(bytes); n++)
			assert_int_equal(parse(&f, bytes, n), -EPROTO);
	}
}

static void mpa_parse__other_revisions(void **state)
{
	u8 bytes[sizeof(request_1)];
	struct berth_mpa_frame f;

	memcpy(bytes, request_1, sizeof(bytes));
	for (int rev = 0; rev < 256; rev++) {
		bool known = rev == 1 || rev == 2;

		bytes[17] = rev;
		assert_int_equal(parse(&f, bytes, 17), -EAGAIN);
		assert_int_equal(parse(&f, bytes, 18), known ? -EAGAIN : -EPROTONOSUPPORT);
		assert_int_equal(parse(&f, bytes, sizeof(bytes)),
				 known ? (int)sizeof(bytes) : -EPROTONOSUPPORT);
	}
}

static void mpa_parse__too_much_private_data(void **state)
{
	u8 bytes[BERTH_MPA_FRAME_MAX + 1] = { REQ, 0x00, 0x01, 0x02, 0x00 };
	struct berth_mpa_frame f;

	assert_int_equal(parse(&f, bytes, 20), -EAGAIN);
	assert_int_equal(parse(&f, bytes, 532), 532);
	assert_int_equal(f.pd_len, 512);
	bytes[19] = 0x01;
	assert_int_equal(parse(&f, bytes, 20), -EPROTO);
	assert_int_equal(parse(&f, bytes, 533), -EPROTO);
	bytes[18] = bytes[19] = 0xff;
	assert_int_equal(parse(&f, bytes, 20), -EPROTO);
}

static void mpa_parse__enhanced_without_room_for_it(void **state)
{
	u8 bytes[24] = { REQ, 0x10, 0x02, 0x00, 0x00 };
	struct berth_mpa_frame f;

	for (int n = 0; n < 4; n++) {
		bytes[19] = n;
		assert_int_equal(parse(&f, bytes, 19), -EAGAIN);
		assert_int_equal(parse(&f, bytes, 20), -EPROTO);
	}
	bytes[19] = 4;
	assert_int_equal(parse(&f, bytes, 24), 24);
	assert_true(f.enhanced);
	assert_int_equal(f.pd_len, 0);
}

/* R of a request, S of revision 1, and the four that nobody has a use for. */
static void mpa_parse__reserved_bits_do_not_matter(void **state)
{
	u8 request[24] = { REQ, 0x3f, 0x01, 0x00, 0x04 };
	u8 reply[20] = { REP, 0x0f, 0x02, 0x00, 0x00 };
	struct berth_mpa_frame f;

	assert_int_equal(parse(&f, request, 24), 24);
	assert_false(f.reject);
	assert_false(f.enhanced);
	assert_int_equal(f.pd_len, 4);
	assert_int_equal(parse(&f, reply, 20), 20);
	assert_false(f.markers || f.crc || f.reject || f.enhanced);
}

static void mpa_parse__any_alignment(void **state)
{
	u8 room[sizeof(reply_2) + 8];
	struct berth_mpa_frame f;

	for (size_t shift = 0; shift < 8; shift++) {
		berth_mpa_build(&want_reply_2, reply_2 + 24, room + shift, sizeof(reply_2));
		assert_int_equal(berth_mpa_parse(&f, room + shift, sizeof(reply_2)), sizeof(reply_2));
		check_equal(&f, &want_reply_2);
	}
}

static void mpa_build__refusals_write_nothing(void **state)
{
	const struct berth_mpa_frame bad[] = {
		{ .rev = 0 }, { .rev = 3 },
		{ .rev = 1, .reject = true },
		{ .rev = 1, .enhanced = true },
		{ .rev = 2, .enhanced = true, .ird = 0x4000 },
		{ .rev = 2, .enhanced = true, .ord = 0x4000 },
		{ .rev = 2, .pd_len = 513 },
		{ .rev = 2, .enhanced = true, .pd_len = 509 },
	};
	u8 bytes[1024], untouched[1024], pd[1024] = { 0 };

	memset(bytes, 0x5a, sizeof(bytes));
	memset(untouched, 0x5a, sizeof(untouched));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(berth_mpa_build(&bad[i], pd, bytes, sizeof(bytes)), -EINVAL);
	for (size_t room = 0; room < sizeof(reply_2); room++)
		assert_int_equal(berth_mpa_build(&want_reply_2, pd, bytes, room), -ENOSPC);
	assert_memory_equal(bytes, untouched, sizeof(bytes));
}

static void mpa_fpdu_len__is_a_multiple_of_four(void **state)
{
	for (u32 n = 0; n <= BERTH_MPA_ULPDU_MAX; n++) {
		u32 len = berth_mpa_fpdu_len(n);

		assert_true(berth_mpa_pad(n) <= 3);
		assert_int_equal(len % 4, 0);
		assert_int_equal(len, 2 + n + berth_mpa_pad(n) + 4);
	}
	assert_int_equal(berth_mpa_fpdu_len(0), 8);
	assert_int_equal(berth_mpa_fpdu_len(14), 20);
	assert_int_equal(berth_mpa_pad(14), 0);
	assert_int_equal(berth_mpa_pad(15), 3);
	assert_int_equal(berth_mpa_fpdu_len(65535), 65544);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mpa__known_bytes),
		cmocka_unit_test(mpa__every_flag_there_and_back),
		cmocka_unit_test(mpa__every_length_of_private_data),
		cmocka_unit_test(mpa_parse__every_truncation_asks_for_more),
		cmocka_unit_test(mpa_parse__leaves_what_follows),
		cmocka_unit_test(mpa_parse__wrong_keys),
		cmocka_unit_test(mpa_parse__other_revisions),
		cmocka_unit_test(mpa_parse__too_much_private_data),
		cmocka_unit_test(mpa_parse__enhanced_without_room_for_it),
		cmocka_unit_test(mpa_parse__reserved_bits_do_not_matter),
		cmocka_unit_test(mpa_parse__any_alignment),
		cmocka_unit_test(mpa_build__refusals_write_nothing),
		cmocka_unit_test(mpa_fpdu_len__is_a_multiple_of_four),
	};

	return cmocka_run_group_tests_name("mpa", tests, NULL, NULL);
}
