// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * rc_errors: the state machine. Transitions that do not exist, transitions without a required
 * attribute, values out of range: refused, and the state stays. The error state flushes both
 * queues in order, and whatever is posted to it; RESET empties them.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

#include "rc_errors.h"

#define M_INIT	(IBV_QP_STATE | IBV_QP_PKEY_INDEX | IBV_QP_PORT | IBV_QP_ACCESS_FLAGS)
#define M_RTR	(IBV_QP_STATE | IBV_QP_AV | IBV_QP_PATH_MTU | IBV_QP_DEST_QPN | IBV_QP_RQ_PSN | \
		 IBV_QP_MAX_DEST_RD_ATOMIC | IBV_QP_MIN_RNR_TIMER)
#define M_RTS	(IBV_QP_STATE | IBV_QP_SQ_PSN | IBV_QP_TIMEOUT | IBV_QP_RETRY_CNT | \
		 IBV_QP_RNR_RETRY | IBV_QP_MAX_QP_RD_ATOMIC)

/* Attributes that are good for every transition; the state is left to the caller. */
static struct ibv_qp_attr good(const struct vt_ep *ep, const struct vt_ep *peer)
{
	return (struct ibv_qp_attr){
		.port_num = 1, .qp_access_flags = VT_ACCESS_ALL, .path_mtu = IBV_MTU_1024,
		.dest_qp_num = peer->qp->qp_num, .max_dest_rd_atomic = 1, .min_rnr_timer = 1,
		.timeout = 14, .retry_cnt = 1, .rnr_retry = 1, .max_rd_atomic = 1,
		.ah_attr = { .is_global = 1, .port_num = 1,
			     .grh = { .dgid = peer->gid, .hop_limit = 1,
				      .sgid_index = (uint8_t)ep->gid_index } },
	};
}

static void refused(struct vt_ep *ep, struct ibv_qp_attr attr, enum ibv_qp_state to, int mask,
		    const char *what)
{
	enum ibv_qp_state was = vt_ep_state(ep);
	int err;

	attr.qp_state = to;
	err = ibv_modify_qp(ep->qp, &attr, mask);
	CHECK(err, "ibv_modify_qp from state %d to %d with mask %#x was accepted: %s", was, to, mask,
	      what);
	CHECK(err == EINVAL || err == EOPNOTSUPP || err == ENODEV || err == ENOENT ||
	      err == ENODATA || err == ENETUNREACH || err == EHOSTUNREACH, "%s: %s", what, strerror(err));
	CHECK_EQ(vt_ep_state(ep), was, "state after a refused transition");
}

/* Every single required attribute left out, and one that does not belong there. */
static void without_each(struct vt_ep *ep, struct ibv_qp_attr a, enum ibv_qp_state to, int mask,
			 int foreign)
{
	for (int bit = 1; bit <= IBV_QP_DEST_QPN; bit <<= 1)
		if (bit != IBV_QP_STATE && (mask & bit))
			refused(ep, a, to, mask & ~bit, "a required attribute is missing");
	refused(ep, a, to, mask | foreign, "an attribute that the transition does not take");
}

static void missing(const void *arg)
{
	struct vt_opts o = VT_OPTS;
	struct err_bench b = err_bench(arg, &o, VT_ACCESS_ALL);
	struct vt_ep *ep = &b.p->a;
	struct ibv_qp_attr a = good(ep, &b.p->b);

	CHECK_ERRNO(vt_ep_to_state(ep, IBV_QPS_RESET), 0, "to RESET");
	without_each(ep, a, IBV_QPS_INIT, M_INIT, IBV_QP_QKEY);
	CHECK_ERRNO(vt_ep_to_init(ep, &o), 0, "to INIT");
	without_each(ep, a, IBV_QPS_RTR, M_RTR, IBV_QP_SQ_PSN);
	CHECK_ERRNO(vt_ep_to_rtr(ep, &b.p->b, &b.p->opts), 0, "to RTR");
	without_each(ep, a, IBV_QPS_RTS, M_RTS, IBV_QP_DEST_QPN);
	CHECK_ERRNO(vt_ep_to_rts(ep, &o), 0, "to RTS");
}

static void transitions(const void *arg)
{
	struct vt_opts o = VT_OPTS;
	struct err_bench b = err_bench(arg, &o, VT_ACCESS_ALL);
	struct vt_ep *ep = &b.p->a;
	struct ibv_qp_attr a = good(ep, &b.p->b);

	refused(ep, a, IBV_QPS_INIT, M_INIT, "RTS to INIT");
	refused(ep, a, IBV_QPS_RTR, M_RTR, "RTS to RTR");
	refused(ep, a, (enum ibv_qp_state)42, IBV_QP_STATE, "state 42");
	CHECK_ERRNO(vt_ep_to_state(ep, IBV_QPS_ERR), 0, "to ERR");
	refused(ep, a, IBV_QPS_INIT, M_INIT, "ERR to INIT");
	refused(ep, a, IBV_QPS_RTR, M_RTR, "ERR to RTR");
	refused(ep, a, IBV_QPS_RTS, M_RTS, "ERR to RTS");
	CHECK_ERRNO(vt_ep_to_state(ep, IBV_QPS_RESET), 0, "to RESET");
	refused(ep, a, IBV_QPS_RTR, M_RTR, "RESET to RTR");
	refused(ep, a, IBV_QPS_RTS, M_RTS, "RESET to RTS");
	CHECK_ERRNO(vt_ep_to_init(ep, &o), 0, "to INIT");
	refused(ep, a, IBV_QPS_RTS, M_RTS, "INIT to RTS");
}

static void values(const void *arg)
{
	struct vt_opts o = VT_OPTS;
	struct err_bench b = err_bench(arg, &o, VT_ACCESS_ALL);
	struct vt_ep *ep = &b.p->a;
	const struct ibv_qp_attr g = good(ep, &b.p->b);
	struct ibv_qp_attr a = g;

	CHECK_ERRNO(vt_ep_to_state(ep, IBV_QPS_RESET), 0, "to RESET");
	a.port_num = 2;
	refused(ep, a, IBV_QPS_INIT, M_INIT, "port 2");
	a.port_num = 0;
	refused(ep, a, IBV_QPS_INIT, M_INIT, "port 0");
	a = g;
	a.pkey_index = 60000;
	refused(ep, a, IBV_QPS_INIT, M_INIT, "P_Key index 60000");
	CHECK_ERRNO(vt_ep_to_init(ep, &o), 0, "to INIT");
	a = g;
	a.path_mtu = (enum ibv_mtu)0;
	refused(ep, a, IBV_QPS_RTR, M_RTR, "path MTU 0");
	a.path_mtu = (enum ibv_mtu)6;
	refused(ep, a, IBV_QPS_RTR, M_RTR, "path MTU code 6");
	a = g;
	a.max_dest_rd_atomic = 255;
	refused(ep, a, IBV_QPS_RTR, M_RTR, "max_dest_rd_atomic 255");
	a = g;
	a.ah_attr.grh.sgid_index = 255;
	refused(ep, a, IBV_QPS_RTR, M_RTR, "GID index 255");
	a = g;
	a.ah_attr.is_global = 0;
	refused(ep, a, IBV_QPS_RTR, M_RTR, "no GRH on RoCE");
	a = g;
	a.min_rnr_timer = 32;
	refused(ep, a, IBV_QPS_RTR, M_RTR, "min_rnr_timer 32");
	CHECK_ERRNO(vt_ep_to_rtr(ep, &b.p->b, &b.p->opts), 0, "to RTR");
	a = g;
	a.retry_cnt = 8;
	refused(ep, a, IBV_QPS_RTS, M_RTS, "retry_cnt 8");
	a = g;
	a.rnr_retry = 8;
	refused(ep, a, IBV_QPS_RTS, M_RTS, "rnr_retry 8");
	a = g;
	a.timeout = 32;
	refused(ep, a, IBV_QPS_RTS, M_RTS, "timeout 32");
	a = g;
	a.max_rd_atomic = 255;
	refused(ep, a, IBV_QPS_RTS, M_RTS, "max_rd_atomic 255");
	CHECK_ERRNO(vt_ep_to_rts(ep, &o), 0, "to RTS");
}

/* What was set is what ibv_query_qp tells. */
static void query(const void *arg)
{
	struct vt_opts o = VT_OPTS;
	struct err_bench b;
	struct ibv_qp_init_attr ia;
	struct ibv_qp_attr q = { };

	o.mtu = IBV_MTU_512;
	o.timeout = 11;
	o.retry = 3;
	o.rnr_retry = 2;
	o.min_rnr_timer = 9;
	o.rd_atomic = 5;
	b = err_bench(arg, &o, VT_ACCESS_ALL);
	CHECK_ERRNO(ibv_query_qp(b.p->a.qp, &q, 0x1fffff, &ia), 0, "ibv_query_qp");
	CHECK_EQ(q.qp_state, IBV_QPS_RTS, "qp_state");
	CHECK_EQ(q.path_mtu, IBV_MTU_512, "path_mtu");
	CHECK_EQ(q.dest_qp_num, b.p->b.qp->qp_num, "dest_qp_num");
	CHECK_EQ(q.rq_psn, o.psn[1], "rq_psn");
	CHECK_EQ(q.sq_psn, o.psn[0], "sq_psn");
	CHECK_EQ(q.timeout, 11, "timeout");
	CHECK_EQ(q.retry_cnt, 3, "retry_cnt");
	CHECK_EQ(q.rnr_retry, 2, "rnr_retry");
	CHECK_EQ(q.min_rnr_timer, 9, "min_rnr_timer");
	CHECK_EQ(q.max_rd_atomic, 5, "max_rd_atomic");
	CHECK_EQ(q.max_dest_rd_atomic, 5, "max_dest_rd_atomic");
	CHECK_EQ(q.qp_access_flags & VT_ACCESS_ALL & ~IBV_ACCESS_LOCAL_WRITE,
		 IBV_ACCESS_REMOTE_READ | IBV_ACCESS_REMOTE_WRITE, "qp_access_flags");
	CHECK(!memcmp(&q.ah_attr.grh.dgid, &b.p->b.gid, 16), "dgid differs");
	CHECK_EQ(q.cap.max_send_wr, b.p->a.cap.max_send_wr, "cap.max_send_wr");
	CHECK_EQ(q.cap.max_recv_sge, b.p->a.cap.max_recv_sge, "cap.max_recv_sge");
}

/* Both queues flush in order; so does what is posted to a QP in error. */
static void flush(const void *arg)
{
	struct vt_opts o = VT_OPTS;
	struct err_bench b = err_bench(arg, &o, VT_ACCESS_ALL);
	struct vt_ep *a = &b.p->a;
	uint64_t i;

	for (i = 0; i < 9; i++)
		CHECK_ERRNO(vt_recv(a, 100 + i, vt_sge(b.src, 0, 64)), 0, "post_recv");
	for (i = 0; i < 7; i++)	/* no receive at the peer: they stay; half of them unsignalled */
		CHECK_ERRNO(vt_send(a, i, IBV_WR_SEND, vt_sge(b.src, 0, 64), NULL, 0,
				    i & 1 ? IBV_SEND_SIGNALED : 0), 0, "post_send");
	vt_sleep_ms(20);
	CHECK_ERRNO(vt_ep_to_state(a, IBV_QPS_ERR), 0, "to ERR");
	for (i = 0; i < 7; i++)
		vt_expect_wc(a, a->scq, i, IBV_WC_WR_FLUSH_ERR, "flush of the send queue", NULL);
	for (i = 0; i < 9; i++)
		vt_expect_wc(a, a->rcq, 100 + i, IBV_WC_WR_FLUSH_ERR, "flush of the receive queue",
			     NULL);
	for (i = 0; i < 200; i++) {	/* more than the queues hold: room comes back */
		CHECK_ERRNO(vt_recv(a, 200 + i, vt_sge(b.src, 0, 64)), 0, "post_recv in ERR");
		vt_expect_wc(a, a->rcq, 200 + i, IBV_WC_WR_FLUSH_ERR, "receive posted in ERR", NULL);
		CHECK_ERRNO(vt_send(a, 300 + i, IBV_WR_SEND, vt_sge(b.src, 0, 64), NULL, 0, 0), 0,
			    "post_send in ERR");
		vt_expect_wc(a, a->scq, 300 + i, IBV_WC_WR_FLUSH_ERR, "request posted in ERR", NULL);
	}
	vt_poll_none(a->scq, 20, "after the flush");
	vt_poll_none(a->rcq, 20, "after the flush");
	vt_buf_check(b.dst, 0, b.dst->size, "peer of flushed requests");
	err_recovered(&b);
}

/* RESET drops what is queued without completions, and what of it was completed and not polled. */
static void reset(const void *arg)
{
	struct vt_opts o = VT_OPTS;
	struct err_bench b = err_bench(arg, &o, VT_ACCESS_ALL);
	struct vt_ep *a = &b.p->a;

	for (int round = 0; round < 20; round++) {
		for (uint64_t i = 0; i < 60; i++) {
			CHECK_ERRNO(vt_recv(a, i, vt_sge(b.src, 0, 64)), 0, "post_recv");
			CHECK_ERRNO(vt_send(a, i, IBV_WR_SEND, vt_sge(b.src, 0, 64), NULL, 0,
					    IBV_SEND_SIGNALED), 0, "post_send");
		}
		if (round & 1)
			CHECK_ERRNO(vt_ep_to_state(a, IBV_QPS_ERR), 0, "to ERR");
		vt_pair_reset(b.p);
		vt_poll_none(a->scq, 1, "after RESET");
		vt_poll_none(a->rcq, 1, "after RESET");
	}
	err_recovered(&b);
}

/* TCP QPs connect in each. */
#define RACES	(vt_is_tcp() || !vt_is_long() ? 300 : 1000)
#define STEP	100

struct racer {
	struct err_bench *b;
	int go, done;		/* rounds, atomic */
	int delay;		/* turns that the peer waits; negative: that the QP does */
};

static void wait_for_round(int *at, int round)
{
	while (__atomic_load_n(at, __ATOMIC_ACQUIRE) < round)
		sched_yield();
}

static void turn(int n)
{
	for (volatile int i = 0; i < n; i++)
		;
}

/* The peer's requests that fail the QP. */
static void *fails_it(void *arg)
{
	struct racer *r = arg;
	struct err_bench *b = r->b;

	for (int round = 1; round <= RACES; round++) {
		wait_for_round(&r->go, round);
		turn(r->delay);
		CHECK_ERRNO(vt_rdma(&b->p->b, 1, IBV_WR_RDMA_WRITE, vt_sge(b->dst, 0, 8), b->src->iova,
				    b->src->mr->rkey ^ 0x5500), 0, "ibv_post_send");
		__atomic_store_n(&r->done, round, __ATOMIC_RELEASE);
	}
	return NULL;
}

/*
 * On its way from RTR to RTS a QP is failed by its peer. Whoever comes first, it ends in ERR: having
 * flushed its receive it must not be found in RTS. Who came first waits longer the next time, so that
 * most rounds are close.
 */
static void race(const void *arg)
{
	struct vt_opts o = VT_OPTS;
	struct err_bench b = err_bench(arg, &o, VT_ACCESS_ALL);
	struct vt_ep *a = &b.p->a, *peer = &b.p->b;
	struct racer r = { .b = &b };
	pthread_t thread;

	CHECK_ERRNO(pthread_create(&thread, NULL, fails_it, &r), 0, "pthread_create");
	for (int round = 1; round <= RACES; round++) {
		int err;

		CHECK_ERRNO(vt_ep_to_state(a, IBV_QPS_RESET), 0, "to RESET");
		CHECK_ERRNO(vt_ep_to_state(peer, IBV_QPS_RESET), 0, "to RESET of the peer");
		CHECK_ERRNO(vt_ep_to_init(a, &b.p->opts), 0, "to INIT");
		CHECK_ERRNO(vt_ep_to_init(peer, &b.p->opts), 0, "to INIT of the peer");
		CHECK_ERRNO(vt_ep_to_rtr(a, peer, &b.p->opts), 0, "to RTR");
		CHECK_ERRNO(vt_ep_to_rtr(peer, a, &b.p->opts), 0, "to RTR of the peer");
		CHECK_ERRNO(vt_ep_to_rts(peer, &b.p->opts), 0, "to RTS of the peer");
		CHECK_ERRNO(vt_recv(a, 2, vt_sge(b.src, 0, 64)), 0, "ibv_post_recv");
		__atomic_store_n(&r.go, round, __ATOMIC_RELEASE);
		turn(-r.delay);
		err = vt_ep_to_rts(a, &b.p->opts);
		CHECK(!err || err == EINVAL, "to RTS: %s", strerror(err));
		wait_for_round(&r.done, round);
		vt_expect_wc(peer, peer->scq, 1, IBV_WC_REM_ACCESS_ERR, "the peer's request", NULL);
		vt_expect_wc(a, a->rcq, 2, IBV_WC_WR_FLUSH_ERR, "the receive", NULL);
		CHECK_EQ(vt_ep_state(a), IBV_QPS_ERR, "state after the flush");
		r.delay += err ? STEP : -STEP;
	}
	CHECK_ERRNO(pthread_join(thread, NULL), 0, "pthread_join");
	err_recovered(&b);
}

void err_add_state(void)
{
	err_add("state/missing_attr", missing, (struct err_arg){ }, 0);
	err_add("state/transitions", transitions, (struct err_arg){ }, 0);
	err_add("state/values", values, (struct err_arg){ }, 0);
	err_add("state/query", query, (struct err_arg){ }, 0);
	err_add("state/flush", flush, (struct err_arg){ }, 0);
	err_add("state/reset", reset, (struct err_arg){ }, 0);
	err_add("state/race", race, (struct err_arg){ }, 60);
}
