// SPDX-License-Identifier: GPL-2.0
/*
 * Memory regions over dma-bufs.
 *
 * Process context. An MR holds a reference of its dma-buf's area and borrows the area's window;
 * all MRs over one dma-buf share one attachment and one mapping. An ib_device over a netdev can do
 * no DMA of its own, so areas are attached with the device that berth_netmem keeps for this.
 *
 * When the exporter moves or revokes the memory the window's accessors say so (-EAGAIN,
 * -EKEYREVOKED) and the transport acts on it; the MR and its keys stay until deregistration.
 */
#include <linux/dma-buf.h>
#include <linux/fs.h>
#include <linux/overflow.h>
#include "../compat.h"
#include "mr.h"

BERTH_IMPORT_NS(DMA_BUF);

/* Range and rights against the dma-buf. The low bits of offset and iova agree, as for pages. */
static int check_range(const struct dma_buf *dmabuf, u64 offset, u64 length, u64 iova, int access)
{
	u64 end;

	if (!length || check_add_overflow(iova, length, &end) ||
	    check_add_overflow(offset, length, &end) || end > dmabuf->size ||
	    (offset ^ iova) & ~PAGE_MASK)
		return -EINVAL;
	/* Who was given a file to read from may not pass on the right to write. */
	if (ib_access_writable(access) && !(dmabuf->file->f_mode & FMODE_WRITE))
		return -EACCES;
	return 0;
}

static struct ib_mr *make_mr(struct ib_pd *pd, struct dma_buf *dmabuf, u64 offset, u64 length,
			     u64 iova, int access)
{
	struct berth_mr *mr;
	int ret;

	mr = berth_mr_alloc(pd, iova, length, access);
	if (IS_ERR(mr))
		return ERR_CAST(mr);
	mr->area = berth_area_get(berth_netmem_device(), dmabuf, 0);
	if (IS_ERR(mr->area)) {
		ret = PTR_ERR(mr->area);
		mr->area = NULL;
		goto destroy;
	}
	mr->window = berth_area_window(mr->area);
	mr->window_offset = offset;
	mr->device_memory = true;
	berth_mr_publish(mr);
	return &mr->ib;

destroy:
	berth_mr_destroy(mr);
	return ERR_PTR(ret);
}

/**
 * berth_mr_reg_dmabuf - ib_device_ops.reg_user_mr_dmabuf
 * @pd: domain of the process.
 * @offset: first byte in the dma-buf.
 * @length: in bytes.
 * @iova: address under which that byte is known to work requests.
 * @fd: of the dma-buf; may be closed afterwards.
 * @access: enum ib_access_flags.
 * @attrs: bring nothing.
 *
 * The file descriptor is looked at first: applications probe for support with one that is not open
 * and with no bytes, and tell by -EBADF that the verb exists.
 *
 * Context: process; sleeps.
 * Return: the MR; ERR_PTR: -EBADF: not open; -EINVAL: not a dma-buf, no bytes, beyond its end, or
 * offset and iova differ below the page size; -EACCES: right to write to a dma-buf opened for
 * reading; -EOPNOTSUPP: rights (berth_mr_check_access()), or an exporter without a way for the CPU
 * to the memory; -ENOMEM, or what the exporter answered.
 */
struct ib_mr *berth_mr_reg_dmabuf(struct ib_pd *pd, u64 offset, u64 length, u64 iova, int fd,
				  int access, struct uverbs_attr_bundle *attrs)
{
	struct dma_buf *dmabuf;
	struct ib_mr *ib;
	int ret;

	dmabuf = dma_buf_get(fd);
	if (IS_ERR(dmabuf))
		return ERR_CAST(dmabuf);

	ret = berth_mr_check_access(access);
	if (!ret)
		ret = check_range(dmabuf, offset, length, iova, access);
	ib = ret ? ERR_PTR(ret) : make_mr(pd, dmabuf, offset, length, iova, access);
	dma_buf_put(dmabuf);
	return ib;
}
