// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * rc_wire: a wire that breaks while a connection is busy, and how fast a bad one still is. The caller
 * says how to break and to mend it, as it knows the netdevs and their namespaces: VT_BREAK, VT_MEND.
 *
 *  break		the wire stays broken: the oldest request ends with the retry error within the time that
 *		was configured, those behind it are flushed, and what had completed is there.
 *  mend		the wire works again before retries run out: nothing but delay is seen.
 *  goodput	64 KiB WRITEs for a while; prints "GOODPUT bytes per second".
 *  late		the wire is slow, and a receive is posted long after the ack timeout: no reason to give up.
 *  moving	a lost packet is sent again although the next message waits for its memory, and in vain.
 *  flap		on one device: the carrier comes and goes in the middle of messages, which go on as packets and back.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <rdma/berth-exporter.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

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

/* Without a retry: the answer that the receiver is not ready is an answer. */
static void late_receive(const void *arg)
{
	struct wire w;

	setup(&w, *(const enum ibv_wr_opcode *)arg, 0, TIMEOUT);
	CHECK_ERRNO(vt_send(&w.p->a, 1, w.op, vt_sge(w.src, 5, MSG), w.dst, 0, IBV_SEND_SIGNALED), 0, "post_send");
	vt_poll_none(w.p->a.scq, 1000, "a receiver that is not ready");
	CHECK_ERRNO(vt_recv(&w.p->b, 2, vt_sge(w.dst, 0, MSG)), 0, "post_recv");
	vt_expect_wc(&w.p->b, w.p->b.rcq, 2, IBV_WC_SUCCESS, "a late receive", NULL);
	vt_expect_wc(&w.p->a, w.p->a.scq, 1, IBV_WC_SUCCESS, "a message that waited", NULL);
	vt_buf_expect_copy(w.dst, 0, MSG, w.src, 5, "a message that waited");
	vt_buf_fill(w.dst, 0, w.dst->size);
}

/*
 * The memory of the second WRITE is moved, which takes 200 ms, and then revoked. The first is lost, and its ack timeout
 * of about 810 ms ends in that time.
 */
static void moving_behind(const void *arg)
{
	struct berth_exporter_alloc al = { .offset = BERTH_EXPORTER_ANYWHERE, .length = MSG,
					   .flags = BERTH_EXPORTER_SLOW };
	struct berth_exporter_target tg = { };
	struct ibv_sge sge;
	struct ibv_mr *mr;
	struct wire w;
	int ctl;

	(void)arg;
	if (!vt_mem_probe(VT_MOVE))
		vt_skip("no %s on this machine", BERTH_EXPORTER_MOVE_DEV);
	setup(&w, IBV_WR_RDMA_WRITE, 7, TIMEOUT + 2);
	ctl = open(BERTH_EXPORTER_MOVE_DEV, O_RDWR | O_CLOEXEC);
	CHECK(ctl >= 0 && !ioctl(ctl, BERTH_EXPORTER_ALLOC, &al), "%s: %s", BERTH_EXPORTER_MOVE_DEV, strerror(errno));
	tg.fd = al.fd;
	mr = ibv_reg_dmabuf_mr(w.da->pd, 0, MSG, 0, al.fd, VT_ACCESS_ALL);
	CHECK(mr, "ibv_reg_dmabuf_mr: %s", strerror(errno));
	sge = (struct ibv_sge){ .addr = 0, .length = MSG, .lkey = mr->lkey };

	run("VT_BREAK");
	post(&w);
	vt_sleep_ms(700);
	CHECK(!ioctl(ctl, BERTH_EXPORTER_MOVE, &tg), "MOVE: %s", strerror(errno));
	CHECK_ERRNO(vt_send(&w.p->a, 9, IBV_WR_RDMA_WRITE, sge, w.dst, place(1), IBV_SEND_SIGNALED), 0, "post_send");
	vt_sleep_ms(160);
	CHECK(!ioctl(ctl, BERTH_EXPORTER_REVOKE, &tg), "REVOKE: %s", strerror(errno));
	run("VT_MEND");
	vt_expect_wc(&w.p->a, w.p->a.scq, 0, IBV_WC_SUCCESS, "a WRITE that was lost", NULL);
	vt_buf_expect_copy(w.dst, place(0), MSG, w.src, origin(0), "a WRITE that was lost");
	vt_expect_wc(&w.p->a, w.p->a.scq, 9, IBV_WC_LOC_PROT_ERR, "a WRITE of revoked memory", NULL);
	vt_buf_check(w.dst, place(1), MSG, "the target of a WRITE of revoked memory");
	vt_buf_fill(w.dst, 0, w.dst->size);
	CHECK_ERRNO(ibv_dereg_mr(mr), 0, "ibv_dereg_mr");
	close(al.fd);
	close(ctl);
}

#define LONG_MSG	(16U << 20)

static void *flap_on(void *arg)
{
	volatile bool *stop = arg;

	while (!*stop) {
		run("VT_BREAK");
		vt_sleep_ms(20);
		run("VT_MEND");
		vt_sleep_ms(20);
	}
	return NULL;
}

/* Long messages between two QPs of one device while its carrier comes and goes. */
static void flap(const void *arg)
{
	const enum ibv_wr_opcode op = *(const enum ibv_wr_opcode *)arg;
	struct vt_dev *d = vt_open(vt_cfg.dev);
	struct vt_buf *src = vt_buf_new(d, VT_HOST, LONG_MSG + 4096, VT_ACCESS_ALL);
	struct vt_buf *dst = vt_buf_new(d, VT_HOST, LONG_MSG + 4096, VT_ACCESS_ALL);
	struct vt_opts o = VT_OPTS;
	struct vt_pair *p = vt_pair_new(d, d, &o);
	volatile bool stop = false;
	pthread_t thread;
	uint64_t end;

	CHECK(!pthread_create(&thread, NULL, flap_on, (void *)&stop), "pthread_create");
	end = vt_now_ms() + 4000;
	for (uint64_t i = 0; i < 6 || vt_now_ms() < end; i++) {
		size_t from = (i * 67) % 4096, to = (i * 131) % 4096;

		if (op == IBV_WR_SEND)
			CHECK_ERRNO(vt_recv(&p->b, i, vt_sge(dst, to, LONG_MSG)), 0, "post_recv");
		CHECK_ERRNO(vt_send(&p->a, i, op, vt_sge(src, from, LONG_MSG), dst, to, IBV_SEND_SIGNALED), 0, "post_send");
		vt_expect_wc(&p->a, p->a.scq, i, IBV_WC_SUCCESS, "a message of both ways", NULL);
		if (op == IBV_WR_SEND)
			vt_expect_wc(&p->b, p->b.rcq, i, IBV_WC_SUCCESS, "a receive of both ways", NULL);
		vt_buf_expect_copy(dst, to, LONG_MSG, src, from, "a message of both ways");
		vt_buf_fill(dst, 0, dst->size);
	}
	stop = true;
	pthread_join(thread, NULL);
}

static void add_cases(void)
{
	static const enum ibv_wr_opcode write_imm = IBV_WR_RDMA_WRITE_WITH_IMM;
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
		if (ops[i].op == IBV_WR_RDMA_READ)
			continue;
		snprintf(name, sizeof(name), "flap/%s", ops[i].name);
		vt_add(name, flap, &ops[i].op, 60);
	}
	vt_add("late/send", late_receive, &ops[0].op, 30);
	vt_add("late/write_imm", late_receive, &write_imm, 30);
	vt_add("moving", moving_behind, NULL, 30);
	vt_add("goodput", goodput, &ops[1].op, 60);
}

int main(int argc, char **argv)
{
	return vt_main(argc, argv, add_cases);
}
