// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * What completes when: a peer that answers some of the victim's requests, complains of one, or has no receive, while data
 * that the victim has asked for is still to come; and what the victim says of requests of ours that come together.
 */
#include <endian.h>
#include <errno.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "tcp_peer.h"

#define LARGE	(16U << 20)	/* more than both sockets take */
#define FPDU	(1U << 17)	/* more than any FPDU */

enum { IMM_RNR = 2 };

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

/* The peer has no receive for a SEND, and says so before it answers the READ in front of that. */
static void unready(const void *unused __attribute__((unused)))
{
	struct victim v = heard();
	uint8_t *fpdu = vt_zalloc(FPDU), imm[8], bytes[100];
	uint32_t id, ack, size;

	id = post_read(&v, 1, fpdu);
	CHECK_ERRNO(vt_send(&v.ep, 2, IBV_WR_SEND, vt_sge(v.buf, 1000, 100), NULL, 0, IBV_SEND_SIGNALED), 0,
		    "ibv_post_send");
	CHECK_EQ(hear(&v, fpdu), SEND, "opcode of a SEND");
	ack = hear_read(&v, fpdu, &size);
	peer_put32(peer_put32(imm, 1), IMM_RNR << 24 | 1);
	peer_say(v.sock, bytes, peer_untagged(bytes, IMM, LAST, 0, v.msn, 0, imm, sizeof(imm)));
	vt_poll_none(v.ep.scq, 200, "a READ without its data");
	answer(&v, id, 500);
	vt_expect_wc(&v.ep, v.ep.scq, 1, IBV_WC_SUCCESS, "a READ", NULL);
	vt_buf_expect_copy(v.buf, 0, 500, v.src, 0, "a READ");
	answer(&v, ack, 0);
	vt_expect_wc(&v.ep, v.ep.scq, 2, IBV_WC_SUCCESS, "a SEND", NULL);
}

/* The peer complains of a WRITE, and has not answered the READ before it. */
static void terminated(const void *unused __attribute__((unused)))
{
	struct victim v = heard();
	uint8_t *fpdu = vt_zalloc(FPDU), body[20] = { 0x11, 0x00, 0xc0 }, bytes[100];
	struct ibv_wc wc;

	post_read(&v, 1, fpdu);
	CHECK_ERRNO(vt_rdma(&v.ep, 2, IBV_WR_RDMA_WRITE, vt_sge(v.buf, 1000, 100), 0x2000, 6), 0, "ibv_post_send");
	CHECK_EQ(hear(&v, fpdu), WRITE, "opcode of a WRITE");
	memcpy(body + 4, fpdu, 2 + 14);
	peer_say(v.sock, bytes, peer_untagged(bytes, TERMINATE, LAST, 2, 1, 0, body, sizeof(body)));
	vt_poll(v.ep.scq, &wc, "a READ that nobody will answer");
	CHECK_EQ(wc.wr_id, 1, "wr_id");
	CHECK_EQ(wc.status, IBV_WC_REM_ABORT_ERR, "status of a READ that nobody will answer");
	vt_expect_wc(&v.ep, v.ep.scq, 2, IBV_WC_WR_FLUSH_ERR, "a WRITE behind it", NULL);
	vt_buf_check(v.buf, 0, SIZE, "memory that nothing has come to");
}

/* What the victim cannot send fails when what it sent before has been carried out; it has to ask for that. */
static void revoked(const void *unused __attribute__((unused)))
{
	struct victim v = heard();
	struct vt_buf *large = vt_buf_new(v.dev, VT_HOST, LARGE, VT_ACCESS_ALL);
	struct ibv_sge sge[2] = { vt_sge(v.buf, 0, 100), vt_sge(large, 0, LARGE) };
	struct ibv_send_wr wr[2], *bad;
	uint8_t *fpdu = vt_zalloc(FPDU);
	int opcode, room = 8192;

	setsockopt(v.sock, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
	for (int i = 0; i < 2; i++)
		wr[i] = (struct ibv_send_wr){ .wr_id = i + 1, .next = i ? NULL : &wr[1], .sg_list = &sge[i], .num_sge = 1,
					      .opcode = IBV_WR_SEND, .send_flags = IBV_SEND_SIGNALED };
	CHECK_ERRNO(ibv_post_send(v.ep.qp, wr, &bad), 0, "ibv_post_send");
	vt_sleep_ms(300);
	vt_buf_dereg(large);
	do {
		opcode = hear(&v, fpdu);
	} while (opcode == SEND);
	CHECK_EQ(opcode, READ_REQUEST, "what follows the half of a SEND");
	answer(&v, fpdu[20] << 24 | fpdu[21] << 16 | fpdu[22] << 8 | fpdu[23], 0);
	vt_expect_wc(&v.ep, v.ep.scq, 1, IBV_WC_SUCCESS, "a SEND that was carried out", NULL);
	vt_expect_wc(&v.ep, v.ep.scq, 2, IBV_WC_LOC_PROT_ERR, "a SEND of memory that is gone", NULL);
}

/* A READ of ours and a WRITE that cannot be, together: the READ is answered first. */
static void refused(const void *unused __attribute__((unused)))
{
	struct victim v = victim_connected();
	uint8_t *fpdu = vt_zalloc(FPDU), bytes[1000];
	size_t n;

	n = peer_read_request(bytes, 1, v.buf->mr->rkey, v.buf->iova, 500);
	n += peer_tagged(bytes + n, WRITE, LAST, v.buf->mr->rkey ^ 0x100, v.buf->iova, v.src->ptr, 500);
	peer_say(v.sock, bytes, n);
	CHECK_EQ(hear(&v, fpdu), READ_RESPONSE, "what comes before a Terminate");
	CHECK(!memcmp(fpdu + 16, v.buf->ptr, 500), "data of a READ before a WRITE that was refused");
	CHECK_EQ(peer_expect_terminate(&v, "a bad key behind a READ"), 0x1100, "layer, type and code");
	vt_expect_state(&v.ep, IBV_QPS_ERR, "state");
}

/* The same of a SEND that has arrived, and is to invalidate what it must not. */
static void refused_late(const void *unused __attribute__((unused)))
{
	struct victim v = heard();
	uint8_t *fpdu = vt_zalloc(FPDU), bytes[1000];
	size_t n, at;

	CHECK_ERRNO(vt_recv(&v.ep, 1, vt_sge(v.buf, 1000, 2000)), 0, "ibv_post_recv");
	at = peer_read_request(bytes, 1, v.buf->mr->rkey, v.buf->iova, 500);
	n = at + peer_untagged(bytes + at, SEND_INV, LAST, 0, v.msn, 0, v.src->ptr, 300);
	peer_put32(bytes + at + 4, 0x12345678);
	peer_say(v.sock, bytes, n);
	CHECK_EQ(hear(&v, fpdu), READ_RESPONSE, "what comes before a Terminate");
	CHECK(!memcmp(fpdu + 16, v.buf->ptr, 500), "data of a READ before a SEND that was refused");
	peer_expect_terminate(&v, "a bad key to invalidate behind a READ");
	vt_expect_state(&v.ep, IBV_QPS_ERR, "state");
}

/* One who does not take the answer is not waited for. */
static void refused_unread(const void *unused __attribute__((unused)))
{
	struct victim v = heard();
	struct vt_buf *large = vt_buf_new(v.dev, VT_HOST, LARGE, VT_ACCESS_ALL);
	int room = 8192;
	uint8_t bytes[1000];
	size_t n;

	setsockopt(v.sock, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
	n = peer_read_request(bytes, 1, large->mr->rkey, large->iova, LARGE);
	n += peer_tagged(bytes + n, WRITE, LAST, v.buf->mr->rkey ^ 0x100, v.buf->iova, v.src->ptr, 500);
	peer_say(v.sock, bytes, n);
	vt_expect_state(&v.ep, IBV_QPS_ERR, "a peer that does not take the answer of its READ");
}

/* A READ of ours and a SEND for which there is no receive: answered first, too, so that nothing completes without data. */
static void no_receive(const void *unused __attribute__((unused)))
{
	struct victim v = heard();
	uint8_t *fpdu = vt_zalloc(FPDU), bytes[1000];
	size_t n;

	n = peer_read_request(bytes, 1, v.buf->mr->rkey, v.buf->iova, 500);
	n += peer_untagged(bytes + n, SEND, LAST, 0, v.msn, 0, v.src->ptr, 500);
	peer_say(v.sock, bytes, n);
	CHECK_EQ(hear(&v, fpdu), READ_RESPONSE, "what comes before the word that there is no receive");
	CHECK_EQ(hear(&v, fpdu), IMM, "the word that there is no receive");
	CHECK_ERRNO(vt_recv(&v.ep, 1, vt_sge(v.buf, 1000, 2000)), 0, "ibv_post_recv");
	vt_expect_wc(&v.ep, v.ep.rcq, 1, IBV_WC_SUCCESS, "a SEND that has waited", NULL);
}

/* Memory that goes while a READ of it is being answered: the Terminate names that READ, and not what came behind it. */
static void gone(const void *unused __attribute__((unused)))
{
	struct victim v = heard();
	struct vt_buf *large = vt_buf_new(v.dev, VT_HOST, LARGE, VT_ACCESS_ALL);
	uint8_t *fpdu = vt_zalloc(FPDU), bytes[1000];
	int opcode, room = 8192;
	size_t n;

	setsockopt(v.sock, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
	n = peer_read_request(bytes, 1, large->mr->rkey, large->iova, LARGE);
	n += peer_read_request(bytes + n, 2, v.buf->mr->rkey, v.buf->iova, 300);
	peer_say(v.sock, bytes, n);
	vt_sleep_ms(300);
	vt_buf_dereg(large);
	do {
		opcode = hear(&v, fpdu);
	} while (opcode == READ_RESPONSE);
	CHECK_EQ(opcode, TERMINATE, "what follows the half of an answer");
	CHECK(fpdu[22] & 0x40, "it names no segment");
	/* Behind control, length: the headers of our first request from DDP's control on. */
	CHECK(!memcmp(fpdu + 26, bytes + 2, 18) && !memcmp(fpdu + 26 + 18, bytes + 20, 28), "it names another segment");
}

/* The last words of a QP that is no more get lost, and come again. */
static void last_words(const void *unused __attribute__((unused)))
{
	struct victim v = heard();
	struct sock_filter nothing = BPF_STMT(BPF_RET, 0);
	struct sock_fprog drop = { .len = 1, .filter = &nothing };
	uint8_t *fpdu = vt_zalloc(FPDU);
	int on = 1;

	CHECK(!setsockopt(v.sock, SOL_SOCKET, SO_ATTACH_FILTER, &drop, sizeof(drop)), "SO_ATTACH_FILTER: %s",
	      strerror(errno));
	CHECK_ERRNO(vt_send(&v.ep, 1, IBV_WR_SEND, vt_sge(v.buf, 0, 500), NULL, 0, IBV_SEND_SIGNALED), 0,
		    "ibv_post_send");
	vt_sleep_ms(50);
	vt_ep_destroy_qp(&v.ep);
	vt_sleep_ms(100);
	CHECK(!setsockopt(v.sock, SOL_SOCKET, SO_DETACH_FILTER, &on, sizeof(on)), "SO_DETACH_FILTER: %s",
	      strerror(errno));
	CHECK_EQ(hear(&v, fpdu), SEND, "what was sent before the QP was destroyed");
	CHECK(!memcmp(fpdu + 20, v.buf->ptr, 500), "its data");
	peer_expect_end(v.sock, "a QP that was destroyed");
}

static int destroy_srq(void *srq)
{
	return ibv_destroy_srq(srq);
}

/* What is posted to an SRQ is found soon, although nobody tells, and however long the peer may be kept waiting. */
static void srq(const void *unused __attribute__((unused)))
{
	struct ibv_srq_init_attr attr = { .attr = { .max_wr = 16, .max_sge = 1 } };
	struct ibv_recv_wr wr = { .wr_id = 1, .num_sge = 1 }, *bad;
	struct vt_dev *dev = vt_open(vt_cfg.peer);
	uint8_t bytes[1000];
	struct ibv_sge sge;
	struct vt_opts o = VT_OPTS;
	uint64_t waited = 0, since;
	struct victim v;

	o.min_rnr_timer = 0;	/* 655 ms */
	o.srq[1] = ibv_create_srq(dev->pd, &attr);
	CHECK(o.srq[1], "ibv_create_srq: %s", strerror(errno));
	vt_defer(destroy_srq, o.srq[1], "ibv_destroy_srq");
	v = victim_of(dev, o);
	victim_await(&v);
	victim_greet(&v);
	sge = vt_sge(v.buf, 0, 1000);
	wr.sg_list = &sge;
	for (uint32_t i = 1; i <= 5; i++) {
		peer_say(v.sock, bytes, peer_untagged(bytes, SEND, LAST, 0, i, 0, v.src->ptr, 500));
		vt_sleep_ms(50);
		since = vt_now_ms();
		CHECK_ERRNO(ibv_post_srq_recv(o.srq[1], &wr, &bad), 0, "ibv_post_srq_recv");
		vt_expect_wc(&v.ep, v.ep.rcq, 1, IBV_WC_SUCCESS, "a SEND that has waited", NULL);
		waited += vt_now_ms() - since;
	}
	CHECK(waited < 1500, "5 receives were found after %llu ms", (unsigned long long)waited);
}

/* KASAN keeps what was freed for a while, and the allocator counts it. */
static bool skbs_are_counted(void)
{
	const char *flavour = getenv("BERTH_FLAVOUR");

	return !flavour || strcmp(flavour, "debug");
}

/* How many skbs there are, as far as the allocator tells. */
static long skbs(void)
{
	FILE *f = fopen("/proc/slabinfo", "r");
	char line[400];
	long n, sum = 0;

	CHECK(f, "/proc/slabinfo: %s", strerror(errno));
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "skbuff_%*s %ld", &n) == 1)
			sum += n;
	fclose(f);
	return sum;
}

/* A SEND that waits, behind which the victim looks for the answer of its READ, comes in a packet a byte. */
static void dribbled(const void *unused __attribute__((unused)))
{
	const size_t len = 20000;
	struct victim v = heard();
	uint8_t *fpdu = vt_zalloc(FPDU), *bytes = vt_zalloc(len + 100);
	uint32_t id = post_read(&v, 1, fpdu);
	long before, more;
	size_t n;
	int on = 1;

	setsockopt(v.sock, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	n = peer_untagged(bytes, SEND, LAST, 0, v.msn, 0, v.src->ptr, len);
	peer_say(v.sock, bytes, 20);
	vt_sleep_ms(100);
	before = skbs();
	for (size_t i = 20; i < n; i++)
		peer_say(v.sock, bytes + i, 1);
	vt_sleep_ms(100);
	more = skbs() - before;
	CHECK(more < 3000 || !skbs_are_counted(), "%ld skbs more for %zu packets of a byte", more, n);
	answer(&v, id, 500);
	vt_expect_wc(&v.ep, v.ep.scq, 1, IBV_WC_SUCCESS, "a READ behind a SEND that waits", NULL);
	vt_buf_expect_copy(v.buf, 0, 500, v.src, 0, "a READ");
	CHECK_ERRNO(vt_recv(&v.ep, 2, vt_sge(v.buf, 1000, 30000)), 0, "ibv_post_recv");
	vt_expect_wc(&v.ep, v.ep.rcq, 2, IBV_WC_SUCCESS, "a SEND that has waited", NULL);
	vt_buf_expect_copy(v.buf, 1000, len, v.src, 0, "a SEND that has waited");
}

void tcp_peer_add_order(void)
{
	vt_add("tcp_peer/order/local_op", local_op, NULL, 0);
	vt_add("tcp_peer/order/unready", unready, NULL, 0);
	vt_add("tcp_peer/order/terminated", terminated, NULL, 0);
	vt_add("tcp_peer/order/revoked", revoked, NULL, 40);
	vt_add("tcp_peer/order/refused", refused, NULL, 40);
	vt_add("tcp_peer/order/refused_late", refused_late, NULL, 40);
	vt_add("tcp_peer/order/refused_unread", refused_unread, NULL, 40);
	vt_add("tcp_peer/order/no_receive", no_receive, NULL, 0);
	vt_add("tcp_peer/order/gone", gone, NULL, 40);
	vt_add("tcp_peer/srq", srq, NULL, 0);
	vt_add("tcp_peer/dribbled_behind", dribbled, NULL, 60);
	vt_add("tcp_peer/last_words", last_words, NULL, 40);
}
