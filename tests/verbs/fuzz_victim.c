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

static struct victim *add(struct fuzz_world *w, enum victim_kind kind, int side, bool v6,
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
	*v = (struct victim){ .kind = kind, .side = side, .v6 = v6, .opts = o,
			      .mtu = vt_mtu_bytes(mtu) };
	if (kind == VICTIM_UD) {
		struct ud_opts u = UD_OPTS;

		u.v6 = v6;
		v->ep = *ud_ep_new(w->dev[side], &u);
	} else {
		vt_ep_create(&v->ep, w->dev[side], &v->opts, side);
	}
	return v;
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
	add(w, VICTIM_UD, 0, false, IBV_MTU_4096);
	add(w, VICTIM_UD, 1, true, IBV_MTU_4096);
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

static void post_receives(struct fuzz_world *w, struct victim *v)
{
	struct vt_buf *inbox = w->inbox[v->side];

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

static void post_requests(struct fuzz_world *w, struct victim *v)
{
	static const enum ibv_wr_opcode ops[] = { IBV_WR_SEND, IBV_WR_SEND_WITH_IMM, IBV_WR_RDMA_WRITE,
						  IBV_WR_RDMA_WRITE_WITH_IMM, IBV_WR_RDMA_READ };
	struct vt_buf *mine = w->target[v->side], *theirs = w->target[!v->side];

	for (uint32_t n = fuzz_below(3); n; n--) {
		enum ibv_wr_opcode op = ops[fuzz_below(5)];
		bool send = op == IBV_WR_SEND || op == IBV_WR_SEND_WITH_IMM;
		uint32_t len = fuzz_below(send ? RECV_BYTES : 12000);

		if (vt_send(&v->ep, fuzz_rnd(), op, vt_sge(mine, fuzz_below(4096), len), theirs,
			    fuzz_below(4096), fuzz_odds(70) ? IBV_SEND_SIGNALED : 0))
			break;
	}
}

void victim_look(struct fuzz_world *w, struct victim *v)
{
	struct ibv_qp_init_attr ia;
	struct ibv_qp_attr a = { };

	drain(v->ep.scq);
	drain(v->ep.rcq);
	CHECK_ERRNO(ibv_query_qp(v->ep.qp, &a, IBV_QP_STATE | IBV_QP_SQ_PSN | IBV_QP_RQ_PSN, &ia), 0,
		    "ibv_query_qp");
	if (v->kind == VICTIM_UD) {
		/* Nothing that arrives may take a datagram QP out of RTS. */
		CHECK_EQ(a.qp_state, IBV_QPS_RTS, "state of a UD QP");
		post_receives(w, v);
		return;
	}
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
	CHECK_ERRNO(ibv_query_qp(v->ep.qp, &a, IBV_QP_STATE | IBV_QP_SQ_PSN | IBV_QP_RQ_PSN, &ia), 0,
		    "ibv_query_qp");
	v->state = a.qp_state;
	v->sq_psn = a.sq_psn;
	v->rq_psn = a.rq_psn;
}
