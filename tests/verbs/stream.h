/* SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB */
/* stream: what its files share. A stream QP of --dev has adopted one of two connected sockets. */
#ifndef STREAM_H
#define STREAM_H

#include "vt_net.h"
#include "vtest.h"

struct stream {
	struct vt_dev *dev;
	struct vt_ep ep;
	int fd;		/* the socket of the QP */
	int peer;	/* the other end, a plain socket */
};

/** stream_new() - A stream QP in INIT and a connection that it has not adopted. */
struct stream stream_new(bool v6);

/** stream_qp() - A further QP in INIT. */
void stream_qp(struct vt_ep *ep, struct vt_dev *dev, struct ibv_srq *srq);

/** stream_attach() - Adopt; fails the case when that is refused. */
void stream_attach(struct stream *s);

/** stream_take() - Wait for a receive, which has to succeed. Return: its byte_len. */
uint32_t stream_take(struct stream *s, uint64_t wr_id, const char *what);

/** stream_await_back() - Wait until the QP has let go of its socket. */
void stream_await_back(struct stream *s);

void stream_add_fd_cases(void);

#endif
