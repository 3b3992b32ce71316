// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * nic_area: one dma-buf for a NIC's queue and for RDMA's. It is bound to a queue of a berth_nic, and there is an area
 * over it: what a stream QP's socket gets by that queue is handed over, what other QPs get is landed in chunks of the
 * same binding, and a devmem socket has its share at the same time. --dev is a link over the NIC, --peer one at the
 * other end of its wire.
 *
 * VT_NETNS, VT_ADDR and VT_PEER_NETNS, VT_PEER_ADDR tell where; VT_NIC and VT_QUEUE, to which queue the address is steered.
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "nic_area.h"
#include "vt_net.h"
#include "vt_nic.h"

int nic_area_destroy(void *area)
{
	return berthdv_destroy_area(area);
}

static int dereg(void *mr)
{
	return ibv_dereg_mr(mr);
}

static int destroy_qp(void *qp)
{
	return ibv_destroy_qp(qp);
}

static int destroy_srq(void *srq)
{
	return ibv_destroy_srq(srq);
}

static const char *env(const char *name)
{
	const char *value = getenv(name);

	CHECK(value, "$%s is not set", name);
	return value;
}

static uint64_t counter(const char *name)
{
	char path[200], text[32] = "";
	FILE *f;

	vt_sleep_ms(30);	/* the core keeps what it has read for 10 ms */
	snprintf(path, sizeof(path), "/sys/class/infiniband/%s/ports/1/hw_counters/%s", vt_cfg.dev, name);
	f = fopen(path, "r");
	CHECK(f && fgets(text, sizeof(text), f), "%s: %s", path, strerror(errno));
	fclose(f);
	return strtoull(text, NULL, 10);
}

static uint64_t copied(void)
{
	return counter("device_bytes") + counter("host_bytes");
}

int nic_area_try_bind(struct bench *b)
{
	b->binding = vt_nic_bind(env("VT_NETNS"), env("VT_NIC"), (uint32_t)atoi(env("VT_QUEUE")), b->fd);
	return b->binding < 0 ? errno : 0;
}

void nic_area_bind_in_time(struct bench *b)
{
	const uint64_t end = vt_now_ms() + 10000 * vt_cfg.slow;
	int err;

	while ((err = nic_area_try_bind(b)) == EBUSY && vt_now_ms() < end)
		vt_sleep_ms(50);
	CHECK_ERRNO(err, 0, "to bind the dma-buf");
}

struct bench *nic_area_memory_of(int fd)
{
	struct bench *b = vt_zalloc(sizeof(*b));

	CHECK(fd >= 0, "a dma-buf of %zu bytes: %s", BYTES, strerror(errno));
	b->dev = vt_open(vt_cfg.dev);
	b->peer = vt_open(vt_cfg.peer);
	b->fd = fd;
	b->mem = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, b->fd, 0);
	CHECK(b->mem != MAP_FAILED, "mmap: %s", strerror(errno));
	b->mr = ibv_reg_dmabuf_mr(b->dev->pd, 0, BYTES, IOVA, b->fd, VT_ACCESS_ALL);
	CHECK(b->mr, "ibv_reg_dmabuf_mr: %s", strerror(errno));
	vt_defer(dereg, b->mr, "ibv_dereg_mr");
	b->cq = vt_cq_new(b->dev, 4096, NULL);
	b->scq = vt_cq_new(b->peer, 4096, NULL);
	return b;
}

struct bench *nic_area_memory_new(enum vt_mem kind)
{
	return nic_area_memory_of(vt_dmabuf_alloc(kind, BYTES, NULL));
}

struct berthdv_area *nic_area_try(struct bench *b, uint32_t chunk, uint64_t length)
{
	const struct berthdv_area_attr attr = { .chunk_size = chunk, .max_message = MESSAGE };
	struct ibv_mr *mr = length == BYTES ? b->mr : ibv_reg_dmabuf_mr(b->dev->pd, 0, length, IOVA, b->fd, VT_ACCESS_ALL);
	struct berthdv_area *area = berthdv_create_area(mr, &attr);
	int err = errno;

	if (mr != b->mr)
		ibv_dereg_mr(mr);
	errno = err;
	return area;
}

void nic_area_new(struct bench *b)
{
	b->area = nic_area_try(b, CHUNK, BYTES);
	CHECK(b->area, "berthdv_create_area: %s", strerror(errno));
	vt_defer(nic_area_destroy, b->area, "berthdv_destroy_area");
}

struct bench *nic_area_bench_new(enum vt_mem kind)
{
	struct bench *b = nic_area_memory_new(kind);

	/* That of the case before may take a moment to come home. */
	nic_area_bind_in_time(b);
	nic_area_new(b);
	return b;
}

void nic_area_pair_of_sockets(int sock[2])
{
	vt_net_pair(env("VT_NETNS"), env("VT_ADDR"), env("VT_PEER_NETNS"), env("VT_PEER_ADDR"), sock);
}

/* A stream QP in RTS with or without the area; returns the other end of its connection. */
int nic_area_stream_new(struct bench *b, struct berthdv_area *area, struct ibv_qp **qp)
{
	struct berthdv_qp_init_attr dv = {
		.comp_mask = area ? BERTHDV_QP_INIT_ATTR_AREA : 0, .area = area, .qp_type = BERTHDV_QP_TCP_STREAM,
	};
	struct ibv_qp_init_attr_ex attr = {
		.qp_type = IBV_QPT_RC, .comp_mask = IBV_QP_INIT_ATTR_PD, .pd = b->dev->pd, .send_cq = b->cq, .recv_cq = b->cq,
		.cap = { .max_send_wr = 16, .max_send_sge = 1, .max_recv_wr = area ? 0 : 16, .max_recv_sge = area ? 0 : 1 },
	};
	struct vt_ep ep = { .dev = b->dev, .pd = b->dev->pd };
	struct vt_opts o = VT_OPTS;
	int sock[2];

	ep.qp = berthdv_create_qp(b->dev->ctx, &attr, &dv);
	CHECK(ep.qp, "berthdv_create_qp: %s", strerror(errno));
	vt_defer(destroy_qp, ep.qp, "ibv_destroy_qp");
	CHECK_ERRNO(vt_ep_to_init(&ep, &o), 0, "to INIT");
	nic_area_pair_of_sockets(sock);
	CHECK_ERRNO(berthdv_qp_attach_socket(ep.qp, sock[0]), 0, "berthdv_qp_attach_socket");
	close(sock[0]);
	*qp = ep.qp;
	return sock[1];
}

static void *writes(void *arg)
{
	struct writer *w = arg;

	vt_net_write(w->sock, w->bytes, w->seed, 0, 65536);
	shutdown(w->sock, SHUT_WR);
	return NULL;
}

void nic_area_writer_start(struct writer *w)
{
	CHECK(!pthread_create(&w->thread, NULL, writes, w), "pthread_create");
}

void nic_area_writer_end(struct writer *w)
{
	CHECK(!pthread_join(w->thread, NULL), "pthread_join");
	close(w->sock);
}

static void hold(struct bench *b, uint32_t token)
{
	CHECK(b->tokens < CHUNKS, "more tokens than chunks");
	for (uint32_t i = 0; i < b->tokens; i++)
		CHECK(b->token[i] != token, "token %u was given out twice", token);
	b->token[b->tokens++] = token;
}

void nic_area_give_back(struct bench *b)
{
	berthdv_area_return(b->area, b->token, b->tokens);
	b->tokens = 0;
}

void nic_area_check_pieces(struct bench *b, uint32_t token, uint32_t length, uint64_t seed, uint64_t pos)
{
	struct berthdv_piece piece;
	uint32_t done = 0;

	for (; berthdv_area_piece(b->area, &token, &piece); done += piece.length) {
		CHECK(piece.length && piece.offset / CHUNK == (piece.offset + piece.length - 1) / CHUNK,
		      "a piece of %u bytes at %#llx", piece.length, (unsigned long long)piece.offset);
		CHECK(vt_mismatch(b->mem + piece.offset, piece.length, seed, pos + done) < 0,
		      "the bytes of a piece of %u at %#llx are wrong", piece.length, (unsigned long long)piece.offset);
		*(piece.flags & BERTHDV_PIECE_HANDED_OVER ? &b->handed : &b->copied) += piece.length;
		hold(b, piece.token);
	}
	CHECK_EQ(done, length, "bytes in pieces");
}

/* The next bytes of a stream. Returns how many; 0: its end. */
uint32_t nic_area_take(struct bench *b, uint64_t pos)
{
	struct ibv_wc wc;

	vt_poll(b->cq, &wc, "bytes of a stream");
	CHECK(wc.status == IBV_WC_SUCCESS, "bytes of a stream: %s", ibv_wc_status_str(wc.status));
	nic_area_check_pieces(b, (uint32_t)wc.wr_id, wc.byte_len, SEED, pos);
	return wc.byte_len;
}

/* Receives from @pos up to the end of the stream. */
void nic_area_take_all(struct bench *b, uint64_t pos, size_t bytes)
{
	uint32_t n;

	while ((n = nic_area_take(b, pos))) {
		pos += n;
		/* Out of order, and not at once. */
		if (b->tokens > 100)
			nic_area_give_back(b);
	}
	CHECK_EQ(pos, bytes, "bytes of the stream");
	nic_area_give_back(b);
	CHECK_EQ(berthdv_area_refused(b->area), 0, "tokens that were refused");
}

static void handed_over(const void *arg)
{
	const enum vt_mem *kind = arg;
	struct bench *b = nic_area_bench_new(*kind);
	struct writer w = { .bytes = 8000001, .seed = SEED };
	const uint64_t handed = counter("rx_handed_over_bytes"), was_copied = copied();
	struct ibv_qp *qp;

	w.sock = nic_area_stream_new(b, b->area, &qp);
	nic_area_writer_start(&w);
	nic_area_take_all(b, 0, w.bytes);
	nic_area_writer_end(&w);
	CHECK_EQ(counter("rx_handed_over_bytes") - handed, w.bytes, "bytes that were handed over");
	CHECK_EQ(b->handed, w.bytes, "bytes in pieces that were handed over");
	CHECK_EQ(copied() - was_copied + b->copied, 0, "bytes that were copied");
}

/* ---- at the same time ---- */

struct beside {
	pthread_t thread;
	struct bench *b;
	int sock;
	size_t got;
};

static void *takes_devmem(void *arg)
{
	struct beside *d = arg;
	size_t n;

	while ((n = vt_nic_take(d->sock, d->b->mem, SEED + 1, d->got)))
		d->got += n;
	return NULL;
}

struct vt_pair *nic_area_rc_pair(struct bench *b)
{
	struct berthdv_srq_init_attr dv = { .area = b->area };
	struct ibv_srq_init_attr attr = { };
	struct vt_opts o = VT_OPTS;

	o.mtu = IBV_MTU_1024;
	o.srq[1] = berthdv_create_srq(b->dev->pd, &attr, &dv);
	CHECK(o.srq[1], "berthdv_create_srq: %s", strerror(errno));
	vt_defer(destroy_srq, o.srq[1], "ibv_destroy_srq");
	o.cq[0] = b->scq;
	o.cq[1] = vt_cq_new(b->dev, 4096, NULL);
	return vt_pair_new(b->peer, b->dev, &o);
}

static uint32_t length_of(const struct sends *s)
{
	return 1 + s->count * 7919 % MESSAGE;
}

/* Returns whether one has arrived; its tokens are held. */
bool nic_area_send_on(struct bench *b, struct sends *s)
{
	struct ibv_wc wc;

	if (!s->under_way)
		CHECK_ERRNO(vt_send(&s->p->a, 1, IBV_WR_SEND, vt_sge(s->src, s->count, length_of(s)), NULL, 0, IBV_SEND_SIGNALED),
			    0, "ibv_post_send");
	s->under_way = !vt_poll_for(s->p->b.rcq, &wc, 1);
	if (s->under_way)
		return false;
	CHECK(wc.status == IBV_WC_SUCCESS, "a message: %s", ibv_wc_status_str(wc.status));
	nic_area_check_pieces(b, (uint32_t)wc.wr_id, length_of(s), s->src->seed, VT_SKEW + s->count);
	vt_expect_wc(&s->p->a, b->scq, 1, IBV_WC_SUCCESS, "SEND", NULL);
	s->count++;
	return true;
}

/* An RDMA WRITE into the piece that is held last: the process has it, so nobody else writes there. */
static void write_to_held(struct bench *b, struct vt_pair *p, struct vt_buf *src, size_t from)
{
	const uint64_t at = (uint64_t)b->token[b->tokens - 1] * CHUNK;

	CHECK_ERRNO(vt_rdma(&p->a, 2, IBV_WR_RDMA_WRITE, vt_sge(src, from, CHUNK), IOVA + at, b->mr->rkey), 0, "ibv_post_send");
	vt_expect_wc(&p->a, b->scq, 2, IBV_WC_SUCCESS, "RDMA WRITE", NULL);
	CHECK(vt_mismatch(b->mem + at, CHUNK, src->seed, VT_SKEW + from) < 0, "what was written into a held chunk is wrong");
}

/* A stream, a devmem socket and RC SENDs, all into chunks of one dma-buf. */
static void together(const void *arg)
{
	const enum vt_mem *kind = arg;
	struct bench *b = nic_area_bench_new(*kind);
	struct sends s = { nic_area_rc_pair(b), vt_buf_new(b->peer, VT_HOST, 2 * MESSAGE, VT_ACCESS_ALL), 0, false };
	struct writer w = { .bytes = 4000003, .seed = SEED }, other = { .bytes = 3000007, .seed = SEED + 1 };
	struct beside d = { .b = b };
	bool ended = false;
	uint64_t pos = 0;
	struct ibv_qp *qp;
	struct ibv_wc wc;
	int sock[2];

	w.sock = nic_area_stream_new(b, b->area, &qp);
	nic_area_pair_of_sockets(sock);
	d.sock = sock[0];
	other.sock = sock[1];
	nic_area_writer_start(&w);
	nic_area_writer_start(&other);
	CHECK(!pthread_create(&d.thread, NULL, takes_devmem, &d), "pthread_create");
	while (!ended || s.count < SENDS) {
		if (s.count < SENDS && nic_area_send_on(b, &s))
			write_to_held(b, s.p, s.src, s.count % 999);
		if (!ended && vt_poll_for(b->cq, &wc, 1)) {
			CHECK(wc.status == IBV_WC_SUCCESS, "bytes of a stream: %s", ibv_wc_status_str(wc.status));
			nic_area_check_pieces(b, (uint32_t)wc.wr_id, wc.byte_len, SEED, pos);
			pos += wc.byte_len;
			ended = !wc.byte_len;
		}
		if (b->tokens > 100)
			nic_area_give_back(b);
	}
	CHECK_EQ(pos, w.bytes, "bytes of the stream");
	CHECK_EQ(b->handed, w.bytes, "bytes in pieces that were handed over");
	CHECK(!pthread_join(d.thread, NULL), "pthread_join");
	CHECK_EQ(d.got, other.bytes, "bytes of the devmem socket");
	nic_area_writer_end(&w);
	nic_area_writer_end(&other);
	close(d.sock);
	nic_area_give_back(b);
	CHECK_EQ(berthdv_area_refused(b->area), 0, "tokens that were refused");
}

static void add_cases(void)
{
	static const enum vt_mem mems[] = { VT_UDMABUF, VT_HEAP, VT_BAR };
	char name[64];

	for (int i = 0; i < 3; i++) {
		snprintf(name, sizeof(name), "nic_area/handed_over/%s", vt_mem_name[mems[i]]);
		vt_add(name, handed_over, &mems[i], 60);
		snprintf(name, sizeof(name), "nic_area/together/%s", vt_mem_name[mems[i]]);
		vt_add(name, together, &mems[i], 60);
	}
	nic_area_add_life();
}

int main(int argc, char **argv)
{
	return vt_main(argc, argv, add_cases);
}
