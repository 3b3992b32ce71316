// SPDX-License-Identifier: GPL-2.0
/*
 * /dev/berth_bar: dma-bufs over ranges of a PCI BAR (the memory of an ivshmem device). The memory
 * has no struct page, is I/O memory for the kernel (dma_buf_vmap gives vaddr_iomem) and
 * write-combined in user space. It stands in for the memory of a GPU or a capture card.
 *
 * Process context. bar->lock covers the ranges, the list of buffers and bar->gone; then comes a
 * buffer's reservation lock, which covers faults and mappings. The device structure is counted: the
 * PCI device, every open file and every buffer hold it, so that the hardware may go at any time:
 * bar_remove() takes every importer's mapping and every user mapping down, afterwards nothing can
 * be mapped again. The module cannot go while buffers live, for they hold it.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/dma-buf.h>
#include <linux/dma-mapping.h>
#include <linux/dma-resv.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/io.h>
#include <linux/kref.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/pci.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include <rdma/berth-exporter.h>

#include "bar_range.h"
#include "compat.h"

#define IVSHMEM_VENDOR	0x1af4
#define IVSHMEM_DEVICE	0x1110
#define IVSHMEM_BAR	2

struct bar_device {
	struct kref refs;
	phys_addr_t base;
	u64 size;
	void __iomem *mem;	/* the whole BAR; also fixes its memory type for user mappings */
	struct mutex lock;
	bool gone;		/* written under lock, read under a reservation lock, too */
	struct list_head ranges;
	struct list_head buffers;
	u32 nbuffers;
	u64 used;
};

struct bar_buffer {
	struct bar_device *bar;
	struct bar_range range;
	struct dma_buf *dmabuf;
	struct inode *inode;	/* of the dma-buf, held: user mappings are found by it */
	struct list_head node;
};

/* The device behind /dev/berth_bar; there is at most one. */
static DEFINE_MUTEX(the_bar_lock);
static struct bar_device *the_bar;

static void bar_release(struct kref *refs)
{
	struct bar_device *bar = container_of(refs, struct bar_device, refs);

	iounmap(bar->mem);
	mutex_destroy(&bar->lock);
	kfree(bar);
}

static void bar_put(struct bar_device *bar)
{
	kref_put(&bar->refs, bar_release);
}

/*
 * ---- the dma-buf ----
 */

static int bar_attach(struct dma_buf *dmabuf, struct dma_buf_attachment *attach)
{
	/*
	 * There is nowhere to move it that an importer without peer-to-peer would reach. One that is told of no moves
	 * cannot say whether it has that; the queues of netdevs attach so, and are taken.
	 */
	return attach->peer2peer || !attach->importer_ops ? 0 : -EOPNOTSUPP;
}

/* A BAR does not move; the pair says that importers are told when it goes away. */
static int bar_pin(struct dma_buf_attachment *attach)
{
	return 0;
}

static void bar_unpin(struct dma_buf_attachment *attach)
{
}

static struct sg_table *bar_map(struct dma_buf_attachment *attach, enum dma_data_direction dir)
{
	struct bar_buffer *buffer = attach->dmabuf->priv;
	struct bar_device *bar = buffer->bar;
	struct sg_table *sgt;
	dma_addr_t addr;
	int err;

	if (READ_ONCE(bar->gone))
		return ERR_PTR(-ENODEV);
	sgt = kzalloc(sizeof(*sgt), GFP_KERNEL);
	if (!sgt)
		return ERR_PTR(-ENOMEM);
	err = sg_alloc_table(sgt, 1, GFP_KERNEL);
	if (err)
		goto free_sgt;
	addr = dma_map_resource(attach->dev, bar->base + buffer->range.offset, buffer->range.length,
				dir, DMA_ATTR_SKIP_CPU_SYNC);
	err = dma_mapping_error(attach->dev, addr);
	if (err)
		goto free_table;
	sg_set_page(sgt->sgl, NULL, buffer->range.length, 0);
	sg_dma_address(sgt->sgl) = addr;
	sg_dma_len(sgt->sgl) = buffer->range.length;
	return sgt;

free_table:
	sg_free_table(sgt);
free_sgt:
	kfree(sgt);
	return ERR_PTR(err);
}

static void bar_unmap(struct dma_buf_attachment *attach, struct sg_table *sgt,
		      enum dma_data_direction dir)
{
	dma_unmap_resource(attach->dev, sg_dma_address(sgt->sgl), sg_dma_len(sgt->sgl), dir,
			   DMA_ATTR_SKIP_CPU_SYNC);
	sg_free_table(sgt);
	kfree(sgt);
}

static int bar_vmap(struct dma_buf *dmabuf, struct iosys_map *map)
{
	struct bar_buffer *buffer = dmabuf->priv;

	iosys_map_set_vaddr_iomem(map, buffer->bar->mem + buffer->range.offset);
	return 0;
}

static vm_fault_t bar_fault(struct vm_fault *vmf)
{
	struct bar_buffer *buffer = vmf->vma->vm_private_data;
	struct dma_resv *resv = buffer->dmabuf->resv;
	vm_fault_t ret = VM_FAULT_SIGBUS;
	u64 offset = (u64)vmf->pgoff << PAGE_SHIFT;

	dma_resv_lock(resv, NULL);
	if (!READ_ONCE(buffer->bar->gone) && offset < buffer->range.length)
		ret = vmf_insert_pfn(vmf->vma, vmf->address,
				     PHYS_PFN(buffer->bar->base + buffer->range.offset + offset));
	dma_resv_unlock(resv);
	return ret;
}

static const struct vm_operations_struct bar_vm_ops = {
	.fault = bar_fault,
};

static int bar_mmap(struct dma_buf *dmabuf, struct vm_area_struct *vma)
{
	if (!(vma->vm_flags & VM_SHARED))
		return -EINVAL;
	vma->vm_private_data = dmabuf->priv;
	vma->vm_ops = &bar_vm_ops;
	vma->vm_page_prot = pgprot_writecombine(vma->vm_page_prot);
	vm_flags_set(vma, VM_IO | VM_PFNMAP | VM_DONTEXPAND | VM_DONTDUMP);
	return 0;
}

static void bar_buffer_release(struct dma_buf *dmabuf)
{
	struct bar_buffer *buffer = dmabuf->priv;
	struct bar_device *bar = buffer->bar;

	mutex_lock(&bar->lock);
	list_del(&buffer->node);
	bar->nbuffers--;
	bar->used -= buffer->range.length;
	bar_range_give(&buffer->range);
	mutex_unlock(&bar->lock);
	iput(buffer->inode);
	kfree(buffer);
	bar_put(bar);
}

#define BAR_COMMON_OPS \
	.attach		= bar_attach, \
	.pin		= bar_pin, \
	.unpin		= bar_unpin, \
	.map_dma_buf	= bar_map, \
	.unmap_dma_buf	= bar_unmap, \
	.mmap		= bar_mmap, \
	.release	= bar_buffer_release

static const struct dma_buf_ops bar_ops = {
	BAR_COMMON_OPS,
	.vmap		= bar_vmap,
};

static const struct dma_buf_ops bar_no_vmap_ops = {
	BAR_COMMON_OPS,
};

/*
 * ---- the device file ----
 */

static int bar_take(struct bar_device *bar, struct bar_buffer *buffer,
		    const struct berth_exporter_alloc *alloc)
{
	int err;

	mutex_lock(&bar->lock);
	err = bar->gone ? -ENODEV : bar_range_take(&bar->ranges, bar->size, &buffer->range,
						   alloc->offset, alloc->length);
	mutex_unlock(&bar->lock);
	return err;
}

static void bar_untake(struct bar_device *bar, struct bar_buffer *buffer)
{
	mutex_lock(&bar->lock);
	bar_range_give(&buffer->range);
	mutex_unlock(&bar->lock);
}

static struct dma_buf *bar_export(struct bar_device *bar, struct berth_exporter_alloc *alloc)
{
	DEFINE_DMA_BUF_EXPORT_INFO(info);
	struct bar_buffer *buffer;
	struct dma_buf *dmabuf;
	int err;

	buffer = kzalloc(sizeof(*buffer), GFP_KERNEL);
	if (!buffer)
		return ERR_PTR(-ENOMEM);
	err = bar_take(bar, buffer, alloc);
	if (err)
		goto free_buffer;
	buffer->bar = bar;
	info.ops = alloc->flags & BERTH_EXPORTER_NO_VMAP ? &bar_no_vmap_ops : &bar_ops;
	info.size = alloc->length;
	info.flags = O_RDWR;
	info.priv = buffer;
	dmabuf = dma_buf_export(&info);
	if (IS_ERR(dmabuf)) {
		err = PTR_ERR(dmabuf);
		goto untake;
	}
	kref_get(&bar->refs);
	buffer->dmabuf = dmabuf;
	buffer->inode = file_inode(dmabuf->file);
	ihold(buffer->inode);
	mutex_lock(&bar->lock);
	list_add_tail(&buffer->node, &bar->buffers);
	bar->nbuffers++;
	bar->used += alloc->length;
	mutex_unlock(&bar->lock);
	alloc->offset = buffer->range.offset;
	return dmabuf;

untake:
	bar_untake(bar, buffer);
free_buffer:
	kfree(buffer);
	return ERR_PTR(err);
}

static long bar_ioctl_alloc(struct bar_device *bar, void __user *arg)
{
	struct berth_exporter_alloc alloc;
	struct dma_buf *dmabuf;

	if (copy_from_user(&alloc, arg, sizeof(alloc)))
		return -EFAULT;
	if (alloc.flags & ~BERTH_EXPORTER_NO_VMAP || !alloc.length || alloc.length > SZ_2G ||
	    !PAGE_ALIGNED(alloc.length) ||
	    (alloc.offset != BERTH_EXPORTER_ANYWHERE && !PAGE_ALIGNED(alloc.offset)))
		return -EINVAL;
	alloc.fd = get_unused_fd_flags(O_CLOEXEC);
	if (alloc.fd < 0)
		return alloc.fd;
	dmabuf = bar_export(bar, &alloc);
	if (IS_ERR(dmabuf)) {
		put_unused_fd(alloc.fd);
		return PTR_ERR(dmabuf);
	}
	if (copy_to_user(arg, &alloc, sizeof(alloc))) {
		put_unused_fd(alloc.fd);
		dma_buf_put(dmabuf);
		return -EFAULT;
	}
	fd_install(alloc.fd, dmabuf->file);
	return 0;
}

static long bar_ioctl_info(struct bar_device *bar, void __user *arg)
{
	struct berth_exporter_info info = { .size = bar->size };

	mutex_lock(&bar->lock);
	info.used = bar->used;
	info.buffers = bar->nbuffers;
	mutex_unlock(&bar->lock);
	return copy_to_user(arg, &info, sizeof(info)) ? -EFAULT : 0;
}

static long bar_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	switch (cmd) {
	case BERTH_EXPORTER_ALLOC:
		return bar_ioctl_alloc(file->private_data, (void __user *)arg);
	case BERTH_EXPORTER_INFO:
		return bar_ioctl_info(file->private_data, (void __user *)arg);
	default:
		return -ENOTTY;
	}
}

static int bar_open(struct inode *inode, struct file *file)
{
	int err = 0;

	mutex_lock(&the_bar_lock);
	if (the_bar)
		kref_get(&the_bar->refs);
	else
		err = -ENODEV;
	file->private_data = the_bar;
	mutex_unlock(&the_bar_lock);
	return err;
}

static int bar_close(struct inode *inode, struct file *file)
{
	bar_put(file->private_data);
	return 0;
}

static const struct file_operations bar_fops = {
	.owner		= THIS_MODULE,
	.open		= bar_open,
	.release	= bar_close,
	.unlocked_ioctl	= bar_ioctl,
	.compat_ioctl	= compat_ptr_ioctl,
};

static struct miscdevice bar_misc = {
	.minor	= MISC_DYNAMIC_MINOR,
	.name	= "berth_bar",
	.mode	= 0666,
	.fops	= &bar_fops,
};

/*
 * ---- the PCI device ----
 */

static struct bar_device *bar_create(struct pci_dev *pdev)
{
	struct bar_device *bar = kzalloc(sizeof(*bar), GFP_KERNEL);

	if (!bar)
		return NULL;
	kref_init(&bar->refs);
	mutex_init(&bar->lock);
	INIT_LIST_HEAD(&bar->ranges);
	INIT_LIST_HEAD(&bar->buffers);
	bar->base = pci_resource_start(pdev, IVSHMEM_BAR);
	bar->size = pci_resource_len(pdev, IVSHMEM_BAR);
	bar->mem = ioremap_wc(bar->base, bar->size);
	if (!bar->mem) {
		bar_put(bar);
		return NULL;
	}
	return bar;
}

static bool bar_set(struct bar_device *bar)
{
	bool set;

	mutex_lock(&the_bar_lock);
	set = !the_bar;
	if (set)
		the_bar = bar;
	mutex_unlock(&the_bar_lock);
	return set;
}

static void bar_unset(void)
{
	mutex_lock(&the_bar_lock);
	the_bar = NULL;
	mutex_unlock(&the_bar_lock);
}

static int bar_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct bar_device *bar;
	int err;

	if (!(pci_resource_flags(pdev, IVSHMEM_BAR) & IORESOURCE_MEM))
		return -ENODEV;
	err = pci_enable_device_mem(pdev);
	if (err)
		return err;
	err = pci_request_region(pdev, IVSHMEM_BAR, KBUILD_MODNAME);
	if (err)
		goto disable_device;
	bar = bar_create(pdev);
	if (!bar) {
		err = -ENOMEM;
		goto release_region;
	}
	if (!bar_set(bar)) {
		pci_info(pdev, "another device is /dev/berth_bar already\n");
		err = -EBUSY;
		goto put_bar;
	}
	pci_set_drvdata(pdev, bar);
	err = misc_register(&bar_misc);
	if (err)
		goto unset_bar;
	return 0;

unset_bar:
	bar_unset();
put_bar:
	bar_put(bar);
release_region:
	pci_release_region(pdev, IVSHMEM_BAR);
disable_device:
	pci_disable_device(pdev);
	return err;
}

/* A buffer whose release waits for bar->lock is still whole; its file may have lost its inode. */
static void bar_evict(struct bar_device *bar)
{
	struct bar_buffer *buffer;

	mutex_lock(&bar->lock);
	WRITE_ONCE(bar->gone, true);
	list_for_each_entry(buffer, &bar->buffers, node) {
		dma_resv_lock(buffer->dmabuf->resv, NULL);
		dma_buf_move_notify(buffer->dmabuf);
		unmap_mapping_range(buffer->inode->i_mapping, 0, 0, 1);
		dma_resv_unlock(buffer->dmabuf->resv);
	}
	mutex_unlock(&bar->lock);
}

static void bar_remove(struct pci_dev *pdev)
{
	struct bar_device *bar = pci_get_drvdata(pdev);

	misc_deregister(&bar_misc);
	bar_unset();
	bar_evict(bar);
	bar_put(bar);
	pci_release_region(pdev, IVSHMEM_BAR);
	pci_disable_device(pdev);
}

static const struct pci_device_id bar_ids[] = {
	{ PCI_DEVICE(IVSHMEM_VENDOR, IVSHMEM_DEVICE) },
	{}
};
MODULE_DEVICE_TABLE(pci, bar_ids);

static struct pci_driver bar_driver = {
	.name		= "berth_bar_exporter",
	.id_table	= bar_ids,
	.probe		= bar_probe,
	.remove		= bar_remove,
};
module_pci_driver(bar_driver);

BERTH_IMPORT_NS(DMA_BUF);
MODULE_DESCRIPTION("berth test: dma-bufs over a PCI BAR");
MODULE_LICENSE("GPL");
