// SPDX-License-Identifier: GPL-2.0
/*
 * Lay out the masked pseudo headers of the ICRC and sum them.
 *
 * Ones stand for what a router may change: type of service, time to live and
 * checksum of IPv4; traffic class, flow label and hop limit of IPv6; the UDP
 * checksum; the byte of the BTH that holds the congestion bits. All other bytes
 * count as they are on the wire, IPv4's identification and fragment word too.
 * IPv4 options and IPv6 extension headers do not occur in RoCEv2.
 *
 * Pure code, any context.
 */
#include <linux/types.h>
#include <linux/build_bug.h>
#include <linux/in.h>
#include <linux/in6.h>
#include <linux/string.h>
#include <asm/byteorder.h>
#include "bth.h"
#include "icrc.h"

struct masked_ports {
	__be16 sport;
	__be16 dport;
} __packed;

struct masked_v4 {
	u8 version_ihl;
	u8 tos;
	__be16 tot_len;
	__be16 id;
	__be16 frag_off;
	u8 ttl;
	u8 protocol;
	__be16 check;
	__be32 saddr;
	__be32 daddr;
	struct masked_ports ports;
} __packed;

struct masked_v6 {
	__be32 version_class_flow;
	__be16 payload_len;
	u8 next_header;
	u8 hop_limit;
	struct in6_addr saddr;
	struct in6_addr daddr;
	struct masked_ports ports;
} __packed;

/* The rest of the UDP header and the BTH: two words of eight bytes, which CRC-32 likes best. */
struct masked_bth {
	__be16 udp_len;
	__be16 udp_check;
	struct berth_bth bth;
} __packed __aligned(8);

static_assert(sizeof(struct masked_v4) == 20 + 4);
static_assert(sizeof(struct masked_v6) == 40 + 4);
static_assert(sizeof(struct masked_bth) == 4 + 12);

/*
 * What a bit of the identification, and of a BTH's last word, from the lowest on, makes of the sum behind the BTH. A CRC
 * is linear: packets that differ in such bits have sums that differ by these.
 */
static const u32 id_bit[16] = {
	0xcf9e17c8, 0x444d29d1, 0x889a53a2, 0xca45a105,
	0x4ffa444b, 0x9ff48896, 0xe498176d, 0x1241289b,
	0x9570d495, 0xf190af6b, 0x38505897, 0x70a0b12e,
	0xe141625c, 0x19f3c2f9, 0x33e785f2, 0x67cf0be4,
};

static const u32 psn_bit[32] = {
	0x77073096, 0xee0e612c, 0x076dc419, 0x0edb8832,
	0x1db71064, 0x3b6e20c8, 0x76dc4190, 0xedb88320,
	0x191b3141, 0x32366282, 0x646cc504, 0xc8d98a08,
	0x4ac21251, 0x958424a2, 0xf0794f05, 0x3b83984b,
	0x01c26a37, 0x0384d46e, 0x0709a8dc, 0x0e1351b8,
	0x1c26a370, 0x384d46e0, 0x709a8dc0, 0xe1351b80,
	0xb8bc6765, 0xaa09c88b, 0x8f629757, 0xc5b428ef,
	0x5019579f, 0xa032af3e, 0x9b14583d, 0xed59b63b,
};

static u32 sum_of(const u32 *of_bit, u32 bits)
{
	u32 sum = 0;

	for (; bits; bits &= bits - 1)
		sum ^= of_bit[__builtin_ctz(bits)];
	return sum;
}

/**
 * berth_icrc_begin_v4 - begin the ICRCs of packets over IPv4
 * @icrc: result
 * @saddr: source address
 * @daddr: destination address
 * @id: IP identification of the first packet; each has one more than the one before
 * @frag_off: IP flags and fragment offset as on the wire
 * @udp_len: UDP length in host order: UDP header, headers, payload, pad, ICRC
 * @sport: UDP source port
 * @dport: UDP destination port
 *
 * Context: Any.
 */
void berth_icrc_begin_v4(struct berth_icrc *icrc, __be32 saddr, __be32 daddr, u16 id,
			 __be16 frag_off, u16 udp_len, __be16 sport, __be16 dport)
{
	const struct masked_v4 m = {
		.version_ihl = 0x45,
		.tos = 0xff,
		.tot_len = cpu_to_be16(udp_len + 20),
		.id = cpu_to_be16(id),
		.frag_off = frag_off,
		.ttl = 0xff,
		.protocol = IPPROTO_UDP,
		.check = cpu_to_be16(0xffff),
		.saddr = saddr,
		.daddr = daddr,
		.ports = { sport, dport },
	};

	*icrc = (struct berth_icrc){
		.state = berth_crc_update(BERTH_ICRC_SEED, &m, sizeof(m)),
		.udp_len = cpu_to_be16(udp_len),
		.id = id,
		.id_step = 1,
	};
}

/**
 * berth_icrc_begin_v6 - begin the ICRCs of packets over IPv6
 * @icrc: result
 * @saddr: source address
 * @daddr: destination address
 * @udp_len: UDP length in host order; also the IPv6 payload length
 * @sport: UDP source port
 * @dport: UDP destination port
 *
 * Context: Any.
 */
void berth_icrc_begin_v6(struct berth_icrc *icrc, const struct in6_addr *saddr,
			 const struct in6_addr *daddr, u16 udp_len, __be16 sport, __be16 dport)
{
	const struct masked_v6 m = {
		.version_class_flow = cpu_to_be32(0x6fffffff),
		.payload_len = cpu_to_be16(udp_len),
		.next_header = IPPROTO_UDP,
		.hop_limit = 0xff,
		.saddr = *saddr,
		.daddr = *daddr,
		.ports = { sport, dport },
	};

	*icrc = (struct berth_icrc){
		.state = berth_crc_update(BERTH_ICRC_SEED, &m, sizeof(m)),
		.udp_len = cpu_to_be16(udp_len),
	};
}

/* Sums the headers of the first packet up to its BTH, as one whose BTH is this. */
static void begin_bth(struct berth_icrc *icrc, const struct berth_bth *bth)
{
	struct masked_bth m = {
		.udp_len = icrc->udp_len,
		.udp_check = cpu_to_be16(0xffff),
		.bth = *bth,
	};

	m.bth.qpn |= cpu_to_be32(BERTH_BTH_RESV8A);
	icrc->sum = berth_crc_update(icrc->state, &m, sizeof(m));
	icrc->sum_id = icrc->id;
	icrc->bth = *bth;
	icrc->summed = true;
}

/**
 * berth_icrc_bth - the ICRC of one of the packets up to its BTH
 * @icrc: what they begin with
 * @index: number of the packet, from 0
 * @bth: its BTH, as on the wire
 *
 * Context: Any.
 * Return: the running state, for berth_icrc_payload().
 */
u32 berth_icrc_bth(struct berth_icrc *icrc, u32 index, const struct berth_bth *bth)
{
	u16 id = icrc->id + index * icrc->id_step;

	if (!icrc->summed || memcmp(bth, &icrc->bth, offsetof(struct berth_bth, psn)))
		begin_bth(icrc, bth);
	icrc->sum ^= sum_of(id_bit, id ^ icrc->sum_id) ^ sum_of(psn_bit, be32_to_cpu(bth->psn ^ icrc->bth.psn));
	icrc->sum_id = id;
	icrc->bth.psn = bth->psn;
	return icrc->sum;
}
