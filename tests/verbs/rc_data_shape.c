// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * rc_data: the shapes of a request. Scatter/gather lists of 1 to 32 entries with odd splits, empty
 * entries and several regions in one request; inline data; signalled, unsignalled, selective;
 * receives larger than the message; lists of requests posted at once.
 */
#include <string.h>

#include "rc_data.h"

#define SEG_AREA	(256 * 1024)

/* Odd sizes that add up over page and MTU boundaries; every fifth entry is empty. */
static uint32_t seg_len(unsigned int i, uint64_t *rnd)
{
	if (i % 5 == 4)
		return 0;
	return (uint32_t)(1 + vt_rand(rnd) % (i % 7 == 3 ? 9001 : 777));
}

/* Cut @n segments out of the buffers in turn, each behind the last one with an odd gap. */
static uint32_t cut(struct xfer_seg *seg, unsigned int n, struct vt_buf **buf, unsigned int nbuf,
		    uint64_t *rnd)
{
	size_t at[4] = { 1, 3, 5, 7 };
	uint32_t total = 0;

	for (unsigned int i = 0; i < n; i++) {
		unsigned int b = i * nbuf / n;	/* rising, so that neighbours stay neighbours */
		uint32_t len = seg_len(i, rnd);

		seg[i] = (struct xfer_seg){ buf[b], at[b], len };
		at[b] += len + 1 + vt_rand(rnd) % 13;
		CHECK(at[b] < buf[b]->size, "the test's buffer is too small");
		total += len;
	}
	return total;
}

/* Make the last segment of @seg hold what is missing to @want bytes. */
static void stretch(struct xfer_seg *seg, int n, uint32_t have, uint32_t want)
{
	if (want > have)
		seg[n - 1].len += want - have;
}

static void one_sge_case(struct vt_pair *p, enum xfer_op op, unsigned int ns, unsigned int nd,
			 struct vt_buf **src, struct vt_buf **dst, unsigned int nbuf, uint64_t *rnd)
{
	struct xfer x = { .op = op, .wr_id = vt_rand(rnd), .nsrc = (int)ns, .ndst = (int)nd };
	uint32_t slen, dlen;

	if (op == X_READ)
		x.nsrc = 1;
	else if (!xfer_ops[op].send)
		x.ndst = 1;
	slen = cut(x.src, (unsigned int)x.nsrc, src, nbuf, rnd);
	dlen = cut(x.dst, (unsigned int)x.ndst, dst, nbuf, rnd);
	if (xfer_ops[op].send) {
		stretch(x.dst, x.ndst, dlen, slen);	/* room, with an unused end or without */
	} else if (op == X_READ) {
		x.src[0].len = dlen;
	} else {
		x.dst[0].len = slen;
	}
	xfer_run(&p->a, &p->b, &x);
}

static void sges(const void *arg)
{
	static const unsigned int counts[] = { 1, 2, 3, 4, 5, 7, 16, 31, 32 };
	const struct rc_arg *t = arg;
	struct rc_devs d = rc_open(t->path);
	struct vt_buf *src[4], *dst[4];
	struct vt_opts o = VT_OPTS;
	struct vt_pair *p;
	uint64_t rnd = 7;
	unsigned int i, nbuf = t->flag ? 4 : 1;

	for (i = 0; i < nbuf; i++) {
		enum vt_mem s = t->flag ? (enum vt_mem)i : t->src;
		enum vt_mem e = t->flag ? (enum vt_mem)(3 - i) : t->dst;

		src[i] = vt_buf_new(rc_src_dev(&d, t->op), s, SEG_AREA, VT_ACCESS_ALL);
		dst[i] = vt_buf_new(rc_dst_dev(&d, t->op), e, SEG_AREA, VT_ACCESS_ALL);
	}
	o.send_sge = 32;
	o.recv_sge = 32;
	p = vt_pair_new(d.a, d.b, &o);
	for (i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
		one_sge_case(p, t->op, counts[i], counts[(i * 4 + 3) % 9], src, dst, nbuf, &rnd);
	for (i = 0; i < nbuf; i++) {
		vt_buf_check(src[i], 0, SEG_AREA, "source after all transfers");
		vt_buf_check(dst[i], 0, SEG_AREA, "destination after all transfers");
	}
}

/* Inline data is taken when the request is posted: the source is overwritten right after. */
static void inline_data(const void *arg)
{
	const struct rc_arg *t = arg;
	struct rc_devs d = rc_open(t->path);
	struct vt_buf *src = vt_buf_alloc(VT_HOST, 8192);
	struct vt_buf *dst = vt_buf_new(d.b, t->dst, 8192, VT_ACCESS_ALL);
	struct vt_opts o = VT_OPTS;
	struct vt_pair *p;
	struct ibv_wc wc;
	uint32_t max;

	o.inline_data = 256;
	p = vt_pair_new(d.a, d.b, &o);
	max = p->a.cap.max_inline_data;
	for (uint32_t len = 0; len <= max; len = len < 20 ? len + 1 : len == max ? max + 1 :
	     len + 37 > max ? max : len + 37) {
		struct xfer x = xfer_simple(t->op, src, 3, dst, len % 11, len);

		x.flags = IBV_SEND_INLINE;
		if (len > 3) {	/* several entries, gathered by the provider */
			x.nsrc = 3;
			x.src[0].len = 1;
			x.src[1] = (struct xfer_seg){ src, 1000, len - 3 };
			x.src[2] = (struct xfer_seg){ src, 4097, 2 };
		}
		xfer_post_recv(&p->b, &x);
		xfer_post_send(&p->a, &x);
		memset(src->ptr, 0xee, src->size);
		if (xfer_ops[t->op].recv) {
			vt_poll(p->b.rcq, &wc, "receive of inline data");
			xfer_check_recv_wc(&p->b, &x, &wc);
		}
		vt_poll(p->a.scq, &wc, "inline data");
		xfer_check_send_wc(&p->a, &x, &wc);
		vt_buf_fill(src, 0, src->size);
		xfer_check_bytes(&x);
		xfer_restore(&x);
	}
}

/* Unsignalled requests give no completion; what one of them would have said, the fence says. */
static void unsignalled(const void *arg)
{
	const struct rc_arg *t = arg;
	struct rc_devs d = rc_open(t->path);
	struct vt_buf *src = vt_buf_new(rc_src_dev(&d, t->op), VT_HOST, 65536, VT_ACCESS_ALL);
	struct vt_buf *dst = vt_buf_new(rc_dst_dev(&d, t->op), VT_HOST, 65536, VT_ACCESS_ALL);
	struct vt_opts o = VT_OPTS;
	struct vt_pair *p;

	o.send_wr = 8;
	p = vt_pair_new(d.a, d.b, &o);
	for (uint32_t i = 0; i < 40; i++) {	/* five times around the send queue */
		struct xfer x = xfer_simple(t->op, src, i, dst, 3 * i, 97 * i);

		x.silent = i % 3 != 2;
		xfer_run(&p->a, &p->b, &x);
	}
	vt_poll_none(p->a.scq, 20, "after unsignalled requests");
}

/* sq_sig_all: every request completes, flag or not. */
static void sig_all(const void *arg)
{
	const struct rc_arg *t = arg;
	struct rc_devs d = rc_open(t->path);
	struct vt_buf *src = vt_buf_new(d.a, VT_HOST, 4096, VT_ACCESS_ALL);
	struct vt_buf *dst = vt_buf_new(d.b, VT_HOST, 4096, VT_ACCESS_ALL);
	struct vt_opts o = VT_OPTS;
	struct vt_pair *p;

	o.sig_all = true;
	p = vt_pair_new(d.a, d.b, &o);
	for (uint64_t i = 0; i < 10; i++) {
		CHECK_ERRNO(vt_send(&p->a, i, IBV_WR_RDMA_WRITE, vt_sge(src, i, 100), dst, 100 * i, 0),
			    0, "ibv_post_send");
		vt_expect_wc(&p->a, p->a.scq, i, IBV_WC_SUCCESS, "unflagged WRITE, sq_sig_all", NULL);
		vt_buf_expect_copy(dst, 100 * i, 100, src, i, "WRITE");
	}
	vt_poll_none(p->a.scq, 20, "after all completions");
}

/* One signalled request in eight: its completion speaks for those before it, in order. */
static void selective(const void *arg)
{
	const struct rc_arg *t = arg;
	struct rc_devs d = rc_open(t->path);
	struct vt_buf *src = vt_buf_new(d.a, VT_HOST, 65536, VT_ACCESS_ALL);
	struct vt_buf *dst = vt_buf_new(d.b, VT_HEAP, 65536, VT_ACCESS_ALL);
	struct vt_opts o = VT_OPTS;
	struct vt_pair *p;

	o.send_wr = 16;
	p = vt_pair_new(d.a, d.b, &o);
	for (uint64_t i = 0; i < 160; i++) {
		unsigned int flags = i % 8 == 7 ? IBV_SEND_SIGNALED : 0;
		size_t at = (i % 16) * 4096;

		CHECK_ERRNO(vt_send(&p->a, i, IBV_WR_RDMA_WRITE, vt_sge(src, at, 4000), dst, at,
				    flags), 0, "ibv_post_send (at most 16 of 16 outstanding)");
		if (!flags)
			continue;
		vt_expect_wc(&p->a, p->a.scq, i, IBV_WC_SUCCESS, "selective signalling", NULL);
		for (uint64_t j = i - 7; j <= i; j++) {
			at = (j % 16) * 4096;
			vt_buf_expect_copy(dst, at, 4000, src, at, "WRITE before a signalled one");
			vt_buf_check(dst, at + 4000, 96, "between two WRITEs");
			vt_buf_fill(dst, at, 4000);
		}
	}
}

/* A receive with room to spare: byte_len tells, the rest stays as it was. */
static void roomy(const void *arg)
{
	const struct rc_arg *t = arg;
	struct rc_devs d = rc_open(t->path);
	struct vt_buf *src = vt_buf_new(d.a, t->src, 65536, VT_ACCESS_ALL);
	struct vt_buf *dst = vt_buf_new(d.b, t->dst, 65536, VT_ACCESS_ALL);
	struct vt_opts o = VT_OPTS;
	struct vt_pair *p = vt_pair_new(d.a, d.b, &o);
	static const uint32_t len[] = { 0, 1, 4095, 5000, 20000 };

	for (unsigned int i = 0; i < sizeof(len) / sizeof(len[0]); i++) {
		struct xfer x = xfer_simple(t->op, src, 11, dst, 13, len[i]);

		x.dst[0].len = len[i] + 1 + 777 * i;
		xfer_run(&p->a, &p->b, &x);
	}
}

void rc_data_add_shape(void)
{
	for (int path = 0; path < P_PATHS; path++)
		for (int op = 0; op < X_OPS; op++) {
			struct rc_arg a = { .op = (enum xfer_op)op, .path = (enum rc_path)path };
			const char *on = xfer_ops[op].name, *pn = rc_path_name[path];

			rc_add(sges, a, 0, "sge/%s/%s/host", on, pn);
			a.flag = true;
			rc_add(sges, a, 0, "sge/%s/%s/mixed", on, pn);
			a.flag = false;
			rc_add(unsignalled, a, 0, "unsignalled/%s/%s", on, pn);
			if (op != X_READ) {
				rc_add(inline_data, a, 0, "inline/%s/%s/host", on, pn);
				a.dst = VT_BAR;
				rc_add(inline_data, a, 0, "inline/%s/%s/bar", on, pn);
			}
			a.src = VT_BAR;
			a.dst = VT_HEAP;
			if (xfer_ops[op].send)
				rc_add(roomy, a, 0, "roomy/%s/%s", on, pn);
		}
	for (int path = 0; path < P_PATHS; path++) {
		struct rc_arg a = { .path = (enum rc_path)path };

		rc_add(sig_all, a, 0, "sig_all/%s", rc_path_name[path]);
		rc_add(selective, a, 0, "selective/%s", rc_path_name[path]);
	}
}
