// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * conformance: device memory. Bytes reach it by WRITE and leave it by READ, only through the region and
 * only within it; it has an end for all together; memory that a region is over is not freed.
 */
#include <errno.h>
#include <string.h>

#include "conformance.h"
#include "vtest.h"

#define LEN	8192
#define PART	4096	/* the region is over the second half */
#define RIGHTS	(VT_ACCESS_ALL | IBV_ACCESS_ZERO_BASED)

static int free_dm(void *dm)
{
	return ibv_free_dm(dm);
}

static int dereg(void *mr)
{
	return ibv_dereg_mr(mr);
}

static struct ibv_dm *dm_new(struct vt_dev *d, size_t len)
{
	struct ibv_alloc_dm_attr attr = { .length = len };
	struct ibv_dm *dm = ibv_alloc_dm(d->ctx, &attr);

	CHECK(dm, "ibv_alloc_dm of %zu bytes: %s", len, strerror(errno));
	vt_defer(free_dm, dm, "ibv_free_dm");
	return dm;
}

static void expect(struct vt_pair *p, enum ibv_wr_opcode op, struct ibv_sge sge, uint64_t addr,
		   uint32_t rkey, enum ibv_wc_status status)
{
	CHECK_ERRNO(vt_rdma(&p->a, 1, op, sge, addr, rkey), 0, "post_send");
	vt_expect_wc(&p->a, p->a.scq, 1, status, "access to device memory", NULL);
	if (status != IBV_WC_SUCCESS)
		vt_pair_reset(p);
}

static void data(const void *arg)
{
	const bool *wire = arg;
	struct vt_dev *da = vt_open(vt_cfg.dev), *db = *wire ? vt_open(vt_cfg.peer) : da;
	struct vt_buf *src = vt_buf_new(da, VT_HOST, LEN, VT_ACCESS_ALL);
	struct vt_buf *dst = vt_buf_new(da, VT_HOST, LEN, VT_ACCESS_ALL);
	struct vt_opts o = VT_OPTS;
	struct vt_pair *p = vt_pair_new(da, db, &o);
	struct ibv_dm *dm = dm_new(db, LEN);
	struct ibv_mr *mr = ibv_reg_dm_mr(db->pd, dm, PART, PART, RIGHTS);
	uint8_t old[LEN], now[LEN];

	CHECK(mr, "ibv_reg_dm_mr: %s", strerror(errno));
	vt_defer(dereg, mr, "ibv_dereg_mr");
	CHECK_ERRNO(ibv_memcpy_from_dm(now, dm, 0, LEN), 0, "ibv_memcpy_from_dm");
	for (size_t i = 0; i < LEN; i++)
		CHECK(!now[i], "byte %zu of new device memory is %#x", i, now[i]);
	memset(old, 0x5a, LEN);
	CHECK_ERRNO(ibv_memcpy_to_dm(dm, 0, old, LEN), 0, "ibv_memcpy_to_dm");

	expect(p, IBV_WR_RDMA_WRITE, vt_sge(src, 7, 1001), 33, mr->rkey, IBV_WC_SUCCESS);
	memcpy(old + PART + 33, src->ptr + 7, 1001);
	CHECK_ERRNO(ibv_memcpy_from_dm(now, dm, 0, LEN), 0, "ibv_memcpy_from_dm");
	CHECK(!memcmp(now, old, LEN), "device memory is not what was written");
	expect(p, IBV_WR_RDMA_READ, vt_sge(dst, 11, 1001), 33, mr->rkey, IBV_WC_SUCCESS);
	vt_buf_expect_copy(dst, 11, 1001, src, 7, "READ from device memory");
	vt_buf_fill(dst, 11, 1001);

	/* Outside of the region, though inside the memory. */
	expect(p, IBV_WR_RDMA_WRITE, vt_sge(src, 0, 8), PART - 4, mr->rkey, IBV_WC_REM_ACCESS_ERR);
	expect(p, IBV_WR_RDMA_WRITE, vt_sge(src, 0, 8), (uint64_t)-4, mr->rkey, IBV_WC_REM_ACCESS_ERR);
	expect(p, IBV_WR_RDMA_READ, vt_sge(dst, 0, 1), PART, mr->rkey, IBV_WC_REM_ACCESS_ERR);
	CHECK_ERRNO(ibv_memcpy_from_dm(now, dm, 0, LEN), 0, "ibv_memcpy_from_dm");
	CHECK(!memcmp(now, old, LEN), "a refused WRITE changed device memory");
	CHECK_ERRNO(ibv_free_dm(dm), EBUSY, "ibv_free_dm under a region");
}

static void limits(const void *arg)
{
	struct vt_dev *d = vt_open(vt_cfg.dev);
	struct ibv_device_attr_ex attr = { };
	struct ibv_alloc_dm_attr a = { };
	struct ibv_dm *dm, *other;
	uint32_t word = 0;
	size_t half;

	(void)arg;
	CHECK_ERRNO(ibv_query_device_ex(d->ctx, NULL, &attr), 0, "ibv_query_device_ex");
	CHECK(attr.max_dm_size, "no device memory");
	half = attr.max_dm_size / 2;
	CHECK(!ibv_alloc_dm(d->ctx, &a), "no bytes of device memory were granted");
	a.length = attr.max_dm_size + 1;
	CHECK(!ibv_alloc_dm(d->ctx, &a) && errno == ENOMEM, "more than there is: %s", strerror(errno));
	a.length = (size_t)-1;
	CHECK(!ibv_alloc_dm(d->ctx, &a), "2^64 - 1 bytes were granted");
	a = (struct ibv_alloc_dm_attr){ .length = 64, .log_align_req = 40 };
	CHECK(!ibv_alloc_dm(d->ctx, &a), "an alignment of 2^40 was granted");
	a = (struct ibv_alloc_dm_attr){ .length = 64, .comp_mask = 1 };
	CHECK(!ibv_alloc_dm(d->ctx, &a), "an unknown component was accepted");

	/* All of it, in two; then not a page more, until one of them is freed. */
	dm = dm_new(d, half);
	other = dm_new(d, half);
	a = (struct ibv_alloc_dm_attr){ .length = 4 };
	CHECK(!ibv_alloc_dm(d->ctx, &a) && errno == ENOMEM, "more than all: %s", strerror(errno));
	CHECK(!ibv_reg_dm_mr(d->pd, dm, 4, half, RIGHTS), "a region beyond the end");
	CHECK(!ibv_reg_dm_mr(d->pd, dm, 0, 64, VT_ACCESS_ALL), "a region that is not zero-based");
	CHECK_ERRNO(ibv_memcpy_to_dm(dm, 2, &word, 4), EINVAL, "copy to an odd place");
	CHECK_ERRNO(ibv_memcpy_to_dm(dm, half, &word, 4), EINVAL, "copy behind the end");
	CHECK_ERRNO(ibv_memcpy_from_dm(&word, dm, (uint64_t)-4, 8), EINVAL, "copy that wraps");
	vt_undefer(other);
	CHECK_ERRNO(ibv_free_dm(other), 0, "ibv_free_dm");
	dm_new(d, half);
}

void conf_add_dm(void)
{
	static const bool wire[2] = { false, true };

	vt_add("dm/data/local", data, &wire[0], 0);
	if (vt_cfg.peer)
		vt_add("dm/data/wire", data, &wire[1], 0);
	vt_add("dm/limits", limits, NULL, 0);
}
