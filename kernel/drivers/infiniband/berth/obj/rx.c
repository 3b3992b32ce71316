// SPDX-License-Identifier: GPL-2.0
/*
 * Where packets enter. A super-packet is taken apart segment by segment; a QP's lock is kept while
 * consecutive segments are for the same side of the same QP, and what is to be answered or sent on
 * follows once, when the lock is dropped.
 *
 * Whatever a peer sends, a packet reaches a QP only when its length, opcode and ICRC are right, and
 * when the QP's transport takes packets from there. Everything else is counted and dropped.
 *
 * Context: softirq, rcu_read_lock held.
 */
#include "../net/netns.h"
#include "../stats.h"
#include "../trace.h"
#include "../transport.h"
#include "../wire/cursor.h"
#include "../wire/icrc.h"
#include "../wire/packet.h"
#include "gsi.h"
#include "mcast.h"
#include "qp_state.h"
#include "rx.h"

enum side {
	SIDE_NONE,
	SIDE_REQUESTER,
	SIDE_RESPONDER,
};

/* The QP whose lock is held, and what segments that follow each other share. */
struct hold {
	struct berth_qp *qp;
	enum side side;
	/* The last segment, if the QP took it and nothing follows its BTH but payload; else last_len is 0. */
	u32 last_len;
	struct berth_bth last_bth;
	struct berth_packet pkt;	/* as parsed */
	/* What the ICRCs of segments of a length begin with. */
	u32 icrc_len;		/* 0: of none yet */
	struct berth_icrc icrc;
};

static spinlock_t *lock_of(const struct hold *hold)
{
	return hold->side == SIDE_REQUESTER ? &hold->qp->sq.lock : &hold->qp->rq.lock;
}

/* berth_rx() leaves what it entered; sparse, which counts by function, is told of neither. */
static void lock_side(struct hold *hold, enum side side)
{
	hold->side = side;
	spin_lock(lock_of(hold));
	__release(lock_of(hold));
}

static void unlock_side(struct hold *hold)
{
	__acquire(lock_of(hold));
	spin_unlock(lock_of(hold));
	hold->side = SIDE_NONE;
}

static void leave_requester(struct hold *hold)
{
	unlock_side(hold);
	berth_qp_settle(hold->qp);
	hold->qp->transport->proceed(hold->qp);
}

static void leave_responder(struct hold *hold)
{
	const struct berth_transport *transport = hold->qp->transport;
	bool more = transport->answer && transport->answer(hold->qp);

	hold->qp->rq.write_held = false;
	unlock_side(hold);
	berth_qp_settle(hold->qp);
	if (more)
		transport->answer_more(hold->qp);
}

static void leave(struct hold *hold)
{
	if (hold->side == SIDE_REQUESTER)
		leave_requester(hold);
	else if (hold->side == SIDE_RESPONDER)
		leave_responder(hold);
}

static void enter(struct hold *hold, enum side side)
{
	if (hold->side == side)
		return;
	leave(hold);
	lock_side(hold, side);
}

/* Keeps the reference of the QP that was looked up last. */
static bool find_qp(struct hold *hold, u32 qpn, const struct berth_rx *rx)
{
	if (hold->qp && hold->qp->qpn == qpn)
		return true;
	if (hold->qp) {
		leave(hold);
		berth_qp_put(hold->qp);
	}
	hold->qp = likely(qpn != BERTH_GSI_QPN) ? berth_qp_get(qpn) : berth_gsi_get(rx);
	return hold->qp;
}

/* The bytes of a segment where they are contiguous, else NULL. */
static const u8 *segment_bytes(const struct berth_cursor *at, u32 len)
{
	u32 avail;
	const u8 *bytes = berth_cursor_span(at, &avail);

	return avail >= len ? bytes : NULL;
}

/* Of a segment in pieces: goes on with the sum behind the BTH, and finds the ICRC. */
static noinline bool icrc_of_pieces(struct berth_cursor at, u32 *crc, u32 rest, __le32 *icrc)
{
	return !berth_cursor_skip(&at, sizeof(struct berth_bth)) &&
	       !berth_cursor_crc(&at, crc, rest) && !berth_cursor_skip(&at, rest) && !berth_cursor_pull(&at, icrc, sizeof(*icrc));
}

static bool icrc_ok(struct hold *hold, const struct berth_rx *rx, const struct berth_cursor *at,
		    u32 segment, const struct berth_bth *bth, u32 len)
{
	u32 rest = len - sizeof(*bth) - BERTH_ICRC_LEN, crc;
	const u8 *bytes = segment_bytes(at, len);
	__le32 icrc;

	if (len != hold->icrc_len)
		berth_rx_icrc(rx, &hold->icrc, len);
	hold->icrc_len = len;
	crc = berth_icrc_bth(&hold->icrc, segment, bth);
	if (likely(bytes)) {
		crc = berth_icrc_payload(crc, bytes + sizeof(*bth), rest);
		memcpy(&icrc, bytes + sizeof(*bth) + rest, sizeof(icrc));
	} else if (!icrc_of_pieces(*at, &crc, rest, &icrc)) {
		return false;
	}
	return icrc == berth_icrc_final(crc);
}

/* Of the default partition, a full member or not. */
static bool pkey_ok(const struct berth_packet *pkt)
{
	return (pkt->pkey | 0x8000) == BERTH_DEFAULT_PKEY;
}

/* A datagram to a group; the QPs that take it are locked one by one. */
static void multicast(struct hold *hold, const struct berth_rx *rx, const struct berth_cursor *at,
		      u32 index, const struct berth_bth *bth, u32 len)
{
	struct berth_cursor c = *at;

	if (!pkey_ok(&hold->pkt) || !icrc_ok(hold, rx, at, index, bth, len))
		return;
	leave(hold);
	berth_cursor_skip(&c, hold->pkt.hdr_len);
	berth_mcast_deliver(&hold->pkt, &c, rx);
}

static noinline int pull_headers(struct berth_cursor at, u8 *hdr, u32 n)
{
	return berth_cursor_pull(&at, hdr, n);
}

/* The headers of a segment are copied once: what is believed cannot change behind our back. */
static int copy_headers(const struct berth_cursor *at, u8 *hdr, u32 len)
{
	const u8 *bytes = segment_bytes(at, max_t(u32, len, BERTH_HDR_MAX));

	if (unlikely(!bytes))
		return pull_headers(*at, hdr, min_t(u32, len, BERTH_HDR_MAX));
	memcpy(hdr, bytes, BERTH_HDR_MAX);
	return 0;
}

/* Gives a packet that is all right to the QP whose lock is held. */
static void deliver(struct hold *hold, const struct berth_rx *rx, const struct berth_cursor *at)
{
	const struct berth_transport *transport = hold->qp->transport;
	struct berth_cursor c = *at;

	berth_cursor_skip(&c, hold->pkt.hdr_len);
	if (hold->side == SIDE_RESPONDER)
		transport->request(hold->qp, &hold->pkt, &c, rx);
	else
		transport->response(hold->qp, &hold->pkt, &c);
}

static void count_packet(const struct hold *hold)
{
	berth_count(hold->qp->dev, BERTH_CNT_RX_PACKETS);
	trace_berth_rx(hold->qp, &hold->pkt);
}

/*
 * A segment that is like the one before it, which the QP took, in all but PSN and ack request: whatever else is asked of
 * a packet would be answered the same. False: it is not.
 */
static bool alike(struct hold *hold, const struct berth_rx *rx, const struct berth_cursor *at,
		  u32 index, u32 len)
{
	const struct berth_transport *transport;
	struct berth_packet *pkt = &hold->pkt;
	const u8 *bytes = segment_bytes(at, len);
	struct berth_bth bth;

	if (len != hold->last_len || !bytes)
		return false;
	memcpy(&bth, bytes, sizeof(bth));
	if (memcmp(&bth, &hold->last_bth, offsetof(struct berth_bth, psn)))
		return false;
	if (!icrc_ok(hold, rx, at, index, &bth, len)) {
		berth_count(hold->qp->dev, BERTH_CNT_RX_BAD_ICRC);
		return true;
	}
	berth_packet_next(pkt, &bth);
	count_packet(hold);
	transport = hold->qp->transport;
	if (hold->side != SIDE_RESPONDER || !transport->middle ||
	    !transport->middle(hold->qp, pkt, bytes + sizeof(bth)))
		deliver(hold, rx, at);
	return true;
}

/* Any other segment. The cursor stands at its BTH and is not moved. */
static noinline void segment(struct hold *hold, const struct berth_rx *rx, const struct berth_cursor *at,
			     u32 index, u32 len)
{
	struct berth_packet *pkt = &hold->pkt;
	u8 hdr[BERTH_HDR_MAX] __aligned(8);
	const struct berth_bth *bth = (const struct berth_bth *)hdr;
	const struct berth_transport *transport;
	bool request;

	hold->last_len = 0;
	if (copy_headers(at, hdr, len))
		goto malformed;
	if (berth_packet_parse(pkt, hdr, sizeof(hdr), len))
		goto malformed;
	if (unlikely(pkt->qpn == BERTH_MCAST_QPN)) {
		multicast(hold, rx, at, index, bth, len);
		return;
	}
	if (!find_qp(hold, pkt->qpn, rx))
		return;
	if (!icrc_ok(hold, rx, at, index, bth, len))
		goto spoilt;

	transport = hold->qp->transport;
	/* Only a service with responses has opcodes for them. */
	if (unlikely(berth_opcode_service(pkt->op) != transport->service))
		goto refused;
	request = pkt->op->flags & BERTH_OP_REQUEST;
	enter(hold, request ? SIDE_RESPONDER : SIDE_REQUESTER);
	if (!transport->accepts(hold->qp, pkt, rx) || !pkey_ok(pkt))
		goto refused;
	if (pkt->hdr_len == sizeof(*bth)) {
		hold->last_len = len;
		hold->last_bth = *bth;
	}
	count_packet(hold);
	deliver(hold, rx, at);
	return;

spoilt:
	berth_count(hold->qp->dev, BERTH_CNT_RX_BAD_ICRC);
	return;
refused:
	berth_count(hold->qp->dev, BERTH_CNT_RX_NO_QP);
	return;
malformed:
	if (hold->qp)
		berth_count(hold->qp->dev, BERTH_CNT_RX_MALFORMED);
}

/**
 * berth_rx - take a packet or super-packet from IP
 * @skb: packet; stays the caller's, and is not changed
 * @rx: where its transport headers begin, how long a segment is, and its IP and UDP fields
 *
 * Context: softirq, rcu_read_lock held.
 */
void berth_rx(struct sk_buff *skb, const struct berth_rx *rx)
{
	struct hold hold;
	struct berth_cursor c;
	u32 left = rx->len, i;

	if (berth_cursor_init(&c, skb, rx->offset))
		return;
	hold.qp = NULL;
	hold.side = SIDE_NONE;
	hold.last_len = 0;
	hold.icrc_len = 0;
	for (i = 0; left; i++) {
		u32 len = min(left, rx->seg_len);

		if (!alike(&hold, rx, &c, i, len))
			segment(&hold, rx, &c, i, len);
		if (berth_cursor_skip(&c, len))
			break;
		left -= len;
	}
	leave(&hold);
	if (hold.qp)
		berth_qp_put(hold.qp);
}
