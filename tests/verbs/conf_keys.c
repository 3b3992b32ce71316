// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * conformance: a key dies with its region. Thousands of registrations of the same memory get keys that
 * were never given out before, and none of the old ones opens anything, whatever lives where they did and
 * however often the QP has used them before.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "conformance.h"
#include "vtest.h"

/* Registrations: all, or as many as tell the same. */
#define KEYS		1500
#define FEW_KEYS	400
#define LEN	4096

static unsigned int registrations(void)
{
	return vt_is_long() ? KEYS : FEW_KEYS;
}

static int compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

/* Registers and deregisters @buf that often; the keys, none twice. */
static uint32_t *old_keys(struct vt_dev *d, struct vt_buf *buf, bool lkey)
{
	const unsigned int n = registrations();
	uint32_t *keys = vt_zalloc(n * sizeof(*keys));
	uint32_t *sorted = vt_zalloc(n * sizeof(*keys));

	for (unsigned int i = 0; i < n; i++) {
		struct ibv_mr *mr = ibv_reg_mr(d->pd, buf->ptr, LEN, VT_ACCESS_ALL);

		CHECK(mr, "registration %u: %s", i, strerror(errno));
		keys[i] = lkey ? mr->lkey : mr->rkey;
		CHECK_ERRNO(ibv_dereg_mr(mr), 0, "ibv_dereg_mr");
	}
	memcpy(sorted, keys, n * sizeof(*keys));
	qsort(sorted, n, sizeof(*sorted), compare);
	for (unsigned int i = 1; i < n; i++)
		CHECK(sorted[i] != sorted[i - 1], "key %#x was given out twice in %u registrations",
		      sorted[i], n);
	return keys;
}

static int dereg(void *mr)
{
	return ibv_dereg_mr(mr);
}

static void stale(const void *arg)
{
	const bool *wire = arg;
	struct vt_dev *da = vt_open(vt_cfg.dev), *db = *wire ? vt_open(vt_cfg.peer) : da;
	struct vt_buf *src = vt_buf_new(da, VT_HOST, LEN, VT_ACCESS_ALL);
	struct vt_buf *dst = vt_buf_alloc(VT_HOST, LEN);
	struct vt_opts o = VT_OPTS;
	struct vt_pair *p = vt_pair_new(da, db, &o);
	const unsigned int n = registrations();
	uint32_t *rkeys = old_keys(db, dst, false), *lkeys = old_keys(da, src, true);

	/* Something lives again where the last key pointed to. */
	dst->mr = vt_buf_try_reg(dst, db->pd, VT_ACCESS_ALL);
	CHECK(dst->mr, "ibv_reg_mr: %s", strerror(errno));
	vt_defer(dereg, dst->mr, "ibv_dereg_mr");
	for (unsigned int i = 0; i < n; i += i < n - 10 ? 200 : 1) {
		struct ibv_sge sge = vt_sge(src, 0, 64);

		CHECK_ERRNO(vt_rdma(&p->a, i, i & 1 ? IBV_WR_RDMA_READ : IBV_WR_RDMA_WRITE, sge,
				    (uintptr_t)dst->ptr, rkeys[i]), 0, "post_send");
		vt_expect_wc(&p->a, p->a.scq, i, IBV_WC_REM_ACCESS_ERR, "an rkey that is gone", NULL);
		vt_pair_reset(p);
		sge.lkey = lkeys[i];
		CHECK_ERRNO(vt_send(&p->a, i, IBV_WR_SEND, sge, NULL, 0, IBV_SEND_SIGNALED), 0, "post_send");
		vt_expect_wc(&p->a, p->a.scq, i, IBV_WC_LOC_PROT_ERR, "an lkey that is gone", NULL);
		vt_pair_reset(p);
	}
	vt_buf_check(dst, 0, LEN, "target of requests with keys that are gone");
	vt_buf_check(src, 0, LEN, "requester's memory");
}

/* A WRITE of 64 bytes at @off, or of none that arrives: @status. */
static void write_by(struct vt_pair *p, struct vt_buf *src, struct vt_buf *dst, size_t off, uint32_t lkey,
		     uint32_t rkey, enum ibv_wc_status status, const char *what)
{
	struct ibv_sge sge = vt_sge(src, off, 64);

	sge.lkey = lkey;
	CHECK_ERRNO(vt_rdma(&p->a, off, IBV_WR_RDMA_WRITE, sge, (uintptr_t)dst->ptr + off, rkey), 0, "post_send");
	vt_expect_wc(&p->a, p->a.scq, off, status, what, NULL);
	if (status != IBV_WC_SUCCESS) {
		vt_buf_check(dst, off, 64, what);
		vt_pair_reset(p);
	} else {
		vt_buf_expect_copy(dst, off, 64, src, off, what);
		vt_buf_fill(dst, off, 64);
	}
}

/* The last region that a QP has used goes, and so does one before the last; another is made where it was. */
static void used(const void *arg)
{
	const bool *wire = arg;
	struct vt_dev *da = vt_open(vt_cfg.dev), *db = *wire ? vt_open(vt_cfg.peer) : da;
	struct vt_buf *src = vt_buf_new(da, VT_HOST, LEN, VT_ACCESS_ALL);
	struct vt_buf *dst = vt_buf_new(db, VT_HOST, LEN, VT_ACCESS_ALL);
	struct vt_opts o = VT_OPTS;
	struct vt_pair *p = vt_pair_new(da, db, &o);

	for (size_t off = 0; off < LEN; off += 64) {
		struct ibv_mr *l = ibv_reg_mr(da->pd, src->ptr, LEN, VT_ACCESS_ALL);
		struct ibv_mr *r = ibv_reg_mr(db->pd, dst->ptr, LEN, VT_ACCESS_ALL);
		uint32_t lkey, rkey;

		CHECK(l && r, "ibv_reg_mr: %s", strerror(errno));
		lkey = l->lkey;
		rkey = r->rkey;
		write_by(p, src, dst, off, lkey, rkey, IBV_WC_SUCCESS, "keys that live");
		if (off & 64)
			write_by(p, src, dst, off, src->mr->lkey, dst->mr->rkey, IBV_WC_SUCCESS, "others in between");
		CHECK_ERRNO(ibv_dereg_mr(r), 0, "ibv_dereg_mr");
		write_by(p, src, dst, off, lkey, rkey, IBV_WC_REM_ACCESS_ERR, "an rkey that was used before");
		CHECK_ERRNO(ibv_dereg_mr(l), 0, "ibv_dereg_mr");
		write_by(p, src, dst, off, lkey, dst->mr->rkey, IBV_WC_LOC_PROT_ERR, "an lkey that was used before");
	}
	vt_buf_check(src, 0, LEN, "requester's memory");
	vt_buf_check(dst, 0, LEN, "responder's memory");
}

/* Keys of live regions stay as they are, and are all different, whatever comes and goes between. */
static void alive(const void *arg)
{
	struct vt_dev *d = vt_open(vt_cfg.dev);
	struct vt_buf *buf = vt_buf_alloc(VT_HOST, LEN);
	struct ibv_mr *mr[256] = { };
	uint64_t rnd = 5;

	(void)arg;
	for (unsigned int i = 0; i < registrations(); i++) {
		unsigned int k = (unsigned int)(vt_rand(&rnd) % 256);

		if (mr[k])
			CHECK_ERRNO(ibv_dereg_mr(mr[k]), 0, "ibv_dereg_mr");
		mr[k] = ibv_reg_mr(d->pd, buf->ptr, LEN, VT_ACCESS_ALL);
		CHECK(mr[k], "ibv_reg_mr: %s", strerror(errno));
		for (unsigned int j = 0; j < 256; j++)
			CHECK(j == k || !mr[j] || mr[j]->rkey != mr[k]->rkey, "rkey %#x names two regions",
			      mr[k]->rkey);
	}
	for (unsigned int k = 0; k < 256; k++)
		if (mr[k])
			CHECK_ERRNO(ibv_dereg_mr(mr[k]), 0, "ibv_dereg_mr");
}

void conf_add_keys(void)
{
	static const bool wire[2] = { false, true };

	vt_add("keys/stale/local", stale, &wire[0], 60);
	if (vt_cfg.peer)
		vt_add("keys/stale/wire", stale, &wire[1], 60);
	vt_add("keys/used/local", used, &wire[0], 60);
	if (vt_cfg.peer)
		vt_add("keys/used/wire", used, &wire[1], 60);
	vt_add("keys/alive", alive, NULL, 60);
}
