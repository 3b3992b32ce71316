/* SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB */
/* What the files of rc_srq share: some pairs whose responders take from one SRQ. */
#ifndef RC_SRQ_H
#define RC_SRQ_H

#include "vtest.h"

#define SRQ_PAIRS	4
#define SRQ_SLOT	4096	/* bytes of the buffers for one message */
#define SRQ_SLOTS	64

struct srq_bench {
	struct vt_dev *da, *db;
	struct ibv_srq *srq;
	struct ibv_cq *rcq;		/* of all responders, receives only */
	struct vt_pair *p[SRQ_PAIRS];
	struct vt_buf *src, *dst;	/* SRQ_SLOTS slots */
};

struct ibv_srq *srq_new(struct ibv_pd *pd, uint32_t max_wr, uint32_t max_sge);
struct srq_bench *srq_bench(const void *wire, uint32_t max_wr, int pairs);

/* Posts slot @slot with it as wr_id; returns what ibv_post_srq_recv() does. */
int srq_post(struct srq_bench *b, struct ibv_srq *srq, uint64_t slot);

/* SENDs slot @from of the pair's source. */
void srq_send(struct srq_bench *b, int pair, uint64_t from, uint32_t len);

/* Takes one receive completion; returns the slot in which the message is. */
uint64_t srq_take(struct srq_bench *b, const char *what, struct ibv_wc *wc);

void srq_add_events(void);
void srq_add(const char *name, vt_fn fn, unsigned int seconds);

#endif
