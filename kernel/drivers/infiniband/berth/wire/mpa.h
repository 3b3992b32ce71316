/* SPDX-License-Identifier: GPL-2.0 */
/*
 * MPA, the framing of DDP over TCP: the frames that set a connection up (RFC
 * 5044, 7.1; enhanced by RFC 6581) and the arithmetic of an FPDU (RFC 5044, 4).
 *
 * A connection begins with one request and one reply, each of a key, flags, a
 * revision and private data. With revision 2 and flag S the private data begins
 * with four bytes that negotiate read depths and how the initiator makes itself
 * heard first; the caller never sees them as private data.
 *
 * Pure code, any context; the structure is the caller's.
 */
#ifndef BERTH_WIRE_MPA_H
#define BERTH_WIRE_MPA_H

#include <linux/types.h>

#define BERTH_MPA_REV_1		1
#define BERTH_MPA_REV_2		2

#define BERTH_MPA_HDR_LEN	20
#define BERTH_MPA_ENHANCED_LEN	4
#define BERTH_MPA_PD_MAX	512	/* the four bytes of RFC 6581 included */
#define BERTH_MPA_FRAME_MAX	(BERTH_MPA_HDR_LEN + BERTH_MPA_PD_MAX)

/* The largest depth; as a value it means that none is negotiated (RFC 6581). */
#define BERTH_MPA_DEPTH_MAX	0x3fff

/**
 * struct berth_mpa_frame - decoded request or reply
 * @reply: a reply, not a request
 * @markers: M: the sender wants to receive markers
 * @crc: C: the sender wants CRCs to be used
 * @reject: R: the connection is refused; in replies only
 * @enhanced: S: the fields below @pd_len are there; with revision 2 only
 * @rev: BERTH_MPA_REV_*
 * @pd_len: bytes of private data of the ULP
 * @ird: incoming read depth, 14 bits
 * @ord: outgoing read depth, 14 bits
 * @peer_to_peer: A: the initiator sends first, with one of the following
 * @rtr_send: B: a SEND of no bytes
 * @rtr_write: C: an RDMA WRITE of no bytes
 * @rtr_read: D: an RDMA READ of no bytes
 */
struct berth_mpa_frame {
	bool reply;
	bool markers;
	bool crc;
	bool reject;
	bool enhanced;
	u8 rev;
	u16 pd_len;
	u16 ird;
	u16 ord;
	bool peer_to_peer;
	bool rtr_send;
	bool rtr_write;
	bool rtr_read;
};

int berth_mpa_build(const struct berth_mpa_frame *f, const void *pd, void *buf, size_t room);
int berth_mpa_parse(struct berth_mpa_frame *f, const void *buf, size_t avail);

/**
 * berth_mpa_pd_offset - where the private data of the ULP begins
 * @f: decoded frame
 *
 * Return: bytes from the beginning of the frame.
 */
static inline u32 berth_mpa_pd_offset(const struct berth_mpa_frame *f)
{
	return BERTH_MPA_HDR_LEN + (f->enhanced ? BERTH_MPA_ENHANCED_LEN : 0);
}

static inline u32 berth_mpa_frame_len(const struct berth_mpa_frame *f)
{
	return berth_mpa_pd_offset(f) + f->pd_len;
}

/* An FPDU: length, ULPDU, padding of zeros up to a multiple of 4, CRC32c. */

#define BERTH_MPA_LEN_LEN	2
#define BERTH_MPA_CRC_LEN	4
#define BERTH_MPA_PAD_MAX	3
#define BERTH_MPA_ULPDU_MAX	0xffff

static inline u8 berth_mpa_pad(u32 ulpdu_len)
{
	return -(BERTH_MPA_LEN_LEN + ulpdu_len) & BERTH_MPA_PAD_MAX;
}

/**
 * berth_mpa_fpdu_len - bytes that a ULPDU takes in the stream
 * @ulpdu_len: its length, at most BERTH_MPA_ULPDU_MAX
 *
 * Return: length field, ULPDU, padding and CRC; there are no markers.
 */
static inline u32 berth_mpa_fpdu_len(u32 ulpdu_len)
{
	return BERTH_MPA_LEN_LEN + ulpdu_len + berth_mpa_pad(ulpdu_len) + BERTH_MPA_CRC_LEN;
}

#endif /* BERTH_WIRE_MPA_H */
