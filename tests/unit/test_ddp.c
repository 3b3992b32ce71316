// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * wire/ddp: every opcode there and back, and every way in which a segment can
 * contradict itself. Headers under test lie in heap blocks of exactly their
 * readable length.
 */
#include "ddp_test.h"

static void ddp__longest_headers(void **state)
{
	struct berth_ddp in = sample(BERTH_RDMAP_TERMINATE), out;
	u8 bytes[BERTH_DDP_HDR_MAX];

	in.term.copied_len = 70;
	memset(in.term.copied, 0x77, 70);
	assert_int_equal(berth_ddp_build(&in, bytes, sizeof(bytes)), 96);
	assert_int_equal(sizeof(bytes), 96);
	assert_int_equal(parse(&out, bytes, 96), 96);
	check_equal(&out, &in);
	assert_int_equal(berth_ddp_prefix(&out, bytes), 96);
}

static void ddp__every_opcode_there_and_back(void **state)
{
	for (int v = 0; v < OPCODES; v++) {
		const struct berth_rdmap_op *op = berth_rdmap_find(v);
		struct berth_ddp in = sample(v), out;
		u8 bytes[BERTH_DDP_HDR_MAX];
		u32 most = carries(v) ? BERTH_MPA_ULPDU_MAX - (op->hdr_len - 2) : 0;

		for (u32 len = 0; len <= most; len += len < 9 ? 1 : len < most - 9 ? 9973 : 1) {
			int n;

			in.payload_len = len;
			memset(bytes, 0xee, sizeof(bytes));
			n = berth_ddp_build(&in, bytes, sizeof(bytes));
			assert_true(n >= op->hdr_len);
			assert_int_equal(parse(&out, bytes, n), n);
			assert_ptr_equal(out.op, op);
			assert_int_equal(out.qn, op->qn);
			assert_int_equal(out.tagged, !!(op->flags & BERTH_RDMAP_TAGGED));
			check_equal(&out, &in);
		}
	}
}

static void check_refused(const u8 *bytes, size_t avail, int err, enum berth_ddp_reason reason)
{
	struct berth_ddp seg;

	assert_int_equal(parse(&seg, bytes, avail), err);
	assert_int_equal(seg.reason, reason);
}

/* The headers of a sample, in a room that has more zeros behind. */
static int bytes_of(u8 *bytes, u8 opcode)
{
	struct berth_ddp seg = sample(opcode);

	memset(bytes, 0, 128);
	return berth_ddp_build(&seg, bytes, BERTH_DDP_HDR_MAX);
}

static void ddp_parse__every_truncation(void **state)
{
	for (int v = 0; v < OPCODES; v++) {
		u8 bytes[128];
		int n = bytes_of(bytes, v);

		/* Fewer bytes are at hand than the headers take... */
		for (int avail = 0; avail < n; avail++)
			check_refused(bytes, avail, -EBADMSG, BERTH_DDP_SHORT);
		/* ...or the ULPDU ends within them. */
		if (v == BERTH_RDMAP_TERMINATE)
			n = 26;
		for (int len = 0; len < n - 2; len++) {
			bytes[0] = 0;
			bytes[1] = len;
			check_refused(bytes, 128, -EBADMSG, BERTH_DDP_SHORT);
		}
	}
}

static void ddp_parse__other_versions(void **state)
{
	for (int v = 0; v < OPCODES; v++) {
		u8 bytes[128];

		for (int version = 0; version < 4; version++) {
			if (version == 1)
				continue;
			bytes_of(bytes, v);
			bytes[2] = (bytes[2] & ~0x03) | version;
			check_refused(bytes, 128, -EPROTO, BERTH_DDP_VERSION);
			bytes_of(bytes, v);
			bytes[3] = (bytes[3] & ~0xc0) | version << 6;
			check_refused(bytes, 128, -EPROTO, BERTH_DDP_RDMAP_VERSION);
		}
	}
}

static void ddp_parse__unknown_opcodes(void **state)
{
	for (int v = OPCODES; v < 16; v++) {
		u8 bytes[128];

		bytes_of(bytes, BERTH_RDMAP_SEND);
		bytes[3] = 0x40 | v;
		check_refused(bytes, 128, -EPROTO, BERTH_DDP_OPCODE);
	}
}

static void ddp_parse__the_other_buffer_model(void **state)
{
	for (int v = 0; v < OPCODES; v++) {
		u8 bytes[128];

		bytes_of(bytes, v);
		bytes[2] ^= 0x80;
		check_refused(bytes, 128, -EBADMSG, BERTH_DDP_MODEL);
	}
}

static void ddp_parse__other_queues(void **state)
{
	for (int v = 0; v < OPCODES; v++) {
		u8 bytes[128];

		bytes_of(bytes, v);
		if (bytes[2] & 0x80)
			continue;
		for (int qn = 0; qn < 256; qn++) {
			struct berth_ddp seg;

			bytes[11] = qn;
			if (qn == berth_rdmap_find(v)->qn)
				assert_true(parse(&seg, bytes, 128) > 0);
			else
				check_refused(bytes, 128, -EBADMSG, BERTH_DDP_QN);
		}
		bytes[11] = berth_rdmap_find(v)->qn;
		bytes[8] = 0x80;
		check_refused(bytes, 128, -EBADMSG, BERTH_DDP_QN);
	}
}

static void ddp_parse__messages_of_one_segment(void **state)
{
	for (int v = 0; v < OPCODES; v++) {
		u8 bytes[128];
		int n = bytes_of(bytes, v);

		if (carries(v))
			continue;
		bytes[2] &= ~0x40;
		check_refused(bytes, 128, -EBADMSG, BERTH_DDP_PARTIAL);
		bytes[2] |= 0x40;
		bytes[19] = 1;
		check_refused(bytes, 128, -EBADMSG, BERTH_DDP_MO);
		bytes[19] = 0;
		/* Payload: for a Terminate what no copied header accounts for. */
		n = v == BERTH_RDMAP_TERMINATE ? BERTH_DDP_HDR_MAX : n;
		bytes[1] = n - 2;
		bytes[1]++;
		check_refused(bytes, 128, -EBADMSG, BERTH_DDP_PAYLOAD);
		bytes[0] = 0xff;
		check_refused(bytes, 128, -EBADMSG, BERTH_DDP_PAYLOAD);
	}
}

static void ddp_parse__message_offset_wraps(void **state)
{
	u8 bytes[20] = { 0x00, 0x13, 0x41, 0x43, [16] = 0xff, 0xff, 0xff, 0xfe };
	struct berth_ddp seg;

	assert_int_equal(parse(&seg, bytes, 20), 20);
	assert_int_equal(seg.payload_len, 1);
	bytes[19] = 0xff;
	check_refused(bytes, 20, -EBADMSG, BERTH_DDP_MO);
	bytes[1] = 0x12;
	assert_int_equal(parse(&seg, bytes, 20), 20);
}

static void ddp_parse__tagged_offset_wraps(void **state)
{
	u8 bytes[16] = { 0x00, 0x0f, 0xc1, 0x40, 0, 0, 0, 9,
			 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe };
	struct berth_ddp seg;

	assert_int_equal(parse(&seg, bytes, 16), 16);
	bytes[1] = 0x10;	/* up to the last address */
	assert_int_equal(parse(&seg, bytes, 16), 16);
	bytes[1] = 0x11;
	check_refused(bytes, 16, -EBADMSG, BERTH_DDP_TO);
	bytes[15] = 0xff;
	bytes[1] = 0x0f;
	assert_int_equal(parse(&seg, bytes, 16), 16);
	bytes[1] = 0x10;
	check_refused(bytes, 16, -EBADMSG, BERTH_DDP_TO);
	bytes[1] = 0x0e;
	assert_int_equal(parse(&seg, bytes, 16), 16);
	assert_int_equal(seg.payload_len, 0);
}

static void ddp_parse__atomic_operations(void **state)
{
	for (int aop = 0; aop < 16; aop++) {
		struct berth_ddp seg;
		u8 bytes[128];

		bytes_of(bytes, BERTH_RDMAP_ATOMIC_REQUEST);
		bytes[23] = 0xf0 | aop;
		if (aop != 0 && aop != 2) {
			check_refused(bytes, 128, -EPROTO, BERTH_DDP_AOP);
			continue;
		}
		assert_int_equal(parse(&seg, bytes, 128), 72);
		assert_int_equal(seg.atomic.aop, aop);
	}
}

static void ddp_parse__reserved_bits_do_not_matter(void **state)
{
	for (int v = 0; v < OPCODES; v++) {
		struct berth_ddp want = sample(v), seg;
		u8 bytes[128];
		int n = bytes_of(bytes, v);

		bytes[2] |= 0x3c;
		bytes[3] |= 0x30;
		if (!(bytes[2] & 0x80) && !(berth_rdmap_find(v)->flags & BERTH_RDMAP_INV))
			memset(bytes + 4, 0xff, 4);
		if (v == BERTH_RDMAP_ATOMIC_REQUEST)
			memset(bytes + 20, 0xff, 3);
		if (v == BERTH_RDMAP_TERMINATE) {
			bytes[22] |= 0x1f;
			bytes[23] = 0xff;
		}
		assert_int_equal(parse(&seg, bytes, n), n);
		check_equal(&seg, &want);
	}
}

static void ddp_parse__any_alignment(void **state)
{
	for (int v = 0; v < OPCODES; v++) {
		for (size_t shift = 0; shift < 8; shift++) {
			struct berth_ddp in = sample(v), out;
			u8 room[BERTH_DDP_HDR_MAX + 8];
			int n = berth_ddp_build(&in, room + shift, BERTH_DDP_HDR_MAX);

			assert_int_equal(berth_ddp_parse(&out, room + shift, n), n);
			check_equal(&out, &in);
		}
	}
}

static void ddp_prefix__tells_the_lengths(void **state)
{
	for (int v = 0; v < OPCODES; v++) {
		struct berth_ddp in = sample(v), seg;
		u8 bytes[BERTH_DDP_HDR_MAX];
		int n;

		in.payload_len = carries(v) ? 1000 : 0;
		n = berth_ddp_build(&in, bytes, sizeof(bytes));
		assert_int_equal(berth_ddp_prefix(&seg, bytes), n);
		assert_int_equal(seg.hdr_len, n);
		assert_int_equal(seg.payload_len, in.payload_len);
		assert_int_equal(seg.opcode, v);
		assert_true(seg.last);
	}
}

static void check_unbuildable(struct berth_ddp seg)
{
	u8 bytes[128], untouched[128];

	memset(bytes, 0x5a, sizeof(bytes));
	memset(untouched, 0x5a, sizeof(untouched));
	assert_int_equal(berth_ddp_build(&seg, bytes, sizeof(bytes)), -EINVAL);
	assert_memory_equal(bytes, untouched, sizeof(bytes));
}

static void ddp_build__refusals(void **state)
{
	struct berth_ddp seg;

	check_unbuildable((struct berth_ddp){ .opcode = 0xc, .last = true });
	check_unbuildable((struct berth_ddp){ .opcode = 0xff, .last = true });
	for (int v = 0; v < OPCODES; v++) {
		seg = sample(v);
		if (carries(v)) {
			seg.payload_len = 65535 - (berth_rdmap_find(v)->hdr_len - 2) + 1;
			check_unbuildable(seg);
			seg.payload_len = 0xffffffff;
			check_unbuildable(seg);
			seg.payload_len = 2;
			seg.mo = 0xffffffff;
			/* Where tagged segments end is for the peer to refuse. */
			if (!(berth_rdmap_find(v)->flags & BERTH_RDMAP_TAGGED))
				check_unbuildable(seg);
			continue;
		}
		seg.payload_len = 1;
		check_unbuildable(seg);
		seg.payload_len = 0;
		seg.last = false;
		check_unbuildable(seg);
		seg.last = true;
		seg.mo = 1;
		check_unbuildable(seg);
	}
	seg = sample(BERTH_RDMAP_ATOMIC_REQUEST);
	seg.atomic.aop = 1;
	check_unbuildable(seg);
	seg = sample(BERTH_RDMAP_TERMINATE);
	seg.term.error.layer = 16;
	check_unbuildable(seg);
}

static void ddp_build__too_little_room(void **state)
{
	for (int v = 0; v < OPCODES; v++) {
		struct berth_ddp seg = sample(v);
		u8 bytes[128], untouched[128];
		int n = bytes_of(bytes, v);

		memset(bytes, 0x5a, sizeof(bytes));
		memset(untouched, 0x5a, sizeof(untouched));
		for (int room = 0; room < n; room++)
			assert_int_equal(berth_ddp_build(&seg, bytes, room), -ENOSPC);
		assert_memory_equal(bytes, untouched, sizeof(bytes));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ddp__longest_headers),
		cmocka_unit_test(ddp__every_opcode_there_and_back),
		cmocka_unit_test(ddp_parse__every_truncation),
		cmocka_unit_test(ddp_parse__other_versions),
		cmocka_unit_test(ddp_parse__unknown_opcodes),
		cmocka_unit_test(ddp_parse__the_other_buffer_model),
		cmocka_unit_test(ddp_parse__other_queues),
		cmocka_unit_test(ddp_parse__messages_of_one_segment),
		cmocka_unit_test(ddp_parse__message_offset_wraps),
		cmocka_unit_test(ddp_parse__tagged_offset_wraps),
		cmocka_unit_test(ddp_parse__atomic_operations),
		cmocka_unit_test(ddp_parse__reserved_bits_do_not_matter),
		cmocka_unit_test(ddp_parse__any_alignment),
		cmocka_unit_test(ddp_prefix__tells_the_lengths),
		cmocka_unit_test(ddp_build__refusals),
		cmocka_unit_test(ddp_build__too_little_room),
	};

	return cmocka_run_group_tests_name("ddp", tests, NULL, NULL);
}
