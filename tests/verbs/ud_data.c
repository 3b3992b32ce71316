// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * ud_data: datagrams on one device and over the wire, every payload verified byte for byte and the
 * header in front of it field by field.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vt_ud.h"

struct ud_arg {
	bool wire;
	bool v6;
	enum vt_mem src, dst;
};

struct bench {
	struct vt_ep *a, *b;
	struct vt_buf *src, *dst;
	struct ibv_ah *ah;	/* from a to b */
	uint32_t mtu;
};

#define SIZE	16384

static struct bench make_bench(const struct ud_arg *t, struct ud_opts o)
{
	struct vt_dev *da = vt_open(vt_cfg.dev);
	struct vt_dev *db = t->wire ? vt_open(vt_cfg.peer) : da;
	struct bench b;

	o.v6 = t->v6;
	b = (struct bench){ .a = ud_ep_new(da, &o), .b = ud_ep_new(db, &o) };
	b.src = vt_buf_new(da, t->src, SIZE, VT_ACCESS_ALL);
	b.dst = vt_buf_new(db, t->dst, SIZE, VT_ACCESS_ALL);
	b.ah = ud_ah(b.a, &b.b->gid);
	b.mtu = vt_mtu_bytes(da->port.active_mtu < db->port.active_mtu ? da->port.active_mtu :
			     db->port.active_mtu);
	return b;
}

static void receive(struct vt_ep *ep, uint64_t id, const struct vt_buf *buf, size_t off, uint32_t len)
{
	CHECK_ERRNO(vt_recv(ep, id, vt_sge(buf, off, UD_GRH + len)), 0, "ibv_post_recv");
}

/* A datagram of @len bytes from src + soff to dst + doff, checked; both buffers as they were then. */
static void exchange(struct bench *b, uint64_t id, size_t soff, size_t doff, uint32_t len)
{
	struct vt_ep *ep = b->a;

	receive(b->b, id, b->dst, doff, len);
	ud_send(ep, ~id, vt_sge(b->src, soff, len), b->ah, b->b->qp->qp_num, UD_QKEY);
	vt_expect_wc(ep, ep->scq, ~id, IBV_WC_SUCCESS, "sending a datagram", NULL);
	ud_expect(b->b, id, ep, len);
	if (vt_cfg.flip && len)
		b->dst->ptr[doff + UD_GRH + len / 2] ^= 1;
	ud_check_grh(b->dst->ptr + doff, &ep->gid, &b->b->gid, len, false);
	vt_buf_expect_copy(b->dst, doff + UD_GRH, len, b->src, soff, "payload");
	vt_buf_fill(b->dst, doff, UD_GRH + len);
}

static void lengths(const void *arg)
{
	struct bench b = make_bench(arg, UD_OPTS);
	const uint32_t len[] = { 0, 1, 2, 3, 4, 5, 63, 64, 255, 256, 1023, 1024, b.mtu - 1, b.mtu };

	for (size_t i = 0; i < sizeof(len) / sizeof(len[0]); i++)
		exchange(&b, i, 7 * i, 13 * i + 4000, len[i]);
	vt_buf_check(b.src, 0, SIZE, "source after all transfers");
	vt_buf_check(b.dst, 0, SIZE, "destination after all transfers");
}

static void immediate(const void *arg)
{
	struct bench b = make_bench(arg, UD_OPTS);
	struct ibv_sge sge = vt_sge(b.src, 5, 501);
	struct ibv_send_wr wr = {
		.wr_id = 1, .sg_list = &sge, .num_sge = 1, .opcode = IBV_WR_SEND_WITH_IMM,
		.send_flags = IBV_SEND_SIGNALED | IBV_SEND_SOLICITED, .imm_data = 0xfeedbeef,
	};
	struct ibv_wc wc;

	receive(b.b, 2, b.dst, 0, 600);
	CHECK_ERRNO(ud_post(b.a, &wr, b.ah, b.b->qp->qp_num, UD_QKEY), 0, "posting");
	vt_expect_wc(b.a, b.a->scq, 1, IBV_WC_SUCCESS, "sending", &wc);
	CHECK_EQ(wc.opcode, IBV_WC_SEND, "opcode of the send");
	vt_expect_wc(b.b, b.b->rcq, 2, IBV_WC_SUCCESS, "receiving", &wc);
	CHECK_EQ(wc.byte_len, UD_GRH + 501, "bytes received");
	CHECK_EQ(wc.wc_flags, IBV_WC_GRH | IBV_WC_WITH_IMM, "flags");
	CHECK_EQ(wc.imm_data, 0xfeedbeef, "immediate data");
	ud_check_grh(b.dst->ptr, &b.a->gid, &b.b->gid, 501, true);
	vt_buf_expect_copy(b.dst, UD_GRH, 501, b.src, 5, "payload");
	vt_buf_check(b.dst, UD_GRH + 501, SIZE - UD_GRH - 501, "what is behind");
}

/* The header and the payload in pieces, across entries on both sides. */
static void pieces(const void *arg)
{
	struct bench b = make_bench(arg, UD_OPTS);
	struct ibv_sge to[] = { vt_sge(b.dst, 0, 11), vt_sge(b.dst, 100, 29), vt_sge(b.dst, 200, 0),
				vt_sge(b.dst, 1000, 900) };
	struct ibv_sge from[] = { vt_sge(b.src, 1, 3), vt_sge(b.src, 4, 0), vt_sge(b.src, 4, 640),
				  vt_sge(b.src, 644, 257) };
	struct ibv_recv_wr rwr = { .wr_id = 1, .sg_list = to, .num_sge = 4 }, *bad_recv;
	struct ibv_send_wr wr = { .wr_id = 2, .sg_list = from, .num_sge = 4,
				  .opcode = IBV_WR_SEND, .send_flags = IBV_SEND_SIGNALED };
	uint8_t grh[UD_GRH];

	CHECK_ERRNO(ibv_post_recv(b.b->qp, &rwr, &bad_recv), 0, "ibv_post_recv");
	CHECK_ERRNO(ud_post(b.a, &wr, b.ah, b.b->qp->qp_num, UD_QKEY), 0, "posting");
	ud_expect(b.b, 1, b.a, 900);
	memcpy(grh, b.dst->ptr, 11);
	memcpy(grh + 11, b.dst->ptr + 100, 29);
	ud_check_grh(grh, &b.a->gid, &b.b->gid, 900, false);
	vt_buf_expect_copy(b.dst, 1000, 900, b.src, 1, "payload");
	vt_buf_check(b.dst, 11, 89, "between the entries");
	vt_buf_check(b.dst, 129, 871, "between the entries");
	vt_buf_check(b.dst, 1900, SIZE - 1900, "behind the entries");
}

static void inlined(const void *arg)
{
	struct ud_opts o = UD_OPTS;
	struct bench b;

	o.inline_data = 200;
	b = make_bench(arg, o);
	for (uint32_t len = 0; len <= 200; len += 40) {
		uint8_t data[200];
		struct ibv_sge sge = { .addr = (uintptr_t)data, .length = len };
		struct ibv_send_wr wr = { .wr_id = len, .sg_list = &sge, .num_sge = 1,
					  .opcode = IBV_WR_SEND,
					  .send_flags = IBV_SEND_SIGNALED | IBV_SEND_INLINE };

		memcpy(data, b.src->ptr + len, len);
		receive(b.b, len, b.dst, 0, len);
		CHECK_ERRNO(ud_post(b.a, &wr, b.ah, b.b->qp->qp_num, UD_QKEY), 0, "posting");
		memset(data, 0xa5, sizeof(data));
		vt_expect_wc(b.a, b.a->scq, len, IBV_WC_SUCCESS, "sending", NULL);
		ud_expect(b.b, len, b.a, len);
		vt_buf_expect_copy(b.dst, UD_GRH, len, b.src, len, "inline payload");
	}
}

/* Two receivers, one sender, by turns; more than the rings hold. */
static void fan(const void *arg)
{
	struct bench b = make_bench(arg, UD_OPTS);
	struct ud_opts o = UD_OPTS;
	struct vt_ep *c;

	o.v6 = ((const struct ud_arg *)arg)->v6;
	c = ud_ep_new(b.b->dev, &o);
	for (uint32_t i = 0; i < 300; i++) {
		struct vt_ep *to = i & 1 ? c : b.b;
		uint32_t len = 1 + i * 37 % 900;

		receive(to, i, b.dst, i, len);
		ud_send(b.a, i, vt_sge(b.src, 3 * i, len), b.ah, to->qp->qp_num, UD_QKEY);
		vt_expect_wc(b.a, b.a->scq, i, IBV_WC_SUCCESS, "sending", NULL);
		ud_expect(to, i, b.a, len);
		vt_buf_expect_copy(b.dst, i + UD_GRH, len, b.src, 3 * i, "payload");
		vt_buf_fill(b.dst, i, UD_GRH + len);
	}
	vt_poll_none(b.b->rcq, 20, "one more than was sent");
	vt_poll_none(c->rcq, 1, "one more than was sent");
}

/* Many posted at once: all are there, each with its own bytes. */
static void batch(const void *arg)
{
	struct bench b = make_bench(arg, UD_OPTS);
	struct ibv_send_wr wr[32] = { }, *bad;
	struct ibv_sge sge[32];

	for (uint32_t i = 0; i < 32; i++) {
		receive(b.b, i, b.dst, 500 * i, 400);
		sge[i] = vt_sge(b.src, 450 * i, 400);
		wr[i] = (struct ibv_send_wr){
			.wr_id = i, .sg_list = &sge[i], .num_sge = 1, .opcode = IBV_WR_SEND,
			.send_flags = i == 31 ? IBV_SEND_SIGNALED : 0,
			.next = i == 31 ? NULL : &wr[i + 1],
			.wr.ud = { b.ah, b.b->qp->qp_num, UD_QKEY },
		};
	}
	CHECK_ERRNO(ibv_post_send(b.a->qp, wr, &bad), 0, "posting a list");
	vt_expect_wc(b.a, b.a->scq, 31, IBV_WC_SUCCESS, "sending a list", NULL);
	for (uint32_t i = 0; i < 32; i++) {
		ud_expect(b.b, i, b.a, 400);
		vt_buf_expect_copy(b.dst, 500 * i + UD_GRH, 400, b.src, 450 * i, "payload");
	}
}

/* The receiver answers to where the datagram came from. */
static void answer(const void *arg)
{
	struct bench b = make_bench(arg, UD_OPTS);
	struct ibv_ah_attr attr = { };
	struct ibv_ah *back;
	struct ibv_wc wc;

	receive(b.b, 1, b.dst, 0, 100);
	receive(b.a, 2, b.src, 8000, 200);
	ud_send(b.a, 3, vt_sge(b.src, 0, 100), b.ah, b.b->qp->qp_num, UD_QKEY);
	vt_expect_wc(b.b, b.b->rcq, 1, IBV_WC_SUCCESS, "receiving", &wc);
	CHECK_ERRNO(ibv_init_ah_from_wc(b.b->dev->ctx, 1, &wc, (struct ibv_grh *)b.dst->ptr, &attr),
		    0, "ibv_init_ah_from_wc");
	CHECK(!memcmp(&attr.grh.dgid, &b.a->gid, 16), "ibv_init_ah_from_wc found another address");
	CHECK_EQ(attr.grh.sgid_index, b.b->gid_index, "own GID index");
	back = ibv_create_ah_from_wc(b.b->pd, &wc, (struct ibv_grh *)b.dst->ptr, 1);
	CHECK(back, "ibv_create_ah_from_wc: %s", strerror(errno));
	ud_keep_ah(back);
	ud_send(b.b, 4, vt_sge(b.dst, 3000, 200), back, wc.src_qp, UD_QKEY);
	ud_expect(b.a, 2, b.b, 200);
	vt_buf_expect_copy(b.src, 8000 + UD_GRH, 200, b.dst, 3000, "answer");
}

static void wr_ops(const void *arg)
{
	struct ud_opts o = UD_OPTS;
	struct ibv_qp_ex *qpx;
	struct ibv_wc wc;
	struct bench b;

	o.send_ops = IBV_QP_EX_WITH_SEND | IBV_QP_EX_WITH_SEND_WITH_IMM;
	o.inline_data = 64;
	b = make_bench(arg, o);
	qpx = ibv_qp_to_qp_ex(b.a->qp);
	CHECK(qpx, "ibv_qp_to_qp_ex");
	receive(b.b, 1, b.dst, 0, 300);
	receive(b.b, 2, b.dst, 1000, 300);
	ibv_wr_start(qpx);
	qpx->wr_id = 10;
	qpx->wr_flags = 0;
	ibv_wr_send(qpx);
	ibv_wr_set_ud_addr(qpx, b.ah, b.b->qp->qp_num, UD_QKEY);
	ibv_wr_set_sge(qpx, b.src->mr->lkey, b.src->iova + 17, 300);
	qpx->wr_id = 11;
	qpx->wr_flags = IBV_SEND_SIGNALED;
	ibv_wr_send_imm(qpx, 0x1234);
	ibv_wr_set_inline_data(qpx, b.src->ptr + 40, 50);
	ibv_wr_set_ud_addr(qpx, b.ah, b.b->qp->qp_num, UD_QKEY);
	CHECK_ERRNO(ibv_wr_complete(qpx), 0, "ibv_wr_complete");
	vt_expect_wc(b.a, b.a->scq, 11, IBV_WC_SUCCESS, "sending", NULL);
	ud_expect(b.b, 1, b.a, 300);
	vt_buf_expect_copy(b.dst, UD_GRH, 300, b.src, 17, "first payload");
	vt_expect_wc(b.b, b.b->rcq, 2, IBV_WC_SUCCESS, "receiving", &wc);
	CHECK_EQ(wc.wc_flags, IBV_WC_GRH | IBV_WC_WITH_IMM, "flags");
	CHECK_EQ(wc.imm_data, 0x1234, "immediate data");
	vt_buf_expect_copy(b.dst, 1000 + UD_GRH, 50, b.src, 40, "second payload");
}

static void own_qkey(const void *arg)
{
	struct bench b = make_bench(arg, UD_OPTS);

	receive(b.b, 1, b.dst, 0, 64);
	ud_send(b.a, 2, vt_sge(b.src, 0, 64), b.ah, b.b->qp->qp_num, 0x80000001);
	ud_expect(b.b, 1, b.a, 64);
	vt_buf_expect_copy(b.dst, UD_GRH, 64, b.src, 0, "payload");
}

static void to_itself(const void *arg)
{
	struct vt_dev *dev = vt_open(vt_cfg.dev);
	struct vt_buf *buf = vt_buf_new(dev, VT_HOST, SIZE, VT_ACCESS_ALL);
	struct ud_opts o = UD_OPTS;
	struct vt_ep *ep = ud_ep_new(dev, &o);

	(void)arg;
	receive(ep, 1, buf, 8000, 777);
	ud_send(ep, 2, vt_sge(buf, 0, 777), ud_ah(ep, &ep->gid), ep->qp->qp_num, UD_QKEY);
	ud_expect(ep, 1, ep, 777);
	vt_buf_expect_copy(buf, 8000 + UD_GRH, 777, buf, 0, "payload");
}

static void add(const char *name, vt_fn fn, struct ud_arg a)
{
	for (int wire = 0; wire <= !!vt_cfg.peer; wire++) {
		struct ud_arg *arg = malloc(sizeof(*arg));
		char full[128];

		if (!arg) {
			perror("ud_data");
			exit(2);
		}
		*arg = a;
		arg->wire = wire;
		snprintf(full, sizeof(full), "ud/%s/%s", name, wire ? "wire" : "local");
		vt_add(full, fn, arg, 0);
	}
}

static void add_cases(void)
{
	add("lengths/host", lengths, (struct ud_arg){ 0 });
	add("lengths/ipv6", lengths, (struct ud_arg){ .v6 = true });
	add("lengths/bar", lengths, (struct ud_arg){ .src = VT_BAR, .dst = VT_BAR });
	add("imm", immediate, (struct ud_arg){ 0 });
	add("imm_ipv6", immediate, (struct ud_arg){ .v6 = true });
	add("pieces", pieces, (struct ud_arg){ 0 });
	add("inline", inlined, (struct ud_arg){ 0 });
	add("fan", fan, (struct ud_arg){ 0 });
	add("batch", batch, (struct ud_arg){ 0 });
	add("answer", answer, (struct ud_arg){ 0 });
	add("answer_ipv6", answer, (struct ud_arg){ .v6 = true });
	add("wr_ops", wr_ops, (struct ud_arg){ 0 });
	add("own_qkey", own_qkey, (struct ud_arg){ 0 });
	vt_add("ud/to_itself", to_itself, NULL, 0);
}

int main(int argc, char **argv)
{
	return vt_main(argc, argv, add_cases);
}
