/* SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB */
/* area: what its files share: an area of --peer (or --dev) that queues receive into. */
#ifndef AREA_H
#define AREA_H

#include <infiniband/berthdv.h>

#include "vtest.h"

#define AREA_CHUNK	4096
#define AREA_TOKENS	4096	/* that a test holds at once */

struct area_bench {
	struct vt_dev *da, *db;
	struct vt_buf *src, *dst;	/* the area is over dst */
	struct berthdv_area *area;
	struct ibv_srq *srq;
	struct ibv_cq *scq, *rcq;	/* of all senders, of all receivers */
	uint32_t token[AREA_TOKENS];	/* not returned */
	uint32_t tokens;
};

/** area_bench_new() - An SRQ on an area of so many chunks; the wire: of --peer. */
struct area_bench *area_bench_new(bool wire, enum vt_mem mem, uint32_t chunks, uint32_t max_message);

/* As the functions of berthdv.h: NULL and errno when refused. */
struct berthdv_area *area_try(struct ibv_mr *mr, uint32_t chunk_size, uint32_t max_message);
struct ibv_srq *area_srq_try(struct ibv_pd *pd, struct berthdv_area *area);

/** area_new() - An area over a buffer; fails the case when it is refused. */
struct berthdv_area *area_new(struct vt_buf *buf, uint32_t chunk_size, uint32_t max_message);

/** area_pieces() - Check the @length bytes of a message from @token on: @seed's pattern from @pos, and nothing behind them. */
void area_pieces(struct area_bench *b, uint32_t token, uint32_t length, uint64_t seed, uint64_t pos, const char *what);

/** area_return() - Return all tokens that are held, in another order. */
void area_return(struct area_bench *b);

void area_add_refused(void);
void area_add_stream(void);

#endif
