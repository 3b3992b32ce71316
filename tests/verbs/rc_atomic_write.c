// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * rc_atomic_write: eight bytes that are written at once, behind everything before them: what it does in
 * every kind of memory, that nobody sees a part of it, that it is done once whatever the wire loses or
 * doubles, and what is refused (InfiniBand Architecture, volume 1, annex A19).
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
#define CAP_BIT		(1ULL << 40)	/* IB_UVERBS_DEVICE_ATOMIC_WRITE */

struct arg {
	bool wire;
	enum vt_mem mem;
	size_t row;
};

struct bench {
	struct vt_dev *da, *db;
	struct vt_pair *p;
	struct vt_buf *own;	/* the requester's */
	struct vt_buf *word;	/* the responder's */
};

static struct vt_opts opts(void)
{
	struct vt_opts o = VT_OPTS;

	o.qp_access = ACCESS;
	o.send_ops = IBV_QP_EX_WITH_ATOMIC_WRITE;
	return o;
}

/* The requester's memory is of that kind too, unless the device cannot register it. */
static struct bench bench(const struct arg *t, const struct vt_opts *o, int access)
{
	struct bench b;

	if (!vt_mem_probe(t->mem))
		vt_skip("no %s on this machine", vt_mem_name[t->mem]);
	b.da = vt_open(vt_cfg.dev);
	b.db = t->wire ? vt_open(vt_cfg.peer) : b.da;
	b.own = vt_buf_new(b.da, strncmp(vt_cfg.dev, "rxe", 3) ? t->mem : VT_HOST, SIZE, ACCESS);
	b.word = vt_buf_new(b.db, t->wire && !strncmp(vt_cfg.peer, "rxe", 3) ? VT_HOST : t->mem, SIZE,
			    access);
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

static int post(struct vt_ep *ep, uint64_t wr_id, uint64_t raddr, uint32_t rkey, struct ibv_sge *sge,
		int n, unsigned int flags)
{
	struct ibv_send_wr wr = {
		.wr_id = wr_id, .sg_list = sge, .num_sge = n, .opcode = IBV_WR_ATOMIC_WRITE,
		.send_flags = IBV_SEND_SIGNALED | flags,
		.wr.rdma = { .remote_addr = raddr, .rkey = rkey },
	};
	struct ibv_send_wr *bad;

	return ibv_post_send(ep->qp, &wr, &bad);
}

/* The way of ibv_wr_atomic_write(): the bytes are taken at once. */
static void write_word(struct bench *b, uint64_t wr_id, size_t off, uint64_t value)
{
	struct ibv_qp_ex *ex = ibv_qp_to_qp_ex(b->p->a.qp);

	CHECK(ex, "ibv_qp_to_qp_ex");
	ibv_wr_start(ex);
	ex->wr_id = wr_id;
	ex->wr_flags = IBV_SEND_SIGNALED;
	ibv_wr_atomic_write(ex, b->word->mr->rkey, b->word->iova + off, &value);
	CHECK_ERRNO(ibv_wr_complete(ex), 0, "ibv_wr_complete");
}

/* The word is there, its neighbours and the requester's memory are what they were. */
static void written(struct bench *b, uint64_t value, const char *what)
{
	struct ibv_wc wc;

	vt_expect_wc(&b->p->a, b->p->a.scq, 7, IBV_WC_SUCCESS, what, &wc);
	CHECK_EQ(wc.opcode, IBV_WC_ATOMIC_WRITE, "opcode of the completion");
	CHECK_EQ(peek(b->word, WORD), value ^ (vt_cfg.flip ? 1 : 0), what);
	vt_buf_fill(b->word, WORD, 8);
	vt_buf_check(b->own, 0, SIZE, "the requester's buffer");
	vt_buf_check(b->word, 0, SIZE, "the responder's buffer");
	vt_poll_none(b->p->b.rcq, 1, "an ATOMIC WRITE takes no receive");
}

static void values(const void *arg)
{
	struct vt_opts o = opts();
	uint64_t inlined = 0x0102030405060708, value;
	struct ibv_sge sge[3];
	struct bench b;

	o.inline_data = 16;
	b = bench(arg, &o, ACCESS);
	CHECK_ERRNO(vt_recv(&b.p->b, 1, vt_sge(b.word, 9000, 64)), 0, "ibv_post_recv");
	sge[0] = vt_sge(b.own, 100, 8);
	CHECK_ERRNO(post(&b.p->a, 7, b.word->iova + WORD, b.word->mr->rkey, sge, 1, 0), 0, "posting");
	written(&b, peek(b.own, 100), "from one piece");

	sge[0] = vt_sge(b.own, 10, 3);
	sge[1] = vt_sge(b.own, 50, 0);
	sge[2] = vt_sge(b.own, 60, 5);
	memcpy(&value, b.own->ptr + 10, 3);
	memcpy((uint8_t *)&value + 3, b.own->ptr + 60, 5);
	CHECK_ERRNO(post(&b.p->a, 7, b.word->iova + WORD, b.word->mr->rkey, sge, 3, 0), 0, "posting");
	written(&b, value, "from three pieces");

	sge[0] = (struct ibv_sge){ (uintptr_t)&inlined, 8, 0 };
	CHECK_ERRNO(post(&b.p->a, 7, b.word->iova + WORD, b.word->mr->rkey, sge, 1, IBV_SEND_INLINE), 0,
		    "posting");
	written(&b, inlined, "inline");
}

/* By ibv_wr_atomic_write(), also on a QP that asked for no inline data. */
static void ex(const void *arg)
{
	static const uint64_t values[] = { 0, UINT64_MAX, 0x8877665544332211 };
	struct vt_opts o = opts();
	struct bench b = bench(arg, &o, ACCESS);

	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		write_word(&b, 7, WORD, values[i]);
		written(&b, values[i], "value");
	}
}

static int fetch_add(struct bench *b, uint64_t wr_id, size_t slot)
{
	struct ibv_sge sge = vt_sge(b->own, slot * 8, 8);
	struct ibv_send_wr wr = {
		.wr_id = wr_id, .sg_list = &sge, .num_sge = 1, .opcode = IBV_WR_ATOMIC_FETCH_AND_ADD,
		.send_flags = IBV_SEND_SIGNALED,
		.wr.atomic = { .remote_addr = b->word->iova + WORD, .rkey = b->word->mr->rkey,
			       .compare_add = 1 },
	};
	struct ibv_send_wr *bad;

	return ibv_post_send(b->p->a.qp, &wr, &bad);
}

/*
 * A stream in which the n-th leaves n + 1: written, or added to what the one before has left. One that
 * was done twice would take the word back, and the next addition would find it so.
 */
static void stream(const void *arg)
{
	struct vt_opts o = opts();
	struct bench b = bench(arg, &o, ACCESS);
	unsigned int sent = 0, done = 0;

	poke(b.word, WORD, 0);
	while (done < MANY) {
		for (; sent < MANY && sent - done < DEPTH; sent++) {
			if (sent % 3)
				CHECK_ERRNO(fetch_add(&b, sent, sent % DEPTH), 0, "posting");
			else
				write_word(&b, sent, WORD, sent + 1);
		}
		vt_expect_wc(&b.p->a, b.p->a.scq, done, IBV_WC_SUCCESS, "one of a stream", NULL);
		if (done % 3)
			CHECK_EQ(peek(b.own, done % DEPTH * 8), done, "value that came back");
		done++;
	}
	CHECK_EQ(peek(b.word, WORD), MANY, "value in memory");
	vt_buf_fill(b.word, WORD, 8);
	vt_buf_fill(b.own, 0, DEPTH * 8);
	vt_buf_check(b.word, 0, SIZE, "the responder's buffer");
}

static void wait_word(const struct vt_buf *buf, uint64_t value)
{
	const uint64_t *at = (const uint64_t *)(buf->ptr + WORD);
	uint64_t end = vt_now_ms() + 10000 * vt_cfg.slow;

	while (__atomic_load_n(at, __ATOMIC_ACQUIRE) != value)
		CHECK(vt_now_ms() < end, "the word does not come");
}

/* Who sees the word sees the WRITE before it, without any completion. */
static void behind(const void *arg)
{
	struct vt_opts o = opts();
	struct bench b = bench(arg, &o, ACCESS);

	for (uint64_t i = 1; i <= 100; i++) {
		size_t at = 1000 + i, len = 9000;

		CHECK_ERRNO(vt_send(&b.p->a, 2 * i, IBV_WR_RDMA_WRITE, vt_sge(b.own, at, len), b.word, at,
				    IBV_SEND_SIGNALED), 0, "ibv_post_send");
		write_word(&b, 2 * i + 1, WORD, i);
		wait_word(b.word, i);
		vt_buf_expect_copy(b.word, at, len, b.own, at, "written before the word");
		vt_buf_fill(b.word, at, len);
		vt_expect_wc(&b.p->a, b.p->a.scq, 2 * i, IBV_WC_SUCCESS, "WRITE", NULL);
		vt_expect_wc(&b.p->a, b.p->a.scq, 2 * i + 1, IBV_WC_SUCCESS, "ATOMIC WRITE", NULL);
	}
	vt_buf_fill(b.word, WORD, 8);
	vt_buf_check(b.word, 0, SIZE, "the responder's buffer");
}

struct watcher {
	const uint64_t *word;
	bool stop;
	uint64_t bad;		/* a value that was never written, 0: none */
};

static void *watch(void *arg)
{
	struct watcher *w = arg;

	while (!__atomic_load_n(&w->stop, __ATOMIC_RELAXED)) {
		uint64_t v = __atomic_load_n(w->word, __ATOMIC_RELAXED);

		if (v != (v & 0xff) * 0x0101010101010101)
			w->bad = v;
	}
	return NULL;
}

/* All bytes of each value are alike, and so are those of whatever the processor sees. */
static void whole(const void *arg)
{
	struct vt_opts o = opts();
	struct bench b = bench(arg, &o, ACCESS);
	struct watcher w = { .word = (const uint64_t *)(b.word->ptr + WORD) };
	pthread_t thread;

	poke(b.word, WORD, 0);
	CHECK_ERRNO(pthread_create(&thread, NULL, watch, &w), 0, "pthread_create");
	for (uint64_t i = 0; i < MANY; i++) {
		write_word(&b, i, WORD, (i & 0xff) * 0x0101010101010101);
		vt_expect_wc(&b.p->a, b.p->a.scq, i, IBV_WC_SUCCESS, "ATOMIC WRITE", NULL);
	}
	__atomic_store_n(&w.stop, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	CHECK(!w.bad, "the processor saw %#llx", (unsigned long long)w.bad);
	vt_buf_fill(b.word, WORD, 8);
}

enum fault {
	F_MISALIGNED, F_MR_RIGHT, F_QP_RIGHT, F_KEY, F_BEYOND, F_WRAP, F_NO_RESOURCES, F_SHORT, F_LONG,
	F_NO_LIST, F_OWN_KEY, F_NO_INITIATOR, FAULTS
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
	[F_OWN_KEY] = { "own_key", IBV_WC_LOC_PROT_ERR, IBV_QPS_RTS },
	[F_NO_INITIATOR] = { "no_initiator", IBV_WC_LOC_QP_OP_ERR, IBV_QPS_RTS },
};

/* What is wrong with the request itself. */
static void spoil(const struct bench *b, enum fault f, uint64_t *raddr, uint32_t *rkey,
		  struct ibv_sge *sge, int *n)
{
	switch (f) {
	case F_MISALIGNED:
		*raddr += 4;
		break;
	case F_KEY:
		*rkey ^= 1;
		break;
	case F_BEYOND:
		*raddr = b->word->iova + WORD + (SIZE - WORD) / 8 * 8;
		break;
	case F_WRAP:
		*raddr = -8ULL;
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

/* Only the requester may have any outstanding. */
static void requester_only(struct bench *b, struct vt_opts *o)
{
	o->rd_atomic = 1;
	CHECK_ERRNO(vt_ep_to_state(&b->p->a, IBV_QPS_RESET), 0, "to RESET");
	CHECK_ERRNO(vt_ep_to_init(&b->p->a, o), 0, "to INIT");
	CHECK_ERRNO(vt_ep_to_rtr(&b->p->a, &b->p->b, o), 0, "to RTR");
	CHECK_ERRNO(vt_ep_to_rts(&b->p->a, o), 0, "to RTS");
}

/* The status of the specification, and neither side's memory has changed. */
static void refused(const void *arg)
{
	const struct arg *t = arg;
	enum fault f = (enum fault)t->row;
	struct vt_opts o = opts();
	struct ibv_sge sge;
	struct bench b;
	uint64_t raddr;
	uint32_t rkey;
	int n = 1;

	/* The right to atomics is of no use. */
	if (f == F_QP_RIGHT)
		o.qp_access &= ~IBV_ACCESS_REMOTE_WRITE;
	if (f == F_NO_RESOURCES || f == F_NO_INITIATOR)
		o.rd_atomic = 0;
	b = bench(t, &o, f == F_MR_RIGHT ? ACCESS & ~IBV_ACCESS_REMOTE_WRITE : ACCESS);
	if (f == F_NO_RESOURCES)
		requester_only(&b, &o);
	raddr = b.word->iova + WORD;
	rkey = b.word->mr->rkey;
	sge = vt_sge(b.own, 0, 8);
	spoil(&b, f, &raddr, &rkey, &sge, &n);
	CHECK_ERRNO(post(&b.p->a, 1, raddr, rkey, &sge, n, 0), 0, "ibv_post_send");
	vt_expect_wc(&b.p->a, b.p->a.scq, 1, faults[f].status, faults[f].name, NULL);
	CHECK_EQ(vt_ep_state(&b.p->a), IBV_QPS_ERR, "the requester's state");
	/* rxe answers first. */
	vt_expect_state(&b.p->b, faults[f].peer, "the responder's state");
	vt_buf_check(b.own, 0, SIZE, "the requester's buffer");
	vt_buf_check(b.word, 0, SIZE, "the responder's buffer");
}

static void device(const void *arg)
{
	struct vt_dev *d = vt_open(vt_cfg.dev);
	struct ibv_device_attr_ex attr;

	(void)arg;
	CHECK_ERRNO(ibv_query_device_ex(d->ctx, NULL, &attr), 0, "ibv_query_device_ex");
	CHECK(attr.device_cap_flags_ex & CAP_BIT, "the device does not report ATOMIC WRITE");
}

static void add(const char *name, vt_fn fn, struct arg t, unsigned int seconds)
{
	for (int wire = 0; wire <= !!vt_cfg.peer; wire++) {
		struct arg *a = calloc(1, sizeof(*a));
		char full[96];

		if (!a)
			exit(2);
		*a = t;
		a->wire = wire;
		if (fn == refused)
			snprintf(full, sizeof(full), "atomic_write/%s/%s", name, wire ? "wire" : "local");
		else
			snprintf(full, sizeof(full), "atomic_write/%s/%s/%s", name,
				 wire ? "wire" : "local", vt_mem_name[t.mem]);
		vt_add(full, fn, a, seconds);
	}
}

static void add_cases(void)
{
	char name[64];

	vt_add("atomic_write/device", device, NULL, 0);
	for (int k = VT_HOST; k <= VT_BAR; k++) {
		struct arg t = { .mem = (enum vt_mem)k };

		add("values", values, t, 0);
		add("ex", ex, t, 0);
		add("stream", stream, t, 60);
		add("behind", behind, t, 60);
	}
	add("whole", whole, (struct arg){ .mem = VT_HOST }, 60);
	for (size_t i = 0; i < FAULTS; i++) {
		snprintf(name, sizeof(name), "refused/%s", faults[i].name);
		add(name, refused, (struct arg){ .row = i }, 0);
	}
}

int main(int argc, char **argv)
{
	return vt_main(argc, argv, add_cases);
}
