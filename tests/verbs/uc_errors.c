// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * uc_data: what goes wrong with unreliable connections. At the receiver a message that cannot be
 * taken is dropped and nobody is told; at the sender a bad request leads to SQE. Either way the
 * connection goes on.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "uc_data.h"

#define SIZE		(64 * 1024)
#define LEN		9000		/* several packets at any path MTU up to 4096 */
#define QUIET_MS	60

/* The connection works: one message of every kind arrives. */
static void works(struct uc_bench *b)
{
	static const enum xfer_op ops[] = { X_SEND, X_WRITE, X_WRITE_IMM };

	CHECK_EQ(vt_ep_state(&b->p->a), IBV_QPS_RTS, "state of the sender");
	CHECK_EQ(vt_ep_state(&b->p->b), IBV_QPS_RTS, "state of the receiver");
	for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
		struct xfer x = xfer_simple(ops[i], b->src, 11, b->dst, 23, LEN);

		uc_run(b, &x);
	}
	vt_buf_check(b->dst, 0, SIZE, "everything else");
}

/* Sent, and never seen again. */
static void vanishes(struct uc_bench *b)
{
	struct ibv_wc wc;

	vt_poll(b->p->a.scq, &wc, "sending");
	CHECK_EQ(wc.status, IBV_WC_SUCCESS, "sending is all that counts");
	vt_poll_none(b->p->b.rcq, QUIET_MS, "a message that cannot be taken");
	vt_buf_check(b->dst, 0, SIZE, "memory that no message may reach");
}

static void not_ready(const void *arg)
{
	struct uc_bench b = uc_bench_new(arg, SIZE);

	for (uint64_t i = 0; i < 3; i++) {
		CHECK_ERRNO(vt_send(&b.p->a, i, IBV_WR_SEND, vt_sge(b.src, 0, LEN), NULL, 0,
				    IBV_SEND_SIGNALED), 0, "ibv_post_send");
		vanishes(&b);
	}
	works(&b);
}

/* The receive that was too small is there for the next message. */
static void too_long(const void *arg)
{
	struct uc_bench b = uc_bench_new(arg, SIZE);
	struct ibv_wc wc;

	CHECK_ERRNO(vt_recv(&b.p->b, 5, vt_sge(b.dst, 100, 500)), 0, "ibv_post_recv");
	CHECK_ERRNO(vt_send(&b.p->a, 1, IBV_WR_SEND, vt_sge(b.src, 0, 501), NULL, 0, IBV_SEND_SIGNALED), 0,
		    "ibv_post_send");
	vanishes(&b);
	CHECK_ERRNO(vt_send(&b.p->a, 2, IBV_WR_SEND, vt_sge(b.src, 40, 500), NULL, 0, 0), 0, "ibv_post_send");
	vt_expect_wc(&b.p->b, b.p->b.rcq, 5, IBV_WC_SUCCESS, "the next message", &wc);
	CHECK_EQ(wc.byte_len, 500, "its length");
	vt_buf_expect_copy(b.dst, 100, 500, b.src, 40, "its bytes");
	vt_buf_fill(b.dst, 100, 500);
	works(&b);
}

/* Longer than all that is posted, found out only in mid-message: bytes may have landed in the receive. */
static void too_long_late(const void *arg)
{
	struct uc_bench b = uc_bench_new(arg, SIZE);
	struct ibv_wc wc;

	CHECK_ERRNO(vt_recv(&b.p->b, 5, vt_sge(b.dst, 100, LEN)), 0, "ibv_post_recv");
	CHECK_ERRNO(vt_send(&b.p->a, 1, IBV_WR_SEND, vt_sge(b.src, 0, 3 * LEN), NULL, 0, IBV_SEND_SIGNALED), 0,
		    "ibv_post_send");
	vt_expect_wc(&b.p->a, b.p->a.scq, 1, IBV_WC_SUCCESS, "sending", NULL);
	vt_poll_none(b.p->b.rcq, QUIET_MS, "a message that is too long");
	vt_buf_check(b.dst, 0, 100, "in front of the receive");
	vt_buf_check(b.dst, 100 + LEN, SIZE - 100 - LEN, "behind the receive");
	CHECK_ERRNO(vt_send(&b.p->a, 2, IBV_WR_SEND, vt_sge(b.src, 40, LEN), NULL, 0, 0), 0, "ibv_post_send");
	vt_expect_wc(&b.p->b, b.p->b.rcq, 5, IBV_WC_SUCCESS, "the next message", &wc);
	vt_buf_expect_copy(b.dst, 100, LEN, b.src, 40, "its bytes");
	vt_buf_fill(b.dst, 100, LEN);
	works(&b);
}

/* WRITEs to where they must not go. */
static void bad_target(const void *arg)
{
	struct uc_bench b = uc_bench_new(arg, SIZE);
	struct vt_buf *readonly = vt_buf_new(b.db, VT_HOST, SIZE, IBV_ACCESS_LOCAL_WRITE);
	struct ibv_pd *pd = vt_pd_new(b.db);
	struct vt_buf *foreign = vt_buf_alloc(VT_HOST, SIZE);
	struct ibv_mr *mr = vt_buf_try_reg(foreign, pd, VT_ACCESS_ALL);
	const struct { uint64_t addr; uint32_t rkey; } target[] = {
		{ b.dst->iova, b.dst->mr->rkey ^ 0x100 },		/* no such key */
		{ b.dst->iova, b.dst->mr->rkey + 1 },
		{ b.dst->iova + SIZE - LEN + 1, b.dst->mr->rkey },	/* one byte too far */
		{ b.dst->iova - 1, b.dst->mr->rkey },
		{ UINT64_MAX - 100, b.dst->mr->rkey },
		{ readonly->iova, readonly->mr->rkey },			/* no right to write */
		{ foreign->iova, mr ? mr->rkey : 0 },			/* another domain's */
	};

	CHECK(mr, "ibv_reg_mr in another domain: %s", strerror(errno));
	for (size_t i = 0; i < sizeof(target) / sizeof(target[0]); i++) {
		CHECK_ERRNO(vt_rdma(&b.p->a, i, IBV_WR_RDMA_WRITE, vt_sge(b.src, 0, LEN), target[i].addr,
				    target[i].rkey), 0, "ibv_post_send");
		vanishes(&b);
		works(&b);
	}
	vt_buf_check(readonly, 0, SIZE, "memory that nobody may write");
	vt_buf_check(foreign, 0, SIZE, "memory of another domain");
	CHECK_ERRNO(ibv_dereg_mr(mr), 0, "ibv_dereg_mr");
}

static void no_right(const void *arg)
{
	struct uc_bench b = uc_bench_new(arg, SIZE);

	b.p->opts.qp_access = IBV_ACCESS_LOCAL_WRITE;
	vt_pair_reset(b.p);
	CHECK_ERRNO(vt_send(&b.p->a, 1, IBV_WR_RDMA_WRITE, vt_sge(b.src, 0, LEN), b.dst, 0, IBV_SEND_SIGNALED),
		    0, "ibv_post_send");
	vanishes(&b);
	CHECK_EQ(vt_ep_state(&b.p->b), IBV_QPS_RTS, "state of the receiver");
}

/* The bad request completes with @status, the one behind it is flushed; from SQE back to RTS. */
static void refused(struct uc_bench *b, struct ibv_send_wr *wr, enum ibv_wc_status status)
{
	struct ibv_qp_attr a = { .qp_state = IBV_QPS_RTS, .cur_qp_state = IBV_QPS_SQE };
	struct ibv_sge sge = vt_sge(b->src, 0, 10);
	struct ibv_send_wr behind = { .wr_id = 2, .sg_list = &sge, .num_sge = 1, .opcode = IBV_WR_SEND };
	struct ibv_send_wr *bad;

	wr->wr_id = 1;
	wr->next = &behind;
	CHECK_ERRNO(ibv_post_send(b->p->a.qp, wr, &bad), 0, "ibv_post_send");
	vt_expect_wc(&b->p->a, b->p->a.scq, 1, status, "a bad request", NULL);
	vt_expect_wc(&b->p->a, b->p->a.scq, 2, IBV_WC_WR_FLUSH_ERR, "the one behind it", NULL);
	CHECK_EQ(vt_ep_state(&b->p->a), IBV_QPS_SQE, "state after a bad request");
	CHECK_ERRNO(ibv_modify_qp(b->p->a.qp, &a, IBV_QP_STATE | IBV_QP_CUR_STATE), 0, "SQE to RTS");
	vt_poll_none(b->p->b.rcq, QUIET_MS, "a bad request");
	works(b);
}

static void bad_request(const void *arg)
{
	static const enum ibv_wr_opcode other[] = {
		IBV_WR_RDMA_READ, IBV_WR_ATOMIC_CMP_AND_SWP, IBV_WR_ATOMIC_FETCH_AND_ADD, IBV_WR_SEND_WITH_INV,
	};
	struct uc_bench b = uc_bench_new(arg, SIZE);
	struct ibv_sge sge = vt_sge(b.src, 0, 8);
	struct ibv_send_wr wr;

	for (size_t i = 0; i < sizeof(other) / sizeof(other[0]); i++) {
		wr = (struct ibv_send_wr){ .sg_list = &sge, .num_sge = 1, .opcode = other[i] };
		wr.wr.atomic.remote_addr = b.dst->iova;
		wr.wr.atomic.rkey = b.dst->mr->rkey;
		refused(&b, &wr, IBV_WC_LOC_QP_OP_ERR);
	}
	sge.lkey ^= 0x100;
	wr = (struct ibv_send_wr){ .sg_list = &sge, .num_sge = 1, .opcode = IBV_WR_SEND };
	refused(&b, &wr, IBV_WC_LOC_PROT_ERR);
	sge = vt_sge(b.src, SIZE - 7, 8);
	refused(&b, &wr, IBV_WC_LOC_PROT_ERR);
	/* More packets than may be on their way at once, none of which leaves. */
	sge.length = 2 << 20;
	refused(&b, &wr, IBV_WC_LOC_PROT_ERR);
}

/* A receive that names bad memory is our own fault: it completes with the error and the QP fails. */
static void bad_receive(const void *arg)
{
	struct uc_bench b = uc_bench_new(arg, SIZE);
	struct ibv_sge sge = vt_sge(b.dst, 0, LEN);

	sge.lkey ^= 0x100;
	CHECK_ERRNO(vt_recv(&b.p->b, 5, sge), 0, "ibv_post_recv");
	CHECK_ERRNO(vt_send(&b.p->a, 1, IBV_WR_SEND, vt_sge(b.src, 0, LEN), NULL, 0, IBV_SEND_SIGNALED), 0,
		    "ibv_post_send");
	vt_expect_wc(&b.p->a, b.p->a.scq, 1, IBV_WC_SUCCESS, "sending", NULL);
	vt_expect_wc(&b.p->b, b.p->b.rcq, 5, IBV_WC_LOC_PROT_ERR, "a receive of bad memory", NULL);
	CHECK_EQ(vt_ep_state(&b.p->b), IBV_QPS_ERR, "state of the receiver");
	CHECK_EQ(vt_ep_state(&b.p->a), IBV_QPS_RTS, "state of the sender");
	vt_buf_check(b.dst, 0, SIZE, "memory that the receive did not name");
}

/* One end UC, the other RC: neither takes what the other sends. */
static void other_service(const void *arg)
{
	struct uc_bench b = uc_bench_new(arg, SIZE);
	struct vt_opts o = VT_OPTS;
	struct vt_pair q = { .opts = o };

	q.opts.mtu = b.p->opts.mtu;
	q.opts.retry = 1;
	q.opts.timeout = 10;
	vt_ep_create(&q.a, b.da, &q.opts, 0);
	CHECK_ERRNO(vt_ep_to_init(&q.a, &q.opts), 0, "RESET to INIT");
	CHECK_ERRNO(vt_ep_to_rtr(&q.a, &b.p->b, &q.opts), 0, "INIT to RTR");
	q.a.psn = b.opts.psn[0];
	CHECK_ERRNO(vt_ep_to_rts(&q.a, &q.opts), 0, "RTR to RTS");
	/* The UC end takes the RC end for its peer. */
	CHECK_ERRNO(vt_ep_to_state(&b.p->b, IBV_QPS_RESET), 0, "to RESET");
	CHECK_ERRNO(vt_ep_to_init(&b.p->b, &b.opts), 0, "RESET to INIT");
	CHECK_ERRNO(vt_ep_to_rtr(&b.p->b, &q.a, &b.p->opts), 0, "INIT to RTR");
	CHECK_ERRNO(vt_ep_to_rts(&b.p->b, &b.p->opts), 0, "RTR to RTS");

	CHECK_ERRNO(vt_recv(&b.p->b, 5, vt_sge(b.dst, 0, LEN)), 0, "ibv_post_recv");
	CHECK_ERRNO(vt_recv(&q.a, 6, vt_sge(b.src, 0, LEN)), 0, "ibv_post_recv");
	CHECK_ERRNO(vt_send(&b.p->b, 1, IBV_WR_SEND, vt_sge(b.dst, 0, LEN), NULL, 0, IBV_SEND_SIGNALED), 0,
		    "ibv_post_send");
	vt_expect_wc(&b.p->b, b.p->b.scq, 1, IBV_WC_SUCCESS, "sending from UC", NULL);
	vt_poll_none(q.a.rcq, QUIET_MS, "RC took a message of UC");
	CHECK_ERRNO(vt_send(&q.a, 2, IBV_WR_SEND, vt_sge(b.src, 0, LEN), NULL, 0, IBV_SEND_SIGNALED), 0,
		    "ibv_post_send");
	vt_expect_wc(&q.a, q.a.scq, 2, IBV_WC_RETRY_EXC_ERR, "sending from RC", NULL);
	vt_poll_none(b.p->b.rcq, QUIET_MS, "UC took a message of RC");
	vt_buf_check(b.dst, 0, SIZE, "memory of the UC end");
	vt_buf_check(b.src, 0, SIZE, "memory of the RC end");
}

void uc_errors_add(void)
{
	static const struct {
		const char *name;
		vt_fn fn;
	} cases[] = {
		{ "not_ready", not_ready }, { "too_long", too_long }, { "too_long_late", too_long_late },
		{ "bad_target", bad_target }, { "no_right", no_right }, { "bad_request", bad_request },
		{ "bad_receive", bad_receive }, { "other_service", other_service },
	};
	char name[64];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		snprintf(name, sizeof(name), "errors/%s", cases[i].name);
		uc_add(name, cases[i].fn, (struct uc_arg){ .op = X_SEND });
	}
}
