// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/* Regions that change: memory, domain, rights, each alone and all together; keys and failures. */
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "rc_mw.h"

static void write_to(struct mw_bench *b, uint64_t addr, uint32_t len, enum ibv_wc_status status,
		     const char *what)
{
	CHECK_ERRNO(vt_rdma(&b->p->a, 3, IBV_WR_RDMA_WRITE, vt_sge(b->src, 0, len), addr,
			    b->dst->mr->rkey), 0, "ibv_post_send");
	vt_expect_wc(&b->p->a, b->p->a.scq, 3, status, what, NULL);
}

static void translation(const void *arg)
{
	struct vt_opts o = VT_OPTS;
	struct mw_bench b = mw_bench(arg, &o);
	struct vt_buf *to = vt_buf_alloc(VT_HOST, MW_SIZE);

	CHECK_ERRNO(ibv_rereg_mr(b.dst->mr, IBV_REREG_MR_CHANGE_TRANSLATION, NULL, to->ptr, 10000, 0),
		    0, "ibv_rereg_mr");
	CHECK_EQ((uintptr_t)b.dst->mr->addr, (uintptr_t)to->ptr, "mr->addr");
	CHECK_EQ(b.dst->mr->length, 10000, "mr->length");
	write_to(&b, (uintptr_t)to->ptr, 10000, IBV_WC_SUCCESS, "WRITE to the new memory");
	vt_buf_expect_copy(to, 0, 10000, b.src, 0, "the new memory");
	vt_buf_fill(to, 0, 10000);
	vt_buf_check(b.dst, 0, MW_SIZE, "the old memory");
	write_to(&b, (uintptr_t)to->ptr + 1, 10000, IBV_WC_REM_ACCESS_ERR, "beyond the new length");
	mw_recovered(&b);
	write_to(&b, b.dst->iova, 10, IBV_WC_REM_ACCESS_ERR, "the old address");
	vt_buf_check(b.dst, 0, MW_SIZE, "the old memory");
	vt_buf_check(to, 0, MW_SIZE, "the new memory");
	mw_recovered(&b);
}

static void domain(const void *arg)
{
	struct vt_opts o = VT_OPTS;
	struct mw_bench b = mw_bench(arg, &o);
	struct ibv_pd *pd = vt_pd_new(b.db);

	CHECK_ERRNO(ibv_rereg_mr(b.dst->mr, IBV_REREG_MR_CHANGE_PD, pd, NULL, 0, 0), 0,
		    "ibv_rereg_mr");
	CHECK(b.dst->mr->pd == pd, "mr->pd is the old one");
	CHECK_ERRNO(ibv_dealloc_pd(pd), EBUSY, "ibv_dealloc_pd of the new domain");
	write_to(&b, b.dst->iova, 10, IBV_WC_REM_ACCESS_ERR, "WRITE into another domain");
	vt_buf_check(b.dst, 0, MW_SIZE, "memory of another domain");
	CHECK_ERRNO(ibv_rereg_mr(b.dst->mr, IBV_REREG_MR_CHANGE_PD, b.db->pd, NULL, 0, 0), 0,
		    "ibv_rereg_mr back");
	mw_recovered(&b);
	write_to(&b, b.dst->iova, 10, IBV_WC_SUCCESS, "WRITE after it came back");
	vt_buf_fill(b.dst, 0, 10);
}

static void rights(const void *arg)
{
	struct vt_opts o = VT_OPTS;
	struct mw_bench b = mw_bench(arg, &o);

	CHECK_ERRNO(ibv_rereg_mr(b.dst->mr, IBV_REREG_MR_CHANGE_ACCESS, NULL, NULL, 0,
				 IBV_ACCESS_REMOTE_READ), 0, "ibv_rereg_mr to reading");
	write_to(&b, b.dst->iova, 10, IBV_WC_REM_ACCESS_ERR, "WRITE without the right");
	vt_buf_check(b.dst, 0, MW_SIZE, "memory without the right");
	mw_recovered(&b);
	CHECK_ERRNO(ibv_rereg_mr(b.dst->mr, IBV_REREG_MR_CHANGE_ACCESS, NULL, NULL, 0, MW_ACCESS), 0,
		    "ibv_rereg_mr to writing");
	write_to(&b, b.dst->iova, 10, IBV_WC_SUCCESS, "WRITE with the right");
	vt_buf_fill(b.dst, 0, 10);
}

static void together(const void *arg)
{
	struct vt_opts o = VT_OPTS;
	struct mw_bench b = mw_bench(arg, &o);
	struct vt_buf *to = vt_buf_alloc(VT_HOST, MW_SIZE);
	struct ibv_pd *pd = vt_pd_new(b.db);
	const int all = IBV_REREG_MR_CHANGE_TRANSLATION | IBV_REREG_MR_CHANGE_PD |
			IBV_REREG_MR_CHANGE_ACCESS;

	CHECK_ERRNO(ibv_rereg_mr(b.dst->mr, all, pd, to->ptr, 5000, IBV_ACCESS_LOCAL_WRITE), 0,
		    "ibv_rereg_mr");
	write_to(&b, (uintptr_t)to->ptr, 10, IBV_WC_REM_ACCESS_ERR, "WRITE after all changed");
	mw_recovered(&b);
	CHECK_ERRNO(ibv_rereg_mr(b.dst->mr, all, b.db->pd, to->ptr, 6000, MW_ACCESS), 0,
		    "ibv_rereg_mr");
	write_to(&b, (uintptr_t)to->ptr, 6000, IBV_WC_SUCCESS, "WRITE after all changed again");
	vt_buf_expect_copy(to, 0, 6000, b.src, 0, "the new memory");
	vt_buf_fill(to, 0, 6000);
}

/* What cannot be done leaves the region as it was. */
static void failures(const void *arg)
{
	struct vt_opts o = VT_OPTS;
	struct mw_bench b = mw_bench(arg, &o);
	struct ibv_mr *mr = b.dst->mr;

	CHECK(ibv_rereg_mr(mr, 0, NULL, NULL, 0, 0), "rereg of nothing accepted");
	CHECK(ibv_rereg_mr(mr, 1 << 7, NULL, NULL, 0, 0), "unknown flag accepted");
	CHECK(ibv_rereg_mr(mr, IBV_REREG_MR_CHANGE_TRANSLATION, NULL, (void *)4096, 4096, 0),
	      "unmapped memory accepted");
	CHECK(ibv_rereg_mr(mr, IBV_REREG_MR_CHANGE_ACCESS, NULL, NULL, 0, IBV_ACCESS_REMOTE_WRITE),
	      "remote without local write accepted");
	CHECK(ibv_rereg_mr(mr, IBV_REREG_MR_CHANGE_ACCESS, NULL, NULL, 0,
			   IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_ON_DEMAND), "on demand accepted");
	write_to(&b, b.dst->iova, 10, IBV_WC_SUCCESS, "WRITE after refused changes");
	vt_buf_fill(b.dst, 0, 10);
}

/* libibverbs changes no region over a dma-buf: it stays as it was. */
static void dmabuf(const void *arg)
{
	struct vt_opts o = VT_OPTS;
	struct mw_bench b = mw_bench(arg, &o);
	struct vt_buf *to = vt_buf_alloc(VT_HOST, MW_SIZE);

	if (!vt_mem_probe(VT_BAR))
		vt_skip("no %s on this machine", vt_mem_name[VT_BAR]);
	b.dst = vt_buf_new(b.db, VT_BAR, MW_SIZE, VT_ACCESS_ALL);
	CHECK(ibv_rereg_mr(b.dst->mr, IBV_REREG_MR_CHANGE_TRANSLATION, NULL, to->ptr, 5000, 0),
	      "other memory for a dma-buf accepted");
	CHECK(ibv_rereg_mr(b.dst->mr, IBV_REREG_MR_CHANGE_ACCESS, NULL, NULL, 0,
			   IBV_ACCESS_LOCAL_WRITE), "other rights for a dma-buf accepted");
	write_to(&b, b.dst->iova, 5000, IBV_WC_SUCCESS, "WRITE to the BAR");
	vt_buf_expect_copy(b.dst, 0, 5000, b.src, 0, "the BAR");
	vt_buf_fill(b.dst, 0, 5000);
}

/*
 * A child after fork() has copies; the parent's regions stay where they are, also when both write
 * to the pages (the kernel copies pinned pages at the fork).
 */
static void forked(const void *arg)
{
	struct vt_opts o = VT_OPTS;
	struct mw_bench b;
	int go[2], status;
	char c = 0;
	pid_t pid;

	CHECK_ERRNO(ibv_fork_init(), 0, "ibv_fork_init");
	b = mw_bench(arg, &o);
	CHECK(!pipe(go), "pipe: %s", strerror(errno));
	pid = fork();
	CHECK(pid >= 0, "fork: %s", strerror(errno));
	if (!pid) {
		if (read(go[0], &c, 1) != 1)
			_exit(1);
		_exit(0);
	}
	/* The parent touches first: without care it would get a copy and the region the old pages. */
	vt_buf_fill(b.dst, 0, MW_SIZE);
	vt_buf_fill(b.src, 0, MW_SIZE);
	write_to(&b, b.dst->iova, MW_SIZE, IBV_WC_SUCCESS, "WRITE while a child lives");
	vt_buf_expect_copy(b.dst, 0, MW_SIZE, b.src, 0, "memory after fork()");
	vt_buf_fill(b.dst, 0, MW_SIZE);
	CHECK(write(go[1], &c, 1) == 1, "write: %s", strerror(errno));
	CHECK(waitpid(pid, &status, 0) == pid && !status, "the child ended with %#x", status);
}

void mw_add_rereg(void)
{
	mw_add("rereg/translation", translation, 0);
	mw_add("rereg/domain", domain, 0);
	mw_add("rereg/rights", rights, 0);
	mw_add("rereg/together", together, 0);
	mw_add("rereg/failures", failures, 0);
	mw_add("rereg/dmabuf", dmabuf, 0);
	mw_add("fork", forked, 0);
}
