/* SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB */
/* What the files of odp share. */
#ifndef ODP_H
#define ODP_H

#include <sys/mman.h>

#include "vtest.h"

#define ODP_PAGE	4096UL
#define ODP_SIZE	(1UL << 20)
#define ODP_RIGHTS	(VT_ACCESS_ALL | IBV_ACCESS_REMOTE_ATOMIC)
#define ODP_ACCESS	(ODP_RIGHTS | IBV_ACCESS_MW_BIND | IBV_ACCESS_ON_DEMAND)

struct odp_arg {
	bool wire;
	size_t row;
};

/* Two connected ends; a buffer at each, whole and odd, both paged on demand. */
struct odp_bench {
	struct vt_dev *da, *db;
	struct vt_pair *p;
	struct vt_buf *a, *b;
};

/* A stretch of memory by itself, and a region over it. */
struct odp_mem {
	uint8_t *at;
	size_t size;
	struct ibv_mr *mr;
};

/** odp_opts() - What the cases start from. */
struct vt_opts odp_opts(void);

/** odp_bench() - Fails or skips the case when there is none. */
struct odp_bench odp_bench(const struct odp_arg *t, const struct vt_opts *o);

/** odp_evict() - Have every page of a mapping leave the region's table; the bytes stay. */
void odp_evict(void *at, size_t size);

/** odp_evict_bench() - The same for both buffers. */
void odp_evict_bench(struct odp_bench *b);

/** odp_mem() - Private memory with the pattern of @seed, registered with @access in @dev's PD. */
struct odp_mem odp_mem(struct vt_dev *dev, size_t size, uint64_t seed, int access);

/** odp_reg() - Register; fails the case when refused; deregistered with the case. */
struct ibv_mr *odp_reg(struct vt_dev *dev, void *at, size_t size, int access);

/** odp_try() - One WRITE or READ between a's buffer and memory of b's side. */
void odp_try(struct odp_bench *b, enum ibv_wr_opcode op, size_t own_off, const void *at, uint32_t len,
	     uint32_t rkey, enum ibv_wc_status status, const char *what);

/** odp_add() - vt_add() once per path. */
void odp_add(const char *name, vt_fn fn, size_t row, unsigned int seconds);

void odp_add_memory(void);
void odp_add_churn(void);

#endif
