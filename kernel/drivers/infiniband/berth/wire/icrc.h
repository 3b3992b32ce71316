/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The invariant CRC of a RoCEv2 packet (IBTA volume 1, 7.8.1 and annex A17):
 * a CRC-32 over the IP and UDP headers with the fields that a router may
 * change replaced by ones, the transport headers, payload and padding.
 *
 * A sum is begun with berth_icrc_header_v4/v6(), carried on with
 * berth_icrc_payload() over payload and padding in as many pieces as they come,
 * and turned into the four trailing bytes of the packet by berth_icrc_final().
 * Pure code, any context; the state is one u32 owned by the caller.
 */
#ifndef BERTH_WIRE_ICRC_H
#define BERTH_WIRE_ICRC_H

#include <linux/types.h>
#include <linux/in6.h>
#include <asm/byteorder.h>
#include "crc.h"

/* CRC state after the eight bytes of ones that stand for a local route header. */
#define BERTH_ICRC_SEED		0xdebb20e3u

u32 berth_icrc_header_v4(__be32 saddr, __be32 daddr, __be16 id, __be16 frag_off, u16 udp_len,
			 __be16 sport, __be16 dport, const void *th, size_t th_len);
u32 berth_icrc_header_v6(const struct in6_addr *saddr, const struct in6_addr *daddr, u16 udp_len,
			 __be16 sport, __be16 dport, const void *th, size_t th_len);

/**
 * berth_icrc_payload - carry an ICRC on over payload or padding
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
