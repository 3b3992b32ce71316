// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/* Test buffers of every exporter, calls into berth_netmem_test.ko and verdicts. One thread. */
#include <errno.h>
#include <fcntl.h>
#include <linux/dma-heap.h>
#include <linux/udmabuf.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bufs.h"

const char *const kind_name[KINDS] = { "heap", "udmabuf", "bar", "move" };

static const char *const kind_path[KINDS] = {
	"/dev/dma_heap/system", "/dev/udmabuf", BERTH_EXPORTER_BAR_DEV, BERTH_EXPORTER_MOVE_DEV,
};

bool kind_there(enum kind kind)
{
	return !access(kind_path[kind], R_OK | W_OK);
}

int exporter_do(enum kind kind, unsigned long cmd, void *arg)
{
	int dev = open(kind_path[kind], O_RDWR | O_CLOEXEC);
	int err;

	if (dev < 0)
		return errno;
	err = ioctl(dev, cmd, arg) < 0 ? errno : 0;
	close(dev);
	return err;
}

static int heap_alloc(size_t size)
{
	struct dma_heap_allocation_data data = { .len = size, .fd_flags = O_RDWR | O_CLOEXEC };
	int err = exporter_do(HEAP, DMA_HEAP_IOCTL_ALLOC, &data);

	return err ? -err : (int)data.fd;
}

static int udmabuf_alloc(size_t size)
{
	struct udmabuf_create create = { .flags = UDMABUF_FLAGS_CLOEXEC, .size = size };
	int memfd = memfd_create("netmem_test", MFD_ALLOW_SEALING | MFD_CLOEXEC);
	int dev = open(kind_path[UDMABUF], O_RDWR | O_CLOEXEC);
	int fd = -1;

	if (memfd >= 0 && dev >= 0 && !ftruncate(memfd, (off_t)size) &&
	    !fcntl(memfd, F_ADD_SEALS, F_SEAL_SHRINK)) {
		create.memfd = (uint32_t)memfd;
		fd = ioctl(dev, UDMABUF_CREATE, &create);
	}
	if (fd < 0)
		fd = -errno;
	close(dev);
	close(memfd);
	return fd;
}

/* A dma-buf, or -1 and a failed test. */
int buf_alloc(enum kind kind, size_t size, uint32_t flags)
{
	struct berth_exporter_alloc alloc = {
		.offset = BERTH_EXPORTER_ANYWHERE, .length = size, .flags = flags,
	};
	int fd;

	if (kind == HEAP) {
		fd = heap_alloc(size);
	} else if (kind == UDMABUF) {
		fd = udmabuf_alloc(size);
	} else {
		int err = exporter_do(kind, BERTH_EXPORTER_ALLOC, &alloc);

		fd = err ? -err : alloc.fd;
	}
	if (fd < 0) {
		fail("no %s buffer of %zu bytes: %s", kind_name[kind], size, strerror(-fd));
		return -1;
	}
	return fd;
}

int buf_target(unsigned long cmd, int fd)
{
	struct berth_exporter_target target = { .fd = fd };

	return exporter_do(MOVE, cmd, &target);
}

uint32_t exporter_buffers(enum kind kind)
{
	struct berth_exporter_info info = { .buffers = ~0U };
	int err = exporter_do(kind, BERTH_EXPORTER_INFO, &info);

	if (err)
		fail("info of %s: %s", kind_name[kind], strerror(err));
	return info.buffers;
}

int module_run(struct netmem_test *run)
{
	int dev = open(NETMEM_TEST_DEV, O_RDWR | O_CLOEXEC);
	int err;

	if (dev < 0)
		return errno;
	err = ioctl(dev, NETMEM_TEST_RUN, run) ? errno : 0;
	close(dev);
	return err;
}

bool module_pass(const char *name, int fd, int expect)
{
	struct netmem_test run = { .fd = fd, .fd2 = -1, .expect = expect };
	int err;

	strncpy(run.name, name, sizeof(run.name) - 1);
	err = module_run(&run);
	if (err)
		fail("%s: %s", name, strerror(err));
	else if (run.why[0])
		fail("%s: %s", name, run.why);
	return !err && !run.why[0];
}

uint8_t pattern_byte(uint64_t pos, uint32_t seed)
{
	return (uint8_t)(pos * 131 + (pos >> 8) * 29 + (pos >> 16) * 7 + seed * 53 + 1);
}

/*
 * ---- verdicts ----
 */

static char test_name[128];
static bool test_failed, test_skipped;

void test_begin(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(test_name, sizeof(test_name), fmt, args);
	va_end(args);
	test_failed = false;
	test_skipped = false;
}

void fail(const char *fmt, ...)
{
	va_list args;

	if (test_failed)
		return;
	test_failed = true;
	printf("FAIL netmem/%s: ", test_name);
	va_start(args, fmt);
	vprintf(fmt, args);
	va_end(args);
	printf("\n");
}

void skip(const char *why)
{
	if (!test_failed && !test_skipped)
		printf("SKIP netmem/%s: %s\n", test_name, why);
	test_skipped = true;
}

void test_end(void)
{
	if (!test_failed && !test_skipped)
		printf("PASS netmem/%s\n", test_name);
	fflush(stdout);
}

bool expect_true(bool cond, const char *what)
{
	if (!cond)
		fail("%s", what);
	return cond;
}

bool expect_errno(int got, int wanted, const char *what)
{
	if (got != wanted)
		fail("%s: %s, expected %s", what, got ? strerrorname_np(got) : "success",
		     wanted ? strerrorname_np(wanted) : "success");
	return got == wanted;
}
