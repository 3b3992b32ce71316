// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * rc_srq: what an SRQ tells. Its limit once and then no more, the last WQE of a QP in error once; a QP
 * that fails takes no WQE of the others with it.
 */
#include <errno.h>
#include <string.h>

#include "rc_srq.h"

#define QUIET_MS	100

static void set_limit(struct ibv_srq *srq, uint32_t limit, int want)
{
	struct ibv_srq_attr attr = { .srq_limit = limit };

	CHECK_ERRNO(ibv_modify_srq(srq, &attr, IBV_SRQ_LIMIT), want, "IBV_SRQ_LIMIT");
}

static uint32_t get_limit(struct ibv_srq *srq)
{
	struct ibv_srq_attr attr = { };

	CHECK_ERRNO(ibv_query_srq(srq, &attr), 0, "ibv_query_srq");
	return attr.srq_limit;
}

static void consume(struct srq_bench *b, int n)
{
	while (n--) {
		srq_send(b, 0, 0, 10);
		srq_take(b, "message", NULL);
		vt_expect_wc(&b->p[0]->a, b->p[0]->a.scq, 0, IBV_WC_SUCCESS, "SEND", NULL);
	}
}

static void limit(const void *wire)
{
	struct srq_bench *b = srq_bench(wire, 16, 1);

	for (uint64_t i = 0; i < 16; i++)
		CHECK_ERRNO(srq_post(b, b->srq, i), 0, "ibv_post_srq_recv");
	set_limit(b->srq, 17, EINVAL);
	set_limit(b->srq, 10, 0);
	CHECK_EQ(get_limit(b->srq), 10, "limit");
	consume(b, 6);
	vt_async_none(b->db, QUIET_MS, "10 left, limit 10");
	consume(b, 1);
	vt_async_expect(b->db, IBV_EVENT_SRQ_LIMIT_REACHED, b->srq, "9 left, limit 10");
	CHECK_EQ(get_limit(b->srq), 0, "limit after it was reached");
	consume(b, 4);
	vt_async_none(b->db, QUIET_MS, "limit not armed");
	/* Armed below: told at once, and disarmed. */
	set_limit(b->srq, 6, 0);
	vt_async_expect(b->db, IBV_EVENT_SRQ_LIMIT_REACHED, b->srq, "5 left, limit 6 armed");
	CHECK_EQ(get_limit(b->srq), 0, "limit after it was reached");
	set_limit(b->srq, 5, 0);
	set_limit(b->srq, 0, 0);
	consume(b, 5);
	vt_async_none(b->db, QUIET_MS, "limit disarmed");
}

static void to_error(struct vt_ep *ep)
{
	CHECK_ERRNO(vt_ep_to_state(ep, IBV_QPS_ERR), 0, "to the error state");
}

/* A QP that is idle, and one that has taken a WQE for a message which does not end. */
static void last_wqe(const void *wire)
{
	struct srq_bench *b = srq_bench(wire, 16, 2);

	for (uint64_t i = 0; i < 3; i++)
		CHECK_ERRNO(srq_post(b, b->srq, i), 0, "ibv_post_srq_recv");
	to_error(&b->p[0]->b);
	vt_async_expect(b->db, IBV_EVENT_QP_LAST_WQE_REACHED, b->p[0]->b.qp, "an idle QP");
	to_error(&b->p[0]->b);
	vt_async_none(b->db, QUIET_MS, "a QP in error");
	vt_poll_none(b->rcq, QUIET_MS, "WQEs of the SRQ are not flushed");
	/* All three serve the other QP, in order. */
	for (uint64_t i = 0; i < 3; i++) {
		srq_send(b, 1, i, 100);
		CHECK_EQ(srq_take(b, "message", NULL), i, "wr_id");
	}
	/* RESET and again: another time, another event. */
	CHECK_ERRNO(vt_ep_to_state(&b->p[0]->b, IBV_QPS_RESET), 0, "to RESET");
	CHECK_ERRNO(vt_ep_to_init(&b->p[0]->b, &b->p[0]->opts), 0, "to INIT");
	to_error(&b->p[0]->b);
	vt_async_expect(b->db, IBV_EVENT_QP_LAST_WQE_REACHED, b->p[0]->b.qp, "a QP in INIT");
}

/* A QP that fails by itself: the receive at fault completes, then the event; the others live. */
static void failure(const void *wire)
{
	struct srq_bench *b = srq_bench(wire, 16, 2);
	struct ibv_sge small = vt_sge(b->dst, 0, 8);
	struct ibv_recv_wr wr = { .wr_id = 40, .sg_list = &small, .num_sge = 1 }, *bad;

	CHECK_ERRNO(ibv_post_srq_recv(b->srq, &wr, &bad), 0, "ibv_post_srq_recv");
	for (uint64_t i = 1; i < 4; i++)
		CHECK_ERRNO(srq_post(b, b->srq, i), 0, "ibv_post_srq_recv");
	srq_send(b, 0, 9, 4000);
	vt_expect_wc(&b->p[0]->b, b->rcq, 40, IBV_WC_LOC_LEN_ERR, "receive too small", NULL);
	vt_expect_wc(&b->p[0]->a, b->p[0]->a.scq, 9, IBV_WC_REM_INV_REQ_ERR, "receive too small", NULL);
	vt_async_expect(b->db, IBV_EVENT_QP_LAST_WQE_REACHED, b->p[0]->b.qp, "receive too small");
	vt_async_none(b->db, QUIET_MS, "a QP in error");
	for (uint64_t i = 1; i < 4; i++) {
		srq_send(b, 1, i, 4000);
		CHECK_EQ(srq_take(b, "message on another QP", NULL), i, "wr_id");
		vt_buf_expect_copy(b->dst, i * SRQ_SLOT, 4000, b->src, i * SRQ_SLOT, "message");
	}
	/* The peer's mistake: its key is wrong, nobody's receive is at fault. */
	CHECK_ERRNO(srq_post(b, b->srq, 5), 0, "ibv_post_srq_recv");
	CHECK_ERRNO(vt_rdma(&b->p[1]->a, 6, IBV_WR_RDMA_WRITE, vt_sge(b->src, 0, 8),
			    b->dst->iova, b->dst->mr->rkey ^ 0x100), 0, "ibv_post_send");
	vt_async_expect(b->db, IBV_EVENT_QP_ACCESS_ERR, b->p[1]->b.qp, "wrong key");
	vt_async_expect(b->db, IBV_EVENT_QP_LAST_WQE_REACHED, b->p[1]->b.qp, "wrong key");
	vt_poll_none(b->rcq, QUIET_MS, "WQEs of the SRQ are not flushed");
}

void srq_add_events(void)
{
	srq_add("srq/limit", limit, 0);
	srq_add("srq/last_wqe", last_wqe, 0);
	srq_add("srq/failure", failure, 0);
}
