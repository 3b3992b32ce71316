// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * Buffers of every kind of memory. The registered part starts at an odd address VT_SKEW bytes into
 * the allocation, so a dma-buf MR always has an offset, and the bytes around it are guards: they
 * carry the buffer's pattern too (at negative and late positions) and are checked when the buffer
 * goes. Device memory is mapped by mmap of the dma-buf itself and bracketed with DMA_BUF_IOCTL_SYNC.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/dma-buf.h>
#include <linux/dma-heap.h>
#include <linux/types.h>
#include <linux/udmabuf.h>
#include <rdma/berth-exporter.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "vtest.h"

#define PAGE		4096UL
/* Pattern position of base[0]; ptr[0] is at POS_PTR, so that all positions are positive. */
#define POS_PTR		((uint64_t)VT_SKEW)
/* Addresses of dma-buf MRs: no address of the process, so a mix-up cannot work by chance. */
#define DMABUF_IOVA	0x0001770000000000ULL

const char *const vt_mem_name[VT_MEM_KINDS] = { "host", "heap", "udmabuf", "bar", "move" };

static const char *const mem_path[VT_MEM_KINDS] = {
	[VT_HEAP] = "/dev/dma_heap/system", [VT_UDMABUF] = "/dev/udmabuf",
	[VT_BAR] = "/dev/berth_bar", [VT_MOVE] = "/dev/berth_move",
};

bool vt_mem_probe(enum vt_mem kind)
{
	return kind == VT_HOST || !access(mem_path[kind], R_OK | W_OK);
}

static int heap_alloc(int dev, size_t size)
{
	struct dma_heap_allocation_data d = { .len = size, .fd_flags = O_RDWR | O_CLOEXEC };

	return ioctl(dev, DMA_HEAP_IOCTL_ALLOC, &d) ? -1 : (int)d.fd;
}

static int udmabuf_alloc(int dev, size_t size)
{
	struct udmabuf_create c = { .flags = UDMABUF_FLAGS_CLOEXEC, .size = size };
	int memfd = memfd_create("vtest", MFD_ALLOW_SEALING | MFD_CLOEXEC);
	int fd = -1;
	int err;

	if (memfd < 0)
		return -1;
	c.memfd = (uint32_t)memfd;
	if (!ftruncate(memfd, (off_t)size) && !fcntl(memfd, F_ADD_SEALS, F_SEAL_SHRINK))
		fd = ioctl(dev, UDMABUF_CREATE, &c);
	err = errno;
	close(memfd);
	errno = err;
	return fd;
}

static int exporter_alloc(int dev, size_t size)
{
	struct berth_exporter_alloc a = { .offset = BERTH_EXPORTER_ANYWHERE, .length = size };

	return ioctl(dev, BERTH_EXPORTER_ALLOC, &a) ? -1 : a.fd;
}

int vt_dmabuf_alloc(enum vt_mem kind, size_t size, int *ctl_fd)
{
	int dev = open(mem_path[kind], O_RDWR | O_CLOEXEC);
	int fd, err;

	if (dev < 0)
		return -1;
	if (kind == VT_HEAP)
		fd = heap_alloc(dev, size);
	else if (kind == VT_UDMABUF)
		fd = udmabuf_alloc(dev, size);
	else
		fd = exporter_alloc(dev, size);
	err = errno;
	if (ctl_fd && fd >= 0)
		*ctl_fd = dev;
	else
		close(dev);
	errno = err;
	return fd;
}

/* Start or end CPU access to a dma-buf; nothing for host memory. */
static void cpu_sync(const struct vt_buf *buf, uint64_t flags)
{
	struct dma_buf_sync s = { .flags = flags | DMA_BUF_SYNC_RW };

	if (buf->fd >= 0)
		CHECK(!ioctl(buf->fd, DMA_BUF_IOCTL_SYNC, &s), "DMA_BUF_IOCTL_SYNC on %s: %s",
		      vt_mem_name[buf->kind], strerror(errno));
}

static void check_range(struct vt_buf *buf, ssize_t off, size_t len, const char *what)
{
	ssize_t bad;

	cpu_sync(buf, DMA_BUF_SYNC_START);
	bad = vt_mismatch(buf->ptr + off, len, buf->seed, POS_PTR + (uint64_t)off);
	CHECK(bad < 0, "%s: %s byte at %zd of a buffer of %zu was changed: %#x, should be %#x", what,
	      vt_mem_name[buf->kind], off + bad, buf->size, buf->ptr[off + bad],
	      vt_byte(buf->seed, POS_PTR + (uint64_t)(off + bad)));
	cpu_sync(buf, DMA_BUF_SYNC_END);
}

static int release(void *arg)
{
	struct vt_buf *buf = arg;

	check_range(buf, -VT_SKEW, VT_SKEW, "before the registered part");
	check_range(buf, (ssize_t)buf->size, buf->base_size - VT_SKEW - buf->size,
		    "after the registered part");
	munmap(buf->base, buf->base_size);
	if (buf->fd >= 0)
		close(buf->fd);
	if (buf->ctl_fd >= 0)
		close(buf->ctl_fd);
	return 0;
}

static void map(struct vt_buf *buf)
{
	int flags = buf->fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED;

	buf->base = mmap(NULL, buf->base_size, PROT_READ | PROT_WRITE, flags, buf->fd, 0);
	CHECK(buf->base != MAP_FAILED, "mmap of %zu bytes of %s memory: %s", buf->base_size,
	      vt_mem_name[buf->kind], strerror(errno));
}

struct vt_buf *vt_buf_alloc(enum vt_mem kind, size_t size)
{
	static uint64_t nr;
	struct vt_buf *buf = vt_zalloc(sizeof(*buf));

	buf->kind = kind;
	buf->size = size;
	buf->base_size = (VT_SKEW + size + VT_TAIL + PAGE - 1) & ~(PAGE - 1);
	buf->seed = vt_mix(0xbe27, ++nr);
	buf->fd = -1;
	buf->ctl_fd = -1;
	if (kind != VT_HOST) {
		if (!vt_mem_probe(kind))
			vt_skip("no %s on this machine", mem_path[kind]);
		buf->fd = vt_dmabuf_alloc(kind, buf->base_size, &buf->ctl_fd);
		CHECK(buf->fd >= 0, "%s: no dma-buf of %zu bytes: %s", mem_path[kind],
		      buf->base_size, strerror(errno));
	}
	map(buf);
	buf->ptr = buf->base + VT_SKEW;
	buf->offset = VT_SKEW;
	buf->iova = kind == VT_HOST ? (uintptr_t)buf->ptr
		    : DMABUF_IOVA + (nr << 32) + VT_SKEW;
	cpu_sync(buf, DMA_BUF_SYNC_START);
	vt_fill(buf->base, buf->base_size, buf->seed, 0);
	cpu_sync(buf, DMA_BUF_SYNC_END);
	vt_defer(release, buf, "guards of a buffer");
	return buf;
}

struct ibv_mr *vt_buf_try_reg(struct vt_buf *buf, struct ibv_pd *pd, int access)
{
	if (buf->kind == VT_HOST)
		return ibv_reg_mr(pd, buf->ptr, buf->size, access);
	return ibv_reg_dmabuf_mr(pd, buf->offset, buf->size, buf->iova, buf->fd, access);
}

static int dereg(void *arg)
{
	return ibv_dereg_mr(arg);
}

struct vt_buf *vt_buf_new(struct vt_dev *dev, enum vt_mem kind, size_t size, int access)
{
	struct vt_buf *buf = vt_buf_alloc(kind, size);

	buf->mr = vt_buf_try_reg(buf, dev->pd, access);
	CHECK(buf->mr, "registering %zu bytes of %s memory on %s: %s", size, vt_mem_name[kind],
	      dev->name, strerror(errno));
	vt_defer(dereg, buf->mr, "ibv_dereg_mr");
	return buf;
}

void vt_buf_dereg(struct vt_buf *buf)
{
	vt_undefer(buf->mr);
	CHECK_ERRNO(ibv_dereg_mr(buf->mr), 0, "ibv_dereg_mr");
	buf->mr = NULL;
}

void vt_buf_fill(struct vt_buf *buf, size_t off, size_t len)
{
	cpu_sync(buf, DMA_BUF_SYNC_START);
	vt_fill(buf->ptr + off, len, buf->seed, POS_PTR + off);
	cpu_sync(buf, DMA_BUF_SYNC_END);
}

void vt_buf_check(struct vt_buf *buf, size_t off, size_t len, const char *what)
{
	check_range(buf, (ssize_t)off, len, what);
}

void vt_buf_expect(struct vt_buf *buf, size_t off, size_t len, uint64_t seed, uint64_t pos,
		   const char *what)
{
	ssize_t bad;

	cpu_sync(buf, DMA_BUF_SYNC_START);
	if (vt_cfg.flip && len)
		buf->ptr[off + pos % len] ^= 1;
	bad = vt_mismatch(buf->ptr + off, len, seed, pos);
	CHECK(bad < 0, "%s: byte %zd of %zu at offset %zu of %s memory is %#x, should be %#x%s", what,
	      bad, len, off, vt_mem_name[buf->kind], buf->ptr[off + (size_t)bad],
	      vt_byte(seed, pos + (uint64_t)bad),
	      vt_mismatch(buf->ptr + off, len, buf->seed, POS_PTR + off) < 0
	      ? " (nothing was written)" : "");
	cpu_sync(buf, DMA_BUF_SYNC_END);
}

void vt_buf_expect_copy(struct vt_buf *dst, size_t off, size_t len, const struct vt_buf *src,
			size_t src_off, const char *what)
{
	vt_buf_expect(dst, off, len, src->seed, POS_PTR + src_off, what);
}
