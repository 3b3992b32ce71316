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

struct masked_udp {
	__be16 sport;
	__be16 dport;
	__be16 len;
	__be16 check;
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
	struct masked_udp udp;
	struct berth_bth bth;
} __packed;

struct masked_v6 {
	__be32 version_class_flow;
	__be16 payload_len;
	u8 next_header;
	u8 hop_limit;
	struct in6_addr saddr;
	struct in6_addr daddr;
	struct masked_udp udp;
	struct berth_bth bth;
} __packed;

static_assert(sizeof(struct masked_v4) == 20 + 8 + 12);
static_assert(sizeof(struct masked_v6) == 40 + 8 + 12);

static void mask_udp(struct masked_udp *udp, __be16 sport, __be16 dport, u16 len)
{
	udp->sport = sport;
	udp->dport = dport;
	udp->len = cpu_to_be16(len);
	udp->check = cpu_to_be16(0xffff);
}

static void mask_bth(struct berth_bth *bth, const void *th)
{
	memcpy(bth, th, sizeof(*bth));
	bth->qpn |= cpu_to_be32(BERTH_BTH_RESV8A);
}

/* Transport headers behind the BTH are summed as they are. */
static u32 sum_extended(u32 crc, const void *th, size_t th_len)
{
	return berth_crc_update(crc, (const u8 *)th + sizeof(struct berth_bth),
				th_len - sizeof(struct berth_bth));
}

/**
 * berth_icrc_header_v4 - begin the ICRC of a packet over IPv4
 * @saddr: source address
 * @daddr: destination address
 * @id: IP identification as on the wire
 * @frag_off: IP flags and fragment offset as on the wire
 * @udp_len: UDP length in host order: UDP header, headers, payload, pad, ICRC
 * @sport: UDP source port
 * @dport: UDP destination port
 * @th: BTH and extended headers, as on the wire
 * @th_len: their length; at least that of a BTH
 *
 * Payload may be counted in @th_len when it follows the headers in memory.
 *
 * Context: Any.
 * Return: the running state, for berth_icrc_payload().
 */
u32 berth_icrc_header_v4(__be32 saddr, __be32 daddr, __be16 id, __be16 frag_off, u16 udp_len,
			 __be16 sport, __be16 dport, const void *th, size_t th_len)
{
	struct masked_v4 m = {
		.version_ihl = 0x45,
		.tos = 0xff,
		.tot_len = cpu_to_be16(udp_len + 20),
		.id = id,
		.frag_off = frag_off,
		.ttl = 0xff,
		.protocol = IPPROTO_UDP,
		.check = cpu_to_be16(0xffff),
		.saddr = saddr,
		.daddr = daddr,
	};

	mask_udp(&m.udp, sport, dport, udp_len);
	mask_bth(&m.bth, th);
	return sum_extended(berth_crc_update(BERTH_ICRC_SEED, &m, sizeof(m)), th, th_len);
}

/**
 * berth_icrc_header_v6 - begin the ICRC of a packet over IPv6
 * @saddr: source address
 * @daddr: destination address
 * @udp_len: UDP length in host order; also the IPv6 payload length
 * @sport: UDP source port
 * @dport: UDP destination port
 * @th: BTH and extended headers, as on the wire
 * @th_len: their length; at least that of a BTH
 *
 * Context: Any.
 * Return: the running state, for berth_icrc_payload().
 */
u32 berth_icrc_header_v6(const struct in6_addr *saddr, const struct in6_addr *daddr, u16 udp_len,
			 __be16 sport, __be16 dport, const void *th, size_t th_len)
{
	struct masked_v6 m = {
		.version_class_flow = cpu_to_be32(0x6fffffff),
		.payload_len = cpu_to_be16(udp_len),
		.next_header = IPPROTO_UDP,
		.hop_limit = 0xff,
		.saddr = *saddr,
		.daddr = *daddr,
	};

	mask_udp(&m.udp, sport, dport, udp_len);
	mask_bth(&m.bth, th);
	return sum_extended(berth_crc_update(BERTH_ICRC_SEED, &m, sizeof(m)), th, th_len);
}
