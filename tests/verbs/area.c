// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * area: queues that take chunks of an area for what arrives. Every byte of every piece, and what is behind it; what happens
 * when there are no chunks; tokens that are forged; that nothing is lost whatever ends. Over RC QPs, with BERTH_QP_TYPE=tcp over
 * TCP-offload QPs; streams are in area_stream.c, what is refused in area_refused.c.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "area.h"

#define MESSAGE		65536		/* the largest */
#define PIECES		(MESSAGE / AREA_CHUNK)

static int destroy_area(void *area)
{
	return berthdv_destroy_area(area);
}

static int dereg(void *mr)
{
	return ibv_dereg_mr(mr);
}

static int destroy_srq(void *srq)
{
	return ibv_destroy_srq(srq);
}

static int destroy_qp(void *qp)
{
	return ibv_destroy_qp(qp);
}

struct berthdv_area *area_try(struct ibv_mr *mr, uint32_t chunk_size, uint32_t max_message)
{
	const struct berthdv_area_attr attr = { .chunk_size = chunk_size, .max_message = max_message };

	return berthdv_create_area(mr, &attr);
}

struct berthdv_area *area_new(struct vt_buf *buf, uint32_t chunk_size, uint32_t max_message)
{
	struct berthdv_area *area = area_try(buf->mr, chunk_size, max_message);

	CHECK(area, "berthdv_create_area: %s", strerror(errno));
	vt_defer(destroy_area, area, "berthdv_destroy_area");
	return area;
}

struct ibv_srq *area_srq_try(struct ibv_pd *pd, struct berthdv_area *area)
{
	struct ibv_srq_init_attr attr = { };
	struct berthdv_srq_init_attr dv = { .area = area };

	return berthdv_create_srq(pd, &attr, &dv);
}

static size_t bytes_of(uint32_t chunks)
{
	return (size_t)(chunks + 1) * AREA_CHUNK;
}

/* Over a buffer that is not registered yet. What there is from its first page on is in chunks. */
static struct area_bench *bench_over(bool wire, struct vt_buf *dst, uint32_t max_message)
{
	struct area_bench *b = vt_zalloc(sizeof(*b));

	b->da = vt_open(vt_cfg.dev);
	b->db = wire ? vt_open(vt_cfg.peer) : b->da;
	b->src = vt_buf_new(b->da, VT_HOST, 4 * MESSAGE, VT_ACCESS_ALL);
	b->dst = dst;
	dst->mr = vt_buf_try_reg(dst, b->db->pd, VT_ACCESS_ALL);
	CHECK(dst->mr, "ibv_reg_dmabuf_mr: %s", strerror(errno));
	vt_defer(dereg, dst->mr, "ibv_dereg_mr");
	b->area = area_new(b->dst, AREA_CHUNK, max_message);
	b->srq = area_srq_try(b->db->pd, b->area);
	CHECK(b->srq, "berthdv_create_srq: %s", strerror(errno));
	vt_defer(destroy_srq, b->srq, "ibv_destroy_srq");
	b->scq = vt_cq_new(b->da, 4096, NULL);
	b->rcq = vt_cq_new(b->db, 4096, NULL);
	return b;
}

struct area_bench *area_bench_new(bool wire, enum vt_mem mem, uint32_t chunks, uint32_t max_message)
{
	return bench_over(wire, vt_buf_alloc(mem, bytes_of(chunks)), max_message);
}

static struct vt_pair *pair(struct area_bench *b, struct vt_opts o)
{
	o.cq[0] = b->scq;
	o.cq[1] = b->rcq;
	o.srq[1] = b->srq;
	return vt_pair_new(b->da, b->db, &o);
}

static void keep(struct area_bench *b, uint32_t token)
{
	CHECK(b->tokens < AREA_TOKENS, "the test holds too many tokens");
	for (uint32_t i = 0; i < b->tokens; i++)
		CHECK(b->token[i] != token, "token %u was given out twice", token);
	b->token[b->tokens++] = token;
}

void area_pieces(struct area_bench *b, uint32_t token, uint32_t length, uint64_t seed, uint64_t pos, const char *what)
{
	struct berthdv_piece piece;
	uint32_t done = 0;

	for (; berthdv_area_piece(b->area, &token, &piece); done += piece.length) {
		CHECK(piece.length && piece.length <= AREA_CHUNK, "%s: a piece of %u bytes", what, piece.length);
		CHECK(piece.length == AREA_CHUNK || done + piece.length == length, "%s: a short piece inside", what);
		vt_buf_expect(b->dst, piece.offset, piece.length, seed, pos + done, what);
		vt_buf_check(b->dst, piece.offset + piece.length, AREA_CHUNK - piece.length, "behind a piece");
		vt_buf_fill(b->dst, piece.offset, piece.length);
		keep(b, piece.token);
	}
	CHECK_EQ(done, length, what);
}

void area_return(struct area_bench *b)
{
	static uint64_t state = 5;

	for (uint32_t i = b->tokens; i > 1; i--) {
		uint32_t j = vt_rand(&state) % i, token = b->token[i - 1];

		b->token[i - 1] = b->token[j];
		b->token[j] = token;
	}
	berthdv_area_return(b->area, b->token, b->tokens);
	b->tokens = 0;
}

static void post(struct area_bench *b, struct vt_pair *p, uint64_t id, size_t from, uint32_t length)
{
	CHECK_ERRNO(vt_send(&p->a, id, IBV_WR_SEND, vt_sge(b->src, from, length), NULL, 0, IBV_SEND_SIGNALED), 0,
		    "ibv_post_send");
}

/* One message that has arrived, from @from of the source on. */
static void take(struct area_bench *b, size_t from, uint32_t length, const char *what)
{
	struct ibv_wc wc;

	vt_poll(b->rcq, &wc, what);
	CHECK(wc.status == IBV_WC_SUCCESS, "%s: %s", what, ibv_wc_status_str(wc.status));
	CHECK_EQ(wc.opcode, IBV_WC_RECV, "opcode");
	CHECK_EQ(wc.byte_len, length, "byte_len");
	area_pieces(b, wc.wr_id, length, b->src->seed, VT_SKEW + from, what);
}

static void sent(struct area_bench *b, uint64_t id)
{
	struct ibv_wc wc;

	vt_poll(b->scq, &wc, "SEND");
	CHECK(wc.status == IBV_WC_SUCCESS, "SEND: %s", ibv_wc_status_str(wc.status));
	CHECK_EQ(wc.wr_id, id, "wr_id");
}

/* Nothing of the area is out: it takes as many of the largest messages as it has room for, and no more. */
static void whole(struct area_bench *b, struct vt_pair *p, uint32_t chunks, uint32_t max_message)
{
	const uint32_t room = chunks / (max_message / AREA_CHUNK);

	area_return(b);
	for (uint32_t i = 0; i < room; i++) {
		post(b, p, i, 0, max_message);
		take(b, 0, max_message, "a message of those that fill the area");
		sent(b, i);
	}
	vt_poll_none(b->rcq, 1, "nothing was sent");
	area_return(b);
}

/* ---- data ---- */

struct data_arg {
	enum vt_mem mem;
	bool wire;
};

static void data(const void *arg)
{
	static const uint32_t length[] = { 1, 4096, 0, 4097, 65536, 4095, 8192, 30001, 0, 65535, 7, 12288 };
	const struct data_arg *t = arg;
	struct area_bench *b = area_bench_new(t->wire, t->mem, 96, MESSAGE);
	struct vt_opts o = VT_OPTS;
	struct vt_pair *p[2];
	uint64_t id = 0;

	o.mtu = IBV_MTU_1024;
	for (int i = 0; i < 2; i++)
		p[i] = pair(b, o);
	for (int round = 0; round < 4; round++) {
		for (size_t i = 0; i < sizeof(length) / sizeof(length[0]); i++, id++) {
			post(b, p[id % 2], id, 3 * id, length[i]);
			take(b, 3 * id, length[i], "a message");
			sent(b, id);
		}
		area_return(b);
	}
	/* Several at a time. */
	for (int round = 0; round < 8; round++) {
		for (int i = 0; i < 5; i++)
			post(b, p[0], i, round * 1001 + i, 20000 + i);
		for (int i = 0; i < 5; i++)
			take(b, round * 1001 + i, 20000 + i, "one of five");
		for (int i = 0; i < 5; i++)
			sent(b, i);
		area_return(b);
	}
	CHECK_EQ(berthdv_area_refused(b->area), 0, "tokens that were refused");
	whole(b, p[0], 96, MESSAGE);
}

/* What consumes a receive without bytes of its own. */
static void immediate(const void *wire)
{
	struct area_bench *b = area_bench_new(wire, VT_HEAP, 32, MESSAGE);
	struct vt_buf *target = vt_buf_new(b->db, VT_HOST, MESSAGE, VT_ACCESS_ALL);
	struct vt_pair *p = pair(b, VT_OPTS);
	struct ibv_sge sge = vt_sge(b->src, 11, 5000);
	struct ibv_send_wr wr = {
		.wr_id = 1, .sg_list = &sge, .num_sge = 1, .opcode = IBV_WR_RDMA_WRITE_WITH_IMM, .imm_data = 0x1234,
		.send_flags = IBV_SEND_SIGNALED,
		.wr.rdma = { .remote_addr = target->iova, .rkey = target->mr->rkey },
	}, *bad;
	struct ibv_wc wc;

	for (int i = 0; i < 5; i++) {
		CHECK_ERRNO(ibv_post_send(p->a.qp, &wr, &bad), 0, "ibv_post_send");
		vt_poll(b->rcq, &wc, "WRITE with immediate");
		CHECK(wc.status == IBV_WC_SUCCESS, "WRITE with immediate: %s", ibv_wc_status_str(wc.status));
		CHECK_EQ(wc.opcode, IBV_WC_RECV_RDMA_WITH_IMM, "opcode");
		CHECK_EQ(wc.imm_data, 0x1234, "imm_data");
		CHECK_EQ(wc.byte_len, 5000, "byte_len");
		CHECK_EQ(wc.wr_id, BERTHDV_NO_TOKEN, "wr_id");
		sent(b, 1);
	}
	vt_buf_expect_copy(target, 0, 5000, b->src, 11, "what was written");
	wr.opcode = IBV_WR_SEND_WITH_IMM;
	CHECK_ERRNO(ibv_post_send(p->a.qp, &wr, &bad), 0, "ibv_post_send");
	vt_poll(b->rcq, &wc, "SEND with immediate");
	CHECK(wc.wc_flags & IBV_WC_WITH_IMM && wc.imm_data == 0x1234, "no immediate data");
	area_pieces(b, wc.wr_id, 5000, b->src->seed, VT_SKEW + 11, "SEND with immediate");
	sent(b, 1);
	whole(b, p, 32, MESSAGE);
}

/* A QP whose own receive queue is an area. */
static void own(const void *wire)
{
	struct area_bench *b = area_bench_new(wire, VT_HEAP, 64, MESSAGE);
	struct berthdv_qp_init_attr dv = {
		.comp_mask = BERTHDV_QP_INIT_ATTR_AREA, .area = b->area,
		.qp_type = vt_is_tcp() ? BERTHDV_QP_TCP : BERTHDV_QP_RC,
	};
	struct ibv_qp_init_attr_ex attr = {
		.qp_type = IBV_QPT_RC, .comp_mask = IBV_QP_INIT_ATTR_PD, .pd = b->db->pd,
		.send_cq = b->rcq, .recv_cq = b->rcq, .cap = { .max_send_wr = 16, .max_send_sge = 1 },
	};
	struct vt_opts o = VT_OPTS;
	struct vt_pair p = { };
	struct ibv_sge sge = vt_sge(b->dst, 0, 64);

	o.mtu = IBV_MTU_1024;
	o.cq[0] = b->scq;
	o.cq[1] = b->rcq;
	vt_ep_create(&p.a, b->da, &o, 0);
	vt_ep_create(&p.b, b->db, &o, 1);
	vt_ep_destroy_qp(&p.b);
	p.b.qp = berthdv_create_qp(b->db->ctx, &attr, &dv);
	CHECK(p.b.qp, "berthdv_create_qp: %s", strerror(errno));
	vt_defer(destroy_qp, p.b.qp, "ibv_destroy_qp");
	for (int round = 0; round < 3; round++) {
		CHECK_ERRNO(vt_ep_to_init(&p.a, &o), 0, "to INIT");
		CHECK_ERRNO(vt_ep_to_init(&p.b, &o), 0, "to INIT");
		CHECK_ERRNO(vt_ep_to_rtr(&p.a, &p.b, &o), 0, "to RTR");
		CHECK_ERRNO(vt_ep_to_rtr(&p.b, &p.a, &o), 0, "to RTR");
		CHECK_ERRNO(vt_ep_to_rts(&p.a, &o), 0, "to RTS");
		CHECK_ERRNO(vt_ep_to_rts(&p.b, &o), 0, "to RTS");
		CHECK(vt_recv(&p.b, 1, sge), "a receive was posted beside the area");
		for (uint64_t i = 0; i < 3; i++) {
			post(b, &p, i, i, 50000);
			take(b, i, 50000, "a message to the QP's own area");
			sent(b, i);
		}
		whole(b, &p, 64, MESSAGE);
		CHECK_ERRNO(vt_ep_to_state(&p.a, IBV_QPS_RESET), 0, "to RESET");
		CHECK_ERRNO(vt_ep_to_state(&p.b, IBV_QPS_RESET), 0, "to RESET");
	}
}

/* ---- no chunks ---- */

/* The tokens that are held longest. */
static void return_first(struct area_bench *b, uint32_t n)
{
	berthdv_area_return(b->area, b->token, n);
	b->tokens -= n;
	memmove(b->token, b->token + n, b->tokens * sizeof(b->token[0]));
}

static void exhausted(const void *wire)
{
	struct area_bench *b = area_bench_new(wire, VT_HEAP, 20, 4 * AREA_CHUNK);
	struct vt_pair *p = pair(b, VT_OPTS);

	for (int round = 0; round < 3; round++) {
		for (uint64_t i = 0; i < 7; i++)
			post(b, p, i, 100 * i, 4 * AREA_CHUNK);
		for (uint64_t i = 0; i < 5; i++)
			take(b, 100 * i, 4 * AREA_CHUNK, "a message while there is room");
		vt_poll_none(b->rcq, 100, "without chunks");
		/* Too few of them. */
		return_first(b, 3);
		vt_poll_none(b->rcq, 100, "with three chunks for four");
		return_first(b, 1);
		take(b, 500, 4 * AREA_CHUNK, "the first that waited");
		area_return(b);
		take(b, 600, 4 * AREA_CHUNK, "the second that waited");
		for (uint64_t i = 0; i < 7; i++)
			sent(b, i);
		area_return(b);
	}
	whole(b, p, 20, 4 * AREA_CHUNK);
}

static int destroy_cq(void *cq)
{
	return ibv_destroy_cq(cq);
}

/* The CQ ignores overruns and is full: nobody is told of a message, so its chunks go back by themselves. */
static void overrun(const void *wire)
{
	struct area_bench *b = area_bench_new(wire, VT_HEAP, 20, 4 * AREA_CHUNK);
	struct ibv_cq_init_attr_ex ia = { .cqe = 4, .comp_mask = IBV_CQ_INIT_ATTR_MASK_FLAGS,
					  .flags = IBV_CREATE_CQ_ATTR_IGNORE_OVERRUN };
	struct ibv_cq_ex *small = ibv_create_cq_ex(b->db->ctx, &ia);
	struct vt_pair *p, *other = pair(b, VT_OPTS);
	struct vt_opts o = VT_OPTS;
	int size;

	CHECK(small, "ibv_create_cq_ex: %s", strerror(errno));
	size = ibv_cq_ex_to_cq(small)->cqe;
	CHECK(size < 20, "a CQ of 4 got %d entries: the area has to be larger", size);
	vt_defer(destroy_cq, ibv_cq_ex_to_cq(small), "ibv_destroy_cq");
	o.cq[0] = b->scq;
	o.cq[1] = ibv_cq_ex_to_cq(small);
	o.srq[1] = b->srq;
	p = vt_pair_new(b->da, b->db, &o);
	for (uint64_t i = 0; i < 60; i++) {
		post(b, p, i, 100 * (i % 7), 10);
		sent(b, i);
	}
	for (int i = 0; i < size; i++) {
		struct ibv_wc wc;

		vt_poll(ibv_cq_ex_to_cq(small), &wc, "what had room");
		area_pieces(b, wc.wr_id, 10, b->src->seed, VT_SKEW + 100 * (i % 7), "what had room");
	}
	vt_poll_none(ibv_cq_ex_to_cq(small), 1, "what had no room");
	/* The bytes of the others lie in chunks that are free again. */
	vt_buf_fill(b->dst, 0, b->dst->size);
	whole(b, other, 20, 4 * AREA_CHUNK);
}

/* A peer that does not wait is told so; others go on. */
static void gives_up(const void *wire)
{
	struct area_bench *b = area_bench_new(wire, VT_HEAP, 4, 4 * AREA_CHUNK);
	struct vt_opts o = VT_OPTS;
	struct vt_pair *p, *other = pair(b, o);
	struct ibv_wc wc;

	o.rnr_retry = 0;
	p = pair(b, o);
	post(b, p, 1, 0, 4 * AREA_CHUNK);
	take(b, 0, 4 * AREA_CHUNK, "the first");
	sent(b, 1);
	post(b, p, 2, 0, 10);
	vt_poll(b->scq, &wc, "without chunks");
	CHECK_EQ(wc.status, IBV_WC_RNR_RETRY_EXC_ERR, "status without chunks");
	vt_expect_state(&p->a, IBV_QPS_ERR, "of the requester");
	/* Over TCP the message has arrived all the same, and would land now. */
	CHECK_ERRNO(vt_ep_to_state(&p->b, IBV_QPS_ERR), 0, "to ERR");
	whole(b, other, 4, 4 * AREA_CHUNK);
}

static void too_long(const void *wire)
{
	struct area_bench *b = area_bench_new(wire, VT_HEAP, 16, 2 * AREA_CHUNK);
	struct vt_opts o = VT_OPTS;
	struct vt_pair *p, *other;
	struct ibv_wc wc;

	o.mtu = IBV_MTU_1024;
	p = pair(b, o);
	other = pair(b, o);
	post(b, p, 1, 0, 2 * AREA_CHUNK + 1);
	vt_poll(b->scq, &wc, "a message that is too long");
	CHECK_EQ(wc.status, IBV_WC_REM_INV_REQ_ERR, "status of the requester");
	vt_poll(b->rcq, &wc, "its receive");
	CHECK_EQ(wc.status, IBV_WC_LOC_LEN_ERR, "status of the receive");
	CHECK_EQ(wc.wr_id, BERTHDV_NO_TOKEN, "wr_id of a receive that failed");
	vt_expect_state(&p->b, IBV_QPS_ERR, "of the responder");
	/* What had landed of it is nobody's. */
	vt_buf_fill(b->dst, 0, b->dst->size);
	whole(b, other, 16, 2 * AREA_CHUNK);
}

static void deregistered(const void *wire)
{
	struct area_bench *b = area_bench_new(wire, VT_HEAP, 16, 2 * AREA_CHUNK);
	struct vt_pair *p = pair(b, VT_OPTS);
	struct ibv_wc wc;

	vt_buf_dereg(b->dst);
	post(b, p, 1, 0, 100);
	vt_poll(b->scq, &wc, "a message into a region that has gone");
	CHECK_EQ(wc.status, IBV_WC_REM_OP_ERR, "status of the requester");
	vt_poll(b->rcq, &wc, "its receive");
	CHECK_EQ(wc.status, IBV_WC_LOC_PROT_ERR, "status of the receive");
	vt_buf_check(b->dst, 0, b->dst->size, "a region that has gone");
}

/* ---- tokens ---- */

static void tokens(const void *wire)
{
	static const uint32_t nonsense[] = { BERTHDV_NO_TOKEN, 16, 17, 1U << 31, 1000000 };
	struct area_bench *b = area_bench_new(wire, VT_HEAP, 16, AREA_CHUNK);
	struct vt_pair *p = pair(b, VT_OPTS);
	uint32_t mine[2], i;

	/* All are lent, and a message waits, so that the kernel looks at what is returned. */
	for (i = 0; i < 17; i++)
		post(b, p, i, i, 1 + i);
	for (i = 0; i < 16; i++)
		take(b, i, 1 + i, "one that there is a chunk for");
	berthdv_area_return(b->area, nonsense, 5);
	vt_poll_none(b->rcq, 100, "no chunk was returned");
	CHECK_EQ(berthdv_area_refused(b->area), 5, "tokens that were refused");
	/* The second time it is free. */
	mine[0] = mine[1] = b->token[3];
	b->token[3] = b->token[--b->tokens];
	berthdv_area_return(b->area, mine, 2);
	take(b, 16, 17, "with the chunk that came back");
	CHECK_EQ(b->token[b->tokens - 1], mine[0], "the only chunk");
	CHECK_EQ(berthdv_area_refused(b->area), 6, "tokens that were refused");
	for (i = 0; i < 17; i++)
		sent(b, i);
	/* More than there are: the ring has no room for them. What they were does not count. */
	for (i = 0; i < 40; i++)
		berthdv_area_return(b->area, mine, 1);
	post(b, p, 1, 5, 6);
	vt_poll_none(b->rcq, 100, "what was returned is not known");
	CHECK_EQ(berthdv_area_refused(b->area), 7, "tokens that were refused");
	area_return(b);
	take(b, 5, 6, "once they were returned properly");
	sent(b, 1);
	whole(b, p, 16, AREA_CHUNK);
	CHECK_EQ(berthdv_area_refused(b->area), 7, "tokens that were refused");
}

/* ---- what ends in the middle ---- */

static void reset(const void *wire)
{
	struct area_bench *b = area_bench_new(wire, VT_HEAP, 64, MESSAGE);
	struct vt_opts o = VT_OPTS;
	struct ibv_wc wc;
	struct vt_pair *p;
	uint64_t state = 3;

	o.mtu = IBV_MTU_1024;
	p = pair(b, o);
	for (int round = 0; round < 30; round++) {
		for (uint64_t i = 0; i < 8; i++)
			post(b, p, i, 0, MESSAGE);
		vt_sleep_ms(vt_rand(&state) % 5);
		if (round % 2)
			CHECK_ERRNO(vt_ep_to_state(&p->b, IBV_QPS_ERR), 0, "to ERR");
		vt_pair_reset(p);
		/* What has arrived is the program's all the same. */
		while (ibv_poll_cq(b->rcq, 1, &wc) == 1) {
			struct berthdv_piece piece;
			uint32_t token = wc.wr_id;

			if (wc.status != IBV_WC_SUCCESS)
				continue;
			while (berthdv_area_piece(b->area, &token, &piece))
				keep(b, piece.token);
		}
		while (ibv_poll_cq(b->scq, 1, &wc) == 1)
			;
		area_return(b);
	}
	vt_buf_fill(b->dst, 0, b->dst->size);
	whole(b, p, 64, MESSAGE);
}

/* Receives and keeps what it gets, until it is killed. */
static void hoard(struct vt_buf *buf)
{
	struct area_bench *b = bench_over(vt_cfg.peer, buf, MESSAGE);
	struct vt_pair *p = pair(b, VT_OPTS);
	struct ibv_wc wc;

	for (;;) {
		vt_send(&p->a, 1, IBV_WR_SEND, vt_sge(b->src, 0, MESSAGE), NULL, 0, IBV_SEND_SIGNALED);
		while (ibv_poll_cq(b->rcq, 1, &wc) == 1)
			;
		while (ibv_poll_cq(b->scq, 1, &wc) == 1)
			;
	}
}

static void killed(const void *unused __attribute__((unused)))
{
	struct vt_buf *buf = vt_buf_alloc(VT_HEAP, bytes_of(64));
	struct vt_dev *dev = vt_open(vt_cfg.dev);
	uint64_t state = 17;

	for (int round = 0; round < 8; round++) {
		struct berthdv_area *area;
		struct ibv_mr *mr;
		pid_t pid = fork();

		CHECK(pid >= 0, "fork: %s", strerror(errno));
		if (!pid)
			hoard(buf);
		vt_sleep_ms(50 * vt_cfg.slow + vt_rand(&state) % 50);
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		/* Every byte of it can be had again. */
		mr = vt_buf_try_reg(buf, dev->pd, VT_ACCESS_ALL);
		CHECK(mr, "ibv_reg_dmabuf_mr: %s", strerror(errno));
		area = area_try(mr, AREA_CHUNK, MESSAGE);
		CHECK(area, "an area after the process was killed: %s", strerror(errno));
		CHECK_ERRNO(berthdv_destroy_area(area), 0, "berthdv_destroy_area");
		CHECK_ERRNO(ibv_dereg_mr(mr), 0, "ibv_dereg_mr");
	}
}

/* ---- a thousand QPs, memory for 128 messages ---- */

#define MANY	1000
#define ROOM	128

static uint32_t index_of(const uint32_t *qpn, uint32_t want)
{
	for (uint32_t i = 0; i < MANY; i++)
		if (qpn[i] == want)
			return i;
	vt_fail(__FILE__, __LINE__, "completion of QP %#x, which is none of ours", want);
}

/* One message for each pair, @window of them under way. */
static void round_of(struct area_bench *b, struct vt_pair **p, const uint32_t *qpn, uint32_t count, uint32_t window)
{
	uint32_t posted = 0, i, n;
	struct ibv_wc wc;

	for (n = 0; n < count; n++) {
		for (; posted < count && posted - n < window; posted++)
			post(b, p[posted], posted, 16 * posted, MESSAGE);
		vt_poll(b->rcq, &wc, "a message of many");
		CHECK(wc.status == IBV_WC_SUCCESS, "a message of many: %s", ibv_wc_status_str(wc.status));
		i = index_of(qpn, wc.qp_num);
		CHECK_EQ(wc.byte_len, MESSAGE, "byte_len");
		area_pieces(b, wc.wr_id, MESSAGE, b->src->seed, VT_SKEW + 16 * i, "a message of many");
		area_return(b);
	}
	for (n = 0; n < count; n++) {
		vt_poll(b->scq, &wc, "SEND");
		CHECK(wc.status == IBV_WC_SUCCESS, "SEND: %s", ibv_wc_status_str(wc.status));
	}
}

static void many(const void *wire)
{
	const uint32_t count = vt_cfg.slow > 2 ? MANY / 5 : MANY;
	struct area_bench *b = area_bench_new(wire, VT_HEAP, ROOM * PIECES, MESSAGE);
	struct vt_pair **p = vt_zalloc(MANY * sizeof(*p));
	uint32_t *qpn = vt_zalloc(MANY * sizeof(*qpn));
	struct vt_opts o = VT_OPTS;

	o.send_wr = 2;
	o.recv_wr = 1;
	o.min_rnr_timer = 20;	/* 10 ms */
	for (uint32_t i = 0; i < count; i++) {
		p[i] = pair(b, o);
		qpn[i] = p[i]->b.qp->qp_num;
	}
	round_of(b, p, qpn, count, ROOM - 8);
	/* More than there is room for at once. */
	round_of(b, p, qpn, ROOM + ROOM / 4, MANY);
	whole(b, p[0], ROOM * PIECES, MESSAGE);
}

static void add(const char *name, vt_fn fn, unsigned int seconds)
{
	char full[64];

	snprintf(full, sizeof(full), "area/%s/local", name);
	vt_add(full, fn, NULL, seconds);
	if (!vt_cfg.peer)
		return;
	snprintf(full, sizeof(full), "area/%s/wire", name);
	vt_add(full, fn, "wire", seconds);
}

static void add_cases(void)
{
	static const enum vt_mem mems[] = { VT_HEAP, VT_UDMABUF, VT_BAR, VT_MOVE };
	static struct data_arg args[8];

	for (int i = 0; i < 8; i++) {
		char name[64];

		args[i] = (struct data_arg){ mems[i / 2], i % 2 };
		if (args[i].wire && !vt_cfg.peer)
			continue;
		snprintf(name, sizeof(name), "area/data/%s/%s", i % 2 ? "wire" : "local", vt_mem_name[mems[i / 2]]);
		vt_add(name, data, &args[i], 30);
	}
	add("immediate", immediate, 0);
	add("own", own, 0);
	add("exhausted", exhausted, 0);
	add("overrun", overrun, 0);
	add("gives_up", gives_up, 0);
	add("too_long", too_long, 0);
	add("deregistered", deregistered, 0);
	add("tokens", tokens, 0);
	add("reset", reset, 60);
	vt_add("area/killed", killed, NULL, 60);
	add("many", many, 120);
	area_add_refused();
	area_add_stream();
}

int main(int argc, char **argv)
{
	return vt_main(argc, argv, add_cases);
}
