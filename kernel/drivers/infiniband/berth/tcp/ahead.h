/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Looking behind a request that waits for a receive. What follows it in the stream may answer our own
 * requests, and the receive may be posted only when they are answered. So answers are taken out, and
 * the rest is kept, in order and up to a bound, until the stream goes on.
 *
 * Context: the socket's lock held, bottom halves disabled.
 */
#ifndef BERTH_TCP_AHEAD_H
#define BERTH_TCP_AHEAD_H

#include <linux/skbuff.h>
#include "../wire/cursor.h"
#include "../wire/fpdu.h"

struct berth_conn;

struct berth_ahead {
	struct sk_buff_head kept;	/* what was read and is still to be taken */
	u32 bytes;			/* memory of it */
	struct berth_fpdu fpdu;		/* where it ends */
	u32 sum;			/* CRC of the answer that is being taken */
	bool active;			/* fpdu holds */
};

/* Whether bytes from the socket have to go through berth_ahead_take(): others are before them. */
static inline bool berth_ahead_active(const struct berth_ahead *ahead)
{
	return ahead->active;
}

void berth_ahead_init(struct berth_ahead *ahead);
void berth_ahead_begin(struct berth_conn *conn);
int berth_ahead_take(struct berth_conn *conn, struct sk_buff *skb, const struct berth_cursor *at,
		     u32 offset, u32 n);
bool berth_ahead_between(const struct berth_ahead *ahead);
struct sk_buff *berth_ahead_first(struct berth_ahead *ahead, u32 *offset, u32 *len);
void berth_ahead_taken(struct berth_ahead *ahead, u32 n);
void berth_ahead_purge(struct berth_ahead *ahead);

#endif
