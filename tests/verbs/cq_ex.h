/* SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB */
/* What the files of cq_ex share: a pair whose responder completes to one CQ. */
#ifndef CQ_EX_H
#define CQ_EX_H

#include "vtest.h"

struct cq_bench {
	struct vt_dev *da, *db;
	struct ibv_cq_ex *cq;		/* of the responder, if it is an extended one */
	struct vt_pair *p;
	struct vt_buf *src, *dst;
};

struct ibv_cq_ex *cq_ex_new(struct vt_dev *d, uint32_t cqe, uint64_t wc_flags, uint32_t flags);
struct cq_bench cq_bench(const void *wire, struct ibv_cq_ex *(*make)(struct vt_dev *));

/* A message of 100 + @id bytes, sent, received, and its completion at the sender taken. */
void cq_message(struct cq_bench *b, uint64_t id, enum ibv_wr_opcode op);

void cq_add_resize(void);

#endif
