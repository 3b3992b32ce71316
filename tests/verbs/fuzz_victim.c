// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * fuzz_wire's QPs. A ghost has no peer but the fuzzer, so that the fuzzer alone decides how a
 * conversation goes on; two live ones talk to each other and the fuzzer talks into it. A QP that went
 * to error starts over with new PSNs. All have receives and requests outstanding most of the time.
 */
#include <errno.h>
#include <string.h>

#include "fuzz_wire.h"
#include "vt_ud.h"

static uint32_t random_psn(void)
{
	return fuzz_odds(30) ? 0xffffff - fuzz_below(20) : (uint32_t)fuzz_rnd() & 0xffffff;
}

static void connect_ghost(struct fuzz_world *w, struct victim *v)
{
	v->ghost_qpn = 0xf00000 | fuzz_below(0xffff);
	v->ep.psn = random_psn();
	CHECK_ERRNO(vt_ep_to_init(&v->ep, &v->opts), 0, "to INIT");
	CHECK_ERRNO(vt_ep_to_rtr_raw(&v->ep, &v->opts, &w->road[v->side].sgid[v->v6], v->ghost_qpn,
				     random_psn()), 0, "to RTR");
	CHECK_ERRNO(vt_ep_to_rts(&v->ep, &v->opts), 0, "to RTS");
}

static void connect_live(struct victim *v)
{
	struct victim *ends[2] = { v, v->peer };

	for (int i = 0; i < 2; i++) {
		ends[i]->ep.psn = random_psn();
		CHECK_ERRNO(vt_ep_to_state(&ends[i]->ep, IBV_QPS_RESET), 0, "to RESET");
		CHECK_ERRNO(vt_ep_to_init(&ends[i]->ep, &v->opts), 0, "to INIT");
	}
	for (int i = 0; i < 2; i++)
		CHECK_ERRNO(vt_ep_to_rtr(&ends[i]->ep, &ends[!i]->ep, &v->opts), 0, "to RTR");
	for (int i = 0; i < 2; i++)
		CHECK_ERRNO(vt_ep_to_rts(&ends[i]->ep, &v->opts), 0, "to RTS");
}

static struct victim *describe(struct fuzz_world *w, enum victim_kind kind, int side, bool v6,
			       enum ibv_mtu mtu)
{
	struct victim *v = &w->victims[w->nr_victims++];
	struct vt_opts o = VT_OPTS;

	o.mtu = mtu;
	o.timeout = 14;
	o.retry = 3;
	o.rnr_retry = 3;
	o.min_rnr_timer = 1;
	o.v6 = v6;
	o.rd_atomic = 4;
	o.send_wr = 32;
	o.recv_wr = 16;
	o.qp_access |= IBV_ACCESS_REMOTE_ATOMIC;
	*v = (struct victim){ .kind = kind, .side = side, .v6 = v6, .opts = o,
			      .mtu = vt_mtu_bytes(mtu) };
	return v;
}

static struct victim *add(struct fuzz_world *w, enum victim_kind kind, int side, bool v6,
			  enum ibv_mtu mtu)
{
	struct victim *v = describe(w, kind, side, v6, mtu);

	vt_ep_create(&v->ep, w->dev[side], &v->opts, side);
	return v;
}

static struct victim *add_ud(struct fuzz_world *w, int side, bool v6, struct fuzz_srq *q)
{
	struct victim *v = describe(w, VICTIM_UD, side, v6, IBV_MTU_4096);
	struct ud_opts u = UD_OPTS;

	u.v6 = v6;
	u.srq = q ? q->srq : NULL;
	v->srq = q;
	v->ep = *ud_ep_new(w->dev[side], &u);
	return v;
}

/* Small send queues: the rings of two such QPs are in one page. */
static void add_on_srq(struct fuzz_world *w, int side, struct fuzz_srq *q)
{
	struct victim *v = describe(w, VICTIM_GHOST, side, false, IBV_MTU_1024);

	v->srq = q;
	v->opts.srq[side] = q->srq;
	v->opts.send_wr = 8;
	v->opts.send_sge = 1;
	v->opts.recv_wr = SRQ_ENTRIES;	/* decides how much its CQ holds */
	vt_ep_create(&v->ep, w->dev[side], &v->opts, side);
	connect_ghost(w, v);
}

void victims_new(struct fuzz_world *w)
{
	static const enum ibv_mtu mtus[] = { IBV_MTU_256, IBV_MTU_1024, IBV_MTU_4096 };
	struct victim *a, *b;

	for (int i = 0; i < 3; i++)
		connect_ghost(w, add(w, VICTIM_GHOST, i == 1, i == 2, mtus[i]));
	a = add(w, VICTIM_LIVE, 0, false, IBV_MTU_1024);
	b = add(w, VICTIM_LIVE, 1, false, IBV_MTU_1024);
	a->peer = b;
	b->peer = a;
	connect_live(a);
	add_ud(w, 0, false, NULL);
	add_ud(w, 1, true, NULL);
	srq_start(&w->calm, w->dev[0], false);
	srq_start(&w->scribbled, w->dev[1], true);
	for (int i = 0; i < 2; i++) {
		add_on_srq(w, 0, &w->calm);
		add_on_srq(w, 1, &w->scribbled);
	}
	add_ud(w, 0, false, &w->calm);
}

static void drain(struct ibv_cq *cq)
{
	struct ibv_wc wc[16];
	int n;

	do {
		n = ibv_poll_cq(cq, 16, wc);
		CHECK(n >= 0, "ibv_poll_cq: %d", n);
	} while (n);
}

/* All: those that share an SRQ or a group get what was meant for others, too. */
static void drain_all(struct fuzz_world *w)
{
	for (int i = 0; i < w->nr_victims; i++) {
		drain(w->victims[i].ep.scq);
		drain(w->victims[i].ep.rcq);
	}
}

static void post_receives(struct fuzz_world *w, struct victim *v)
{
	struct vt_buf *inbox = w->inbox[v->side];

	if (v->srq) {
		srq_look(v->srq);
		return;
	}
	for (uint32_t n = fuzz_below(4); n; n--) {
		struct ibv_sge sge = vt_sge(inbox, fuzz_below(RECVS - 1) * RECV_BYTES,
					    fuzz_odds(50) ? RECV_BYTES : fuzz_below(RECV_BYTES));

		/* A datagram always fits: one that does not may cost the QP. */
		if (v->kind == VICTIM_UD)
			sge.length = 2 * RECV_BYTES;
		if (vt_recv(&v->ep, fuzz_rnd(), sge))
			break;
	}
}

/* Eight bytes; the buffers begin at odd addresses. */
static int post_atomic(struct fuzz_world *w, struct victim *v)
{
	static const enum ibv_wr_opcode ops[] = { IBV_WR_ATOMIC_CMP_AND_SWP,
						  IBV_WR_ATOMIC_FETCH_AND_ADD, IBV_WR_ATOMIC_WRITE };
	struct vt_buf *theirs = w->target[!v->side];
	struct ibv_sge sge = vt_sge(w->target[v->side], fuzz_below(4096), 8);
	uint64_t addr = (theirs->iova + 8 + fuzz_below(4096)) & ~7ULL;
	struct ibv_send_wr wr = {
		.wr_id = fuzz_rnd(), .opcode = ops[fuzz_below(3)], .sg_list = &sge, .num_sge = 1,
		.send_flags = fuzz_odds(70) ? IBV_SEND_SIGNALED : 0,
	}, *bad;

	if (wr.opcode == IBV_WR_ATOMIC_WRITE) {
		wr.wr.rdma.remote_addr = addr;
		wr.wr.rdma.rkey = theirs->mr->rkey;
	} else {
		wr.wr.atomic.remote_addr = addr;
		wr.wr.atomic.rkey = theirs->mr->rkey;
		wr.wr.atomic.compare_add = fuzz_odds(50) ? 0 : fuzz_rnd();
		wr.wr.atomic.swap = fuzz_rnd();
	}
	return ibv_post_send(v->ep.qp, &wr, &bad);
}

static void post_requests(struct fuzz_world *w, struct victim *v)
{
	static const enum ibv_wr_opcode ops[] = { IBV_WR_SEND, IBV_WR_SEND_WITH_IMM, IBV_WR_RDMA_WRITE,
						  IBV_WR_RDMA_WRITE_WITH_IMM, IBV_WR_RDMA_READ };
	struct vt_buf *mine = w->target[v->side], *theirs = w->target[!v->side];

	if (fuzz_odds(20) && post_atomic(w, v))
		return;
	for (uint32_t n = fuzz_below(3); n; n--) {
		enum ibv_wr_opcode op = ops[fuzz_below(5)];
		bool send = op == IBV_WR_SEND || op == IBV_WR_SEND_WITH_IMM;
		uint32_t len = fuzz_below(send ? RECV_BYTES : 12000);

		if (vt_send(&v->ep, fuzz_rnd(), op, vt_sge(mine, fuzz_below(4096), len), theirs,
			    fuzz_below(4096), fuzz_odds(70) ? IBV_SEND_SIGNALED : 0))
			break;
	}
}

static void toggle_group(struct fuzz_world *w, struct victim *v)
{
	const union ibv_gid *group = &w->road[v->side].group[v->v6];

	if (v->attached)
		CHECK_ERRNO(ibv_detach_mcast(v->ep.qp, group, 0), 0, "ibv_detach_mcast");
	else
		CHECK_ERRNO(ibv_attach_mcast(v->ep.qp, group, 0), 0, "ibv_attach_mcast");
	v->attached = !v->attached;
}

void victim_look(struct fuzz_world *w, struct victim *v)
{
	struct ibv_qp_init_attr ia;
	struct ibv_qp_attr a = { };

	drain_all(w);
	CHECK_ERRNO(ibv_query_qp(v->ep.qp, &a, IBV_QP_STATE | IBV_QP_SQ_PSN | IBV_QP_RQ_PSN, &ia), 0,
		    "ibv_query_qp");
	if (v->kind == VICTIM_UD) {
		/* Nothing that arrives may take a datagram QP out of RTS. */
		CHECK_EQ(a.qp_state, IBV_QPS_RTS, "state of a UD QP");
		post_receives(w, v);
		if (fuzz_odds(10))
			toggle_group(w, v);
		return;
	}
	CHECK(a.qp_state == IBV_QPS_RTS || a.qp_state == IBV_QPS_ERR, "state %d of an RC QP",
	      a.qp_state);
	if (a.qp_state != IBV_QPS_RTS && fuzz_odds(80)) {
		if (v->kind == VICTIM_LIVE) {
			connect_live(v);
		} else {
			CHECK_ERRNO(vt_ep_to_state(&v->ep, IBV_QPS_RESET), 0, "to RESET");
			connect_ghost(w, v);
		}
		drain(v->ep.scq);
		drain(v->ep.rcq);
	}
	post_receives(w, v);
	post_requests(w, v);
	if (v->kind == VICTIM_GHOST)
		field_look(&w->field[v->side], &v->ep);
	CHECK_ERRNO(ibv_query_qp(v->ep.qp, &a, IBV_QP_STATE | IBV_QP_SQ_PSN | IBV_QP_RQ_PSN, &ia), 0,
		    "ibv_query_qp");
	v->state = a.qp_state;
	v->sq_psn = a.sq_psn;
	v->rq_psn = a.rq_psn;
}

void victims_finish(struct fuzz_world *w)
{
	struct victim *live = NULL;
	struct vt_pair p;

	for (int i = 0; i < w->nr_victims; i++) {
		struct victim *v = &w->victims[i];

		if (v->attached)
			toggle_group(w, v);
		if (v->kind == VICTIM_LIVE && !v->side)
			live = v;
	}
	CHECK(live, "no victim has a peer");
	connect_live(live);
	p = (struct vt_pair){ .a = live->ep, .b = live->peer->ep, .opts = live->opts };
	drain(p.a.scq);
	drain(p.b.rcq);
	vt_ping(&p, vt_buf_new(w->dev[0], VT_HOST, 20000, VT_ACCESS_ALL),
		vt_buf_new(w->dev[1], VT_HOST, 20000, VT_ACCESS_ALL), 20000);
	srq_finish(&w->calm, w->dev[1]);
	srq_finish(&w->scribbled, w->dev[0]);
}
