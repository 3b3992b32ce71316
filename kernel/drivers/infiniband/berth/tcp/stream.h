/* SPDX-License-Identifier: GPL-2.0 */
/*
 * TCP-offload QPs, stream mode: a connected socket of the process's (struct berth_socket), adopted by a
 * QP (struct berth_stream). What comes lands in the posted receives, SENDs are appended to the stream.
 *
 * As with the connections of conn.h, everything of a socket is under its lock, and whoever holds that
 * does what there is to do. Order: the socket's lock, berth_parts.lock, sq.lock, rq.lock;
 * berth_stream.lock is innermost.
 */
#ifndef BERTH_TCP_STREAM_H
#define BERTH_TCP_STREAM_H

#include <linux/hrtimer.h>
#include <linux/mutex.h>
#include <linux/net.h>
#include <linux/workqueue.h>
#include <rdma/uverbs_ioctl.h>
#include "../obj/qp.h"
#include "../transport.h"
#include "batch.h"
#include "part.h"
#include "runner.h"

struct berth_socket {
	refcount_t refs;
	struct socket *sock;		/* with a reference of its file, until the QP lets go of it */
	struct berth_runner runner;
	const struct proto_ops *old_ops;
	gfp_t old_allocation;
	bool limited;			/* its buffer is not to grow (stream_socket.c) */
	struct berth_parts *parts;

	/* All below under the socket's lock. */
	struct berth_qp *qp;		/* NULL: the QP has let go of it */
	bool receiving;			/* berth_stream_receive() is running */
	bool broken;			/* reset, or timed out: nothing is sent or taken any more */
	bool granted;			/* the region was seen to have all of the area, in this actor() */
	bool pushed;			/* the peer has nothing more to say for now */
	bool cut;			/* or it may have: what was read now may be a part of what it has written */
	bool held_back;			/* the receive waits for the rest of that */
	bool ended;			/* its end of stream has been told */
	bool unready;			/* waits for a receive */
	struct berth_batch batch;
};

/* What a stream QP has besides other QPs. */
struct berth_stream {
	struct berth_qp *qp;
	spinlock_t lock;		/* socket; innermost */
	struct berth_socket *socket;
	struct mutex mutex;		/* attaching and letting go */
	struct delayed_work run_work;	/* goes on sending and taking */
	struct hrtimer cut_wait;	/* for the rest of what the peer has written (stream_recv.c) */
	struct work_struct close_work;	/* lets go of the socket of a QP that has failed */
};

extern const struct berth_transport berth_stream_transport;
extern const struct uapi_definition berth_stream_uapi_defs[];
extern struct workqueue_struct *berth_tcp_wq;

/* stream_socket.c */
int berth_stream_attach(struct berth_qp *qp, int fd);
void berth_stream_detach(struct berth_stream *stream);
struct berth_socket *berth_stream_socket(struct berth_stream *stream);
void berth_socket_get(struct berth_socket *s);
void berth_socket_put(struct berth_socket *s);

/* stream.c */
void berth_socket_run(struct berth_runner *r, u32 budget);
void berth_socket_broken(struct berth_socket *s, int err);

/* stream_recv.c */
void berth_stream_receive(struct berth_socket *s);

/* stream_send.c */
void berth_stream_freed(void *owner);
bool berth_stream_send(struct berth_socket *s, u32 budget);
void berth_stream_forget(struct berth_socket *s);

#endif
