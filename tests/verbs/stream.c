// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * stream: TCP-offload QPs in stream mode. A QP of --dev adopts one end of a TCP connection between two
 * network namespaces, VT_NETNS (VT_ADDR, VT_ADDR6) and VT_PEER_NETNS (VT_PEER_ADDR, VT_PEER_ADDR6); the
 * other end is a plain socket of this program.
 */
#include <errno.h>
#include <infiniband/berthdv.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "stream.h"

#define SEED	0x57ea
#define SIZE	(1 << 20)
#define POSTED	32

static const char *env(const char *name)
{
	const char *value = getenv(name);

	CHECK(value, "%s is not set", name);
	return value;
}

static int destroy_qp(void *qp)
{
	return ibv_destroy_qp(qp);
}

void stream_qp(struct vt_ep *ep, struct vt_dev *dev, struct ibv_srq *srq)
{
	struct vt_opts o = VT_OPTS;
	struct berthdv_qp_init_attr dv = { .qp_type = BERTHDV_QP_TCP_STREAM };
	struct ibv_qp_init_attr_ex attr = {
		.qp_type = IBV_QPT_RC, .comp_mask = IBV_QP_INIT_ATTR_PD, .pd = dev->pd, .srq = srq,
		.cap = { .max_send_wr = 64, .max_recv_wr = 64, .max_send_sge = 4, .max_recv_sge = 4,
			 .max_inline_data = 64 },
	};

	*ep = (struct vt_ep){ .dev = dev, .pd = dev->pd };
	ep->scq = attr.send_cq = vt_cq_new(dev, 128, NULL);
	ep->rcq = attr.recv_cq = vt_cq_new(dev, 128, NULL);
	ep->qp = berthdv_create_qp(dev->ctx, &attr, &dv);
	CHECK(ep->qp, "berthdv_create_qp: %s", strerror(errno));
	vt_defer(destroy_qp, ep->qp, "ibv_destroy_qp");
	CHECK_ERRNO(vt_ep_to_init(ep, &o), 0, "to INIT");
}

struct stream stream_new(bool v6)
{
	struct stream s = { .dev = vt_open(vt_cfg.dev) };
	int sock[2];

	stream_qp(&s.ep, s.dev, NULL);
	vt_net_pair(env("VT_NETNS"), env(v6 ? "VT_ADDR6" : "VT_ADDR"), env("VT_PEER_NETNS"),
		    env(v6 ? "VT_PEER_ADDR6" : "VT_PEER_ADDR"), sock);
	s.fd = sock[0];
	s.peer = sock[1];
	return s;
}

void stream_attach(struct stream *s)
{
	CHECK_ERRNO(berthdv_qp_attach_socket(s->ep.qp, s->fd), 0, "berthdv_qp_attach_socket");
	CHECK_EQ(vt_ep_state(&s->ep), IBV_QPS_RTS, "state after the attach");
}

uint32_t stream_take(struct stream *s, uint64_t wr_id, const char *what)
{
	struct ibv_wc wc;

	vt_expect_wc(&s->ep, s->ep.rcq, wr_id, IBV_WC_SUCCESS, what, &wc);
	CHECK_EQ(wc.opcode, IBV_WC_RECV, "opcode");
	CHECK_EQ(wc.src_qp, 0, "src_qp");
	return wc.byte_len;
}

/* ---- the other end, in a thread ---- */

struct peer {
	pthread_t thread;
	int sock;
	size_t bytes, piece;
	uint64_t seed;
};

static void *peer_writes(void *arg)
{
	struct peer *p = arg;

	vt_net_write(p->sock, p->bytes, p->seed, 0, p->piece);
	return NULL;
}

static void *peer_reads(void *arg)
{
	struct peer *p = arg;

	vt_net_expect(p->sock, p->bytes, p->seed, 0, "what the peer received");
	return NULL;
}

static void start(struct peer *p, void *(*fn)(void *))
{
	CHECK(!pthread_create(&p->thread, NULL, fn, p), "pthread_create");
}

static void join(struct peer *p)
{
	CHECK(!pthread_join(p->thread, NULL), "pthread_join");
}

/* ---- receiving and sending ---- */

/* Receives of odd sizes, one behind the other in a buffer that they go round; all bytes in order. */
struct intake {
	struct vt_buf *buf;
	uint32_t off[POSTED], len[POSTED];
	uint64_t posted, done, state;
	size_t bytes;
};

static void post_some(struct stream *s, struct intake *in)
{
	for (; in->posted - in->done < POSTED; in->posted++) {
		uint32_t slot = in->posted % POSTED, room = SIZE / POSTED;

		in->off[slot] = slot * room;
		in->len[slot] = 1 + vt_rand(&in->state) % room;
		CHECK_ERRNO(vt_recv(&s->ep, in->posted, vt_sge(in->buf, in->off[slot], in->len[slot])), 0,
			    "ibv_post_recv");
	}
}

static void take_some(struct stream *s, struct intake *in, size_t total)
{
	uint32_t slot = in->done % POSTED, n = stream_take(s, in->done, "a receive");

	CHECK(n && n <= in->len[slot], "byte_len %u of a receive of %u bytes", n, in->len[slot]);
	vt_buf_expect(in->buf, in->off[slot], n, SEED, in->bytes, "what was received");
	/* Nothing behind what has come. */
	vt_buf_check(in->buf, in->off[slot] + n, in->len[slot] - n, "behind what was received");
	vt_buf_fill(in->buf, in->off[slot], n);
	in->bytes += n;
	in->done++;
	CHECK(in->bytes <= total, "more bytes than were sent");
}

static struct intake intake_new(struct stream *s, enum vt_mem mem)
{
	struct intake in = { .buf = vt_buf_new(s->dev, mem, SIZE, VT_ACCESS_ALL), .state = 7 };

	post_some(s, &in);
	return in;
}

/* Sends of odd sizes from a buffer that carries the pattern of the stream; each is spoilt when it has completed. */
struct output {
	struct vt_buf *buf;
	uint32_t len[POSTED];
	uint64_t posted, done, state;
	size_t bytes;
};

static void send_some(struct stream *s, struct output *out, size_t total)
{
	const uint32_t room = SIZE / POSTED;

	for (; out->posted - out->done < POSTED && out->bytes < total; out->posted++) {
		uint32_t slot = out->posted % POSTED, n = 1 + vt_rand(&out->state) % room;

		if (n > total - out->bytes)
			n = total - out->bytes;
		vt_fill(out->buf->ptr + slot * room, n, SEED + 1, out->bytes);
		CHECK_ERRNO(vt_send(&s->ep, out->posted, IBV_WR_SEND, vt_sge(out->buf, slot * room, n), NULL, 0,
				    IBV_SEND_SIGNALED), 0, "ibv_post_send");
		out->len[slot] = n;
		out->bytes += n;
	}
}

static void sent_one(struct stream *s, struct output *out)
{
	uint32_t slot = out->done % POSTED;

	vt_expect_wc(&s->ep, s->ep.scq, out->done, IBV_WC_SUCCESS, "a SEND", NULL);
	/* Now it is the program's again. */
	memset(out->buf->ptr + slot * (SIZE / POSTED), 0xee, out->len[slot]);
	out->done++;
}

struct data_arg {
	enum vt_mem mem;
	bool v6;
	size_t bytes, piece;
};

static void receive_data(const void *arg)
{
	const struct data_arg *t = arg;
	struct stream s = stream_new(t->v6);
	struct peer p = { .sock = s.peer, .bytes = t->bytes, .piece = t->piece, .seed = SEED };
	struct intake in = intake_new(&s, t->mem);

	stream_attach(&s);
	start(&p, peer_writes);
	while (in.bytes < t->bytes) {
		take_some(&s, &in, t->bytes);
		post_some(&s, &in);
	}
	join(&p);
	vt_poll_none(s.ep.rcq, 50, "more than was sent");
}

static void send_data(const void *arg)
{
	const struct data_arg *t = arg;
	struct stream s = stream_new(t->v6);
	struct peer p = { .sock = s.peer, .bytes = t->bytes, .seed = SEED + 1 };
	struct output out = { .buf = vt_buf_new(s.dev, t->mem, SIZE, VT_ACCESS_ALL), .state = 9 };

	stream_attach(&s);
	start(&p, peer_reads);
	while (out.bytes < t->bytes || out.done < out.posted) {
		send_some(&s, &out, t->bytes);
		sent_one(&s, &out);
	}
	join(&p);
}

/* Both ways at once. */
static void both_ways(const void *arg)
{
	const struct data_arg *t = arg;
	struct stream s = stream_new(t->v6);
	struct peer w = { .sock = s.peer, .bytes = t->bytes, .piece = t->piece, .seed = SEED };
	struct peer r = { .sock = s.peer, .bytes = t->bytes, .seed = SEED + 1 };
	struct output out = { .buf = vt_buf_new(s.dev, t->mem, SIZE, VT_ACCESS_ALL), .state = 11 };
	struct intake in = intake_new(&s, t->mem);

	stream_attach(&s);
	start(&w, peer_writes);
	start(&r, peer_reads);
	while (in.bytes < t->bytes || out.bytes < t->bytes || out.done < out.posted) {
		send_some(&s, &out, t->bytes);
		if (out.done < out.posted)
			sent_one(&s, &out);
		if (in.bytes < t->bytes) {
			take_some(&s, &in, t->bytes);
			post_some(&s, &in);
		}
	}
	join(&w);
	join(&r);
}

/* ---- shapes ---- */

/* What the socket had received before the attach comes first, also with the end of the stream behind it. */
static void queued(const void *arg)
{
	const bool ended = arg != NULL;
	struct stream s = stream_new(false);
	struct intake in;

	vt_net_write(s.peer, 40000, SEED, 0, 40000);
	if (ended)
		shutdown(s.peer, SHUT_WR);
	vt_sleep_ms(100);
	in = intake_new(&s, VT_HOST);
	stream_attach(&s);
	while (in.bytes < 40000)
		take_some(&s, &in, ended ? 40000 : 50000);
	if (ended) {
		CHECK_EQ(stream_take(&s, in.done, "end"), 0, "byte_len of the end of the stream");
		vt_poll_none(s.ep.rcq, 50, "more than the end");
		return;
	}
	vt_net_write(s.peer, 10000, SEED, 40000, 100);
	while (in.bytes < 50000) {
		post_some(&s, &in);
		take_some(&s, &in, 50000);
	}
}

/* A receive is not held back until it is full, nor cut where the peer still has something to say. */
static void pushed(const void *unused __attribute__((unused)))
{
	struct stream s = stream_new(false);
	struct vt_buf *buf = vt_buf_new(s.dev, VT_HOST, 9 * 65536, VT_ACCESS_ALL);
	uint32_t n = 0;

	for (int i = 0; i < 9; i++)
		CHECK_ERRNO(vt_recv(&s.ep, i, vt_sge(buf, i * 65536, 65536)), 0, "ibv_post_recv");
	stream_attach(&s);
	vt_net_write(s.peer, 10, SEED, 0, 10);
	CHECK_EQ(stream_take(&s, 0, "ten bytes"), 10, "byte_len");
	vt_buf_expect(buf, 0, 10, SEED, 0, "ten bytes");
	vt_buf_check(buf, 10, 2 * 65536, "behind them");
	vt_net_write(s.peer, 65536, SEED, 10, 65536);
	for (int i = 1; n < 65536; i++) {
		uint32_t more = stream_take(&s, i, "the others");

		/* TCP pushes when half a window is full, not with every segment. */
		CHECK(more >= 4000 || n + more == 65536, "a receive of 65536 bytes was cut at %u", more);
		vt_buf_expect(buf, i * 65536, more, SEED, 10 + n, "the others");
		n += more;
	}
	CHECK_EQ(n, 65536, "bytes");
	vt_poll_none(s.ep.rcq, 50, "nothing");
}

/* Without receives the peer is stopped; with them it goes on. */
static void no_receives(const void *unused __attribute__((unused)))
{
	const size_t bytes = 16 << 20;
	struct stream s = stream_new(false);
	struct peer p = { .sock = s.peer, .bytes = bytes, .piece = 65536, .seed = SEED };
	struct intake in;

	stream_attach(&s);
	start(&p, peer_writes);
	vt_sleep_ms(300);
	in = intake_new(&s, VT_HOST);
	while (in.bytes < bytes) {
		take_some(&s, &in, bytes);
		if (!(in.done % POSTED))
			post_some(&s, &in);
		if (in.done == in.posted)
			post_some(&s, &in);
	}
	join(&p);
}

/* The peer ends its half: what is there, a receive of no bytes, and the other half still works. */
static void end_of_stream(const void *unused __attribute__((unused)))
{
	struct stream s = stream_new(false);
	struct vt_buf *buf = vt_buf_new(s.dev, VT_HOST, SIZE, VT_ACCESS_ALL);
	int i;

	for (i = 0; i < 3; i++)
		CHECK_ERRNO(vt_recv(&s.ep, i, vt_sge(buf, i * 1000, 1000)), 0, "ibv_post_recv");
	stream_attach(&s);
	vt_net_write(s.peer, 1300, SEED, 0, 1300);
	CHECK(!shutdown(s.peer, SHUT_WR), "shutdown: %s", strerror(errno));
	CHECK_EQ(stream_take(&s, 0, "first"), 1000, "byte_len");
	CHECK_EQ(stream_take(&s, 1, "second"), 300, "byte_len");
	CHECK_EQ(stream_take(&s, 2, "end"), 0, "byte_len of the end of the stream");
	CHECK_ERRNO(vt_recv(&s.ep, 3, vt_sge(buf, 0, 1000)), 0, "ibv_post_recv");
	vt_poll_none(s.ep.rcq, 50, "another end");
	vt_fill(buf->ptr + 5000, 3000, SEED, 0);
	CHECK_ERRNO(vt_send(&s.ep, 9, IBV_WR_SEND, vt_sge(buf, 5000, 3000), NULL, 0, IBV_SEND_SIGNALED), 0,
		    "ibv_post_send");
	vt_net_expect(s.peer, 3000, SEED, 0, "after the end");
	vt_expect_wc(&s.ep, s.ep.scq, 9, IBV_WC_SUCCESS, "a SEND after the end", NULL);
	vt_ep_destroy_qp(&s.ep);
	close(s.fd);
	vt_net_expect_end(s.peer, "after the QP was destroyed");
}

/* The end may come when no receive is posted. */
static void end_later(const void *unused __attribute__((unused)))
{
	struct stream s = stream_new(false);
	struct vt_buf *buf = vt_buf_new(s.dev, VT_HOST, SIZE, VT_ACCESS_ALL);

	stream_attach(&s);
	close(s.peer);
	vt_sleep_ms(50);
	CHECK_ERRNO(vt_recv(&s.ep, 1, vt_sge(buf, 0, 1000)), 0, "ibv_post_recv");
	CHECK_EQ(stream_take(&s, 1, "end"), 0, "byte_len of the end of the stream");
}

/* A reset: the next receive and the oldest SEND say so, the others are flushed. */
static void reset(const void *arg)
{
	const bool sending = arg != NULL;
	enum ibv_wc_status want = IBV_WC_REM_ABORT_ERR;
	struct linger linger = { .l_onoff = 1 };
	struct stream s = stream_new(false);
	struct vt_buf *buf = vt_buf_new(s.dev, VT_HOST, SIZE, VT_ACCESS_ALL);

	for (int i = 0; i < 2; i++)
		CHECK_ERRNO(vt_recv(&s.ep, i, vt_sge(buf, i * 1000, 1000)), 0, "ibv_post_recv");
	stream_attach(&s);
	/* More than both sockets take: the peer does not read. */
	for (int i = 0; sending && i < 40; i++)
		CHECK_ERRNO(vt_send(&s.ep, 10 + i, IBV_WR_SEND, vt_sge(buf, 0, SIZE), NULL, 0, IBV_SEND_SIGNALED), 0,
			    "ibv_post_send");
	vt_sleep_ms(100);
	setsockopt(s.peer, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	close(s.peer);
	vt_expect_wc(&s.ep, s.ep.rcq, 0, IBV_WC_REM_ABORT_ERR, "receive", NULL);
	vt_expect_wc(&s.ep, s.ep.rcq, 1, IBV_WC_WR_FLUSH_ERR, "receive behind it", NULL);
	for (int i = 0; sending && i < 40; i++) {
		struct ibv_wc wc;

		vt_poll(s.ep.scq, &wc, "a SEND that was reset");
		CHECK_EQ(wc.wr_id, 10 + i, "order");
		if (wc.status != IBV_WC_SUCCESS || want != IBV_WC_REM_ABORT_ERR) {
			CHECK_EQ(wc.status, want, "the first that failed, or one behind it");
			want = IBV_WC_WR_FLUSH_ERR;
		}
	}
	CHECK(!sending || want == IBV_WC_WR_FLUSH_ERR, "no SEND has failed");
	vt_expect_state(&s.ep, IBV_QPS_ERR, "state after a reset");
}

/* Only bytes can be sent, only from memory that is ours, and a receive of nothing is none. */
static void wrong_requests(const void *arg)
{
	const int which = *(const int *)arg;
	struct stream s = stream_new(false);
	struct vt_buf *buf = vt_buf_new(s.dev, VT_HOST, SIZE, VT_ACCESS_ALL);
	struct ibv_sge sge = vt_sge(buf, 0, 100);
	enum ibv_wc_status status = IBV_WC_LOC_QP_OP_ERR;

	stream_attach(&s);
	switch (which) {
	case 0:
		CHECK_ERRNO(vt_rdma(&s.ep, 1, IBV_WR_RDMA_WRITE, sge, buf->iova, buf->mr->rkey), 0, "WRITE");
		break;
	case 1:
		CHECK_ERRNO(vt_rdma(&s.ep, 1, IBV_WR_RDMA_READ, sge, buf->iova, buf->mr->rkey), 0, "READ");
		break;
	case 2:
		CHECK_ERRNO(vt_send(&s.ep, 1, IBV_WR_SEND_WITH_IMM, sge, NULL, 0, IBV_SEND_SIGNALED), 0, "SEND with imm");
		break;
	case 3:
		sge.lkey ^= 0x5500;
		status = IBV_WC_LOC_PROT_ERR;
		CHECK_ERRNO(vt_send(&s.ep, 1, IBV_WR_SEND, sge, NULL, 0, IBV_SEND_SIGNALED), 0, "SEND");
		break;
	default:
		sge.length = 0;
		CHECK_ERRNO(vt_recv(&s.ep, 1, sge), 0, "ibv_post_recv");
		vt_net_write(s.peer, 1, SEED, 0, 1);
		vt_expect_wc(&s.ep, s.ep.rcq, 1, IBV_WC_LOC_LEN_ERR, "a receive of no bytes", NULL);
		vt_expect_state(&s.ep, IBV_QPS_ERR, "state");
		return;
	}
	vt_expect_wc(&s.ep, s.ep.scq, 1, status, "a wrong request", NULL);
	vt_expect_state(&s.ep, IBV_QPS_ERR, "state");
	/* What went wrong is not the connection's fault: it is back with the descriptor. */
	stream_await_back(&s);
	vt_net_write(s.peer, 1000, SEED, 0, 1000);
	vt_net_expect(s.fd, 1000, SEED, 0, "the descriptor");
}

/* Two stream QPs, one at either end. */
static void two_qps(const void *unused __attribute__((unused)))
{
	struct stream s = stream_new(false), t = s;
	struct vt_buf *src = vt_buf_new(s.dev, VT_HOST, SIZE, VT_ACCESS_ALL);
	struct vt_buf *dst = vt_buf_new(s.dev, VT_BAR, SIZE, VT_ACCESS_ALL);
	size_t bytes = 0;

	stream_qp(&t.ep, s.dev, NULL);
	t.fd = s.peer;
	stream_attach(&s);
	stream_attach(&t);
	for (int i = 0; i < 16; i++)
		CHECK_ERRNO(vt_recv(&t.ep, i, vt_sge(dst, i * 65536, 65536)), 0, "ibv_post_recv");
	CHECK_ERRNO(vt_send(&s.ep, 1, IBV_WR_SEND, vt_sge(src, 0, SIZE), NULL, 0, IBV_SEND_SIGNALED), 0,
		    "ibv_post_send");
	for (int i = 0; bytes < SIZE; i++) {
		uint32_t n = stream_take(&t, i, "a receive"), off = i % 16 * 65536;

		vt_buf_expect_copy(dst, off, n, src, bytes, "QP to QP");
		bytes += n;
		CHECK_ERRNO(vt_recv(&t.ep, i + 16, vt_sge(dst, off, 65536)), 0, "ibv_post_recv");
	}
	vt_expect_wc(&s.ep, s.ep.scq, 1, IBV_WC_SUCCESS, "SEND", NULL);
}

/* Receives out of an SRQ, whose process does not tell when it posts. */
static void shared_receives(const void *unused __attribute__((unused)))
{
	struct stream s = stream_new(false);
	struct ibv_srq_init_attr ia = { .attr = { .max_wr = 16, .max_sge = 1 } };
	struct vt_buf *buf = vt_buf_new(s.dev, VT_HOST, SIZE, VT_ACCESS_ALL);
	struct ibv_srq *srq = ibv_create_srq(s.dev->pd, &ia);
	struct ibv_sge sge = vt_sge(buf, 0, 500);
	struct ibv_recv_wr wr = { .wr_id = 4, .sg_list = &sge, .num_sge = 1 }, *bad;

	CHECK(srq, "ibv_create_srq: %s", strerror(errno));
	vt_defer((int (*)(void *))ibv_destroy_srq, srq, "ibv_destroy_srq");
	stream_qp(&s.ep, s.dev, srq);
	stream_attach(&s);
	vt_net_write(s.peer, 500, SEED, 0, 500);
	vt_sleep_ms(50);
	CHECK_ERRNO(ibv_post_srq_recv(srq, &wr, &bad), 0, "ibv_post_srq_recv");
	CHECK_EQ(stream_take(&s, 4, "from the SRQ"), 500, "byte_len");
	vt_buf_expect(buf, 0, 500, SEED, 0, "from the SRQ");
	vt_ep_destroy_qp(&s.ep);
}

static void add_cases(void)
{
	static struct data_arg arg[64];
	static const int which[] = { 0, 1, 2, 3, 4 };
	struct data_arg *t = arg;
	char name[64];

	for (int mem = VT_HOST; mem <= VT_BAR; mem++) {
		*t = (struct data_arg){ .mem = mem, .bytes = 4 << 20, .piece = 70001 };
		snprintf(name, sizeof(name), "stream/receive/%s", vt_mem_name[mem]);
		vt_add(name, receive_data, t, 60);
		snprintf(name, sizeof(name), "stream/send/%s", vt_mem_name[mem]);
		vt_add(name, send_data, t, 60);
		snprintf(name, sizeof(name), "stream/both/%s", vt_mem_name[mem]);
		vt_add(name, both_ways, t++, 60);
	}
	*t = (struct data_arg){ .mem = VT_BAR, .bytes = 1 << 20, .piece = 70001, .v6 = true };
	vt_add("stream/both/ipv6", both_ways, t++, 60);
	*t = (struct data_arg){ .mem = VT_HOST, .bytes = 20000, .piece = 1 };
	vt_add("stream/receive/dribble", receive_data, t, 60);
	vt_add("stream/queued", queued, NULL, 0);
	vt_add("stream/queued/end", queued, "", 0);
	vt_add("stream/pushed", pushed, NULL, 0);
	vt_add("stream/no_receives", no_receives, NULL, 60);
	vt_add("stream/end", end_of_stream, NULL, 0);
	vt_add("stream/end/later", end_later, NULL, 0);
	vt_add("stream/reset", reset, NULL, 0);
	vt_add("stream/reset/sending", reset, "", 40);
	for (size_t i = 0; i < sizeof(which) / sizeof(which[0]); i++) {
		static const char *const names[] = { "write", "read", "imm", "lkey", "empty" };

		snprintf(name, sizeof(name), "stream/wrong/%s", names[i]);
		vt_add(name, wrong_requests, &which[i], 0);
	}
	vt_add("stream/two_qps", two_qps, NULL, 0);
	vt_add("stream/srq", shared_receives, NULL, 0);
	stream_add_fd_cases();
}

int main(int argc, char **argv)
{
	return vt_main(argc, argv, add_cases);
}
