// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * rc_data: a message of 2 GiB - 1, the largest there is. The machine need not have that much
 * memory: 32 entries at both ends name the same 64 MiB, so byte n of the message comes from and lands
 * on byte n mod 64 MiB.
 */
#include "rc_data.h"

#define PART	(64UL << 20)
#define PARTS	32
#define TOTAL	0x7fffffffU

static void fill_list(struct ibv_sge *sge, const struct vt_buf *buf, uint32_t last)
{
	for (unsigned int i = 0; i < PARTS; i++)
		sge[i] = vt_sge(buf, 0, i < PARTS - 1 ? PART : last);
}

static void big(const void *arg)
{
	const struct rc_arg *t = arg;
	struct rc_devs d = rc_open(t->path);
	struct vt_buf *src = vt_buf_new(d.a, t->src, PART, VT_ACCESS_ALL);
	struct vt_buf *dst = vt_buf_new(d.b, t->dst, PART, VT_ACCESS_ALL);
	struct ibv_sge ss[PARTS], rs[PARTS];
	struct ibv_send_wr wr = { .wr_id = 1, .sg_list = ss, .num_sge = PARTS,
				  .opcode = IBV_WR_SEND, .send_flags = IBV_SEND_SIGNALED }, *bad;
	struct ibv_recv_wr rr = { .wr_id = 2, .sg_list = rs, .num_sge = PARTS }, *rbad;
	struct vt_opts o = VT_OPTS;
	struct vt_pair *p;
	struct ibv_wc wc;

	o.send_sge = PARTS;
	o.recv_sge = PARTS;
	o.timeout = 20;
	p = vt_pair_new(d.a, d.b, &o);
	fill_list(ss, src, PART - 1);
	fill_list(rs, dst, PART - 1);
	CHECK_ERRNO(ibv_post_recv(p->b.qp, &rr, &rbad), 0, "ibv_post_recv");
	CHECK_ERRNO(ibv_post_send(p->a.qp, &wr, &bad), 0, "ibv_post_send");
	CHECK(vt_poll_for(p->a.scq, &wc, 100000 * vt_cfg.slow), "2 GiB - 1 not sent in %u s",
	      100 * vt_cfg.slow);
	CHECK(wc.status == IBV_WC_SUCCESS, "2 GiB - 1: status '%s'", ibv_wc_status_str(wc.status));
	vt_expect_wc(&p->b, p->b.rcq, 2, IBV_WC_SUCCESS, "receive of 2 GiB - 1", &wc);
	CHECK_EQ(wc.byte_len, TOTAL, "byte_len");
	vt_buf_expect_copy(dst, 0, PART, src, 0, "2 GiB - 1");
}

/* One byte more than the largest message is refused, here or by the device, never cut short. */
static void too_big(const void *arg)
{
	const struct rc_arg *t = arg;
	struct rc_devs d = rc_open(t->path);
	struct vt_buf *src = vt_buf_new(d.a, VT_HOST, PART, VT_ACCESS_ALL);
	struct vt_buf *dst = vt_buf_new(d.b, VT_HOST, PART, VT_ACCESS_ALL);
	struct ibv_sge ss[PARTS];
	struct ibv_send_wr wr = { .wr_id = 1, .sg_list = ss, .num_sge = PARTS,
				  .opcode = IBV_WR_RDMA_WRITE, .send_flags = IBV_SEND_SIGNALED,
				  .wr.rdma = { dst->iova, dst->mr->rkey } }, *bad;
	struct vt_opts o = VT_OPTS;
	struct vt_pair *p;
	struct ibv_wc wc;

	o.send_sge = PARTS;
	p = vt_pair_new(d.a, d.b, &o);
	fill_list(ss, src, PART);
	if (!ibv_post_send(p->a.qp, &wr, &bad)) {
		vt_poll(p->a.scq, &wc, "WRITE of 2 GiB");
		CHECK(wc.status == IBV_WC_LOC_LEN_ERR || wc.status == IBV_WC_LOC_QP_OP_ERR,
		      "WRITE of 2 GiB: status '%s', expected a local length error",
		      ibv_wc_status_str(wc.status));
	}
	vt_buf_check(dst, 0, PART, "target of a refused WRITE");
}

void rc_data_add_big(void)
{
	struct rc_arg a = { .op = X_SEND, .path = P_LOCAL };

	rc_add(too_big, a, 60, "big/too_big/local");
	rc_add(big, a, 120, "big/send/local/host-host");
	a.path = P_WIRE;
	a.dst = VT_HEAP;
	rc_add(big, a, 120, "big/send/wire/host-heap");
}
