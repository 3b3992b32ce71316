// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * See fuzz_field.h. The region has no rights for peers: its windows alone make some of it theirs. A
 * local pair, the keeper, binds what has to be bound whatever becomes of the victims; the window of
 * type 2 that is the keeper's own must not open for the others.
 */
#include <errno.h>
#include <string.h>

#include "fuzz.h"
#include "fuzz_field.h"

#define STRIPS		(2 * FIELD_WINDOWS + 1)
#define DM_BYTES	8192
#define DM_FIRST	2048	/* the region over it: half of it */
#define DM_LENGTH	4096
#define DM_FILL		0x5a
#define ALL_REMOTE	(IBV_ACCESS_REMOTE_WRITE | IBV_ACCESS_REMOTE_READ | IBV_ACCESS_REMOTE_ATOMIC)

static const struct {
	enum ibv_mw_type type;
	unsigned int access;
	bool changes;		/* packets may write there */
} windows[FIELD_WINDOWS] = {
	[FIELD_ANY] = { IBV_MW_TYPE_1, ALL_REMOTE, true },
	[FIELD_READ] = { IBV_MW_TYPE_1, IBV_ACCESS_REMOTE_READ, false },
	[FIELD_KEEPER] = { IBV_MW_TYPE_2, ALL_REMOTE, false },
	[FIELD_VICTIM] = { IBV_MW_TYPE_2, ALL_REMOTE, true },
};

static size_t strip_of(int window)
{
	return (2 * (size_t)window + 1) * STRIP_BYTES;
}

static void alloc_window(struct fuzz_field *f, int i)
{
	f->mw[i] = ibv_alloc_mw(f->dev->pd, windows[i].type);
	CHECK(f->mw[i], "ibv_alloc_mw: %s", strerror(errno));
}

/* Posts a bind to the window's own strip. Return: errno. */
static int bind(struct fuzz_field *f, struct vt_ep *ep, int i)
{
	struct ibv_mw_bind_info info = {
		.mr = f->buf->mr, .addr = f->buf->iova + strip_of(i), .length = STRIP_BYTES,
		.mw_access_flags = windows[i].access,
	};
	struct ibv_mw_bind one = { .wr_id = 0xb1, .send_flags = IBV_SEND_SIGNALED, .bind_info = info };
	struct ibv_send_wr two = {
		.wr_id = 0xb1, .opcode = IBV_WR_BIND_MW, .send_flags = IBV_SEND_SIGNALED,
		.bind_mw = { .mw = f->mw[i], .rkey = ibv_inc_rkey(f->mw[i]->rkey),
			     .bind_info = info },
	}, *bad;
	int err;

	if (windows[i].type == IBV_MW_TYPE_1)
		return ibv_bind_mw(ep->qp, f->mw[i], &one);
	err = ibv_post_send(ep->qp, &two, &bad);
	if (!err)
		f->mw[i]->rkey = two.bind_mw.rkey;
	return err;
}

static void keeper_bind(struct fuzz_field *f, int i)
{
	struct vt_ep *ep = &f->keeper->b;

	CHECK_ERRNO(bind(f, ep, i), 0, "posting a bind");
	vt_expect_wc(ep, ep->scq, 0xb1, IBV_WC_SUCCESS, "bind", NULL);
}

static int end_windows(void *arg)
{
	struct fuzz_field *f = arg;
	int err = 0;

	for (int i = 0; i < FIELD_WINDOWS; i++)
		err |= ibv_dealloc_mw(f->mw[i]);
	return err;
}

static int free_dm(void *arg)
{
	return ibv_free_dm(arg);
}

static int dereg_mr(void *arg)
{
	return ibv_dereg_mr(arg);
}

static void dm_reg(struct fuzz_field *f)
{
	f->dm_mr = ibv_reg_dm_mr(f->dev->pd, f->dm, DM_FIRST, DM_LENGTH,
				 VT_ACCESS_ALL | IBV_ACCESS_REMOTE_ATOMIC | IBV_ACCESS_ZERO_BASED);
	CHECK(f->dm_mr, "ibv_reg_dm_mr: %s", strerror(errno));
	vt_defer(dereg_mr, f->dm_mr, "ibv_dereg_mr");
}

static void dm_new(struct fuzz_field *f)
{
	struct ibv_alloc_dm_attr a = { .length = DM_BYTES };
	uint8_t fill[DM_BYTES];

	f->dm = ibv_alloc_dm(f->dev->ctx, &a);
	CHECK(f->dm, "ibv_alloc_dm: %s", strerror(errno));
	vt_defer(free_dm, f->dm, "ibv_free_dm");
	memset(fill, DM_FILL, sizeof(fill));
	CHECK_ERRNO(ibv_memcpy_to_dm(f->dm, 0, fill, DM_BYTES), 0, "ibv_memcpy_to_dm");
	dm_reg(f);
}

void field_new(struct fuzz_field *f, struct vt_dev *dev)
{
	struct vt_opts o = VT_OPTS;

	f->dev = dev;
	f->buf = vt_buf_new(dev, VT_HOST, STRIPS * STRIP_BYTES, IBV_ACCESS_LOCAL_WRITE |
			    IBV_ACCESS_MW_BIND);
	o.qp_access |= IBV_ACCESS_REMOTE_ATOMIC;
	o.send_wr = o.recv_wr = 8;
	o.send_sge = o.recv_sge = 1;
	f->keeper = vt_pair_new(dev, dev, &o);
	for (int i = 0; i < FIELD_WINDOWS; i++)
		alloc_window(f, i);
	vt_defer(end_windows, f, "ibv_dealloc_mw");
	for (int i = 0; i < FIELD_VICTIM; i++)
		keeper_bind(f, i);
	dm_new(f);
}

void field_look(struct fuzz_field *f, struct vt_ep *ep)
{
	if (fuzz_odds(5))
		keeper_bind(f, fuzz_odds(50) ? FIELD_ANY : FIELD_READ);
	if (fuzz_odds(5)) {
		/* A peer may have ended its key. */
		vt_undefer(f->dm_mr);
		CHECK_ERRNO(ibv_dereg_mr(f->dm_mr), 0, "ibv_dereg_mr");
		dm_reg(f);
	}
	if (!fuzz_odds(10))
		return;
	/* Bound or not, and packets with its key on their way: it goes, and another one comes. */
	CHECK_ERRNO(ibv_dealloc_mw(f->mw[FIELD_VICTIM]), 0, "ibv_dealloc_mw");
	alloc_window(f, FIELD_VICTIM);
	bind(f, ep, FIELD_VICTIM);
}

struct field_aim field_aim(const struct fuzz_field *f)
{
	int i = (int)fuzz_below(FIELD_WINDOWS), where = i;

	if (fuzz_odds(20))
		return (struct field_aim){ f->dm_mr->rkey, 0, DM_LENGTH };
	if (fuzz_odds(10))
		return (struct field_aim){ f->buf->mr->rkey, f->buf->iova, (uint32_t)f->buf->size };
	if (fuzz_odds(10))
		where = (int)fuzz_below(FIELD_WINDOWS);
	return (struct field_aim){ f->mw[i]->rkey, f->buf->iova + strip_of(where), STRIP_BYTES };
}

static void dm_check(const struct fuzz_field *f)
{
	uint8_t now[DM_BYTES];

	CHECK_ERRNO(ibv_memcpy_from_dm(now, f->dm, 0, DM_BYTES), 0, "ibv_memcpy_from_dm");
	for (size_t i = 0; i < DM_BYTES; i++)
		CHECK(now[i] == DM_FILL || (i >= DM_FIRST && i < DM_FIRST + DM_LENGTH),
		      "byte %zu of device memory, outside of its region, was changed", i);
}

void field_check(const struct fuzz_field *f)
{
	vt_buf_check(f->buf, 0, STRIP_BYTES, "before the windows");
	for (int i = 0; i < FIELD_WINDOWS; i++) {
		if (!windows[i].changes)
			vt_buf_check(f->buf, strip_of(i), STRIP_BYTES, "a window that is closed");
		vt_buf_check(f->buf, strip_of(i) + STRIP_BYTES, STRIP_BYTES, "between windows");
	}
	dm_check(f);
}

void field_finish(struct fuzz_field *f)
{
	static const int whole[] = { FIELD_ANY, FIELD_KEEPER };
	struct vt_buf *src = vt_buf_new(f->dev, VT_HOST, STRIP_BYTES, VT_ACCESS_ALL);
	struct vt_ep *a = &f->keeper->a;

	field_check(f);
	for (size_t i = 0; i < sizeof(whole) / sizeof(whole[0]); i++) {
		size_t at = strip_of(whole[i]);

		CHECK_ERRNO(vt_rdma(a, 9, IBV_WR_RDMA_WRITE, vt_sge(src, 0, STRIP_BYTES),
				    f->buf->iova + at, f->mw[whole[i]]->rkey), 0, "ibv_post_send");
		vt_expect_wc(a, a->scq, 9, IBV_WC_SUCCESS, "WRITE to a window", NULL);
		vt_buf_expect_copy(f->buf, at, STRIP_BYTES, src, 0, "WRITE to a window");
		vt_buf_fill(f->buf, at, STRIP_BYTES);
	}
	field_check(f);
}
