// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * odp: what the process does to its memory is what work requests find: discarded, unmapped, mapped again,
 * made read-only or secret, moved, shared with a child. What is not there is the error that an unknown key is, at the
 * side whose memory it is, and no endless waiting.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "odp.h"

#define PAGES	16
#define BYTES	(PAGES * ODP_PAGE)
#define SEED	0x0d9

static void expect_pattern(const uint8_t *at, size_t len, uint64_t seed, uint64_t pos, const char *what)
{
	ssize_t bad = vt_mismatch(at, len, seed, pos);

	CHECK(bad < 0, "%s: byte %zd is %#x, should be %#x", what, bad, at[bad],
	      vt_byte(seed, pos + (uint64_t)bad));
}

/* @at holds what a's buffer has at @off. */
static void expect_from_a(const struct odp_bench *b, const uint8_t *at, size_t off, size_t len,
			  const char *what)
{
	CHECK(!memcmp(at, b->a->ptr + off, len), "%s: not what was written", what);
}

/* Discarded memory is zeroes for the peer, too, and what it writes then is seen. */
static void dontneed(const void *arg)
{
	struct vt_opts o = odp_opts();
	struct odp_bench b = odp_bench(arg, &o);
	struct odp_mem m = odp_mem(b.db, BYTES, SEED, ODP_ACCESS);
	const size_t at = 3 * ODP_PAGE, len = 4 * ODP_PAGE;

	for (int i = 0; i < 10; i++) {
		odp_try(&b, IBV_WR_RDMA_WRITE, 13, m.at + at - 100, len + 200, m.mr->rkey,
			IBV_WC_SUCCESS, "WRITE");
		expect_from_a(&b, m.at + at - 100, 13, len + 200, "WRITE");
		CHECK(!madvise(m.at + at, len, MADV_DONTNEED), "madvise");
		odp_try(&b, IBV_WR_RDMA_READ, 0, m.at, BYTES, m.mr->rkey, IBV_WC_SUCCESS, "READ");
		for (size_t k = 0; k < len; k++)
			CHECK(!b.a->ptr[at + k], "byte %zu of discarded memory is not 0", k);
		CHECK(!memcmp(b.a->ptr, m.at, BYTES), "READ and the process differ");
		vt_buf_fill(b.a, 0, BYTES);
		vt_fill(m.at, BYTES, SEED, 0);
	}
	expect_pattern(m.at, BYTES, SEED, 0, "memory");
}

enum hole { H_WRITE, H_READ, H_ATOMIC, H_SOURCE, H_SINK, H_RECV, H_SEND, HOLES };

static const struct {
	const char *name;
	enum ibv_wc_status status;
} holes[HOLES] = {
	[H_WRITE] = { "write", IBV_WC_REM_ACCESS_ERR },
	[H_READ] = { "read", IBV_WC_REM_ACCESS_ERR },
	[H_ATOMIC] = { "atomic", IBV_WC_REM_ACCESS_ERR },
	[H_SOURCE] = { "source", IBV_WC_LOC_PROT_ERR },
	[H_SINK] = { "sink", IBV_WC_LOC_PROT_ERR },
	[H_SEND] = { "send", IBV_WC_LOC_PROT_ERR },
	[H_RECV] = { "recv", IBV_WC_REM_OP_ERR },
};

/* One request that comes upon the memory at @m, whoever's it is. */
static void come_upon(struct odp_bench *b, enum hole h, const struct odp_mem *m, bool ok)
{
	struct ibv_sge whole = { (uintptr_t)m->at + 7, (uint32_t)m->size - 7, m->mr->lkey };
	enum ibv_wc_status status = ok ? IBV_WC_SUCCESS : holes[h].status;
	struct ibv_sge sge = vt_sge(b->a, 0, (uint32_t)m->size);
	struct ibv_send_wr wr = {
		.wr_id = 4, .sg_list = &sge, .num_sge = 1, .send_flags = IBV_SEND_SIGNALED,
		.wr.rdma = { .remote_addr = (uintptr_t)m->at, .rkey = m->mr->rkey },
	};
	struct ibv_send_wr *bad;

	switch (h) {
	case H_WRITE:
		wr.opcode = IBV_WR_RDMA_WRITE;
		break;
	case H_READ:
		wr.opcode = IBV_WR_RDMA_READ;
		break;
	case H_ATOMIC:
		wr.opcode = IBV_WR_ATOMIC_FETCH_AND_ADD;
		sge.length = 8;
		wr.wr.atomic.remote_addr = (uintptr_t)m->at + 5 * ODP_PAGE;
		wr.wr.atomic.compare_add = 1;
		wr.wr.atomic.rkey = m->mr->rkey;
		break;
	case H_SOURCE:
	case H_SINK:
		wr.opcode = h == H_SOURCE ? IBV_WR_RDMA_WRITE : IBV_WR_RDMA_READ;
		wr.wr.rdma.remote_addr = b->b->iova;
		wr.wr.rdma.rkey = b->b->mr->rkey;
		sge = whole;
		break;
	case H_SEND:
		CHECK_ERRNO(vt_recv(&b->p->b, 5, vt_sge(b->b, 0, ODP_SIZE)), 0, "ibv_post_recv");
		wr.opcode = IBV_WR_SEND;
		sge = whole;
		break;
	default:
		CHECK_ERRNO(vt_recv(&b->p->b, 5, whole), 0, "ibv_post_recv");
		wr.opcode = IBV_WR_SEND;
		sge.length = whole.length;
		break;
	}
	CHECK_ERRNO(ibv_post_send(b->p->a.qp, &wr, &bad), 0, "ibv_post_send");
	vt_expect_wc(&b->p->a, b->p->a.scq, 4, status, holes[h].name, NULL);
	if (h == H_RECV)
		vt_expect_wc(&b->p->b, b->p->b.rcq, 5, ok ? IBV_WC_SUCCESS : IBV_WC_LOC_PROT_ERR,
			     "the receive", NULL);
	else if (h == H_SEND && ok)
		vt_expect_wc(&b->p->b, b->p->b.rcq, 5, IBV_WC_SUCCESS, "the receive", NULL);
}

static bool is_own(enum hole h)
{
	return h == H_SOURCE || h == H_SINK || h == H_SEND;
}

/* The other end of a request that failed was flushed, if it was told anything. */
static void start_over(struct odp_bench *b)
{
	struct ibv_wc wc;

	vt_pair_reset(b->p);
	while (vt_poll_for(b->p->b.rcq, &wc, 1))
		CHECK_EQ(wc.status, IBV_WC_WR_FLUSH_ERR, "what else the receiver was told");
}

static void map_fresh(uint8_t *at)
{
	CHECK(mmap(at, ODP_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == at,
	      "mmap");
}

/* A page is unmapped in the middle, then mapped again. */
static void unmapped(const void *arg)
{
	const struct odp_arg *t = arg;
	struct vt_opts o = odp_opts();
	struct odp_bench b = odp_bench(t, &o);
	enum hole h = (enum hole)t->row;
	struct odp_mem m = odp_mem(is_own(h) ? b.da : b.db, BYTES, SEED, ODP_ACCESS);
	uint8_t *hole = m.at + 5 * ODP_PAGE;

	come_upon(&b, h, &m, true);
	for (int i = 0; i < 3; i++) {
		CHECK(!munmap(hole, ODP_PAGE), "munmap");
		come_upon(&b, h, &m, false);
		start_over(&b);
		map_fresh(hole);
		come_upon(&b, h, &m, true);
	}
}

/* The middle is memory that the kernel itself has no address of: as if it were not there. */
static void secret(const void *arg)
{
	const struct odp_arg *t = arg;
	struct vt_opts o = odp_opts();
	struct odp_bench b = odp_bench(t, &o);
	enum hole h = (enum hole)t->row;
	struct vt_dev *dev = is_own(h) ? b.da : b.db;
	struct odp_mem m = odp_mem(dev, BYTES, SEED, ODP_ACCESS);
	struct odp_mem all = { m.at, BYTES, odp_reg(dev, NULL, SIZE_MAX, ODP_ACCESS) };
	uint8_t *hole = m.at + 5 * ODP_PAGE;
	int fd = (int)syscall(SYS_memfd_secret, 0);

	if (fd < 0)
		vt_skip("no memfd_secret: %s", strerror(errno));
	CHECK(!ftruncate(fd, ODP_PAGE), "ftruncate: %s", strerror(errno));
	for (int i = 0; i < 4; i++) {
		const struct odp_mem *by = i % 2 ? &all : &m;

		come_upon(&b, h, by, true);
		CHECK(mmap(hole, ODP_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0) == hole,
		      "mmap of secret memory: %s", strerror(errno));
		/* The first time nobody has touched it. */
		if (i)
			vt_fill(hole, ODP_PAGE, SEED, 0);
		come_upon(&b, h, by, false);
		start_over(&b);
		if (i)
			expect_pattern(hole, ODP_PAGE, SEED, 0, "secret memory");
		map_fresh(hole);
		come_upon(&b, h, by, true);
	}
	close(fd);
}

/* Memory that can only be read is no place to write to, whatever the region grants. */
static void readonly(const void *arg)
{
	struct vt_opts o = odp_opts();
	struct odp_bench b = odp_bench(arg, &o);
	struct odp_mem m = odp_mem(b.db, BYTES, SEED, ODP_ACCESS);

	odp_try(&b, IBV_WR_RDMA_WRITE, 0, m.at, BYTES, m.mr->rkey, IBV_WC_SUCCESS, "WRITE");
	for (int i = 0; i < 3; i++) {
		vt_fill(m.at, BYTES, SEED, 0);
		CHECK(!mprotect(m.at, BYTES, PROT_READ), "mprotect");
		odp_try(&b, IBV_WR_RDMA_WRITE, 0, m.at + 5, 9000, m.mr->rkey, IBV_WC_REM_ACCESS_ERR,
			"WRITE to what can only be read");
		expect_pattern(m.at, BYTES, SEED, 0, "memory that can only be read");
		odp_try(&b, IBV_WR_RDMA_READ, 0, m.at, BYTES, m.mr->rkey, IBV_WC_SUCCESS, "READ of it");
		expect_pattern(b.a->ptr, BYTES, SEED, 0, "what was read");
		vt_buf_fill(b.a, 0, BYTES);
		CHECK(!mprotect(m.at, BYTES, PROT_NONE), "mprotect");
		odp_try(&b, IBV_WR_RDMA_READ, 0, m.at, BYTES, m.mr->rkey, IBV_WC_REM_ACCESS_ERR,
			"READ of what cannot be read");
		CHECK(!mprotect(m.at, BYTES, PROT_READ | PROT_WRITE), "mprotect");
		odp_try(&b, IBV_WR_RDMA_WRITE, 9, m.at + 5, 9000, m.mr->rkey, IBV_WC_SUCCESS, "WRITE");
		expect_from_a(&b, m.at + 5, 9, 9000, "WRITE");
	}
}

/* Anonymous memory, a file, anonymous memory, huge pages asked for: one message over all. */
static void vmas(const void *arg)
{
	struct vt_opts o = odp_opts();
	struct odp_bench b = odp_bench(arg, &o);
	uint8_t *at = mmap(NULL, BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct ibv_mr *mr = odp_reg(b.db, at, BYTES, ODP_ACCESS);
	int fd = memfd_create("odp", MFD_CLOEXEC);
	const size_t len = BYTES - 10;

	CHECK(fd >= 0 && !ftruncate(fd, 4 * ODP_PAGE), "memfd");
	CHECK(!mprotect(at, 4 * ODP_PAGE, PROT_READ | PROT_WRITE), "mprotect");
	CHECK(mmap(at + 4 * ODP_PAGE, 4 * ODP_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0) !=
	      MAP_FAILED, "mmap of a file");
	CHECK(!mprotect(at + 8 * ODP_PAGE, 8 * ODP_PAGE, PROT_READ | PROT_WRITE), "mprotect");
	for (int i = 0; i < 3; i++) {
		uint8_t page[4096];

		memset(at, 0, BYTES);
		CHECK(!madvise(at, BYTES, MADV_DONTNEED), "madvise");
		odp_try(&b, IBV_WR_RDMA_WRITE, 3, at + 5, (uint32_t)len, mr->rkey, IBV_WC_SUCCESS, "WRITE");
		expect_from_a(&b, at + 5, 3, len, "WRITE over several mappings");
		CHECK_EQ(pread(fd, page, 4096, 4096), 4096, "pread");
		expect_from_a(&b, page, 3 + 5 * ODP_PAGE - 5, 4096, "the file");
		CHECK(!madvise(at + 4 * ODP_PAGE, 4 * ODP_PAGE, MADV_DONTNEED), "madvise");
		odp_try(&b, IBV_WR_RDMA_READ, 300000, at + 5, (uint32_t)len, mr->rkey, IBV_WC_SUCCESS,
			"READ");
		expect_from_a(&b, b.a->ptr + 300000, 3, len, "READ over several mappings");
		vt_buf_fill(b.a, 300000, len);
	}
	close(fd);
}

/* After fork each has its own: what peers write is the parent's. */
static void forked(const void *arg)
{
	struct vt_opts o = odp_opts();
	struct odp_bench b = odp_bench(arg, &o);
	struct odp_mem m = odp_mem(b.db, BYTES, SEED, ODP_ACCESS);
	int to[2], status;
	char c = 0;
	pid_t pid;

	odp_try(&b, IBV_WR_RDMA_WRITE, 0, m.at, BYTES, m.mr->rkey, IBV_WC_SUCCESS, "WRITE");
	vt_fill(m.at, BYTES, SEED, 0);
	CHECK(!pipe(to), "pipe");
	pid = fork();
	CHECK(pid >= 0, "fork");
	if (!pid) {
		if (read(to[0], &c, 1) != 1 || vt_mismatch(m.at, BYTES, SEED, 0) >= 0)
			_exit(1);
		memset(m.at, 0x77, BYTES);
		_exit(0);
	}
	odp_try(&b, IBV_WR_RDMA_WRITE, 21, m.at + 1, BYTES - 2, m.mr->rkey, IBV_WC_SUCCESS,
		"WRITE after fork");
	expect_from_a(&b, m.at + 1, 21, BYTES - 2, "WRITE after fork");
	CHECK_EQ(write(to[1], &c, 1), 1, "write");
	CHECK(waitpid(pid, &status, 0) == pid, "waitpid");
	CHECK_EQ(status, 0, "the child saw what was written after fork");
	expect_from_a(&b, m.at + 1, 21, BYTES - 2, "after the child has written its own");
	odp_try(&b, IBV_WR_RDMA_READ, 400000, m.at + 1, BYTES - 2, m.mr->rkey, IBV_WC_SUCCESS,
		"READ after fork");
	expect_from_a(&b, b.a->ptr + 400000, 21, BYTES - 2, "READ after fork");
	vt_buf_fill(b.a, 400000, BYTES);
}

/* Memory that moves leaves a hole; what moves there is found there. */
static void moved(const void *arg)
{
	struct vt_opts o = odp_opts();
	struct odp_bench b = odp_bench(arg, &o);
	struct odp_mem m = odp_mem(b.db, BYTES, SEED, ODP_ACCESS);
	uint8_t *away = mmap(NULL, BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	odp_try(&b, IBV_WR_RDMA_WRITE, 1, m.at, BYTES, m.mr->rkey, IBV_WC_SUCCESS, "WRITE");
	CHECK(mremap(m.at, BYTES, BYTES, MREMAP_MAYMOVE | MREMAP_FIXED, away) == away, "mremap");
	expect_from_a(&b, away, 1, BYTES, "what moved away");
	odp_try(&b, IBV_WR_RDMA_WRITE, 50, m.at, BYTES, m.mr->rkey, IBV_WC_REM_ACCESS_ERR,
		"WRITE to where it was");
	expect_from_a(&b, away, 1, BYTES, "what moved away");
	vt_fill(away, BYTES, SEED, 0);
	CHECK(mremap(away, BYTES, BYTES, MREMAP_MAYMOVE | MREMAP_FIXED, m.at) == m.at, "mremap back");
	odp_try(&b, IBV_WR_RDMA_READ, 0, m.at, BYTES, m.mr->rkey, IBV_WC_SUCCESS, "READ");
	expect_pattern(b.a->ptr, BYTES, SEED, 0, "what moved back");
	vt_buf_fill(b.a, 0, BYTES);
}

/* All of the process's memory, also what it maps later, and nothing else. */
static void implicit(const void *arg)
{
	struct vt_opts o = odp_opts();
	struct odp_bench b = odp_bench(arg, &o);
	struct ibv_mr *mr = odp_reg(b.db, NULL, SIZE_MAX, ODP_ACCESS);
	uint8_t stack[5000];

	for (int i = 0; i < 5; i++) {
		uint8_t *at = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		CHECK(at != MAP_FAILED, "mmap");
		odp_try(&b, IBV_WR_RDMA_WRITE, 31, at + 3, BYTES - 5, mr->rkey, IBV_WC_SUCCESS,
			"WRITE to new memory");
		expect_from_a(&b, at + 3, 31, BYTES - 5, "WRITE to new memory");
		CHECK(!munmap(at, BYTES), "munmap");
		odp_try(&b, IBV_WR_RDMA_WRITE, 31, at + 3, BYTES - 5, mr->rkey, IBV_WC_REM_ACCESS_ERR,
			"WRITE to what is gone");
	}
	odp_try(&b, IBV_WR_RDMA_WRITE, 0, stack, sizeof(stack), mr->rkey, IBV_WC_SUCCESS, "WRITE to the stack");
	expect_from_a(&b, stack, 0, sizeof(stack), "the stack");
	odp_try(&b, IBV_WR_RDMA_READ, 0, (void *)0xffff888000000000UL, 8, mr->rkey, IBV_WC_REM_ACCESS_ERR,
		"READ of the kernel's memory");
	odp_try(&b, IBV_WR_RDMA_READ, 0, (void *)-8UL, 7, mr->rkey, IBV_WC_REM_ACCESS_ERR,
		"READ of the last bytes");
	odp_try(&b, IBV_WR_RDMA_READ, 0, NULL, 8, mr->rkey, IBV_WC_REM_ACCESS_ERR, "READ of NULL");
	vt_buf_check(b.a, 0, ODP_SIZE, "the requester's buffer");
}

/* Far more than the machine has, of which little is used. */
static void sparse(const void *arg)
{
	const size_t size = 1UL << 40;
	struct vt_opts o = odp_opts();
	struct odp_bench b = odp_bench(arg, &o);
	uint8_t *at = mmap(NULL, size, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	struct ibv_mr *mr;

	if (at == MAP_FAILED)
		vt_skip("no terabyte of addresses: %s", strerror(errno));
	CHECK(!madvise(at, size, MADV_NOHUGEPAGE) || errno == EINVAL, "madvise");
	mr = odp_reg(b.db, at, size, ODP_ACCESS);
	for (size_t off = 4091; off < size; off += size / 13) {
		odp_try(&b, IBV_WR_RDMA_WRITE, off % 1000, at + off, 5000, mr->rkey, IBV_WC_SUCCESS,
			"WRITE");
		expect_from_a(&b, at + off, off % 1000, 5000, "WRITE");
	}
}

void odp_add_memory(void)
{
	char name[64];

	odp_add("dontneed", dontneed, 0, 60);
	for (size_t h = 0; h < HOLES; h++) {
		snprintf(name, sizeof(name), "unmapped/%s", holes[h].name);
		odp_add(name, unmapped, h, 60);
		snprintf(name, sizeof(name), "secret/%s", holes[h].name);
		odp_add(name, secret, h, 60);
	}
	odp_add("readonly", readonly, 0, 0);
	odp_add("vmas", vmas, 0, 0);
	odp_add("forked", forked, 0, 0);
	odp_add("moved", moved, 0, 0);
	odp_add("implicit", implicit, 0, 60);
	odp_add("sparse", sparse, 0, 60);
}
