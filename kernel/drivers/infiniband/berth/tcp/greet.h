/* SPDX-License-Identifier: GPL-2.0 */
/*
 * MPA's handshake over a socket: the frames, the callbacks while it lasts, and what two TCP QPs tell each
 * other in the private data. Used by both sides, dial.c and listen.c, and by iw_cm.c.
 *
 * Context: process; one user at a time.
 */
#ifndef BERTH_TCP_GREET_H
#define BERTH_TCP_GREET_H

#include <linux/net.h>
#include <linux/workqueue.h>
#include "../wire/mpa.h"

struct berth_qp;

/*
 * TCP port of every network namespace with TCP QPs; as UDP's it is RoCEv2's. Who connects says which
 * QP it is and which one it wants; both have been told of each other by the verbs.
 */
#define BERTH_TCP_PORT	4791

/* The private data of TCP QPs, of the request and of the reply. */
struct berth_hello {
	__be32 magic;
	__be32 version;
	__be32 src_qpn;		/* of the sender of the frame */
	__be32 dst_qpn;
	u8 src_gid[16];
	u8 dst_gid[16];
};
static_assert(sizeof(struct berth_hello) == 48);

struct berth_greeting {
	struct socket *sock;
	struct delayed_work *work;	/* to run when something has come or happened */
	u32 have;			/* bytes of frame */
	u8 frame[BERTH_MPA_FRAME_MAX];
	void (*old_data_ready)(struct sock *sk);
	void (*old_state_change)(struct sock *sk);
};

void berth_greeting_begin(struct berth_greeting *g, struct socket *sock, struct delayed_work *work);
struct socket *berth_greeting_end(struct berth_greeting *g);
int berth_greeting_send(struct berth_greeting *g, const struct berth_mpa_frame *frame, const void *pd);
int berth_greeting_read(struct berth_greeting *g, struct berth_mpa_frame *frame);
int berth_greeting_send_hello(struct berth_greeting *g, const struct berth_qp *qp,
			      const struct berth_mpa_frame *frame);
int berth_greeting_read_hello(struct berth_greeting *g, struct berth_mpa_frame *frame,
			      struct berth_hello *hello);

#endif
