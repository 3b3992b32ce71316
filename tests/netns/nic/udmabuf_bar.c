// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * Preloaded into a program that makes its memory with /dev/udmabuf: the dma-buf that it gets is of the PCI BAR
 * (/dev/berth_bar) instead. The program may be one that knows no other exporter, and stays as it is.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/udmabuf.h>
#include <stdarg.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <rdma/berth-exporter.h>

static int bar_buffer(unsigned long long length)
{
	struct berth_exporter_alloc alloc = { .offset = BERTH_EXPORTER_ANYWHERE, .length = length };
	int dev = open(BERTH_EXPORTER_BAR_DEV, O_RDWR | O_CLOEXEC), err;

	if (dev < 0)
		return -1;
	err = syscall(SYS_ioctl, dev, BERTH_EXPORTER_ALLOC, &alloc) < 0 ? errno : 0;
	close(dev);
	errno = err;
	return err ? -1 : alloc.fd;
}

int ioctl(int fd, unsigned long request, ...)
{
	va_list args;
	void *arg;

	va_start(args, request);
	arg = va_arg(args, void *);
	va_end(args);
	if (request == UDMABUF_CREATE)
		return bar_buffer(((struct udmabuf_create *)arg)->size);
	return syscall(SYS_ioctl, fd, request, arg);
}
