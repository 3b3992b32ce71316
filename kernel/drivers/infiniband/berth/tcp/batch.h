/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Bytes on their way into a TCP socket: whole FPDUs, laid out as pieces of pages and handed to TCP by
 * reference. Headers, small payloads and what has to be copied (device memory) lie in page fragments
 * of the batch's own; payload in pages is only referenced.
 *
 * Context: the socket's lock held (by a process, or in softirq); nothing here sleeps.
 */
#ifndef BERTH_TCP_BATCH_H
#define BERTH_TCP_BATCH_H

#include <linux/bvec.h>
#include <linux/mm_types_task.h>
#include "../landing/landing.h"

struct berth_ddp;
struct sock;
struct ubuf_info;

/* Payload of one FPDU at most: whole pages, and with its headers below 64 KiB. */
#define BERTH_FPDU_MOST	(32U << 10)

/* Pieces that an FPDU may take: its pages, their ends, header and trailer, and what is copied. */
#define BERTH_FPDU_VECS		24
#define BERTH_CONTROL_VECS	2	/* without payload: header and trailer */
#define BERTH_BATCH_VECS	(4 * BERTH_FPDU_VECS)

/* A batch takes no more when it has this many bytes. */
#define BERTH_BATCH_BYTES	(64U << 10)

struct berth_batch {
	struct bio_vec vec[BERTH_BATCH_VECS];	/* each holds a reference of its page */
	u32 count;
	u32 bytes;			/* that TCP has not taken */
	u32 sent_vecs;			/* of vec, taken by TCP as a whole */
	u32 sent_bytes;			/* of the one behind them */
	struct page_frag frag;
};

/* Whether another FPDU may be added. */
static inline bool berth_batch_room(const struct berth_batch *b)
{
	return b->count + BERTH_FPDU_VECS <= BERTH_BATCH_VECS && b->bytes < BERTH_BATCH_BYTES;
}

/* Whether one without payload may be, behind those that have filled the batch: it costs no packet of its own then. */
static inline bool berth_batch_room_behind(const struct berth_batch *b)
{
	return b->count + BERTH_CONTROL_VECS <= BERTH_BATCH_VECS;
}

static inline bool berth_batch_empty(const struct berth_batch *b)
{
	return !b->count;
}

int berth_batch_add(struct berth_batch *b, const struct berth_ddp *seg, struct berth_segs src,
		    u32 offset, bool crc);
int berth_batch_add_bytes(struct berth_batch *b, struct berth_segs src, u32 offset, u32 n);
int berth_batch_push(struct berth_batch *b, struct sock *sk, struct ubuf_info *ubuf,
		     bool more);
void berth_batch_clear(struct berth_batch *b);
void berth_batch_fini(struct berth_batch *b);

#endif
