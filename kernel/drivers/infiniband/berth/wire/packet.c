// SPDX-License-Identifier: GPL-2.0
/*
 * Bytes of the wire to struct berth_packet and back.
 *
 * The parser sees the first linear bytes of a packet and its total length. It
 * reads nothing beyond what it was told is there, and refuses what no correct
 * peer sends; whether a packet fits its connection (path MTU, PSN, state) is
 * for the transport. Extended headers stand in the order of the BERTH_OP_*
 * header bits, which both directions below walk.
 *
 * Pure code, any context, no locks.
 */
#include <linux/types.h>
#include <linux/errno.h>
#include <linux/minmax.h>
#include <linux/string.h>
#include "bth.h"
#include "opcode.h"
#include "packet.h"

/* The largest UDP payload there is. */
#define TOTAL_MAX	(65535 - 8)

static int refuse(struct berth_packet *pkt, enum berth_packet_reason reason, int err)
{
	pkt->reason = reason;
	return err;
}

static void decode_bth(struct berth_packet *pkt, const struct berth_bth *bth)
{
	pkt->opcode = bth->opcode;
	pkt->pad = berth_bth_pad(bth);
	pkt->pkey = berth_bth_pkey(bth);
	pkt->qpn = berth_bth_qpn(bth);
	pkt->psn = berth_bth_psn(bth);
	pkt->flags = (berth_bth_ackreq(bth) ? BERTH_PKT_ACKREQ : 0) |
		     (berth_bth_se(bth) ? BERTH_PKT_SE : 0) |
		     (berth_bth_mig(bth) ? BERTH_PKT_MIG : 0) |
		     (berth_bth_fecn(bth) ? BERTH_PKT_FECN : 0) |
		     (berth_bth_becn(bth) ? BERTH_PKT_BECN : 0);
}

static const u8 *decode_request(struct berth_packet *pkt, const u8 *p)
{
	u16 f = pkt->op->flags;

	if (f & BERTH_OP_DETH) {
		const struct berth_deth *deth = (const void *)p;

		pkt->qkey = be32_to_cpu(deth->qkey);
		pkt->src_qpn = be32_to_cpu(deth->src_qpn) & BERTH_QPN_MASK;
		p += sizeof(*deth);
	}
	if (f & BERTH_OP_RETH) {
		const struct berth_reth *reth = (const void *)p;

		pkt->va = be64_to_cpu(reth->va);
		pkt->rkey = be32_to_cpu(reth->rkey);
		pkt->dma_len = be32_to_cpu(reth->len);
		p += sizeof(*reth);
	}
	if (f & BERTH_OP_ATOMICETH) {
		const struct berth_atomiceth *atomic = (const void *)p;

		pkt->va = be64_to_cpu(atomic->va);
		pkt->rkey = be32_to_cpu(atomic->rkey);
		pkt->swap_add = be64_to_cpu(atomic->swap_add);
		pkt->compare = be64_to_cpu(atomic->compare);
		p += sizeof(*atomic);
	}
	return p;
}

static void decode_rest(struct berth_packet *pkt, const u8 *p)
{
	u16 f = pkt->op->flags;

	if (f & BERTH_OP_AETH) {
		const struct berth_aeth *aeth = (const void *)p;

		pkt->syndrome = berth_aeth_syndrome(aeth);
		pkt->msn = berth_aeth_msn(aeth);
		p += sizeof(*aeth);
	}
	if (f & BERTH_OP_ATOMICACKETH) {
		const struct berth_atomicacketh *ack = (const void *)p;

		pkt->orig = be64_to_cpu(ack->orig);
		p += sizeof(*ack);
	}
	if (f & BERTH_OP_IMM) {
		const struct berth_immdt *immdt = (const void *)p;

		pkt->imm = immdt->imm;
		p += sizeof(*immdt);
	}
	if (f & BERTH_OP_IETH)
		pkt->inv_rkey = be32_to_cpu(((const struct berth_ieth *)p)->rkey);
}

/* What lies between the headers and the ICRC is payload and padding. */
static int check_lengths(struct berth_packet *pkt, size_t total_len)
{
	u32 body = total_len - pkt->hdr_len - BERTH_ICRC_LEN;

	if (body % BERTH_PAD_ALIGN || pkt->pad > body)
		return refuse(pkt, BERTH_PACKET_PAD, -EBADMSG);
	if (body && !(pkt->op->flags & BERTH_OP_PAYLOAD))
		return refuse(pkt, BERTH_PACKET_PAYLOAD, -EBADMSG);
	pkt->payload_len = body - pkt->pad;
	return 0;
}

/**
 * berth_packet_parse - decode the headers of one RoCEv2 packet
 * @pkt: result; every field is written
 * @hdr: the packet from its BTH on, any alignment
 * @hdr_avail: bytes readable at @hdr: the whole packet, or BERTH_HDR_MAX or more
 * @total_len: bytes of the UDP payload, ICRC included
 *
 * The ICRC is not looked at. After a refusal @pkt->reason says why and the
 * other fields are for nothing but a trace.
 *
 * Context: Any.
 * Return: 0; -EPROTO for a transport version or opcode that we do not speak;
 * -EBADMSG for a packet that contradicts itself.
 */
int berth_packet_parse(struct berth_packet *pkt, const void *hdr, size_t hdr_avail,
		       size_t total_len)
{
	const struct berth_bth *bth = hdr;
	size_t avail = min(hdr_avail, total_len);

	*pkt = (struct berth_packet){};
	if (avail < sizeof(*bth) || total_len > TOTAL_MAX)
		return refuse(pkt, BERTH_PACKET_SHORT, -EBADMSG);
	decode_bth(pkt, bth);
	if (berth_bth_tver(bth))
		return refuse(pkt, BERTH_PACKET_TVER, -EPROTO);
	pkt->op = berth_opcode_find(bth->opcode);
	if (!pkt->op)
		return refuse(pkt, BERTH_PACKET_OPCODE, -EPROTO);
	pkt->hdr_len = pkt->op->hdr_len;
	if (avail < pkt->hdr_len || total_len < (size_t)pkt->hdr_len + BERTH_ICRC_LEN)
		return refuse(pkt, BERTH_PACKET_SHORT, -EBADMSG);
	decode_rest(pkt, decode_request(pkt, (const u8 *)(bth + 1)));
	return check_lengths(pkt, total_len);
}

static void encode_bth(struct berth_bth *bth, const struct berth_packet *pkt)
{
	u8 flags = pkt->flags;

	bth->opcode = pkt->opcode;
	bth->flags = (flags & BERTH_PKT_SE ? BERTH_BTH_SE : 0) |
		     (flags & BERTH_PKT_MIG ? BERTH_BTH_MIG : 0) |
		     berth_pad_len(pkt->payload_len) << BERTH_BTH_PAD_SHIFT;
	bth->pkey = cpu_to_be16(pkt->pkey);
	bth->qpn = cpu_to_be32((pkt->qpn & BERTH_QPN_MASK) |
			       (flags & BERTH_PKT_FECN ? BERTH_BTH_FECN : 0) |
			       (flags & BERTH_PKT_BECN ? BERTH_BTH_BECN : 0));
	bth->psn = cpu_to_be32((pkt->psn & BERTH_PSN_MASK) |
			       (flags & BERTH_PKT_ACKREQ ? BERTH_BTH_ACKREQ : 0));
}

static u8 *encode_request(u8 *p, const struct berth_packet *pkt, u16 f)
{
	if (f & BERTH_OP_DETH) {
		struct berth_deth *deth = (void *)p;

		deth->qkey = cpu_to_be32(pkt->qkey);
		deth->src_qpn = cpu_to_be32(pkt->src_qpn & BERTH_QPN_MASK);
		p += sizeof(*deth);
	}
	if (f & BERTH_OP_RETH) {
		struct berth_reth *reth = (void *)p;

		reth->va = cpu_to_be64(pkt->va);
		reth->rkey = cpu_to_be32(pkt->rkey);
		reth->len = cpu_to_be32(pkt->dma_len);
		p += sizeof(*reth);
	}
	if (f & BERTH_OP_ATOMICETH) {
		struct berth_atomiceth *atomic = (void *)p;

		atomic->va = cpu_to_be64(pkt->va);
		atomic->rkey = cpu_to_be32(pkt->rkey);
		atomic->swap_add = cpu_to_be64(pkt->swap_add);
		atomic->compare = cpu_to_be64(pkt->compare);
		p += sizeof(*atomic);
	}
	return p;
}

static void encode_rest(u8 *p, const struct berth_packet *pkt, u16 f)
{
	if (f & BERTH_OP_AETH) {
		struct berth_aeth *aeth = (void *)p;

		aeth->word = cpu_to_be32((u32)pkt->syndrome << 24 | (pkt->msn & BERTH_MSN_MASK));
		p += sizeof(*aeth);
	}
	if (f & BERTH_OP_ATOMICACKETH) {
		struct berth_atomicacketh *ack = (void *)p;

		ack->orig = cpu_to_be64(pkt->orig);
		p += sizeof(*ack);
	}
	if (f & BERTH_OP_IMM) {
		struct berth_immdt *immdt = (void *)p;

		immdt->imm = pkt->imm;
		p += sizeof(*immdt);
	}
	if (f & BERTH_OP_IETH)
		((struct berth_ieth *)p)->rkey = cpu_to_be32(pkt->inv_rkey);
}

/**
 * berth_packet_build - write the headers of a packet
 * @pkt: what to write: opcode, pkey, qpn, psn, flags, payload_len and the fields
 *	of the headers that the opcode has; op, pad, hdr_len, reason are not read
 * @buf: where the BTH goes, any alignment
 * @room: bytes at @buf; BERTH_HDR_MAX are always enough
 *
 * The pad count follows from payload_len. Numbers of 24 bits are cut to that.
 * Payload, padding and ICRC are the caller's.
 *
 * Context: Any.
 * Return: bytes written: the offset of the payload. -EINVAL for an unknown
 * opcode, unknown flags, or payload that the opcode does not carry; -ENOSPC
 * when @room is too small. Nothing is written then.
 */
int berth_packet_build(const struct berth_packet *pkt, void *buf, size_t room)
{
	const struct berth_opcode *op = berth_opcode_find(pkt->opcode);
	struct berth_bth *bth = buf;

	if (!op || pkt->flags & ~BERTH_PKT_ALL)
		return -EINVAL;
	if (pkt->payload_len && !(op->flags & BERTH_OP_PAYLOAD))
		return -EINVAL;
	if (room < op->hdr_len)
		return -ENOSPC;
	encode_bth(bth, pkt);
	encode_rest(encode_request((u8 *)(bth + 1), pkt, op->flags), pkt, op->flags);
	return op->hdr_len;
}
