// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * rc_errors: what ibv_post_* and the create calls refuse at once: states that do not take requests,
 * full queues, too many entries, too much inline data, unknown operations, sizes beyond the
 * device's limits. A refused call changes nothing: what was accepted before it still completes.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "rc_errors.h"

static void states(const void *arg)
{
	struct vt_opts o = VT_OPTS;
	struct err_bench b = err_bench(arg, &o, VT_ACCESS_ALL);
	struct vt_ep *a = &b.p->a;
	struct ibv_sge sge = vt_sge(b.src, 0, 64);

	CHECK_ERRNO(vt_ep_to_state(a, IBV_QPS_RESET), 0, "to RESET");
	CHECK_ERRNO(vt_send(a, 1, IBV_WR_SEND, sge, NULL, 0, 0), EINVAL, "post_send in RESET");
	CHECK_ERRNO(vt_recv(a, 1, sge), EINVAL, "post_recv in RESET");
	CHECK_ERRNO(vt_ep_to_init(a, &o), 0, "to INIT");
	CHECK_ERRNO(vt_send(a, 1, IBV_WR_SEND, sge, NULL, 0, 0), EINVAL, "post_send in INIT");
	CHECK_ERRNO(vt_recv(a, 1, sge), 0, "post_recv in INIT");
	CHECK_ERRNO(vt_ep_to_rtr(a, &b.p->b, &b.p->opts), 0, "to RTR");
	CHECK_ERRNO(vt_send(a, 1, IBV_WR_SEND, sge, NULL, 0, 0), EINVAL, "post_send in RTR");
	CHECK_ERRNO(vt_recv(a, 2, sge), 0, "post_recv in RTR");
	vt_poll_none(a->scq, 20, "after refused requests");
	vt_poll_none(a->rcq, 20, "after refused requests");
	/* Receives posted in INIT and RTR are there when the peer sends. */
	CHECK_ERRNO(vt_ep_to_state(&b.p->b, IBV_QPS_RESET), 0, "peer to RESET");
	CHECK_ERRNO(vt_ep_to_init(&b.p->b, &o), 0, "peer to INIT");
	CHECK_ERRNO(vt_ep_to_rtr(&b.p->b, a, &b.p->opts), 0, "peer to RTR");
	CHECK_ERRNO(vt_ep_to_rts(&b.p->b, &o), 0, "peer to RTS");
	for (uint64_t i = 1; i <= 2; i++) {
		CHECK_ERRNO(vt_send(&b.p->b, i, IBV_WR_SEND, vt_sge(b.dst, 0, 64), NULL, 0,
				    IBV_SEND_SIGNALED), 0, "post_send of the peer");
		vt_expect_wc(a, a->rcq, i, IBV_WC_SUCCESS, "receive posted before RTS", NULL);
	}
	vt_buf_fill(b.src, 0, 64);
}

/* Nobody receives, so nothing completes: exactly max_send_wr requests fit. */
static void full_sq(const void *arg)
{
	struct vt_opts o = VT_OPTS;
	struct err_bench b;
	struct vt_ep *a;
	uint32_t n;

	o.send_wr = 5;
	o.recv_wr = 5;
	b = err_bench(arg, &o, VT_ACCESS_ALL);
	a = &b.p->a;
	for (n = 0; n < a->cap.max_send_wr; n++)
		CHECK_ERRNO(vt_send(a, n, IBV_WR_SEND, vt_sge(b.src, n, 100), NULL, 0,
				    IBV_SEND_SIGNALED), 0, "post_send into a queue with room");
	for (int i = 0; i < 3; i++)
		CHECK_ERRNO(vt_send(a, 999, IBV_WR_SEND, vt_sge(b.src, 0, 100), NULL, 0,
				    IBV_SEND_SIGNALED), ENOMEM, "post_send into a full queue");
	for (n = 0; n < a->cap.max_send_wr; n++) {
		CHECK_ERRNO(vt_recv(&b.p->b, n, vt_sge(b.dst, 0, 100)), 0, "post_recv");
		vt_expect_wc(&b.p->b, b.p->b.rcq, n, IBV_WC_SUCCESS, "receive", NULL);
		vt_buf_expect_copy(b.dst, 0, 100, b.src, n, "request of a queue that was full");
		vt_expect_wc(a, a->scq, n, IBV_WC_SUCCESS, "request", NULL);
	}
	vt_buf_fill(b.dst, 0, 100);
	err_recovered(&b);
}

/* A list that does not fit is taken up to the first that does not. */
static void full_list(const void *arg)
{
	struct vt_opts o = VT_OPTS;
	struct err_bench b;
	struct ibv_send_wr wr[512] = { }, *bad = NULL;
	struct ibv_recv_wr rr[512] = { }, *rbad = NULL;
	uint32_t room, n;

	o.send_wr = 8;
	o.recv_wr = 8;
	b = err_bench(arg, &o, VT_ACCESS_ALL);
	room = b.p->a.cap.max_send_wr;
	CHECK(room < 500 && b.p->b.cap.max_recv_wr < 500, "8 requests became more than 500");
	for (n = 0; n < 512; n++) {
		wr[n] = (struct ibv_send_wr){ .wr_id = n, .opcode = IBV_WR_SEND,
					      .send_flags = IBV_SEND_SIGNALED,
					      .next = n < 511 ? &wr[n + 1] : NULL };
		rr[n] = (struct ibv_recv_wr){ .wr_id = n, .next = n < 511 ? &rr[n + 1] : NULL };
	}
	CHECK_ERRNO(ibv_post_send(b.p->a.qp, wr, &bad), ENOMEM, "post_send of a list too long");
	CHECK_EQ(bad - wr, room, "index of bad_wr");
	CHECK_ERRNO(ibv_post_recv(b.p->b.qp, rr, &rbad), ENOMEM, "post_recv of a list too long");
	CHECK_EQ(rbad - rr, b.p->b.cap.max_recv_wr, "index of bad_wr");
	for (n = 0; n < room && n < b.p->b.cap.max_recv_wr; n++) {
		vt_expect_wc(&b.p->a, b.p->a.scq, n, IBV_WC_SUCCESS, "accepted part of a list", NULL);
		vt_expect_wc(&b.p->b, b.p->b.rcq, n, IBV_WC_SUCCESS, "accepted part of a list", NULL);
	}
}

static void full_rq(const void *arg)
{
	struct vt_opts o = VT_OPTS;
	struct err_bench b;
	uint32_t n;

	o.recv_wr = 5;
	b = err_bench(arg, &o, VT_ACCESS_ALL);
	for (n = 0; n < b.p->b.cap.max_recv_wr; n++)
		CHECK_ERRNO(vt_recv(&b.p->b, n, vt_sge(b.dst, 0, 100)), 0, "post_recv");
	for (int i = 0; i < 3; i++)
		CHECK_ERRNO(vt_recv(&b.p->b, 999, vt_sge(b.dst, 0, 100)), ENOMEM,
			    "post_recv into a full queue");
	for (n = 0; n < b.p->b.cap.max_recv_wr; n++) {
		CHECK_ERRNO(vt_send(&b.p->a, n, IBV_WR_SEND, vt_sge(b.src, n, 100), NULL, 0,
				    IBV_SEND_SIGNALED), 0, "post_send");
		vt_expect_wc(&b.p->a, b.p->a.scq, n, IBV_WC_SUCCESS, "request", NULL);
		vt_expect_wc(&b.p->b, b.p->b.rcq, n, IBV_WC_SUCCESS, "receive", NULL);
	}
	CHECK_ERRNO(vt_recv(&b.p->b, 1000, vt_sge(b.dst, 0, 100)), 0, "post_recv after completions");
}

/* One request with something wrong in its shape; the QP stays as it was. */
static void shapes(const void *arg)
{
	struct vt_opts o = VT_OPTS;
	struct err_bench b;
	struct ibv_sge sge[300];
	struct ibv_recv_wr rr = { .sg_list = sge }, *rbad;
	struct ibv_send_wr wr = { .sg_list = sge, .opcode = IBV_WR_SEND }, *bad;
	struct vt_ep *a;

	o.inline_data = 64;
	b = err_bench(arg, &o, VT_ACCESS_ALL);
	a = &b.p->a;
	CHECK(a->cap.max_send_sge < 299 && a->cap.max_inline_data < ERR_SIZE, "caps are odd");
	for (int i = 0; i < 300; i++)
		sge[i] = vt_sge(b.src, 0, 1);
	wr.num_sge = (int)a->cap.max_send_sge + 1;
	CHECK_ERRNO(ibv_post_send(a->qp, &wr, &bad), EINVAL, "one entry too many");
	CHECK(bad == &wr, "bad_wr is not set");
	wr.num_sge = -1;
	CHECK_ERRNO(ibv_post_send(a->qp, &wr, &bad), EINVAL, "-1 entries");
	rr.num_sge = (int)a->cap.max_recv_sge + 1;
	CHECK_ERRNO(ibv_post_recv(a->qp, &rr, &rbad), EINVAL, "one receive entry too many");
	rr.num_sge = -1;
	CHECK_ERRNO(ibv_post_recv(a->qp, &rr, &rbad), EINVAL, "-1 receive entries");
	sge[0] = vt_sge(b.src, 0, a->cap.max_inline_data + 1);
	CHECK_ERRNO(vt_send(a, 1, IBV_WR_SEND, sge[0], NULL, 0, IBV_SEND_INLINE), EINVAL,
		    "one inline byte too many");
	/* Three lengths whose sum wraps to something small. */
	wr.num_sge = 3;
	wr.send_flags = IBV_SEND_INLINE;
	sge[0] = sge[1] = vt_sge(b.src, 0, 0x80000000);
	sge[2] = vt_sge(b.src, 0, 8);
	CHECK_ERRNO(ibv_post_send(a->qp, &wr, &bad), EINVAL, "inline lengths that wrap");
	sge[0] = vt_sge(b.src, 0, 8);
	CHECK_ERRNO(vt_send(a, 1, IBV_WR_RDMA_READ, sge[0], b.dst, 0, IBV_SEND_INLINE), EINVAL,
		    "inline READ");
	CHECK_ERRNO(vt_send(a, 1, (enum ibv_wr_opcode)99, sge[0], b.dst, 0, 0), EINVAL,
		    "unknown opcode");
	CHECK_ERRNO(vt_send(a, 1, (enum ibv_wr_opcode)-1, sge[0], b.dst, 0, 0), EINVAL,
		    "opcode -1");
	vt_poll_none(a->scq, 20, "after refused requests");
	CHECK_EQ(vt_ep_state(a), IBV_QPS_RTS, "state after refused requests");
	vt_ping(b.p, b.src, b.dst, 100);
}

static void expect_no_qp(struct vt_dev *d, struct ibv_cq *cq, struct ibv_qp_cap cap,
			 enum ibv_qp_type type, const char *what)
{
	struct ibv_qp_init_attr ia = { .send_cq = cq, .recv_cq = cq, .cap = cap, .qp_type = type };
	struct ibv_qp *qp;

	errno = 0;
	qp = ibv_create_qp(d->pd, &ia);
	CHECK(!qp, "ibv_create_qp accepted: %s", what);
	CHECK(errno == EINVAL || errno == ENOMEM || errno == EOPNOTSUPP,
	      "ibv_create_qp with %s: %s, expected EINVAL", what, strerror(errno));
}

static void limits(const void *arg)
{
	struct vt_dev *d = vt_open(vt_cfg.dev);
	struct ibv_cq *cq = vt_cq_new(d, 16, NULL);
	const struct ibv_qp_cap ok = { .max_send_wr = 4, .max_recv_wr = 4, .max_send_sge = 1,
				       .max_recv_sge = 1 };
	struct ibv_qp_cap c = ok;

	(void)arg;
	c.max_send_wr = (uint32_t)d->attr.max_qp_wr + 1;
	expect_no_qp(d, cq, c, IBV_QPT_RC, "max_send_wr beyond the limit");
	c.max_send_wr = 0xffffffff;
	expect_no_qp(d, cq, c, IBV_QPT_RC, "max_send_wr 2^32 - 1");
	c = ok;
	c.max_recv_wr = (uint32_t)d->attr.max_qp_wr + 1;
	expect_no_qp(d, cq, c, IBV_QPT_RC, "max_recv_wr beyond the limit");
	c = ok;
	c.max_send_sge = (uint32_t)d->attr.max_sge + 1;
	expect_no_qp(d, cq, c, IBV_QPT_RC, "max_send_sge beyond the limit");
	c = ok;
	c.max_recv_sge = (uint32_t)d->attr.max_sge + 1;
	expect_no_qp(d, cq, c, IBV_QPT_RC, "max_recv_sge beyond the limit");
	c = ok;
	c.max_inline_data = 1 << 20;
	expect_no_qp(d, cq, c, IBV_QPT_RC, "1 MiB of inline data");
	expect_no_qp(d, cq, ok, IBV_QPT_RAW_PACKET, "raw packet QP");
	expect_no_qp(d, cq, ok, (enum ibv_qp_type)77, "unknown QP type");
	CHECK(!ibv_create_cq(d->ctx, d->attr.max_cqe + 1, NULL, NULL, 0),
	      "ibv_create_cq accepted more than max_cqe entries");
	CHECK(errno == EINVAL, "ibv_create_cq beyond max_cqe: %s", strerror(errno));
	CHECK(!ibv_create_cq(d->ctx, -1, NULL, NULL, 0), "ibv_create_cq accepted -1 entries");
	CHECK(!ibv_create_cq(d->ctx, 16, NULL, NULL, 9999), "ibv_create_cq accepted vector 9999");
}

/* Exactly the limits work. */
static void at_limits(const void *arg)
{
	struct vt_dev *d = vt_open(vt_cfg.dev);
	struct vt_opts o = VT_OPTS;
	struct vt_pair *p;
	struct vt_buf *src = vt_buf_new(d, VT_HOST, 64, VT_ACCESS_ALL);
	struct vt_buf *dst = vt_buf_new(d, VT_HOST, 64, VT_ACCESS_ALL);

	(void)arg;
	o.cq[0] = o.cq[1] = vt_cq_new(d, d->attr.max_cqe < 65536 ? d->attr.max_cqe : 65536, NULL);
	o.send_wr = (uint32_t)d->attr.max_qp_wr;
	o.recv_wr = (uint32_t)d->attr.max_qp_wr;
	o.send_sge = (uint32_t)d->attr.max_sge;
	o.recv_sge = (uint32_t)d->attr.max_sge;
	p = vt_pair_new(d, d, &o);
	CHECK_ERRNO(vt_recv(&p->b, 2, vt_sge(dst, 0, 64)), 0, "post_recv");
	CHECK_ERRNO(vt_send(&p->a, 1, IBV_WR_SEND, vt_sge(src, 0, 64), NULL, 0, 0), 0, "post_send");
	vt_expect_wc(&p->b, p->b.rcq, 2, IBV_WC_SUCCESS, "receive at the limits", NULL);
	vt_buf_expect_copy(dst, 0, 64, src, 0, "SEND at the limits");
}

void err_add_post(void)
{
	err_add("post/states", states, (struct err_arg){ }, 0);
	err_add("post/full_sq", full_sq, (struct err_arg){ }, 0);
	err_add("post/full_list", full_list, (struct err_arg){ }, 0);
	err_add("post/full_rq", full_rq, (struct err_arg){ }, 0);
	err_add("post/shapes", shapes, (struct err_arg){ }, 0);
	vt_add("post/limits", limits, NULL, 0);
	vt_add("post/at_limits", at_limits, NULL, 0);
}
