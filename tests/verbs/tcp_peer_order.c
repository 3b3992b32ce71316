// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * What completes when: a peer that answers some of the victim's requests, complains of one, or has no receive, while data
 * that the victim has asked for is still to come; and what the victim says of requests of ours that come together.
 */
#include <endian.h>
#include <errno.h>
#include <string.h>

#include "tcp_peer.h"

#define FPDU	(1U << 17)	/* more than any FPDU */

/* One that is heard, so that it may send. */
static struct victim heard(void)
{
	struct victim v = victim_connected();

	victim_prove(&v, 100, 100);
	vt_buf_fill(v.buf, 0, SIZE);
	return v;
}

/* The next FPDU of the victim's; @fpdu has room for any. Returns its opcode, -1: there is none. */
static int hear(struct victim *v, uint8_t *fpdu)
{
	size_t got, ulpdu;

	if (!peer_hear(v->sock, fpdu, 2, &got))
		return -1;
	ulpdu = fpdu[0] << 8 | fpdu[1];
	if (!peer_hear(v->sock, fpdu + 2, ulpdu + (-(2 + ulpdu) & 3) + 4, &got))
		return -1;
	return fpdu[3] & 15;
}

/* The same, which has to be a READ request. Returns its sink STag, in *size its length. */
static uint32_t hear_read(struct victim *v, uint8_t *fpdu, uint32_t *size)
{
	uint32_t word;

	CHECK_EQ(hear(v, fpdu), READ_REQUEST, "opcode of a READ request");
	memcpy(&word, fpdu + 32, 4);
	*size = be32toh(word);
	memcpy(&word, fpdu + 20, 4);
	return be32toh(word);
}

/* The answer of a READ: the first @len bytes of v->src. */
static void answer(struct victim *v, uint32_t id, size_t len)
{
	uint8_t bytes[2000];

	peer_say(v->sock, bytes, peer_tagged(bytes, READ_RESPONSE, LAST, id, 0, v->src->ptr, len));
}

/* Posts a READ of 500 bytes as request 1, which the peer gets. Returns its sink STag. */
static uint32_t post_read(struct victim *v, uint64_t wr_id, uint8_t *fpdu)
{
	uint32_t id, size;

	CHECK_ERRNO(vt_rdma(&v->ep, wr_id, IBV_WR_RDMA_READ, vt_sge(v->buf, 0, 500), 0x1000, 5), 0, "ibv_post_send");
	id = hear_read(v, fpdu, &size);
	CHECK_EQ(size, 500, "bytes of the READ");
	return id;
}

static int dealloc(void *mw)
{
	return ibv_dealloc_mw(mw);
}

static int dereg(void *mr)
{
	return ibv_dereg_mr(mr);
}

/* A local operation that was carried out meanwhile completes with what is before it, and nothing behind it does. */
static void local_op(const void *unused __attribute__((unused)))
{
	struct victim v = heard();
	struct vt_buf *other = vt_buf_alloc(VT_HOST, SIZE);
	struct ibv_mr *mr = vt_buf_try_reg(other, v.dev->pd, VT_ACCESS_ALL | IBV_ACCESS_MW_BIND);
	struct ibv_mw *mw = ibv_alloc_mw(v.dev->pd, IBV_MW_TYPE_2);
	struct ibv_send_wr bind = { .wr_id = 2, .opcode = IBV_WR_BIND_MW, .send_flags = IBV_SEND_SIGNALED }, *bad;
	uint8_t *fpdu = vt_zalloc(FPDU);
	uint32_t ack[2], id, size;

	CHECK(mr && mw, "a window: %s", strerror(errno));
	vt_defer(dereg, mr, "ibv_dereg_mr");
	vt_defer(dealloc, mw, "ibv_dealloc_mw");
	CHECK_ERRNO(vt_rdma(&v.ep, 1, IBV_WR_RDMA_WRITE, vt_sge(v.buf, 0, 100), 0x1000, 5), 0, "ibv_post_send");
	CHECK_EQ(hear(&v, fpdu), WRITE, "opcode of a WRITE");
	ack[0] = hear_read(&v, fpdu, &size);
	CHECK_EQ(size, 0, "bytes of a READ that asks for an acknowledgement");
	bind.bind_mw.mw = mw;
	bind.bind_mw.rkey = ibv_inc_rkey(mw->rkey);
	bind.bind_mw.bind_info = (struct ibv_mw_bind_info){ mr, (uintptr_t)mr->addr, 1000, IBV_ACCESS_REMOTE_WRITE };
	CHECK_ERRNO(ibv_post_send(v.ep.qp, &bind, &bad), 0, "ibv_post_send of a bind");
	ack[1] = hear_read(&v, fpdu, &size);
	CHECK_EQ(size, 0, "bytes of another one");
	id = post_read(&v, 3, fpdu);
	answer(&v, ack[0], 0);
	vt_expect_wc(&v.ep, v.ep.scq, 1, IBV_WC_SUCCESS, "a WRITE that was carried out", NULL);
	vt_expect_wc(&v.ep, v.ep.scq, 2, IBV_WC_SUCCESS, "a bind", NULL);
	vt_poll_none(v.ep.scq, 200, "a READ without its data");
	answer(&v, ack[1], 0);
	answer(&v, id, 500);
	vt_expect_wc(&v.ep, v.ep.scq, 3, IBV_WC_SUCCESS, "a READ", NULL);
	vt_buf_expect_copy(v.buf, 0, 500, v.src, 0, "a READ");
}

void tcp_peer_add_order(void)
{
	vt_add("tcp_peer/order/local_op", local_op, NULL, 0);
}
