// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * rc_data: many requests at once. 64 QP pairs with random operations and CQs that all of them
 * share; lists of requests posted by one call; rings that wrap thousands of times; both ends
 * sending; more READs than may be outstanding; the order that RC promises between requests; sources
 * that are used again when they are free.
 */
#include <string.h>

#include "rc_data.h"

#define NPAIRS	64
#define SLOT	16384
#define ROUNDS	10

/* One of the pairs and the operation it has under way. */
struct runner {
	struct vt_pair *p;
	struct xfer x;
	unsigned int round;
	int pending;		/* completions still to come */
};

struct crowd {
	struct vt_buf *src[2], *dst[2];	/* per side; slot i belongs to pair i */
	struct runner r[NPAIRS];
	uint64_t rnd;
	unsigned int left;	/* operations to start or to finish */
};

static void start(struct crowd *c, unsigned int i)
{
	struct runner *r = &c->r[i];
	/* To be invalidated something has to be bound first, and the CQ is busy. */
	enum xfer_op ops[] = { X_SEND, X_SEND_IMM, X_WRITE, X_WRITE_IMM, X_READ };
	enum xfer_op op = ops[vt_rand(&c->rnd) % (sizeof(ops) / sizeof(ops[0]))];
	uint32_t len = (uint32_t)(vt_rand(&c->rnd) % (SLOT - 200));
	size_t so = i * SLOT + vt_rand(&c->rnd) % 100, eo = i * SLOT + 100 + vt_rand(&c->rnd) % 100;
	int from = op == X_READ ? 1 : 0;

	r->x = xfer_simple(op, c->src[from], so, c->dst[!from], eo, len);
	r->x.wr_id = (uint64_t)i << 16 | r->round;
	r->pending = 1 + xfer_ops[op].recv;
	xfer_post_recv(&r->p->b, &r->x);
	xfer_post_send(&r->p->a, &r->x);
}

/* Neighbouring slots are busy: check this slot only. */
static void finish(struct crowd *c, unsigned int i)
{
	struct runner *r = &c->r[i];
	const struct xfer_seg *d = &r->x.dst[0];
	size_t lo = i * SLOT, hi = lo + SLOT, end = d->off + d->len;

	vt_buf_expect_copy(d->buf, d->off, d->len, r->x.src[0].buf, r->x.src[0].off,
			   xfer_ops[r->x.op].name);
	vt_buf_check(d->buf, lo, d->off - lo, "in front, in the slot");
	vt_buf_check(d->buf, end, hi - end, "behind, in the slot");
	xfer_restore(&r->x);
	c->left--;
	if (++r->round < ROUNDS)
		start(c, i);
}

static void on_completion(struct crowd *c, const struct ibv_wc *wc, bool recv)
{
	unsigned int i = (unsigned int)(wc->wr_id >> 16);
	struct runner *r;

	CHECK(i < NPAIRS, "wr_id %#llx belongs to no pair, status '%s'",
	      (unsigned long long)wc->wr_id, ibv_wc_status_str(wc->status));
	r = &c->r[i];
	if (recv)
		xfer_check_recv_wc(&r->p->b, &r->x, wc);
	else
		xfer_check_send_wc(&r->p->a, &r->x, wc);
	CHECK(r->pending, "one completion too many for pair %u", i);
	if (!--r->pending)
		finish(c, i);
}

static void crowd(const void *arg)
{
	const struct rc_arg *t = arg;
	struct rc_devs d = rc_open(t->path);
	struct crowd *c = vt_zalloc(sizeof(*c));
	struct vt_opts o = VT_OPTS;
	uint64_t last;

	for (int side = 0; side < 2; side++) {
		struct vt_dev *dev = side ? d.b : d.a;

		c->src[side] = vt_buf_new(dev, side ? t->dst : t->src, NPAIRS * SLOT, VT_ACCESS_ALL);
		c->dst[side] = vt_buf_new(dev, side ? t->dst : t->src, NPAIRS * SLOT, VT_ACCESS_ALL);
		o.cq[side] = vt_cq_new(dev, 2 * NPAIRS, NULL);
	}
	o.send_wr = 4;
	o.recv_wr = 4;
	for (unsigned int i = 0; i < NPAIRS; i++)
		c->r[i].p = vt_pair_new(d.a, d.b, &o);
	c->left = NPAIRS * ROUNDS;
	for (unsigned int i = 0; i < NPAIRS; i++)
		start(c, i);
	for (last = vt_now_ms(); c->left; ) {
		struct ibv_wc wc[16];

		for (int side = 0; side < 2; side++) {
			int n = ibv_poll_cq(o.cq[side], 16, wc);

			CHECK(n >= 0, "ibv_poll_cq: %d", n);
			for (int k = 0; k < n; k++)
				on_completion(c, &wc[k], side == 1);
			if (n)
				last = vt_now_ms();
		}
		CHECK(vt_now_ms() - last < 10000 * vt_cfg.slow, "no completion for 10 s, %u of %u operations done",
		      NPAIRS * ROUNDS - c->left, NPAIRS * ROUNDS);
	}
}

/* A list of @n mixed requests by one call, receives likewise. */
static void one_batch(struct vt_pair *p, struct vt_buf *src, struct vt_buf *dst, unsigned int n)
{
	struct ibv_send_wr wr[64] = { }, *bad;
	struct ibv_recv_wr rr[64] = { }, *rbad;
	struct ibv_sge ss[64], rs[64];
	unsigned int nrecv = 0, k = 0;
	struct ibv_wc wc;

	for (unsigned int i = 0; i < n; i++) {
		bool send = i % 3 == 1;

		ss[i] = vt_sge(src, 1000 * i, 900 + i);
		wr[i] = (struct ibv_send_wr){
			.wr_id = i, .sg_list = &ss[i], .num_sge = 1,
			.opcode = send ? IBV_WR_SEND : IBV_WR_RDMA_WRITE,
			.send_flags = IBV_SEND_SIGNALED, .next = i + 1 < n ? &wr[i + 1] : NULL,
			.wr.rdma = { .remote_addr = dst->iova + 1000 * i, .rkey = dst->mr->rkey },
		};
		if (!send)
			continue;
		rs[nrecv] = vt_sge(dst, 1000 * i, 1000);
		rr[nrecv] = (struct ibv_recv_wr){ .wr_id = i, .sg_list = &rs[nrecv], .num_sge = 1 };
		if (nrecv)
			rr[nrecv - 1].next = &rr[nrecv];
		nrecv++;
	}
	if (nrecv)
		CHECK_ERRNO(ibv_post_recv(p->b.qp, rr, &rbad), 0, "ibv_post_recv of a list");
	CHECK_ERRNO(ibv_post_send(p->a.qp, wr, &bad), 0, "ibv_post_send of a list");
	for (unsigned int i = 0; i < n; i++) {
		vt_expect_wc(&p->a, p->a.scq, i, IBV_WC_SUCCESS, "request of a list", &wc);
		CHECK_EQ(wc.opcode, i % 3 == 1 ? IBV_WC_SEND : IBV_WC_RDMA_WRITE, "opcode");
	}
	for (k = 0; k < nrecv; k++) {
		vt_expect_wc(&p->b, p->b.rcq, rr[k].wr_id, IBV_WC_SUCCESS, "receive of a list", &wc);
		CHECK_EQ(wc.byte_len, 900 + rr[k].wr_id, "byte_len");
	}
	for (unsigned int i = 0; i < n; i++) {
		vt_buf_expect_copy(dst, 1000 * i, 900 + i, src, 1000 * i, "request of a list");
		vt_buf_check(dst, 1000 * i + 900 + i, 100 - i, "between two of a list");
	}
	vt_buf_fill(dst, 0, dst->size);
}

static void batch(const void *arg)
{
	const struct rc_arg *t = arg;
	struct rc_devs d = rc_open(t->path);
	struct vt_buf *src = vt_buf_new(d.a, VT_HOST, 65536, VT_ACCESS_ALL);
	struct vt_buf *dst = vt_buf_new(d.b, VT_HOST, 65536, VT_ACCESS_ALL);
	struct vt_opts o = VT_OPTS;
	struct vt_pair *p = vt_pair_new(d.a, d.b, &o);
	static const unsigned int n[] = { 1, 2, 7, 16, 33, 64, 64, 5, 64 };

	for (unsigned int i = 0; i < sizeof(n) / sizeof(n[0]); i++)
		one_batch(p, src, dst, n[i]);
}

/* A queue of @depth kept full: indices wrap many times, completions stay in order. */
static void ring_wrap(const void *arg)
{
	const struct rc_arg *t = arg;
	struct rc_devs d = rc_open(t->path);
	struct vt_buf *src = vt_buf_new(d.a, VT_HOST, 65536, VT_ACCESS_ALL);
	struct vt_buf *dst = vt_buf_new(d.b, VT_HOST, 65536, VT_ACCESS_ALL);
	unsigned int total = 1500, posted = 0, done = 0;
	struct vt_opts o = VT_OPTS;
	struct vt_pair *p;
	struct ibv_wc wc;

	o.send_wr = t->n;
	o.recv_wr = t->n;
	p = vt_pair_new(d.a, d.b, &o);
	while (done < total) {
		for (; posted < total && posted - done < t->n; posted++) {
			size_t at = posted % t->n * 64;

			CHECK_ERRNO(vt_recv(&p->b, posted, vt_sge(dst, at, 64)), 0, "ibv_post_recv");
			CHECK_ERRNO(vt_send(&p->a, posted, IBV_WR_SEND,
					    vt_sge(src, posted % 60000, 64), NULL, 0,
					    IBV_SEND_SIGNALED), 0, "ibv_post_send");
		}
		vt_expect_wc(&p->b, p->b.rcq, done, IBV_WC_SUCCESS, "receive in order", &wc);
		CHECK_EQ(wc.byte_len, 64, "byte_len");
		vt_buf_expect_copy(dst, done % t->n * 64, 64, src, done % 60000, "SEND");
		vt_expect_wc(&p->a, p->a.scq, done, IBV_WC_SUCCESS, "SEND in order", NULL);
		done++;
	}
}

/* Both ends send at the same time; each has its own window. */
static void bidir(const void *arg)
{
	const struct rc_arg *t = arg;
	struct rc_devs d = rc_open(t->path);
	const unsigned int window = 8, total = 100, len = 20001;
	struct vt_opts o = VT_OPTS;
	struct vt_pair *p = vt_pair_new(d.a, d.b, &o);
	struct vt_ep *ep[2] = { &p->a, &p->b };
	struct vt_buf *src[2], *dst[2];
	unsigned int sent[2] = { 0 }, acked[2] = { 0 }, got[2] = { 0 };
	uint64_t last;

	for (int s = 0; s < 2; s++) {
		src[s] = vt_buf_new(s ? d.b : d.a, t->src, total + len, VT_ACCESS_ALL);
		dst[s] = vt_buf_new(s ? d.b : d.a, t->dst, window * 20480, VT_ACCESS_ALL);
		for (unsigned int i = 0; i < window; i++)
			CHECK_ERRNO(vt_recv(ep[s], i, vt_sge(dst[s], i * 20480, len)), 0, "recv");
	}
	for (last = vt_now_ms(); got[0] < total || got[1] < total ||
	     acked[0] < total || acked[1] < total; ) {
		for (int s = 0; s < 2; s++) {
			struct ibv_wc wc;

			if (sent[s] < total && sent[s] - acked[s] < window) {
				CHECK_ERRNO(vt_send(ep[s], sent[s], IBV_WR_SEND,
						    vt_sge(src[s], sent[s], len), NULL, 0,
						    IBV_SEND_SIGNALED), 0, "ibv_post_send");
				sent[s]++;
			}
			if (vt_poll_for(ep[s]->scq, &wc, 0)) {
				CHECK_EQ(wc.status, IBV_WC_SUCCESS, "status of a SEND");
				CHECK_EQ(wc.wr_id, acked[s], "order of SENDs");
				acked[s]++;
				last = vt_now_ms();
			}
			if (vt_poll_for(ep[s]->rcq, &wc, 0)) {
				size_t at = got[s] % window * 20480;

				CHECK_EQ(wc.status, IBV_WC_SUCCESS, "status of a receive");
				CHECK_EQ(wc.wr_id, got[s], "order of receives");
				vt_buf_expect_copy(dst[s], at, len, src[!s], got[s], "SEND");
				vt_buf_check(dst[s], at + len, 20480 - len, "behind a SEND");
				got[s]++;
				CHECK_ERRNO(vt_recv(ep[s], got[s] - 1 + window,
						    vt_sge(dst[s], at, len)), 0, "ibv_post_recv");
			}
		}
		CHECK(vt_now_ms() - last < 10000 * vt_cfg.slow, "no progress for 10 s: %u+%u of %u received",
		      got[0], got[1], total);
	}
}

/* More READs posted than may be outstanding, with WRITEs between them; completions in order. */
static void reads(const void *arg)
{
	const struct rc_arg *t = arg;
	struct rc_devs d = rc_open(t->path);
	struct vt_buf *asrc = vt_buf_new(d.a, VT_HOST, 48 * 8192, VT_ACCESS_ALL);
	struct vt_buf *adst = vt_buf_new(d.a, VT_HOST, 48 * 8192, VT_ACCESS_ALL);
	struct vt_buf *bsrc = vt_buf_new(d.b, VT_BAR, 48 * 8192, VT_ACCESS_ALL);
	struct vt_buf *bdst = vt_buf_new(d.b, VT_BAR, 48 * 8192, VT_ACCESS_ALL);
	struct vt_opts o = VT_OPTS;
	struct vt_pair *p;

	o.rd_atomic = (uint8_t)t->n;
	p = vt_pair_new(d.a, d.b, &o);
	for (unsigned int i = 0; i < 48; i++) {
		size_t at = i * 8192;
		bool rd = i % 4 != 3;

		CHECK_ERRNO(vt_send(&p->a, i, rd ? IBV_WR_RDMA_READ : IBV_WR_RDMA_WRITE,
				    vt_sge(rd ? adst : asrc, at, 5000 + i), rd ? bsrc : bdst, at + 1,
				    IBV_SEND_SIGNALED), 0, "ibv_post_send");
	}
	for (unsigned int i = 0; i < 48; i++)
		vt_expect_wc(&p->a, p->a.scq, i, IBV_WC_SUCCESS, "READs and WRITEs in order", NULL);
	for (unsigned int i = 0; i < 48; i++) {
		size_t at = i * 8192;

		if (i % 4 != 3)
			vt_buf_expect_copy(adst, at, 5000 + i, bsrc, at + 1, "READ among many");
		else
			vt_buf_expect_copy(bdst, at + 1, 5000 + i, asrc, at, "WRITE among READs");
	}
}

/* What RC promises: a READ sees the WRITE before it and not the one behind; a SEND announces. */
static void order(const void *arg)
{
	const struct rc_arg *t = arg;
	struct rc_devs d = rc_open(t->path);
	const uint32_t len = 30001;
	struct vt_buf *one = vt_buf_new(d.a, VT_HOST, len, VT_ACCESS_ALL);
	struct vt_buf *two = vt_buf_new(d.a, VT_HOST, len, VT_ACCESS_ALL);
	struct vt_buf *back = vt_buf_new(d.a, VT_HOST, len, VT_ACCESS_ALL);
	struct vt_buf *dst = vt_buf_new(d.b, t->dst, len + 64, VT_ACCESS_ALL);
	struct vt_opts o = VT_OPTS;
	struct vt_pair *p = vt_pair_new(d.a, d.b, &o);

	for (int i = 0; i < 20; i++) {
		CHECK_ERRNO(vt_recv(&p->b, 9, vt_sge(dst, len, 64)), 0, "ibv_post_recv");
		vt_send(&p->a, 0, IBV_WR_RDMA_WRITE, vt_sge(one, 0, len), dst, 0, 0);
		vt_send(&p->a, 1, IBV_WR_RDMA_READ, vt_sge(back, 0, len), dst, 0, 0);
		vt_send(&p->a, 2, IBV_WR_RDMA_WRITE, vt_sge(two, 0, len), dst, 0, 0);
		vt_send(&p->a, 3, IBV_WR_SEND, vt_sge(one, 5, 7), NULL, 0, IBV_SEND_SIGNALED);
		vt_expect_wc(&p->b, p->b.rcq, 9, IBV_WC_SUCCESS, "SEND behind WRITEs", NULL);
		vt_buf_expect_copy(dst, 0, len, two, 0, "second WRITE, announced by a SEND");
		vt_expect_wc(&p->a, p->a.scq, 3, IBV_WC_SUCCESS, "SEND", NULL);
		vt_buf_expect_copy(back, 0, len, one, 0, "READ between two WRITEs");
		vt_buf_fill(back, 0, len);
		vt_buf_fill(dst, 0, len + 64);
	}
}

/*
 * A completion says that the source is free: it is written over at once, with other bytes first, then with
 * those of a later message. What arrives is what was there when each message was posted.
 */
static void reuse(const void *arg)
{
	enum { SLOTS = 4, MESSAGES = 64, LEN = 40001 };
	const struct rc_arg *t = arg;
	struct rc_devs d = rc_open(t->path);
	struct vt_buf *src = vt_buf_new(d.a, t->src, SLOTS * LEN, VT_ACCESS_ALL);
	struct vt_buf *dst = vt_buf_new(d.b, VT_HOST, MESSAGES * LEN, VT_ACCESS_ALL);
	const bool send = t->op == X_SEND;
	struct vt_opts o = VT_OPTS;
	struct vt_pair *p;

	o.recv_wr = MESSAGES;
	p = vt_pair_new(d.a, d.b, &o);
	for (unsigned int i = 0; send && i < MESSAGES; i++)
		CHECK_ERRNO(vt_recv(&p->b, i, vt_sge(dst, i * LEN, LEN)), 0, "ibv_post_recv");
	for (unsigned int i = 0; i < MESSAGES + SLOTS; i++) {
		size_t at = i % SLOTS * LEN;

		if (i >= SLOTS) {
			vt_expect_wc(&p->a, p->a.scq, i - SLOTS, IBV_WC_SUCCESS, "a source that is used again", NULL);
			vt_fill(src->ptr + at, LEN, ~i, 0);
		}
		if (i >= MESSAGES)
			continue;
		vt_fill(src->ptr + at, LEN, i, 0);
		CHECK_ERRNO(vt_send(&p->a, i, send ? IBV_WR_SEND : IBV_WR_RDMA_WRITE, vt_sge(src, at, LEN),
				    send ? NULL : dst, i * LEN, IBV_SEND_SIGNALED), 0, "ibv_post_send");
	}
	for (unsigned int i = 0; i < MESSAGES; i++) {
		if (send)
			vt_expect_wc(&p->b, p->b.rcq, i, IBV_WC_SUCCESS, "a SEND of such a source", NULL);
		vt_buf_expect(dst, i * LEN, LEN, i, 0, "what was there when it was posted");
	}
}

void rc_data_add_many(void)
{
	for (int path = 0; path < P_PATHS; path++) {
		struct rc_arg a = { .path = (enum rc_path)path };
		const char *pn = rc_path_name[path];

		rc_add(crowd, a, 60, "crowd/%s/host", pn);
		rc_add(batch, a, 0, "batch/%s", pn);
		rc_add(bidir, a, 40, "bidir/%s/host", pn);
		rc_add(order, a, 0, "order/%s/host", pn);
		for (a.src = VT_HOST; a.src <= VT_UDMABUF; a.src++) {
			a.op = X_WRITE;
			rc_add(reuse, a, 40, "reuse/write/%s/%s", pn, vt_mem_name[a.src]);
			a.op = X_SEND;
			rc_add(reuse, a, 40, "reuse/send/%s/%s", pn, vt_mem_name[a.src]);
		}
		a.src = VT_BAR;
		a.dst = VT_HEAP;
		rc_add(crowd, a, 60, "crowd/%s/bar-heap", pn);
		rc_add(bidir, a, 40, "bidir/%s/bar-heap", pn);
		a.dst = VT_BAR;
		rc_add(order, a, 0, "order/%s/bar", pn);
		for (a.n = 1; a.n <= 16; a.n *= 4) {
			rc_add(ring_wrap, a, 40, "ring_wrap/%s/%u", pn, a.n);
			rc_add(reads, a, 0, "reads/%s/%u", pn, a.n);
		}
	}
}
