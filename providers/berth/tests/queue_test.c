// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * The whole provider below the installed libibverbs, over the mock kernel: what posting leaves in
 * the rings and what polling makes of completions, with the limits and errors of both.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../berth.h"
#include "check.h"
#include "mock_kernel.h"

struct ibv_context *verbs_open_device(struct ibv_device *ibdev, void *private_data);

unsigned int checks_done;
unsigned int checks_failed;

static const struct verbs_device_ops *driver;

/* Stands before the one of libibverbs, to get at what the provider registers. */
void verbs_register_driver_34(const struct verbs_device_ops *ops)
{
	driver = ops;
}

struct setup {
	struct ibv_context *ctx;
	struct ibv_pd *pd;
	struct ibv_cq *cq;
	struct ibv_qp *qp;
	struct berth_cq_ring *cq_ring;
	struct berth_qp_ring *ring;
};

static struct ibv_device *device;

/* As ibv_open_device() does; without a device node, which the mock kernel does not miss. */
static struct ibv_context *open_context(void)
{
	return verbs_open_device(device, NULL);
}

static struct ibv_qp *new_qp(struct setup *s, struct ibv_cq *cq, int sig_all, bool ex)
{
	struct ibv_qp_init_attr_ex attr = {
		.send_cq = cq,
		.recv_cq = cq,
		.cap = { .max_send_wr = 4, .max_recv_wr = 3, .max_send_sge = 2, .max_recv_sge = 2,
			 .max_inline_data = 64 },
		.qp_type = IBV_QPT_RC,
		.sq_sig_all = sig_all,
		.comp_mask = IBV_QP_INIT_ATTR_PD | IBV_QP_INIT_ATTR_CREATE_FLAGS,
		.pd = s->pd,
	};
	struct ibv_qp *qp;

	if (ex) {
		attr.comp_mask |= IBV_QP_INIT_ATTR_SEND_OPS_FLAGS;
		attr.send_ops_flags = BERTH_SEND_OPS;
	}
	qp = verbs_get_ctx(s->ctx)->create_qp_ex(s->ctx, &attr);
	if (!qp && ex && errno == EOPNOTSUPP) {
		/* A libibverbs before 44. */
		attr.send_ops_flags &= ~(uint64_t)VERBS_QP_EX_WITH_ATOMIC_WRITE;
		qp = verbs_get_ctx(s->ctx)->create_qp_ex(s->ctx, &attr);
	}
	return qp;
}

static void set_up(struct setup *s, int sig_all, bool ex)
{
	memset(s, 0, sizeof(*s));
	mock.doorbells = 0;
	s->ctx = open_context();
	s->pd = ibv_alloc_pd(s->ctx);
	s->cq = ibv_create_cq(s->ctx, MOCK_CQ_ENTRIES, NULL, NULL, 0);
	s->cq_ring = mock.cq_ring;
	s->qp = new_qp(s, s->cq, sig_all, ex);
	if (!s->ctx || !s->pd || !s->cq || !s->qp) {
		fprintf(stderr, "set_up: %s\n", strerror(errno));
		exit(1);
	}
	s->ring = mock.qp_ring;
	s->qp->state = IBV_QPS_RTS;
}

static void tear_down(struct setup *s)
{
	CHECK(!ibv_destroy_qp(s->qp));
	CHECK(!ibv_destroy_cq(s->cq));
	CHECK(!ibv_dealloc_pd(s->pd));
	CHECK(!ibv_close_device(s->ctx));
	CHECK(!mock.refused);
}

static void complete_send(struct setup *s, uint32_t qpn, uint32_t index)
{
	const struct berth_cqe cqe = {
		.wr_id = 1000 + index, .opcode = BERTH_WR_SEND, .qpn = qpn, .index = index,
	};

	mock_complete(s->cq_ring, &cqe);
}

static void open__agrees_on_abi(void)
{
	struct ibv_context *ctx = open_context();

	CHECK(ctx);
	CHECK(mock.ucontext_req.abi_min == BERTH_ABI_VERSION);
	CHECK(mock.ucontext_req.abi_max == BERTH_ABI_VERSION);
	CHECK(!mock.ucontext_req.reserved);
	ibv_close_device(ctx);

	mock.abi = BERTH_ABI_VERSION + 1;
	errno = 0;
	CHECK(!open_context());
	CHECK(errno == EPROTO);
	mock.abi = 0;
}

static void post_send__writes_entries(void)
{
	struct ibv_sge sge[2] = { { 0x1000, 100, 7 }, { 0x2000, 200, 8 } };
	struct ibv_send_wr wr[3] = {
		{ .wr_id = 1, .next = &wr[1], .sg_list = sge, .num_sge = 2,
		  .opcode = IBV_WR_RDMA_WRITE_WITH_IMM, .imm_data = 0x11223344,
		  .send_flags = IBV_SEND_SIGNALED | IBV_SEND_SOLICITED,
		  .wr.rdma = { .remote_addr = 0xabcdef, .rkey = 9 } },
		{ .wr_id = 2, .next = &wr[2], .opcode = IBV_WR_SEND_WITH_INV,
		  .invalidate_rkey = 0x77, .send_flags = IBV_SEND_FENCE },
		{ .wr_id = 3, .sg_list = sge, .num_sge = 1, .opcode = IBV_WR_RDMA_READ },
	};
	struct ibv_send_wr word = { .wr_id = 4, .sg_list = sge, .num_sge = 1,
				    .opcode = (enum ibv_wr_opcode)VERBS_WR_ATOMIC_WRITE,
				    .wr.rdma = { .remote_addr = 0x8000, .rkey = 10 } };
	struct ibv_send_wr *bad = NULL;
	struct berth_send_wqe *wqe;
	struct berth_sge *out;
	struct setup s;

	set_up(&s, 0, false);
	CHECK(!ibv_post_send(s.qp, wr, &bad));
	CHECK(s.ring->sq_prod == 3);
	CHECK(mock.doorbells == 1);
	CHECK(mock.last_doorbell == (s.qp->qp_num | BERTH_RING_SQ));

	wqe = mock_sqe(s.ring, 0);
	out = (struct berth_sge *)(wqe + 1);
	CHECK(wqe->wr_id == 1 && wqe->opcode == BERTH_WR_WRITE_IMM && wqe->num_sge == 2);
	CHECK(wqe->flags == (BERTH_WR_SIGNALED | BERTH_WR_SOLICITED));
	CHECK(wqe->ex == 0x11223344 && wqe->rkey == 9 && wqe->remote_addr == 0xabcdef);
	CHECK(out[1].addr == 0x2000 && out[1].length == 200 && out[1].lkey == 8);
	wqe = mock_sqe(s.ring, 1);
	CHECK(wqe->opcode == BERTH_WR_SEND_INV && wqe->ex == 0x77 && !wqe->num_sge);
	CHECK(wqe->flags == BERTH_WR_FENCE && !wqe->rkey && !wqe->remote_addr);
	wqe = mock_sqe(s.ring, 2);
	CHECK(wqe->opcode == BERTH_WR_READ && !wqe->flags && wqe->num_sge == 1);
	CHECK(!ibv_post_send(s.qp, &word, &bad));
	wqe = mock_sqe(s.ring, 3);
	CHECK(wqe->opcode == BERTH_WR_ATOMIC_WRITE && wqe->num_sge == 1 && !wqe->inline_len);
	CHECK(wqe->rkey == 10 && wqe->remote_addr == 0x8000);
	tear_down(&s);
}

static void post_send__inline_is_copied(void)
{
	char data[65] = "a cargo lands";
	struct ibv_sge sge[2] = { { (uintptr_t)data, 5, 0 }, { (uintptr_t)data + 5, 8, 0 } };
	struct ibv_send_wr wr = { .sg_list = sge, .num_sge = 2, .opcode = IBV_WR_SEND,
				  .send_flags = IBV_SEND_INLINE };
	struct berth_send_wqe *wqe;
	struct ibv_send_wr *bad;
	struct setup s;

	set_up(&s, 1, false);
	CHECK(!ibv_post_send(s.qp, &wr, &bad));
	wqe = mock_sqe(s.ring, 0);
	CHECK(wqe->flags == (BERTH_WR_INLINE | BERTH_WR_SIGNALED));
	CHECK(wqe->inline_len == 13 && !wqe->num_sge && !memcmp(wqe + 1, data, 13));

	sge[0].length = 64;
	wr.num_sge = 1;
	CHECK(!ibv_post_send(s.qp, &wr, &bad));
	sge[0].length = 65;
	CHECK(ibv_post_send(s.qp, &wr, &bad) == EINVAL);
	sge[0].length = 1;
	wr.opcode = IBV_WR_RDMA_READ;
	CHECK(ibv_post_send(s.qp, &wr, &bad) == EINVAL);
	CHECK(s.ring->sq_prod == 2);
	tear_down(&s);
}

static void post_send__refuses(void)
{
	struct ibv_sge sge[3] = { { 0, 0x7fffffff, 0 }, { 0, 1, 0 }, { 0, 0, 0 } };
	struct ibv_send_wr wr[2] = {
		{ .next = &wr[1], .opcode = IBV_WR_SEND },
		{ .opcode = IBV_WR_SEND, .sg_list = sge, .num_sge = 3 },
	};
	struct ibv_send_wr *bad = NULL;
	struct setup s;

	set_up(&s, 0, false);
	/* The one before the bad one goes out. */
	CHECK(ibv_post_send(s.qp, wr, &bad) == EINVAL && bad == &wr[1]);
	CHECK(s.ring->sq_prod == 1 && mock.doorbells == 1);

	wr[1].num_sge = -1;
	CHECK(ibv_post_send(s.qp, &wr[1], &bad) == EINVAL);
	wr[1].num_sge = 2;
	CHECK(ibv_post_send(s.qp, &wr[1], &bad) == EINVAL);
	wr[1].num_sge = 1;
	wr[1].opcode = IBV_WR_TSO;
	CHECK(ibv_post_send(s.qp, &wr[1], &bad) == EINVAL);
	wr[1].opcode = (enum ibv_wr_opcode)99;
	CHECK(ibv_post_send(s.qp, &wr[1], &bad) == EINVAL);
	wr[1].opcode = IBV_WR_ATOMIC_FETCH_AND_ADD;
	wr[1].send_flags = IBV_SEND_INLINE;
	CHECK(ibv_post_send(s.qp, &wr[1], &bad) == EINVAL);
	wr[1].opcode = IBV_WR_LOCAL_INV;
	CHECK(ibv_post_send(s.qp, &wr[1], &bad) == EINVAL);
	wr[1].opcode = IBV_WR_SEND;
	wr[1].send_flags = IBV_SEND_IP_CSUM;
	CHECK(ibv_post_send(s.qp, &wr[1], &bad) == EINVAL);
	wr[1].send_flags = 0;
	s.qp->state = IBV_QPS_RTR;
	CHECK(ibv_post_send(s.qp, &wr[1], &bad) == EINVAL && bad == &wr[1]);
	CHECK(s.ring->sq_prod == 1 && mock.doorbells == 1);
	s.qp->state = IBV_QPS_ERR;
	CHECK(!ibv_post_send(s.qp, &wr[1], &bad));

	mock.doorbell_errno = EIO;
	CHECK(ibv_post_send(s.qp, &wr[1], &bad) == EIO && bad == &wr[1]);
	mock.doorbell_errno = 0;
	tear_down(&s);
}

static void post_send__full_until_polled(void)
{
	struct ibv_send_wr wr = { .opcode = IBV_WR_SEND };
	struct ibv_send_wr *bad;
	struct ibv_wc wc;
	unsigned int i;
	struct setup s;

	set_up(&s, 0, false);
	for (i = 0; i < 4; i++)
		CHECK(!ibv_post_send(s.qp, &wr, &bad));
	CHECK(ibv_post_send(s.qp, &wr, &bad) == ENOMEM && bad == &wr);

	/* Completion of the third frees three, and only when it is polled. */
	complete_send(&s, s.qp->qp_num, 2);
	CHECK(ibv_post_send(s.qp, &wr, &bad) == ENOMEM);
	CHECK(ibv_poll_cq(s.cq, 1, &wc) == 1 && wc.wr_id == 1002);
	for (i = 0; i < 3; i++)
		CHECK(!ibv_post_send(s.qp, &wr, &bad));
	CHECK(ibv_post_send(s.qp, &wr, &bad) == ENOMEM);
	CHECK(s.ring->sq_prod == 7);

	/* Round the ring several times. */
	for (i = 3; i < 40; i++) {
		complete_send(&s, s.qp->qp_num, i);
		CHECK(ibv_poll_cq(s.cq, 1, &wc) == 1);
		CHECK(!ibv_post_send(s.qp, &wr, &bad));
	}
	CHECK(s.ring->sq_prod == 44 && s.cq_ring->cons == 38);
	tear_down(&s);
}

static void post_recv__writes_and_limits(void)
{
	struct ibv_sge sge[2] = { { 0x1000, 100, 7 }, { 0x2000, 200, 8 } };
	struct ibv_recv_wr wr = { .wr_id = 5, .sg_list = sge, .num_sge = 2 };
	const struct berth_cqe cqe = { .flags = BERTH_CQE_RECV, .opcode = BERTH_WR_SEND };
	struct berth_cqe done = cqe;
	struct berth_recv_wqe *wqe;
	struct ibv_recv_wr *bad;
	struct ibv_wc wc;
	struct setup s;

	set_up(&s, 0, false);
	s.qp->state = IBV_QPS_RESET;
	CHECK(ibv_post_recv(s.qp, &wr, &bad) == EINVAL && bad == &wr);
	s.qp->state = IBV_QPS_INIT;
	CHECK(!ibv_post_recv(s.qp, &wr, &bad));
	wqe = mock_rqe(s.ring, 0);
	CHECK(wqe->wr_id == 5 && wqe->num_sge == 2);
	CHECK(((struct berth_sge *)(wqe + 1))[1].addr == 0x2000);
	CHECK(!mock.doorbells);
	wr.num_sge = 3;
	CHECK(ibv_post_recv(s.qp, &wr, &bad) == EINVAL);
	wr.num_sge = 0;
	CHECK(!ibv_post_recv(s.qp, &wr, &bad));
	CHECK(!ibv_post_recv(s.qp, &wr, &bad));
	CHECK(ibv_post_recv(s.qp, &wr, &bad) == ENOMEM);
	CHECK(s.ring->rq_prod == 3);

	done.qpn = s.qp->qp_num;
	mock_complete(s.cq_ring, &done);
	CHECK(ibv_poll_cq(s.cq, 1, &wc) == 1 && wc.opcode == IBV_WC_RECV);
	s.ring->flags = BERTH_RING_RQ_DOORBELL;
	CHECK(!ibv_post_recv(s.qp, &wr, &bad));
	CHECK(mock.last_doorbell == (s.qp->qp_num | BERTH_RING_RQ) && mock.doorbells == 1);
	tear_down(&s);
}

static void poll__maps_fields(void)
{
	struct berth_cqe cqe = {
		.wr_id = 0x123456789abcdef, .status = IBV_WC_SUCCESS, .opcode = BERTH_WR_WRITE_IMM,
		.flags = BERTH_CQE_RECV | BERTH_CQE_IMM, .byte_len = 77, .ex = 0xdeadbeef,
		.src_qp = 12, .vendor_err = 34,
	};
	static const uint8_t send_ops[][2] = {
		{ BERTH_WR_SEND, IBV_WC_SEND }, { BERTH_WR_SEND_IMM, IBV_WC_SEND },
		{ BERTH_WR_SEND_INV, IBV_WC_SEND }, { BERTH_WR_WRITE, IBV_WC_RDMA_WRITE },
		{ BERTH_WR_WRITE_IMM, IBV_WC_RDMA_WRITE }, { BERTH_WR_READ, IBV_WC_RDMA_READ },
		{ BERTH_WR_CMP_SWP, IBV_WC_COMP_SWAP }, { BERTH_WR_FETCH_ADD, IBV_WC_FETCH_ADD },
		{ BERTH_WR_ATOMIC_WRITE, VERBS_WC_ATOMIC_WRITE },
	};
	struct ibv_wc wc[3];
	unsigned int i;
	struct setup s;

	set_up(&s, 0, false);
	CHECK(!ibv_poll_cq(s.cq, 3, wc));
	cqe.qpn = s.qp->qp_num;
	mock_complete(s.cq_ring, &cqe);
	cqe.flags = BERTH_CQE_RECV | BERTH_CQE_INV | BERTH_CQE_GRH;
	cqe.opcode = BERTH_WR_SEND_INV;
	cqe.status = IBV_WC_WR_FLUSH_ERR;
	mock_complete(s.cq_ring, &cqe);
	memset(wc, 0xff, sizeof(wc));
	CHECK(ibv_poll_cq(s.cq, 3, wc) == 2);
	CHECK(wc[0].wr_id == 0x123456789abcdef && wc[0].status == IBV_WC_SUCCESS);
	CHECK(wc[0].opcode == IBV_WC_RECV_RDMA_WITH_IMM && wc[0].byte_len == 77);
	CHECK(wc[0].imm_data == 0xdeadbeef && wc[0].wc_flags == IBV_WC_WITH_IMM);
	CHECK(wc[0].qp_num == s.qp->qp_num && wc[0].src_qp == 12 && wc[0].vendor_err == 34);
	CHECK(!wc[0].slid && !wc[0].sl && !wc[0].dlid_path_bits && !wc[0].pkey_index);
	CHECK(wc[1].wc_flags == (IBV_WC_WITH_INV | IBV_WC_GRH) && wc[1].sl == 9);
	CHECK(wc[1].opcode == IBV_WC_RECV && wc[1].status == IBV_WC_WR_FLUSH_ERR);

	cqe.flags = BERTH_CQE_RECV | BERTH_CQE_GRH | BERTH_CQE_IPV4;
	mock_complete(s.cq_ring, &cqe);
	CHECK(ibv_poll_cq(s.cq, 3, wc) == 1 && wc[0].wc_flags == IBV_WC_GRH && wc[0].sl == 10);

	cqe.flags = 0;
	for (i = 0; i < sizeof(send_ops) / sizeof(send_ops[0]); i++) {
		cqe.opcode = send_ops[i][0];
		mock_complete(s.cq_ring, &cqe);
		CHECK(ibv_poll_cq(s.cq, 3, wc) == 1 && wc[0].opcode == send_ops[i][1]);
	}
	CHECK(s.cq_ring->cons == s.cq_ring->prod);
	tear_down(&s);
}

static void notify__raises_only(void)
{
	struct setup s;

	set_up(&s, 0, false);
	CHECK(!ibv_req_notify_cq(s.cq, 1));
	CHECK(s.cq_ring->arm == BERTH_CQ_ARM_SOLICITED);
	CHECK(!ibv_req_notify_cq(s.cq, 0));
	CHECK(s.cq_ring->arm == BERTH_CQ_ARM_ANY);
	CHECK(!ibv_req_notify_cq(s.cq, 1));
	CHECK(s.cq_ring->arm == BERTH_CQ_ARM_ANY);
	tear_down(&s);
}

static void destroy_qp__takes_its_completions_along(void)
{
	struct ibv_qp *other;
	struct ibv_wc wc[8];
	uint32_t old_qpn;
	struct setup s;
	int i;

	set_up(&s, 0, false);
	other = new_qp(&s, s.cq, 0, false);
	old_qpn = other->qp_num;
	for (i = 0; i < 8; i++)
		complete_send(&s, i % 3 ? old_qpn : s.qp->qp_num, i);
	CHECK(ibv_poll_cq(s.cq, 2, wc) == 2 && wc[1].qp_num == old_qpn);
	CHECK(!ibv_destroy_qp(other));
	CHECK(s.cq_ring->cons == 6);	/* its room is free without a poll */
	mock.next_qpn = old_qpn;
	other = new_qp(&s, s.cq, 0, false);
	CHECK(other->qp_num == old_qpn);
	complete_send(&s, old_qpn, 0);
	CHECK(ibv_poll_cq(s.cq, 8, wc) == 3);
	CHECK(wc[0].qp_num == s.qp->qp_num && wc[0].wr_id == 1003);
	CHECK(wc[1].qp_num == s.qp->qp_num && wc[1].wr_id == 1006);
	CHECK(wc[2].qp_num == old_qpn && wc[2].wr_id == 1000);
	CHECK(!ibv_destroy_qp(other));
	tear_down(&s);
}

static void modify_qp__reset_empties_queues(void)
{
	struct ibv_qp_attr attr = { .qp_state = IBV_QPS_RESET };
	struct ibv_send_wr wr = { .opcode = IBV_WR_SEND };
	struct ibv_recv_wr recv_wr = {};
	struct ibv_recv_wr *bad_recv;
	struct ibv_send_wr *bad;
	struct ibv_wc wc;
	struct setup s;
	int i;

	set_up(&s, 0, false);
	for (i = 0; i < 4; i++)
		CHECK(!ibv_post_send(s.qp, &wr, &bad));
	CHECK(!ibv_post_recv(s.qp, &recv_wr, &bad_recv));
	complete_send(&s, s.qp->qp_num, 1);

	/* What the kernel does. */
	s.ring->sq_prod = 0;
	s.ring->rq_prod = 0;
	CHECK(!ibv_modify_qp(s.qp, &attr, IBV_QP_STATE));
	CHECK(s.qp->state == IBV_QPS_RESET && !ibv_poll_cq(s.cq, 1, &wc));
	s.qp->state = IBV_QPS_RTS;
	for (i = 0; i < 4; i++)
		CHECK(!ibv_post_send(s.qp, &wr, &bad));
	CHECK(ibv_post_send(s.qp, &wr, &bad) == ENOMEM && s.ring->sq_prod == 4);
	CHECK(!ibv_post_recv(s.qp, &recv_wr, &bad_recv) && s.ring->rq_prod == 1);
	tear_down(&s);
}

static void create_qp__refuses(void)
{
	struct ibv_qp_init_attr attr = { .qp_type = IBV_QPT_RAW_PACKET };
	struct setup s;

	set_up(&s, 0, false);
	attr.send_cq = s.cq;
	attr.recv_cq = s.cq;
	CHECK(!ibv_create_qp(s.pd, &attr) && errno == EOPNOTSUPP);
	mock.short_map = true;
	attr.qp_type = IBV_QPT_RC;
	CHECK(!ibv_create_qp(s.pd, &attr) && errno == EPROTO);
	mock.short_map = false;
	tear_down(&s);
}

static void wr_api__builds_and_rolls_back(void)
{
	struct ibv_sge sge[2] = { { 0x10, 1, 2 }, { 0x20, 3, 4 } };
	struct ibv_data_buf buf[2] = { { "cargo", 5 }, { "hold", 4 } };
	struct berth_send_wqe *wqe;
	struct ibv_qp_ex *qpx;
	struct setup s;
	int i;

	set_up(&s, 0, true);
	qpx = ibv_qp_to_qp_ex(s.qp);
	CHECK(qpx);
	ibv_wr_start(qpx);
	qpx->wr_id = 1;
	qpx->wr_flags = IBV_SEND_SIGNALED;
	ibv_wr_rdma_write(qpx, 5, 0x500);
	ibv_wr_set_sge(qpx, 6, 0x600, 60);
	qpx->wr_id = 2;
	qpx->wr_flags = IBV_SEND_INLINE;
	ibv_wr_send_imm(qpx, 0x99);
	ibv_wr_set_inline_data_list(qpx, 2, buf);
	ibv_wr_rdma_read(qpx, 7, 0x700);
	ibv_wr_set_sge_list(qpx, 2, sge);
	CHECK(!s.ring->sq_prod);
	CHECK(!ibv_wr_complete(qpx));
	CHECK(s.ring->sq_prod == 3 && mock.doorbells == 1);
	wqe = mock_sqe(s.ring, 0);
	CHECK(wqe->wr_id == 1 && wqe->opcode == BERTH_WR_WRITE && wqe->flags == BERTH_WR_SIGNALED);
	CHECK(wqe->rkey == 5 && wqe->remote_addr == 0x500 && wqe->num_sge == 1);
	wqe = mock_sqe(s.ring, 1);
	CHECK(wqe->ex == 0x99 && wqe->flags == BERTH_WR_INLINE && wqe->inline_len == 9);
	CHECK(!memcmp(wqe + 1, "cargohold", 9));
	wqe = mock_sqe(s.ring, 2);
	CHECK(wqe->opcode == BERTH_WR_READ && wqe->num_sge == 2 && !wqe->flags);

	/* One is left of four: the batch of two fails as a whole. */
	ibv_wr_start(qpx);
	ibv_wr_send(qpx);
	ibv_wr_send(qpx);
	ibv_wr_set_sge(qpx, 0, 0, 0);
	CHECK(ibv_wr_complete(qpx) == ENOMEM);
	for (i = 0; i < 2; i++) {
		ibv_wr_start(qpx);
		ibv_wr_send(qpx);
		ibv_wr_abort(qpx);
	}
	ibv_wr_start(qpx);
	ibv_wr_send(qpx);
	ibv_wr_set_sge_list(qpx, 3, sge);
	CHECK(ibv_wr_complete(qpx) == EINVAL);
	ibv_wr_start(qpx);
	ibv_wr_rdma_read(qpx, 0, 0);
	ibv_wr_set_inline_data(qpx, "x", 1);
	CHECK(ibv_wr_complete(qpx) == EINVAL);
	CHECK(s.ring->sq_prod == 3 && mock.doorbells == 1);
	ibv_wr_start(qpx);
	ibv_wr_send_inv(qpx, 0x31);
	CHECK(!ibv_wr_complete(qpx) && s.ring->sq_prod == 4);
	CHECK(mock_sqe(s.ring, 3)->ex == 0x31 && !mock_sqe(s.ring, 3)->num_sge);
	tear_down(&s);
}

#ifdef HAVE_WR_ATOMIC_WRITE
/* Its eight bytes go inline, on a QP without inline data too. */
static void wr_api__atomic_write(void)
{
	const uint64_t word = 0x1122334455667788;
	struct berth_send_wqe *wqe;
	struct ibv_qp_ex *qpx;
	struct setup s;

	set_up(&s, 0, true);
	qpx = ibv_qp_to_qp_ex(s.qp);
	if (!qpx->wr_atomic_write) {
		tear_down(&s);
		return;
	}
	to_bqp(s.qp)->sq.max_inline = 0;
	ibv_wr_start(qpx);
	qpx->wr_id = 5;
	qpx->wr_flags = IBV_SEND_SIGNALED | IBV_SEND_FENCE;
	ibv_wr_atomic_write(qpx, 6, 0x608, &word);
	CHECK(!ibv_wr_complete(qpx) && s.ring->sq_prod == 1);
	wqe = mock_sqe(s.ring, 0);
	CHECK(wqe->wr_id == 5 && wqe->opcode == BERTH_WR_ATOMIC_WRITE && !wqe->num_sge);
	CHECK(wqe->flags == (BERTH_WR_INLINE | BERTH_WR_SIGNALED | BERTH_WR_FENCE));
	CHECK(wqe->inline_len == 8 && !memcmp(wqe + 1, &word, 8));
	CHECK(wqe->rkey == 6 && wqe->remote_addr == 0x608);
	tear_down(&s);
}
#endif

static void cq_ex__reads_in_place(void)
{
	struct ibv_cq_init_attr_ex attr = {
		.cqe = 4,
		.wc_flags = IBV_WC_STANDARD_FLAGS | IBV_WC_EX_WITH_COMPLETION_TIMESTAMP,
	};
	struct ibv_poll_cq_attr poll = {};
	struct berth_cqe cqe = { .opcode = BERTH_WR_READ, .wr_id = 41, .byte_len = 9,
				 .timestamp = 123456, .ex = 3 };
	struct berth_cq_ring *ring;
	struct ibv_cq_ex *cq;
	struct setup s;

	set_up(&s, 0, false);
	cq = ibv_create_cq_ex(s.ctx, &attr);
	CHECK(cq && mock.cq_req.flags == BERTH_CQ_TIMESTAMP);
	ring = mock.cq_ring;
	CHECK(ibv_start_poll(cq, &poll) == ENOENT);
	cqe.qpn = s.qp->qp_num;
	mock_complete(ring, &cqe);
	cqe.wr_id = 42;
	cqe.status = IBV_WC_REM_ACCESS_ERR;
	mock_complete(ring, &cqe);
	CHECK(!ibv_start_poll(cq, &poll));
	CHECK(cq->wr_id == 41 && cq->status == IBV_WC_SUCCESS);
	CHECK(ibv_wc_read_opcode(cq) == IBV_WC_RDMA_READ && ibv_wc_read_byte_len(cq) == 9);
	CHECK(ibv_wc_read_completion_ts(cq) == 123456 && ibv_wc_read_imm_data(cq) == 3);
	CHECK(ibv_wc_read_qp_num(cq) == s.qp->qp_num && !ibv_wc_read_slid(cq));
	CHECK(!ibv_next_poll(cq) && cq->wr_id == 42 && cq->status == IBV_WC_REM_ACCESS_ERR);
	CHECK(ibv_next_poll(cq) == ENOENT);
	CHECK(!ring->cons);
	ibv_end_poll(cq);
	CHECK(ring->cons == 2);
	CHECK(!ibv_destroy_cq(ibv_cq_ex_to_cq(cq)));

	attr.wc_flags = IBV_WC_EX_WITH_CVLAN;
	CHECK(!ibv_create_cq_ex(s.ctx, &attr) && errno == EOPNOTSUPP);
	tear_down(&s);
}

static void reg_dmabuf__passes_all(void)
{
	struct ibv_mr *mr;
	struct setup s;

	set_up(&s, 0, false);
	mr = ibv_reg_dmabuf_mr(s.pd, 0x1000, 0x2000, 0x7f0000000000, 33,
			       IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_WRITE);
	CHECK(mr && mr->lkey == 0x1100 && mr->rkey == 0x2200 && mr->length == 0x2000);
	CHECK(mock.dmabuf_offset == 0x1000 && mock.dmabuf_length == 0x2000);
	CHECK(mock.dmabuf_iova == 0x7f0000000000 && mock.dmabuf_fd == 33);
	CHECK(mock.dmabuf_access == (IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_WRITE));
	CHECK(!ibv_dereg_mr(mr));
	mock.dmabuf_errno = EBADF;
	errno = 0;
	CHECK(!ibv_reg_dmabuf_mr(s.pd, 0, 1, 0, -1, 0) && errno == EBADF);
	mock.dmabuf_errno = 0;
	tear_down(&s);
}

/* The device has gone and taken them along: this side's part goes too. */
static void destroy__after_the_device(void)
{
	struct ibv_alloc_dm_attr attr = { .length = 64 };
	struct ibv_mw *mw;
	struct ibv_dm *dm;
	struct setup s;

	set_up(&s, 0, false);
	dm = ibv_alloc_dm(s.ctx, &attr);
	mw = ibv_alloc_mw(s.pd, IBV_MW_TYPE_2);
	CHECK(dm && mw);
	mock.gone = true;
	CHECK(!ibv_free_dm(dm));
	CHECK(!ibv_dealloc_mw(mw));
	mock.gone = false;
	tear_down(&s);
}

/* No call to the kernel: its key is known from opening, or there is none. */
static void null_mr__is_a_key(void)
{
	struct ibv_mr *mr;
	struct setup s;

	set_up(&s, 0, false);
	errno = 0;
	CHECK(!ibv_alloc_null_mr(s.pd) && errno == EOPNOTSUPP);
	tear_down(&s);

	mock.null_lkey = 0x77;
	set_up(&s, 0, false);
	mr = ibv_alloc_null_mr(s.pd);
	CHECK(mr && mr->lkey == 0x77 && !mr->rkey && mr->pd == s.pd && mr->context == s.ctx);
	CHECK(ibv_rereg_mr(mr, IBV_REREG_MR_CHANGE_ACCESS, NULL, NULL, 0, 0));
	CHECK(!ibv_dereg_mr(mr));
	tear_down(&s);
	mock.null_lkey = 0;
}

static struct ibv_qp_init_attr_ex dv_attr(const struct setup *s)
{
	return (struct ibv_qp_init_attr_ex){
		.send_cq = s->cq,
		.recv_cq = s->cq,
		.cap = { .max_send_wr = 4, .max_recv_wr = 3, .max_send_sge = 2, .max_recv_sge = 2 },
		.qp_type = IBV_QPT_RC,
		.comp_mask = IBV_QP_INIT_ATTR_PD,
		.pd = s->pd,
	};
}

/* What reaches the kernel when a QP is created, ~0: none was. */
static uint32_t dv_create(struct setup *s, enum berthdv_qp_type type)
{
	struct ibv_qp_init_attr_ex attr = dv_attr(s);
	struct berthdv_qp_init_attr dv = { .qp_type = type };
	struct ibv_qp *qp;

	mock.qp_req.flags = ~0U;
	qp = berthdv_create_qp(s->ctx, &attr, &dv);
	CHECK(qp && !ibv_destroy_qp(qp));
	return mock.qp_req.flags;
}

static uint32_t env_create(struct setup *s)
{
	struct ibv_qp *qp;

	mock.qp_req.flags = ~0U;
	qp = new_qp(s, s->cq, 0, false);
	CHECK(!qp || !ibv_destroy_qp(qp));
	return mock.qp_req.flags;
}

/* The environment is for programs that say nothing. */
static void dv_create_qp__type_beats_environment(void)
{
	static const char *const env[] = { NULL, "rc", "tcp", "nonsense" };
	unsigned int i;
	struct setup s;

	set_up(&s, 0, false);
	for (i = 0; i < sizeof(env) / sizeof(env[0]); i++) {
		if (env[i])
			setenv("BERTH_QP_TYPE", env[i], 1);
		CHECK(dv_create(&s, BERTHDV_QP_RC) == 0);
		CHECK(dv_create(&s, BERTHDV_QP_TCP) == BERTH_QP_TCP);
		CHECK(dv_create(&s, BERTHDV_QP_TCP_STREAM) == BERTH_QP_TCP_STREAM);
		CHECK(env_create(&s) == (i < 2 ? 0 : i == 2 ? BERTH_QP_TCP : ~0U));
	}
	/* Streams need a call that a program which says nothing does not make. */
	setenv("BERTH_QP_TYPE", "stream", 1);
	errno = 0;
	CHECK(env_create(&s) == ~0U && errno == EINVAL);
	unsetenv("BERTH_QP_TYPE");
	tear_down(&s);
}

static int dv_refusal(struct ibv_context *ctx, struct ibv_qp_init_attr_ex attr,
		      struct berthdv_qp_init_attr dv)
{
	mock.qp_req.flags = ~0U;
	errno = 0;
	CHECK(!berthdv_create_qp(ctx, &attr, &dv));
	CHECK(mock.qp_req.flags == ~0U);
	return errno;
}

static void dv_create_qp__refuses(void)
{
	struct berthdv_qp_init_attr dv = { .qp_type = BERTHDV_QP_TCP_STREAM };
	struct verbs_device other = {};
	struct ibv_context other_ctx = { .device = &other.device };
	struct ibv_qp other_qp = { .context = &other_ctx };
	struct ibv_qp_init_attr_ex attr;
	struct setup s;

	set_up(&s, 0, false);
	attr = dv_attr(&s);
	CHECK(!berthdv_create_qp(s.ctx, &attr, NULL) && errno == EINVAL);
	dv.comp_mask = BERTHDV_QP_INIT_ATTR_AREA;
	CHECK(dv_refusal(s.ctx, attr, dv) == EINVAL);
	dv.comp_mask = 2;
	CHECK(dv_refusal(s.ctx, attr, dv) == EOPNOTSUPP);
	dv.comp_mask = 0;
	dv.qp_type = BERTHDV_QP_TCP_STREAM + 1;
	CHECK(dv_refusal(s.ctx, attr, dv) == EOPNOTSUPP);
	dv.qp_type = (enum berthdv_qp_type)-1;
	CHECK(dv_refusal(s.ctx, attr, dv) == EOPNOTSUPP);
	dv.qp_type = BERTHDV_QP_RC;
	attr.qp_type = IBV_QPT_UC;
	CHECK(dv_refusal(s.ctx, attr, dv) == EOPNOTSUPP);
	attr.qp_type = IBV_QPT_RC;
	attr.comp_mask = 0;
	CHECK(dv_refusal(s.ctx, attr, dv) == EINVAL);

	CHECK(berthdv_is_supported(device));
	CHECK(!berthdv_is_supported(&other.device));
	attr = dv_attr(&s);
	CHECK(dv_refusal(&other_ctx, attr, dv) == EOPNOTSUPP);
	CHECK(berthdv_qp_attach_socket(&other_qp, 3) == EOPNOTSUPP);
	tear_down(&s);
}

/* Of the ibv_wr_* family a stream has ibv_wr_send only. */
static void dv_create_qp__stream_only_sends(void)
{
	struct berthdv_qp_init_attr dv = { .qp_type = BERTHDV_QP_TCP_STREAM };
	struct ibv_qp_init_attr_ex attr;
	struct ibv_qp_ex *qpx;
	struct ibv_qp *qp;
	uint64_t op;
	struct setup s;

	set_up(&s, 0, false);
	attr = dv_attr(&s);
	attr.comp_mask |= IBV_QP_INIT_ATTR_SEND_OPS_FLAGS;
	for (op = 1; op <= BERTH_SEND_OPS; op <<= 1) {
		attr.send_ops_flags = op | IBV_QP_EX_WITH_SEND;
		if (op != IBV_QP_EX_WITH_SEND)
			CHECK(dv_refusal(s.ctx, attr, dv) == EOPNOTSUPP);
	}
	attr.send_ops_flags = IBV_QP_EX_WITH_SEND;
	qp = berthdv_create_qp(s.ctx, &attr, &dv);
	CHECK(qp);
	if (qp) {
		qpx = ibv_qp_to_qp_ex(qp);
		CHECK(qpx && qpx->wr_send && !qpx->wr_send_imm && !qpx->wr_rdma_write);
		CHECK(!ibv_destroy_qp(qp));
	}
	tear_down(&s);
}

static void dv_attach__goes_to_rts(void)
{
	struct berthdv_qp_init_attr dv = { .qp_type = BERTHDV_QP_TCP_STREAM };
	static const int errors[] = {
		EINVAL, EBADF, ENOTSOCK, EOPNOTSUPP, ENOTCONN, EBUSY, ENOMEM,
	};
	struct ibv_send_wr wr = { .opcode = IBV_WR_SEND };
	struct ibv_qp_init_attr_ex attr;
	struct ibv_send_wr *bad;
	struct ibv_qp *qp;
	unsigned int i;
	struct setup s;

	set_up(&s, 0, false);
	attr = dv_attr(&s);
	qp = berthdv_create_qp(s.ctx, &attr, &dv);
	CHECK(qp);
	if (!qp)
		return;
	qp->state = IBV_QPS_INIT;
	for (i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		mock.attach_errno = errors[i];
		CHECK(berthdv_qp_attach_socket(qp, -1) == errors[i]);
		CHECK(mock.attach_fd == -1 && qp->state == IBV_QPS_INIT);
		CHECK(ibv_post_send(qp, &wr, &bad) == EINVAL);
	}
	mock.attach_errno = 0;
	CHECK(!berthdv_qp_attach_socket(qp, 33));
	CHECK(mock.attach_fd == 33 && mock.attach_handle == qp->handle);
	CHECK(qp->state == IBV_QPS_RTS && !ibv_post_send(qp, &wr, &bad));
	CHECK(!ibv_destroy_qp(qp));
	tear_down(&s);
}

int main(void)
{
	struct verbs_device *vdev;

	CHECK(driver && driver->match_table[0].u.driver_id == BERTH_DRIVER_ID);
	if (!driver)
		return checks_report("queue_test");
	vdev = driver->alloc_device(NULL);
	vdev->refcount = 1;
	vdev->ops = driver;
	device = &vdev->device;

	open__agrees_on_abi();
	post_send__writes_entries();
	post_send__inline_is_copied();
	post_send__refuses();
	post_send__full_until_polled();
	post_recv__writes_and_limits();
	poll__maps_fields();
	notify__raises_only();
	destroy_qp__takes_its_completions_along();
	modify_qp__reset_empties_queues();
	create_qp__refuses();
	wr_api__builds_and_rolls_back();
#ifdef HAVE_WR_ATOMIC_WRITE
	wr_api__atomic_write();
#endif
	cq_ex__reads_in_place();
	reg_dmabuf__passes_all();
	destroy__after_the_device();
	null_mr__is_a_key();
	dv_create_qp__type_beats_environment();
	dv_create_qp__refuses();
	dv_create_qp__stream_only_sends();
	dv_attach__goes_to_rts();

	driver->uninit_device(vdev);
	return checks_report("queue_test");
}
