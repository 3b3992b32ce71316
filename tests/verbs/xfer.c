// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * The message engine. dst carries its own pattern before and after each message; whatever the
 * message did not name has to carry it still, whatever it named has to carry the source's pattern.
 *
 * SEND with invalidate names a memory window (type 2) that the responder binds for the purpose.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "xfer.h"

const struct xfer_op_info xfer_ops[X_OPS] = {
	[X_SEND] = { .name = "send", .wr = IBV_WR_SEND, .wc = IBV_WC_SEND,
		     .recv_wc = IBV_WC_RECV, .send = true, .recv = true },
	[X_SEND_IMM] = { .name = "send_imm", .wr = IBV_WR_SEND_WITH_IMM, .wc = IBV_WC_SEND,
			 .recv_wc = IBV_WC_RECV, .send = true, .recv = true, .imm = true },
	[X_SEND_INV] = { .name = "send_inv", .wr = IBV_WR_SEND_WITH_INV, .wc = IBV_WC_SEND,
			 .recv_wc = IBV_WC_RECV, .send = true, .recv = true, .inv = true },
	[X_WRITE] = { .name = "write", .wr = IBV_WR_RDMA_WRITE, .wc = IBV_WC_RDMA_WRITE },
	[X_WRITE_IMM] = { .name = "write_imm", .wr = IBV_WR_RDMA_WRITE_WITH_IMM,
			  .wc = IBV_WC_RDMA_WRITE, .recv_wc = IBV_WC_RECV_RDMA_WITH_IMM,
			  .recv = true, .imm = true },
	[X_READ] = { .name = "read", .wr = IBV_WR_RDMA_READ, .wc = IBV_WC_RDMA_READ },
};

/* Immediate data and invalidated key follow from the wr_id, so that each message has its own. */
static uint32_t imm_of(const struct xfer *x)
{
	return (uint32_t)vt_mix(0x133, x->wr_id);
}

uint64_t xfer_len(const struct xfer *x)
{
	uint64_t len = 0;

	for (int i = 0; i < x->nsrc; i++)
		len += x->src[i].len;
	return len;
}

static int fill_sges(struct ibv_sge *sge, const struct xfer_seg *seg, int n)
{
	for (int i = 0; i < n; i++)
		sge[i] = vt_sge(seg[i].buf, seg[i].off, seg[i].len);
	return n;
}

static uint8_t window_memory[64];

static int dereg(void *mr)
{
	return ibv_dereg_mr(mr);
}

/* One region of each domain, for all windows. */
static struct ibv_mr *window_region(struct ibv_pd *pd)
{
	static struct ibv_mr *mr;

	if (mr && mr->pd == pd)
		return mr;
	mr = ibv_reg_mr(pd, window_memory, sizeof(window_memory), VT_ACCESS_ALL | IBV_ACCESS_MW_BIND);
	CHECK(mr, "ibv_reg_mr for windows: %s", strerror(errno));
	vt_defer(dereg, mr, "ibv_dereg_mr of the region for windows");
	return mr;
}

static struct ibv_mw *bound_window(struct vt_ep *to)
{
	struct ibv_mw *mw = ibv_alloc_mw(to->pd, IBV_MW_TYPE_2);
	struct ibv_send_wr wr = { .wr_id = 0xb1d, .opcode = IBV_WR_BIND_MW, .send_flags = IBV_SEND_SIGNALED };
	struct ibv_send_wr *bad;

	CHECK(mw, "ibv_alloc_mw: %s", strerror(errno));
	wr.bind_mw.mw = mw;
	wr.bind_mw.rkey = ibv_inc_rkey(mw->rkey);
	wr.bind_mw.bind_info = (struct ibv_mw_bind_info){
		.mr = window_region(to->pd), .addr = (uintptr_t)window_memory, .length = sizeof(window_memory),
		.mw_access_flags = IBV_ACCESS_REMOTE_READ,
	};
	CHECK_ERRNO(ibv_post_send(to->qp, &wr, &bad), 0, "ibv_post_send of BIND_MW");
	vt_expect_wc(to, to->scq, wr.wr_id, IBV_WC_SUCCESS, "BIND_MW", NULL);
	mw->rkey = wr.bind_mw.rkey;
	return mw;
}

void xfer_post_recv(struct vt_ep *to, struct xfer *x)
{
	const struct xfer_op_info *op = &xfer_ops[x->op];
	struct ibv_sge sge[XFER_SEGS];
	struct ibv_recv_wr wr = { .wr_id = x->wr_id, .sg_list = sge };
	struct ibv_recv_wr *bad;

	if (!op->recv)
		return;
	if (op->inv)
		x->inv = bound_window(to);
	/* WRITE with immediate consumes a receive and uses none of its buffers. */
	wr.num_sge = op->send ? fill_sges(sge, x->dst, x->ndst) : 0;
	CHECK_ERRNO(ibv_post_recv(to->qp, &wr, &bad), 0, "ibv_post_recv");
}

void xfer_post_send(struct vt_ep *from, struct xfer *x)
{
	const struct xfer_op_info *op = &xfer_ops[x->op];
	struct ibv_sge sge[XFER_SEGS];
	struct ibv_send_wr wr = { .wr_id = x->wr_id, .sg_list = sge, .opcode = op->wr,
				  .send_flags = x->flags };
	const struct xfer_seg *remote = NULL;
	struct ibv_send_wr *bad;

	if (!x->silent)
		wr.send_flags |= IBV_SEND_SIGNALED;
	if (x->op == X_READ) {
		wr.num_sge = fill_sges(sge, x->dst, x->ndst);
		remote = &x->src[0];
	} else {
		wr.num_sge = fill_sges(sge, x->src, x->nsrc);
		if (!op->send)
			remote = &x->dst[0];
	}
	if (x->flags & IBV_SEND_INLINE)
		for (int i = 0; i < wr.num_sge; i++) {
			sge[i].addr = (uintptr_t)x->src[i].buf->ptr + x->src[i].off;
			sge[i].lkey = 0xbad;	/* not looked at for inline data */
		}
	if (remote) {
		wr.wr.rdma.remote_addr = remote->buf->iova + remote->off;
		wr.wr.rdma.rkey = remote->buf->mr->rkey;
	}
	if (op->imm)
		wr.imm_data = htonl(imm_of(x));
	if (op->inv)
		wr.invalidate_rkey = x->inv->rkey;
	CHECK_ERRNO(ibv_post_send(from->qp, &wr, &bad), 0, "ibv_post_send");
}

static void check_ok(const struct vt_ep *ep, const struct xfer *x, const struct ibv_wc *wc,
		     const char *what)
{
	CHECK(wc->status == IBV_WC_SUCCESS, "%s of %s, %llu bytes: status '%s'", what,
	      xfer_ops[x->op].name, (unsigned long long)xfer_len(x), ibv_wc_status_str(wc->status));
	CHECK(wc->wr_id == x->wr_id, "%s of %s: wr_id %#llx, expected %#llx", what,
	      xfer_ops[x->op].name, (unsigned long long)wc->wr_id, (unsigned long long)x->wr_id);
	CHECK_EQ(wc->qp_num, ep->qp->qp_num, "qp_num of a completion");
}

void xfer_check_send_wc(const struct vt_ep *from, const struct xfer *x, const struct ibv_wc *wc)
{
	check_ok(from, x, wc, "completion");
	CHECK_EQ(wc->opcode, xfer_ops[x->op].wc, "opcode of the requester's completion");
	if (x->op == X_READ)
		CHECK_EQ(wc->byte_len, xfer_len(x), "byte_len of a READ");
}

void xfer_check_recv_wc(const struct vt_ep *to, const struct xfer *x, const struct ibv_wc *wc)
{
	const struct xfer_op_info *op = &xfer_ops[x->op];

	check_ok(to, x, wc, "receive completion");
	CHECK_EQ(wc->opcode, op->recv_wc, "opcode of the receive completion");
	CHECK_EQ(wc->byte_len, xfer_len(x), "byte_len of the receive completion");
	CHECK_EQ(!!(wc->wc_flags & IBV_WC_WITH_IMM), op->imm, "IBV_WC_WITH_IMM");
	CHECK_EQ(!!(wc->wc_flags & IBV_WC_WITH_INV), op->inv, "IBV_WC_WITH_INV");
	if (op->imm)
		CHECK_EQ(ntohl(wc->imm_data), imm_of(x), "imm_data");
	if (op->inv)
		CHECK_EQ(wc->invalidated_rkey, x->inv->rkey, "invalidated_rkey");
}

/* Walk src and dst together: compare each stretch that lies in one segment of both. */
static void check_landed(const struct xfer *x)
{
	size_t left = xfer_len(x);
	size_t so = 0, d_o = 0;
	int s = 0, d = 0;

	while (left) {
		size_t n = left;

		if (so == x->src[s].len) {
			s++;
			so = 0;
			continue;
		}
		if (d_o == x->dst[d].len) {
			d++;
			d_o = 0;
			continue;
		}
		if (n > x->src[s].len - so)
			n = x->src[s].len - so;
		if (n > x->dst[d].len - d_o)
			n = x->dst[d].len - d_o;
		vt_buf_expect_copy(x->dst[d].buf, x->dst[d].off + d_o, n, x->src[s].buf,
				   x->src[s].off + so, xfer_ops[x->op].name);
		so += n;
		d_o += n;
		left -= n;
	}
}

/* The bytes of dst's buffers next to and between the segments, and the unused end of a receive. */
static void check_untouched(const struct xfer *x)
{
	size_t left = xfer_len(x);

	for (int i = 0; i < x->ndst; i++) {
		const struct xfer_seg *g = &x->dst[i];
		bool first = !i || x->dst[i - 1].buf != g->buf;
		bool last = i == x->ndst - 1 || x->dst[i + 1].buf != g->buf;
		size_t used = left < g->len ? left : g->len;
		size_t end = g->off + g->len;
		size_t after = g->buf->size - end;
		size_t before = first ? g->off : g->off - x->dst[i - 1].off - x->dst[i - 1].len;

		left -= used;
		if (before > XFER_GUARD)
			before = XFER_GUARD;
		if (after > XFER_GUARD)
			after = XFER_GUARD;
		vt_buf_check(g->buf, g->off - before, before, "in front of a segment");
		vt_buf_check(g->buf, g->off + used, g->len - used, "unused end of a receive");
		if (last)
			vt_buf_check(g->buf, end, after, "behind the last segment");
	}
}

void xfer_check_bytes(const struct xfer *x)
{
	check_landed(x);
	check_untouched(x);
}

void xfer_restore(struct xfer *x)
{
	for (int i = 0; i < x->ndst; i++)
		vt_buf_fill(x->dst[i].buf, x->dst[i].off, x->dst[i].len);
	if (x->inv)
		CHECK_ERRNO(ibv_dealloc_mw(x->inv), 0, "ibv_dealloc_mw of an invalidated window");
	x->inv = NULL;
}

void xfer_run(struct vt_ep *from, struct vt_ep *to, struct xfer *x)
{
	const struct xfer_op_info *op = &xfer_ops[x->op];
	struct ibv_wc wc;

	xfer_post_recv(to, x);
	xfer_post_send(from, x);
	if (op->recv) {
		vt_poll(to->rcq, &wc, op->name);
		xfer_check_recv_wc(to, x, &wc);
	}
	if (x->silent) {
		vt_fence(from);
	} else {
		vt_poll(from->scq, &wc, op->name);
		xfer_check_send_wc(from, x, &wc);
	}
	xfer_check_bytes(x);
	xfer_restore(x);
	x->wr_id++;
}

struct xfer xfer_simple(enum xfer_op op, struct vt_buf *src, size_t soff, struct vt_buf *dst,
			size_t doff, uint32_t len)
{
	return (struct xfer){
		.op = op, .src = { { src, soff, len } }, .dst = { { dst, doff, len } },
		.nsrc = 1, .ndst = 1, .wr_id = vt_mix(soff, doff ^ len),
	};
}
