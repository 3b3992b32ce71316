// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * rc_atomic: compare and swap, fetch and add: what they do, in every kind of memory; that each is done
 * once, whatever the wire loses or doubles; that they are atomic against each other, other
 * connections and the processor; and what is refused (InfiniBand Architecture 1.x, 9.4.5 and 9.7.4).
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vtest.h"

#define SIZE		16384
#define ACCESS		(VT_ACCESS_ALL | IBV_ACCESS_REMOTE_ATOMIC)
#define WORD		5	/* the registered part begins at 0x123: 8-byte words at 5, 13, ... */
#define DEPTH		16
#define MANY		1000

struct arg {
	bool wire;
	enum vt_mem mem;
	enum ibv_wr_opcode op;
	size_t row;
};

struct bench {
	struct vt_dev *da, *db;
	struct vt_pair *p;
	struct vt_buf *own;	/* the requester's: receives values */
	struct vt_buf *word;	/* the responder's */
};

/* An operation: all that a work request says. */
struct op {
	enum ibv_wr_opcode op;
	uint64_t raddr;
	uint32_t rkey;
	uint64_t compare_add;
	uint64_t swap;
	unsigned int flags;
};

static struct vt_opts opts(void)
{
	struct vt_opts o = VT_OPTS;

	o.qp_access = ACCESS;
	return o;
}

static struct bench bench(const struct arg *t, const struct vt_opts *o, int access)
{
	struct bench b;

	if (!vt_mem_probe(t->mem))
		vt_skip("no %s on this machine", vt_mem_name[t->mem]);
	b.da = vt_open(vt_cfg.dev);
	b.db = t->wire ? vt_open(vt_cfg.peer) : b.da;
	b.own = vt_buf_new(b.da, t->mem, SIZE, ACCESS);
	b.word = vt_buf_new(b.db, t->mem, SIZE, access);
	b.p = vt_pair_new(b.da, b.db, o);
	return b;
}

static uint64_t peek(const struct vt_buf *buf, size_t off)
{
	uint64_t v;

	memcpy(&v, buf->ptr + off, sizeof(v));
	return v;
}

static void poke(struct vt_buf *buf, size_t off, uint64_t v)
{
	memcpy(buf->ptr + off, &v, sizeof(v));
}

static int post_list(struct vt_ep *ep, uint64_t wr_id, const struct op *x, struct ibv_sge *sge, int n)
{
	struct ibv_send_wr wr = {
		.wr_id = wr_id, .sg_list = sge, .num_sge = n, .opcode = x->op,
		.send_flags = IBV_SEND_SIGNALED | x->flags,
		.wr.atomic = { .remote_addr = x->raddr, .rkey = x->rkey,
			       .compare_add = x->compare_add, .swap = x->swap },
	};
	struct ibv_send_wr *bad;

	return ibv_post_send(ep->qp, &wr, &bad);
}

static int post(struct vt_ep *ep, uint64_t wr_id, const struct op *x, struct ibv_sge sge)
{
	return post_list(ep, wr_id, x, &sge, 1);
}

static struct op fadd(const struct vt_buf *word, size_t off, uint64_t add)
{
	return (struct op){ .op = IBV_WR_ATOMIC_FETCH_AND_ADD, .raddr = word->iova + off,
			    .rkey = word->mr->rkey, .compare_add = add };
}

static struct op cas(const struct vt_buf *word, size_t off, uint64_t compare, uint64_t swap)
{
	return (struct op){ .op = IBV_WR_ATOMIC_CMP_AND_SWP, .raddr = word->iova + off,
			    .rkey = word->mr->rkey, .compare_add = compare, .swap = swap };
}

/* One operation from beginning to end: value before, value after, nothing around either. */
static void once(struct bench *b, const struct op *x, uint64_t before, uint64_t after)
{
	struct ibv_wc wc;

	poke(b->word, WORD, before);
	CHECK_ERRNO(post(&b->p->a, 7, x, vt_sge(b->own, 100, 8)), 0, "ibv_post_send");
	vt_expect_wc(&b->p->a, b->p->a.scq, 7, IBV_WC_SUCCESS, "atomic", &wc);
	CHECK_EQ(wc.opcode, x->op == IBV_WR_ATOMIC_CMP_AND_SWP ? IBV_WC_COMP_SWAP : IBV_WC_FETCH_ADD,
		 "opcode of the completion");
	CHECK_EQ(wc.byte_len, 8, "byte_len");
	CHECK_EQ(peek(b->own, 100), before ^ (vt_cfg.flip ? 1 : 0), "value that came back");
	CHECK_EQ(peek(b->word, WORD), after, "value in memory");
	vt_buf_fill(b->own, 100, 8);
	vt_buf_fill(b->word, WORD, 8);
	vt_buf_check(b->own, 0, SIZE, "the requester's buffer");
	vt_buf_check(b->word, 0, SIZE, "the responder's buffer");
}

static void values(const void *arg)
{
	const struct arg *t = arg;
	struct vt_opts o = opts();
	struct bench b = bench(t, &o, ACCESS);
	struct op x;

	x = fadd(b.word, WORD, 1);
	once(&b, &x, 41, 42);
	once(&b, &x, UINT64_MAX, 0);
	x = fadd(b.word, WORD, 0x0102030405060708);
	once(&b, &x, 0x1000000000000000, 0x1102030405060708);
	x = fadd(b.word, WORD, -3ULL);
	once(&b, &x, 2, UINT64_MAX);
	x = cas(b.word, WORD, 0x1122334455667788, 0xa1a2a3a4a5a6a7a8);
	once(&b, &x, 0x1122334455667788, 0xa1a2a3a4a5a6a7a8);
	once(&b, &x, 0x1122334455667789, 0x1122334455667789);
	x = cas(b.word, WORD, 0, 0);
	once(&b, &x, 0, 0);
	once(&b, &x, 1, 1);
}

/* The value lands in a list; eight bytes of it in all. */
static void list(const void *arg)
{
	const struct arg *t = arg;
	struct vt_opts o = opts();
	struct bench b = bench(t, &o, ACCESS);
	struct op x = fadd(b.word, WORD, 5);
	struct ibv_sge sge[3] = { vt_sge(b.own, 10, 3), vt_sge(b.own, 50, 0), vt_sge(b.own, 60, 5) };
	uint64_t v = 0x8877665544332211, got;

	poke(b.word, WORD, v);
	CHECK_ERRNO(post_list(&b.p->a, 1, &x, sge, 3), 0, "ibv_post_send");
	vt_expect_wc(&b.p->a, b.p->a.scq, 1, IBV_WC_SUCCESS, "atomic into a list", NULL);
	memcpy(&got, b.own->ptr + 10, 3);
	memcpy((uint8_t *)&got + 3, b.own->ptr + 60, 5);
	CHECK_EQ(got, v, "value that came back");
	CHECK_EQ(peek(b.word, WORD), v + 5, "value in memory");
	vt_buf_fill(b.own, 10, 3);
	vt_buf_fill(b.own, 60, 5);
	vt_buf_fill(b.word, WORD, 8);
	vt_buf_check(b.own, 0, SIZE, "the requester's buffer");
}

/* A stream: the n-th finds n, so each was done once and in order. */
static void stream(const void *arg)
{
	const struct arg *t = arg;
	struct vt_opts o = opts();
	struct bench b = bench(t, &o, ACCESS);
	unsigned int sent = 0, done = 0;

	poke(b.word, WORD, 0);
	while (done < MANY) {
		for (; sent < MANY && sent - done < DEPTH; sent++) {
			struct op x = sent % 3 ? fadd(b.word, WORD, 1) :
						 cas(b.word, WORD, sent, sent + 1);

			CHECK_ERRNO(post(&b.p->a, sent, &x, vt_sge(b.own, sent % DEPTH * 8, 8)), 0,
				    "ibv_post_send");
		}
		vt_expect_wc(&b.p->a, b.p->a.scq, done, IBV_WC_SUCCESS, "one of a stream", NULL);
		CHECK_EQ(peek(b.own, done % DEPTH * 8), done, "value that came back");
		done++;
	}
	CHECK_EQ(peek(b.word, WORD), MANY, "value in memory");
	vt_buf_fill(b.word, WORD, 8);
	vt_buf_fill(b.own, 0, DEPTH * 8);
	vt_buf_check(b.word, 0, SIZE, "the responder's buffer");
}

/* Among READs and WRITEs, fenced: each finds what the requests before it have left. */
static void mixed(const void *arg)
{
	const struct arg *t = arg;
	struct vt_opts o = opts();
	struct bench b = bench(t, &o, ACCESS);
	struct vt_ep *a = &b.p->a;
	unsigned int i;

	poke(b.word, WORD, 0);
	for (i = 0; i < 100; i++) {
		struct op x = fadd(b.word, WORD, 1);

		x.flags = IBV_SEND_FENCE;
		CHECK_ERRNO(post(a, 3 * i, &x, vt_sge(b.own, 0, 8)), 0, "ibv_post_send");
		CHECK_ERRNO(vt_send(a, 3 * i + 1, IBV_WR_RDMA_READ, vt_sge(b.own, 8, 8), b.word,
				    WORD, IBV_SEND_SIGNALED), 0, "ibv_post_send");
		CHECK_ERRNO(vt_send(a, 3 * i + 2, IBV_WR_RDMA_WRITE, vt_sge(b.own, 3000, 9000), b.word,
				    3000, IBV_SEND_SIGNALED), 0, "ibv_post_send");
		if (i % 8 != 7)
			continue;
		for (unsigned int k = 3 * (i - 7); k < 3 * (i + 1); k++)
			vt_expect_wc(a, a->scq, k, IBV_WC_SUCCESS, "one of many", NULL);
		CHECK_EQ(peek(b.own, 0), i, "value of the atomic");
		CHECK_EQ(peek(b.own, 8), i + 1, "value of the READ behind it");
	}
	for (unsigned int k = 3 * (i - i % 8); k < 3 * i; k++)
		vt_expect_wc(a, a->scq, k, IBV_WC_SUCCESS, "one of many", NULL);
	CHECK_EQ(peek(b.word, WORD), 100, "value in memory");
	vt_buf_fill(b.word, WORD, 8);
	vt_buf_expect_copy(b.word, 3000, 9000, b.own, 3000, "WRITE among atomics");
	vt_buf_fill(b.word, 3000, 9000);
	vt_buf_fill(b.own, 0, 16);
}

/* Two connections add to one word at a time, one by each path; every value is found once. */
static void crowd(const void *arg)
{
	const struct arg *t = arg;
	struct vt_opts o = opts();
	struct bench b = bench(t, &o, ACCESS);
	struct vt_pair *p[2] = { b.p, vt_pair_new(b.db, b.db, &o) };
	struct vt_buf *own[2] = { b.own, vt_buf_new(b.db, t->mem, SIZE, ACCESS) };
	uint8_t *seen = vt_zalloc(2 * MANY);
	struct op x = fadd(b.word, WORD, 1);
	unsigned int sent[2] = { 0 }, done[2] = { 0 };

	poke(b.word, WORD, 0);
	while (done[0] < MANY || done[1] < MANY) {
		for (int k = 0; k < 2; k++) {
			struct ibv_wc wc;

			for (; sent[k] < MANY && sent[k] - done[k] < DEPTH; sent[k]++)
				CHECK_ERRNO(post(&p[k]->a, sent[k], &x,
						 vt_sge(own[k], sent[k] % DEPTH * 8, 8)), 0,
					    "ibv_post_send");
			while (done[k] < sent[k] && vt_poll_for(p[k]->a.scq, &wc, 0)) {
				uint64_t v = peek(own[k], done[k] % DEPTH * 8);

				CHECK_EQ(wc.status, IBV_WC_SUCCESS, "status");
				CHECK_EQ(wc.wr_id, done[k], "order of completions");
				CHECK(v < 2 * MANY && !seen[v], "value %llu %s",
				      (unsigned long long)v, v < 2 * MANY ? "twice" : "too large");
				seen[v] = 1;
				done[k]++;
			}
		}
	}
	CHECK_EQ(peek(b.word, WORD), 2 * MANY, "value in memory");
	vt_buf_fill(b.word, WORD, 8);
	vt_buf_fill(own[0], 0, DEPTH * 8);
	vt_buf_fill(own[1], 0, DEPTH * 8);
}

struct cpu {
	uint64_t *word;
	bool stop;
	uint64_t added;
};

static void *cpu_adds(void *arg)
{
	struct cpu *c = arg;

	while (!__atomic_load_n(&c->stop, __ATOMIC_RELAXED)) {
		__atomic_fetch_add(c->word, 1ULL << 32, __ATOMIC_RELAXED);
		c->added++;
	}
	return NULL;
}

/* The processor adds to the upper half, the device to the lower: nothing is lost in either. */
static void against_cpu(const void *arg)
{
	const struct arg *t = arg;
	struct vt_opts o = opts();
	struct bench b = bench(t, &o, ACCESS);
	struct cpu c = { .word = (uint64_t *)(b.word->ptr + WORD) };
	struct op x = fadd(b.word, WORD, 1);
	pthread_t thread;

	poke(b.word, WORD, 0);
	CHECK_ERRNO(pthread_create(&thread, NULL, cpu_adds, &c), 0, "pthread_create");
	for (unsigned int i = 0; i < 500; i++) {
		CHECK_ERRNO(post(&b.p->a, i, &x, vt_sge(b.own, 0, 8)), 0, "ibv_post_send");
		vt_expect_wc(&b.p->a, b.p->a.scq, i, IBV_WC_SUCCESS, "atomic", NULL);
	}
	__atomic_store_n(&c.stop, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	CHECK_EQ((uint32_t)peek(b.word, WORD), 500, "the device's half");
	CHECK_EQ(peek(b.word, WORD) >> 32, (uint32_t)c.added, "the processor's half");
	vt_buf_fill(b.word, WORD, 8);
	vt_buf_fill(b.own, 0, 8);
}

enum fault {
	F_MISALIGNED, F_MR_RIGHT, F_QP_RIGHT, F_KEY, F_BEYOND, F_WRAP, F_NO_RESOURCES, F_SHORT, F_LONG,
	F_NO_LIST, F_OWN_RIGHT, F_OWN_KEY, F_NO_INITIATOR, FAULTS
};

static const struct {
	const char *name;
	enum ibv_wc_status status;
	enum ibv_qp_state peer;
} faults[FAULTS] = {
	[F_MISALIGNED] = { "misaligned", IBV_WC_REM_INV_REQ_ERR, IBV_QPS_ERR },
	[F_MR_RIGHT] = { "mr_right", IBV_WC_REM_ACCESS_ERR, IBV_QPS_ERR },
	[F_QP_RIGHT] = { "qp_right", IBV_WC_REM_INV_REQ_ERR, IBV_QPS_ERR },
	[F_KEY] = { "key", IBV_WC_REM_ACCESS_ERR, IBV_QPS_ERR },
	[F_BEYOND] = { "beyond", IBV_WC_REM_ACCESS_ERR, IBV_QPS_ERR },
	[F_WRAP] = { "wrap", IBV_WC_REM_ACCESS_ERR, IBV_QPS_ERR },
	[F_NO_RESOURCES] = { "no_resources", IBV_WC_REM_INV_REQ_ERR, IBV_QPS_ERR },
	[F_SHORT] = { "short", IBV_WC_LOC_LEN_ERR, IBV_QPS_RTS },
	[F_LONG] = { "long", IBV_WC_LOC_LEN_ERR, IBV_QPS_RTS },
	[F_NO_LIST] = { "no_list", IBV_WC_LOC_LEN_ERR, IBV_QPS_RTS },
	[F_OWN_RIGHT] = { "own_right", IBV_WC_LOC_PROT_ERR, IBV_QPS_RTS },
	[F_OWN_KEY] = { "own_key", IBV_WC_LOC_PROT_ERR, IBV_QPS_RTS },
	[F_NO_INITIATOR] = { "no_initiator", IBV_WC_LOC_QP_OP_ERR, IBV_QPS_RTS },
};

static void spoil(struct bench *b, enum fault f, struct op *x, struct ibv_sge *sge, int *n)
{
	switch (f) {
	case F_MISALIGNED:
		x->raddr += 4;
		break;
	case F_KEY:
		x->rkey ^= 1;
		break;
	case F_BEYOND:
		x->raddr = b->word->iova + WORD + (SIZE - WORD) / 8 * 8;
		break;
	case F_WRAP:
		x->raddr = -8ULL;
		break;
	case F_SHORT:
		sge->length = 4;
		break;
	case F_LONG:
		sge->length = 16;
		break;
	case F_NO_LIST:
		*n = 0;
		break;
	case F_OWN_KEY:
		sge->lkey ^= 1;
		break;
	default:
		break;
	}
}

/* The status of the specification, and neither side's memory has changed. */
static void refused(const void *arg)
{
	const struct arg *t = arg;
	enum fault f = (enum fault)t->row;
	struct vt_opts o = opts();
	struct bench b;
	struct ibv_mr *ro = NULL;
	struct ibv_sge sge;
	struct op x;
	int n = 1;

	if (f == F_QP_RIGHT)
		o.qp_access &= ~IBV_ACCESS_REMOTE_ATOMIC;
	if (f == F_NO_RESOURCES || f == F_NO_INITIATOR)
		o.rd_atomic = 0;
	b = bench(t, &o, f == F_MR_RIGHT ? VT_ACCESS_ALL : ACCESS);
	if (f == F_NO_RESOURCES) {
		/* Only the requester may. */
		o.rd_atomic = 1;
		CHECK_ERRNO(vt_ep_to_state(&b.p->a, IBV_QPS_RESET), 0, "to RESET");
		CHECK_ERRNO(vt_ep_to_init(&b.p->a, &o), 0, "to INIT");
		CHECK_ERRNO(vt_ep_to_rtr(&b.p->a, &b.p->b, &o), 0, "to RTR");
		CHECK_ERRNO(vt_ep_to_rts(&b.p->a, &o), 0, "to RTS");
	}
	x = t->op == IBV_WR_ATOMIC_CMP_AND_SWP ? cas(b.word, WORD, peek(b.word, WORD), 1) :
						 fadd(b.word, WORD, 1);
	sge = vt_sge(b.own, 0, 8);
	spoil(&b, f, &x, &sge, &n);
	if (f == F_OWN_RIGHT) {
		ro = ibv_reg_mr(b.da->pd, b.own->ptr, 64, IBV_ACCESS_REMOTE_READ);
		CHECK(ro, "ibv_reg_mr: %s", strerror(errno));
		sge = (struct ibv_sge){ (uintptr_t)b.own->ptr, 8, ro->lkey };
	}
	CHECK_ERRNO(post_list(&b.p->a, 1, &x, &sge, n), 0, "ibv_post_send");
	vt_expect_wc(&b.p->a, b.p->a.scq, 1, faults[f].status, faults[f].name, NULL);
	CHECK_EQ(vt_ep_state(&b.p->a), IBV_QPS_ERR, "the requester's state");
	/* rxe answers first. */
	vt_expect_state(&b.p->b, faults[f].peer, "the responder's state");
	vt_buf_check(b.own, 0, SIZE, "the requester's buffer");
	vt_buf_check(b.word, 0, SIZE, "the responder's buffer");
	if (ro)
		CHECK_ERRNO(ibv_dereg_mr(ro), 0, "ibv_dereg_mr");
}

static void device(const void *arg)
{
	struct vt_dev *d = vt_open(vt_cfg.dev);
	struct ibv_device_attr_ex ex;

	(void)arg;
	CHECK_EQ(d->attr.atomic_cap, IBV_ATOMIC_HCA, "atomic_cap");
	CHECK_ERRNO(ibv_query_device_ex(d->ctx, NULL, &ex), 0, "ibv_query_device_ex");
	CHECK_EQ(ex.pci_atomic_caps.fetch_add, 0, "PCI atomics");
	CHECK_EQ(ex.pci_atomic_caps.swap, 0, "PCI atomics");
	CHECK_EQ(ex.pci_atomic_caps.compare_swap, 0, "PCI atomics");
}

static void add(const char *name, vt_fn fn, struct arg t, unsigned int seconds)
{
	for (int wire = 0; wire <= (vt_cfg.peer ? 1 : 0); wire++) {
		struct arg *a = calloc(1, sizeof(*a));
		char full[96];

		if (!a)
			exit(2);
		*a = t;
		a->wire = wire;
		snprintf(full, sizeof(full), "%s/%s/%s", name, wire ? "wire" : "local",
			 vt_mem_name[t.mem]);
		vt_add(full, fn, a, seconds);
	}
}

static void add_cases(void)
{
	char name[64];

	vt_add("device", device, NULL, 0);
	for (int k = VT_HOST; k <= VT_BAR; k++) {
		struct arg t = { .mem = (enum vt_mem)k };

		add("values", values, t, 0);
		add("list", list, t, 0);
		add("stream", stream, t, 60);
		add("mixed", mixed, t, 60);
		add("crowd", crowd, t, 60);
	}
	add("cpu", against_cpu, (struct arg){ .mem = VT_HOST }, 60);
	for (size_t i = 0; i < FAULTS; i++) {
		snprintf(name, sizeof(name), "refused/%s/cas", faults[i].name);
		add(name, refused, (struct arg){ .row = i, .op = IBV_WR_ATOMIC_CMP_AND_SWP }, 0);
		snprintf(name, sizeof(name), "refused/%s/fadd", faults[i].name);
		add(name, refused, (struct arg){ .row = i, .op = IBV_WR_ATOMIC_FETCH_AND_ADD }, 0);
	}
}

int main(int argc, char **argv)
{
	return vt_main(argc, argv, add_cases);
}
