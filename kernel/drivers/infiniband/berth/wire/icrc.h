/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The invariant CRC of a RoCEv2 packet (IBTA volume 1, 7.8.1 and annex A17):
 * a CRC-32 over the IP and UDP headers with the fields that a router may
 * change replaced by ones, the transport headers, payload and padding.
 *
 * Packets of a super-packet that are as long as each other have the same headers
 * but for IPv4's identification: berth_icrc_begin_v4/v6() sums what they share
 * once, berth_icrc_bth() what each has of its own, up to its BTH: of packets whose BTHs
 * differ in the last word only, what differs.
 * The sum is carried on with berth_icrc_payload() over extended headers, payload
 * and padding in as many pieces as they come, and turned into the four trailing
 * bytes of the packet by berth_icrc_final().
 * Pure code, any context; the state is the caller's.
 */
#ifndef BERTH_WIRE_ICRC_H
#define BERTH_WIRE_ICRC_H

#include <linux/types.h>
#include <linux/in6.h>
#include <asm/byteorder.h>
#include "bth.h"
#include "crc.h"

/* CRC state after the eight bytes of ones that stand for a local route header. */
#define BERTH_ICRC_SEED		0xdebb20e3u

/**
 * struct berth_icrc - what the ICRCs of packets of one length begin with
 * @state: sum over the headers of the first of them, up to the UDP ports
 * @udp_len: UDP length on the wire
 * @id: IPv4 identification of the first; 0 over IPv6
 * @id_step: by how much the next one's differs
 * @sum_id: identification of the packet that was summed last
 * @summed: one was
 * @sum: its sum up to its BTH
 * @bth: its BTH
 */
struct berth_icrc {
	u32 state;
	__be16 udp_len;
	u16 id;
	u16 id_step;
	u16 sum_id;
	bool summed;
	u32 sum;
	struct berth_bth bth;
};

void berth_icrc_begin_v4(struct berth_icrc *icrc, __be32 saddr, __be32 daddr, u16 id,
			 __be16 frag_off, u16 udp_len, __be16 sport, __be16 dport);
void berth_icrc_begin_v6(struct berth_icrc *icrc, const struct in6_addr *saddr,
			 const struct in6_addr *daddr, u16 udp_len, __be16 sport, __be16 dport);
u32 berth_icrc_bth(struct berth_icrc *icrc, u32 index, const struct berth_bth *bth);

/**
 * berth_icrc_payload - carry an ICRC on over what follows the BTH
 * @crc: running state
 * @data: bytes, directly readable
 * @len: how many; 0 is allowed
 *
 * Return: the running state.
 */
static inline u32 berth_icrc_payload(u32 crc, const void *data, size_t len)
{
	return berth_crc_update(crc, data, len);
}

/**
 * berth_icrc_final - the ICRC as it stands on the wire
 * @crc: running state after the last byte of padding
 *
 * Return: the four bytes that end the packet, to be stored as they are.
 */
static inline __le32 berth_icrc_final(u32 crc)
{
	return cpu_to_le32(~crc);
}

#endif /* BERTH_WIRE_ICRC_H */
