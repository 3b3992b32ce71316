// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * Tests of the shim from inside a program that it is preloaded into, over the fake verbs.
 *
 * Each case is a function, run in a process of its own with BERTH_DMABUF naming a fake exporter;
 * shim-test.sh sets the environment and looks at stderr. Cases check content, neighbours,
 * sharing, and what is given back.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <infiniband/verbs.h>

#include "../common/pattern.h"
#include "fake-verbs.h"

#define PAGE 4096UL

static struct fake_state *fake;
static struct ibv_device device;
static struct ibv_context context = { .device = &device };
static struct ibv_pd pd = { .context = &context };

#define CHECK(cond)								\
	do {									\
		if (!(cond)) {							\
			printf("%s:%d: %s\n", __FILE__, __LINE__, #cond);	\
			exit(1);						\
		}								\
	} while (0)

/* Not constant, as in perftest, so that ibv_reg_mr_iova2 is called. */
static volatile int access_flags = IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_WRITE;

static bool in_dmabuf(const void *addr)
{
	unsigned long start, end;
	char line[512];
	bool found = false;
	FILE *maps = fopen("/proc/self/maps", "r");

	while (fgets(line, sizeof(line), maps))
		if (sscanf(line, "%lx-%lx", &start, &end) == 2 && (unsigned long)addr >= start &&
		    (unsigned long)addr < end &&
		    (strstr(line, "fake-dmabuf") || strstr(line, "/dmabuf")))
			found = true;
	fclose(maps);
	return found;
}

static void *private_memory(void *at, size_t length)
{
	return mmap(at, length, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | (at ? MAP_FIXED : 0), -1, 0);
}

static void aligned_buffer_keeps_content(void)
{
	uint8_t *buf = memalign(PAGE, 3 * PAGE);
	struct ibv_mr *mr;

	for (size_t i = 0; i < 3 * PAGE; i++)
		buf[i] = (uint8_t)(i * 7);
	mr = ibv_reg_mr(&pd, buf, 3 * PAGE, access_flags);
	CHECK(mr && mr->addr == buf && mr->length == 3 * PAGE);
	CHECK(fake->dmabuf_mrs == 1 && !fake->host_mrs && !fake->syncs);
	CHECK(fake->offset == 0 && fake->iova == (uintptr_t)buf);
	CHECK(in_dmabuf(buf) && in_dmabuf(buf + 3 * PAGE - 1));
	for (size_t i = 0; i < 3 * PAGE; i++)
		CHECK(buf[i] == (uint8_t)(i * 7));
	buf[5] = 200;
	CHECK(!ibv_dereg_mr(mr) && fake->deregs == 1);
	CHECK(!in_dmabuf(buf) && !in_dmabuf(buf + 3 * PAGE - 1));
	CHECK(buf[5] == 200 && buf[6] == 42);
	free(buf);
}

static void heap_buffer_keeps_neighbours(void)
{
	char *before = malloc(1000), *buf = malloc(9000), *after = malloc(1000);
	struct ibv_mr *mr;

	memset(before, 'b', 1000);
	memset(buf, 'm', 9000);
	memset(after, 'a', 1000);
	mr = ibv_reg_mr(&pd, buf, 9000, access_flags);
	CHECK(mr && fake->offset == ((uintptr_t)buf & (PAGE - 1)));
	CHECK((fake->offset ^ fake->iova) % PAGE == 0);
	before[999] = 'B';
	after[0] = 'A';
	for (int i = 0; i < 1000; i++) {
		CHECK(before[i] == (i == 999 ? 'B' : 'b'));
		CHECK(after[i] == (i == 0 ? 'A' : 'a'));
	}
	free(buf);
	CHECK(!ibv_dereg_mr(mr));
	CHECK(before[999] == 'B' && after[0] == 'A' && after[999] == 'a');
	free(before);
	free(after);
	free(malloc(20000));
}

static void overlapping_registrations_share(void)
{
	char *buf = memalign(PAGE, 8 * PAGE);
	struct ibv_mr *whole = ibv_reg_mr(&pd, buf, 8 * PAGE, access_flags);
	struct ibv_mr *part = ibv_reg_mr(&pd, buf + PAGE + 16, 2 * PAGE, access_flags);

	CHECK(whole && part && fake->allocated == 1 && fake->offset == PAGE + 16);
	CHECK(!ibv_dereg_mr(whole) && in_dmabuf(buf));
	CHECK(!ibv_dereg_mr(part) && !in_dmabuf(buf));
}

static void wider_registration_is_refused(void)
{
	char *buf = memalign(PAGE, 8 * PAGE);
	struct ibv_mr *part = ibv_reg_mr(&pd, buf + PAGE, PAGE, access_flags);

	CHECK(part);
	errno = 0;
	CHECK(!ibv_reg_mr(&pd, buf, 8 * PAGE, access_flags) && errno == EBUSY);
	CHECK(!fake->host_mrs);
	CHECK(!ibv_dereg_mr(part));
	CHECK(ibv_reg_mr(&pd, buf, 8 * PAGE, access_flags));
}

static void unmapped_while_registered(void)
{
	char *buf = private_memory(NULL, 4 * PAGE);
	struct ibv_mr *mr = ibv_reg_mr(&pd, buf, 4 * PAGE, access_flags);
	char *other;

	CHECK(mr);
	munmap(buf, 2 * PAGE);
	other = private_memory(buf, PAGE);
	other[0] = 'o';
	buf[3 * PAGE] = 'k';
	CHECK(!ibv_dereg_mr(mr));
	CHECK(other[0] == 'o' && buf[3 * PAGE] == 'k' && !in_dmabuf(buf + 3 * PAGE));
	CHECK(mprotect(buf + PAGE, PAGE, PROT_READ) && errno == ENOMEM);
}

/* Other memory at the same place, of the same size or larger, gets a dma-buf of its own. */
static void mapped_anew_while_registered(void)
{
	char *buf = private_memory(NULL, 4 * PAGE);
	struct ibv_mr *old = ibv_reg_mr(&pd, buf, 2 * PAGE, access_flags), *fresh;

	CHECK(old);
	private_memory(buf, 4 * PAGE);
	fresh = ibv_reg_mr(&pd, buf, 2 * PAGE, access_flags);
	CHECK(fresh && fake->allocated == 2 && in_dmabuf(buf));
	private_memory(buf, 4 * PAGE);
	fresh = ibv_reg_mr(&pd, buf, 4 * PAGE, access_flags);
	CHECK(fresh && fake->allocated == 3 && in_dmabuf(buf + 3 * PAGE));
	buf[0] = 'f';
	CHECK(!ibv_dereg_mr(old));
	CHECK(in_dmabuf(buf) && buf[0] == 'f');
	CHECK(!ibv_dereg_mr(fresh) && !in_dmabuf(buf) && buf[0] == 'f');
}

/* The same where a part of the old memory is still there. */
static void mapped_anew_in_part(void)
{
	char *buf = private_memory(NULL, 4 * PAGE);

	CHECK(ibv_reg_mr(&pd, buf, 4 * PAGE, access_flags));
	private_memory(buf, PAGE);
	CHECK(!ibv_reg_mr(&pd, buf, 2 * PAGE, access_flags) && errno == EBUSY);
	CHECK(ibv_reg_mr(&pd, buf, PAGE, access_flags) && fake->allocated == 2);
	CHECK(ibv_reg_mr(&pd, buf + PAGE, PAGE, access_flags) && fake->allocated == 2);
}

static void refused_by_the_device(void)
{
	char *buf = memalign(PAGE, 2 * PAGE);

	memset(buf, 'x', 2 * PAGE);
	fake->refuse_dmabuf = true;
	CHECK(!ibv_reg_mr(&pd, buf, 2 * PAGE, access_flags) && errno == EOPNOTSUPP);
	CHECK(!fake->host_mrs && !in_dmabuf(buf) && buf[2 * PAGE - 1] == 'x');
	CHECK(fcntl(fake->fd ? fake->fd : 999, F_GETFD) < 0);
}

/* BERTH_DMABUF_BAR_OFFSET=1M: who is refused leaves the place to the next. */
static void refused_takes_no_place(void)
{
	char *first = memalign(PAGE, 2 * PAGE), *second = memalign(PAGE, PAGE);

	fake->refuse_dmabuf = true;
	CHECK(!ibv_reg_mr(&pd, first, 2 * PAGE, access_flags));
	fake->refuse_dmabuf = false;
	CHECK(ibv_reg_mr(&pd, first, 2 * PAGE, access_flags));
	CHECK(ibv_reg_mr(&pd, first, PAGE, access_flags));
	CHECK(ibv_reg_mr(&pd, second, PAGE, access_flags));
}

static void small_stays_in_host_memory(void)
{
	char *buf = malloc(100);
	struct ibv_mr *mr = ibv_reg_mr(&pd, buf, 100, access_flags);

	CHECK(mr && fake->host_mrs == 1 && !fake->allocated);
	CHECK(!ibv_dereg_mr(mr));
}

static void shared_memory_is_refused(void)
{
	char *buf = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	CHECK(!ibv_reg_mr(&pd, buf, 2 * PAGE, access_flags) && errno == EOPNOTSUPP);
	CHECK(!fake->allocated && !fake->host_mrs);
}

static void register_own_stack(void)
{
	char buf[3 * PAGE] = { 0 };

	CHECK(!ibv_reg_mr(&pd, buf, sizeof(buf), access_flags) && errno == EOPNOTSUPP);
	CHECK(!fake->allocated && !fake->host_mrs);
}

static void *in_thread(void *arg)
{
	register_own_stack();
	return arg;
}

static void threads_stack_is_refused(void)
{
	pthread_t thread;

	CHECK(!pthread_create(&thread, NULL, in_thread, NULL) && !pthread_join(thread, NULL));
}

static void hole_is_refused(void)
{
	char *buf = private_memory(NULL, 3 * PAGE);

	munmap(buf + PAGE, PAGE);
	CHECK(!ibv_reg_mr(&pd, buf, 3 * PAGE, access_flags) && errno == EFAULT);
	CHECK(!ibv_reg_mr(&pd, (void *)(UINTPTR_MAX - 5000), 8192, access_flags) &&
	      errno == EFAULT);
	CHECK(!fake->allocated);
}

static void child_has_its_own_copy(void)
{
	char *buf = memalign(PAGE, 2 * PAGE);
	struct ibv_mr *mr = ibv_reg_mr(&pd, buf, 2 * PAGE, access_flags);
	int status;
	pid_t child;

	CHECK(mr);
	buf[0] = 'p';
	child = fork();
	if (!child) {
		if (buf[0] != 'p' || in_dmabuf(buf))
			_exit(1);
		buf[0] = 'c';
		_exit(0);
	}
	CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status) && !WEXITSTATUS(status));
	CHECK(buf[0] == 'p' && in_dmabuf(buf));
	CHECK(!ibv_dereg_mr(mr) && buf[0] == 'p');
}

/* BERTH_DMABUF_PATTERN=5: filled at RTR, once, and not before. */
static void pattern_at_rtr(void)
{
	uint8_t *buf = memalign(PAGE, 2 * PAGE);
	struct ibv_mr *mr = ibv_reg_mr(&pd, buf, 2 * PAGE, access_flags);
	struct ibv_qp_attr attr = { .qp_state = IBV_QPS_INIT };

	CHECK(mr);
	memset(buf, 0, 2 * PAGE);
	ibv_modify_qp(NULL, &attr, IBV_QP_STATE);
	CHECK(buf[1] == 0 && buf[9] == 0);
	attr.qp_state = IBV_QPS_RTR;
	ibv_modify_qp(NULL, &attr, IBV_QP_STATE);
	CHECK(berth_pattern_mismatch(buf, 2 * PAGE, 5, 0) == 2 * PAGE);
	CHECK(berth_pattern_mismatch(buf, 2 * PAGE, 6, 0) < 2 * PAGE);
	buf[100]++;
	attr.qp_state = IBV_QPS_RTS;
	ibv_modify_qp(NULL, &attr, IBV_QP_STATE);
	CHECK(berth_pattern_mismatch(buf, 2 * PAGE, 5, 0) == 100);
	CHECK(!ibv_dereg_mr(mr) && !fake->syncs);
}

/* The same where the program may only read, and where it has unmapped the memory meanwhile. */
static void pattern_in_readonly(void)
{
	uint8_t *buf = private_memory(NULL, 2 * PAGE), *gone = private_memory(NULL, PAGE);
	struct ibv_qp_attr attr = { .qp_state = IBV_QPS_RTR };
	struct ibv_mr *mr, *gone_mr;

	CHECK(!mprotect(buf, 2 * PAGE, PROT_READ));
	mr = ibv_reg_mr(&pd, buf + 8, PAGE, access_flags);
	gone_mr = ibv_reg_mr(&pd, gone, PAGE, access_flags);
	CHECK(mr && gone_mr && !munmap(gone, PAGE));
	ibv_modify_qp(NULL, &attr, IBV_QP_STATE);
	CHECK(berth_pattern_mismatch(buf + 8, PAGE, 5, 0) == PAGE);
	CHECK(!buf[7] && !buf[PAGE + 8]);
	CHECK(!ibv_dereg_mr(gone_mr) && !ibv_dereg_mr(mr) && !fake->syncs);
}

/* The verb of newer libibverbs: with BERTH_DMABUF it must not come to register host memory. */
static void extended_registration(void)
{
	struct ibv_mr *(*reg_mr_ex)(struct ibv_pd *pd, void *attr);
	int i;

	*(void **)&reg_mr_ex = dlvsym(RTLD_DEFAULT, "ibv_reg_mr_ex", "IBVERBS_1.15");
	CHECK(reg_mr_ex);
	if (!getenv("BERTH_DMABUF")) {
		struct ibv_mr *mr = reg_mr_ex(&pd, NULL);

		CHECK(mr && fake->host_mrs == 1 && !ibv_dereg_mr(mr));
		return;
	}
	for (i = 0; i < 2; i++)
		CHECK(!reg_mr_ex(&pd, NULL) && errno == EOPNOTSUPP && !fake->host_mrs);
}

/* For BERTH_DMABUF_LOG and _DUMP, and failures whose lines the script looks at. */
static void one_registration(void)
{
	uint8_t *buf = memalign(PAGE, 2 * PAGE);
	struct ibv_mr *mr;

	fake->fail_alloc = getenv("FAKE_FAIL_ALLOC");
	fake->refuse_berth = getenv("FAKE_REFUSE_BERTH");
	memset(buf, 'd', 2 * PAGE);
	mr = ibv_reg_mr(&pd, buf + 64, 2 * PAGE - 64, access_flags);
	CHECK(!fake->host_mrs);
	if (!mr) {
		printf("errno %d\n", errno);
		exit(3);
	}
	CHECK(!ibv_dereg_mr(mr));
}

static const struct {
	const char *name;
	void (*run)(void);
} cases[] = {
#define CASE(f) { #f, f }
	CASE(aligned_buffer_keeps_content),
	CASE(heap_buffer_keeps_neighbours),
	CASE(overlapping_registrations_share),
	CASE(wider_registration_is_refused),
	CASE(unmapped_while_registered),
	CASE(mapped_anew_while_registered),
	CASE(mapped_anew_in_part),
	CASE(refused_by_the_device),
	CASE(refused_takes_no_place),
	CASE(small_stays_in_host_memory),
	CASE(shared_memory_is_refused),
	CASE(register_own_stack),
	CASE(threads_stack_is_refused),
	CASE(hole_is_refused),
	CASE(child_has_its_own_copy),
	CASE(pattern_at_rtr),
	CASE(pattern_in_readonly),
	CASE(extended_registration),
	CASE(one_registration),
};

int main(int argc, char **argv)
{
	fake = dlsym(RTLD_DEFAULT, "fake_state");
	if (!fake || argc != 2) {
		fprintf(stderr, "shim-test: run by shim-test.sh, one case at a time\n");
		return 2;
	}
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (strcmp(argv[1], cases[i].name))
			continue;
		cases[i].run();
		return 0;
	}
	fprintf(stderr, "shim-test: no case %s\n", argv[1]);
	return 2;
}
