// SPDX-License-Identifier: GPL-2.0
/*
 * Bytes of the stream to struct berth_mpa_frame and back.
 *
 * The parser is called with what has arrived so far, and again when there is
 * more. It refuses at the first byte that no correct peer sends, so that a
 * stranger on the port is not waited for. Reserved bits are not looked at (RFC
 * 5044, 7.1.1), which makes R of a request and S of revision 1 reserved too.
 *
 * Pure code, any context, no locks.
 */
#include <linux/types.h>
#include <linux/build_bug.h>
#include <linux/errno.h>
#include <linux/minmax.h>
#include <linux/string.h>
#include <asm/byteorder.h>
#include "mpa.h"

#define KEY_LEN		16

static const char request_key[KEY_LEN + 1] = "MPA ID Req Frame";
static const char reply_key[KEY_LEN + 1] = "MPA ID Rep Frame";

#define FLAG_MARKERS	0x80
#define FLAG_CRC	0x40
#define FLAG_REJECT	0x20
#define FLAG_ENHANCED	0x10

/* Above the depths: A and B in the first word, C and D in the second. */
#define IRD_A		0x8000
#define IRD_B		0x4000
#define ORD_C		0x8000
#define ORD_D		0x4000

struct mpa_hdr {
	u8 key[KEY_LEN];
	u8 flags;
	u8 rev;
	__be16 pd_len;
} __packed;

struct mpa_enhanced {
	__be16 ird;
	__be16 ord;
} __packed;

static_assert(sizeof(struct mpa_hdr) == BERTH_MPA_HDR_LEN);
static_assert(sizeof(struct mpa_enhanced) == BERTH_MPA_ENHANCED_LEN);

static bool speaks(u8 rev)
{
	return rev == BERTH_MPA_REV_1 || rev == BERTH_MPA_REV_2;
}

/* What of the key has arrived is the beginning of one of the two. */
static bool key_fits(const void *buf, size_t avail)
{
	size_t n = min(avail, sizeof(request_key) - 1);

	return !memcmp(buf, request_key, n) || !memcmp(buf, reply_key, n);
}

static void decode_hdr(struct berth_mpa_frame *f, const struct mpa_hdr *hdr)
{
	f->reply = !memcmp(hdr->key, reply_key, KEY_LEN);
	f->markers = hdr->flags & FLAG_MARKERS;
	f->crc = hdr->flags & FLAG_CRC;
	f->reject = f->reply && hdr->flags & FLAG_REJECT;
	f->enhanced = hdr->rev == BERTH_MPA_REV_2 && hdr->flags & FLAG_ENHANCED;
	f->rev = hdr->rev;
}

static void decode_enhanced(struct berth_mpa_frame *f, const struct mpa_enhanced *e)
{
	u16 ird = be16_to_cpu(e->ird);
	u16 ord = be16_to_cpu(e->ord);

	f->ird = ird & BERTH_MPA_DEPTH_MAX;
	f->ord = ord & BERTH_MPA_DEPTH_MAX;
	f->peer_to_peer = ird & IRD_A;
	f->rtr_send = ird & IRD_B;
	f->rtr_write = ord & ORD_C;
	f->rtr_read = ord & ORD_D;
}

/**
 * berth_mpa_parse - decode a request or reply
 * @f: result, complete when a length is returned
 * @buf: the connection's bytes from its first on, any alignment
 * @avail: how many have arrived; may be more than the frame
 *
 * Context: Any.
 * Return: the length of the frame, whose private data then lies at
 * berth_mpa_pd_offset(); -EAGAIN when more bytes are needed, BERTH_MPA_FRAME_MAX
 * at most; -EPROTO for what is no such frame; -EPROTONOSUPPORT for a revision
 * other than 1 and 2.
 */
int berth_mpa_parse(struct berth_mpa_frame *f, const void *buf, size_t avail)
{
	const struct mpa_hdr *hdr = buf;
	u16 pd_len;

	memset(f, 0, sizeof(*f));
	if (avail && !key_fits(buf, avail))
		return -EPROTO;
	if (avail < offsetof(struct mpa_hdr, pd_len))
		return -EAGAIN;
	if (!speaks(hdr->rev))
		return -EPROTONOSUPPORT;
	if (avail < sizeof(*hdr))
		return -EAGAIN;
	decode_hdr(f, hdr);
	pd_len = be16_to_cpu(hdr->pd_len);
	if (pd_len > BERTH_MPA_PD_MAX || (f->enhanced && pd_len < BERTH_MPA_ENHANCED_LEN))
		return -EPROTO;
	if (avail < sizeof(*hdr) + pd_len)
		return -EAGAIN;
	if (f->enhanced) {
		decode_enhanced(f, (const struct mpa_enhanced *)(hdr + 1));
		pd_len -= BERTH_MPA_ENHANCED_LEN;
	}
	f->pd_len = pd_len;
	return berth_mpa_frame_len(f);
}

static bool buildable(const struct berth_mpa_frame *f)
{
	if (!speaks(f->rev) || (f->reject && !f->reply))
		return false;
	if (f->enhanced && (f->rev != BERTH_MPA_REV_2 || f->ird > BERTH_MPA_DEPTH_MAX ||
			    f->ord > BERTH_MPA_DEPTH_MAX))
		return false;
	return berth_mpa_frame_len(f) <= BERTH_MPA_FRAME_MAX;
}

static void encode_enhanced(struct mpa_enhanced *e, const struct berth_mpa_frame *f)
{
	e->ird = cpu_to_be16(f->ird | (f->peer_to_peer ? IRD_A : 0) | (f->rtr_send ? IRD_B : 0));
	e->ord = cpu_to_be16(f->ord | (f->rtr_write ? ORD_C : 0) | (f->rtr_read ? ORD_D : 0));
}

/**
 * berth_mpa_build - write a request or reply
 * @f: what to write; what RFC 6581 adds is not read unless @f->enhanced
 * @pd: private data of the ULP, @f->pd_len bytes
 * @buf: where to, any alignment
 * @room: bytes at @buf; BERTH_MPA_FRAME_MAX are always enough
 *
 * Context: Any.
 * Return: bytes written; -EINVAL for a frame that cannot be, -ENOSPC when @room
 * is too small. Nothing is written then.
 */
int berth_mpa_build(const struct berth_mpa_frame *f, const void *pd, void *buf, size_t room)
{
	struct mpa_hdr *hdr = buf;
	u32 len = berth_mpa_frame_len(f);

	if (!buildable(f))
		return -EINVAL;
	if (room < len)
		return -ENOSPC;
	memcpy(hdr->key, f->reply ? reply_key : request_key, KEY_LEN);
	hdr->flags = (f->markers ? FLAG_MARKERS : 0) | (f->crc ? FLAG_CRC : 0) |
		     (f->reject ? FLAG_REJECT : 0) | (f->enhanced ? FLAG_ENHANCED : 0);
	hdr->rev = f->rev;
	hdr->pd_len = cpu_to_be16(len - BERTH_MPA_HDR_LEN);
	if (f->enhanced)
		encode_enhanced((struct mpa_enhanced *)(hdr + 1), f);
	if (f->pd_len)
		memcpy((u8 *)buf + berth_mpa_pd_offset(f), pd, f->pd_len);
	return len;
}
