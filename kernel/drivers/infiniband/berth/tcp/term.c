// SPDX-License-Identifier: GPL-2.0
/* The segment that a Terminate complains of, see term.h. RFC 5040, 4.8. */
#include <linux/errno.h>
#include <linux/string.h>
#include <linux/unaligned.h>
#include "term.h"

/**
 * berth_term_name - fill in a Terminate
 * @term: filled in
 * @error: what is complained of
 * @f: stream; the segment that it stands at is named, if its headers are whole
 */
void berth_term_name(struct berth_term *term, struct berth_term_error error,
		     const struct berth_fpdu *f)
{
	const struct berth_ddp *seg = &f->seg;
	u8 n;

	*term = (struct berth_term){ .error = error };
	if (!seg->op || f->hdr_len < seg->op->hdr_len)
		return;
	n = seg->tagged ? BERTH_DDP_TAGGED_LEN : BERTH_DDP_UNTAGGED_LEN;
	term->flags = BERTH_TERM_M | BERTH_TERM_D;
	/* Of RDMAP only the headers of requests that fetch are copied. */
	if (seg->opcode == BERTH_RDMAP_READ_REQUEST || seg->opcode == BERTH_RDMAP_ATOMIC_REQUEST) {
		term->flags |= BERTH_TERM_R;
		n += seg->op->body_len;
	}
	term->seg_len = get_unaligned_be16(f->hdr);
	term->copied_len = n;
	memcpy(term->copied, f->hdr + BERTH_MPA_LEN_LEN, n);
}

/**
 * berth_term_named - the segment that a peer's Terminate names
 * @term: as it came
 * @seg: filled in: opcode; stag and to, or qn and msn; the body of a request that fetches
 *
 * Return: 0; -ENOENT: it names none.
 */
int berth_term_named(const struct berth_term *term, struct berth_ddp *seg)
{
	u8 hdr[BERTH_DDP_HDR_MAX] = {};
	u8 opcode = term->copied[1] & 0xf;
	const struct berth_rdmap_op *op = berth_rdmap_find(opcode);
	u8 n;

	if (!(term->flags & BERTH_TERM_D) || !op)
		return -ENOENT;
	n = op->flags & BERTH_RDMAP_TAGGED ? BERTH_DDP_TAGGED_LEN : BERTH_DDP_UNTAGGED_LEN;
	if (term->copied_len < n)
		return -ENOENT;
	put_unaligned_be16(term->seg_len, hdr);
	memcpy(hdr + BERTH_MPA_LEN_LEN, term->copied, term->copied_len);
	if (berth_ddp_parse(seg, hdr, sizeof(hdr)) >= 0)
		return 0;
	/* Its body was not copied, or is what is complained of. */
	memset(seg, 0, sizeof(*seg));
	seg->op = op;
	seg->opcode = opcode;
	seg->tagged = op->flags & BERTH_RDMAP_TAGGED;
	if (seg->tagged) {
		seg->stag = get_unaligned_be32(term->copied + 2);
		seg->to = get_unaligned_be64(term->copied + 6);
	} else {
		seg->qn = get_unaligned_be32(term->copied + 6);
		seg->msn = get_unaligned_be32(term->copied + 10);
	}
	return 0;
}
