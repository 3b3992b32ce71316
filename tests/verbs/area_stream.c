// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * area: stream QPs that receive into an area. The other end is a plain socket, as in stream.c; VT_NETNS and what else names it
 * there is needed.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "area.h"
#include "vt_net.h"

#define SEED	0xa5ea
#define CHUNKS	64

struct writer {
	pthread_t thread;
	int sock;
	size_t bytes, piece;
};

static void *writes(void *arg)
{
	struct writer *w = arg;

	vt_net_write(w->sock, w->bytes, SEED, 0, w->piece);
	shutdown(w->sock, SHUT_WR);
	return NULL;
}

static int destroy_qp(void *qp)
{
	return ibv_destroy_qp(qp);
}

static struct area_bench *stream_bench(enum vt_mem mem, uint32_t max_message)
{
	struct area_bench *b = vt_zalloc(sizeof(*b));

	b->db = vt_open(vt_cfg.dev);
	b->dst = vt_buf_new(b->db, mem, (CHUNKS + 1) * AREA_CHUNK, VT_ACCESS_ALL);
	b->area = area_new(b->dst, AREA_CHUNK, max_message);
	b->rcq = vt_cq_new(b->db, 256, NULL);
	return b;
}

/* A stream QP in RTS; returns the other end of its connection. */
static int stream_open(struct area_bench *b)
{
	struct berthdv_qp_init_attr dv = {
		.comp_mask = BERTHDV_QP_INIT_ATTR_AREA, .area = b->area, .qp_type = BERTHDV_QP_TCP_STREAM,
	};
	struct ibv_qp_init_attr_ex attr = {
		.qp_type = IBV_QPT_RC, .comp_mask = IBV_QP_INIT_ATTR_PD, .pd = b->db->pd,
		.send_cq = b->rcq, .recv_cq = b->rcq, .cap = { .max_send_wr = 16, .max_send_sge = 1 },
	};
	struct vt_ep ep = { .dev = b->db, .pd = b->db->pd };
	struct vt_opts o = VT_OPTS;
	int sock[2];

	ep.qp = berthdv_create_qp(b->db->ctx, &attr, &dv);
	CHECK(ep.qp, "berthdv_create_qp: %s", strerror(errno));
	vt_defer(destroy_qp, ep.qp, "ibv_destroy_qp");
	CHECK_ERRNO(vt_ep_to_init(&ep, &o), 0, "to INIT");
	vt_net_pair(getenv("VT_NETNS"), getenv("VT_ADDR"), getenv("VT_PEER_NETNS"), getenv("VT_PEER_ADDR"), sock);
	CHECK_ERRNO(berthdv_qp_attach_socket(ep.qp, sock[0]), 0, "berthdv_qp_attach_socket");
	return sock[1];
}

/* A completion's bytes, the next from @at of the stream on. Returns how many; 0: its end. */
static uint32_t take(struct area_bench *b, uint64_t at, uint32_t most)
{
	struct ibv_wc wc;

	vt_poll(b->rcq, &wc, "bytes of a stream");
	CHECK(wc.status == IBV_WC_SUCCESS, "bytes of a stream: %s", ibv_wc_status_str(wc.status));
	CHECK_EQ(wc.opcode, IBV_WC_RECV, "opcode");
	CHECK(wc.byte_len <= most, "%u bytes in a completion", wc.byte_len);
	area_pieces(b, wc.wr_id, wc.byte_len, SEED, at, "bytes of a stream");
	return wc.byte_len;
}

struct stream_arg {
	enum vt_mem mem;
	uint32_t max_message;
	size_t bytes, piece;
	bool slowly;		/* tokens are returned late */
};

static void receive(const void *arg)
{
	const struct stream_arg *t = arg;
	struct area_bench *b = stream_bench(t->mem, t->max_message);
	struct writer w = { .sock = stream_open(b), .bytes = t->bytes, .piece = t->piece };
	uint64_t at = 0;
	uint32_t n;

	CHECK(!pthread_create(&w.thread, NULL, writes, &w), "pthread_create");
	while ((n = take(b, at, t->max_message))) {
		at += n;
		/* With all chunks out the peer is stopped until there are enough again. */
		if (!t->slowly) {
			area_return(b);
		} else if (b->tokens == CHUNKS) {
			vt_poll_none(b->rcq, 30, "without chunks");
			area_return(b);
		}
	}
	CHECK_EQ(at, t->bytes, "bytes");
	CHECK(!pthread_join(w.thread, NULL), "pthread_join");
	CHECK_EQ(berthdv_area_refused(b->area), 0, "tokens that were refused");
	vt_buf_check(b->dst, 0, b->dst->size, "what no byte was for");
}

void area_add_stream(void)
{
	static const struct {
		const char *name;
		struct stream_arg arg;
	} cases[] = {
		{ "area/stream/heap", { VT_HEAP, 65536, 3000001, 65536, false } },
		{ "area/stream/udmabuf", { VT_UDMABUF, 65536, 3000001, 1000, false } },
		{ "area/stream/bar", { VT_BAR, 16384, 1000003, 65536, false } },
		{ "area/stream/one_chunk", { VT_HEAP, 4096, 1000003, 65536, false } },
		{ "area/stream/dribble", { VT_HEAP, 65536, 3000, 1, false } },
		{ "area/stream/exhausted", { VT_HEAP, 65536, 3000001, 65536, true } },
	};

	if (!getenv("VT_NETNS"))
		return;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		vt_add(cases[i].name, receive, &cases[i].arg, 60);
}
