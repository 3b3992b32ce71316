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
 * What a bit of the identification, from the lowest on, makes of the sum when the 18 bytes between it
 * and the end of struct masked_v4 have been counted. A CRC is linear: it is the sum of its bits.
 */
static const u32 id_bit[16] = {
	0xd7e28058, 0x74b406f1, 0xe9680de2, 0x09a11d85,
	0x13423b0a, 0x26847614, 0x4d08ec28, 0x9a11d850,
	0x65673b46, 0xcace768c, 0x4eedeb59, 0x9ddbd6b2,
	0xe0c6ab25, 0x1afc500b, 0x35f8a016, 0x6bf1402c,
};

static u32 id_differs(u16 bits)
{
	const u32 *of_bit = id_bit;
	u32 sum = 0;

	for (; bits; bits >>= 1, of_bit++)
		if (bits & 1)
			sum ^= *of_bit;
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

/**
 * berth_icrc_bth - the ICRC of one of the packets up to its BTH
 * @icrc: what they begin with
 * @index: number of the packet, from 0
 * @bth: its BTH, as on the wire, any alignment
 *
 * Context: Any.
 * Return: the running state, for berth_icrc_payload().
 */
u32 berth_icrc_bth(const struct berth_icrc *icrc, u32 index, const void *bth)
{
	u16 id = icrc->id + index * icrc->id_step;
	struct masked_bth m;

	m.udp_len = icrc->udp_len;
	m.udp_check = cpu_to_be16(0xffff);
	memcpy(&m.bth, bth, sizeof(m.bth));
	m.bth.qpn |= cpu_to_be32(BERTH_BTH_RESV8A);
	return berth_crc_update(icrc->state ^ id_differs(id ^ icrc->id), &m, sizeof(m));
}
