// SPDX-License-Identifier: GPL-2.0
/*
 * /dev/berth_move: the device file of the exporter whose buffers move and are revoked on request.
 *
 * Process context, no state of its own: buffers are dma-bufs and hold the module. The buffers
 * themselves are in move_buffer.c.
 */
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/sizes.h>
#include <linux/uaccess.h>

#include <rdma/berth-exporter.h>

#include "move_buffer.h"

#define MOVE_FLAGS (BERTH_EXPORTER_NO_VMAP | BERTH_EXPORTER_VMAP_FAILS | \
		    BERTH_EXPORTER_MAP_FAILS | BERTH_EXPORTER_SLOW | BERTH_EXPORTER_BUSY_ONCE)

static long ioctl_alloc(void __user *arg)
{
	struct berth_exporter_alloc alloc;
	struct dma_buf *dmabuf;

	if (copy_from_user(&alloc, arg, sizeof(alloc)))
		return -EFAULT;
	if (alloc.flags & ~MOVE_FLAGS || !alloc.length || alloc.length > SZ_1G ||
	    !PAGE_ALIGNED(alloc.length) || alloc.offset != BERTH_EXPORTER_ANYWHERE)
		return -EINVAL;
	alloc.fd = get_unused_fd_flags(O_CLOEXEC);
	if (alloc.fd < 0)
		return alloc.fd;
	dmabuf = move_buffer_export(alloc.length, alloc.flags);
	if (IS_ERR(dmabuf)) {
		put_unused_fd(alloc.fd);
		return PTR_ERR(dmabuf);
	}
	alloc.offset = 0;
	if (copy_to_user(arg, &alloc, sizeof(alloc))) {
		put_unused_fd(alloc.fd);
		dma_buf_put(dmabuf);
		return -EFAULT;
	}
	fd_install(alloc.fd, dmabuf->file);
	return 0;
}

static long ioctl_target(void __user *arg, int (*act)(struct dma_buf *dmabuf))
{
	struct berth_exporter_target target;
	struct dma_buf *dmabuf;
	long ret = -EINVAL;

	if (copy_from_user(&target, arg, sizeof(target)))
		return -EFAULT;
	if (target.reserved)
		return -EINVAL;
	dmabuf = dma_buf_get(target.fd);
	if (IS_ERR(dmabuf))
		return PTR_ERR(dmabuf);
	if (move_buffer_is_ours(dmabuf))
		ret = act(dmabuf);
	dma_buf_put(dmabuf);
	return ret;
}

static long ioctl_info(void __user *arg)
{
	struct berth_exporter_info info = {};

	move_buffers_info(&info.buffers, &info.used);
	return copy_to_user(arg, &info, sizeof(info)) ? -EFAULT : 0;
}

static long move_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	void __user *user = (void __user *)arg;

	switch (cmd) {
	case BERTH_EXPORTER_ALLOC:
		return ioctl_alloc(user);
	case BERTH_EXPORTER_MOVE:
		return ioctl_target(user, move_buffer_move);
	case BERTH_EXPORTER_REVOKE:
		return ioctl_target(user, move_buffer_revoke);
	case BERTH_EXPORTER_INFO:
		return ioctl_info(user);
	default:
		return -ENOTTY;
	}
}

static const struct file_operations move_fops = {
	.owner		= THIS_MODULE,
	.unlocked_ioctl	= move_ioctl,
	.compat_ioctl	= compat_ptr_ioctl,
};

static struct miscdevice move_misc = {
	.minor	= MISC_DYNAMIC_MINOR,
	.name	= "berth_move",
	.mode	= 0666,
	.fops	= &move_fops,
};
module_misc_device(move_misc);

MODULE_DESCRIPTION("berth test: dma-bufs that move and are revoked");
MODULE_LICENSE("GPL");
