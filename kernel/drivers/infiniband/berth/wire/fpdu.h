/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The FPDUs in the byte stream of a connection, found piece by piece: the
 * stream comes in spans of any size, and each function consumes what it can of
 * one. Headers and trailer are gathered here; payload is not seen, its owner
 * places it and reports how far it got. There are no markers.
 *
 *	PREFIX -> HEADER -> PAYLOAD -> TRAILER -> PREFIX ...
 *
 * The header functions enter the next state by themselves, and leave out
 * PAYLOAD where there is none. BROKEN is for good: a stream that made no sense
 * once cannot be synchronised again.
 *
 * Pure code, any context; one user at a time, who owns the structure.
 */
#ifndef BERTH_WIRE_FPDU_H
#define BERTH_WIRE_FPDU_H

#include <linux/types.h>
#include "ddp.h"
#include "mpa.h"

enum berth_fpdu_state {
	BERTH_FPDU_PREFIX,	/* length and control bytes are to come */
	BERTH_FPDU_HEADER,	/* the rest of the headers */
	BERTH_FPDU_PAYLOAD,
	BERTH_FPDU_TRAILER,	/* padding and CRC */
	BERTH_FPDU_BROKEN,
};

/**
 * struct berth_fpdu - where in the stream its reader is
 * @seg: headers, decoded; complete from PAYLOAD or TRAILER on; @seg.reason is
 *	why the stream is broken
 * @left: bytes of payload to come
 * @state: enum berth_fpdu_state; written in fpdu.c only
 * @hdr_len: bytes at @hdr
 * @hdr: the headers as they came, MPA's length field first: the CRC begins with
 *	them, and a Terminate copies them from BERTH_MPA_LEN_LEN on
 * @pad: bytes of padding in front of the CRC
 * @trailer_len: bytes at @trailer
 * @trailer: padding as it came, which the CRC covers, and the CRC
 *
 * After the last byte of an FPDU all of it stays as it is until the next byte
 * is consumed.
 */
struct berth_fpdu {
	struct berth_ddp seg;
	u32 left;
	u8 state;
	u8 hdr_len;
	u8 pad;
	u8 trailer_len;
	u8 hdr[BERTH_DDP_HDR_MAX];
	u8 trailer[BERTH_MPA_PAD_MAX + BERTH_MPA_CRC_LEN];
};

void berth_fpdu_init(struct berth_fpdu *f);
int berth_fpdu_header(struct berth_fpdu *f, const void *p, u32 n);
int berth_fpdu_payload(struct berth_fpdu *f, u32 n);
int berth_fpdu_trailer(struct berth_fpdu *f, const void *p, u32 n);
__le32 berth_fpdu_crc(const struct berth_fpdu *f);

/**
 * berth_fpdu_done - whether the trailer that was begun is complete
 * @f: stream
 *
 * Return: true between FPDUs, and before the first.
 */
static inline bool berth_fpdu_done(const struct berth_fpdu *f)
{
	return f->state == BERTH_FPDU_PREFIX &&
	       (!f->hdr_len || f->hdr_len >= BERTH_DDP_PREFIX_LEN);
}

#endif /* BERTH_WIRE_FPDU_H */
