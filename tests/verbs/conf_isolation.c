// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * conformance: what happens to one connection is nothing to another. Some pairs share two CQs, a PD
 * and their regions and exchange checked messages, while beside them, on the same CQs, a pair fails in
 * each way that there is.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "conformance.h"
#include "vtest.h"

#define PAIRS		4
#define OPS		8
#define SLOT		1200
#define LEN		1000
#define SIZE		40000
#define BAD		(1ULL << 32)	/* in the wr_id of everything that the bad pair posts */

struct stage {
	struct vt_dev *da, *db;
	struct ibv_cq *ca, *cb;
	struct vt_pair *good[PAIRS];
	struct vt_buf *src, *dst;
	struct vt_buf *bsrc, *bdst;	/* of the bad pair */
	struct vt_pair *bad;
	unsigned int late;		/* completions of bad pairs so far that tell an error */
};

struct way {
	const char *name;
	void (*prepare)(struct vt_opts *o);
	void (*fail)(struct stage *s);
	unsigned int seconds;
};

struct arg {
	const struct way *way;
	bool wire;
};

static struct ibv_sge bad_sge(struct stage *s)
{
	return vt_sge(s->bsrc, 0, 3000);
}

static void post(struct stage *s, enum ibv_wr_opcode op, struct ibv_sge sge, uint32_t rkey)
{
	CHECK_ERRNO(vt_rdma(&s->bad->a, BAD, op, sge, s->bdst->iova, rkey), 0, "post_send of the bad pair");
}

static void bad_rkey_write(struct stage *s)
{
	post(s, IBV_WR_RDMA_WRITE, bad_sge(s), s->bdst->mr->rkey ^ 0x700);
}

static void bad_rkey_read(struct stage *s)
{
	post(s, IBV_WR_RDMA_READ, bad_sge(s), s->bdst->mr->rkey ^ 0x700);
}

static void bad_lkey(struct stage *s)
{
	struct ibv_sge sge = bad_sge(s);

	sge.lkey ^= 0x700;
	post(s, IBV_WR_RDMA_WRITE, sge, s->bdst->mr->rkey);
}

static void outside(struct stage *s)
{
	CHECK_ERRNO(vt_rdma(&s->bad->a, BAD, IBV_WR_RDMA_WRITE, bad_sge(s), s->bdst->iova + SIZE - 100,
			    s->bdst->mr->rkey), 0, "post_send of the bad pair");
}

static void small_receive(struct stage *s)
{
	CHECK_ERRNO(vt_recv(&s->bad->b, BAD, vt_sge(s->bdst, 0, 16)), 0, "post_recv of the bad pair");
	post(s, IBV_WR_SEND, bad_sge(s), 0);
}

static void receive_lkey(struct stage *s)
{
	struct ibv_sge sge = vt_sge(s->bdst, 0, 4000);

	sge.lkey ^= 0x700;
	CHECK_ERRNO(vt_recv(&s->bad->b, BAD, sge), 0, "post_recv of the bad pair");
	post(s, IBV_WR_SEND, bad_sge(s), 0);
}

static void no_rnr_retry(struct vt_opts *o)
{
	o->rnr_retry = 0;
}

static void not_ready(struct stage *s)
{
	post(s, IBV_WR_SEND, bad_sge(s), 0);
}

static void short_timeout(struct vt_opts *o)
{
	o->retry = 1;
	o->timeout = 10;
}

static void peer_silent(struct stage *s)
{
	CHECK_ERRNO(vt_ep_to_state(&s->bad->b, IBV_QPS_RESET), 0, "peer to RESET");
	post(s, IBV_WR_RDMA_WRITE, bad_sge(s), s->bdst->mr->rkey);
}

static void error_midway(struct stage *s)
{
	for (int i = 0; i < 20; i++)
		post(s, IBV_WR_RDMA_WRITE, vt_sge(s->bsrc, 0, SIZE), s->bdst->mr->rkey);
	CHECK_ERRNO(vt_recv(&s->bad->a, BAD, bad_sge(s)), 0, "post_recv");
	CHECK_ERRNO(vt_ep_to_state(&s->bad->a, IBV_QPS_ERR), 0, "to ERR");
}

static void dereg_midway(struct stage *s)
{
	for (int i = 0; i < 20; i++)
		post(s, IBV_WR_RDMA_WRITE, vt_sge(s->bsrc, 0, SIZE), s->bdst->mr->rkey);
	vt_buf_dereg(s->bdst);
	post(s, IBV_WR_RDMA_WRITE, bad_sge(s), 1);
}

static void destroy_midway(struct stage *s)
{
	for (int i = 0; i < 20; i++)
		post(s, IBV_WR_RDMA_WRITE, vt_sge(s->bsrc, 0, SIZE), s->bdst->mr->rkey);
	vt_ep_destroy_qp(&s->bad->b);
	vt_ep_destroy_qp(&s->bad->a);
}

static const struct way ways[] = {
	{ "rkey_write", NULL, bad_rkey_write, 0 }, { "rkey_read", NULL, bad_rkey_read, 0 },
	{ "lkey", NULL, bad_lkey, 0 }, { "outside", NULL, outside, 0 },
	{ "small_receive", NULL, small_receive, 0 }, { "receive_lkey", NULL, receive_lkey, 0 },
	{ "not_ready", no_rnr_retry, not_ready, 0 }, { "peer_silent", short_timeout, peer_silent, 0 },
	{ "error_midway", NULL, error_midway, 0 }, { "dereg_midway", NULL, dereg_midway, 0 },
	{ "destroy_midway", NULL, destroy_midway, 0 },
};

static size_t slot(unsigned int pair, unsigned int op)
{
	return (size_t)(pair * OPS + op) * SLOT;
}

static size_t source(unsigned int pair, unsigned int op)
{
	return (size_t)(pair * OPS + op) * 37;
}

/* Odd operations are SENDs, whose receive is in the slot; the others WRITEs to it. */
static void post_good(struct stage *s, unsigned int from, unsigned int to)
{
	for (unsigned int p = 0; p < PAIRS; p++)
		for (unsigned int i = from; i < to; i++) {
			struct vt_pair *g = s->good[p];
			struct ibv_sge sge = vt_sge(s->src, source(p, i), LEN);

			if (i & 1)
				CHECK_ERRNO(vt_recv(&g->b, i, vt_sge(s->dst, slot(p, i), LEN)), 0, "post_recv");
			CHECK_ERRNO(vt_send(&g->a, i, i & 1 ? IBV_WR_SEND : IBV_WR_RDMA_WRITE, sge, s->dst,
					    slot(p, i), IBV_SEND_SIGNALED), 0, "post_send");
		}
}

static int pair_of(struct stage *s, uint32_t qpn, bool b)
{
	for (int p = 0; p < PAIRS; p++)
		if ((b ? &s->good[p]->b : &s->good[p]->a)->qp->qp_num == qpn)
			return p;
	return -1;
}

/* @left completions of good pairs have to come, each pair's in order; those of the bad pair may. */
static void poll_good(struct stage *s, struct ibv_cq *cq, bool b, unsigned int left)
{
	unsigned int next[PAIRS];
	struct ibv_wc wc;

	for (int p = 0; p < PAIRS; p++)
		next[p] = b;	/* receives are of the odd ones only */
	while (left) {
		int p;

		vt_poll(cq, &wc, "good pairs beside a bad one");
		if (wc.wr_id & BAD) {
			s->late += wc.status != IBV_WC_SUCCESS;
			continue;
		}
		p = pair_of(s, wc.qp_num, b);
		CHECK(p >= 0, "a completion of QP %#x, which is none of ours", wc.qp_num);
		CHECK_EQ(wc.status, IBV_WC_SUCCESS, "status of a good pair");
		CHECK_EQ(wc.wr_id, next[p], "order of a good pair");
		next[p] += b ? 2 : 1;
		left--;
	}
}

static void check_bytes(struct stage *s)
{
	for (unsigned int p = 0; p < PAIRS; p++)
		for (unsigned int i = 0; i < OPS; i++) {
			vt_buf_expect_copy(s->dst, slot(p, i), LEN, s->src, source(p, i), "good pair");
			vt_buf_check(s->dst, slot(p, i) + LEN, SLOT - LEN, "between messages of good pairs");
			vt_buf_fill(s->dst, slot(p, i), LEN);
		}
}

static void failed_at_last(struct stage *s)
{
	uint64_t end = vt_now_ms() + 5000 * vt_cfg.slow;
	struct ibv_wc wc;

	while (!s->late && vt_now_ms() < end) {
		if (!vt_poll_for(s->ca, &wc, 10))
			continue;
		CHECK(wc.wr_id & BAD, "a completion of a good pair too many");
		s->late += wc.status != IBV_WC_SUCCESS;
	}
	CHECK(s->late, "the bad pair did not fail: nothing was tested");
}

static void isolation(const void *ptr)
{
	const struct arg *arg = ptr;
	struct stage s = { .da = vt_open(vt_cfg.dev) };
	struct vt_opts o = VT_OPTS, bad;

	s.db = arg->wire ? vt_open(vt_cfg.peer) : s.da;
	o.cq[0] = s.ca = vt_cq_new(s.da, 4000, NULL);
	o.cq[1] = s.cb = vt_cq_new(s.db, 4000, NULL);
	s.src = vt_buf_new(s.da, VT_HOST, SIZE, VT_ACCESS_ALL);
	s.dst = vt_buf_new(s.db, VT_HOST, SIZE, VT_ACCESS_ALL);
	for (int p = 0; p < PAIRS; p++)
		s.good[p] = vt_pair_new(s.da, s.db, &o);
	bad = o;
	if (arg->way->prepare)
		arg->way->prepare(&bad);
	for (int round = 0; round < 3; round++) {
		s.late = 0;
		s.bsrc = vt_buf_new(s.da, VT_HOST, SIZE, VT_ACCESS_ALL);
		s.bdst = vt_buf_new(s.db, VT_HOST, SIZE, VT_ACCESS_ALL);
		s.bad = vt_pair_new(s.da, s.db, &bad);
		post_good(&s, 0, OPS / 2);
		arg->way->fail(&s);
		post_good(&s, OPS / 2, OPS);
		poll_good(&s, s.ca, false, PAIRS * OPS);
		poll_good(&s, s.cb, true, PAIRS * OPS / 2);
		check_bytes(&s);
		if (arg->way->fail != destroy_midway)
			failed_at_last(&s);
		/* What the bad pair may have written is not looked at. */
		vt_buf_fill(s.bsrc, 0, SIZE);
		vt_buf_fill(s.bdst, 0, SIZE);
	}
}

void conf_add_isolation(void)
{
	static struct arg args[2 * sizeof(ways) / sizeof(ways[0])];
	struct arg *a = args;
	char name[80];

	for (int wire = 0; wire <= !!vt_cfg.peer; wire++)
		for (size_t w = 0; w < sizeof(ways) / sizeof(ways[0]); w++, a++) {
			*a = (struct arg){ &ways[w], wire };
			snprintf(name, sizeof(name), "isolation/%s/%s", ways[w].name, wire ? "wire" : "local");
			vt_add(name, isolation, a, ways[w].seconds);
		}
}
