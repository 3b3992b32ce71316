// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * A libibverbs and a dma-buf exporter for tests of the shim on machines that have neither.
 *
 * Preloaded behind the shim, so that the shim's RTLD_NEXT finds these verbs, and its ioctl() and
 * open() these exporters: dma-bufs are memfds, unless FAKE_VERBS_ONLY asks for real exporters.
 * What was asked for last is kept in fake_state, which the test reads by dlsym().
 * Single-threaded, like the test.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <infiniband/verbs.h>
#include <linux/dma-buf.h>
#include <linux/dma-heap.h>
#include <linux/udmabuf.h>
#include <rdma/berth-exporter.h>

#include "fake-verbs.h"

struct fake_state fake_state;

static int memfd_of(size_t length)
{
	int fd = memfd_create("fake-dmabuf", MFD_CLOEXEC);

	if (fd >= 0 && ftruncate(fd, (off_t)length)) {
		close(fd);
		fd = -1;
	}
	fake_state.allocated++;
	return fd;
}

int ioctl(int fd, unsigned long request, ...)
{
	va_list args;
	void *arg;

	va_start(args, request);
	arg = va_arg(args, void *);
	va_end(args);
	if (getenv("FAKE_VERBS_ONLY"))
		return (int)syscall(SYS_ioctl, fd, request, arg);
	switch (request) {
	case DMA_BUF_IOCTL_SYNC: {
		const struct dma_buf_sync *sync = arg;

		fake_state.syncs += sync->flags & DMA_BUF_SYNC_END ? -1 : 1;
		return 0;
	}
	case DMA_HEAP_IOCTL_ALLOC: {
		struct dma_heap_allocation_data *data = arg;

		if (fake_state.fail_alloc) {
			errno = ENOMEM;
			return -1;
		}
		data->fd = (uint32_t)memfd_of(data->len);
		return 0;
	}
	case BERTH_EXPORTER_ALLOC: {
		struct berth_exporter_alloc *data = arg;

		if (fake_state.refuse_berth) {
			errno = ENOTTY;
			return -1;
		}
		if (data->offset == UINT64_MAX)
			data->offset = 0x7000;
		data->fd = memfd_of(data->length);
		return 0;
	}
	case UDMABUF_CREATE: {
		struct udmabuf_create *data = arg;

		if (!(fcntl((int)data->memfd, F_GET_SEALS) & F_SEAL_SHRINK)) {
			errno = EINVAL;
			return -1;
		}
		return memfd_of(data->size);
	}
	}
	return (int)syscall(SYS_ioctl, fd, request, arg);
}

static struct ibv_mr *new_mr(struct ibv_pd *pd, void *addr, size_t length)
{
	struct ibv_mr *mr = calloc(1, sizeof(*mr));

	mr->context = pd->context;
	mr->pd = pd;
	mr->addr = addr;
	mr->length = length;
	mr->rkey = 0x1234;
	return mr;
}

struct ibv_mr *ibv_reg_mr_iova2(struct ibv_pd *pd, void *addr, size_t length, uint64_t iova,
				unsigned int access)
{
	(void)access;
	(void)iova;
	fake_state.host_mrs++;
	return new_mr(pd, addr, length);
}

struct ibv_mr_init_attr;
struct ibv_mr *ibv_reg_mr_ex(struct ibv_pd *pd, struct ibv_mr_init_attr *attr);

struct ibv_mr *ibv_reg_mr_ex(struct ibv_pd *pd, struct ibv_mr_init_attr *attr)
{
	(void)attr;
	fake_state.host_mrs++;
	return new_mr(pd, NULL, 0);
}

struct ibv_mr *ibv_reg_dmabuf_mr(struct ibv_pd *pd, uint64_t offset, size_t length, uint64_t iova,
				 int fd, int access)
{
	(void)access;
	if (fake_state.refuse_dmabuf) {
		errno = EOPNOTSUPP;
		return NULL;
	}
	fake_state.dmabuf_mrs++;
	fake_state.offset = offset;
	fake_state.iova = iova;
	fake_state.fd = fd;
	return new_mr(pd, (void *)(uintptr_t)offset, length);
}

int ibv_dereg_mr(struct ibv_mr *mr)
{
	fake_state.deregs++;
	free(mr);
	return 0;
}

int ibv_modify_qp(struct ibv_qp *qp, struct ibv_qp_attr *attr, int attr_mask)
{
	(void)qp;
	(void)attr;
	(void)attr_mask;
	return 0;
}

const char *ibv_get_device_name(struct ibv_device *device)
{
	(void)device;
	return "fake0";
}
