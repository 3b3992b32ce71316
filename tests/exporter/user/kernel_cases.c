// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/* The cases of berth_netmem_test.ko, each over the exporters that make a difference to it. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "bufs.h"

#define ALL	((1U << HEAP) | (1U << UDMABUF) | (1U << BAR) | (1U << MOVE))
#define SYSTEM	((1U << HEAP) | (1U << MOVE))
#define TWO	((1U << HEAP) | (1U << BAR))
#define ONE	(1U << HEAP)
/* Two devices map these: CONFIG_DMA_API_DEBUG takes that for a mistake with heap buffers. */
#define SHARED	((1U << BAR) | (1U << MOVE))

static const struct {
	const char *name;
	unsigned int kinds;	/* 0: no buffer */
} cases[] = {
	{ "rw", ALL }, { "overlap", SYSTEM }, { "bounds", ALL }, { "atomic", ALL },
	{ "atomic-race", TWO }, { "pages", 0 }, { "pages-bad", 0 }, { "pages-none", ALL },
	{ "direct", 0 }, { "share", ALL }, { "race", ALL }, { "revoke", ALL },
	{ "exhaust", TWO }, { "refs", ONE }, { "leak", ONE }, { "booking", SHARED },
	{ "claim", 0 }, { "claim-many", 0 }, { "claim-race", 0 }, { "claim-area", SHARED },
	{ "chunk-args", ONE }, { "percpu", ONE }, { "last-put", ONE }, { "cost", ONE },
};

static void one_buffer(const char *name, enum kind kind)
{
	int fd;

	test_begin("%s/%s", name, kind_name[kind]);
	if (!kind_there(kind)) {
		skip("no such exporter here");
	} else {
		fd = buf_alloc(kind, BUF_SIZE, 0);
		/* rw wants to know whether to expect I/O memory; the others do not look. */
		module_pass(name, fd, kind == BAR);
		close(fd);
	}
	test_end();
}

static void two_buffers(enum kind to, enum kind from)
{
	struct netmem_test run = { .name = "copy" };
	int err;

	test_begin("copy/%s-to-%s", kind_name[from], kind_name[to]);
	if (!kind_there(to) || !kind_there(from)) {
		skip("no such exporter here");
	} else {
		run.fd = buf_alloc(to, BUF_SIZE, 0);
		run.fd2 = buf_alloc(from, BUF_SIZE, 0);
		err = module_run(&run);
		if (err || run.why[0])
			fail("%s", err ? strerror(err) : run.why);
		close(run.fd);
		close(run.fd2);
	}
	test_end();
}

static const struct {
	const char *name;
	enum kind kind;
	uint32_t buf_flags;
	uint32_t area_flags;
	int expect;
} refusals[] = {
	{ "no-vmap", MOVE, BERTH_EXPORTER_NO_VMAP, 0, EOPNOTSUPP },
	{ "bar-no-vmap", BAR, BERTH_EXPORTER_NO_VMAP, 0, EOPNOTSUPP },
	{ "map-fails", MOVE, BERTH_EXPORTER_MAP_FAILS, 0, EIO },
	{ "ioremap-of-ram", MOVE, BERTH_EXPORTER_NO_VMAP, NETMEM_TEST_IOREMAP, EOPNOTSUPP },
};

static void refuse(const char *name, enum kind kind, uint32_t buf_flags, uint32_t area_flags,
		   int expect)
{
	struct netmem_test run = { .name = "refuse", .flags = area_flags, .expect = expect };
	int err;

	test_begin("refuse/%s", name);
	if (!kind_there(kind)) {
		skip("no such exporter here");
	} else {
		run.fd = buf_alloc(kind, BUF_SIZE, buf_flags);
		run.fd2 = -1;
		err = module_run(&run);
		if (err || run.why[0])
			fail("%s", err ? strerror(err) : run.why);
		close(run.fd);
	}
	test_end();
}

void kernel_cases(void)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (!cases[i].kinds) {
			test_begin("%s", cases[i].name);
			module_pass(cases[i].name, -1, 0);
			test_end();
		}
		for (enum kind kind = 0; kind < KINDS; kind++)
			if (cases[i].kinds & 1U << kind)
				one_buffer(cases[i].name, kind);
	}
	two_buffers(HEAP, HEAP);
	two_buffers(BAR, HEAP);
	two_buffers(HEAP, BAR);
	two_buffers(BAR, BAR);
	two_buffers(UDMABUF, MOVE);
	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++)
		refuse(refusals[i].name, refusals[i].kind, refusals[i].buf_flags,
		       refusals[i].area_flags, refusals[i].expect);
}

/* The kernel's dma-buf code WARNs when vmap fails: not for a run that fails on a WARN. */
void warn_cases(void)
{
	refuse("vmap-fails", MOVE, BERTH_EXPORTER_VMAP_FAILS, 0, ENOMEM);
}
