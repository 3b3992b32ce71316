/* SPDX-License-Identifier: GPL-2.0 */
/*
 * One RoCEv2 packet, decoded: BTH and extended headers in host order, and where
 * the payload lies. berth_packet_parse() makes it from bytes of the wire and is
 * the only code that trusts nothing; berth_packet_build() is its inverse.
 *
 * Pure code, any context; the structure is owned by the caller, usually on its
 * stack, and refers to nothing but the read-only opcode table.
 */
#ifndef BERTH_WIRE_PACKET_H
#define BERTH_WIRE_PACKET_H

#include <linux/types.h>
#include "bth.h"
#include "opcode.h"

/* berth_packet.flags */
#define BERTH_PKT_ACKREQ	0x01
#define BERTH_PKT_SE		0x02
#define BERTH_PKT_MIG		0x04
#define BERTH_PKT_FECN		0x08
#define BERTH_PKT_BECN		0x10
#define BERTH_PKT_ALL		0x1f

/* Why a packet was refused; indexes counters. */
enum berth_packet_reason {
	BERTH_PACKET_OK,
	BERTH_PACKET_SHORT,	/* ends within its headers or ICRC */
	BERTH_PACKET_TVER,	/* transport version other than 0 */
	BERTH_PACKET_OPCODE,	/* opcode not in the table */
	BERTH_PACKET_PAD,	/* length no multiple of 4, or pad beyond the payload */
	BERTH_PACKET_PAYLOAD,	/* payload where the opcode has none */
	BERTH_PACKET_REASONS,
};

/**
 * struct berth_packet - decoded view of one packet
 * @op: table entry of @opcode
 * @va: RETH, AtomicETH: remote address
 * @swap_add: AtomicETH: swap value, or what to add
 * @compare: AtomicETH: what to compare with
 * @orig: AtomicAckETH: value before the operation
 * @payload_len: bytes of payload, padding not counted
 * @qpn: destination QP, 24 bits
 * @psn: packet sequence number, 24 bits
 * @rkey: RETH, AtomicETH: remote key
 * @dma_len: RETH: bytes of the whole message
 * @inv_rkey: IETH: key to invalidate
 * @imm: ImmDt: immediate data, opaque and as on the wire (verbs hand it over so)
 * @msn: AETH: message sequence number, 24 bits
 * @qkey: DETH: queue key
 * @src_qpn: DETH: source QP, 24 bits
 * @pkey: partition key
 * @opcode: BTH opcode
 * @flags: BERTH_PKT_*
 * @pad: bytes of padding, 0 to 3
 * @syndrome: AETH: see enum berth_syndrome_kind
 * @hdr_len: BTH and extended headers, bytes: the payload's offset
 *
 * Fields of a header that the opcode does not have are 0.
 */
struct berth_packet {
	const struct berth_opcode *op;
	u64 va;
	u64 swap_add;
	u64 compare;
	u64 orig;
	u32 payload_len;
	u32 qpn;
	u32 psn;
	u32 rkey;
	u32 dma_len;
	u32 inv_rkey;
	__be32 imm;
	u32 msn;
	u32 qkey;
	u32 src_qpn;
	u16 pkey;
	u8 opcode;
	u8 flags;
	u8 pad;
	u8 syndrome;
	u8 hdr_len;
	u8 reason;	/* enum berth_packet_reason of the last parse */
};

int berth_packet_parse(struct berth_packet *pkt, const void *hdr, size_t hdr_avail,
		       size_t total_len);
int berth_packet_build(const struct berth_packet *pkt, void *buf, size_t room);

/**
 * berth_packet_next - go on to a packet that is like the last one but for PSN and ack request
 * @pkt: the last one, parsed
 * @bth: BTH of the next; all before its PSN is the same, so is the length, and so are extended headers
 */
static inline void berth_packet_next(struct berth_packet *pkt, const struct berth_bth *bth)
{
	pkt->psn = berth_bth_psn(bth);
	pkt->flags &= ~BERTH_PKT_ACKREQ;
	if (berth_bth_ackreq(bth))
		pkt->flags |= BERTH_PKT_ACKREQ;
}

/**
 * berth_packet_wire_len - bytes that a packet takes behind the UDP header
 * @op: opcode entry
 * @payload_len: bytes of payload
 *
 * Return: headers, payload, padding and ICRC.
 */
static inline u32 berth_packet_wire_len(const struct berth_opcode *op, u32 payload_len)
{
	return op->hdr_len + payload_len + berth_pad_len(payload_len) + BERTH_ICRC_LEN;
}

#endif /* BERTH_WIRE_PACKET_H */
