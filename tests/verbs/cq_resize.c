// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * cq_ex: CQs that change their size. No completion is lost or comes twice, what is not polled stays, a
 * full CQ is found out at its new size, and an armed one stays armed.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "cq_ex.h"

static void resize(struct ibv_cq *cq, int cqe, int want, const char *what)
{
	CHECK_ERRNO(ibv_resize_cq(cq, cqe), want, what);
}

static void keeps(const void *wire)
{
	static const int sizes[] = { 100, 9, 300, 16, 2000, 8 };
	struct cq_bench b = cq_bench(wire, NULL);
	struct ibv_cq *cq = b.p->b.rcq;
	uint64_t in = 0, out = 0;

	for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++) {
		while (in - out < 8)
			cq_message(&b, in++, IBV_WR_SEND);
		resize(cq, sizes[s], 0, "another size");
		CHECK(cq->cqe >= sizes[s], "cqe is %d", cq->cqe);
		resize(cq, 4, EINVAL, "less than there are completions");
		while (out + 2 < in)
			vt_expect_wc(&b.p->b, cq, out++, IBV_WC_SUCCESS, "receive", NULL);
	}
	while (out < in)
		vt_expect_wc(&b.p->b, cq, out++, IBV_WC_SUCCESS, "receive", NULL);
	vt_poll_none(cq, 20, "all was polled");
	resize(cq, 0, EINVAL, "no entries");
	resize(cq, b.db->attr.max_cqe + 1, EINVAL, "more than max_cqe");
}

/* After growing there is room for more; after shrinking the CQ overflows where it should. */
static void overflow(const void *wire)
{
	struct cq_bench b = cq_bench(wire, NULL);
	struct ibv_cq *cq = b.p->b.rcq;
	struct ibv_wc wc;
	int n;

	resize(cq, 8, 0, "down to 8");
	n = cq->cqe;
	CHECK(n < 32, "8 became %d", n);
	resize(cq, 2 * n, 0, "twice as many");
	for (int i = 0; i < n + 1; i++)
		cq_message(&b, i, IBV_WR_SEND);
	for (int i = 0; i < n + 1; i++)
		vt_expect_wc(&b.p->b, cq, i, IBV_WC_SUCCESS, "receive", NULL);
	resize(cq, n, 0, "down again");
	for (int i = 0; i < n; i++)
		cq_message(&b, i, IBV_WR_SEND);
	vt_async_none(b.db, 50, "a CQ that is just full");
	CHECK_ERRNO(vt_recv(&b.p->b, 99, vt_sge(b.dst, 0, 4096)), 0, "ibv_post_recv");
	CHECK_ERRNO(vt_send(&b.p->a, 99, IBV_WR_SEND, vt_sge(b.src, 0, 8), NULL, 0, 0), 0,
		    "ibv_post_send");
	vt_async_expect(b.db, IBV_EVENT_CQ_ERR, cq, "a CQ that overflows");
	for (int i = 0; i < n; i++)
		vt_expect_wc(&b.p->b, cq, i, IBV_WC_SUCCESS, "what came before", NULL);
	CHECK(!vt_poll_for(cq, &wc, 50), "a completion behind the one that was lost");
}

static int destroy_channel(void *arg)
{
	return ibv_destroy_comp_channel(arg);
}

static bool readable(struct ibv_comp_channel *chan, int ms)
{
	struct pollfd p = { .fd = chan->fd, .events = POLLIN };

	return poll(&p, 1, ms) == 1;
}

static void armed(const void *wire)
{
	struct cq_bench b = { .da = vt_open(vt_cfg.dev) };
	struct vt_opts o = VT_OPTS;
	struct ibv_cq *cq;
	void *ctx;

	b.db = wire ? vt_open(vt_cfg.peer) : b.da;
	b.src = vt_buf_new(b.da, VT_HOST, 65536, VT_ACCESS_ALL);
	b.dst = vt_buf_new(b.db, VT_HOST, 65536, VT_ACCESS_ALL);
	o.chan[1] = ibv_create_comp_channel(b.db->ctx);
	CHECK(o.chan[1], "ibv_create_comp_channel: %s", strerror(errno));
	vt_defer(destroy_channel, o.chan[1], "ibv_destroy_comp_channel");
	b.p = vt_pair_new(b.da, b.db, &o);
	for (int i = 0; i < 6; i++) {
		CHECK_ERRNO(ibv_req_notify_cq(b.p->b.rcq, 0), 0, "ibv_req_notify_cq");
		resize(b.p->b.rcq, i % 2 ? 16 : 500, 0, "another size");
		CHECK(!readable(o.chan[1], 20), "an event without a completion");
		cq_message(&b, i, IBV_WR_SEND);
		CHECK(readable(o.chan[1], 5000 * vt_cfg.slow), "armed, but no event");
		CHECK(!ibv_get_cq_event(o.chan[1], &cq, &ctx), "ibv_get_cq_event");
		CHECK(cq == b.p->b.rcq, "event of another CQ");
		ibv_ack_cq_events(cq, 1);
		vt_expect_wc(&b.p->b, cq, i, IBV_WC_SUCCESS, "receive", NULL);
		resize(cq, 33, 0, "another size");
		cq_message(&b, 100 + i, IBV_WR_SEND);
		CHECK(!readable(o.chan[1], 20), "an event, but not armed");
		vt_expect_wc(&b.p->b, cq, 100 + i, IBV_WC_SUCCESS, "receive", NULL);
	}
}

struct storm {
	struct ibv_cq *cq;
	bool stop;
	int done;
};

static void *resizer(void *arg)
{
	struct storm *s = arg;

	for (; !__atomic_load_n(&s->stop, __ATOMIC_ACQUIRE); s->done++) {
		int ret = ibv_resize_cq(s->cq, s->done % 2 ? 64 : 1000);

		if (ret)
			return strerror(ret);
		ibv_req_notify_cq(s->cq, 0);
		/* The lock of the queue is nobody's for long enough that who waits for it gets it. */
		usleep(200);
	}
	return NULL;
}

/* Completions and polls all the time, while another thread changes the size. */
static void busy(const void *wire)
{
	struct cq_bench b = cq_bench(wire, NULL);
	struct storm s = { .cq = b.p->b.rcq };
	pthread_t thread;
	uint64_t out = 0;
	void *said;

	CHECK(!pthread_create(&thread, NULL, resizer, &s), "pthread_create");
	/* For as long as it takes the other thread to have its turns, within the time of the case. */
	for (int round = 0; round < 20 || __atomic_load_n(&s.done, __ATOMIC_RELAXED) <= 2; round++) {
		for (int i = 0; i < 32; i++)
			CHECK_ERRNO(vt_recv(&b.p->b, out + i, vt_sge(b.dst, 0, 4096)), 0, "ibv_post_recv");
		for (int i = 0; i < 32; i++)
			CHECK_ERRNO(vt_send(&b.p->a, i, IBV_WR_SEND, vt_sge(b.src, 0, 100), NULL, 0,
					    i == 31 ? IBV_SEND_SIGNALED : 0), 0, "ibv_post_send");
		for (int i = 0; i < 32; i++)
			vt_expect_wc(&b.p->b, s.cq, out++, IBV_WC_SUCCESS, "receive", NULL);
		vt_expect_wc(&b.p->a, b.p->a.scq, 31, IBV_WC_SUCCESS, "SEND", NULL);
	}
	__atomic_store_n(&s.stop, true, __ATOMIC_RELEASE);
	pthread_join(thread, &said);
	CHECK(!said, "the thread that resizes: %s", (char *)said);
	vt_poll_none(s.cq, 20, "all was polled");
}

void cq_add_resize(void)
{
	static const struct { const char *local, *wire; vt_fn fn; unsigned int seconds; } rows[] = {
		{ "cq_resize/keeps/local", "cq_resize/keeps/wire", keeps, 0 },
		{ "cq_resize/overflow/local", "cq_resize/overflow/wire", overflow, 0 },
		{ "cq_resize/armed/local", "cq_resize/armed/wire", armed, 0 },
		{ "cq_resize/busy/local", "cq_resize/busy/wire", busy, 60 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		vt_add(rows[i].local, rows[i].fn, NULL, rows[i].seconds);
		if (vt_cfg.peer)
			vt_add(rows[i].wire, rows[i].fn, "", rows[i].seconds);
	}
}
