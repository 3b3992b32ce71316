// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * The perftest backend, used as perftest uses it, over the exporters of fake-verbs.c (preloaded;
 * /dev/null is a device that opens). One case a run, named by the first argument.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../backend/dmabuf_memory.h"
#include "fake-verbs.h"
#include "perftest_parameters.h"

#define CHECK(cond)							\
	do {								\
		if (!(cond)) {						\
			printf("line %d: not so: %s\n", __LINE__, #cond); \
			exit(1);					\
		}							\
	} while (0)

#define SIZE	10000

static struct fake_state *fake;

static struct memory_ctx *start(const char *exporter)
{
	struct perftest_parameters params = { .memory_type = MEMORY_HOST };
	struct memory_ctx *ctx;

	if (dmabuf_memory_option(&params, exporter))
		exit(3);
	CHECK(params.memory_type == MEMORY_DMABUF);
	CHECK(!strcmp(params.dmabuf_exporter, exporter));
	ctx = params.memory_create(&params);
	CHECK(ctx && !ctx->init(ctx));
	return ctx;
}

/* The descriptor and the address are the same memory; the tool closes its descriptor early. */
static void buffers(void)
{
	struct memory_ctx *ctx = start("/dev/null");
	uint64_t offset[2] = { 1, 1 };
	bool can_init = false;
	int fd[2] = { 0, 0 };
	char *addr[2], *view;

	for (int i = 0; i < 2; i++) {
		CHECK(!ctx->allocate_buffer(ctx, 4096, SIZE, &fd[i], &offset[i], (void **)&addr[i],
					    &can_init));
		CHECK(fd[i] > 2 && !offset[i] && can_init && !((uintptr_t)addr[i] % 4096));
		CHECK(fcntl(fd[i], F_GETFD) & FD_CLOEXEC);
	}
	CHECK(addr[0] != addr[1] && fake->allocated == 2 && fake->syncs == 2);
	view = mmap(NULL, SIZE, PROT_READ, MAP_SHARED, fd[0], 0);
	CHECK(view != MAP_FAILED);
	ctx->copy_host_to_buffer(addr[0] + SIZE - 6, "cargo", 6);
	CHECK(!strcmp(view + SIZE - 6, "cargo") && !addr[1][SIZE - 6]);
	close(fd[0]);
	close(fd[1]);
	CHECK(!ctx->free_buffer(ctx, 0, addr[0], SIZE) && fake->syncs == 1);
	CHECK(!strcmp(view + SIZE - 6, "cargo"));
	/* A buffer that the tool forgets goes with the backend. */
	CHECK(!ctx->destroy(ctx) && !fake->syncs);
}

/* Descriptor 0 means "no dma-buf" to the tool, so it must not be what it gets. */
static void without_stdin(void)
{
	struct memory_ctx *ctx;
	uint64_t offset;
	bool can_init;
	void *addr;
	int fd = 0;

	close(0);
	ctx = start("/dev/null");
	CHECK(!ctx->allocate_buffer(ctx, 4096, SIZE, &fd, &offset, &addr, &can_init));
	CHECK(fd > 2);
	CHECK(!ctx->destroy(ctx));
}

static void refused(int alignment, uint64_t size)
{
	struct memory_ctx *ctx = start("/dev/null");
	uint64_t offset;
	bool can_init;
	void *addr;
	int fd = 0;

	CHECK(ctx->allocate_buffer(ctx, alignment, size, &fd, &offset, &addr, &can_init));
	CHECK(!fd && !fake->syncs);
	CHECK(!ctx->destroy(ctx));
}

int main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "";

	fake = dlsym(RTLD_DEFAULT, "fake_state");
	CHECK(fake);
	fake->refuse_berth = !!getenv("FAKE_REFUSE_BERTH");
	fake->fail_alloc = !!getenv("FAKE_FAIL_ALLOC");
	if (!strcmp(name, "buffers"))
		buffers();
	else if (!strcmp(name, "without_stdin"))
		without_stdin();
	else if (!strcmp(name, "huge_alignment"))
		refused(2 << 20, SIZE);
	else if (!strcmp(name, "no_bytes"))
		refused(4096, 0);
	else if (!strcmp(name, "too_many_bytes"))
		refused(4096, UINT64_MAX - 5);
	else if (!strcmp(name, "alloc_fails"))
		refused(4096, SIZE);
	else
		start(argc > 2 ? argv[2] : "heap");
	return 0;
}
