// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * wire/icrc against sums made another way: whole packets as bytes, masked at
 * fixed offsets, behind eight bytes of ones, CRC bit by bit. Two vectors come
 * from elsewhere: the RoCE layer tests of scapy, one of them captured from a
 * ConnectX-4 Lx; they fix what this file and the code could get wrong together.
 */
#include "unit.h"
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <linux/in6.h>
#include "wire/bth.h"
#include "wire/icrc.h"

static u32 bitwise(u32 crc, const u8 *p, size_t len)
{
	while (len--) {
		crc ^= *p++;
		for (int bit = 0; bit < 8; bit++)
			crc = crc & 1 ? crc >> 1 ^ 0xedb88320 : crc >> 1;
	}
	return crc;
}

/* The ICRC of an IP packet without its last four bytes, as bytes of the wire. */
static void reference(const u8 *ip, size_t len, u8 icrc[4])
{
	u8 *m = malloc(8 + len);
	u8 *h = m + 8;
	u8 *udp;
	u32 crc;

	assert_non_null(m);
	memset(m, 0xff, 8);
	memcpy(h, ip, len);
	if (h[0] >> 4 == 4) {
		h[1] = 0xff;			/* type of service */
		h[8] = 0xff;			/* time to live */
		h[10] = h[11] = 0xff;		/* checksum */
		udp = h + 20;
	} else {
		h[0] |= 0x0f;			/* traffic class and flow label */
		h[1] = h[2] = h[3] = 0xff;
		h[7] = 0xff;			/* hop limit */
		udp = h + 40;
	}
	udp[6] = udp[7] = 0xff;			/* checksum */
	udp[8 + 4] = 0xff;			/* congestion bits of the BTH */
	crc = ~bitwise(~0u, m, 8 + len);
	free(m);
	icrc[0] = crc;
	icrc[1] = crc >> 8;
	icrc[2] = crc >> 16;
	icrc[3] = crc >> 24;
}

static u16 be16_at(const u8 *p)
{
	return p[0] << 8 | p[1];
}

/* Begins the ICRCs of packets of which this is number @index. */
static void begin(struct berth_icrc *begun, const u8 *ip, u32 index)
{
	bool v4 = ip[0] >> 4 == 4;
	const u8 *udp = ip + (v4 ? 20 : 40);
	struct in6_addr s6, d6;
	__be32 s4, d4;
	__be16 frag, sport, dport;

	memcpy(&sport, udp, 2);
	memcpy(&dport, udp + 2, 2);
	if (v4) {
		memcpy(&frag, ip + 6, 2);
		memcpy(&s4, ip + 12, 4);
		memcpy(&d4, ip + 16, 4);
		berth_icrc_begin_v4(begun, s4, d4, be16_at(ip + 4) - index, frag, be16_at(udp + 4),
				    sport, dport);
	} else {
		memcpy(&s6, ip + 8, 16);
		memcpy(&d6, ip + 24, 16);
		berth_icrc_begin_v6(begun, &s6, &d6, be16_at(udp + 4), sport, dport);
	}
}

/* The same by the code under test, what follows the BTH summed in pieces. */
static void go_on(struct berth_icrc *begun, const u8 *ip, size_t len, size_t piece, u32 index, u8 icrc[4])
{
	const u8 *th = ip + (ip[0] >> 4 == 4 ? 20 : 40) + 8;
	u32 crc = berth_icrc_bth(begun, index, (const struct berth_bth *)th);
	__le32 final;

	for (const u8 *p = th + sizeof(struct berth_bth); p < ip + len; p += piece) {
		size_t left = ip + len - p;

		crc = berth_icrc_payload(crc, p, left < piece ? left : piece);
	}
	final = berth_icrc_final(crc);
	memcpy(icrc, &final, 4);
}

static void sum_nth(const u8 *ip, size_t len, size_t piece, u32 index, u8 icrc[4])
{
	struct berth_icrc begun;

	begin(&begun, ip, index);
	go_on(&begun, ip, len, piece, index, icrc);
}

static void sum(const u8 *ip, size_t len, size_t piece, u8 icrc[4])
{
	sum_nth(ip, len, piece, 0, icrc);
}

/* Lay out an IP packet up to the ICRC; the contents depend on @salt everywhere. */
static size_t make_packet(u8 *ip, bool v4, size_t th_len, size_t payload, u32 salt)
{
	size_t ip_len = v4 ? 20 : 40;
	size_t len = ip_len + 8 + th_len + payload;
	size_t udp_len = 8 + th_len + payload + 4;

	for (size_t i = 0; i < len; i++) {
		salt = salt * 1664525 + 1013904223;
		ip[i] = salt >> 24;
	}
	if (v4) {
		ip[0] = 0x45;
		ip[2] = (udp_len + 20) >> 8;
		ip[3] = udp_len + 20;
		ip[9] = 17;
	} else {
		ip[0] = 0x60 | (ip[0] & 15);
		ip[4] = udp_len >> 8;
		ip[5] = udp_len;
		ip[6] = 17;
	}
	ip[ip_len + 4] = udp_len >> 8;
	ip[ip_len + 5] = udp_len;
	return len;
}

static const size_t th_lens[] = { 12, 16, 24, 28, 32, 40 };
static const size_t payloads[] = { 0, 4, 8, 60, 64, 256, 1024, 4096 };

static void check_matrix(bool v4)
{
	static u8 ip[8192];
	u8 want[4], got[4];

	for (size_t t = 0; t < sizeof(th_lens) / sizeof(th_lens[0]); t++)
		for (size_t p = 0; p < sizeof(payloads) / sizeof(payloads[0]); p++) {
			size_t len = make_packet(ip, v4, th_lens[t], payloads[p], t * 100 + p);

			reference(ip, len, want);
			sum(ip, len, 8192, got);
			assert_memory_equal(got, want, 4);
		}
}

static void icrc_v4__matches_bit_by_bit(void **state)
{
	check_matrix(true);
}

static void icrc_v6__matches_bit_by_bit(void **state)
{
	check_matrix(false);
}

/* Every bit of the identification changes on the way, and it wraps. */
static void check_each_of_many(bool v4)
{
	static const u16 firsts[] = { 0, 1, 0x00ff, 0x7fc0, 0x7fff, 0xa5a5, 0xffc1, 0xffff };
	static u8 ip[256];
	u8 want[4], got[4];

	for (size_t f = 0; f < sizeof(firsts) / sizeof(firsts[0]); f++)
		for (u32 i = 0; i < 300; i++) {
			u16 id = firsts[f] + i;
			size_t len = make_packet(ip, v4, 28, 16, f * 1000 + i);

			if (v4) {
				ip[4] = id >> 8;
				ip[5] = id;
			}
			reference(ip, len, want);
			sum_nth(ip, len, 8192, i, got);
			assert_memory_equal(got, want, 4);
		}
}

static void icrc_bth__each_packet_of_many(void **state)
{
	check_each_of_many(true);
	check_each_of_many(false);
}

/* Packets of one run: any PSN, with and without an ack request, now and then another BTH, other payload each time. */
static void check_run(bool v4)
{
	struct berth_icrc begun;
	static u8 ip[256];
	u8 want[4], got[4];
	u32 seed = 1;

	for (u32 i = 0; i < 1000; i++) {
		size_t len = make_packet(ip, v4, 28, 16, 77);
		u16 id = 0xff00 + i;
		u8 *bth = ip + (v4 ? 20 : 40) + 8;

		if (v4) {
			ip[4] = id >> 8;
			ip[5] = id;
		}
		bth[i / 50 % 8] ^= i / 50;
		for (u32 b = 8; b < len - (bth - ip); b++) {
			seed = seed * 1664525 + 1013904223;
			bth[b] = seed >> 24;
		}
		if (!i)
			begin(&begun, ip, 0);
		reference(ip, len, want);
		go_on(&begun, ip, len, 8192, i, got);
		assert_memory_equal(got, want, 4);
	}
}

static void icrc_bth__run_of_packets(void **state)
{
	check_run(true);
	check_run(false);
}

static void icrc_payload__any_split(void **state)
{
	static u8 ip[4096];
	size_t len = make_packet(ip, true, 28, 1000, 42);
	u8 want[4], got[4];

	reference(ip, len, want);
	for (size_t piece = 1; piece < 1100; piece += piece < 70 ? 1 : 97) {
		sum(ip, len, piece, got);
		assert_memory_equal(got, want, 4);
	}
}

static void icrc_payload__nothing_changes_nothing(void **state)
{
	assert_int_equal(berth_icrc_payload(0x12345678, "", 0), 0x12345678);
}

/* Which bytes of the headers count: flip each one and see. */
static void check_coverage(bool v4, const char *masked, size_t n)
{
	static u8 ip[256];
	size_t len = make_packet(ip, v4, 28, 16, 7);
	u8 base[4], got[4];

	reference(ip, len, base);
	for (size_t i = 0; i < n; i++) {
		u8 icrc[4];

		ip[i] ^= 0x10;
		reference(ip, len, icrc);
		if (i)			/* byte 0 decides which family it is */
			assert_int_equal(!memcmp(icrc, base, 4), masked[i] == 'm');
		ip[i] ^= 0x10;
	}
	sum(ip, len, 16, got);
	assert_memory_equal(got, base, 4);
}

static void icrc__what_a_router_changes_does_not_count(void **state)
{
	/* IPv4 20, UDP 8, BTH 12: m is masked. */
	check_coverage(true, ".m......m.mm........" "......mm" "....m.......", 40);
	/* IPv6 40; the low nibble of byte 0 is covered in the next test. */
	check_coverage(false, ".mmm...m................................" "......mm"
		       "....m.......", 60);
}

static void check_masked_field(bool v4, size_t at, u8 bits, bool counts)
{
	static u8 ip[256];
	size_t len = make_packet(ip, v4, 12, 32, 9);
	u8 before[4], after[4];

	sum(ip, len, 32, before);
	ip[at] ^= bits;
	sum(ip, len, 32, after);
	assert_int_equal(!!memcmp(before, after, 4), counts);
}

static void icrc__code_ignores_congestion_and_counts_the_rest(void **state)
{
	check_masked_field(true, 1, 0xff, false);		/* TOS */
	check_masked_field(true, 4, 0x01, true);		/* id */
	check_masked_field(true, 6, 0x40, true);		/* DF */
	check_masked_field(true, 8, 0xff, false);		/* TTL */
	check_masked_field(true, 12, 0x01, true);		/* source */
	check_masked_field(true, 28 + 4, 0xc0, false);		/* FECN, BECN */
	check_masked_field(true, 28 + 5, 0x01, true);		/* QPN */
	check_masked_field(true, 28 + 8, 0x80, true);		/* ack request */
	check_masked_field(false, 0, 0x0f, false);		/* traffic class */
	check_masked_field(false, 2, 0xff, false);		/* flow label */
	check_masked_field(false, 7, 0xff, false);		/* hop limit */
	check_masked_field(false, 39, 0x01, true);		/* destination */
	check_masked_field(false, 48 + 4, 0xff, false);
	check_masked_field(false, 40, 0x01, true);		/* source port */
}

static void icrc_seed__is_eight_bytes_of_ones(void **state)
{
	static const u8 ones[8] = { 255, 255, 255, 255, 255, 255, 255, 255 };

	assert_int_equal(bitwise(~0u, ones, 8), BERTH_ICRC_SEED);
}

static void icrc_final__is_little_endian(void **state)
{
	static const u8 want[4] = { 0xff ^ 0x78, 0xff ^ 0x56, 0xff ^ 0x34, 0xff ^ 0x12 };
	__le32 final = berth_icrc_final(0x12345678);

	assert_memory_equal(&final, want, 4);
}

static void icrc_v4__public_vector_uc_send(void **state)
{
	static const u8 th[12 + 20] = {
		0x24, 0x60, 0xff, 0xff, 0x00, 0x00, 0x00, 0xd3, 0x00, 0xcf, 0x17, 0x10,
		0x46, 0x30, 0x81, 0x8b, 0xe2, 0x89, 0x35, 0xd9, 0x0e, 0x9a, 0x95, 0x50,
		0x54, 0x01, 0xbe, 0x88, 0x5e, 0x50, 0x00, 0x00,
	};
	static const u8 want[4] = { 0x78, 0xf3, 0x53, 0xf3 };
	struct berth_icrc begun;
	__le32 final;
	u32 crc;

	/* 0xcf1710 is the PSN that the vector gives in decimal. */
	assert_int_equal(0xcf1710, 13571856);
	berth_icrc_begin_v4(&begun, inet_addr("192.168.0.7"), inet_addr("192.168.0.7"), 1144,
			    htons(0x4000), 44, htons(49152), htons(4791));
	crc = berth_icrc_bth(&begun, 0, (const struct berth_bth *)th);
	final = berth_icrc_final(berth_icrc_payload(crc, th + 12, 20));
	assert_memory_equal(&final, want, 4);
}

static void icrc_v4__captured_from_hardware(void **state)
{
	/* A congestion notification: BTH with BECN set, 16 zero bytes. */
	static const u8 packet[] = {
		0x45, 0xc2, 0x00, 0x3c, 0x71, 0x8c, 0x40, 0x00, 0x40, 0x11, 0x91, 0x61,
		0x0a, 0x00, 0x11, 0x01, 0x0a, 0x00, 0x12, 0x01, 0x00, 0x00, 0x12, 0xb7,
		0x00, 0x28, 0x00, 0x00, 0x81, 0x00, 0xff, 0xff, 0x40, 0x00, 0x01, 0x18,
		0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
		0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
	};
	static const u8 want[4] = { 0x82, 0xfd, 0x00, 0x2a };
	u8 got[4];

	sum(packet, sizeof(packet), 16, got);
	assert_memory_equal(got, want, 4);
	reference(packet, sizeof(packet), got);
	assert_memory_equal(got, want, 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(icrc_v4__matches_bit_by_bit),
		cmocka_unit_test(icrc_v6__matches_bit_by_bit),
		cmocka_unit_test(icrc_bth__each_packet_of_many),
		cmocka_unit_test(icrc_bth__run_of_packets),
		cmocka_unit_test(icrc_payload__any_split),
		cmocka_unit_test(icrc_payload__nothing_changes_nothing),
		cmocka_unit_test(icrc__what_a_router_changes_does_not_count),
		cmocka_unit_test(icrc__code_ignores_congestion_and_counts_the_rest),
		cmocka_unit_test(icrc_seed__is_eight_bytes_of_ones),
		cmocka_unit_test(icrc_final__is_little_endian),
		cmocka_unit_test(icrc_v4__public_vector_uc_send),
		cmocka_unit_test(icrc_v4__captured_from_hardware),
	};

	return cmocka_run_group_tests_name("icrc", tests, NULL, NULL);
}
