// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * Options and random numbers of the fuzzers, and the innocent beside them. One seed decides what a
 * run does; when it does it depends on the machine, so a seed repeats the packets or calls, not
 * their timing.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "fuzz.h"
#include "xfer.h"

#define INNOCENT_BYTES	(64 * 1024)
#define INNOCENT_BUFS	3

struct fuzz_config fuzz_cfg;

static uint64_t state, begin_ms;

/* Shared with the innocent. */
static struct innocent {
	volatile uint32_t qpn[INNOCENT_QPS];
	struct innocent_region region[INNOCENT_BUFS];
	volatile bool ready, stop;
	volatile unsigned long rounds;
} *innocent;

static pid_t innocent_pid;
static unsigned long rounds_seen;

void fuzz_options(int *argc, char **argv, unsigned long count)
{
	int out = 1;

	fuzz_cfg.count = count;
	fuzz_cfg.seed = (uint64_t)time(NULL) * 1000003 + (uint64_t)getpid();
	for (int i = 1; i < *argc; i++) {
		char *value = i + 1 < *argc ? argv[i + 1] : "";

		if (!strcmp(argv[i], "--seed"))
			fuzz_cfg.seed = strtoull(value, NULL, 0);
		else if (!strcmp(argv[i], "--seconds"))
			fuzz_cfg.seconds = (unsigned int)strtoul(value, NULL, 0);
		else if (!strcmp(argv[i], "--count"))
			fuzz_cfg.count = strtoul(value, NULL, 0);
		else {
			argv[out++] = argv[i];
			continue;
		}
		i++;
	}
	*argc = out;
	argv[out] = NULL;
}

void fuzz_begin(void)
{
	fprintf(stderr, "%s: --seed %#llx\n", vt_case_name(), (unsigned long long)fuzz_cfg.seed);
	state = fuzz_cfg.seed;
	begin_ms = vt_now_ms();
}

void fuzz_reseed(void)
{
	state = fuzz_cfg.seed;
}

bool fuzz_on(unsigned long done)
{
	if (fuzz_cfg.seconds)
		return vt_now_ms() - begin_ms < fuzz_cfg.seconds * 1000ULL;
	return done < fuzz_cfg.count;
}

unsigned int fuzz_seconds(void)
{
	return fuzz_cfg.seconds + 60;
}

uint64_t fuzz_rnd(void)
{
	return vt_rand(&state);
}

uint32_t fuzz_below(uint32_t n)
{
	return (uint32_t)((fuzz_rnd() >> 16) % n);
}

bool fuzz_odds(unsigned int percent)
{
	return fuzz_below(100) < percent;
}

void fuzz_bytes(void *buf, size_t len)
{
	uint8_t *p = buf;

	for (size_t i = 0; i < len; i++)
		p[i] = (uint8_t)(fuzz_rnd() >> 24);
}

uint64_t fuzz_odd(void)
{
	static const uint64_t special[] = {
		0, 1, 2, 3, 4, 7, 8, 15, 16, 31, 32, 63, 64, 127, 128, 255, 256, 511, 512, 1023, 1024,
		2048, 4095, 4096, 4097, 8192, 16383, 16384, 16385, 65535, 65536, 1 << 20,
		0x7fffff, 0x800000, 0xffffff, 0x1000000, 0x7fffffff, 0x80000000, 0xfffffffe,
		0xffffffff, 1ULL << 32, 1ULL << 47, 0x7fffffffffffffff, 1ULL << 63, -4096ULL, -1ULL,
	};

	if (fuzz_odds(40))
		return special[fuzz_below(sizeof(special) / sizeof(special[0]))];
	return fuzz_rnd() >> fuzz_below(64);
}

static void innocent_round(struct vt_pair *p, struct vt_buf *src, struct vt_buf *dst,
			   uint64_t *rnd)
{
	enum xfer_op op = (enum xfer_op)(vt_rand(rnd) % X_OPS);
	uint32_t len = 1 + (uint32_t)(vt_rand(rnd) % (INNOCENT_BYTES - 8192));
	struct xfer x;

	if (op == X_SEND_INV)
		return;
	if (op == X_READ)
		x = xfer_simple(op, dst, vt_rand(rnd) % 4096, src, vt_rand(rnd) % 4096, len);
	else
		x = xfer_simple(op, src, vt_rand(rnd) % 4096, dst, vt_rand(rnd) % 4096, len);
	x.flags = IBV_SEND_SIGNALED;
	xfer_run(&p->a, &p->b, &x);
}

static void tell_region(int i, const struct vt_buf *buf)
{
	innocent->region[i] = (struct innocent_region){ buf->iova, buf->mr->rkey };
}

/* One pair across the wire, one on a device. Does not return. */
static void innocent_main(void)
{
	struct vt_dev *da = vt_open(vt_cfg.dev), *db = vt_open(vt_cfg.peer ? vt_cfg.peer : vt_cfg.dev);
	struct vt_buf *a = vt_buf_new(da, VT_HOST, INNOCENT_BYTES, VT_ACCESS_ALL);
	struct vt_buf *b = vt_buf_new(db, VT_HOST, INNOCENT_BYTES, VT_ACCESS_ALL);
	struct vt_buf *c = vt_buf_new(da, VT_HOST, INNOCENT_BYTES, VT_ACCESS_ALL);
	struct vt_opts o = VT_OPTS;
	struct vt_pair *wire, *local;
	uint64_t rnd = 5;

	wire = vt_pair_new(da, db, &o);
	local = vt_pair_new(da, da, &o);
	tell_region(0, a);
	tell_region(1, b);
	tell_region(2, c);
	innocent->qpn[0] = wire->a.qp->qp_num;
	innocent->qpn[1] = wire->b.qp->qp_num;
	innocent->qpn[2] = local->a.qp->qp_num;
	innocent->qpn[3] = local->b.qp->qp_num;
	innocent->ready = true;
	while (!innocent->stop) {
		innocent_round(wire, a, b, &rnd);
		innocent_round(local, a, c, &rnd);
		innocent->rounds++;
		usleep(2000);
	}
	vt_buf_check(a, 0, a->size, "source of the innocent");
	vt_buf_check(b, 0, b->size, "target of the innocent");
	vt_buf_check(c, 0, c->size, "target of the innocent");
	_exit(0);
}

void innocent_start(void)
{
	uint64_t end = vt_now_ms() + 10000 * vt_cfg.slow;
	int status;

	innocent = mmap(NULL, sizeof(*innocent), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
			-1, 0);
	CHECK(innocent != MAP_FAILED, "mmap: %s", strerror(errno));
	innocent_pid = fork();
	CHECK(innocent_pid >= 0, "fork: %s", strerror(errno));
	if (!innocent_pid)
		innocent_main();
	while (!innocent->ready) {
		CHECK(vt_now_ms() < end && !waitpid(innocent_pid, &status, WNOHANG),
		      "the innocent did not start");
		usleep(1000);
	}
}

const uint32_t *innocent_qpns(void)
{
	return (const uint32_t *)innocent->qpn;
}

const struct innocent_region *innocent_region(uint32_t i)
{
	return &innocent->region[i % INNOCENT_BUFS];
}

void innocent_check(void)
{
	uint64_t end = vt_now_ms() + 20000 * vt_cfg.slow;
	int status;

	while (innocent->rounds == rounds_seen) {
		CHECK(!waitpid(innocent_pid, &status, WNOHANG),
		      "the innocent has ended (see above), status %#x", status);
		CHECK(vt_now_ms() < end, "the innocent makes no progress");
		usleep(1000);
	}
	rounds_seen = innocent->rounds;
}

void innocent_stop(void)
{
	uint64_t end = vt_now_ms() + 20000 * vt_cfg.slow;
	int status;
	pid_t pid;

	innocent_check();
	innocent->stop = true;
	while (!(pid = waitpid(innocent_pid, &status, WNOHANG))) {
		CHECK(vt_now_ms() < end, "the innocent does not end");
		usleep(1000);
	}
	CHECK(pid == innocent_pid && WIFEXITED(status) && !WEXITSTATUS(status),
	      "the innocent was disturbed (see above), status %#x", status);
	fprintf(stderr, "%s: the innocent did %lu rounds\n", vt_case_name(), innocent->rounds);
}
