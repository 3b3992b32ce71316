/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Memory that the kernel shares with one process: vmalloc_user pages, mapped by the process through
 * an rdma_user_mmap_entry; plain kernel memory for kernel consumers. Small pieces of one process
 * share a page.
 *
 * Owned by the queue that made it. berth_shared_free() ends the kernel's use; pages live on while a
 * process still maps them.
 */
#ifndef BERTH_OBJ_SHARED_H
#define BERTH_OBJ_SHARED_H

#include <rdma/ib_verbs.h>

struct berth_shared_map;
struct berth_ucontext;

struct berth_shared {
	void *va;
	size_t size;			/* of the mapping, pages */
	u32 offset;			/* of va in the mapping */
	struct berth_shared_map *map;
};

struct berth_shared *berth_shared_alloc(struct berth_ucontext *uctx, size_t size);
struct berth_shared *berth_shared_alloc_part(struct berth_ucontext *uctx, size_t size);
void berth_shared_free(struct berth_shared *shared);
u64 berth_shared_mmap_offset(const struct berth_shared *shared);
int berth_shared_mmap(struct ib_ucontext *uctx, struct vm_area_struct *vma);
void berth_shared_mmap_free(struct rdma_user_mmap_entry *entry);

#endif
