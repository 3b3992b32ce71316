// SPDX-License-Identifier: GPL-2.0
/*
 * Sending requests as packets. A step plans one burst (how many packets from here on share a
 * length, fit the window and may be sent), takes memory for it and fills it. Planning and filling
 * walk the SQ with the same function, so they cannot disagree.
 *
 * A READ is asked for in pieces, so that the amount of data on its way is bounded by what the
 * requester asked for: the responder has no window of its own.
 *
 * Context: sq.lock held, bottom halves disabled. IBTA volume 1, 9.4 and 9.7.
 */
#include "../landing/landing.h"
#include "../obj/qp_state.h"
#include "../op/local_op.h"
#include "../stats.h"
#include "../wire/bth.h"
#include "../wire/packet.h"
#include "../net/burst.h"
#include "../transport.h"
#include "ack.h"
#include "req.h"
#include "send.h"

/* Bytes in one read request, in whole packets. */
#define READ_BYTES	(128U << 10)

/* A position in the SQ. */
struct place {
	u32 counter;
	u32 offset;
};

/* One packet: what it carries. */
struct plan {
	struct berth_swqe *wqe;
	u32 counter;
	u32 offset;
	u32 payload;		/* bytes carried */
	u32 psns;		/* PSNs it stands for: more than 1 only for a READ request */
	u32 wire_len;
	u8 opcode;
	bool last;
	bool fetch;		/* a READ or atomic: answered by itself */
};

static enum berth_op_tail tail_of(const struct berth_swqe *wqe)
{
	switch (wqe->opcode) {
	case BERTH_WR_SEND_IMM:
	case BERTH_WR_WRITE_IMM:
		return BERTH_TAIL_IMM;
	case BERTH_WR_SEND_INV:
		return BERTH_TAIL_INV;
	default:
		return BERTH_TAIL_NONE;
	}
}

static bool wakes_receiver(const struct berth_swqe *wqe)
{
	return wqe->opcode != BERTH_WR_WRITE && !berth_swqe_fetches(wqe);
}

/*
 * Bytes that the READ request at an offset asks for: up to the next multiple of READ_BYTES. The grid
 * is fixed, so what is asked for again is part of one request that the responder knows.
 */
static u32 read_piece(const struct berth_swqe *wqe, u32 offset)
{
	return min(wqe->length - offset, READ_BYTES - offset % READ_BYTES);
}

static struct plan plan_read(const struct berth_qp *qp, struct berth_swqe *wqe, u32 offset)
{
	u32 n = read_piece(wqe, offset);

	return (struct plan){
		.wqe = wqe,
		.offset = offset,
		.payload = 0,
		.psns = max(DIV_ROUND_UP(n, qp->mtu), 1U),
		.opcode = BERTH_RC_READ_REQUEST,
		.last = offset + n == wqe->length,
		.fetch = true,
	};
}

static struct plan plan_atomic(struct berth_swqe *wqe)
{
	return (struct plan){
		.wqe = wqe,
		.psns = 1,
		.opcode = wqe->opcode == BERTH_WR_CMP_SWP ? BERTH_RC_CMP_SWAP : BERTH_RC_FETCH_ADD,
		.last = true,
		.fetch = true,
	};
}

static struct plan plan_atomic_write(struct berth_swqe *wqe)
{
	return (struct plan){
		.wqe = wqe,
		.payload = wqe->length,
		.psns = 1,
		.opcode = BERTH_RC_ATOMIC_WRITE,
		.last = true,
		.fetch = true,
	};
}

/* The packet at a place whose WQE is there; moves the place behind it. */
static struct plan plan_packet(const struct berth_qp *qp, struct place *at)
{
	struct berth_swqe *wqe = berth_sq_slot(&qp->sq, at->counter);
	struct plan p;

	if (wqe->opcode == BERTH_WR_READ) {
		p = plan_read(qp, wqe, at->offset);
		at->offset += read_piece(wqe, at->offset);
	} else if (berth_swqe_is_atomic(wqe)) {
		p = plan_atomic(wqe);
	} else if (wqe->opcode == BERTH_WR_ATOMIC_WRITE) {
		p = plan_atomic_write(wqe);
	} else {
		u32 left = wqe->length - at->offset;

		p = (struct plan){
			.wqe = wqe,
			.offset = at->offset,
			.payload = min(left, qp->mtu),
			.psns = 1,
			.last = left <= qp->mtu,
		};
		p.opcode = berth_opcode_pick(berth_swqe_is_write(wqe) ? BERTH_KIND_WRITE : BERTH_KIND_SEND,
					     !at->offset, p.last,
					     p.last ? tail_of(wqe) : BERTH_TAIL_NONE);
		p.opcode = berth_opcode_in(qp->transport->service, p.opcode);
		at->offset += p.payload;
	}
	p.counter = at->counter;
	p.wire_len = berth_packet_wire_len(berth_opcode_find(p.opcode), p.payload);
	if (p.last) {
		at->counter++;
		at->offset = 0;
	}
	return p;
}

/* Full packets of a message between its first and its last, whose headers differ in the PSN only. */
static bool is_middle(const struct plan *p)
{
	return p->offset && !p->last && !p->fetch;
}

/* May the packet at a place be sent now? Takes WQEs from the ring and starts them. */
static bool may_send(struct berth_qp *qp, const struct place *at, u32 reads)
{
	struct berth_sq *sq = &qp->sq;
	struct berth_swqe *wqe;
	s32 ahead;

	if (at->counter == sq->head && !berth_sq_fetch(qp))
		return false;
	wqe = berth_sq_slot(sq, at->counter);
	if (wqe->status != IB_WC_SUCCESS || berth_local_op_is(wqe))
		return false;
	if (!wqe->psns) {
		if (qp->state == IB_QPS_SQD)
			return false;
		berth_req_start(qp, wqe);
	}
	if (wqe->flags & BERTH_WR_FENCE && !at->offset && reads)
		return false;
	if (berth_swqe_fetches(wqe) && reads >= sq->max_rd_atomic)
		return false;
	ahead = berth_psn_cmp(berth_req_psn(qp, wqe, at->offset), sq->una);
	return ahead < (s32)sq->flight;
}

/* How many MIDDLEs follow one. */
static u32 more_middles(const struct berth_qp *qp, const struct plan *p)
{
	return (p->wqe->length - p->offset - qp->mtu - 1) / qp->mtu;
}

/* How many of them fit the flight. */
static u32 flying_middles(const struct berth_qp *qp, const struct plan *p)
{
	s32 ahead = berth_psn_cmp(berth_req_psn(qp, p->wqe, p->offset + qp->mtu), qp->sq.una);

	return ahead < (s32)qp->sq.flight ? min(more_middles(qp, p), qp->sq.flight - ahead) : 0;
}

/* How many packets from the current place on may leave as one burst. */
static u32 plan_burst(struct berth_qp *qp, u32 *seg_len, u32 *last_len)
{
	struct place at = { qp->sq.next, qp->sq.offset };
	u32 n = 0, limit = 1, reads = qp->sq.reads;

	while (n < limit && may_send(qp, &at, reads)) {
		struct place next = at;
		struct plan p = plan_packet(qp, &next);

		if (!n) {
			*seg_len = p.wire_len;
			limit = berth_burst_limit(qp, p.wire_len);
		} else if (p.wire_len > *seg_len) {
			break;
		}
		*last_len = p.wire_len;
		reads += p.fetch;
		at = next;
		n++;
		if (p.wire_len < *seg_len)
			break;
		if (is_middle(&p)) {
			u32 more = min(flying_middles(qp, &p), limit - n);

			at.offset += more * qp->mtu;
			n += more;
		}
	}
	return n;
}

static struct berth_packet describe(const struct berth_qp *qp, const struct plan *p)
{
	const struct berth_swqe *wqe = p->wqe;
	struct berth_packet pkt = {
		.opcode = p->opcode,
		.qpn = qp->dest_qpn,
		.psn = berth_req_psn(qp, wqe, p->offset),
		.pkey = BERTH_DEFAULT_PKEY,
		.flags = BERTH_PKT_MIG,
		.payload_len = p->payload,
		.va = wqe->remote_addr + p->offset,
		.rkey = wqe->rkey,
		.dma_len = wqe->length,
	};

	if (p->opcode == BERTH_RC_READ_REQUEST)
		pkt.dma_len = read_piece(wqe, p->offset);
	if (berth_swqe_is_atomic(wqe)) {
		bool swap = wqe->opcode == BERTH_WR_CMP_SWP;

		pkt.swap_add = swap ? wqe->atomic.swap : wqe->atomic.compare_add;
		pkt.compare = swap ? wqe->atomic.compare_add : 0;
	}
	if (!p->last)
		return pkt;
	if (wqe->flags & BERTH_WR_SOLICITED && wakes_receiver(wqe))
		pkt.flags |= BERTH_PKT_SE;
	pkt.imm = (__force __be32)wqe->ex;
	pkt.inv_rkey = wqe->ex;
	return pkt;
}

/* Copies payload behind headers. Returns 0, or what stands against its memory. */
static int fill_payload(struct berth_qp *qp, struct berth_swqe *wqe, struct berth_segs segs,
			u32 offset, u32 n, u8 *at)
{
	int ret = berth_landing_gather(at, segs, offset, n);

	return ret ? berth_req_source_error(qp, wqe, ret) : 0;
}

/* Writes one packet, and says in which segments its message lies. Returns as fill_payload(). */
static int fill(struct berth_qp *qp, const struct plan *p, struct berth_segs *segs, u8 *at)
{
	struct berth_packet pkt = describe(qp, p);
	const bool lands = berth_swqe_lands(p->wqe);
	int hdr, n;

	hdr = berth_packet_build(&pkt, at, BERTH_HDR_MAX);
	if (WARN_ON_ONCE(hdr < 0))
		return hdr;
	n = berth_req_source(qp, p->wqe, lands ? IB_ACCESS_LOCAL_WRITE : 0);
	if (n < 0)
		return n;
	*segs = (struct berth_segs){ qp->sq.seg, n };
	/* The answer shall find its place, its first packet at least. */
	if (lands)
		return berth_req_prepare(qp, p->wqe, *segs, p->offset,
					 min(pkt.dma_len, qp->mtu), true);
	if (!p->payload)
		return 0;
	memset(at + hdr + p->payload, 0, berth_pad_len(p->payload));
	return fill_payload(qp, p->wqe, *segs, p->offset, p->payload, at + hdr);
}

/* A packet is in the burst: the requester stands behind it. */
static void account(struct berth_qp *qp, const struct plan *p, const struct place *next)
{
	struct berth_sq *sq = &qp->sq;
	u32 behind = berth_psn_add(berth_req_psn(qp, p->wqe, p->offset), p->psns);

	if (p->fetch)
		sq->read_end[sq->reads++] = behind;
	if (berth_psn_cmp(behind, sq->sent) > 0) {
		sq->sent = behind;
		berth_count_add(qp->dev, BERTH_CNT_TX_BYTES, p->payload);
	}
	sq->next = next->counter;
	sq->offset = next->offset;
	sq->cpu = smp_processor_id();
}

/* So are MIDDLEs that follow it. */
static void account_middles(struct berth_qp *qp, u32 n, u32 behind)
{
	struct berth_sq *sq = &qp->sq;
	s32 fresh = berth_psn_cmp(behind, sq->sent);

	if (fresh > 0) {
		sq->sent = behind;
		berth_count_add(qp->dev, BERTH_CNT_TX_BYTES, (u64)min_t(u32, fresh, n) * qp->mtu);
	}
	sq->offset += n * qp->mtu;
}

/*
 * Writes MIDDLEs behind the one that is packet @at of a burst: the same header but for the PSN, from the same segments.
 * Moves the plan on to the last one. Returns how many: less than @n where memory cannot be used.
 */
static u32 fill_middles(struct berth_qp *qp, struct plan *p, struct berth_segs segs,
			const struct berth_burst *b, u32 at, u32 n)
{
	const struct berth_bth like = *(const struct berth_bth *)berth_burst_packet(b, at);
	u32 psn = be32_to_cpu(like.psn), i;

	for (i = 0; i < n; i++) {
		u8 *to = berth_burst_packet(b, at + 1 + i);
		struct berth_bth *bth = (struct berth_bth *)to;

		*bth = like;
		psn = berth_psn_add(psn, 1);
		bth->psn = cpu_to_be32(psn);
		if (fill_payload(qp, p->wqe, segs, p->offset + qp->mtu, qp->mtu, to + sizeof(*bth)))
			break;
		p->offset += qp->mtu;
	}
	account_middles(qp, i, berth_psn_add(psn, i == n));
	return i;
}

/*
 * The last packet of a burst asks for an acknowledgement, but for a burst that only begins a message: the rest follows
 * at once and asks. A WRITE has such a burst, because its FIRST is longer than what may leave together with it.
 * Where the flight ends with it nothing follows.
 */
static bool wants_ack(const struct berth_qp *qp, const struct plan *p, u32 packets)
{
	const struct berth_sq *sq = &qp->sq;
	bool begins = !p->last && p->offset <= qp->mtu && packets == p->offset / qp->mtu + 1;

	return !begins ||
	       berth_psn_cmp(berth_req_psn(qp, p->wqe, p->offset), sq->una) + 1 >= (s32)sq->flight;
}

static void start_clock(struct berth_qp *qp, bool idle)
{
	struct berth_sq *sq = &qp->sq;

	if (!sq->timeout)
		return;
	if (idle)
		berth_req_progress(qp);
	if (!timer_pending(&sq->timer))
		mod_timer(&sq->timer, sq->deadline);
}

/**
 * berth_send_step - send one burst
 * @qp: queue pair, sq.lock held, a WQE without error at sq.next
 *
 * Without memory or route the packets count as sent and lost: the ack timeout decides how often they
 * are tried again, and when the peer counts as unreachable. Where nobody acknowledges, they are done.
 *
 * Return: its cost, 0: nothing may be sent now.
 */
int berth_send_step(struct berth_qp *qp)
{
	struct berth_sq *sq = &qp->sq;
	bool idle = sq->una == sq->sent;
	u32 i, n, seg_len, last_len;
	struct plan p = {};
	struct berth_segs segs = {};
	struct berth_burst b;
	bool lost;

	lockdep_assert_held(&sq->lock);
	n = plan_burst(qp, &seg_len, &last_len);
	if (!n)
		return 0;
	lost = berth_burst_begin(&b, qp, n, seg_len, last_len);
	for (i = 0; i < n;) {
		struct place at = { sq->next, sq->offset };
		u32 more, filled;

		p = plan_packet(qp, &at);
		if (!lost && fill(qp, &p, &segs, berth_burst_packet(&b, i)))
			break;
		account(qp, &p, &at);
		i++;
		if (lost || !is_middle(&p))
			continue;
		more = min(more_middles(qp, &p), n - i);
		filled = fill_middles(qp, &p, segs, &b, i - 1, more);
		i += filled;
		if (filled < more)
			break;
	}
	if (!i) {
		berth_burst_cancel(&b);
		return sq->waiting ? 0 : BERTH_WQE_COST;
	}
	/* Cut short by bad memory: the last one that goes asks instead of the last one planned. */
	if (!lost && qp->transport->reliable && (i < n || wants_ack(qp, &p, i)))
		berth_bth_request_ack((struct berth_bth *)berth_burst_packet(&b, i - 1));
	if (!lost)
		berth_burst_send(&b, i);
	if (qp->transport->reliable)
		start_clock(qp, idle);
	else
		berth_ack_sent(qp);
	return i * seg_len + BERTH_WQE_COST;
}
