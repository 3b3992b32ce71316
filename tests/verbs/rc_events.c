// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * rc_events: completion channels (any, solicited only, arming, one channel for several CQs) and
 * asynchronous events (a QP's, a port's, the GID table's). Every wait has a deadline; "nothing
 * comes" is waited for as well. Port cases run commands given in the environment, because the
 * netdev lives in a namespace that the caller knows: VT_PORT_DOWN, VT_PORT_UP, VT_ADDR_ADD.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vtest.h"

#define WAIT_MS		(5000 * (int)vt_cfg.slow)
#define QUIET_MS	100

struct ev_bench {
	struct vt_dev *da, *db;
	struct ibv_comp_channel *chan;	/* of the responder's CQs */
	struct vt_pair *p;
	struct vt_buf *src, *dst;
};

static int destroy_channel(void *arg)
{
	return ibv_destroy_comp_channel(arg);
}

static struct ibv_comp_channel *channel(struct vt_dev *d)
{
	struct ibv_comp_channel *c = ibv_create_comp_channel(d->ctx);

	CHECK(c, "ibv_create_comp_channel: %s", strerror(errno));
	vt_defer(destroy_channel, c, "ibv_destroy_comp_channel");
	return c;
}

static struct ev_bench bench(const void *wire)
{
	struct ev_bench b = { .da = vt_open(vt_cfg.dev) };
	struct vt_opts o = VT_OPTS;

	b.db = wire ? vt_open(vt_cfg.peer) : b.da;
	b.chan = channel(b.db);
	b.src = vt_buf_new(b.da, VT_HOST, 8192, VT_ACCESS_ALL);
	b.dst = vt_buf_new(b.db, VT_HOST, 8192, VT_ACCESS_ALL);
	o.chan[1] = b.chan;
	o.timeout = 12;
	o.retry = 3;
	b.p = vt_pair_new(b.da, b.db, &o);
	return b;
}

static bool readable(int fd, int ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	int n = poll(&p, 1, ms);

	CHECK(n >= 0, "poll: %s", strerror(errno));
	return n == 1;
}

static void expect_event(struct ibv_comp_channel *chan, struct ibv_cq *want, const char *what)
{
	struct ibv_cq *cq;
	void *ctx;

	CHECK(readable(chan->fd, WAIT_MS), "%s: no completion event within %d ms", what, WAIT_MS);
	CHECK(!ibv_get_cq_event(chan, &cq, &ctx), "ibv_get_cq_event: %s", strerror(errno));
	CHECK(cq == want, "%s: event of another CQ", what);
	ibv_ack_cq_events(cq, 1);
}

static void expect_quiet(struct ibv_comp_channel *chan, const char *what)
{
	CHECK(!readable(chan->fd, QUIET_MS), "%s: a completion event came", what);
}

static void message(struct ev_bench *b, uint64_t id, unsigned int flags)
{
	CHECK_ERRNO(vt_recv(&b->p->b, id, vt_sge(b->dst, 0, 64)), 0, "ibv_post_recv");
	CHECK_ERRNO(vt_send(&b->p->a, id, IBV_WR_SEND, vt_sge(b->src, 0, 64), NULL, 0,
			    flags | IBV_SEND_SIGNALED), 0, "ibv_post_send");
	vt_expect_wc(&b->p->a, b->p->a.scq, id, IBV_WC_SUCCESS, "SEND", NULL);
}

static void arm(struct ibv_cq *cq, int solicited)
{
	CHECK_ERRNO(ibv_req_notify_cq(cq, solicited), 0, "ibv_req_notify_cq");
}

/* Armed once: the next completion gives one event, those behind it none. */
static void any(const void *wire)
{
	struct ev_bench b = bench(wire);
	struct ibv_cq *cq = b.p->b.rcq;

	message(&b, 1, 0);
	expect_quiet(b.chan, "CQ that was never armed");
	vt_expect_wc(&b.p->b, cq, 1, IBV_WC_SUCCESS, "receive", NULL);
	for (uint64_t i = 0; i < 5; i++) {
		arm(cq, 0);
		expect_quiet(b.chan, "armed, nothing arrived");
		message(&b, 10 + i, 0);
		message(&b, 20 + i, 0);
		expect_event(b.chan, cq, "armed for any");
		expect_quiet(b.chan, "one event per arming");
		vt_expect_wc(&b.p->b, cq, 10 + i, IBV_WC_SUCCESS, "receive", NULL);
		vt_expect_wc(&b.p->b, cq, 20 + i, IBV_WC_SUCCESS, "receive", NULL);
	}
	vt_buf_fill(b.dst, 0, 64);
}

/* Armed for solicited: plain messages do not wake, a solicited one does, and so does an error. */
static void solicited(const void *wire)
{
	struct ev_bench b = bench(wire);
	struct ibv_cq *cq = b.p->b.rcq;

	arm(cq, 1);
	message(&b, 1, 0);
	message(&b, 2, 0);
	expect_quiet(b.chan, "armed for solicited, plain message");
	message(&b, 3, IBV_SEND_SOLICITED);
	expect_event(b.chan, cq, "solicited message");
	for (uint64_t i = 1; i <= 3; i++)
		vt_expect_wc(&b.p->b, cq, i, IBV_WC_SUCCESS, "receive", NULL);
	arm(cq, 1);
	CHECK_ERRNO(vt_recv(&b.p->b, 4, vt_sge(b.dst, 0, 64)), 0, "ibv_post_recv");
	CHECK_ERRNO(vt_send(&b.p->a, 4, IBV_WR_RDMA_WRITE_WITH_IMM, vt_sge(b.src, 0, 64), b.dst, 0,
			    IBV_SEND_SIGNALED | IBV_SEND_SOLICITED), 0, "ibv_post_send");
	expect_event(b.chan, cq, "solicited WRITE with immediate");
	vt_expect_wc(&b.p->b, cq, 4, IBV_WC_SUCCESS, "receive", NULL);
	vt_expect_wc(&b.p->a, b.p->a.scq, 4, IBV_WC_SUCCESS, "WRITE with immediate", NULL);
	arm(cq, 1);
	CHECK_ERRNO(vt_recv(&b.p->b, 5, vt_sge(b.dst, 0, 64)), 0, "ibv_post_recv");
	CHECK_ERRNO(vt_ep_to_state(&b.p->b, IBV_QPS_ERR), 0, "to ERR");
	expect_event(b.chan, cq, "flushed receive (an error counts as solicited)");
	vt_expect_wc(&b.p->b, cq, 5, IBV_WC_WR_FLUSH_ERR, "receive", NULL);
	vt_buf_fill(b.dst, 0, 64);
}

/* Arming for any after solicited: any counts; solicited after any does not take it back. */
static void upgrade(const void *wire)
{
	struct ev_bench b = bench(wire);
	struct ibv_cq *cq = b.p->b.rcq;

	arm(cq, 1);
	arm(cq, 0);
	message(&b, 1, 0);
	expect_event(b.chan, cq, "solicited, then any");
	arm(cq, 0);
	arm(cq, 1);
	message(&b, 2, 0);
	expect_event(b.chan, cq, "any, then solicited");
	vt_expect_wc(&b.p->b, cq, 1, IBV_WC_SUCCESS, "receive", NULL);
	vt_expect_wc(&b.p->b, cq, 2, IBV_WC_SUCCESS, "receive", NULL);
	vt_buf_fill(b.dst, 0, 64);
}

/* Send completions wake as well; both CQs of an end on one channel are told apart. */
static void two_cqs(const void *wire)
{
	struct ev_bench b = bench(wire);
	struct vt_ep *e = &b.p->b;

	arm(e->scq, 0);
	CHECK_ERRNO(vt_send(e, 1, IBV_WR_RDMA_WRITE, vt_sge(b.dst, 0, 64), b.src, 0,
			    IBV_SEND_SIGNALED), 0, "ibv_post_send");
	expect_event(b.chan, e->scq, "completion of a WRITE");
	vt_expect_wc(e, e->scq, 1, IBV_WC_SUCCESS, "WRITE", NULL);
	arm(e->scq, 0);
	arm(e->rcq, 0);
	message(&b, 2, 0);
	expect_event(b.chan, e->rcq, "completion of a receive");
	vt_expect_wc(e, e->rcq, 2, IBV_WC_SUCCESS, "receive", NULL);
	arm(e->scq, 0);
	CHECK_ERRNO(vt_send(e, 3, IBV_WR_RDMA_WRITE, vt_sge(b.dst, 0, 64), b.src, 0, 0), 0, "post");
	vt_sleep_ms(50);
	expect_quiet(b.chan, "unsignalled WRITE");
	vt_buf_fill(b.src, 0, 64);
	vt_buf_fill(b.dst, 0, 64);
}

struct sender {
	struct ev_bench *b;
	unsigned int total;
	volatile unsigned int got;
};

/* Sends at its own pace, never more than 32 ahead of the receiver. */
static void *send_all(void *arg)
{
	struct sender *s = arg;
	uint64_t rnd = 5;
	struct ibv_wc wc;

	for (unsigned int i = 0; i < s->total; i++) {
		while (i - s->got >= 32)
			vt_sleep_ms(1);
		CHECK_ERRNO(vt_send(&s->b->p->a, i, IBV_WR_SEND, vt_sge(s->b->src, 0, 64), NULL, 0,
				    IBV_SEND_SIGNALED), 0, "ibv_post_send");
		vt_poll(s->b->p->a.scq, &wc, "SEND");
		CHECK_EQ(wc.status, IBV_WC_SUCCESS, "status of a SEND");
		for (uint64_t n = vt_rand(&rnd) % 3000; n; n--)
			__asm__ volatile("" ::: "memory");
	}
	return NULL;
}

/* The loop of every event-driven program: wait, arm, drain. No wake-up may be lost. */
static void arm_race(const void *wire)
{
	struct ev_bench b = bench(wire);
	struct sender s = { .b = &b, .total = 1500 };
	struct ibv_cq *cq = b.p->b.rcq, *ev;
	pthread_t thread;
	struct ibv_wc wc;
	void *ctx;

	for (uint64_t i = 0; i < 48; i++)
		CHECK_ERRNO(vt_recv(&b.p->b, i, vt_sge(b.dst, 0, 64)), 0, "ibv_post_recv");
	arm(cq, 0);
	CHECK(!pthread_create(&thread, NULL, send_all, &s), "pthread_create");
	while (s.got < s.total) {
		CHECK(readable(b.chan->fd, WAIT_MS), "lost wake-up: %u of %u received, CQ %s", s.got,
		      s.total, ibv_poll_cq(cq, 1, &wc) > 0 ? "not empty" : "empty");
		CHECK(!ibv_get_cq_event(b.chan, &ev, &ctx), "ibv_get_cq_event");
		ibv_ack_cq_events(ev, 1);
		arm(cq, 0);
		while (ibv_poll_cq(cq, 1, &wc) > 0) {
			CHECK_EQ(wc.status, IBV_WC_SUCCESS, "status of a receive");
			CHECK_ERRNO(vt_recv(&b.p->b, wc.wr_id, vt_sge(b.dst, 0, 64)), 0, "post_recv");
			s.got++;
		}
	}
	pthread_join(thread, NULL);
	vt_buf_fill(b.dst, 0, 64);
}

/* ---- asynchronous events ---- */

static bool async_event(struct vt_dev *d, struct ibv_async_event *e, int ms)
{
	if (!readable(d->ctx->async_fd, ms))
		return false;
	CHECK(!ibv_get_async_event(d->ctx, e), "ibv_get_async_event: %s", strerror(errno));
	return true;
}

/* Wait for one type of event; others may come before it. */
static struct ibv_async_event expect_async(struct vt_dev *d, enum ibv_event_type type)
{
	uint64_t end = vt_now_ms() + (uint64_t)WAIT_MS;
	struct ibv_async_event e = { };

	while (vt_now_ms() < end) {
		if (!async_event(d, &e, 50))
			continue;
		ibv_ack_async_event(&e);
		if (e.event_type == type)
			return e;
	}
	vt_fail(__FILE__, __LINE__, "no event '%s' within %d ms", ibv_event_type_str(type), WAIT_MS);
}

static void qp_event(const void *wire, unsigned int qp_access, enum ibv_event_type type)
{
	struct vt_dev *da = vt_open(vt_cfg.dev), *db = wire ? vt_open(vt_cfg.peer) : da;
	struct vt_buf *src = vt_buf_new(da, VT_HOST, 64, VT_ACCESS_ALL);
	struct vt_buf *dst = vt_buf_new(db, VT_HOST, 64, VT_ACCESS_ALL);
	struct vt_opts o = VT_OPTS;
	struct ibv_async_event e;
	struct vt_pair *p;

	o.qp_access = qp_access;
	p = vt_pair_new(da, db, &o);
	CHECK_ERRNO(vt_rdma(&p->a, 1, IBV_WR_RDMA_WRITE, vt_sge(src, 0, 64), dst->iova,
			    dst->mr->rkey ^ 0x500), 0, "ibv_post_send");
	e = expect_async(db, type);
	CHECK(e.element.qp == p->b.qp, "the event names another QP");
	vt_sleep_ms(50);
	while (async_event(db, &e, 0)) {
		CHECK(e.event_type == IBV_EVENT_COMM_EST || e.element.qp != p->b.qp,
		      "a second event for the QP: %s", ibv_event_type_str(e.event_type));
		ibv_ack_async_event(&e);
	}
}

static void qp_access_err(const void *wire)
{
	qp_event(wire, VT_ACCESS_ALL, IBV_EVENT_QP_ACCESS_ERR);
}

static void qp_req_err(const void *wire)
{
	qp_event(wire, 0, IBV_EVENT_QP_REQ_ERR);
}

static void no_drained(struct vt_dev *d, const char *what)
{
	struct ibv_async_event e = { };

	while (async_event(d, &e, QUIET_MS)) {
		CHECK(e.event_type != IBV_EVENT_SQ_DRAINED, "%s: the send queue is said to be drained", what);
		ibv_ack_async_event(&e);
	}
}

static bool draining(struct vt_ep *ep)
{
	struct ibv_qp_init_attr ia;
	struct ibv_qp_attr a = { };

	CHECK_ERRNO(ibv_query_qp(ep->qp, &a, IBV_QP_STATE, &ia), 0, "ibv_query_qp");
	return a.sq_draining;
}

/* A SEND that waits for its receiver, and the send queue is to be drained. */
static struct ev_bench begin_drain(const void *wire)
{
	struct ibv_qp_attr a = { .qp_state = IBV_QPS_SQD, .en_sqd_async_notify = 1 };
	struct ev_bench b = bench(wire);

	CHECK_ERRNO(vt_send(&b.p->a, 1, IBV_WR_SEND, vt_sge(b.src, 0, 64), NULL, 0, IBV_SEND_SIGNALED), 0,
		    "ibv_post_send");
	CHECK_ERRNO(ibv_modify_qp(b.p->a.qp, &a, IBV_QP_STATE | IBV_QP_EN_SQD_ASYNC_NOTIFY), 0, "RTS to SQD");
	CHECK(draining(&b.p->a), "a request is begun, and sq_draining is 0");
	no_drained(b.da, "a request waits");
	return b;
}

static void end_drain(struct ev_bench *b)
{
	CHECK_ERRNO(vt_recv(&b->p->b, 2, vt_sge(b->dst, 0, 64)), 0, "ibv_post_recv");
	vt_expect_wc(&b->p->a, b->p->a.scq, 1, IBV_WC_SUCCESS, "the request that waited", NULL);
	vt_buf_expect_copy(b->dst, 0, 64, b->src, 0, "the request that waited");
}

static void sq_drained(const void *wire)
{
	struct ev_bench b = begin_drain(wire);

	end_drain(&b);
	expect_async(b.da, IBV_EVENT_SQ_DRAINED);
	CHECK(!draining(&b.p->a), "sq_draining after the event");
	no_drained(b.da, "a second time");
}

/* Back to RTS before: nobody waits for it any more. */
static void not_drained(const void *wire)
{
	struct ev_bench b = begin_drain(wire);

	CHECK_ERRNO(vt_ep_to_state(&b.p->a, IBV_QPS_RTS), 0, "SQD to RTS");
	end_drain(&b);
	no_drained(b.da, "in RTS");
}

static void run_command(const char *variable)
{
	const char *cmd = getenv(variable);
	int status;

	if (!cmd)
		vt_skip("%s is not set", variable);
	status = system(cmd);
	CHECK(!status, "%s: status %#x", cmd, status);
}

static enum ibv_port_state port_state(struct vt_dev *d)
{
	struct ibv_port_attr a;

	CHECK_ERRNO(ibv_query_port(d->ctx, 1, &a), 0, "ibv_query_port");
	return a.state;
}

/* The netdev goes down and up: events, port state, traffic that fails and works again. */
static void port(const void *wire)
{
	struct ev_bench b = bench(wire);

	CHECK_EQ(port_state(b.da), IBV_PORT_ACTIVE, "port state before");
	run_command("VT_PORT_DOWN");
	expect_async(b.da, IBV_EVENT_PORT_ERR);
	CHECK_EQ(port_state(b.da), IBV_PORT_DOWN, "port state of a netdev that is down");
	CHECK_ERRNO(vt_send(&b.p->a, 1, IBV_WR_RDMA_WRITE, vt_sge(b.src, 0, 64), b.dst, 0,
			    IBV_SEND_SIGNALED), 0, "ibv_post_send");
	vt_expect_wc(&b.p->a, b.p->a.scq, 1, IBV_WC_RETRY_EXC_ERR, "WRITE without a link", NULL);
	run_command("VT_PORT_UP");
	expect_async(b.da, IBV_EVENT_PORT_ACTIVE);
	CHECK_EQ(port_state(b.da), IBV_PORT_ACTIVE, "port state of a netdev that is up");
	vt_pair_reset(b.p);
	vt_ping(b.p, b.src, b.dst, 5000);
}

/* A further address becomes a GID. */
static void gid_change(const void *arg)
{
	struct vt_dev *d = vt_open(vt_cfg.dev);

	(void)arg;
	run_command("VT_ADDR_ADD");
	expect_async(d, IBV_EVENT_GID_CHANGE);
}

static void add_cases(void)
{
	static const struct { const char *name; vt_fn fn; } rows[] = {
		{ "channel/any", any }, { "channel/solicited", solicited },
		{ "channel/upgrade", upgrade }, { "channel/two_cqs", two_cqs },
		{ "channel/arm_race", arm_race }, { "async/qp_access_err", qp_access_err },
		{ "async/qp_req_err", qp_req_err }, { "async/sq_drained", sq_drained },
		{ "async/not_drained", not_drained },
	};
	char name[64];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		snprintf(name, sizeof(name), "%s/local", rows[i].name);
		vt_add(name, rows[i].fn, NULL, 60);
		if (!vt_cfg.peer)
			continue;
		snprintf(name, sizeof(name), "%s/wire", rows[i].name);
		vt_add(name, rows[i].fn, "", 60);
	}
	if (vt_cfg.peer)
		vt_add("port/down_up", port, "", 40);
	vt_add("port/gid_change", gid_change, NULL, 0);
}

int main(int argc, char **argv)
{
	return vt_main(argc, argv, add_cases);
}
