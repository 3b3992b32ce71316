// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * libFuzzer target for the packet parser. The input's first byte says how much
 * of the packet is at hand and whether more of it lies elsewhere; the rest is
 * the packet. What is at hand sits in a heap block of its exact size, so ASan
 * sees the first byte read too many.
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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct berth_packet pkt;
	size_t avail, total;
	u8 *hdr;
	int ret;

	if (!size)
		return 0;
	total = size - 1;
	avail = total;
	if (data[0] & 0x80)
		avail = total < BERTH_HDR_MAX ? total : BERTH_HDR_MAX;
	if (data[0] & 0x40)
		total += ELSEWHERE;
	if (data[0] & 0x20)
		avail = avail < (data[0] & 0x1f) ? avail : (data[0] & 0x1f);
	hdr = malloc(avail);
	if (avail)
		memcpy(hdr, data + 1, avail);
	ret = berth_packet_parse(&pkt, hdr, avail, total);
	if (ret)
		check_refusal(&pkt, ret);
	else
		check_accepted(&pkt, hdr, avail, total);
	free(hdr);
	return 0;
}
