// SPDX-License-Identifier: GPL-2.0
/*
 * A dma-buf of system memory that really moves: new memory, the contents copied, the old memory
 * poisoned and freed, so that an importer that holds on to it reads poison or faults.
 *
 * Process context. A buffer's reservation lock covers everything in it but the constant fields. It
 * moves also while pinned: without CONFIG_DMABUF_MOVE_NOTIFY the kernel pins every mapping, and
 * importers that have a move_notify shall be tested there, too. It does not move while somebody
 * without move_notify is attached.
 */
#include <linux/delay.h>
#include <linux/dma-mapping.h>
#include <linux/dma-resv.h>
#include <linux/file.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include <rdma/berth-exporter.h>

#include "compat.h"
#include "move_buffer.h"

BERTH_IMPORT_NS(DMA_BUF);

/* What old memory is filled with before it is freed. */
#define POISON		0xdb
#define SLOW_MS		200

struct move_buffer {
	void *mem;		/* vmalloc; NULL once revoked */
	u64 length;		/* constant */
	u32 flags;		/* constant */
	bool moved;		/* since the last mapping */
};

static atomic_t live_buffers = ATOMIC_INIT(0);
static atomic64_t live_bytes = ATOMIC64_INIT(0);

void move_buffers_info(u32 *buffers, u64 *used)
{
	*buffers = atomic_read(&live_buffers);
	*used = atomic64_read(&live_bytes);
}

static int move_attach(struct dma_buf *dmabuf, struct dma_buf_attachment *attach)
{
	struct move_buffer *buffer = dmabuf->priv;

	if (buffer->flags & BERTH_EXPORTER_SLOW)
		msleep(SLOW_MS);
	return 0;
}

static int move_pin(struct dma_buf_attachment *attach)
{
	return 0;
}

static void move_unpin(struct dma_buf_attachment *attach)
{
}

static int map_refusal(struct move_buffer *buffer)
{
	bool moved = buffer->moved;

	if (!buffer->mem)
		return -ENODEV;
	if (buffer->flags & BERTH_EXPORTER_MAP_FAILS)
		return -EIO;
	if (buffer->flags & BERTH_EXPORTER_SLOW)
		msleep(SLOW_MS);
	buffer->moved = false;
	return moved && buffer->flags & BERTH_EXPORTER_BUSY_ONCE ? -EBUSY : 0;
}

static struct sg_table *sgt_of(struct move_buffer *buffer)
{
	unsigned int npages = buffer->length >> PAGE_SHIFT, i;
	struct sg_table *sgt;
	struct page **pages;
	int err = -ENOMEM;

	pages = kvmalloc_array(npages, sizeof(*pages), GFP_KERNEL);
	sgt = kzalloc(sizeof(*sgt), GFP_KERNEL);
	if (!pages || !sgt)
		goto free;
	for (i = 0; i < npages; i++)
		pages[i] = vmalloc_to_page(buffer->mem + ((u64)i << PAGE_SHIFT));
	err = sg_alloc_table_from_pages(sgt, pages, npages, 0, buffer->length, GFP_KERNEL);
	if (err)
		goto free;
	kvfree(pages);
	return sgt;

free:
	kfree(sgt);
	kvfree(pages);
	return ERR_PTR(err);
}

static struct sg_table *move_map(struct dma_buf_attachment *attach, enum dma_data_direction dir)
{
	struct move_buffer *buffer = attach->dmabuf->priv;
	struct sg_table *sgt;
	int err;

	err = map_refusal(buffer);
	if (err)
		return ERR_PTR(err);
	sgt = sgt_of(buffer);
	if (IS_ERR(sgt))
		return sgt;
	/* As udmabuf: caches are for begin_cpu_access, and two devices may map it at once. */
	err = dma_map_sgtable(attach->dev, sgt, dir, DMA_ATTR_SKIP_CPU_SYNC);
	if (err) {
		sg_free_table(sgt);
		kfree(sgt);
		return ERR_PTR(err);
	}
	return sgt;
}

static void move_unmap(struct dma_buf_attachment *attach, struct sg_table *sgt,
		       enum dma_data_direction dir)
{
	dma_unmap_sgtable(attach->dev, sgt, dir, DMA_ATTR_SKIP_CPU_SYNC);
	sg_free_table(sgt);
	kfree(sgt);
}

static int move_vmap(struct dma_buf *dmabuf, struct iosys_map *map)
{
	struct move_buffer *buffer = dmabuf->priv;

	if (!buffer->mem)
		return -ENODEV;
	if (buffer->flags & BERTH_EXPORTER_VMAP_FAILS)
		return -ENOMEM;
	iosys_map_set_vaddr(map, buffer->mem);
	return 0;
}

static vm_fault_t move_fault(struct vm_fault *vmf)
{
	struct dma_buf *dmabuf = vmf->vma->vm_private_data;
	struct move_buffer *buffer = dmabuf->priv;
	u64 offset = (u64)vmf->pgoff << PAGE_SHIFT;
	vm_fault_t ret = VM_FAULT_SIGBUS;

	dma_resv_lock(dmabuf->resv, NULL);
	if (buffer->mem && offset < buffer->length)
		ret = vmf_insert_pfn(vmf->vma, vmf->address, vmalloc_to_pfn(buffer->mem + offset));
	dma_resv_unlock(dmabuf->resv);
	return ret;
}

static const struct vm_operations_struct move_vm_ops = {
	.fault = move_fault,
};

static int move_mmap(struct dma_buf *dmabuf, struct vm_area_struct *vma)
{
	if (!(vma->vm_flags & VM_SHARED))
		return -EINVAL;
	vma->vm_private_data = dmabuf;
	vma->vm_ops = &move_vm_ops;
	vm_flags_set(vma, VM_PFNMAP | VM_DONTEXPAND | VM_DONTDUMP);
	return 0;
}

static void move_release(struct dma_buf *dmabuf)
{
	struct move_buffer *buffer = dmabuf->priv;

	atomic_dec(&live_buffers);
	atomic64_sub(buffer->length, &live_bytes);
	vfree(buffer->mem);
	kfree(buffer);
}

#define MOVE_COMMON_OPS \
	.attach		= move_attach, \
	.pin		= move_pin, \
	.unpin		= move_unpin, \
	.map_dma_buf	= move_map, \
	.unmap_dma_buf	= move_unmap, \
	.mmap		= move_mmap, \
	.release	= move_release

static const struct dma_buf_ops move_ops = {
	MOVE_COMMON_OPS,
	.vmap		= move_vmap,
};

static const struct dma_buf_ops move_no_vmap_ops = {
	MOVE_COMMON_OPS,
};

/**
 * move_buffer_export() - make a buffer
 * @length: bytes, a multiple of the page size.
 * @flags: BERTH_EXPORTER_ flags.
 *
 * Return: the dma-buf with one reference, or ERR_PTR.
 */
struct dma_buf *move_buffer_export(u64 length, u32 flags)
{
	DEFINE_DMA_BUF_EXPORT_INFO(info);
	struct move_buffer *buffer;
	struct dma_buf *dmabuf;

	buffer = kzalloc(sizeof(*buffer), GFP_KERNEL);
	if (!buffer)
		return ERR_PTR(-ENOMEM);
	buffer->length = length;
	buffer->flags = flags;
	buffer->mem = vzalloc(length);
	info.ops = flags & BERTH_EXPORTER_NO_VMAP ? &move_no_vmap_ops : &move_ops;
	info.size = length;
	info.flags = O_RDWR;
	info.priv = buffer;
	dmabuf = buffer->mem ? dma_buf_export(&info) : ERR_PTR(-ENOMEM);
	if (IS_ERR(dmabuf)) {
		vfree(buffer->mem);
		kfree(buffer);
		return dmabuf;
	}
	atomic_inc(&live_buffers);
	atomic64_add(length, &live_bytes);
	return dmabuf;
}

/**
 * move_buffer_is_ours() - may the other functions be called on a dma-buf
 * @dmabuf: any dma-buf.
 *
 * Return: true when move_buffer_export() made it.
 */
bool move_buffer_is_ours(const struct dma_buf *dmabuf)
{
	return dmabuf->ops == &move_ops || dmabuf->ops == &move_no_vmap_ops;
}

/* Everybody lets go of the memory; -EBUSY when somebody cannot. */
static int evict(struct dma_buf *dmabuf)
{
	struct dma_buf_attachment *attach;

	dma_resv_assert_held(dmabuf->resv);
	list_for_each_entry(attach, &dmabuf->attachments, node)
		if (!attach->importer_ops)
			return -EBUSY;
	dma_buf_move_notify(dmabuf);
	unmap_mapping_range(dmabuf->file->f_mapping, 0, 0, 1);
	return dmabuf->vmapping_counter ? -EBUSY : 0;
}

static void discard(void *mem, u64 length)
{
	memset(mem, POISON, length);
	vfree(mem);
}

/**
 * move_buffer_move() - give a buffer new memory with the same contents
 * @dmabuf: one of ours.
 *
 * Return: 0; -ENODEV when revoked; -EBUSY when somebody holds on to it; -ENOMEM.
 */
int move_buffer_move(struct dma_buf *dmabuf)
{
	struct move_buffer *buffer = dmabuf->priv;
	void *fresh = vmalloc(buffer->length);
	int err = 0;

	if (!fresh)
		return -ENOMEM;
	dma_resv_lock(dmabuf->resv, NULL);
	err = buffer->mem ? evict(dmabuf) : -ENODEV;
	if (!err) {
		memcpy(fresh, buffer->mem, buffer->length);
		swap(fresh, buffer->mem);
		buffer->moved = true;
	}
	dma_resv_unlock(dmabuf->resv);
	discard(fresh, buffer->length);
	return err;
}

/**
 * move_buffer_revoke() - take a buffer's memory away for good
 * @dmabuf: one of ours.
 *
 * Return: 0; -ENODEV when it was revoked before; -EBUSY when somebody holds on to it.
 */
int move_buffer_revoke(struct dma_buf *dmabuf)
{
	struct move_buffer *buffer = dmabuf->priv;
	void *old = NULL;
	int err;

	dma_resv_lock(dmabuf->resv, NULL);
	err = buffer->mem ? evict(dmabuf) : -ENODEV;
	if (!err)
		swap(old, buffer->mem);
	dma_resv_unlock(dmabuf->resv);
	if (old)
		discard(old, buffer->length);
	return err;
}
