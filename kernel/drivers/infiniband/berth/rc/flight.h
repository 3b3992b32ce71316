/* SPDX-License-Identifier: GPL-2.0 */
/*
 * How many packets of a requester may be in flight.
 *
 * The limit starts at BERTH_FLIGHT_BYTES. A sequence NAK halves it, once for all packets that were on
 * their way when it came; so does every ack timeout, down to one packet, because a peer that answers
 * late must not find ever more copies of the same packets in front of its next one. What the peer
 * acknowledges lets it grow again, fast up to where the last loss left it and then slowly: go-back-N
 * sends everything in flight again, so a wire that loses packets all the time wants a short flight.
 *
 * Pure. Context: sq.lock held.
 */
#ifndef BERTH_RC_FLIGHT_H
#define BERTH_RC_FLIGHT_H

#include <linux/kernel.h>
#include "../ring/sq.h"
#include "../wire/bth.h"

/* In whole packets of the path MTU. */
#define BERTH_FLIGHT_BYTES	(512U << 10)
#define BERTH_FLIGHT_MIN	16U

/* Above the point of the last loss this many acknowledged packets let one more fly. */
#define BERTH_FLIGHT_SLOW	8U

static inline u32 berth_flight_max(u32 mtu)
{
	return max(BERTH_FLIGHT_BYTES / mtu, BERTH_FLIGHT_MIN);
}

static inline void berth_flight_reset(struct berth_sq *sq, u32 mtu)
{
	sq->flight = berth_flight_max(mtu);
	sq->flight_fast = sq->flight;
	sq->flight_lost = sq->una;
}

/* @acked packets have left the flight: una stands behind them. */
static inline void berth_flight_grow(struct berth_sq *sq, u32 mtu, u32 acked)
{
	/* Keep it near, or in a long flight without losses it would come to lie ahead. */
	if (berth_psn_cmp(sq->una, sq->flight_lost) > 0)
		sq->flight_lost = sq->una;
	if (sq->flight >= sq->flight_fast)
		acked = DIV_ROUND_UP(acked, BERTH_FLIGHT_SLOW);
	sq->flight = min(sq->flight + acked, berth_flight_max(mtu));
}

static inline void berth_flight_halve(struct berth_sq *sq, u32 least)
{
	sq->flight = max(sq->flight / 2, least);
	sq->flight_fast = max(sq->flight, BERTH_FLIGHT_MIN);
	sq->flight_lost = sq->sent;
}

/* The peer says that packets were lost; those that it will say it of again fly already. */
static inline void berth_flight_lost(struct berth_sq *sq)
{
	if (berth_psn_cmp(sq->una, sq->flight_lost) >= 0)
		berth_flight_halve(sq, BERTH_FLIGHT_MIN);
}

/* The peer says nothing. */
static inline void berth_flight_timed_out(struct berth_sq *sq)
{
	berth_flight_halve(sq, 1);
}

#endif
