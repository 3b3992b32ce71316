// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * wire/packet: known bytes both ways, every opcode there and back, and every
 * way in which a packet can contradict itself. Packets under test lie in heap
 * blocks of exactly their readable length, so that ASan sees any byte too many.
 */
#include "unit.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "wire/packet.h"

/* Parse the first @avail of @len bytes from a block that ends right there. */
static int parse(struct berth_packet *pkt, const u8 *bytes, size_t avail, size_t len)
{
	u8 *copy = malloc(avail ? avail : 1);
	int ret;

	assert_non_null(copy);
	memcpy(copy, bytes, avail);
	memset(pkt, 0xa5, sizeof(*pkt));
	ret = berth_packet_parse(pkt, avail ? copy : copy + 1, avail, len);
	free(copy);
	return ret;
}

static struct berth_packet sample(u8 opcode)
{
	return (struct berth_packet){
		.opcode = opcode,
		.va = 0x1122334455667788,
		.swap_add = 0x99aabbccddeeff00,
		.compare = 0x0123456789abcdef,
		.orig = 0xfedcba9876543210,
		.qpn = 0xabcdef,
		.psn = 0x876543,
		.rkey = 0xdeadbeef,
		.dma_len = 0x7fffffff,
		.inv_rkey = 0xcafef00d,
		.imm = cpu_to_be32(0x0badcafe),
		.msn = 0x345678,
		.qkey = 0x80010000,
		.src_qpn = 0x13579b,
		.pkey = 0x8001,
		.flags = BERTH_PKT_ACKREQ | BERTH_PKT_SE,
		.syndrome = 0x2e,
	};
}

/* Fields of a header that the opcode lacks come out of the parser as 0. */
static void check_equal(const struct berth_packet *a, const struct berth_packet *b, u16 f)
{
	bool remote = f & (BERTH_OP_RETH | BERTH_OP_ATOMICETH);

	assert_int_equal(a->opcode, b->opcode);
	assert_int_equal(a->qpn, b->qpn);
	assert_int_equal(a->psn, b->psn);
	assert_int_equal(a->pkey, b->pkey);
	assert_int_equal(a->flags, b->flags);
	assert_int_equal(a->payload_len, b->payload_len);
	assert_true(a->va == (remote ? b->va : 0));
	assert_int_equal(a->rkey, remote ? b->rkey : 0);
	assert_int_equal(a->dma_len, f & BERTH_OP_RETH ? b->dma_len : 0);
	assert_true(a->swap_add == (f & BERTH_OP_ATOMICETH ? b->swap_add : 0));
	assert_true(a->compare == (f & BERTH_OP_ATOMICETH ? b->compare : 0));
	assert_true(a->orig == (f & BERTH_OP_ATOMICACKETH ? b->orig : 0));
	assert_int_equal(a->syndrome, f & BERTH_OP_AETH ? b->syndrome : 0);
	assert_int_equal(a->msn, f & BERTH_OP_AETH ? b->msn : 0);
	assert_int_equal(a->imm, f & BERTH_OP_IMM ? b->imm : 0);
	assert_int_equal(a->inv_rkey, f & BERTH_OP_IETH ? b->inv_rkey : 0);
	assert_int_equal(a->qkey, f & BERTH_OP_DETH ? b->qkey : 0);
	assert_int_equal(a->src_qpn, f & BERTH_OP_DETH ? b->src_qpn : 0);
}

static void packet_build__known_bytes_write_only_imm(void **state)
{
	static const u8 want[32] = {
		0x0b, 0xb0, 0x80, 0x01, 0x00, 0xab, 0xcd, 0xef, 0x80, 0x87, 0x65, 0x43,
		0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0xde, 0xad, 0xbe, 0xef,
		0x7f, 0xff, 0xff, 0xff, 0x0b, 0xad, 0xca, 0xfe,
	};
	struct berth_packet pkt = sample(BERTH_RC_WRITE_ONLY_IMM);
	u8 got[BERTH_HDR_MAX];

	pkt.payload_len = 5;
	assert_int_equal(berth_packet_build(&pkt, got, sizeof(got)), 32);
	assert_memory_equal(got, want, 32);
}

static void packet_build__known_bytes_atomic_ack(void **state)
{
	static const u8 want[24] = {
		0x12, 0x80, 0x80, 0x01, 0x00, 0xab, 0xcd, 0xef, 0x80, 0x87, 0x65, 0x43,
		0x2e, 0x34, 0x56, 0x78, 0xfe, 0xdc, 0xba, 0x98, 0x76, 0x54, 0x32, 0x10,
	};
	struct berth_packet pkt = sample(BERTH_RC_ATOMIC_ACK);
	u8 got[BERTH_HDR_MAX];

	assert_int_equal(berth_packet_build(&pkt, got, sizeof(got)), 24);
	assert_memory_equal(got, want, 24);
}

static void packet_build__known_bytes_ud_imm(void **state)
{
	static const u8 want[24] = {
		0x65, 0x80, 0x80, 0x01, 0x00, 0xab, 0xcd, 0xef, 0x80, 0x87, 0x65, 0x43,
		0x80, 0x01, 0x00, 0x00, 0x00, 0x13, 0x57, 0x9b, 0x0b, 0xad, 0xca, 0xfe,
	};
	struct berth_packet pkt = sample(BERTH_UD_SEND_ONLY_IMM);
	u8 got[BERTH_HDR_MAX];

	assert_int_equal(berth_packet_build(&pkt, got, sizeof(got)), 24);
	assert_memory_equal(got, want, 24);
}

static void packet_build__known_bytes_compare_swap(void **state)
{
	static const u8 want[40] = {
		0x13, 0x80, 0x80, 0x01, 0x00, 0xab, 0xcd, 0xef, 0x80, 0x87, 0x65, 0x43,
		0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0xde, 0xad, 0xbe, 0xef,
		0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff, 0x00,
		0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef,
	};
	struct berth_packet pkt = sample(BERTH_RC_CMP_SWAP);
	u8 got[BERTH_HDR_MAX];

	assert_int_equal(berth_packet_build(&pkt, got, sizeof(got)), 40);
	assert_memory_equal(got, want, 40);
}

/* As rdma_rxe sends it: the RETH of a WRITE of eight bytes, then those. */
static void packet_build__known_bytes_atomic_write(void **state)
{
	static const u8 want[28] = {
		0x1d, 0x80, 0x80, 0x01, 0x00, 0xab, 0xcd, 0xef, 0x80, 0x87, 0x65, 0x43,
		0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0xde, 0xad, 0xbe, 0xef,
		0x00, 0x00, 0x00, 0x08,
	};
	struct berth_packet pkt = sample(BERTH_RC_ATOMIC_WRITE);
	u8 got[BERTH_HDR_MAX];

	pkt.dma_len = 8;
	pkt.payload_len = 8;
	assert_int_equal(berth_packet_build(&pkt, got, sizeof(got)), 28);
	assert_memory_equal(got, want, 28);
}

static void packet__every_opcode_there_and_back(void **state)
{
	for (int v = 0; v < 256; v++) {
		const struct berth_opcode *op = berth_opcode_find(v);
		struct berth_packet in = sample(v), out;
		u8 bytes[BERTH_HDR_MAX];

		if (!op)
			continue;
		for (u32 len = 0; len <= (op->flags & BERTH_OP_PAYLOAD ? 9 : 0); len++) {
			u32 total = berth_packet_wire_len(op, len);

			in.payload_len = len;
			memset(bytes, 0xee, sizeof(bytes));
			assert_int_equal(berth_packet_build(&in, bytes, op->hdr_len), op->hdr_len);
			assert_int_equal(parse(&out, bytes, op->hdr_len, total), 0);
			assert_ptr_equal(out.op, op);
			assert_int_equal(out.hdr_len, op->hdr_len);
			assert_int_equal(out.pad, berth_pad_len(len));
			assert_int_equal(out.reason, BERTH_PACKET_OK);
			check_equal(&out, &in, op->flags);
		}
	}
}

static void packet__every_flag_there_and_back(void **state)
{
	for (int flags = 0; flags <= BERTH_PKT_ALL; flags++) {
		struct berth_packet in = sample(BERTH_RC_SEND_ONLY), out;
		u8 bytes[12];

		in.flags = flags;
		assert_int_equal(berth_packet_build(&in, bytes, 12), 12);
		assert_int_equal(parse(&out, bytes, 12, 16), 0);
		assert_int_equal(out.flags, flags);
		assert_int_equal(out.qpn, in.qpn);
		assert_int_equal(out.psn, in.psn);
	}
}

static void packet_build__cuts_numbers_to_24_bits(void **state)
{
	struct berth_packet in = sample(BERTH_RC_ACK), out;
	u8 bytes[16];

	in.flags = 0;
	in.qpn = in.psn = in.msn = 0xffffffff;
	assert_int_equal(berth_packet_build(&in, bytes, 16), 16);
	assert_int_equal(parse(&out, bytes, 16, 20), 0);
	assert_int_equal(out.qpn, 0xffffff);
	assert_int_equal(out.psn, 0xffffff);
	assert_int_equal(out.msn, 0xffffff);
	assert_int_equal(out.syndrome, in.syndrome);
	assert_int_equal(out.flags, 0);
}

static void packet_build__refusals_write_nothing(void **state)
{
	struct berth_packet pkt = sample(BERTH_RC_READ_REQUEST);
	u8 bytes[BERTH_HDR_MAX], untouched[BERTH_HDR_MAX];

	memset(bytes, 0x5a, sizeof(bytes));
	memset(untouched, 0x5a, sizeof(untouched));
	assert_int_equal(berth_packet_build(&pkt, bytes, 27), -ENOSPC);
	assert_int_equal(berth_packet_build(&pkt, bytes, 0), -ENOSPC);
	pkt.payload_len = 1;
	assert_int_equal(berth_packet_build(&pkt, bytes, sizeof(bytes)), -EINVAL);
	pkt.payload_len = 0;
	pkt.flags = BERTH_PKT_ALL + 1;
	assert_int_equal(berth_packet_build(&pkt, bytes, sizeof(bytes)), -EINVAL);
	pkt.flags = 0;
	pkt.opcode = 0x15;
	assert_int_equal(berth_packet_build(&pkt, bytes, sizeof(bytes)), -EINVAL);
	assert_memory_equal(bytes, untouched, sizeof(bytes));
}

static void check_refused(const u8 *bytes, size_t avail, size_t len, int err,
			  enum berth_packet_reason reason)
{
	struct berth_packet pkt;

	assert_int_equal(parse(&pkt, bytes, avail, len), err);
	assert_int_equal(pkt.reason, reason);
}

static void packet_parse__every_truncation(void **state)
{
	for (int v = 0; v < 256; v++) {
		const struct berth_opcode *op = berth_opcode_find(v);
		struct berth_packet in = sample(v);
		u8 bytes[BERTH_HDR_MAX + 4] = { 0 };

		if (!op)
			continue;
		berth_packet_build(&in, bytes, sizeof(bytes));
		/* The packet itself is short... */
		for (size_t len = 0; len < op->hdr_len + 4u; len++)
			check_refused(bytes, len, len, -EBADMSG, BERTH_PACKET_SHORT);
		/* ...or the caller has fewer bytes at hand than the headers take. */
		for (size_t avail = 0; avail < op->hdr_len; avail++)
			check_refused(bytes, avail, op->hdr_len + 4, -EBADMSG, BERTH_PACKET_SHORT);
	}
}

static void packet_parse__reads_no_further_than_total(void **state)
{
	u8 bytes[64] = { BERTH_RC_READ_REQUEST };
	struct berth_packet pkt;

	/* More is readable than belongs to the packet. */
	assert_int_equal(berth_packet_parse(&pkt, bytes, sizeof(bytes), 20), -EBADMSG);
	assert_int_equal(pkt.reason, BERTH_PACKET_SHORT);
	assert_int_equal(berth_packet_parse(&pkt, bytes, sizeof(bytes), 32), 0);

	/* What follows a packet of 8 bytes is not its opcode's business either. */
	bytes[0] = 0xff;
	assert_int_equal(berth_packet_parse(&pkt, bytes, sizeof(bytes), 8), -EBADMSG);
	assert_int_equal(pkt.reason, BERTH_PACKET_SHORT);
}

static void packet_parse__unknown_opcodes(void **state)
{
	for (int v = 0; v < 256; v++) {
		u8 bytes[64] = { v };

		if (!berth_opcode_find(v))
			check_refused(bytes, 64, 64, -EPROTO, BERTH_PACKET_OPCODE);
	}
}

static void packet_parse__other_versions(void **state)
{
	for (int tver = 1; tver < 16; tver++) {
		u8 bytes[64] = { BERTH_RC_SEND_ONLY, tver };

		check_refused(bytes, 64, 64, -EPROTO, BERTH_PACKET_TVER);
	}
}

static void packet_parse__length_no_multiple_of_four(void **state)
{
	u8 bytes[64] = { BERTH_RC_SEND_ONLY };

	for (size_t len = 16; len < 64; len++)
		if (len % 4)
			check_refused(bytes, len, len, -EBADMSG, BERTH_PACKET_PAD);
}

static void packet_parse__pad_without_payload(void **state)
{
	for (int pad = 1; pad < 4; pad++) {
		u8 bytes[64] = { BERTH_RC_SEND_ONLY, pad << 4 };
		struct berth_packet pkt;

		check_refused(bytes, 16, 16, -EBADMSG, BERTH_PACKET_PAD);
		assert_int_equal(parse(&pkt, bytes, 20, 20), 0);
		assert_int_equal(pkt.payload_len, 4 - pad);
	}
}

static void packet_parse__payload_where_none_belongs(void **state)
{
	static const u8 bare[] = { BERTH_RC_READ_REQUEST, BERTH_RC_ACK, BERTH_RC_ATOMIC_ACK,
				   BERTH_RC_CMP_SWAP, BERTH_RC_FETCH_ADD };

	for (size_t i = 0; i < sizeof(bare); i++) {
		u8 bytes[64] = { bare[i] };
		size_t len = berth_opcode_find(bare[i])->hdr_len + 4;
		struct berth_packet pkt;

		assert_int_equal(parse(&pkt, bytes, len, len), 0);
		check_refused(bytes, len + 4, len + 4, -EBADMSG, BERTH_PACKET_PAYLOAD);
		bytes[1] = 0x30;
		check_refused(bytes, len, len, -EBADMSG, BERTH_PACKET_PAD);
		check_refused(bytes, len + 4, len + 4, -EBADMSG, BERTH_PACKET_PAYLOAD);
	}
}

static void packet_parse__largest_and_larger(void **state)
{
	u8 bytes[BERTH_HDR_MAX] = { BERTH_RC_SEND_MIDDLE };
	struct berth_packet pkt;

	assert_int_equal(parse(&pkt, bytes, sizeof(bytes), 65524), 0);
	assert_int_equal(pkt.payload_len, 65524 - 16);
	check_refused(bytes, sizeof(bytes), 65528, -EBADMSG, BERTH_PACKET_SHORT);
	check_refused(bytes, sizeof(bytes), 0x100000010, -EBADMSG, BERTH_PACKET_SHORT);
}

static void packet_parse__any_alignment(void **state)
{
	struct berth_packet in = sample(BERTH_RC_FETCH_ADD), out;
	u8 room[BERTH_HDR_MAX + 8];

	for (size_t shift = 0; shift < 8; shift++) {
		assert_int_equal(berth_packet_build(&in, room + shift, BERTH_HDR_MAX), 40);
		assert_int_equal(berth_packet_parse(&out, room + shift, 40, 44), 0);
		check_equal(&out, &in, out.op->flags);
	}
}

/* What is made of the packet before is what parsing would have made, ack request set or not. */
static void packet_next__is_what_parsing_gives(void **state)
{
	static const u8 ops[] = { BERTH_RC_WRITE_MIDDLE, BERTH_RC_SEND_LAST, BERTH_RC_READ_RESPONSE_MIDDLE };

	for (size_t o = 0; o < sizeof(ops); o++)
		for (int acks = 0; acks < 4; acks++) {
			struct berth_packet src = sample(ops[o]), last, next;
			u8 buf[2][12 + 64 + 4] = { { 0 } };

			src.payload_len = 64;
			for (int i = 0; i < 2; i++) {
				src.psn = i ? 0 : 0xffffff;
				src.flags = BERTH_PKT_ALL & ~BERTH_PKT_ACKREQ;
				src.flags |= acks >> i & 1 ? BERTH_PKT_ACKREQ : 0;
				assert_int_equal(berth_packet_build(&src, buf[i], sizeof(buf[i])), 12);
			}
			assert_int_equal(parse(&last, buf[0], sizeof(buf[0]), sizeof(buf[0])), 0);
			assert_int_equal(parse(&next, buf[1], sizeof(buf[1]), sizeof(buf[1])), 0);
			berth_packet_next(&last, (const struct berth_bth *)buf[1]);
			assert_memory_equal(&last, &next, sizeof(last));
		}
}

static void packet_parse__reserved_bits_do_not_matter(void **state)
{
	u8 bytes[20] = { BERTH_UD_SEND_ONLY, 0, 0xff, 0xff, 0x3f, 0, 0, 1, 0x7f, 0, 0, 2,
			 0, 0, 0, 3, 0xff, 0, 0, 4 };
	struct berth_packet pkt;

	assert_int_equal(parse(&pkt, bytes, 20, 24), 0);
	assert_int_equal(pkt.flags, 0);
	assert_int_equal(pkt.qpn, 1);
	assert_int_equal(pkt.psn, 2);
	assert_int_equal(pkt.qkey, 3);
	assert_int_equal(pkt.src_qpn, 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(packet_build__known_bytes_write_only_imm),
		cmocka_unit_test(packet_build__known_bytes_atomic_ack),
		cmocka_unit_test(packet_build__known_bytes_ud_imm),
		cmocka_unit_test(packet_build__known_bytes_compare_swap),
		cmocka_unit_test(packet_build__known_bytes_atomic_write),
		cmocka_unit_test(packet__every_opcode_there_and_back),
		cmocka_unit_test(packet__every_flag_there_and_back),
		cmocka_unit_test(packet_build__cuts_numbers_to_24_bits),
		cmocka_unit_test(packet_build__refusals_write_nothing),
		cmocka_unit_test(packet_parse__every_truncation),
		cmocka_unit_test(packet_parse__reads_no_further_than_total),
		cmocka_unit_test(packet_parse__unknown_opcodes),
		cmocka_unit_test(packet_parse__other_versions),
		cmocka_unit_test(packet_parse__length_no_multiple_of_four),
		cmocka_unit_test(packet_parse__pad_without_payload),
		cmocka_unit_test(packet_parse__payload_where_none_belongs),
		cmocka_unit_test(packet_parse__largest_and_larger),
		cmocka_unit_test(packet_parse__any_alignment),
		cmocka_unit_test(packet_next__is_what_parsing_gives),
		cmocka_unit_test(packet_parse__reserved_bits_do_not_matter),
	};

	return cmocka_run_group_tests_name("packet", tests, NULL, NULL);
}
