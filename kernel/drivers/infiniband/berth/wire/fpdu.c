// SPDX-License-Identifier: GPL-2.0
/*
 * The reader of FPDUs. Headers are gathered in two steps: the prefix, of which
 * it follows how long they are, and the rest. Nothing is consumed that belongs
 * to the next state, so that the caller always knows where payload begins.
 *
 * In PREFIX a header of BERTH_DDP_PREFIX_LEN bytes or more is that of the FPDU
 * before, kept for its user.
 *
 * Pure code, any context; see fpdu.h for who may call.
 */
#include <linux/types.h>
#include <linux/errno.h>
#include <linux/minmax.h>
#include <linux/string.h>
#include "fpdu.h"

/* Gather up to @want bytes at @to, which has @have; the number consumed. */
static u32 gather(u8 *to, u8 *have, u32 want, const u8 *p, u32 n)
{
	u32 step = min(n, want - *have);

	memcpy(to + *have, p, step);
	*have += step;
	return step;
}

static int broken(struct berth_fpdu *f, int err)
{
	f->state = BERTH_FPDU_BROKEN;
	return err;
}

/**
 * berth_fpdu_init - begin a stream
 * @f: stream; the next byte is the first of an FPDU
 *
 * Context: Any.
 */
void berth_fpdu_init(struct berth_fpdu *f)
{
	memset(f, 0, sizeof(*f));
}

static int take_prefix(struct berth_fpdu *f, const u8 *p, u32 n)
{
	u32 used;
	int len;

	if (f->hdr_len >= BERTH_DDP_PREFIX_LEN)
		f->hdr_len = 0;
	used = gather(f->hdr, &f->hdr_len, BERTH_DDP_PREFIX_LEN, p, n);
	if (f->hdr_len < BERTH_DDP_PREFIX_LEN)
		return used;
	len = berth_ddp_prefix(&f->seg, f->hdr);
	if (len < 0)
		return broken(f, len);
	f->state = BERTH_FPDU_HEADER;
	return used;
}

static int take_header(struct berth_fpdu *f, const u8 *p, u32 n)
{
	u32 used = gather(f->hdr, &f->hdr_len, f->seg.hdr_len, p, n);
	int len;

	if (f->hdr_len < f->seg.hdr_len)
		return used;
	len = berth_ddp_rest(&f->seg, f->hdr);
	if (len < 0)
		return broken(f, len);
	f->left = f->seg.payload_len;
	f->pad = berth_mpa_pad(berth_ddp_ulpdu_len(&f->seg));
	f->trailer_len = 0;
	f->state = f->left ? BERTH_FPDU_PAYLOAD : BERTH_FPDU_TRAILER;
	return used;
}

/**
 * berth_fpdu_header - consume bytes of headers
 * @f: stream in PREFIX or HEADER; in PAYLOAD and TRAILER nothing is consumed
 * @p: the stream's next bytes
 * @n: how many are at hand
 *
 * Context: Any.
 * Return: bytes consumed; fewer than @n when the headers are complete and
 * another state is there. Errors as of berth_ddp_parse(): the stream is broken,
 * @f->seg.reason says why, @f->hdr has the @f->hdr_len bytes that were seen.
 * -EPIPE when it was broken before.
 */
int berth_fpdu_header(struct berth_fpdu *f, const void *p, u32 n)
{
	const u8 *from = p;
	u32 used = 0;
	int ret;

	if (f->state == BERTH_FPDU_BROKEN)
		return -EPIPE;
	if (!n)
		return 0;
	if (f->state == BERTH_FPDU_PREFIX) {
		ret = take_prefix(f, from, n);
		if (ret < 0)
			return ret;
		used = ret;
	}
	if (f->state == BERTH_FPDU_HEADER) {
		ret = take_header(f, from + used, n - used);
		if (ret < 0)
			return ret;
		used += ret;
	}
	return used;
}

/**
 * berth_fpdu_payload - tell that payload was taken from the stream
 * @f: stream in PAYLOAD
 * @n: bytes, at most @f->left
 *
 * Context: Any.
 * Return: 0, or -EINVAL when the stream is elsewhere or has less; nothing is
 * changed then.
 */
int berth_fpdu_payload(struct berth_fpdu *f, u32 n)
{
	if (f->state != BERTH_FPDU_PAYLOAD || n > f->left)
		return -EINVAL;
	f->left -= n;
	if (!f->left)
		f->state = BERTH_FPDU_TRAILER;
	return 0;
}

/**
 * berth_fpdu_trailer - consume padding and CRC
 * @f: stream in TRAILER; in other states nothing is consumed
 * @p: the stream's next bytes
 * @n: how many are at hand
 *
 * What the padding is does not matter but for the CRC (RFC 5044, 4). When the
 * CRC is complete the stream is in PREFIX again.
 *
 * Context: Any.
 * Return: bytes consumed.
 */
int berth_fpdu_trailer(struct berth_fpdu *f, const void *p, u32 n)
{
	u32 want = f->pad + BERTH_MPA_CRC_LEN;
	u32 used;

	if (f->state != BERTH_FPDU_TRAILER || !n)
		return 0;
	used = gather(f->trailer, &f->trailer_len, want, p, n);
	if (f->trailer_len == want)
		f->state = BERTH_FPDU_PREFIX;
	return used;
}

/**
 * berth_fpdu_crc - the CRC that came with an FPDU
 * @f: stream whose trailer was just completed
 *
 * It is to be compared with cpu_to_le32(~crc) of a CRC32c that began with ~0 and
 * went over header, payload and padding: its low byte comes first in the stream.
 *
 * Context: Any.
 * Return: the four bytes as they came; without meaning when no CRCs are used.
 */
__le32 berth_fpdu_crc(const struct berth_fpdu *f)
{
	__le32 crc;

	memcpy(&crc, f->trailer + f->pad, sizeof(crc));
	return crc;
}
