/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Terminate, the last message of a stream that failed: the numbers by which it
 * says what went wrong (RFC 5040, 4.8; RFC 5041, 7; RFC 5044, 8; RFC 6581), and
 * its body, of a control word and as much of the terminated segment's headers
 * as its sender saw fit to copy.
 *
 * Pure code, any context; structures are the caller's.
 */
#ifndef BERTH_WIRE_TERM_H
#define BERTH_WIRE_TERM_H

#include <linux/types.h>
#include "rdmap.h"

/* Who found the error. */
enum berth_term_layer {
	BERTH_TERM_RDMAP		= 0,
	BERTH_TERM_DDP			= 1,
	BERTH_TERM_LLP			= 2,
};

/* Types of each layer. */
#define BERTH_TERM_RDMAP_LOCAL		0	/* codes have no meaning */
#define BERTH_TERM_RDMAP_PROTECTION	1
#define BERTH_TERM_RDMAP_OPERATION	2
#define BERTH_TERM_DDP_LOCAL		0	/* code is 0 */
#define BERTH_TERM_DDP_TAGGED		1
#define BERTH_TERM_DDP_UNTAGGED		2
#define BERTH_TERM_LLP_MPA		0

/* Codes of RDMAP: those of protection errors, then those of operations; the last two are both's. */
enum berth_term_rdmap_code {
	BERTH_TERM_RDMAP_STAG		= 0x00,
	BERTH_TERM_RDMAP_BOUNDS		= 0x01,
	BERTH_TERM_RDMAP_ACCESS		= 0x02,
	BERTH_TERM_RDMAP_STREAM		= 0x03,	/* STag of another stream */
	BERTH_TERM_RDMAP_WRAP		= 0x04,
	BERTH_TERM_RDMAP_VERSION	= 0x05,
	BERTH_TERM_RDMAP_OPCODE		= 0x06,
	BERTH_TERM_RDMAP_FATAL_STREAM	= 0x07,
	BERTH_TERM_RDMAP_FATAL_GLOBAL	= 0x08,
	BERTH_TERM_RDMAP_INVALIDATE	= 0x09,
	BERTH_TERM_RDMAP_UNSPECIFIED	= 0xff,
};

enum berth_term_tagged_code {
	BERTH_TERM_TAGGED_STAG		= 0x00,
	BERTH_TERM_TAGGED_BOUNDS	= 0x01,
	BERTH_TERM_TAGGED_STREAM	= 0x02,
	BERTH_TERM_TAGGED_WRAP		= 0x03,
	BERTH_TERM_TAGGED_VERSION	= 0x04,
};

enum berth_term_untagged_code {
	BERTH_TERM_UNTAGGED_QN		= 0x01,
	BERTH_TERM_UNTAGGED_NO_BUFFER	= 0x02,
	BERTH_TERM_UNTAGGED_MSN		= 0x03,
	BERTH_TERM_UNTAGGED_MO		= 0x04,
	BERTH_TERM_UNTAGGED_TOO_LONG	= 0x05,
	BERTH_TERM_UNTAGGED_VERSION	= 0x06,
};

enum berth_term_mpa_code {
	BERTH_TERM_MPA_LOST		= 0x01,
	BERTH_TERM_MPA_CRC		= 0x02,
	BERTH_TERM_MPA_MARKER		= 0x03,
	BERTH_TERM_MPA_FRAME		= 0x04,
	BERTH_TERM_MPA_LOCAL		= 0x05,
	BERTH_TERM_MPA_IRD		= 0x06,
	BERTH_TERM_MPA_RTR		= 0x07,
};

/* What comes with a Terminate. */
#define BERTH_TERM_M		0x80	/* the segment length is valid */
#define BERTH_TERM_D		0x40	/* header of DDP copied */
#define BERTH_TERM_R		0x20	/* body of RDMAP copied */
#define BERTH_TERM_FLAGS	0xe0

/**
 * struct berth_term_error - what a Terminate complains of
 * @layer: enum berth_term_layer
 * @type: BERTH_TERM_*_* of the layer
 * @code: of the type
 */
struct berth_term_error {
	u8 layer;
	u8 type;
	u8 code;
};

/* Behind the control word: a segment length, an untagged header, the longest body. */
#define BERTH_TERM_SEG_LEN	2
#define BERTH_TERM_EXTRA_MAX						\
	(BERTH_TERM_SEG_LEN + BERTH_DDP_UNTAGGED_LEN + BERTH_RDMAP_ATOMIC_LEN)

/**
 * struct berth_term - body of a Terminate
 * @error: what is complained of; any value, if it came from a peer
 * @flags: BERTH_TERM_M, D, R
 * @copied_len: bytes at @copied; that @flags describe them is the peer's word
 * @seg_len: length of the terminated segment; 0 without M and D
 * @copied: headers of the terminated segment, from the control byte of DDP on
 */
struct berth_term {
	struct berth_term_error error;
	u8 flags;
	u8 copied_len;
	u16 seg_len;
	u8 copied[BERTH_TERM_EXTRA_MAX];
};

struct berth_ddp;

int berth_term_parse(struct berth_term *term, const void *body, u32 len);
int berth_term_len(const struct berth_term *term);
void berth_term_build(const struct berth_term *term, void *body);
struct berth_term_error berth_term_error(const struct berth_ddp *seg);

#endif /* BERTH_WIRE_TERM_H */
