// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/* The exporters themselves: ranges of the BAR, bad arguments, memory seen from user space. */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bufs.h"

#define PAGE	4096ULL

static int alloc_at(enum kind kind, uint64_t offset, uint64_t length, uint32_t flags, int *fd,
		    uint64_t *where)
{
	struct berth_exporter_alloc alloc = { .offset = offset, .length = length, .flags = flags };
	int err = exporter_do(kind, BERTH_EXPORTER_ALLOC, &alloc);

	*fd = err ? -1 : alloc.fd;
	if (where)
		*where = alloc.offset;
	if (!err && kind == BAR && offset != BERTH_EXPORTER_ANYWHERE)
		expect_true(alloc.offset == offset, "another offset than asked for");
	return err;
}

/* An allocation that must fail. */
static void refused(enum kind kind, uint64_t offset, uint64_t length, uint32_t flags, int wanted,
		    const char *what)
{
	int fd;

	expect_errno(alloc_at(kind, offset, length, flags, &fd, NULL), wanted, what);
	if (fd >= 0)
		close(fd);
}

static void bar_ranges(void)
{
	const uint64_t any = BERTH_EXPORTER_ANYWHERE;
	struct berth_exporter_info info = {};
	uint64_t where[2] = {};
	int fd[3];

	expect_errno(exporter_do(BAR, BERTH_EXPORTER_INFO, &info), 0, "info");
	expect_true(info.size >= 64 * PAGE && !info.buffers && !info.used, "BAR is not empty");
	expect_errno(alloc_at(BAR, 4 * PAGE, 4 * PAGE, 0, &fd[0], NULL), 0, "at page 4");
	refused(BAR, 4 * PAGE, PAGE, 0, EBUSY, "first page again");
	refused(BAR, 7 * PAGE, 2 * PAGE, 0, EBUSY, "last page again");
	refused(BAR, 0, 64 * PAGE, 0, EBUSY, "around it");
	refused(BAR, info.size, PAGE, 0, ERANGE, "behind the end");
	refused(BAR, info.size - PAGE, 2 * PAGE, 0, ERANGE, "across the end");
	refused(BAR, any, info.size, 0, ENOSPC, "all of it");
	expect_errno(alloc_at(BAR, any, 4 * PAGE, 0, &fd[1], &where[0]), 0, "first gap");
	expect_errno(alloc_at(BAR, any, 4 * PAGE, 0, &fd[2], &where[1]), 0, "next gap");
	expect_true(where[0] == 0 && where[1] == 8 * PAGE, "not the first gaps that fit");
	expect_errno(exporter_do(BAR, BERTH_EXPORTER_INFO, &info), 0, "info");
	expect_true(info.buffers == 3 && info.used == 12 * PAGE, "account of three buffers");
	for (int i = 0; i < 3; i++)
		close(fd[i]);
	expect_true(exporter_buffers(BAR) == 0, "ranges are not freed");
	expect_errno(alloc_at(BAR, 0, info.size, 0, &fd[0], NULL), 0, "the whole BAR");
	close(fd[0]);
}

static void bad_arguments(enum kind kind)
{
	const uint64_t any = BERTH_EXPORTER_ANYWHERE;
	struct berth_exporter_target target = { .fd = -1 };

	refused(kind, any, 0, 0, EINVAL, "no length");
	refused(kind, any, 100, 0, EINVAL, "length that is not in pages");
	refused(kind, 100, PAGE, 0, EINVAL, "offset that is not in pages");
	refused(kind, any, PAGE, 1U << 31, EINVAL, "unknown flag");
	refused(kind, any, ~0ULL & ~(PAGE - 1), 0, EINVAL, "absurd length");
	expect_errno(exporter_do(kind, 0x1234, NULL), ENOTTY, "unknown ioctl");
	expect_errno(exporter_do(kind, BERTH_EXPORTER_ALLOC, (void *)8), EFAULT, "bad pointer");
	if (kind == BAR) {
		refused(kind, any, PAGE, BERTH_EXPORTER_SLOW, EINVAL, "flag of the other exporter");
		expect_errno(exporter_do(BAR, BERTH_EXPORTER_MOVE, &target), ENOTTY, "move");
	} else {
		refused(kind, 0, PAGE, 0, EINVAL, "offset");
		expect_errno(exporter_do(MOVE, BERTH_EXPORTER_MOVE, &target), EBADF, "fd -1");
		target.fd = 0;
		target.reserved = 1;
		expect_errno(exporter_do(MOVE, BERTH_EXPORTER_MOVE, &target), EINVAL, "reserved");
	}
	expect_true(exporter_buffers(kind) == 0, "something was left behind");
}

/* What the kernel writes through a window is what a process sees through its mapping. */
static void seen_by_user(enum kind kind, uint32_t buf_flags, uint32_t area_flags)
{
	struct netmem_test run = { .name = "keep", .fd2 = -1, .flags = area_flags };
	volatile uint8_t *mem;
	int err, i;

	run.fd = buf_alloc(kind, BUF_SIZE, buf_flags);
	mem = mmap(NULL, BUF_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, run.fd, 0);
	if (expect_true(mem != MAP_FAILED, "mmap")) {
		err = module_run(&run);
		if (err || run.why[0])
			fail("%s", err ? strerror(err) : run.why);
		for (i = 0; i < 64; i++)
			expect_true(mem[777 + i] == pattern_byte(777 + i, 5), "wrong byte");
		for (i = 0; i < 64; i++)
			mem[777 + i] = 0;
		for (i = 0; i < 64; i++)
			mem[777 + i] = pattern_byte(777 + i, 5);
		module_pass("kept", -1, 0);
		module_pass("drop", -1, 0);
		munmap((void *)mem, BUF_SIZE);
	}
	expect_true(mmap(NULL, BUF_SIZE, PROT_READ, MAP_PRIVATE, run.fd, 0) == MAP_FAILED,
		    "private mapping allowed");
	close(run.fd);
}

static void ioremap_rw(void)
{
	struct netmem_test run = {
		.name = "rw", .fd2 = -1, .flags = NETMEM_TEST_IOREMAP, .expect = 1,
	};
	int err;

	run.fd = buf_alloc(BAR, BUF_SIZE, BERTH_EXPORTER_NO_VMAP);
	err = module_run(&run);
	if (err || run.why[0])
		fail("%s", err ? strerror(err) : run.why);
	module_pass("ioremap-share", run.fd, 0);
	close(run.fd);
}

static void bar_cases(void)
{
	test_begin("bar/ranges");
	bar_ranges();
	test_end();
	test_begin("bar/bad-arguments");
	bad_arguments(BAR);
	test_end();
	test_begin("bar/seen-by-user");
	seen_by_user(BAR, 0, 0);
	test_end();
	test_begin("bar/ioremap");
	ioremap_rw();
	test_end();
	test_begin("bar/ioremap-seen-by-user");
	seen_by_user(BAR, BERTH_EXPORTER_NO_VMAP, NETMEM_TEST_IOREMAP);
	test_end();
}

void exporter_cases(void)
{
	if (kind_there(BAR)) {
		bar_cases();
	} else {
		test_begin("bar");
		skip("no BAR here");
	}
	test_begin("move/bad-arguments");
	bad_arguments(MOVE);
	test_end();
	test_begin("move/seen-by-user");
	seen_by_user(MOVE, 0, 0);
	test_end();
}
