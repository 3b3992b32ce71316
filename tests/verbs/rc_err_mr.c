// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * rc_errors: registration. What ibv_reg_mr() and ibv_reg_dmabuf_mr() refuse and with which errno
 * (the probes of UCX, NCCL and libfabric among them), and what keeps a dma-buf region working: its
 * descriptor and every mapping may go, several regions may share the buffer.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "rc_errors.h"

#define BUF	(1UL << 20)

static void refused(struct ibv_pd *pd, uint64_t off, size_t len, uint64_t iova, int fd, int access,
		    int want, const char *what)
{
	struct ibv_mr *mr;

	errno = 0;
	mr = ibv_reg_dmabuf_mr(pd, off, len, iova, fd, access);
	CHECK(!mr, "ibv_reg_dmabuf_mr accepted: %s", what);
	CHECK_ERRNO(errno, want, what);
}

static void dmabuf_errors(const void *arg)
{
	const struct err_arg *t = arg;
	struct vt_dev *d = vt_open(vt_cfg.dev);
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	int mem = memfd_create("x", MFD_CLOEXEC);
	int fd = vt_mem_probe(t->mem) ? vt_dmabuf_alloc(t->mem, BUF, NULL) : -1;
	const int rw = IBV_ACCESS_LOCAL_WRITE;
	struct ibv_mr *mr;

	refused(d->pd, 0, 4096, 0, -1, rw, EBADF, "fd -1");
	refused(d->pd, 0, 0, 0, -1, 0, EBADF, "fd -1, length 0 (NCCL's probe)");
	refused(d->pd, 0, 1, 0, -1, 0, EBADF, "fd -1, length 1 (UCX's probe)");
	refused(d->pd, 0, 4096, 0, 9999, rw, EBADF, "fd that is not open");
	refused(d->pd, 0, 4096, 0, null, rw, EINVAL, "/dev/null, which is no dma-buf");
	refused(d->pd, 0, 4096, 0, mem, rw, EINVAL, "a memfd, which is no dma-buf");
	refused(d->pd, 0, 4096, 0, d->ctx->cmd_fd, rw, EINVAL, "a uverbs file");
	if (fd < 0)
		vt_skip("no %s on this machine", vt_mem_name[t->mem]);
	refused(d->pd, BUF, 4096, 0, fd, rw, EINVAL, "offset at the end of the buffer");
	refused(d->pd, 0, BUF + 1, 0, fd, rw, EINVAL, "one byte longer than the buffer");
	refused(d->pd, BUF - 4096, 4097, 0, fd, rw, EINVAL, "one byte beyond the end");
	refused(d->pd, BUF * 16, 4096, 0, fd, rw, EINVAL, "offset far beyond");
	refused(d->pd, 1ULL << 63, 4096, 0, fd, rw, EINVAL, "offset 2^63");
	refused(d->pd, 4096, -4096UL, 4096, fd, rw, EINVAL, "offset + length wraps");
	refused(d->pd, -4096ULL, 8192, 0, fd, rw, EINVAL, "offset + length wraps to 4096");
	refused(d->pd, 0, 4096, 1, fd, rw, EINVAL, "iova off by one");
	refused(d->pd, 1, 4096, 0, fd, rw, EINVAL, "offset off by one");
	refused(d->pd, 4095, 10, 4096, fd, rw, EINVAL, "offset and iova differ in the page");
	refused(d->pd, 0, 0, 0, fd, rw, EINVAL, "length 0");
	refused(d->pd, 0, 4096, 0, fd, 1 << 19, EINVAL, "unknown access flag");
	refused(d->pd, 0, 4096, 0, fd, rw | IBV_ACCESS_ON_DEMAND, EINVAL, "on demand");
	refused(d->pd, 0, 4096, 0, fd, IBV_ACCESS_REMOTE_WRITE, EINVAL, "remote without local write");
	refused(d->pd, 0, 8192, -4096ULL, fd, rw, EINVAL, "iova + length wraps");
	mr = ibv_reg_dmabuf_mr(d->pd, 0, BUF, 0, fd, rw | IBV_ACCESS_RELAXED_ORDERING);
	CHECK(mr, "the whole buffer at iova 0: %s", strerror(errno));
	CHECK_ERRNO(ibv_dereg_mr(mr), 0, "ibv_dereg_mr");
	mr = ibv_reg_dmabuf_mr(d->pd, BUF - 1, 1, 0x10000fffULL, fd, 0);
	CHECK(mr, "the last byte of the buffer: %s", strerror(errno));
	CHECK_ERRNO(ibv_dereg_mr(mr), 0, "ibv_dereg_mr");
	close(fd);
	close(null);
	close(mem);
}

static void no_mr(struct ibv_pd *pd, void *at, size_t len, int access, const char *what)
{
	errno = 0;
	CHECK(!ibv_reg_mr(pd, at, len, access), "ibv_reg_mr accepted: %s", what);
	CHECK(errno == EFAULT || errno == EINVAL || errno == ENOMEM || errno == EOPNOTSUPP ||
	      errno == EOVERFLOW, "%s: %s", what, strerror(errno));
}

static void host_errors(const void *arg)
{
	struct vt_dev *d = vt_open(vt_cfg.dev);
	uint8_t *ro = mmap(NULL, 8192, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint8_t *hole = mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	const int rw = IBV_ACCESS_LOCAL_WRITE;
	int fd = vt_mem_probe(VT_HEAP) ? vt_dmabuf_alloc(VT_HEAP, 4096, NULL) : -1;
	void *pfn;

	(void)arg;
	munmap(hole + 4096, 4096);
	no_mr(d->pd, NULL, 4096, rw, "address 0");
	no_mr(d->pd, hole, 3 * 4096, rw, "a hole in the middle");
	no_mr(d->pd, hole, 4097, rw, "one byte into a hole");
	no_mr(d->pd, ro, 4096, rw, "LOCAL_WRITE on a read-only mapping");
	no_mr(d->pd, (void *)-4096UL, 8192, rw, "wrapping range");
	no_mr(d->pd, (void *)0xffff888000000000UL, 4096, rw, "kernel address");
	no_mr(d->pd, hole, 4096, IBV_ACCESS_REMOTE_WRITE, "remote without local write");
	no_mr(d->pd, hole, 4096, 1 << 18, "unknown access flag");
	if (fd >= 0) {
		pfn = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		no_mr(d->pd, pfn, 4096, rw, "mapping of a dma-buf (no pages)");
		munmap(pfn, 4096);
		close(fd);
	}
}

/* The descriptor and the mapping go, the region stays: traffic in, traffic out, checked by both. */
static void fd_closed(const void *arg)
{
	const struct err_arg *t = arg;
	struct vt_opts o = VT_OPTS;
	struct err_bench b = { .da = vt_open(vt_cfg.dev) };
	struct vt_buf *back;
	struct vt_pair *p;
	struct ibv_mr *mr;
	uint64_t iova = 0x5000123;
	int fd;

	if (!vt_mem_probe(t->mem))
		vt_skip("no %s on this machine", vt_mem_name[t->mem]);
	b.db = t->wire ? vt_open(vt_cfg.peer) : b.da;
	b.src = vt_buf_new(b.da, VT_HOST, ERR_SIZE, VT_ACCESS_ALL);
	back = vt_buf_new(b.da, VT_HOST, ERR_SIZE, VT_ACCESS_ALL);
	fd = vt_dmabuf_alloc(t->mem, BUF, NULL);
	CHECK(fd >= 0, "no dma-buf: %s", strerror(errno));
	mr = ibv_reg_dmabuf_mr(b.db->pd, 4096 + 0x123, ERR_SIZE, iova, fd, VT_ACCESS_ALL);
	CHECK(mr, "ibv_reg_dmabuf_mr: %s", strerror(errno));
	close(fd);
	p = vt_pair_new(b.da, b.db, &o);
	CHECK_ERRNO(vt_rdma(&p->a, 1, IBV_WR_RDMA_WRITE, vt_sge(b.src, 0, ERR_SIZE), iova, mr->rkey),
		    0, "ibv_post_send");
	CHECK_ERRNO(vt_rdma(&p->a, 2, IBV_WR_RDMA_READ, vt_sge(back, 0, ERR_SIZE), iova, mr->rkey),
		    0, "ibv_post_send");
	vt_expect_wc(&p->a, p->a.scq, 1, IBV_WC_SUCCESS, "WRITE after close()", NULL);
	vt_expect_wc(&p->a, p->a.scq, 2, IBV_WC_SUCCESS, "READ after close()", NULL);
	vt_buf_expect_copy(back, 0, ERR_SIZE, b.src, 0, "what came back from a closed dma-buf");
	CHECK_ERRNO(ibv_dereg_mr(mr), 0, "ibv_dereg_mr");
}

/* Ten regions over one buffer, overlapping; some go, the others work, each in its own bounds. */
static void shared_buffer(const void *arg)
{
	const struct err_arg *t = arg;
	struct vt_opts o = VT_OPTS;
	struct err_bench b = err_bench(t, &o, VT_ACCESS_ALL);
	struct ibv_mr *mr[10];

	for (unsigned int i = 0; i < 10; i++) {
		uint64_t at = b.dst->offset + i * 1000;

		mr[i] = ibv_reg_dmabuf_mr(b.db->pd, at, 5000, 0x7000000 + (at & 4095), b.dst->fd,
					  VT_ACCESS_ALL);
		CHECK(mr[i], "region %u of one buffer: %s", i, strerror(errno));
	}
	for (unsigned int i = 0; i < 10; i += 2)
		CHECK_ERRNO(ibv_dereg_mr(mr[i]), 0, "ibv_dereg_mr");
	for (unsigned int i = 1; i < 10; i += 2) {
		uint64_t at = b.dst->offset + i * 1000;

		CHECK_ERRNO(vt_rdma(&b.p->a, i, IBV_WR_RDMA_WRITE, vt_sge(b.src, i, 5000),
				    0x7000000 + (at & 4095), mr[i]->rkey), 0, "ibv_post_send");
		vt_expect_wc(&b.p->a, b.p->a.scq, i, IBV_WC_SUCCESS, "WRITE", NULL);
		vt_buf_expect_copy(b.dst, i * 1000, 5000, b.src, i, "one of ten regions");
		vt_buf_fill(b.dst, i * 1000, 5000);
		vt_buf_check(b.dst, 0, b.dst->size, "the rest of the buffer");
	}
	CHECK_ERRNO(vt_rdma(&b.p->a, 99, IBV_WR_RDMA_WRITE, vt_sge(b.src, 0, 5001),
			    0x7000000 + ((b.dst->offset + 1000) & 4095), mr[1]->rkey), 0, "post");
	vt_expect_wc(&b.p->a, b.p->a.scq, 99, IBV_WC_REM_ACCESS_ERR, "one byte over the region", NULL);
	vt_buf_check(b.dst, 0, b.dst->size, "buffer after a refused WRITE");
	for (unsigned int i = 1; i < 10; i += 2)
		CHECK_ERRNO(ibv_dereg_mr(mr[i]), 0, "ibv_dereg_mr");
	err_recovered(&b);
}

/* Keys of regions that went are not given out again at once. */
static void keys(const void *arg)
{
	struct vt_dev *d = vt_open(vt_cfg.dev);
	struct vt_buf *buf = vt_buf_alloc(VT_HOST, 4096);
	uint32_t seen[64];

	(void)arg;
	for (unsigned int i = 0; i < 64; i++) {
		struct ibv_mr *mr = ibv_reg_mr(d->pd, buf->ptr, 4096, VT_ACCESS_ALL);

		CHECK(mr, "ibv_reg_mr: %s", strerror(errno));
		for (unsigned int k = 0; k < i; k++)
			CHECK(seen[k] != mr->rkey, "rkey %#x again after %u registrations", mr->rkey,
			      i - k);
		seen[i] = mr->rkey;
		CHECK_ERRNO(ibv_dereg_mr(mr), 0, "ibv_dereg_mr");
	}
}

/* ibv_dealloc_pd() and ibv_destroy_cq() refuse what is in use. */
static void busy(const void *arg)
{
	struct vt_opts o = VT_OPTS;
	struct err_bench b = err_bench(arg, &o, VT_ACCESS_ALL);

	CHECK_ERRNO(ibv_dealloc_pd(b.db->pd), EBUSY, "ibv_dealloc_pd of a PD in use");
	vt_ping(b.p, b.src, b.dst, 100);
}

void err_add_mr(void)
{
	char name[64];

	for (int k = VT_HEAP; k <= VT_BAR; k++) {
		struct err_arg a = { .mem = (enum vt_mem)k };

		snprintf(name, sizeof(name), "mr/fd_closed/%s", vt_mem_name[k]);
		err_add(name, fd_closed, a, 0);
		snprintf(name, sizeof(name), "mr/shared_buffer/%s", vt_mem_name[k]);
		err_add(name, shared_buffer, a, 0);
	}
	for (int k = VT_HEAP; k <= VT_BAR; k++) {
		struct err_arg *a = calloc(1, sizeof(*a));

		if (!a)
			exit(2);
		a->mem = (enum vt_mem)k;
		snprintf(name, sizeof(name), "mr/dmabuf_errors/%s", vt_mem_name[k]);
		vt_add(name, dmabuf_errors, a, 0);
	}
	vt_add("mr/host_errors", host_errors, NULL, 0);
	vt_add("mr/keys", keys, NULL, 0);
	err_add("mr/busy", busy, (struct err_arg){ }, 0);
}
