// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * odp: traffic while a thread takes the pages away all the time, by every way that leaves the bytes; while
 * the region is deregistered; while the process is killed.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "odp.h"
#include "xfer.h"

#define ROUNDS	60
#define BYTES	(32 * ODP_PAGE)

struct churn {
	uint8_t *at;
	size_t size;
	bool shared;		/* the bytes are a file's */
	bool stop;
	unsigned long rounds;
};

static bool stopped(const struct churn *c)
{
	return __atomic_load_n(&c->stop, __ATOMIC_RELAXED);
}

/* The child shares all pages for a moment: the parent's are made read-only, and copied when written. */
static void share_all(void)
{
	pid_t pid = fork();

	if (!pid)
		_exit(0);
	if (pid > 0)
		waitpid(pid, NULL, 0);
}

/* Soft-dirty bits begin anew, for which every page is made read-only. */
static void protect_all(void)
{
	int fd = open("/proc/self/clear_refs", O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	if (write(fd, "4", 1) != 1)
		errno = 0;
	close(fd);
}

/* Ways that leave the bytes. What the kernel cannot do is no matter. */
static void *take_away(void *arg)
{
	struct churn *c = arg;
	uint64_t state = 5;

	while (!stopped(c)) {
		size_t first = vt_rand(&state) % (c->size / ODP_PAGE);
		size_t n = 1 + vt_rand(&state) % (c->size / ODP_PAGE - first);

		madvise(c->at + first * ODP_PAGE, n * ODP_PAGE, MADV_PAGEOUT);
		if (c->shared)
			madvise(c->at + first * ODP_PAGE, n * ODP_PAGE, MADV_DONTNEED);
		if (c->rounds % 8 == 3)
			protect_all();
		if (c->rounds % 16 == 5)
			share_all();
		c->rounds++;
		usleep(500);
	}
	return NULL;
}

/* The same bytes in a file that is mapped in the place of private memory. */
static void make_shared(struct vt_buf *buf)
{
	int fd = memfd_create("odp", MFD_CLOEXEC);

	CHECK(fd >= 0, "memfd_create: %s", strerror(errno));
	CHECK_EQ(write(fd, buf->base, buf->base_size), buf->base_size, "writing the file");
	CHECK(mmap(buf->base, buf->base_size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0) ==
	      buf->base, "mmap of the file: %s", strerror(errno));
	close(fd);
}

/* Messages of every opcode, checked byte for byte, while pages of both sides come and go. */
static void churn(const void *arg)
{
	const struct odp_arg *t = arg;
	struct vt_opts o = odp_opts();
	struct odp_bench b = odp_bench(t, &o);
	struct churn c[2] = { { .at = b.a->base, .size = b.a->base_size, .shared = t->row },
			      { .at = b.b->base, .size = b.b->base_size, .shared = t->row } };
	pthread_t thread[2];

	if (t->row) {
		make_shared(b.a);
		make_shared(b.b);
	}
	for (int i = 0; i < 2; i++)
		CHECK_ERRNO(pthread_create(&thread[i], NULL, take_away, &c[i]), 0, "pthread_create");
	for (unsigned int i = 0; i < ROUNDS; i++) {
		enum xfer_op op = (enum xfer_op)(i % X_OPS);
		struct vt_buf *src = op == X_READ ? b.b : b.a, *dst = op == X_READ ? b.a : b.b;
		struct xfer x = xfer_simple(op, src, 100 + 37 * i, dst, 9000 + 4099 * i,
					    1 + i * 4001 % 200000);

		xfer_run(&b.p->a, &b.p->b, &x);
	}
	for (int i = 0; i < 2; i++)
		__atomic_store_n(&c[i].stop, true, __ATOMIC_RELAXED);
	for (int i = 0; i < 2; i++)
		pthread_join(thread[i], NULL);
	CHECK(c[0].rounds && c[1].rounds, "nothing was taken away");
	vt_buf_check(b.a, 0, ODP_SIZE, "the requester's buffer");
	vt_buf_check(b.b, 0, ODP_SIZE, "the responder's buffer");
}

/* The region goes while WRITEs to it are under way: each is done or refused, none hangs. */
static void dereg(const void *arg)
{
	struct vt_opts o = odp_opts();
	struct odp_bench b = odp_bench(arg, &o);

	for (int i = 0; i < 20; i++) {
		uint8_t *at = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		struct ibv_mr *mr = ibv_reg_mr(b.db->pd, at, BYTES, ODP_ACCESS);
		unsigned int good = 0;
		struct ibv_wc wc;

		CHECK(mr, "ibv_reg_mr: %s", strerror(errno));
		for (uint64_t k = 0; k < 16; k++)
			CHECK_ERRNO(vt_rdma(&b.p->a, k, IBV_WR_RDMA_WRITE, vt_sge(b.a, k, BYTES),
					    (uintptr_t)at, mr->rkey), 0, "ibv_post_send");
		if (i & 1)
			vt_sleep_ms((unsigned int)i);
		CHECK_ERRNO(ibv_dereg_mr(mr), 0, "ibv_dereg_mr");
		CHECK(!munmap(at, BYTES), "munmap");
		for (uint64_t k = 0; k < 16; k++) {
			vt_poll(b.p->a.scq, &wc, "WRITE");
			CHECK_EQ(wc.wr_id, k, "order of completions");
			CHECK(wc.status == IBV_WC_SUCCESS || wc.status == IBV_WC_REM_ACCESS_ERR ||
			      wc.status == IBV_WC_WR_FLUSH_ERR, "status '%s'",
			      ibv_wc_status_str(wc.status));
			good += wc.status == IBV_WC_SUCCESS;
		}
		if (good < 16)
			vt_pair_reset(b.p);
	}
}

/* In the child: traffic until it is killed. */
static void run_until_killed(const void *arg, int ready)
{
	struct vt_opts o = odp_opts();
	struct odp_bench b = odp_bench(arg, &o);
	char c = 0;

	if (write(ready, &c, 1) != 1)
		_exit(1);
	for (uint64_t i = 0;; i++) {
		odp_evict_bench(&b);
		CHECK_ERRNO(vt_send(&b.p->a, i, IBV_WR_RDMA_WRITE, vt_sge(b.a, 0, ODP_SIZE), b.b, 0,
				    IBV_SEND_SIGNALED), 0, "ibv_post_send");
		vt_expect_wc(&b.p->a, b.p->a.scq, i, IBV_WC_SUCCESS, "WRITE", NULL);
	}
}

static void killed(const void *arg)
{
	for (unsigned int i = 0; i < 10; i++) {
		int ready[2], status;
		pid_t pid;
		char c;

		CHECK(!pipe(ready), "pipe");
		pid = fork();
		CHECK(pid >= 0, "fork");
		if (!pid)
			run_until_killed(arg, ready[1]);
		close(ready[1]);
		CHECK_EQ(read(ready[0], &c, 1), 1, "the child did not begin");
		vt_sleep_ms(5 + 7 * i);
		kill(pid, SIGKILL);
		CHECK(waitpid(pid, &status, 0) == pid, "waitpid");
		CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "the child ended by itself");
		close(ready[0]);
	}
}

void odp_add_churn(void)
{
	odp_add("churn/private", churn, 0, 120);
	odp_add("churn/file", churn, 1, 120);
	odp_add("dereg", dereg, 0, 60);
	odp_add("killed", killed, 0, 120);
}
