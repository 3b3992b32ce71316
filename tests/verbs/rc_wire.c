// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * rc_wire: a wire that breaks while a connection is busy, and how fast a bad one still is. The caller
 * says how to break and to mend it, as it knows the netdevs and their namespaces: VT_BREAK, VT_MEND.
 *
 *  break		the wire stays broken: the oldest request ends with the retry error within the time that
 *		was configured, those behind it are flushed, and what had completed is there.
 *  mend		the wire works again before retries run out: nothing but delay is seen.
 *  goodput	64 KiB WRITEs for a while; prints "GOODPUT bytes per second".
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vtest.h"

#define DEPTH		16
#define MSG		65536
#define TIMEOUT		14	/* 67 ms; the specification allows up to four times that */

struct wire {
	struct vt_dev *da, *db;
	struct vt_buf *src, *dst;
	struct vt_pair *p;
	enum ibv_wr_opcode op;
	uint64_t posted, done;
};

/* Message @n goes from and to a place of its own among the DEPTH ones; its bytes tell its turn. */
static size_t place(uint64_t n)
{
	return (n % DEPTH) * (size_t)MSG;
}

static size_t origin(uint64_t n)
{
	return (n * 4099) % MSG;
}

static void post(struct wire *w)
{
	uint64_t n = w->posted++;
	bool read = w->op == IBV_WR_RDMA_READ;
	struct ibv_sge sge = read ? vt_sge(w->dst, place(n), MSG) : vt_sge(w->src, origin(n), MSG);

	if (w->op == IBV_WR_SEND)
		CHECK_ERRNO(vt_recv(&w->p->b, n, vt_sge(w->dst, place(n), MSG)), 0, "post_recv");
	CHECK_ERRNO(vt_send(&w->p->a, n, w->op, sge, read ? w->src : w->dst, read ? origin(n) : place(n),
			    IBV_SEND_SIGNALED), 0, "post_send");
}

/* The completion of the oldest request; false: it failed, with the status in @wc. */
static bool reap(struct wire *w, struct ibv_wc *wc)
{
	struct ibv_wc rwc;
	uint64_t n = w->done;

	vt_poll(w->p->a.scq, wc, "a request");
	CHECK_EQ(wc->wr_id, n, "order of completions");
	if (wc->status != IBV_WC_SUCCESS)
		return false;
	if (w->op == IBV_WR_SEND) {
		vt_poll(w->p->b.rcq, &rwc, "a receive");
		CHECK_EQ(rwc.wr_id, n, "order of receives");
		CHECK_EQ(rwc.status, IBV_WC_SUCCESS, "status of a receive");
	}
	vt_buf_expect_copy(w->dst, place(n), MSG, w->src, origin(n), "a message over a wire that breaks");
	w->done++;
	return true;
}

static void run(const char *variable)
{
	const char *command = getenv(variable);

	CHECK(command, "%s is not set", variable);
	CHECK(!system(command), "failed: %s", command);
}

static void setup(struct wire *w, enum ibv_wr_opcode op, uint8_t retry, uint8_t timeout)
{
	struct vt_opts o = VT_OPTS;

	CHECK(vt_cfg.peer, "a wire needs a peer");
	*w = (struct wire){ .da = vt_open(vt_cfg.dev), .db = vt_open(vt_cfg.peer), .op = op };
	/* For READ the responder has the source. */
	w->src = vt_buf_new(op == IBV_WR_RDMA_READ ? w->db : w->da, VT_HOST, 2 * MSG, VT_ACCESS_ALL);
	w->dst = vt_buf_new(op == IBV_WR_RDMA_READ ? w->da : w->db, VT_HOST, DEPTH * MSG, VT_ACCESS_ALL);
	o.retry = retry;
	o.timeout = timeout;
	w->p = vt_pair_new(w->da, w->db, &o);
}

/* Traffic until it stands: some messages are through, all places are in use. */
static void warm_up(struct wire *w)
{
	struct ibv_wc wc;

	while (w->done < 2 * DEPTH) {
		while (w->posted - w->done < DEPTH)
			post(w);
		CHECK(reap(w, &wc), "status %d on a wire that works", wc.status);
	}
	while (w->posted - w->done < DEPTH)
		post(w);
}

static void broken(const void *arg)
{
	const unsigned int retry = 2;
	/* Times in ms. Retrying takes (retry + 1) timeouts, each up to four of the nominal. */
	uint64_t longest = (retry + 1) * 4 * 67 + 1000 * vt_cfg.slow, began;
	struct wire w;
	struct ibv_wc wc;

	setup(&w, *(const enum ibv_wr_opcode *)arg, retry, TIMEOUT);
	warm_up(&w);
	run("VT_BREAK");
	began = vt_now_ms();
	/* What had arrived may complete still. */
	while (reap(&w, &wc)) {
		post(&w);
		CHECK(vt_now_ms() - began < longest, "requests complete although the wire is broken");
	}
	CHECK_EQ(wc.status, IBV_WC_RETRY_EXC_ERR, "status of the oldest request");
	CHECK(vt_now_ms() - began <= longest, "the error took %llu ms, at most %llu were configured",
	      (unsigned long long)(vt_now_ms() - began), (unsigned long long)longest);
	for (uint64_t n = w.done + 1; n < w.posted; n++)
		vt_expect_wc(&w.p->a, w.p->a.scq, n, IBV_WC_WR_FLUSH_ERR, "requests behind", NULL);
	CHECK_EQ(vt_ep_state(&w.p->a), IBV_QPS_ERR, "state after the error");
	/* What is in the target of requests that did not complete is not known. */
	vt_buf_fill(w.dst, 0, w.dst->size);
}

static void mended(const void *arg)
{
	struct wire w;
	struct ibv_wc wc;

	setup(&w, *(const enum ibv_wr_opcode *)arg, 7, TIMEOUT);
	warm_up(&w);
	for (int round = 0; round < 2; round++) {
		uint64_t end = w.done + 2 * DEPTH;

		run("VT_BREAK");
		vt_sleep_ms(100);
		run("VT_MEND");
		while (w.done < end) {
			CHECK(reap(&w, &wc), "status %d although the wire was mended", wc.status);
			post(&w);
		}
	}
	while (w.done < w.posted)
		CHECK(reap(&w, &wc), "status %d although the wire was mended", wc.status);
	vt_buf_fill(w.dst, 0, w.dst->size);
}

static void goodput(const void *arg)
{
	const char *seconds = getenv("VT_SECONDS");
	uint64_t ms = (seconds ? (uint64_t)atoi(seconds) : 2) * 1000, began, now, first;
	struct wire w;
	struct ibv_wc wc;

	setup(&w, *(const enum ibv_wr_opcode *)arg, 7, 12);
	warm_up(&w);
	began = vt_now_ms();
	first = w.done;
	while ((now = vt_now_ms()) - began < ms) {
		vt_poll(w.p->a.scq, &wc, "a WRITE");
		CHECK_EQ(wc.status, IBV_WC_SUCCESS, "status of a WRITE");
		w.done++;
		post(&w);
	}
	printf("GOODPUT %llu\n", (unsigned long long)((w.done - first) * MSG * 1000 / (now - began)));
	fflush(stdout);
	while (w.done < w.posted)
		CHECK(reap(&w, &wc), "status %d", wc.status);
	vt_buf_fill(w.dst, 0, w.dst->size);
}

static void add_cases(void)
{
	static const struct {
		const char *name;
		enum ibv_wr_opcode op;
	} ops[] = {
		{ "send", IBV_WR_SEND }, { "write", IBV_WR_RDMA_WRITE }, { "read", IBV_WR_RDMA_READ },
	};
	char name[64];

	for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
		snprintf(name, sizeof(name), "break/%s", ops[i].name);
		vt_add(name, broken, &ops[i].op, 30);
		snprintf(name, sizeof(name), "mend/%s", ops[i].name);
		vt_add(name, mended, &ops[i].op, 30);
	}
	vt_add("goodput", goodput, &ops[1].op, 60);
}

int main(int argc, char **argv)
{
	return vt_main(argc, argv, add_cases);
}
