// SPDX-License-Identifier: GPL-2.0
/*
 * Memory that the kernel shares with one process, see shared.h.
 *
 * Process context throughout. A berth_shared of a process is counted by its rdma_user_mmap_entry:
 * one reference is the queue's, one more is held for the duration of an mmap call, and mmap_free
 * (berth_shared_mmap_free) runs when the last is dropped. A mapping itself holds no reference of
 * the entry but one of every page, taken by remap_vmalloc_range(): vfree() then leaves the pages to
 * the process until it unmaps them. So device removal needs to zap nothing here: a process keeps
 * rings that nobody serves. No locks of our own; the core serialises the table of entries.
 */
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>
#include "shared.h"

static struct berth_shared *shared_of(struct rdma_user_mmap_entry *entry)
{
	return container_of(entry, struct berth_shared, entry);
}

static void shared_release(struct berth_shared *shared)
{
	vfree(shared->va);
	kfree(shared);
}

/**
 * berth_shared_alloc - make zeroed memory, mappable when a process asks for it
 * @uctx: the process's context; NULL for a kernel consumer.
 * @size: in bytes, not 0; rounded up to pages.
 *
 * Context: process; sleeps.
 * Return: the memory, or ERR_PTR(-ENOMEM).
 */
struct berth_shared *berth_shared_alloc(struct ib_ucontext *uctx, size_t size)
{
	struct berth_shared *shared;
	int ret = -ENOMEM;

	shared = kzalloc(sizeof(*shared), GFP_KERNEL);
	if (!shared)
		return ERR_PTR(-ENOMEM);
	shared->size = PAGE_ALIGN(size);
	shared->va = uctx ? vmalloc_user(shared->size) : vzalloc(shared->size);
	if (!shared->va)
		goto release;

	if (uctx) {
		ret = rdma_user_mmap_entry_insert(uctx, &shared->entry, shared->size);
		if (ret)
			goto release;
		shared->mapped = true;
	}
	return shared;

release:
	shared_release(shared);
	return ERR_PTR(ret);
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
	if (shared->mapped)
		rdma_user_mmap_entry_remove(&shared->entry);
	else
		shared_release(shared);
}

/**
 * berth_shared_mmap_offset - what the process passes to mmap
 * @shared: the memory of a process.
 *
 * Context: any. Return: offset in bytes.
 */
u64 berth_shared_mmap_offset(const struct berth_shared *shared)
{
	return rdma_user_mmap_get_offset(&shared->entry);
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
	ret = remap_vmalloc_range(vma, shared_of(entry)->va, 0);
	rdma_user_mmap_entry_put(entry);
	return ret;
}

/**
 * berth_shared_mmap_free - ib_device_ops.mmap_free: the last reference has gone
 * @entry: of a berth_shared.
 *
 * Context: process; sleeps.
 */
void berth_shared_mmap_free(struct rdma_user_mmap_entry *entry)
{
	shared_release(shared_of(entry));
}
