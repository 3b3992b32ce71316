/* SPDX-License-Identifier: GPL-2.0 */
/* Memory regions that work requests open and close, see mr_fast.c. */
#ifndef BERTH_OBJ_MR_FAST_H
#define BERTH_OBJ_MR_FAST_H

#include <rdma/ib_verbs.h>

struct berth_dev;
struct berth_mr;
struct scatterlist;

/* The longest list: with pages of 4 KiB, 2 MiB in one registration. */
#define BERTH_MAX_FAST_PAGES	512

struct ib_mr *berth_mr_alloc_fast(struct ib_pd *pd, enum ib_mr_type type, u32 max_pages);
int berth_mr_map_sg(struct ib_mr *ib, struct scatterlist *sg, int nents, unsigned int *sg_offset);
void berth_mr_fast_free(struct berth_mr *mr);

int berth_mr_fast_register(struct berth_dev *dev, struct ib_pd *pd, u32 key, int access);
int berth_mr_fast_invalidate(struct berth_mr *mr, u32 key);

#endif
