// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * libFuzzer target for the packet parser. The input's first byte says how much
 * of the packet is at hand, whether more of it lies elsewhere, and whether its
 * first bytes are bent towards what the parser accepts; the rest is the packet.
 * What is at hand sits in a heap block of its exact size, so ASan sees the first
 * byte read too many.
 *
 * What must hold: a verdict and a reason that agree; lengths that add up; and
 * headers that, built again from what was decoded, are the bytes that came in
 * but for reserved bits, and decode to the same again.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "wire/packet.h"

#define ELSEWHERE	4096

/* The first byte of the input. */
#define KNOB_BENT	0x01
#define KNOB_ALIGNED	0x02
#define KNOB_LINEAR	0x04	/* only the linear part is at hand */
#define KNOB_ELSEWHERE	0x08	/* more payload lies in fragments */
#define KNOB_CUT	0x80	/* less is at hand than promised */

#define must(cond) do {							\
	if (!(cond)) {							\
		fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #cond);	\
		abort();						\
	}								\
} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Bits that the parser does not look at, cleared for a comparison. */
static void clear_reserved(u8 *hdr, u16 flags)
{
	hdr[4] &= 0xc0;
	hdr[8] &= 0x80;
	if (flags & BERTH_OP_DETH)
		hdr[16] = 0;
}

static void check_refusal(const struct berth_packet *pkt, int ret)
{
	switch (pkt->reason) {
	case BERTH_PACKET_SHORT:
	case BERTH_PACKET_PAD:
	case BERTH_PACKET_PAYLOAD:
		must(ret == -EBADMSG);
		break;
	case BERTH_PACKET_TVER:
	case BERTH_PACKET_OPCODE:
		must(ret == -EPROTO);
		break;
	default:
		must(!"a refusal has a reason");
	}
}

static void check_accepted(const struct berth_packet *pkt, const u8 *hdr, size_t avail,
			   size_t total)
{
	u8 want[BERTH_HDR_MAX], got[BERTH_HDR_MAX];
	struct berth_packet again;

	must(pkt->reason == BERTH_PACKET_OK);
	must(pkt->op && pkt->op->value == hdr[0] && pkt->opcode == hdr[0]);
	must(pkt->hdr_len == pkt->op->hdr_len && pkt->hdr_len <= avail);
	must(pkt->pad == berth_pad_len(pkt->payload_len));
	must(berth_packet_wire_len(pkt->op, pkt->payload_len) == total);
	must(!pkt->payload_len || pkt->op->flags & BERTH_OP_PAYLOAD);

	memcpy(want, hdr, pkt->hdr_len);
	clear_reserved(want, pkt->op->flags);
	must(berth_packet_build(pkt, got, pkt->hdr_len) == pkt->hdr_len);
	must(!memcmp(got, want, pkt->hdr_len));

	must(berth_packet_parse(&again, got, pkt->hdr_len, total) == 0);
	must(!memcmp(&again, pkt, sizeof(again)));
}

/* Turn any opcode into one of the table, version 0, and fix the pad count. */
static void bend(u8 *hdr, size_t total)
{
	while (!berth_opcode_find(hdr[0]))
		hdr[0]++;
	hdr[1] &= berth_opcode_find(hdr[0])->hdr_len + 4u < total ? 0xf0 : 0xc0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct berth_packet pkt;
	size_t avail, total;
	u8 *hdr;
	int ret;

	if (!size)
		return 0;
	total = size - 1;
	if (data[0] & KNOB_ALIGNED)
		total &= ~(size_t)3;
	avail = total;
	if (data[0] & KNOB_LINEAR)
		avail = total < BERTH_HDR_MAX ? total : BERTH_HDR_MAX;
	if (data[0] & KNOB_ELSEWHERE)
		total += ELSEWHERE;
	if (data[0] & KNOB_CUT && avail)
		avail = data[0] % avail;
	hdr = malloc(avail);
	if (avail)
		memcpy(hdr, data + 1, avail);
	if (data[0] & KNOB_BENT && avail > 1)
		bend(hdr, total);
	ret = berth_packet_parse(&pkt, hdr, avail, total);
	if (ret)
		check_refusal(&pkt, ret);
	else
		check_accepted(&pkt, hdr, avail, total);
	free(hdr);
	return 0;
}
