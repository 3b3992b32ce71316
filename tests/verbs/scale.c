// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * scale: many of everything.
 *
 *  scale/qps/...		FEW_QPS connected QPs (QPS with BERTH_LONG in the environment, half of FEW_QPS with --slow 3 or more)
 *				with queues of 16: what the kernel needs for one of them
 *				that is idle, then a message through every pair.
 *  scale/rate/...		messages per second with ACTIVE busy pairs against one.
 *  scale/processes		PROCESSES processes at once, each with a pair of its own.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "vtest.h"

#define QPS		10000
#define FEW_QPS		2000
#define QUEUE		16
#define PER_QP		8192	/* bytes of kernel memory, at most */
#define ACTIVE		1000
#define POSTED		4	/* requests in one call */
#define ROUNDS		5
/* Per cent of the rate of one pair, at least; by the clock of an emulator. The benchmark counts instructions. */
#define SHARE		50
#define PROCESSES	64
#define MSG		64

struct ends {
	struct vt_dev *da, *db;
	struct vt_buf *src, *dst;
};

/* arg is "wire" or NULL. */
static struct ends open_ends(const void *arg, size_t size)
{
	struct ends e = { .da = vt_open(vt_cfg.dev) };

	e.db = arg ? vt_open(vt_cfg.peer) : e.da;
	e.src = vt_buf_new(e.da, VT_HOST, size, VT_ACCESS_ALL);
	e.dst = vt_buf_new(e.db, VT_HOST, size, VT_ACCESS_ALL);
	return e;
}

/* Slab, page tables, per-CPU memory and vmalloc, where the rings are: bytes. */
static long long kernel_memory(void)
{
	static const char *const parts[] = { "Slab:", "VmallocUsed:", "PageTables:", "Percpu:" };
	long long sum = 0;
	char line[128];
	FILE *f = fopen("/proc/meminfo", "re");

	CHECK(f, "/proc/meminfo: %s", strerror(errno));
	while (fgets(line, sizeof(line), f))
		for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
			if (!strncmp(line, parts[i], strlen(parts[i])))
				sum += atoll(line + strlen(parts[i])) * 1024;
	fclose(f);
	return sum;
}

/* KASAN and the like multiply sizes: what they say of memory is not what a user sees. */
static bool debug_kernel(void)
{
	return !access("/sys/kernel/debug/kmemleak", F_OK);
}

static struct vt_opts small_queues(void)
{
	struct vt_opts o = VT_OPTS;

	o.send_wr = o.recv_wr = QUEUE;
	o.send_sge = o.recv_sge = 1;
	return o;
}

static void qps(const void *arg)
{
	/* All take most of a minute, ten on the debug kernel. */
	const size_t all = vt_cfg.slow > 2 ? FEW_QPS / 2 : vt_is_long() ? QPS : FEW_QPS, pairs = all / 2;
	struct ends e = open_ends(arg, pairs * MSG);
	struct vt_opts o = small_queues();
	struct vt_pair **pair = vt_zalloc(sizeof(*pair) * pairs);
	long long before, each;
	size_t i;

	o.cq[0] = vt_cq_new(e.da, 2 * QUEUE, NULL);
	o.cq[1] = vt_cq_new(e.db, 2 * QUEUE, NULL);
	before = kernel_memory();
	for (i = 0; i < pairs; i++)
		pair[i] = vt_pair_new(e.da, e.db, &o);
	each = (kernel_memory() - before) / (long long)(2 * pairs);
	fprintf(stderr, "%s: %zu QPs with queues of %d: %lld bytes of kernel memory each\n",
		vt_case_name(), 2 * pairs, QUEUE, each);
	CHECK(debug_kernel() || each <= PER_QP,
	      "an idle QP takes %lld bytes of kernel memory, at most %d are due", each, PER_QP);

	for (i = 0; i < pairs; i++) {
		struct vt_pair *p = pair[i];

		CHECK_ERRNO(vt_recv(&p->b, i, vt_sge(e.dst, i * MSG, MSG)), 0, "post_recv");
		CHECK_ERRNO(vt_send(&p->a, i, IBV_WR_SEND, vt_sge(e.src, i * MSG, MSG), NULL, 0,
				    IBV_SEND_SIGNALED), 0, "post_send");
		vt_expect_wc(&p->a, o.cq[0], i, IBV_WC_SUCCESS, "one message of a pair", NULL);
		vt_expect_wc(&p->b, o.cq[1], i, IBV_WC_SUCCESS, "one receive of a pair", NULL);
	}
	vt_buf_expect_copy(e.dst, 0, e.dst->size, e.src, 0, "what went through all pairs");
	vt_buf_fill(e.dst, 0, e.dst->size);
}

/* POSTED WRITEs in one call, the last with a completion; pair @i has a place of its own. */
static void post(const struct ends *e, struct vt_pair *p, size_t i)
{
	struct ibv_send_wr wr[POSTED], *bad;
	struct ibv_sge sge[POSTED];

	for (size_t k = 0; k < POSTED; k++) {
		size_t at = (i * POSTED + k) * MSG;

		sge[k] = vt_sge(e->src, at, MSG);
		wr[k] = (struct ibv_send_wr){
			.wr_id = i, .sg_list = &sge[k], .num_sge = 1, .opcode = IBV_WR_RDMA_WRITE,
			.next = k + 1 < POSTED ? &wr[k + 1] : NULL,
			.send_flags = k + 1 < POSTED ? 0 : IBV_SEND_SIGNALED,
			.wr.rdma = { .remote_addr = e->dst->iova + at, .rkey = e->dst->mr->rkey },
		};
	}
	CHECK_ERRNO(ibv_post_send(p->a.qp, wr, &bad), 0, "post_send");
}

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec * 1e-9;
}

/*
 * Messages per second when each of @pairs pairs has @depth calls under way: a pair posts again when
 * one of its own has completed.
 */
static double rate(const struct ends *e, struct vt_pair **pair, size_t pairs, size_t depth,
		   struct ibv_cq *cq)
{
	const size_t calls = (size_t)ACTIVE * (vt_cfg.slow > 2 ? 3 : 10);
	size_t posted = 0, done = 0;
	double began = now();

	for (size_t d = 0; d < depth; d++)
		for (size_t i = 0; i < pairs; i++, posted++)
			post(e, pair[i], i);
	while (done < calls) {
		struct ibv_wc wc[16];
		int n = ibv_poll_cq(cq, 16, wc);

		CHECK(n >= 0, "ibv_poll_cq: %d", n);
		for (int k = 0; k < n; k++, done++) {
			CHECK_EQ(wc[k].status, IBV_WC_SUCCESS, "status");
			if (posted < calls) {
				post(e, pair[wc[k].wr_id], wc[k].wr_id);
				posted++;
			}
		}
	}
	return (double)(calls * POSTED) / (now() - began);
}

static void rates(const void *arg)
{
	struct ends e = open_ends(arg, (size_t)ACTIVE * POSTED * MSG);
	struct vt_opts o = small_queues();
	struct vt_pair **pair = vt_zalloc(sizeof(*pair) * ACTIVE);
	/* The debug kernel is there for what 1,000 do to each other. */
	const int rounds = vt_cfg.slow > 2 ? 2 : ROUNDS;
	double one = 0, many = 0, r;

	o.cq[0] = vt_cq_new(e.da, ACTIVE * QUEUE, NULL);
	o.cq[1] = vt_cq_new(e.db, 2 * QUEUE, NULL);
	for (size_t i = 0; i < ACTIVE; i++)
		pair[i] = vt_pair_new(e.da, e.db, &o);
	/* Others use this machine as well: in turns, and the best of each. */
	for (int i = 0; i < rounds; i++) {
		r = rate(&e, pair, 1, QUEUE / POSTED, o.cq[0]);
		one = r > one ? r : one;
		r = rate(&e, pair, ACTIVE, 1, o.cq[0]);
		many = r > many ? r : many;
	}
	vt_buf_expect_copy(e.dst, 0, e.dst->size, e.src, 0, "what the pairs wrote");
	vt_buf_fill(e.dst, 0, e.dst->size);
	/* The benchmark reads this. */
	fprintf(stderr, "%s: %.0f messages/s with one pair, %.0f with %d\n", vt_case_name(), one,
		many, ACTIVE);
	CHECK(many * 100 >= one * SHARE, "%.0f messages/s with %d pairs, with one %.0f: less than %d %%",
	      many, ACTIVE, one, SHARE);
}

static void one_process(const void *arg)
{
	struct ends e = open_ends(arg, 65536);
	struct vt_opts o = small_queues();
	struct vt_pair *p = vt_pair_new(e.da, e.db, &o);

	for (unsigned int i = 0; i < 20; i++)
		vt_ping(p, e.src, e.dst, 1 + i * 3000);
}

static void processes(const void *arg)
{
	pid_t pid[PROCESSES];
	int failed = 0;

	fflush(NULL);
	for (int i = 0; i < PROCESSES; i++) {
		pid[i] = fork();
		CHECK(pid[i] >= 0, "fork: %s", strerror(errno));
		if (!pid[i]) {
			one_process(arg);
			_exit(0);
		}
	}
	for (int i = 0; i < PROCESSES; i++) {
		int status;

		CHECK(waitpid(pid[i], &status, 0) == pid[i], "waitpid: %s", strerror(errno));
		failed += status != 0;
	}
	CHECK(!failed, "%d of %d processes failed", failed, PROCESSES);
}

static void add_cases(void)
{
	vt_add("scale/qps/local", qps, NULL, 120);
	vt_add("scale/rate/local", rates, NULL, 60);
	vt_add("scale/processes/local", processes, NULL, 60);
	if (!vt_cfg.peer)
		return;
	vt_add("scale/qps/wire", qps, "wire", 120);
	vt_add("scale/rate/wire", rates, "wire", 60);
	vt_add("scale/processes/wire", processes, "wire", 60);
}

int main(int argc, char **argv)
{
	return vt_main(argc, argv, add_cases);
}
