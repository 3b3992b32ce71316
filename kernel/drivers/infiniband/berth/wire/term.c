// SPDX-License-Identifier: GPL-2.0
/*
 * The body of a Terminate to struct berth_term and back, and which error to
 * complain of when a segment was refused.
 *
 * The body ends with its ULPDU. Peers disagree on what follows the control word
 * (siw on a little-endian machine even on the order of its bits), and by then
 * nothing depends on it: the flags decide no more than whether there is a
 * segment length, and what is left is taken as it comes.
 *
 * Pure code, any context, no locks.
 */
#include <linux/types.h>
#include <linux/build_bug.h>
#include <linux/errno.h>
#include <linux/string.h>
#include "ddp.h"
#include "term.h"

struct wire_term {
	u8 layer_type;
	u8 code;
	u8 flags;
	u8 reserved;
} __packed;

static_assert(sizeof(struct wire_term) == BERTH_RDMAP_TERM_LEN);

static u32 seg_len_len(const struct berth_term *term)
{
	return term->flags & (BERTH_TERM_M | BERTH_TERM_D) ? BERTH_TERM_SEG_LEN : 0;
}

/**
 * berth_term_parse - decode the body of a Terminate
 * @term: result; every field is written
 * @body: the control word and what follows it, any alignment
 * @len: bytes of both; BERTH_RDMAP_TERM_LEN at least, and no more than
 *	BERTH_TERM_EXTRA_MAX beyond
 *
 * Context: Any.
 * Return: 0, or -EBADMSG when the segment length that the flags promise is
 * missing.
 */
int berth_term_parse(struct berth_term *term, const void *body, u32 len)
{
	const struct wire_term *w = body;
	const u8 *p = (const u8 *)(w + 1);

	memset(term, 0, sizeof(*term));
	term->error.layer = w->layer_type >> 4;
	term->error.type = w->layer_type & 0xf;
	term->error.code = w->code;
	term->flags = w->flags & BERTH_TERM_FLAGS;
	len -= sizeof(*w);
	if (seg_len_len(term)) {
		if (len < BERTH_TERM_SEG_LEN)
			return -EBADMSG;
		term->seg_len = p[0] << 8 | p[1];
		p += BERTH_TERM_SEG_LEN;
		len -= BERTH_TERM_SEG_LEN;
	}
	term->copied_len = len;
	memcpy(term->copied, p, len);
	return 0;
}

/**
 * berth_term_len - bytes that the body of a Terminate takes
 * @term: what is to be written
 *
 * Context: Any.
 * Return: the number of bytes, or -EINVAL when it cannot be written.
 */
int berth_term_len(const struct berth_term *term)
{
	u32 extra = seg_len_len(term) + term->copied_len;

	if (term->error.layer > 0xf || term->error.type > 0xf || term->flags & ~BERTH_TERM_FLAGS ||
	    extra > BERTH_TERM_EXTRA_MAX)
		return -EINVAL;
	return BERTH_RDMAP_TERM_LEN + extra;
}

/**
 * berth_term_build - write the body of a Terminate
 * @term: what to write
 * @body: where to; berth_term_len() bytes, any alignment
 *
 * Context: Any.
 */
void berth_term_build(const struct berth_term *term, void *body)
{
	struct wire_term *w = body;
	u8 *p = (u8 *)(w + 1);

	w->layer_type = term->error.layer << 4 | term->error.type;
	w->code = term->error.code;
	w->flags = term->flags;
	w->reserved = 0;
	if (seg_len_len(term)) {
		*p++ = term->seg_len >> 8;
		*p++ = term->seg_len & 0xff;
	}
	memcpy(p, term->copied, term->copied_len);
}

/*
 * Faults that the RFCs have no code for are unspecified errors of operation.
 * DDP's version has a code for each buffer model; the table has that of untagged
 * ones.
 */
static const struct berth_term_error errors[BERTH_DDP_REASONS] = {
#define ERROR(reason, l, t, c)	[BERTH_DDP_##reason] = { .layer = (l), .type = (t), .code = (c) }
#define OPERATION(reason, c)	ERROR(reason, BERTH_TERM_RDMAP, BERTH_TERM_RDMAP_OPERATION, c)
#define UNTAGGED(reason, c)	ERROR(reason, BERTH_TERM_DDP, BERTH_TERM_DDP_UNTAGGED, c)
#define TAGGED(reason, c)	ERROR(reason, BERTH_TERM_DDP, BERTH_TERM_DDP_TAGGED, c)
	OPERATION(OK, BERTH_TERM_RDMAP_UNSPECIFIED),
	OPERATION(SHORT, BERTH_TERM_RDMAP_UNSPECIFIED),
	UNTAGGED(VERSION, BERTH_TERM_UNTAGGED_VERSION),
	OPERATION(RDMAP_VERSION, BERTH_TERM_RDMAP_VERSION),
	OPERATION(OPCODE, BERTH_TERM_RDMAP_OPCODE),
	OPERATION(MODEL, BERTH_TERM_RDMAP_OPCODE),
	OPERATION(PAYLOAD, BERTH_TERM_RDMAP_UNSPECIFIED),
	OPERATION(PARTIAL, BERTH_TERM_RDMAP_UNSPECIFIED),
	UNTAGGED(QN, BERTH_TERM_UNTAGGED_QN),
	UNTAGGED(MO, BERTH_TERM_UNTAGGED_MO),
	TAGGED(TO, BERTH_TERM_TAGGED_WRAP),
	OPERATION(AOP, BERTH_TERM_RDMAP_OPCODE),
};

static const struct berth_term_error tagged_version = {
	.layer = BERTH_TERM_DDP, .type = BERTH_TERM_DDP_TAGGED, .code = BERTH_TERM_TAGGED_VERSION,
};

/**
 * berth_term_error - what to tell the peer of a segment that was refused
 * @seg: the segment, with the reason of berth_ddp_parse()
 *
 * Context: Any.
 * Return: layer, type and code of the Terminate.
 */
struct berth_term_error berth_term_error(const struct berth_ddp *seg)
{
	if (seg->reason == BERTH_DDP_VERSION && seg->tagged)
		return tagged_version;
	return errors[seg->reason];
}
