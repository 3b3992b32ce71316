// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * ud_errors: bad datagrams, from our own programs and from peers. A bad request completes with the
 * status that the specification names and leaves the QP in SQE with a receive queue that goes on; a
 * datagram that is not for a QP touches nothing; both ends work afterwards.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vt_ud.h"

#define SIZE		16384
#define QUIET_MS	60

struct err_arg {
	bool wire;
};

struct bench {
	struct vt_dev *da, *db;
	struct vt_ep *a, *b;
	struct vt_buf *src, *dst;
	struct ibv_ah *ah;
};

static struct bench make_bench(const void *arg)
{
	const struct err_arg *t = arg;
	struct ud_opts o = UD_OPTS;
	struct bench b = { .da = vt_open(vt_cfg.dev) };

	b.db = t->wire ? vt_open(vt_cfg.peer) : b.da;
	b.a = ud_ep_new(b.da, &o);
	b.b = ud_ep_new(b.db, &o);
	b.src = vt_buf_new(b.da, VT_HOST, SIZE, VT_ACCESS_ALL);
	b.dst = vt_buf_new(b.db, VT_HOST, SIZE, VT_ACCESS_ALL);
	b.ah = ud_ah(b.a, &b.b->gid);
	return b;
}

static void receive(struct bench *b, uint64_t id, size_t off, uint32_t len)
{
	CHECK_ERRNO(vt_recv(b->b, id, vt_sge(b->dst, off, UD_GRH + len)), 0, "ibv_post_recv");
}

static void send(struct bench *b, uint64_t id, struct ibv_sge sge)
{
	ud_send(b->a, id, sge, b->ah, b->b->qp->qp_num, UD_QKEY);
}

/* A datagram into the receive that is posted already as @id at @off. */
static void arrives(struct bench *b, uint64_t id, size_t off)
{
	send(b, 1000, vt_sge(b->src, 321, 123));
	vt_expect_wc(b->a, b->a->scq, 1000, IBV_WC_SUCCESS, "sending", NULL);
	ud_expect(b->b, id, b->a, 123);
	vt_buf_expect_copy(b->dst, off + UD_GRH, 123, b->src, 321, "payload");
	vt_buf_fill(b->dst, off, UD_GRH + 123);
	vt_buf_check(b->dst, 0, SIZE, "everything else");
}

static void to_rts_from_sqe(struct vt_ep *ep)
{
	struct ibv_qp_attr a = { .qp_state = IBV_QPS_RTS, .cur_qp_state = IBV_QPS_SQE };

	CHECK_EQ(vt_ep_state(ep), IBV_QPS_SQE, "state after the error");
	CHECK_ERRNO(ibv_modify_qp(ep->qp, &a, IBV_QP_STATE | IBV_QP_CUR_STATE), 0, "SQE to RTS");
}

/* In SQE the receive queue works; a send is flushed; back in RTS all is well. */
static void recovers(struct bench *b)
{
	struct ibv_ah *back = ud_ah(b->b, &b->a->gid);

	CHECK_EQ(vt_ep_state(b->a), IBV_QPS_SQE, "state after the error");
	CHECK_ERRNO(vt_recv(b->a, 7, vt_sge(b->src, 8000, UD_GRH + 55)), 0, "receive in SQE");
	ud_send(b->b, 8, vt_sge(b->dst, 0, 55), back, b->a->qp->qp_num, UD_QKEY);
	ud_expect(b->a, 7, b->b, 55);
	vt_buf_expect_copy(b->src, 8000 + UD_GRH, 55, b->dst, 0, "received in SQE");
	vt_buf_fill(b->src, 8000, UD_GRH + 55);
	send(b, 9, vt_sge(b->src, 0, 10));
	vt_expect_wc(b->a, b->a->scq, 9, IBV_WC_WR_FLUSH_ERR, "sending in SQE", NULL);
	to_rts_from_sqe(b->a);
	receive(b, 10, 5000, 123);
	arrives(b, 10, 5000);
}

/* @wr fails with @status; the one behind it is flushed, the one before it arrives. */
static void fails(struct bench *b, struct ibv_ah *ah, struct ibv_sge sge, enum ibv_wc_status status)
{
	struct ibv_sge good = vt_sge(b->src, 321, 123);
	struct ibv_send_wr wr[3] = { }, *bad;

	for (int i = 0; i < 3; i++) {
		wr[i] = (struct ibv_send_wr){
			.wr_id = i, .sg_list = i == 1 ? &sge : &good, .num_sge = 1,
			.opcode = IBV_WR_SEND, .next = i == 2 ? NULL : &wr[i + 1],
			.wr.ud = { i == 1 ? ah : b->ah, b->b->qp->qp_num, UD_QKEY },
		};
	}
	receive(b, 20, 0, 4096);
	receive(b, 21, 5000, 4096);
	CHECK_ERRNO(ibv_post_send(b->a->qp, wr, &bad), 0, "posting three");
	vt_expect_wc(b->a, b->a->scq, 1, status, "the bad one", NULL);
	vt_expect_wc(b->a, b->a->scq, 2, IBV_WC_WR_FLUSH_ERR, "the one behind it", NULL);
	ud_expect(b->b, 20, b->a, 123);
	vt_poll_none(b->b->rcq, QUIET_MS, "a datagram that failed arrived");
	vt_buf_fill(b->dst, 0, UD_GRH + 123);
	vt_buf_check(b->dst, 0, SIZE, "untouched");
	to_rts_from_sqe(b->a);
	arrives(b, 21, 5000);
}

static void ah_other_pd(const void *arg)
{
	struct bench b = make_bench(arg);
	struct vt_ep stranger = *b.a;

	stranger.pd = vt_pd_new(b.da);
	fails(&b, ud_ah(&stranger, &b.b->gid), vt_sge(b.src, 0, 100), IBV_WC_LOC_QP_OP_ERR);
}

/* libibverbs forgets an address handle; a program that does not has its number still. */
static void ah_dead(const void *arg)
{
	struct bench b = make_bench(arg);
	struct ibv_ah *ah = ud_ah_try(b.a, &b.b->gid);
	char copy[sizeof(*ah) + 8];

	CHECK(ah, "ibv_create_ah: %s", strerror(errno));
	memcpy(copy, ah, sizeof(copy));
	CHECK_ERRNO(ibv_destroy_ah(ah), 0, "ibv_destroy_ah");
	fails(&b, (void *)copy, vt_sge(b.src, 0, 100), IBV_WC_LOC_QP_OP_ERR);
}

static void too_long(const void *arg)
{
	struct bench b = make_bench(arg);
	uint32_t mtu = vt_mtu_bytes(b.da->port.active_mtu);

	fails(&b, b.ah, vt_sge(b.src, 0, mtu + 1), IBV_WC_LOC_LEN_ERR);
}

static void bad_lkey(const void *arg)
{
	struct bench b = make_bench(arg);
	struct ibv_sge sge = vt_sge(b.src, 0, 100);

	sge.lkey ^= 0x100;
	fails(&b, b.ah, sge, IBV_WC_LOC_PROT_ERR);
}

static void sge_outside(const void *arg)
{
	struct bench b = make_bench(arg);
	struct ibv_sge sge = vt_sge(b.src, SIZE - 99, 100);

	fails(&b, b.ah, sge, IBV_WC_LOC_PROT_ERR);
}

static void sqe_works(const void *arg)
{
	struct bench b = make_bench(arg);
	struct ibv_sge sge = vt_sge(b.src, 0, 100);

	sge.lkey ^= 0x100;
	send(&b, 1, sge);
	vt_expect_wc(b.a, b.a->scq, 1, IBV_WC_LOC_PROT_ERR, "bad lkey", NULL);
	recovers(&b);
}

static void bad_opcode(const void *arg)
{
	static const enum ibv_wr_opcode ops[] = {
		IBV_WR_RDMA_WRITE, IBV_WR_RDMA_WRITE_WITH_IMM, IBV_WR_RDMA_READ,
		IBV_WR_SEND_WITH_INV, IBV_WR_ATOMIC_CMP_AND_SWP, IBV_WR_ATOMIC_FETCH_AND_ADD,
		IBV_WR_ATOMIC_WRITE,
	};
	struct bench b = make_bench(arg);

	for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
		struct ibv_sge sge = vt_sge(b.src, 0, 8);
		struct ibv_send_wr wr = { .sg_list = &sge, .num_sge = 1, .opcode = ops[i] };

		CHECK_ERRNO(ud_post(b.a, &wr, b.ah, b.b->qp->qp_num, UD_QKEY), EINVAL,
			    "an opcode that datagrams have not");
	}
	receive(&b, 1, 0, 123);
	arrives(&b, 1, 0);
}

/* What is not for the QP leaves its receive posted and its memory alone. */
static void not_for_it(const void *arg, uint32_t qpn_xor, uint32_t qkey)
{
	struct bench b = make_bench(arg);

	receive(&b, 1, 0, 123);
	for (int i = 0; i < 5; i++)
		ud_send(b.a, 2, vt_sge(b.src, 0, 100), b.ah, b.b->qp->qp_num ^ qpn_xor, qkey);
	for (int i = 0; i < 5; i++)
		vt_expect_wc(b.a, b.a->scq, 2, IBV_WC_SUCCESS, "sending", NULL);
	vt_poll_none(b.b->rcq, QUIET_MS, "it was taken");
	vt_buf_check(b.dst, 0, SIZE, "untouched");
	arrives(&b, 1, 0);
}

static void wrong_qkey(const void *arg)
{
	not_for_it(arg, 0, UD_QKEY + 1);
}

static void wrong_qpn(const void *arg)
{
	not_for_it(arg, 0x400000, UD_QKEY);
}

static void no_receive(const void *arg)
{
	struct bench b = make_bench(arg);

	for (int i = 0; i < 5; i++) {
		send(&b, 2, vt_sge(b.src, 0, 100));
		vt_expect_wc(b.a, b.a->scq, 2, IBV_WC_SUCCESS, "sending", NULL);
	}
	vt_sleep_ms(QUIET_MS);
	receive(&b, 1, 0, 123);
	vt_poll_none(b.b->rcq, QUIET_MS, "a datagram without a receive was kept");
	arrives(&b, 1, 0);
}

/* Datagrams that a receive has no room for do nothing to it: the first that fits has it. */
static void too_large(const void *arg, uint32_t room)
{
	struct bench b = make_bench(arg);
	uint32_t mtu = vt_mtu_bytes(b.da->port.active_mtu);

	CHECK_ERRNO(vt_recv(b.b, 1, vt_sge(b.dst, 0, room)), 0, "ibv_post_recv");
	receive(&b, 2, 5000, 123);
	for (uint32_t i = 0; i < 5; i++) {
		uint32_t fits = room < UD_GRH ? 0 : room - UD_GRH + 1;

		send(&b, 3, vt_sge(b.src, 0, i == 4 ? mtu : fits + i));
		vt_expect_wc(b.a, b.a->scq, 3, IBV_WC_SUCCESS, "sending", NULL);
	}
	vt_poll_none(b.b->rcq, QUIET_MS, "it was taken");
	CHECK_EQ(vt_ep_state(b.b), IBV_QPS_RTS, "state");
	vt_buf_check(b.dst, 0, SIZE, "untouched");
	if (room < UD_GRH)
		return;
	send(&b, 4, vt_sge(b.src, 77, room - UD_GRH));
	vt_expect_wc(b.a, b.a->scq, 4, IBV_WC_SUCCESS, "sending", NULL);
	ud_expect(b.b, 1, b.a, room - UD_GRH);
	vt_buf_expect_copy(b.dst, UD_GRH, room - UD_GRH, b.src, 77, "payload");
	vt_buf_fill(b.dst, 0, room);
	arrives(&b, 2, 5000);
}

static void recv_small(const void *arg)
{
	too_large(arg, UD_GRH + 99);
}

static void recv_empty(const void *arg)
{
	too_large(arg, UD_GRH);
}

static void recv_tiny(const void *arg)
{
	too_large(arg, UD_GRH - 1);
}

/* A receive that is wrong completes with @status, and the QP goes to error. */
static void bad_receive(const void *arg, uint32_t lkey_xor, enum ibv_wc_status status)
{
	struct bench b = make_bench(arg);
	struct ibv_sge sge = vt_sge(b.dst, 0, UD_GRH + 100);

	sge.lkey ^= lkey_xor;
	CHECK_ERRNO(vt_recv(b.b, 1, sge), 0, "ibv_post_recv");
	receive(&b, 2, 5000, 123);
	send(&b, 3, vt_sge(b.src, 0, 100));
	vt_expect_wc(b.a, b.a->scq, 3, IBV_WC_SUCCESS, "sending", NULL);
	vt_expect_wc(b.b, b.b->rcq, 1, status, "the bad receive", NULL);
	vt_expect_wc(b.b, b.b->rcq, 2, IBV_WC_WR_FLUSH_ERR, "the one behind it", NULL);
	CHECK_EQ(vt_ep_state(b.b), IBV_QPS_ERR, "state after the error");
	vt_buf_check(b.dst, 0, SIZE, "untouched");
	CHECK_ERRNO(vt_ep_to_state(b.b, IBV_QPS_RESET), 0, "to RESET");
	ud_ep_to_rts(b.b, UD_QKEY);
	receive(&b, 4, 0, 123);
	arrives(&b, 4, 0);
}

static void recv_lkey(const void *arg)
{
	bad_receive(arg, 0x100, IBV_WC_LOC_PROT_ERR);
}

/* A request of a connected QP is nothing that a datagram QP takes, and the other way round. */
static void services(const void *arg)
{
	struct bench b = make_bench(arg);
	struct vt_opts o = VT_OPTS;
	struct vt_pair *p;
	struct vt_ep *rc;

	o.timeout = 10;
	o.retry = 1;
	p = vt_pair_new(b.da, b.db, &o);
	rc = &p->b;
	receive(&b, 1, 0, 123);
	CHECK_ERRNO(vt_recv(rc, 2, vt_sge(b.dst, 5000, 4000)), 0, "ibv_post_recv");
	ud_send(b.a, 3, vt_sge(b.src, 0, 100), b.ah, rc->qp->qp_num, UD_QKEY);
	vt_expect_wc(b.a, b.a->scq, 3, IBV_WC_SUCCESS, "a datagram to an RC QP", NULL);
	vt_poll_none(rc->rcq, QUIET_MS, "the RC QP took a datagram");
	CHECK_EQ(vt_ep_state(rc), IBV_QPS_RTS, "state of the RC QP");

	CHECK_ERRNO(vt_ep_to_state(&p->a, IBV_QPS_RESET), 0, "to RESET");
	CHECK_ERRNO(vt_ep_to_init(&p->a, &o), 0, "to INIT");
	o.mtu = IBV_MTU_1024;
	CHECK_ERRNO(vt_ep_to_rtr_raw(&p->a, &o, &b.b->gid, b.b->qp->qp_num, 5), 0, "to RTR");
	CHECK_ERRNO(vt_ep_to_rts(&p->a, &o), 0, "to RTS");
	CHECK_ERRNO(vt_send(&p->a, 4, IBV_WR_SEND, vt_sge(b.src, 0, 100), NULL, 0,
			    IBV_SEND_SIGNALED), 0, "ibv_post_send");
	vt_expect_wc(&p->a, p->a.scq, 4, IBV_WC_RETRY_EXC_ERR, "an RC request to a UD QP", NULL);
	arrives(&b, 1, 0);
}

/* Management packets that are none: the QP behind number 1 has to survive all of them. */
static void gsi_garbage(const void *arg)
{
	static const uint32_t len[] = { 0, 1, 255, 256, 257, 1024 };
	struct bench b = make_bench(arg);
	struct ud_opts o = UD_OPTS;
	struct ibv_ah *ah;
	struct vt_ep *ep;

	o.qkey = 0x80010000;
	ep = ud_ep_new(b.da, &o);
	ah = ud_ah(ep, &b.b->gid);
	for (int round = 0; round < 20; round++) {
		for (size_t i = 0; i < sizeof(len) / sizeof(len[0]); i++) {
			ud_send(ep, i, vt_sge(b.src, 11 * round, len[i]), ah, 1, 0x80010000);
			vt_expect_wc(ep, ep->scq, i, IBV_WC_SUCCESS, "sending to QP 1", NULL);
		}
	}
	receive(&b, 1, 0, 123);
	arrives(&b, 1, 0);
}

static void create_refused(const void *arg)
{
	struct vt_dev *dev = vt_open(vt_cfg.dev);
	struct ibv_cq *cq = vt_cq_new(dev, 4, NULL);
	struct ibv_qp_init_attr_ex ia = {
		.qp_type = IBV_QPT_UD, .send_cq = cq, .recv_cq = cq, .pd = dev->pd,
		.comp_mask = IBV_QP_INIT_ATTR_PD | IBV_QP_INIT_ATTR_SEND_OPS_FLAGS,
		.cap = { .max_send_wr = 1, .max_recv_wr = 1, .max_send_sge = 1, .max_recv_sge = 1 },
		.send_ops_flags = IBV_QP_EX_WITH_RDMA_WRITE,
	};
	struct ibv_ah_attr attr = { .port_num = 1 };

	(void)arg;
	errno = 0;
	CHECK(!ibv_create_qp_ex(dev->ctx, &ia), "a UD QP with RDMA WRITE was made");
	CHECK_ERRNO(errno, EOPNOTSUPP, "a UD QP with RDMA WRITE");
	CHECK(!ibv_create_ah(dev->pd, &attr), "an address handle without a global route was made");
	attr.port_num = 2;
	attr.is_global = 1;
	CHECK(!ibv_create_ah(dev->pd, &attr), "an address handle of port 2 was made");
}

static void add(const char *name, vt_fn fn)
{
	for (int wire = 0; wire <= !!vt_cfg.peer; wire++) {
		struct err_arg *arg = malloc(sizeof(*arg));
		char full[128];

		if (!arg) {
			perror("ud_errors");
			exit(2);
		}
		arg->wire = wire;
		snprintf(full, sizeof(full), "ud/%s/%s", name, wire ? "wire" : "local");
		vt_add(full, fn, arg, 0);
	}
}

static void add_cases(void)
{
	add("ah/other_pd", ah_other_pd);
	add("ah/dead", ah_dead);
	add("send/too_long", too_long);
	add("send/bad_lkey", bad_lkey);
	add("send/outside", sge_outside);
	add("send/opcode", bad_opcode);
	add("send/sqe", sqe_works);
	add("peer/qkey", wrong_qkey);
	add("peer/qpn", wrong_qpn);
	add("peer/no_receive", no_receive);
	add("recv/small", recv_small);
	add("recv/empty", recv_empty);
	add("recv/tiny", recv_tiny);
	add("recv/lkey", recv_lkey);
	add("peer/services", services);
	add("peer/gsi", gsi_garbage);
	vt_add("ud/create/refused", create_refused, NULL, 0);
}

int main(int argc, char **argv)
{
	return vt_main(argc, argv, add_cases);
}
