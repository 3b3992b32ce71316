// SPDX-License-Identifier: GPL-2.0
/*
 * Memory that the kernel shares with one process, see shared.h.
 *
 * Process context throughout. A map of a process is counted by its rdma_user_mmap_entry: one
 * reference is that of the pieces in it, one more is held for the duration of an mmap call, and
 * mmap_free (berth_shared_mmap_free) runs when the last is dropped. A mapping itself holds no
 * reference of the entry but one of every page, taken by remap_vmalloc_range(): vfree() then leaves
 * the pages to the process until it unmaps them. So device removal needs to zap nothing here: a
 * process keeps rings that nobody serves. The core serialises the table of entries; which pieces of
 * a page are in use is under parts_mutex of the process's context.
 */
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>
#include "shared.h"
#include "ucontext.h"

/* Fits a QP with queues of 16: a page has room for two. */
#define PART	2048UL
#define PARTS	(PAGE_SIZE / PART)

struct berth_shared_map {
	struct rdma_user_mmap_entry entry;
	void *va;
	size_t size;
	struct berth_ucontext *uctx;	/* whose process may map it; NULL: nobody */
	struct list_head node;		/* in uctx->parts: has room for further pieces */
	unsigned long used;		/* a bit for each piece; 0: not divided */
};

static struct berth_shared_map *map_of(struct rdma_user_mmap_entry *entry)
{
	return container_of(entry, struct berth_shared_map, entry);
}

static void map_release(struct berth_shared_map *map)
{
	vfree(map->va);
	kfree(map);
}

static void map_free(struct berth_shared_map *map)
{
	if (map->uctx)
		rdma_user_mmap_entry_remove(&map->entry);
	else
		map_release(map);
}

static struct berth_shared_map *map_alloc(struct berth_ucontext *uctx, size_t size)
{
	struct berth_shared_map *map = kzalloc(sizeof(*map), GFP_KERNEL_ACCOUNT);
	int ret = -ENOMEM;

	if (!map)
		return ERR_PTR(-ENOMEM);
	INIT_LIST_HEAD(&map->node);
	map->size = PAGE_ALIGN(size);
	map->va = uctx ? vmalloc_user(map->size) : vzalloc(map->size);
	if (!map->va)
		goto release;
	if (uctx) {
		ret = rdma_user_mmap_entry_insert(&uctx->ib, &map->entry, map->size);
		if (ret)
			goto release;
		map->uctx = uctx;
	}
	return map;

release:
	map_release(map);
	return ERR_PTR(ret);
}

/**
 * berth_shared_alloc - make zeroed memory, mappable when a process asks for it
 * @uctx: the process's context; NULL for a kernel consumer.
 * @size: in bytes, not 0; rounded up to pages.
 *
 * Context: process; sleeps.
 * Return: the memory, at the start of a mapping of its own; or ERR_PTR(-ENOMEM).
 */
struct berth_shared *berth_shared_alloc(struct berth_ucontext *uctx, size_t size)
{
	struct berth_shared *shared = kzalloc(sizeof(*shared), GFP_KERNEL_ACCOUNT);
	struct berth_shared_map *map;

	if (!shared)
		return ERR_PTR(-ENOMEM);
	map = map_alloc(uctx, size);
	if (IS_ERR(map)) {
		kfree(shared);
		return ERR_CAST(map);
	}
	shared->va = map->va;
	shared->size = map->size;
	shared->map = map;
	return shared;
}

/* A piece of a page that has room, or of a new one. */
static int part_take(struct berth_ucontext *uctx, struct berth_shared *shared)
{
	struct berth_shared_map *map;
	unsigned long part;

	lockdep_assert_held(&uctx->parts_mutex);
	map = list_first_entry_or_null(&uctx->parts, struct berth_shared_map, node);
	if (!map) {
		map = map_alloc(uctx, PAGE_SIZE);
		if (IS_ERR(map))
			return PTR_ERR(map);
		list_add(&map->node, &uctx->parts);
	}
	part = find_first_zero_bit(&map->used, PARTS);
	__set_bit(part, &map->used);
	if (bitmap_full(&map->used, PARTS))
		list_del_init(&map->node);
	shared->offset = part * PART;
	shared->va = map->va + shared->offset;
	shared->size = map->size;
	shared->map = map;
	/* Of one that was here before. */
	memset(shared->va, 0, PART);
	return 0;
}

/**
 * berth_shared_alloc_part - the same, for what may begin within a mapping
 * @uctx: the process's context; NULL for a kernel consumer.
 * @size: in bytes, not 0.
 *
 * Context: process; sleeps.
 * Return: the memory, at shared->offset of a mapping that other pieces of @uctx may share; or
 * ERR_PTR(-ENOMEM).
 */
struct berth_shared *berth_shared_alloc_part(struct berth_ucontext *uctx, size_t size)
{
	struct berth_shared *shared;
	int err;

	if (!uctx || size > PART)
		return berth_shared_alloc(uctx, size);
	shared = kzalloc(sizeof(*shared), GFP_KERNEL_ACCOUNT);
	if (!shared)
		return ERR_PTR(-ENOMEM);
	mutex_lock(&uctx->parts_mutex);
	err = part_take(uctx, shared);
	mutex_unlock(&uctx->parts_mutex);
	if (err) {
		kfree(shared);
		return ERR_PTR(err);
	}
	return shared;
}

/* Returns whether it was the last piece. */
static bool part_give(struct berth_shared_map *map, u32 offset)
{
	struct berth_ucontext *uctx = map->uctx;
	bool last;

	mutex_lock(&uctx->parts_mutex);
	__clear_bit(offset / PART, &map->used);
	last = !map->used;
	list_del_init(&map->node);
	if (!last)
		list_add(&map->node, &uctx->parts);
	mutex_unlock(&uctx->parts_mutex);
	return last;
}

/**
 * berth_shared_free - end the kernel's use of the memory
 * @shared: the memory; NULL and ERR_PTR are ignored. The caller sees to it that nobody uses va.
 *
 * Context: process; sleeps.
 */
void berth_shared_free(struct berth_shared *shared)
{
	if (IS_ERR_OR_NULL(shared))
		return;
	if (!shared->map->used || part_give(shared->map, shared->offset))
		map_free(shared->map);
	kfree(shared);
}

/**
 * berth_shared_mmap_offset - what the process passes to mmap
 * @shared: the memory of a process.
 *
 * Context: any. Return: offset in bytes.
 */
u64 berth_shared_mmap_offset(const struct berth_shared *shared)
{
	return rdma_user_mmap_get_offset(&shared->map->entry);
}

/**
 * berth_shared_mmap - ib_device_ops.mmap
 * @uctx: the process's context.
 * @vma: as asked for; must be shared, not executable and of the exact size.
 *
 * Context: process, mmap lock held for writing.
 * Return: 0; -EINVAL: no such offset, another size, or private; -EPERM: executable; -ENOMEM.
 */
int berth_shared_mmap(struct ib_ucontext *uctx, struct vm_area_struct *vma)
{
	struct rdma_user_mmap_entry *entry;
	int ret;

	if (vma->vm_flags & VM_EXEC)
		return -EPERM;
	entry = rdma_user_mmap_entry_get(uctx, vma);
	if (!entry)
		return -EINVAL;

	vm_flags_clear(vma, VM_MAYEXEC);
	ret = remap_vmalloc_range(vma, map_of(entry)->va, 0);
	rdma_user_mmap_entry_put(entry);
	return ret;
}

/**
 * berth_shared_mmap_free - ib_device_ops.mmap_free: the last reference has gone
 * @entry: of a map.
 *
 * Context: process; sleeps.
 */
void berth_shared_mmap_free(struct rdma_user_mmap_entry *entry)
{
	map_release(map_of(entry));
}
