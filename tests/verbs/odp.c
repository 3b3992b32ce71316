// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * odp: memory regions that are paged on demand. Here: every opcode while no page is in the region's table,
 * advice, windows, and what is refused. What becomes of regions when the process changes its memory is in
 * odp_memory.c, traffic meanwhile in odp_churn.c.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "odp.h"
#include "vt_ud.h"
#include "xfer.h"

struct vt_opts odp_opts(void)
{
	struct vt_opts o = VT_OPTS;

	o.qp_access = ODP_RIGHTS;
	o.send_sge = 8;
	o.recv_sge = 8;
	return o;
}

struct odp_bench odp_bench(const struct odp_arg *t, const struct vt_opts *o)
{
	struct odp_bench b = { .da = vt_open(vt_cfg.dev) };

	b.db = t->wire ? vt_open(vt_cfg.peer) : b.da;
	b.a = vt_buf_new(b.da, VT_HOST, ODP_SIZE, ODP_ACCESS);
	b.b = vt_buf_new(b.db, VT_HOST, ODP_SIZE, ODP_ACCESS);
	b.p = vt_pair_new(b.da, b.db, o);
	return b;
}

void odp_evict(void *at, size_t size)
{
	CHECK(!mprotect(at, size, PROT_NONE), "mprotect: %s", strerror(errno));
	CHECK(!mprotect(at, size, PROT_READ | PROT_WRITE), "mprotect: %s", strerror(errno));
}

void odp_evict_bench(struct odp_bench *b)
{
	odp_evict(b->a->base, b->a->base_size);
	odp_evict(b->b->base, b->b->base_size);
}

static int dereg(void *mr)
{
	return ibv_dereg_mr(mr);
}

struct ibv_mr *odp_reg(struct vt_dev *dev, void *at, size_t size, int access)
{
	struct ibv_mr *mr = ibv_reg_mr(dev->pd, at, size, access);

	CHECK(mr, "ibv_reg_mr on demand: %s", strerror(errno));
	vt_defer(dereg, mr, "ibv_dereg_mr");
	return mr;
}

struct odp_mem odp_mem(struct vt_dev *dev, size_t size, uint64_t seed, int access)
{
	struct odp_mem m = { .size = size };

	m.at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(m.at != MAP_FAILED, "mmap: %s", strerror(errno));
	vt_fill(m.at, size, seed, 0);
	m.mr = odp_reg(dev, m.at, size, access);
	return m;
}

void odp_try(struct odp_bench *b, enum ibv_wr_opcode op, size_t own_off, const void *at, uint32_t len,
	     uint32_t rkey, enum ibv_wc_status status, const char *what)
{
	CHECK_ERRNO(vt_rdma(&b->p->a, 0x77, op, vt_sge(b->a, own_off, len), (uintptr_t)at, rkey), 0,
		    "ibv_post_send");
	vt_expect_wc(&b->p->a, b->p->a.scq, 0x77, status, what, NULL);
	if (status != IBV_WC_SUCCESS)
		vt_pair_reset(b->p);
}

/* Each message finds no page of either side; whole, byte for byte, and nothing around it. */
static void ops(const void *arg)
{
	static const uint32_t lens[] = { 1, 63, 4096, 5001, 65537, 300001 };
	const struct odp_arg *t = arg;
	struct vt_opts o = odp_opts();
	struct odp_bench b = odp_bench(t, &o);

	for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
		struct xfer x = xfer_simple((enum xfer_op)t->row, b.a, 4093 + 7 * i, b.b, 8190 - 3 * i,
					    lens[i]);

		if (x.op == X_READ)
			x = xfer_simple(X_READ, b.b, 4093 + 7 * i, b.a, 8190 - 3 * i, lens[i]);
		odp_evict_bench(&b);
		xfer_run(&b.p->a, &b.p->b, &x);
		/* And once more with the pages there. */
		xfer_run(&b.p->a, &b.p->b, &x);
	}
}

/* Lists whose entries lie far from each other. */
static void lists(const void *arg)
{
	const struct odp_arg *t = arg;
	struct vt_opts o = odp_opts();
	struct odp_bench b = odp_bench(t, &o);
	struct xfer x = { .op = (enum xfer_op)t->row, .wr_id = 5 };
	const bool read = x.op == X_READ;
	struct vt_buf *src = read ? b.b : b.a, *dst = read ? b.a : b.b;
	const bool one_src = read, one_dst = !read && !xfer_ops[x.op].send;
	struct vt_buf *pinned = vt_buf_new(read ? b.da : b.db, VT_HOST, 8192, VT_ACCESS_ALL);

	x.nsrc = one_src ? 1 : 8;
	x.ndst = one_dst ? 1 : 8;
	for (int i = 0; i < 8; i++) {
		x.src[i] = (struct xfer_seg){ src, 100000UL * (size_t)i + 4090, 700 + (uint32_t)i };
		x.dst[i] = (struct xfer_seg){ dst, 90000UL * (size_t)i + 8000, 900 };
	}
	if (one_src)
		x.src[0] = (struct xfer_seg){ src, 4090, 7200 };
	if (one_dst)
		x.dst[0] = (struct xfer_seg){ dst, 8190, 5628 };
	for (int i = 0; i < 3; i++) {
		odp_evict_bench(&b);
		xfer_run(&b.p->a, &b.p->b, &x);
	}
	/* The first of the list is not paged on demand, the others are. */
	if (one_dst)
		return;
	x.dst[0] = (struct xfer_seg){ pinned, 4000, 900 };
	for (int i = 0; i < 3; i++) {
		odp_evict_bench(&b);
		xfer_run(&b.p->a, &b.p->b, &x);
	}
}

static int post_atomic(struct odp_bench *b, enum ibv_wr_opcode op, size_t own, size_t off,
		       uint64_t add, uint64_t swap)
{
	struct ibv_sge sge = vt_sge(b->a, own, 8);
	struct ibv_send_wr wr = {
		.wr_id = 9, .sg_list = &sge, .num_sge = 1, .opcode = op, .send_flags = IBV_SEND_SIGNALED,
	};
	struct ibv_send_wr *bad;

	if (op == IBV_WR_ATOMIC_WRITE) {
		wr.wr.rdma.remote_addr = b->b->iova + off;
		wr.wr.rdma.rkey = b->b->mr->rkey;
	} else {
		wr.wr.atomic.remote_addr = b->b->iova + off;
		wr.wr.atomic.rkey = b->b->mr->rkey;
		wr.wr.atomic.compare_add = add;
		wr.wr.atomic.swap = swap;
	}
	return ibv_post_send(b->p->a.qp, &wr, &bad);
}

static uint64_t word_at(const struct vt_buf *buf, size_t off)
{
	uint64_t v;

	memcpy(&v, buf->ptr + off, sizeof(v));
	return v;
}

/* Each is done once however often it had to wait: the sum tells. ptr is at 0x123 of a page. */
static void atomics(const void *arg)
{
	struct vt_opts o = odp_opts();
	struct odp_bench b = odp_bench(arg, &o);
	uint64_t want = 0, zero = 0;
	size_t off = 5 + 8 * 777;

	memcpy(b.b->ptr + off, &zero, 8);
	for (uint64_t i = 1; i <= 30; i++) {
		odp_evict_bench(&b);
		CHECK_ERRNO(post_atomic(&b, IBV_WR_ATOMIC_FETCH_AND_ADD, 3, off, i, 0), 0, "posting");
		vt_expect_wc(&b.p->a, b.p->a.scq, 9, IBV_WC_SUCCESS, "FETCH_ADD", NULL);
		CHECK_EQ(word_at(b.a, 3), want, "value that came back");
		want += i;
		CHECK_EQ(word_at(b.b, off), want, "word after FETCH_ADD");
	}
	odp_evict_bench(&b);
	CHECK_ERRNO(post_atomic(&b, IBV_WR_ATOMIC_CMP_AND_SWP, 3, off, want, 4711), 0, "posting");
	vt_expect_wc(&b.p->a, b.p->a.scq, 9, IBV_WC_SUCCESS, "CMP_SWAP", NULL);
	CHECK_EQ(word_at(b.a, 3), want, "value that came back");
	CHECK_EQ(word_at(b.b, off), 4711, "word after CMP_SWAP");
	vt_buf_fill(b.a, 3, 8);
	odp_evict_bench(&b);
	CHECK_ERRNO(post_atomic(&b, IBV_WR_ATOMIC_WRITE, 100, off, 0, 0), 0, "posting");
	vt_expect_wc(&b.p->a, b.p->a.scq, 9, IBV_WC_SUCCESS, "ATOMIC WRITE", NULL);
	CHECK_EQ(word_at(b.b, off), word_at(b.a, 100), "word after ATOMIC WRITE");
	vt_buf_fill(b.b, off, 8);
	vt_buf_check(b.a, 0, ODP_SIZE, "the requester's buffer");
	vt_buf_check(b.b, 0, ODP_SIZE, "the responder's buffer");
}

static int destroy_srq(void *srq)
{
	return ibv_destroy_srq(srq);
}

static void srq(const void *arg)
{
	const struct odp_arg *t = arg;
	struct ibv_srq_init_attr attr = { .attr = { .max_wr = 16, .max_sge = 2 } };
	struct vt_opts o = odp_opts();
	struct vt_dev *da = vt_open(vt_cfg.dev), *db = t->wire ? vt_open(vt_cfg.peer) : da;
	struct vt_buf *src = vt_buf_new(da, VT_HOST, ODP_SIZE, ODP_ACCESS);
	struct vt_buf *dst = vt_buf_new(db, VT_HOST, ODP_SIZE, ODP_ACCESS);
	struct ibv_sge sge = vt_sge(dst, 4095, 9000);
	struct ibv_recv_wr wr = { .wr_id = 1, .sg_list = &sge, .num_sge = 1 }, *bad;
	struct vt_pair *p;

	o.srq[1] = ibv_create_srq(db->pd, &attr);
	CHECK(o.srq[1], "ibv_create_srq: %s", strerror(errno));
	vt_defer(destroy_srq, o.srq[1], "ibv_destroy_srq");
	p = vt_pair_new(da, db, &o);
	for (int i = 0; i < 5; i++) {
		odp_evict(dst->base, dst->base_size);
		CHECK_ERRNO(ibv_post_srq_recv(o.srq[1], &wr, &bad), 0, "ibv_post_srq_recv");
		CHECK_ERRNO(vt_send(&p->a, 2, IBV_WR_SEND, vt_sge(src, 11, 8888), NULL, 0,
				    IBV_SEND_SIGNALED), 0, "ibv_post_send");
		vt_expect_wc(&p->a, p->a.scq, 2, IBV_WC_SUCCESS, "SEND", NULL);
		vt_expect_wc(&p->b, p->b.rcq, 1, IBV_WC_SUCCESS, "receive", NULL);
		vt_buf_expect_copy(dst, 4095, 8888, src, 11, "received");
		vt_buf_fill(dst, 4095, 8888);
		vt_buf_check(dst, 0, ODP_SIZE, "around it");
	}
}

static void ud(const void *arg)
{
	const struct odp_arg *t = arg;
	struct vt_dev *da = vt_open(vt_cfg.dev), *db = t->wire ? vt_open(vt_cfg.peer) : da;
	struct vt_buf *src = vt_buf_new(da, VT_HOST, ODP_SIZE, ODP_ACCESS);
	struct vt_buf *dst = vt_buf_new(db, VT_HOST, ODP_SIZE, VT_ACCESS_ALL);
	struct ud_opts o = UD_OPTS;
	struct vt_ep *a = ud_ep_new(da, &o), *b = ud_ep_new(db, &o);
	struct ibv_ah *ah = ud_ah(a, &b->gid);

	for (uint32_t i = 0; i < 20; i++) {
		size_t at = 4096 * i + 3900;

		odp_evict(src->base, src->base_size);
		CHECK_ERRNO(vt_recv(b, i, vt_sge(dst, 100, 2000)), 0, "ibv_post_recv");
		ud_send(a, i, vt_sge(src, at, 900), ah, b->qp->qp_num, UD_QKEY);
		vt_expect_wc(a, a->scq, i, IBV_WC_SUCCESS, "sending", NULL);
		ud_expect(b, i, a, 900);
		vt_buf_expect_copy(dst, 100 + UD_GRH, 900, src, at, "payload");
	}
}

/* A window of type 2 over a region that is paged on demand. */
static void window(const void *arg)
{
	struct vt_opts o = odp_opts();
	struct odp_bench b = odp_bench(arg, &o);
	struct ibv_mw *mw = ibv_alloc_mw(b.db->pd, IBV_MW_TYPE_2);
	struct ibv_send_wr wr = {
		.wr_id = 3, .opcode = IBV_WR_BIND_MW, .send_flags = IBV_SEND_SIGNALED,
		.bind_mw = { .mw = mw, .bind_info = { .mr = b.b->mr, .addr = b.b->iova + 5000,
						      .length = 20000,
						      .mw_access_flags = IBV_ACCESS_REMOTE_WRITE } },
	};
	struct ibv_send_wr *bad;

	CHECK(mw, "ibv_alloc_mw: %s", strerror(errno));
	wr.bind_mw.rkey = ibv_inc_rkey(mw->rkey);
	CHECK_ERRNO(ibv_post_send(b.p->b.qp, &wr, &bad), 0, "posting a bind");
	vt_expect_wc(&b.p->b, b.p->b.scq, 3, IBV_WC_SUCCESS, "bind", NULL);
	for (int i = 0; i < 3; i++) {
		odp_evict_bench(&b);
		odp_try(&b, IBV_WR_RDMA_WRITE, 77, b.b->ptr + 5001, 19000, wr.bind_mw.rkey,
			IBV_WC_SUCCESS, "WRITE through a window");
		vt_buf_expect_copy(b.b, 5001, 19000, b.a, 77, "written through a window");
		vt_buf_fill(b.b, 5001, 19000);
	}
	odp_try(&b, IBV_WR_RDMA_WRITE, 0, b.b->ptr + 4999, 10, wr.bind_mw.rkey, IBV_WC_REM_ACCESS_ERR,
		"WRITE in front of a window");
	vt_buf_check(b.b, 0, ODP_SIZE, "the buffer");
	CHECK_ERRNO(ibv_dealloc_mw(mw), 0, "ibv_dealloc_mw");
}

static int advise(struct vt_dev *dev, enum ibv_advise_mr_advice advice, uint32_t flags,
		  struct ibv_sge sge)
{
	return ibv_advise_mr(dev->pd, advice, flags, &sge, 1);
}

/* Who may not be told to wait is not when the pages are there; and is when they are not. */
static void prefetch(const void *arg)
{
	const struct odp_arg *t = arg;
	struct vt_opts o = odp_opts();
	struct odp_bench b;

	o.rnr_retry = 0;
	b = odp_bench(t, &o);
	for (int i = 0; i < 5; i++) {
		odp_evict_bench(&b);
		CHECK_ERRNO(advise(b.db, IBV_ADVISE_MR_ADVICE_PREFETCH_WRITE, IBV_ADVISE_MR_FLAG_FLUSH,
				   vt_sge(b.b, 0, ODP_SIZE)), 0, "prefetch to write");
		odp_try(&b, IBV_WR_RDMA_WRITE, 5, b.b->ptr + 4000, 200000, b.b->mr->rkey,
			IBV_WC_SUCCESS, "WRITE to what was prefetched");
		vt_buf_expect_copy(b.b, 4000, 200000, b.a, 5, "written");
		vt_buf_fill(b.b, 4000, 200000);
	}
	odp_evict_bench(&b);
	CHECK_ERRNO(advise(b.db, IBV_ADVISE_MR_ADVICE_PREFETCH, IBV_ADVISE_MR_FLAG_FLUSH,
			   vt_sge(b.b, 0, ODP_SIZE)), 0, "prefetch to read");
	odp_try(&b, IBV_WR_RDMA_READ, 0, b.b->ptr + 4000, 200000, b.b->mr->rkey, IBV_WC_SUCCESS,
		"READ of what was prefetched");
	vt_buf_expect_copy(b.a, 0, 200000, b.b, 4000, "read");
	vt_buf_fill(b.a, 0, 200000);
	if (t->wire) {
		odp_evict_bench(&b);
		odp_try(&b, IBV_WR_RDMA_WRITE, 5, b.b->ptr + 4000, 1, b.b->mr->rkey,
			IBV_WC_RNR_RETRY_EXC_ERR, "WRITE to what is not there");
	}
	vt_buf_check(b.b, 0, ODP_SIZE, "the buffer");
}

/* What the process has may be taken over without a fault; what it has not is no error. */
static void advice(const void *arg)
{
	struct vt_dev *d = vt_open(vt_cfg.dev);
	struct vt_buf *pinned = vt_buf_new(d, VT_HOST, ODP_SIZE, VT_ACCESS_ALL);
	struct odp_mem m = odp_mem(d, 64 * ODP_PAGE, 1, ODP_ACCESS);
	struct odp_mem ro = odp_mem(d, 4 * ODP_PAGE, 2, IBV_ACCESS_REMOTE_READ | IBV_ACCESS_ON_DEMAND);
	struct ibv_sge sge = { (uintptr_t)m.at + 5, 60 * ODP_PAGE, m.mr->lkey };
	static const enum ibv_advise_mr_advice all[] = {
		IBV_ADVISE_MR_ADVICE_PREFETCH, IBV_ADVISE_MR_ADVICE_PREFETCH_WRITE,
		IBV_ADVISE_MR_ADVICE_PREFETCH_NO_FAULT,
	};
	const uint32_t flush = IBV_ADVISE_MR_FLAG_FLUSH;

	(void)arg;
	for (size_t i = 0; i < 3; i++) {
		CHECK_ERRNO(advise(d, all[i], 0, sge), 0, "advice");
		CHECK_ERRNO(advise(d, all[i], flush, sge), 0, "advice, waiting");
	}
	CHECK(!munmap(m.at + 8 * ODP_PAGE, ODP_PAGE), "munmap");
	CHECK_ERRNO(advise(d, all[0], flush, sge), EFAULT, "a hole, waiting");
	CHECK_ERRNO(advise(d, all[1], flush, sge), EFAULT, "a hole to write, waiting");
	CHECK_ERRNO(advise(d, all[2], flush, sge), 0, "a hole without faults");
	CHECK_ERRNO(advise(d, all[0], 0, sge), 0, "a hole, not waiting");
	sge.length = 65 * ODP_PAGE;
	CHECK_ERRNO(advise(d, all[0], 0, sge), EFAULT, "beyond the region");
	sge.length = 100;
	sge.lkey ^= 1;
	CHECK_ERRNO(advise(d, all[0], 0, sge), EFAULT, "no such key");
	CHECK_ERRNO(advise(d, all[0], 0, vt_sge(pinned, 0, 100)), EFAULT, "pinned memory");
	sge = (struct ibv_sge){ (uintptr_t)ro.at, ODP_PAGE, ro.mr->lkey };
	CHECK_ERRNO(advise(d, all[0], flush, sge), 0, "to read what can be read");
	CHECK_ERRNO(advise(d, all[1], flush, sge), EFAULT, "to write what can be read");
	CHECK_ERRNO(advise(d, (enum ibv_advise_mr_advice)17, 0, sge), EOPNOTSUPP, "unknown advice");
	CHECK(advise(d, all[0], 2, sge), "an unknown flag was accepted");
}

static long unreclaimable_kib(void)
{
	FILE *f = fopen("/proc/meminfo", "r");
	char line[128];
	long kib = -1;

	CHECK(f, "/proc/meminfo: %s", strerror(errno));
	while (kib < 0 && fgets(line, sizeof(line), f))
		sscanf(line, "SUnreclaim: %ld", &kib);
	fclose(f);
	CHECK(kib >= 0, "no SUnreclaim in /proc/meminfo");
	return kib;
}

/* Advice about what the process has not costs no memory: 8 GiB of it would be 16 MiB of leaves. */
static void advice_nothing(const void *arg)
{
	const size_t piece = 1UL << 31;
	struct vt_dev *d = vt_open(vt_cfg.dev);
	struct ibv_mr *mr = odp_reg(d, NULL, SIZE_MAX, ODP_ACCESS);
	uint8_t *at = mmap(NULL, 4 * piece, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	struct ibv_sge sge[4];
	long before, more;

	(void)arg;
	CHECK(at != MAP_FAILED && !munmap(at, 4 * piece), "8 GiB of addresses: %s", strerror(errno));
	for (size_t i = 0; i < 4; i++)
		sge[i] = (struct ibv_sge){ (uintptr_t)at + i * piece, (uint32_t)piece, mr->lkey };
	before = unreclaimable_kib();
	CHECK_ERRNO(ibv_advise_mr(d->pd, IBV_ADVISE_MR_ADVICE_PREFETCH_NO_FAULT, IBV_ADVISE_MR_FLAG_FLUSH, sge, 4), 0,
		    "advice about nothing");
	more = unreclaimable_kib() - before;
	CHECK(more < 8192, "the kernel has %ld KiB more", more);
}

static void refuse(struct vt_dev *d, void *at, size_t len, int access, int want, const char *what)
{
	errno = 0;
	CHECK(!ibv_reg_mr(d->pd, at, len, access), "accepted: %s", what);
	CHECK_ERRNO(errno, want, what);
}

static void refused(const void *arg)
{
	struct vt_dev *d = vt_open(vt_cfg.dev);
	struct odp_mem m = odp_mem(d, 4 * ODP_PAGE, 1, ODP_ACCESS);
	const int access = IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_ON_DEMAND;
	struct ibv_pd *pd = vt_pd_new(d);

	(void)arg;
	refuse(d, m.at, 0, access, EINVAL, "no bytes");
	refuse(d, (void *)-4096UL, 8192, access, EINVAL, "a range that wraps");
	refuse(d, (void *)0xffff888000000000UL, 4096, access, EFAULT, "a kernel address");
	refuse(d, m.at, 4096, access | IBV_ACCESS_ZERO_BASED, EOPNOTSUPP, "zero based");
	CHECK(ibv_rereg_mr(m.mr, IBV_REREG_MR_CHANGE_PD, pd, NULL, 0, 0), "another PD");
	CHECK(ibv_rereg_mr(m.mr, IBV_REREG_MR_CHANGE_ACCESS, NULL, NULL, 0, access), "other rights");
	CHECK(ibv_rereg_mr(m.mr, IBV_REREG_MR_CHANGE_TRANSLATION, NULL, m.at, 4096, 0), "other memory");
}

static void caps(const void *arg)
{
	const uint32_t rc = IBV_ODP_SUPPORT_SEND | IBV_ODP_SUPPORT_RECV | IBV_ODP_SUPPORT_WRITE |
			    IBV_ODP_SUPPORT_READ | IBV_ODP_SUPPORT_ATOMIC | IBV_ODP_SUPPORT_SRQ_RECV;
	struct vt_dev *d = vt_open(vt_cfg.dev);
	struct ibv_device_attr_ex attr = { };

	(void)arg;
	CHECK_ERRNO(ibv_query_device_ex(d->ctx, NULL, &attr), 0, "ibv_query_device_ex");
	CHECK_EQ(attr.odp_caps.general_caps, IBV_ODP_SUPPORT | IBV_ODP_SUPPORT_IMPLICIT, "general_caps");
	CHECK_EQ(attr.odp_caps.per_transport_caps.rc_odp_caps, rc, "rc_odp_caps");
	CHECK_EQ(attr.odp_caps.per_transport_caps.ud_odp_caps, IBV_ODP_SUPPORT_SEND, "ud_odp_caps");
	CHECK_EQ(attr.odp_caps.per_transport_caps.uc_odp_caps, 0, "uc_odp_caps");
}

void odp_add(const char *name, vt_fn fn, size_t row, unsigned int seconds)
{
	for (int wire = 0; wire <= !!vt_cfg.peer; wire++) {
		struct odp_arg *arg = malloc(sizeof(*arg));
		char full[96];

		if (!arg)
			exit(2);
		*arg = (struct odp_arg){ wire, row };
		snprintf(full, sizeof(full), "odp/%s/%s", name, wire ? "wire" : "local");
		vt_add(full, fn, arg, seconds);
	}
}

static void add_cases(void)
{
	char name[64];

	vt_add("odp/caps", caps, NULL, 0);
	vt_add("odp/refused", refused, NULL, 0);
	vt_add("odp/advice", advice, NULL, 0);
	vt_add("odp/advice_nothing", advice_nothing, NULL, 60);
	for (size_t op = 0; op < X_OPS; op++) {
		snprintf(name, sizeof(name), "ops/%s", xfer_ops[op].name);
		odp_add(name, ops, op, 60);
		snprintf(name, sizeof(name), "lists/%s", xfer_ops[op].name);
		odp_add(name, lists, op, 60);
	}
	odp_add("atomics", atomics, 0, 60);
	odp_add("srq", srq, 0, 0);
	odp_add("ud", ud, 0, 0);
	odp_add("window", window, 0, 0);
	odp_add("prefetch", prefetch, 0, 0);
	odp_add_memory();
	odp_add_churn();
}

int main(int argc, char **argv)
{
	return vt_main(argc, argv, add_cases);
}
