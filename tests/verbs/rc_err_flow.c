// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * rc_errors: things that go away or wrong while traffic runs: a peer that is not there (any more),
 * that comes late, a region deregistered under a stream of requests, a CQ that overflows, a process
 * that scribbles over its own rings; and that a QP in error leaves its neighbours alone.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "rc_errors.h"

enum gone { GONE_DESTROYED, GONE_RESET, GONE_INIT, GONE_ERR };

/* timeout 13 is 33.6 ms; with retry_cnt 3 the error is due within a small multiple of 4 * 33.6. */
static void peer_gone(const void *arg, enum gone how)
{
	const struct err_arg *t = arg;
	static const enum ibv_wr_opcode ops[] = { IBV_WR_RDMA_WRITE, IBV_WR_RDMA_READ, IBV_WR_SEND };
	struct vt_opts o = VT_OPTS;
	struct err_bench b;

	o.timeout = 13;
	o.retry = 3;
	b = err_bench(t, &o, VT_ACCESS_ALL);
	/* Without a connection TCP QPs fail whatever it is, and wait for 4 seconds before. */
	for (int i = vt_is_tcp() ? 2 : 0; i < 3; i++) {
		uint64_t begin, took;

		b.p = vt_pair_new(b.da, b.db, &o);
		CHECK_ERRNO(vt_recv(&b.p->b, 1, vt_sge(b.dst, 0, ERR_SIZE)), 0, "ibv_post_recv");
		if (how == GONE_DESTROYED)
			vt_ep_destroy_qp(&b.p->b);
		else
			CHECK_ERRNO(vt_ep_to_state(&b.p->b, how == GONE_ERR ? IBV_QPS_ERR :
						   IBV_QPS_RESET), 0, "taking the peer away");
		if (how == GONE_INIT)
			CHECK_ERRNO(vt_ep_to_init(&b.p->b, &o), 0, "peer to INIT");
		begin = vt_now_ms();
		CHECK_ERRNO(vt_send(&b.p->a, 5, ops[i], vt_sge(b.src, 0, 9000), b.dst, 0,
				    IBV_SEND_SIGNALED), 0, "ibv_post_send");
		vt_expect_wc(&b.p->a, b.p->a.scq, 5, IBV_WC_RETRY_EXC_ERR, "peer that is gone", NULL);
		took = vt_now_ms() - begin;
		CHECK(took < (vt_is_tcp() ? 6000 : 3000) * vt_cfg.slow, "retries of 33.6 ms went on for %llu ms",
		      (unsigned long long)took);
		/* Where there is a connection, its end is told at once. */
		if (t->wire && !vt_is_tcp())
			CHECK(took >= 33, "gave up after %llu ms: without a retry?",
			      (unsigned long long)took);
		vt_expect_state(&b.p->a, IBV_QPS_ERR, "state of the requester");
	}
	vt_buf_check(b.dst, 0, b.dst->size, "target without a QP");
	vt_buf_check(b.src, 0, b.src->size, "source");
}

static void peer_destroyed(const void *arg)
{
	peer_gone(arg, GONE_DESTROYED);
}

static void peer_reset(const void *arg)
{
	peer_gone(arg, GONE_RESET);
}

static void peer_init(const void *arg)
{
	peer_gone(arg, GONE_INIT);
}

static void peer_err(const void *arg)
{
	peer_gone(arg, GONE_ERR);
}

/* QPs that exist but do not mean each other: no delivery. */
static void not_my_peer(const void *arg)
{
	struct vt_opts o = VT_OPTS;
	struct err_bench b;
	struct vt_pair *q;
	struct vt_ep x;

	o.timeout = 12;
	o.retry = 1;
	b = err_bench(arg, &o, VT_ACCESS_ALL);
	/* x names the bench's responder, which is connected to another device's QP by GID. */
	vt_ep_create(&x, b.da, &o, 0);
	CHECK_ERRNO(vt_ep_to_init(&x, &o), 0, "to INIT");
	CHECK_ERRNO(vt_ep_to_rtr_raw(&x, &b.p->opts, &b.p->b.gid, 0xfffffd, 1), 0, "to RTR");
	CHECK_ERRNO(vt_ep_to_rts(&x, &o), 0, "to RTS");
	CHECK_ERRNO(vt_send(&x, 5, IBV_WR_RDMA_WRITE, vt_sge(b.src, 0, 64), b.dst, 0,
			    IBV_SEND_SIGNALED), 0, "ibv_post_send");
	vt_expect_wc(&x, x.scq, 5, IBV_WC_RETRY_EXC_ERR, "WRITE to a QP number of nobody", NULL);
	vt_buf_check(b.dst, 0, b.dst->size, "target");
	q = b.p;
	vt_ping(q, b.src, b.dst, 100);
}

/* The peer becomes ready while the requester retries: the message arrives, once. */
static void late_peer(const void *arg)
{
	struct vt_opts o = VT_OPTS;
	struct err_bench b;
	struct vt_pair *p;

	o.timeout = 15;	/* 134 ms, 7 retries */
	b = err_bench(arg, &o, VT_ACCESS_ALL);
	p = b.p;
	CHECK_ERRNO(vt_ep_to_state(&p->b, IBV_QPS_RESET), 0, "peer to RESET");
	CHECK_ERRNO(vt_ep_to_init(&p->b, &o), 0, "peer to INIT");
	CHECK_ERRNO(vt_recv(&p->b, 1, vt_sge(b.dst, 0, 9000)), 0, "ibv_post_recv");
	CHECK_ERRNO(vt_recv(&p->b, 2, vt_sge(b.dst, 10000, 9000)), 0, "ibv_post_recv");
	CHECK_ERRNO(vt_send(&p->a, 5, IBV_WR_SEND, vt_sge(b.src, 7, 9000), NULL, 0,
			    IBV_SEND_SIGNALED), 0, "ibv_post_send");
	vt_sleep_ms(200);
	CHECK_ERRNO(vt_ep_to_rtr(&p->b, &p->a, &p->opts), 0, "peer to RTR");
	vt_expect_wc(&p->a, p->a.scq, 5, IBV_WC_SUCCESS, "SEND to a late peer", NULL);
	vt_expect_wc(&p->b, p->b.rcq, 1, IBV_WC_SUCCESS, "receive of a late peer", NULL);
	vt_buf_expect_copy(b.dst, 0, 9000, b.src, 7, "SEND to a late peer");
	vt_poll_none(p->b.rcq, 300, "the message arrived twice");
}

/* A QP in error beside one that shares its CQ, its PD and its regions. */
static void neighbour(const void *arg)
{
	const struct err_arg *t = arg;
	struct vt_opts o = VT_OPTS;
	struct err_bench b = { .da = vt_open(vt_cfg.dev) };
	struct vt_pair *good, *bad;
	struct ibv_wc wc;

	b.db = t->wire ? vt_open(vt_cfg.peer) : b.da;
	b.src = vt_buf_new(b.da, VT_HOST, ERR_SIZE, VT_ACCESS_ALL);
	b.dst = vt_buf_new(b.db, t->mem, ERR_SIZE, VT_ACCESS_ALL);
	o.cq[0] = vt_cq_new(b.da, 1000, NULL);
	o.cq[1] = vt_cq_new(b.db, 1000, NULL);
	good = vt_pair_new(b.da, b.db, &o);
	bad = vt_pair_new(b.da, b.db, &o);
	for (unsigned int round = 0; round < 10; round++) {
		unsigned int seen = 0;

		for (uint64_t i = 0; i < 10; i++) {
			CHECK_ERRNO(vt_send(&good->a, i, IBV_WR_RDMA_WRITE, vt_sge(b.src, i, 3000),
					    b.dst, i * 3500, IBV_SEND_SIGNALED), 0, "post_send");
			CHECK_ERRNO(vt_rdma(&bad->a, 100 + i, IBV_WR_RDMA_WRITE, vt_sge(b.src, 0, 64),
					    b.dst->iova, b.dst->mr->rkey ^ 0x700), 0, "post_send");
		}
		for (int k = 0; k < 20; k++) {
			vt_poll(o.cq[0], &wc, "two QPs on one CQ");
			if (wc.wr_id >= 100)
				CHECK_EQ(wc.status, wc.wr_id == 100 ? IBV_WC_REM_ACCESS_ERR :
					 IBV_WC_WR_FLUSH_ERR, "status of the bad QP's request");
			else
				CHECK_EQ(wc.status, IBV_WC_SUCCESS, "status of the good QP's request");
			if (wc.wr_id < 100)
				CHECK_EQ(wc.wr_id, seen++, "order of the good QP's requests");
		}
		for (uint64_t i = 0; i < 10; i++) {
			vt_buf_expect_copy(b.dst, i * 3500, 3000, b.src, i, "good QP");
			vt_buf_check(b.dst, i * 3500 + 3000, 500, "between WRITEs");
			vt_buf_fill(b.dst, i * 3500, 3000);
		}
		vt_pair_reset(bad);
	}
}

/* Deregister under a stream of WRITEs: after ibv_dereg_mr has returned, not a byte more lands. */
static void dereg_under_traffic(const void *arg)
{
	const struct err_arg *t = arg;
	struct vt_opts o = VT_OPTS;
	struct err_bench b = { .da = vt_open(vt_cfg.dev) };
	struct vt_pair *p;
	struct ibv_wc wc;
	uint64_t rnd = 3;

	b.db = t->wire ? vt_open(vt_cfg.peer) : b.da;
	b.src = vt_buf_new(b.da, VT_HOST, ERR_SIZE, VT_ACCESS_ALL);
	b.dst = vt_buf_alloc(t->mem, ERR_SIZE);
	p = vt_pair_new(b.da, b.db, &o);
	for (int round = 0; round < 15; round++) {
		bool failed = false;

		b.dst->mr = vt_buf_try_reg(b.dst, b.db->pd, VT_ACCESS_ALL);
		CHECK(b.dst->mr, "registering again: %s", strerror(errno));
		for (uint64_t i = 0; i < 60; i++)
			CHECK_ERRNO(vt_send(&p->a, i, IBV_WR_RDMA_WRITE, vt_sge(b.src, 0, ERR_SIZE),
					    b.dst, 0, IBV_SEND_SIGNALED), 0, "ibv_post_send");
		usleep((useconds_t)(vt_rand(&rnd) % 3000));
		CHECK_ERRNO(ibv_dereg_mr(b.dst->mr), 0, "ibv_dereg_mr under traffic");
		vt_buf_fill(b.dst, 0, ERR_SIZE);
		for (uint64_t i = 0; i < 60; i++) {
			vt_poll(p->a.scq, &wc, "stream of WRITEs");
			CHECK_EQ(wc.wr_id, i, "order");
			if (failed)
				CHECK_EQ(wc.status, IBV_WC_WR_FLUSH_ERR, "status behind the error");
			else if (wc.status != IBV_WC_SUCCESS)
				CHECK_EQ(wc.status, IBV_WC_REM_ACCESS_ERR, "status after dereg");
			failed = wc.status != IBV_WC_SUCCESS;
		}
		vt_buf_check(b.dst, 0, ERR_SIZE, "memory after ibv_dereg_mr");
		vt_pair_reset(p);
	}
}

static bool cq_error_event(struct vt_dev *d, struct ibv_cq *cq, int ms)
{
	struct pollfd fd = { .fd = d->ctx->async_fd, .events = POLLIN };
	struct ibv_async_event e;
	uint64_t end = vt_now_ms() + (uint64_t)ms;
	bool found = false;

	while (!found && vt_now_ms() < end && poll(&fd, 1, (int)(end - vt_now_ms())) == 1) {
		CHECK(!ibv_get_async_event(d->ctx, &e), "ibv_get_async_event: %s", strerror(errno));
		found = e.event_type == IBV_EVENT_CQ_ERR && e.element.cq == cq;
		ibv_ack_async_event(&e);
	}
	return found;
}

/* More completions than the CQ has room for: an event tells, nothing is overwritten or crashes. */
static void cq_overflow(const void *arg)
{
	const struct err_arg *t = arg;
	struct vt_opts o = VT_OPTS;
	struct err_bench b = { .da = vt_open(vt_cfg.dev) };
	struct vt_pair *p, *other;
	struct ibv_cq *cq = vt_cq_new(b.da, 4, NULL);
	struct ibv_wc wc;
	uint32_t room = (uint32_t)cq->cqe, n = room + 20;

	b.db = t->wire ? vt_open(vt_cfg.peer) : b.da;
	b.src = vt_buf_new(b.da, VT_HOST, ERR_SIZE, VT_ACCESS_ALL);
	b.dst = vt_buf_new(b.db, VT_HOST, ERR_SIZE, VT_ACCESS_ALL);
	CHECK(room >= 4 && room < 4000, "a CQ of 4 entries has %u", room);
	other = vt_pair_new(b.da, b.db, &o);
	o.cq[0] = cq;
	o.send_wr = n;
	p = vt_pair_new(b.da, b.db, &o);
	for (uint32_t i = 0; i < n; i++)
		CHECK_ERRNO(vt_send(&p->a, i, IBV_WR_RDMA_WRITE, vt_sge(b.src, 0, 64), b.dst, 0,
				    IBV_SEND_SIGNALED), 0, "ibv_post_send");
	CHECK(cq_error_event(b.da, cq, 5000), "no IBV_EVENT_CQ_ERR although %u completions went to %u entries",
	      n, room);
	for (uint32_t i = 0; i < room; i++) {
		if (ibv_poll_cq(cq, 1, &wc) <= 0)
			break;
		CHECK_EQ(wc.wr_id, i, "completion that was there before the overflow");
		CHECK_EQ(wc.status, IBV_WC_SUCCESS, "completion that was there before the overflow");
	}
	vt_buf_fill(b.dst, 0, 64);
	vt_ping(other, b.src, b.dst, 1000);
}

/* Write rubbish over every ring that this process shares with the kernel, ringing the doorbell. */
static void scribble(struct vt_pair *p, struct vt_buf *src, struct vt_buf *dst)
{
	struct { uint8_t *at; size_t len; } map[64];
	FILE *f = fopen("/proc/self/maps", "r");
	char line[512];
	unsigned int n = 0;
	uint64_t rnd = (uint64_t)getpid();

	while (f && n < 64 && fgets(line, sizeof(line), f)) {
		unsigned long lo, hi;

		if (strstr(line, "/dev/infiniband/uverbs") && strstr(line, "rw-s") &&
		    sscanf(line, "%lx-%lx", &lo, &hi) == 2) {
			map[n].at = (uint8_t *)lo;
			map[n++].len = hi - lo;
		}
	}
	if (!n)
		_exit(3);
	for (uint64_t end = vt_now_ms() + 400; vt_now_ms() < end; ) {
		for (int i = 0; i < 50; i++) {
			unsigned int m = (unsigned int)(vt_rand(&rnd) % n);
			size_t at = vt_rand(&rnd) % (i & 1 ? map[m].len : 256);

			map[m].at[at] = (uint8_t)vt_rand(&rnd);
		}
		vt_recv(&p->b, 1, vt_sge(dst, 0, 64));
		vt_send(&p->a, 1, IBV_WR_SEND, vt_sge(src, 0, 64), NULL, 0, IBV_SEND_SIGNALED);
		vt_send(&p->b, 1, IBV_WR_RDMA_WRITE, vt_sge(dst, 0, 64), src, 0, IBV_SEND_SIGNALED);
	}
	_exit(0);
}

/* A process that scribbles over its rings may hurt itself; the one beside it works on. */
static void scribbler(const void *arg)
{
	const struct err_arg *t = arg;
	struct vt_opts o = VT_OPTS;
	struct err_bench b;
	bool shared = false;

	for (int round = 0; round < 6; round++) {
		pid_t pid = fork();
		int status;

		if (!pid) {
			alarm(20 * vt_cfg.slow);
			b = err_bench(t, &o, VT_ACCESS_ALL);
			scribble(b.p, b.src, b.dst);
		}
		CHECK(waitpid(pid, &status, 0) == pid, "waitpid: %s", strerror(errno));
		CHECK(!WIFSIGNALED(status) || WTERMSIG(status) != SIGALRM,
		      "the scribbling process hangs");
		shared |= WIFEXITED(status) && WEXITSTATUS(status) != 3;
		CHECK(shared || WIFSIGNALED(status), "no ring is shared with this process: nothing tested");
	}
	b = err_bench(t, &o, VT_ACCESS_ALL);
	vt_ping(b.p, b.src, b.dst, ERR_SIZE);
}

void err_add_flow(void)
{
	err_add("flow/peer_destroyed", peer_destroyed, (struct err_arg){ }, 40);
	err_add("flow/peer_reset", peer_reset, (struct err_arg){ }, 40);
	err_add("flow/peer_init", peer_init, (struct err_arg){ }, 40);
	err_add("flow/peer_err", peer_err, (struct err_arg){ }, 40);
	err_add("flow/no_such_qp", not_my_peer, (struct err_arg){ }, 0);
	err_add("flow/late_peer", late_peer, (struct err_arg){ }, 0);
	err_add("flow/neighbour", neighbour, (struct err_arg){ .mem = VT_HEAP }, 0);
	err_add("flow/dereg_under_traffic/host", dereg_under_traffic, (struct err_arg){ }, 40);
	err_add("flow/dereg_under_traffic/bar", dereg_under_traffic,
		(struct err_arg){ .mem = VT_BAR }, 40);
	err_add("flow/cq_overflow", cq_overflow, (struct err_arg){ }, 0);
	err_add("flow/scribbler", scribbler, (struct err_arg){ }, 150);
}
