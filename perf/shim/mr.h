/* SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB */
#ifndef BERTH_SHIM_MR_H
#define BERTH_SHIM_MR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <infiniband/verbs.h>

struct region;

/**
 * struct mr_entry - one registration that lies in a dma-buf
 * @next: in the list of registrations
 * @mr: what the program holds
 * @region: the pages, one use held
 * @addr: first byte, as registered
 * @length: bytes, as registered
 * @filled: carries the pattern
 */
struct mr_entry {
	struct mr_entry *next;
	struct ibv_mr *mr;
	struct region *region;
	uintptr_t addr;
	size_t length;
	bool filled;
};

typedef struct ibv_mr *(*mr_reg_dmabuf)(struct ibv_pd *pd, uint64_t offset, size_t length,
					uint64_t iova, int fd, int access);
typedef int (*mr_dereg)(struct ibv_mr *mr);

struct ibv_mr *mr_register(mr_reg_dmabuf reg_dmabuf, struct ibv_pd *pd, void *addr, size_t length,
			   uint64_t iova, unsigned int access);
int mr_deregister(mr_dereg dereg, struct ibv_mr *mr);
void mr_fill_all(void);
void mr_setup(void);

#endif
