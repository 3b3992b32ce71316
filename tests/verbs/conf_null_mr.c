// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * conformance: null memory. In a list it reads as zeroes and what is written to it is gone; the pieces
 * around it are where they would be. Peers cannot name it.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conformance.h"
#include "vtest.h"

#define SIZE	65536
#define GAP	9001	/* bytes of null memory: more than two packets */
#define HEAD	333
#define TAIL	777
#define ALL	(HEAD + GAP + TAIL)
#define RIGHTS	(VT_ACCESS_ALL | IBV_ACCESS_REMOTE_ATOMIC)

struct arg {
	bool wire;
	enum vt_mem mem;
};

struct bench {
	struct vt_dev *da, *db;
	struct vt_pair *p;
	struct vt_buf *a, *b;
	struct ibv_mr *na, *nb;
};

static int dereg(void *mr)
{
	return ibv_dereg_mr(mr);
}

static struct ibv_mr *null_mr(struct ibv_pd *pd)
{
	struct ibv_mr *mr = ibv_alloc_null_mr(pd);

	CHECK(mr, "ibv_alloc_null_mr: %s", strerror(errno));
	vt_defer(dereg, mr, "ibv_dereg_mr");
	return mr;
}

static struct bench bench(const struct arg *t)
{
	struct vt_opts o = VT_OPTS;
	struct bench b = { .da = vt_open(vt_cfg.dev) };

	if (!vt_mem_probe(t->mem))
		vt_skip("no %s on this machine", vt_mem_name[t->mem]);
	o.qp_access = RIGHTS;
	b.db = t->wire ? vt_open(vt_cfg.peer) : b.da;
	b.a = vt_buf_new(b.da, t->mem, SIZE, RIGHTS);
	b.b = vt_buf_new(b.db, t->mem, SIZE, RIGHTS);
	b.na = null_mr(b.da->pd);
	b.nb = null_mr(b.db->pd);
	b.p = vt_pair_new(b.da, b.db, &o);
	return b;
}

/* A piece of null memory; the address is of no account. */
static struct ibv_sge nothing(const struct ibv_mr *mr, uint32_t len)
{
	return (struct ibv_sge){ .addr = -5ULL, .length = len, .lkey = mr->lkey };
}

static void with_gap(struct ibv_sge *sge, const struct vt_buf *buf, const struct ibv_mr *null)
{
	sge[0] = vt_sge(buf, 100, HEAD);
	sge[1] = nothing(null, GAP);
	sge[2] = vt_sge(buf, 5000, TAIL);
}

static void post(struct bench *b, enum ibv_wr_opcode op, struct ibv_sge *sge, int n, size_t roff)
{
	struct ibv_send_wr wr = {
		.wr_id = 1, .sg_list = sge, .num_sge = n, .opcode = op, .send_flags = IBV_SEND_SIGNALED,
		.wr.rdma = { .remote_addr = b->b->iova + roff, .rkey = b->b->mr->rkey },
	};
	struct ibv_send_wr *bad;

	if (op == IBV_WR_ATOMIC_FETCH_AND_ADD) {
		wr.wr.atomic.remote_addr = b->b->iova + roff;
		wr.wr.atomic.compare_add = 3;
		wr.wr.atomic.rkey = b->b->mr->rkey;
	}
	CHECK_ERRNO(ibv_post_send(b->p->a.qp, &wr, &bad), 0, "ibv_post_send");
}

static void done(struct bench *b, const char *what)
{
	vt_expect_wc(&b->p->a, b->p->a.scq, 1, IBV_WC_SUCCESS, what, NULL);
}

static void zeroes(const struct vt_buf *buf, size_t off, size_t len, const char *what)
{
	for (size_t i = 0; i < len; i++)
		CHECK(!buf->ptr[off + i], "%s: byte %zu of the gap is %#x", what, i, buf->ptr[off + i]);
}

/* What a list with a gap leaves at the other end. */
static void arrived(struct bench *b, size_t at, const char *what)
{
	vt_buf_expect_copy(b->b, at, HEAD, b->a, 100, what);
	zeroes(b->b, at + HEAD, GAP, what);
	vt_buf_expect_copy(b->b, at + HEAD + GAP, TAIL, b->a, 5000, what);
	vt_buf_fill(b->b, at, ALL);
	vt_buf_check(b->b, 0, SIZE, what);
	vt_buf_check(b->a, 0, SIZE, what);
}

static void reads(const void *arg)
{
	struct bench b = bench(arg);
	struct ibv_sge sge[3];

	with_gap(sge, b.a, b.na);
	post(&b, IBV_WR_RDMA_WRITE, sge, 3, 20000);
	done(&b, "WRITE from a list with a gap");
	arrived(&b, 20000, "WRITE from a list with a gap");

	CHECK_ERRNO(vt_recv(&b.p->b, 2, vt_sge(b.b, 30000, ALL)), 0, "ibv_post_recv");
	post(&b, IBV_WR_SEND, sge, 3, 0);
	done(&b, "SEND from a list with a gap");
	vt_expect_wc(&b.p->b, b.p->b.rcq, 2, IBV_WC_SUCCESS, "receive", NULL);
	arrived(&b, 30000, "SEND from a list with a gap");

	memset(b.b->ptr + 5, 0xff, 8);
	sge[0] = nothing(b.na, 8);
	post(&b, IBV_WR_ATOMIC_WRITE, sge, 1, 5);
	done(&b, "ATOMIC WRITE of null memory");
	zeroes(b.b, 5, 8, "ATOMIC WRITE of null memory");
	vt_buf_fill(b.b, 5, 8);
}

static void writes(const void *arg)
{
	struct bench b = bench(arg);
	struct ibv_sge sge[3];
	struct ibv_recv_wr wr = { .wr_id = 2, .sg_list = sge, .num_sge = 3 }, *bad;
	uint64_t word = 40;

	/* READ */
	with_gap(sge, b.a, b.na);
	post(&b, IBV_WR_RDMA_READ, sge, 3, 20000);
	done(&b, "READ into a list with a gap");
	vt_buf_expect_copy(b.a, 100, HEAD, b.b, 20000, "in front of the gap");
	vt_buf_expect_copy(b.a, 5000, TAIL, b.b, 20000 + HEAD + GAP, "behind the gap");
	vt_buf_fill(b.a, 100, HEAD);
	vt_buf_fill(b.a, 5000, TAIL);
	vt_buf_check(b.a, 0, SIZE, "READ into a list with a gap");

	/* A receive */
	with_gap(sge, b.b, b.nb);
	CHECK_ERRNO(ibv_post_recv(b.p->b.qp, &wr, &bad), 0, "ibv_post_recv");
	sge[0] = vt_sge(b.a, 40000, ALL);
	post(&b, IBV_WR_SEND, sge, 1, 0);
	done(&b, "SEND to a list with a gap");
	vt_expect_wc(&b.p->b, b.p->b.rcq, 2, IBV_WC_SUCCESS, "receive", NULL);
	vt_buf_expect_copy(b.b, 100, HEAD, b.a, 40000, "in front of the gap");
	vt_buf_expect_copy(b.b, 5000, TAIL, b.a, 40000 + HEAD + GAP, "behind the gap");
	vt_buf_fill(b.b, 100, HEAD);
	vt_buf_fill(b.b, 5000, TAIL);
	vt_buf_check(b.b, 0, SIZE, "SEND to a list with a gap");

	/* An atomic whose value nobody wants */
	memcpy(b.b->ptr + 5, &word, 8);
	sge[0] = nothing(b.na, 8);
	post(&b, IBV_WR_ATOMIC_FETCH_AND_ADD, sge, 1, 5);
	done(&b, "atomic into null memory");
	memcpy(&word, b.b->ptr + 5, 8);
	CHECK_EQ(word, 43, "word");
	vt_buf_fill(b.b, 5, 8);
}

/* Nothing but null memory at both ends of a long message. */
static void alone(const void *arg)
{
	struct bench b = bench(arg);
	struct ibv_sge sge = nothing(b.na, 1 << 20);

	CHECK_ERRNO(vt_recv(&b.p->b, 2, nothing(b.nb, 1 << 20)), 0, "ibv_post_recv");
	post(&b, IBV_WR_SEND, &sge, 1, 0);
	done(&b, "SEND from null memory");
	vt_expect_wc(&b.p->b, b.p->b.rcq, 2, IBV_WC_SUCCESS, "receive", NULL);
	vt_buf_check(b.a, 0, SIZE, "the sender's buffer");
	vt_buf_check(b.b, 0, SIZE, "the receiver's buffer");
}

/* A peer that names the key is refused, whatever it wants to do. */
static void remote(const void *arg)
{
	static const enum ibv_wr_opcode ops[] = {
		IBV_WR_RDMA_WRITE, IBV_WR_RDMA_READ, IBV_WR_ATOMIC_FETCH_AND_ADD, IBV_WR_ATOMIC_WRITE,
	};
	struct bench b = bench(arg);

	CHECK_EQ(b.nb->rkey, 0, "a null region has no rkey");
	for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
		struct ibv_sge sge = vt_sge(b.a, 0, 8);
		struct ibv_send_wr wr = {
			.wr_id = 1, .sg_list = &sge, .num_sge = 1, .opcode = ops[i],
			.send_flags = IBV_SEND_SIGNALED,
		};
		struct ibv_send_wr *bad;

		if (ops[i] == IBV_WR_ATOMIC_FETCH_AND_ADD)
			wr.wr.atomic.rkey = b.nb->lkey;
		else
			wr.wr.rdma.rkey = b.nb->lkey;
		CHECK_ERRNO(ibv_post_send(b.p->a.qp, &wr, &bad), 0, "ibv_post_send");
		vt_expect_wc(&b.p->a, b.p->a.scq, 1, IBV_WC_REM_ACCESS_ERR, "the key as an rkey", NULL);
		vt_pair_reset(b.p);
	}
	vt_buf_check(b.a, 0, SIZE, "the requester's buffer");
}

static void add(const char *name, vt_fn fn, enum vt_mem mem)
{
	for (int wire = 0; wire <= !!vt_cfg.peer; wire++) {
		struct arg *arg = malloc(sizeof(*arg));
		char full[96];

		if (!arg)
			exit(2);
		*arg = (struct arg){ wire, mem };
		snprintf(full, sizeof(full), "null_mr/%s/%s/%s", name, wire ? "wire" : "local",
			 vt_mem_name[mem]);
		vt_add(full, fn, arg, 0);
	}
}

void conf_add_null_mr(void)
{
	for (int mem = VT_HOST; mem <= VT_BAR; mem++) {
		add("reads", reads, (enum vt_mem)mem);
		add("writes", writes, (enum vt_mem)mem);
	}
	add("alone", alone, VT_HOST);
	add("remote", remote, VT_HOST);
}
