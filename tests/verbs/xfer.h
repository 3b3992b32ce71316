/* SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB */
/*
 * One message of any opcode between two ends, from segments to segments, with everything that can
 * be observed about it checked: bytes, gaps and guards around them, both completions.
 */
#ifndef XFER_H
#define XFER_H

#include "vtest.h"

enum xfer_op { X_SEND, X_SEND_IMM, X_SEND_INV, X_WRITE, X_WRITE_IMM, X_READ, X_OPS };

struct xfer_op_info {
	const char *name;
	enum ibv_wr_opcode wr;
	enum ibv_wc_opcode wc;		/* of the requester's completion */
	enum ibv_wc_opcode recv_wc;	/* of the receive that it consumes */
	bool send;			/* lands in the receive's buffers */
	bool recv;			/* consumes a receive */
	bool imm;
	bool inv;
};

extern const struct xfer_op_info xfer_ops[X_OPS];

#define XFER_SEGS	32
#define XFER_GUARD	4096	/* bytes checked before the first and behind the last segment */

struct xfer_seg {
	struct vt_buf *buf;
	size_t off;
	uint32_t len;
};

/*
 * src and dst follow the bytes: for READ the requester's buffers are dst. The side of the message
 * that RDMA addresses (dst of WRITE, src of READ) has one segment. Segments of dst in one buffer
 * are in rising order and do not overlap. An end that has no PD of its own uses its device's.
 */
struct xfer {
	enum xfer_op op;
	struct xfer_seg src[XFER_SEGS];
	struct xfer_seg dst[XFER_SEGS];
	int nsrc;
	int ndst;
	unsigned int flags;	/* IBV_SEND_SIGNALED, _INLINE, _SOLICITED, _FENCE */
	bool silent;		/* unsignalled: a fence tells that it is done */
	uint64_t wr_id;
	struct ibv_mw *inv;	/* made by xfer_post_recv(), for SEND with invalidate */
};

/** xfer_len() - Bytes of the message. */
uint64_t xfer_len(const struct xfer *x);

/**
 * xfer_run() - Post, wait, check the completions and the bytes, put dst's pattern back.
 * @from: the requester, @to: the responder. Both are idle.
 */
void xfer_run(struct vt_ep *from, struct vt_ep *to, struct xfer *x);

/* The steps of xfer_run(), for cases that keep several messages under way. */
void xfer_post_recv(struct vt_ep *to, struct xfer *x);
void xfer_post_send(struct vt_ep *from, struct xfer *x);
void xfer_check_send_wc(const struct vt_ep *from, const struct xfer *x, const struct ibv_wc *wc);
void xfer_check_recv_wc(const struct vt_ep *to, const struct xfer *x, const struct ibv_wc *wc);
void xfer_check_bytes(const struct xfer *x);
void xfer_restore(struct xfer *x);

/** xfer_simple() - One segment on each side. */
struct xfer xfer_simple(enum xfer_op op, struct vt_buf *src, size_t soff, struct vt_buf *dst,
			size_t doff, uint32_t len);

#endif
