// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * wire/fpdu: a stream of FPDUs, written out by hand, cut into pieces in every
 * way that matters gives the same segments, payload, padding and CRCs. Each
 * piece lies in a heap block of its exact size.
 */
#include "unit.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <asm/byteorder.h>
#include "wire/fpdu.h"

/* What was read of a stream. */
struct heard {
	int fpdus;
	u8 opcode[16];
	u8 pad[16];
	u32 payload_len[16];
	bool crc_right[16];
	u8 payload[256];
	u32 payload_all;
	u8 headers[512];
	u32 headers_all;
};

/* CRC32c, a bit at a time. */
static u32 crc32c(u32 crc, const u8 *p, u32 n)
{
	for (; n--; p++) {
		crc ^= *p;
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78 : 0);
	}
	return crc;
}

/*
 * A WRITE of 5 bytes, a SEND of none, a READ request, a SEND of 6, a Terminate
 * that copies 14 bytes, Immediate Data, a READ response of 8: all paddings but
 * one. CRCs are filled in below.
 */
#define CRC	0, 0, 0, 0

static u8 stream[] = {
	0x00, 0x13, 0xc1, 0x40, 0xde, 0xad, 0xbe, 0xef, 0, 0, 0, 0, 0, 0, 0x10, 0x00,
	'h', 'e', 'l', 'l', 'o', 0, 0, 0, CRC,

	0x00, 0x12, 0x41, 0x43, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, CRC,

	0x00, 0x2e, 0x41, 0x41, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0,
	1, 2, 3, 4, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 6, 7, 8, 9, 10, 0, 0, 0, 0, 0, 0, 0, 11, CRC,

	0x00, 0x18, 0x01, 0x43, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0,
	'w', 'o', 'r', 'l', 'd', '!', 0, 0, CRC,

	0x00, 0x26, 0x41, 0x47, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 0,
	0x11, 0x01, 0xc0, 0x00, 0x00, 0x13,
	0xc1, 0x40, 0xde, 0xad, 0xbe, 0xef, 0, 0, 0, 0, 0, 0, 0x10, 0x00, CRC,

	0x00, 0x1a, 0x41, 0x48, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0,
	1, 2, 3, 4, 5, 6, 7, 8, CRC,

	0x00, 0x15, 0x81, 0x42, 0xca, 0xfe, 0xf0, 0x0d, 0, 0, 0, 0, 0, 0, 0x20, 0x00,
	'g', 'o', 'o', 'd', 'b', 'y', 'e', 0, CRC,
};

static const struct {
	u32 at;
	u32 len;	/* without the CRC */
	u8 opcode;
	u8 pad;
	u8 payload_len;
} fpdus[] = {
	{ 0, 24, BERTH_RDMAP_WRITE, 3, 5 },
	{ 28, 20, BERTH_RDMAP_SEND, 0, 0 },
	{ 52, 48, BERTH_RDMAP_READ_REQUEST, 0, 0 },
	{ 104, 28, BERTH_RDMAP_SEND, 2, 6 },
	{ 136, 40, BERTH_RDMAP_TERMINATE, 0, 0 },
	{ 180, 28, BERTH_RDMAP_IMM, 0, 0 },
	{ 212, 24, BERTH_RDMAP_READ_RESPONSE, 1, 7 },
};

#define FPDUS	((int)(sizeof(fpdus) / sizeof(fpdus[0])))

static int fill_crcs(void **state)
{
	for (int i = 0; i < FPDUS; i++) {
		u32 crc = ~crc32c(~0u, stream + fpdus[i].at, fpdus[i].len);
		u8 *p = stream + fpdus[i].at + fpdus[i].len;

		for (int k = 0; k < 4; k++)
			p[k] = crc >> 8 * k;
	}
	return fpdus[FPDUS - 1].at + fpdus[FPDUS - 1].len + 4 != sizeof(stream);
}

/* The end of an FPDU: all of it is still there. */
static void hear(struct heard *h, const struct berth_fpdu *f)
{
	int i = h->fpdus++;
	u32 crc = crc32c(~0u, f->hdr, f->hdr_len);

	assert_true(i < 16);
	crc = crc32c(crc, h->payload + h->payload_all - f->seg.payload_len, f->seg.payload_len);
	crc = crc32c(crc, f->trailer, f->pad);
	h->crc_right[i] = berth_fpdu_crc(f) == cpu_to_le32(~crc);
	h->opcode[i] = f->seg.opcode;
	h->pad[i] = f->pad;
	h->payload_len[i] = f->seg.payload_len;
	memcpy(h->headers + h->headers_all, f->hdr, f->hdr_len);
	h->headers_all += f->hdr_len;
}

/* Read one piece as a receiver would; what berth_fpdu_header() says of a broken stream. */
static int read_piece(struct berth_fpdu *f, struct heard *h, const u8 *p, u32 n)
{
	while (n) {
		int used = berth_fpdu_header(f, p, n);

		if (used < 0)
			return used;
		assert_true((u32)used <= n);
		p += used;
		n -= used;
		if (f->state == BERTH_FPDU_PAYLOAD && n) {
			u32 step = n < f->left ? n : f->left;

			memcpy(h->payload + h->payload_all, p, step);
			h->payload_all += step;
			assert_int_equal(berth_fpdu_payload(f, step), 0);
			p += step;
			n -= step;
		}
		if (f->state == BERTH_FPDU_TRAILER && n) {
			used = berth_fpdu_trailer(f, p, n);
			assert_true(used > 0 && (u32)used <= n);
			p += used;
			n -= used;
			if (berth_fpdu_done(f))
				hear(h, f);
		}
	}
	return 0;
}

static int read_copy(struct berth_fpdu *f, struct heard *h, const u8 *p, u32 n)
{
	u8 *copy = malloc(n ? n : 1);
	int ret;

	assert_non_null(copy);
	memcpy(copy, p, n);
	ret = read_piece(f, h, copy, n);
	free(copy);
	return ret;
}

static void check_heard(const struct heard *h)
{
	u32 at = 0;

	assert_int_equal(h->fpdus, FPDUS);
	for (int i = 0; i < FPDUS; i++) {
		u32 hdr_len = fpdus[i].len - fpdus[i].pad - fpdus[i].payload_len;

		assert_int_equal(h->opcode[i], fpdus[i].opcode);
		assert_int_equal(h->pad[i], fpdus[i].pad);
		assert_int_equal(h->payload_len[i], fpdus[i].payload_len);
		assert_true(h->crc_right[i]);
		assert_memory_equal(h->headers + at, stream + fpdus[i].at, hdr_len);
		at += hdr_len;
	}
	assert_int_equal(h->headers_all, at);
	assert_int_equal(h->payload_all, 18);
	assert_memory_equal(h->payload, "helloworld!goodbye", 18);
}

/* RFC 3720, B.4: the CRC of 32 zeros, its low byte first. */
static void fpdu__crc_is_that_of_iscsi(void **state)
{
	u8 zeros[32] = { 0 };

	assert_int_equal(~crc32c(~0u, zeros, 32), 0x8a9136aa);
}

/* RFC 5044, figure 5, but for the marker of zeros in front of it, which is summed too. */
static void fpdu__hex_dump_of_the_rfc(void **state)
{
	static const u8 bytes[48] = {
		0x00, 0x2a, 0x41, 0x43, [15] = 0x01, [44] = 0x52, 0x23, 0x99, 0x83,
	};
	static const u8 marker[4];
	struct heard h = { 0 };
	struct berth_fpdu f;
	u32 crc;

	berth_fpdu_init(&f);
	assert_int_equal(read_copy(&f, &h, bytes, sizeof(bytes)), 0);
	assert_int_equal(h.fpdus, 1);
	assert_int_equal(f.seg.opcode, BERTH_RDMAP_SEND);
	assert_int_equal(f.seg.msn, 1);
	assert_int_equal(f.seg.payload_len, 24);
	crc = crc32c(~0u, marker, sizeof(marker));
	crc = crc32c(crc, f.hdr, f.hdr_len);
	crc = crc32c(crc, h.payload, 24);
	assert_true(berth_fpdu_crc(&f) == cpu_to_le32(~crc));
}

static void fpdu__pieces_of_every_size(void **state)
{
	for (u32 size = 1; size <= sizeof(stream); size++) {
		struct heard h = { 0 };
		struct berth_fpdu f;

		berth_fpdu_init(&f);
		assert_true(berth_fpdu_done(&f));
		for (u32 at = 0; at < sizeof(stream); at += size) {
			u32 n = sizeof(stream) - at < size ? sizeof(stream) - at : size;

			assert_int_equal(read_copy(&f, &h, stream + at, n), 0);
		}
		assert_true(berth_fpdu_done(&f));
		check_heard(&h);
	}
}

static void fpdu__every_two_cuts(void **state)
{
	for (u32 a = 0; a <= sizeof(stream); a++) {
		for (u32 b = a; b <= sizeof(stream); b++) {
			struct heard h = { 0 };
			struct berth_fpdu f;

			berth_fpdu_init(&f);
			assert_int_equal(read_copy(&f, &h, stream, a), 0);
			assert_int_equal(read_copy(&f, &h, stream + a, b - a), 0);
			assert_int_equal(read_copy(&f, &h, stream + b, sizeof(stream) - b), 0);
			check_heard(&h);
		}
	}
}

static void fpdu__every_truncation(void **state)
{
	for (u32 n = 0; n < sizeof(stream); n++) {
		struct heard h = { 0 };
		struct berth_fpdu f;
		int want = 0;
		bool between = !n;

		while (want < FPDUS && fpdus[want].at + fpdus[want].len + 4 <= n)
			want++;
		if (want)
			between = fpdus[want - 1].at + fpdus[want - 1].len + 4 == n;
		berth_fpdu_init(&f);
		assert_int_equal(read_copy(&f, &h, stream, n), 0);
		assert_int_equal(h.fpdus, want);
		assert_int_equal(berth_fpdu_done(&f), between);
	}
}

/* A wrong bit anywhere in what the CRC covers, or in it, is found by the CRC if not before. */
static void fpdu__every_wrong_bit_is_noticed(void **state)
{
	for (u32 bit = 0; bit < 28 * 8; bit++) {
		struct heard h = { 0 };
		struct berth_fpdu f;
		u8 bytes[28];
		int ret;

		memcpy(bytes, stream, sizeof(bytes));
		bytes[bit / 8] ^= 1 << bit % 8;
		berth_fpdu_init(&f);
		ret = read_copy(&f, &h, bytes, sizeof(bytes));
		assert_true(ret < 0 || !h.fpdus || !h.crc_right[0]);
	}
}

static void fpdu__states_and_lengths(void **state)
{
	struct berth_fpdu f;

	berth_fpdu_init(&f);
	assert_int_equal(f.state, BERTH_FPDU_PREFIX);
	assert_int_equal(berth_fpdu_header(&f, stream, 0), 0);
	assert_int_equal(berth_fpdu_header(&f, stream, 3), 3);
	assert_int_equal(f.state, BERTH_FPDU_PREFIX);
	assert_false(berth_fpdu_done(&f));
	assert_int_equal(berth_fpdu_header(&f, stream + 3, 1), 1);
	assert_int_equal(f.state, BERTH_FPDU_HEADER);
	assert_int_equal(berth_fpdu_payload(&f, 0), -EINVAL);
	assert_int_equal(berth_fpdu_trailer(&f, stream + 4, 20), 0);
	assert_int_equal(berth_fpdu_header(&f, stream + 4, 20), 12);
	assert_int_equal(f.state, BERTH_FPDU_PAYLOAD);
	assert_int_equal(f.left, 5);
	assert_int_equal(f.seg.to, 0x1000);
	assert_int_equal(berth_fpdu_header(&f, stream + 16, 5), 0);
	assert_int_equal(berth_fpdu_trailer(&f, stream + 16, 5), 0);
	assert_int_equal(berth_fpdu_payload(&f, 6), -EINVAL);
	assert_int_equal(f.left, 5);
	assert_int_equal(berth_fpdu_payload(&f, 4), 0);
	assert_int_equal(f.state, BERTH_FPDU_PAYLOAD);
	assert_int_equal(berth_fpdu_payload(&f, 1), 0);
	assert_int_equal(f.state, BERTH_FPDU_TRAILER);
	assert_int_equal(berth_fpdu_payload(&f, 0), -EINVAL);
	assert_int_equal(berth_fpdu_header(&f, stream + 21, 7), 0);
	assert_int_equal(berth_fpdu_trailer(&f, stream + 21, 6), 6);
	assert_false(berth_fpdu_done(&f));
	assert_int_equal(berth_fpdu_trailer(&f, stream + 27, 100), 1);
	assert_int_equal(f.state, BERTH_FPDU_PREFIX);
	assert_true(berth_fpdu_done(&f));
	assert_int_equal(berth_fpdu_trailer(&f, stream + 28, 100), 0);
	assert_memory_equal(f.hdr, stream, 16);
	assert_int_equal(f.hdr_len, 16);
	assert_int_equal(berth_fpdu_header(&f, stream + 28, 1), 1);
	assert_int_equal(f.hdr_len, 1);
	/* This one has no payload. */
	assert_int_equal(berth_fpdu_header(&f, stream + 29, 100), 19);
	assert_int_equal(f.state, BERTH_FPDU_TRAILER);
	assert_int_equal(berth_fpdu_trailer(&f, stream + 48, 100), 4);
	assert_true(berth_fpdu_done(&f));
}

static void fpdu__largest_payload(void **state)
{
	static const u8 hdr[16] = { 0xff, 0xff, 0xc1, 0x40 };
	static const u8 tail[7] = { 9, 9, 9, 1, 2, 3, 4 };
	struct berth_fpdu f;

	berth_fpdu_init(&f);
	assert_int_equal(berth_fpdu_header(&f, hdr, 16), 16);
	assert_int_equal(f.left, 65521);
	assert_int_equal(f.pad, 3);
	assert_int_equal(berth_fpdu_payload(&f, 65521), 0);
	assert_int_equal(berth_fpdu_trailer(&f, tail, 7), 7);
	assert_true(berth_fpdu_crc(&f) == cpu_to_le32(0x04030201));
	assert_memory_equal(f.trailer, tail, 3);
}

static void check_broken(const u8 *bytes, u32 n, u32 seen, int err, enum berth_ddp_reason reason)
{
	for (u32 size = 1; size <= n; size++) {
		struct berth_fpdu f;
		int ret = 0;

		berth_fpdu_init(&f);
		for (u32 at = 0; !ret && at < n; at += size) {
			ret = berth_fpdu_header(&f, bytes + at, n - at < size ? n - at : size);
			if (ret > 0)
				ret = 0;
		}
		assert_int_equal(ret, err);
		assert_int_equal(f.state, BERTH_FPDU_BROKEN);
		assert_int_equal(f.seg.reason, reason);
		assert_int_equal(f.hdr_len, seen);
		assert_memory_equal(f.hdr, bytes, seen);
		assert_false(berth_fpdu_done(&f));
		assert_int_equal(berth_fpdu_header(&f, stream, 4), -EPIPE);
		assert_int_equal(berth_fpdu_header(&f, stream, 0), -EPIPE);
		assert_int_equal(berth_fpdu_payload(&f, 0), -EINVAL);
		assert_int_equal(berth_fpdu_trailer(&f, stream, 4), 0);
	}
}

static void fpdu__broken_streams(void **state)
{
	static const u8 empty[8] = { 0 };
	static const u8 too_short[16] = { 0x00, 0x0d, 0xff, 0xff };
	static const u8 version[16] = { 0x00, 0x0e, 0xc0, 0x40 };
	static const u8 rdmap_version[16] = { 0x00, 0x0e, 0xc1, 0x00 };
	static const u8 opcode[20] = { 0x00, 0x12, 0x41, 0x4f };
	static const u8 queue[20] = { 0x00, 0x12, 0x41, 0x43, [11] = 1 };
	static const u8 wrap[16] = { 0x00, 0x10, 0xc1, 0x40, [8] = 0xff, 0xff, 0xff, 0xff,
				     0xff, 0xff, 0xff, 0xff };

	check_broken(empty, 8, 4, -EBADMSG, BERTH_DDP_SHORT);
	/* What lies behind the end of a ULPDU is not looked at. */
	check_broken(too_short, 16, 4, -EBADMSG, BERTH_DDP_SHORT);
	check_broken(version, 16, 4, -EPROTO, BERTH_DDP_VERSION);
	check_broken(rdmap_version, 16, 4, -EPROTO, BERTH_DDP_RDMAP_VERSION);
	check_broken(opcode, 20, 4, -EPROTO, BERTH_DDP_OPCODE);
	check_broken(queue, 20, 20, -EBADMSG, BERTH_DDP_QN);
	check_broken(wrap, 16, 16, -EBADMSG, BERTH_DDP_TO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fpdu__crc_is_that_of_iscsi),
		cmocka_unit_test(fpdu__hex_dump_of_the_rfc),
		cmocka_unit_test(fpdu__pieces_of_every_size),
		cmocka_unit_test(fpdu__every_two_cuts),
		cmocka_unit_test(fpdu__every_truncation),
		cmocka_unit_test(fpdu__every_wrong_bit_is_noticed),
		cmocka_unit_test(fpdu__states_and_lengths),
		cmocka_unit_test(fpdu__largest_payload),
		cmocka_unit_test(fpdu__broken_streams),
	};

	return cmocka_run_group_tests_name("fpdu", tests, fill_crcs, NULL);
}
