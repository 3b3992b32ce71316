// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/* Buffers that move and are revoked under traffic, and under a user mapping. */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bufs.h"

static bool traffic_check(uint64_t moves, int expect)
{
	struct netmem_test run = { .name = "traffic-check", .fd = -1, .fd2 = -1, .expect = expect,
				   .value = moves };
	int err = module_run(&run);

	if (err || run.why[0])
		fail("after %llu moves: %s", (unsigned long long)moves,
		     err ? strerror(err) : run.why);
	return !err && !run.why[0];
}

static uint64_t traffic_stop(void)
{
	struct netmem_test run = { .name = "traffic-stop", .fd = -1, .fd2 = -1 };
	int err = module_run(&run);

	if (err || run.why[0])
		fail("stop: %s", err ? strerror(err) : run.why);
	return run.value;
}

/* Traffic goes on through moves, each time with the right bytes, and ends with the revocation. */
static void traffic(uint32_t flags, int moves)
{
	int fd = buf_alloc(MOVE, BUF_SIZE, flags);
	int i;

	if (!module_pass("traffic-start", fd, 0))
		return;
	traffic_check(0, 0);
	for (i = 1; i <= moves; i++) {
		expect_errno(buf_target(BERTH_EXPORTER_MOVE, fd), 0, "move");
		if (!traffic_check(i, 0))
			break;
	}
	expect_errno(buf_target(BERTH_EXPORTER_REVOKE, fd), 0, "revoke");
	traffic_check(i, EKEYREVOKED);
	/* Slow moves are long enough that traffic must have met one. */
	if (!traffic_stop() && flags & BERTH_EXPORTER_SLOW)
		fail("traffic never met a move");
	module_pass("refuse", fd, ENODEV);
	expect_errno(buf_target(BERTH_EXPORTER_MOVE, fd), ENODEV, "move after the revocation");
	expect_errno(buf_target(BERTH_EXPORTER_REVOKE, fd), ENODEV, "revoke again");
	close(fd);
}

/* Moves as fast as the exporter can. */
static void storm(void)
{
	int fd = buf_alloc(MOVE, BUF_SIZE, 0);

	if (!module_pass("traffic-start", fd, 0))
		return;
	for (int i = 0; i < 100; i++)
		expect_errno(buf_target(BERTH_EXPORTER_MOVE, fd), 0, "move");
	traffic_check(100, 0);
	traffic_stop();
	close(fd);
}

static void user_mapping(void)
{
	int fd = buf_alloc(MOVE, BUF_SIZE, 0);
	volatile uint8_t *mem = mmap(NULL, BUF_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (!expect_true(mem != MAP_FAILED, "mmap"))
		return;
	for (size_t i = 0; i < BUF_SIZE; i++)
		mem[i] = pattern_byte(i, 9);
	module_pass("keep", fd, 0);
	expect_errno(buf_target(BERTH_EXPORTER_MOVE, fd), 0, "move");
	for (size_t i = 0; i < BUF_SIZE; i++)
		expect_true(mem[i] == pattern_byte(i, i >= 777 && i < 777 + 64 ? 5 : 9),
			    "the contents did not move along");
	usleep(200000);
	module_pass("kept", -1, 0);
	module_pass("drop", -1, 0);
	munmap((void *)mem, BUF_SIZE);
	close(fd);
}

static void foreign_buffer(void)
{
	int fd = buf_alloc(HEAP, BUF_SIZE, 0);

	expect_errno(buf_target(BERTH_EXPORTER_MOVE, fd), EINVAL, "moving a heap buffer");
	expect_errno(buf_target(BERTH_EXPORTER_REVOKE, fd), EINVAL, "revoking it");
	close(fd);
}

static void slow_share(void)
{
	int fd = buf_alloc(MOVE, BUF_SIZE, BERTH_EXPORTER_SLOW);

	module_pass("share", fd, 0);
	close(fd);
}

/* What a pool owns moves along, in the book, too. */
static void claims(uint32_t flags)
{
	int fd = buf_alloc(MOVE, BUF_SIZE, flags);

	module_pass("pool-keep", fd, 0);
	module_pass("claim-here", fd, 0);
	for (int i = 0; i < 5; i++) {
		expect_errno(buf_target(BERTH_EXPORTER_MOVE, fd), 0, "move");
		module_pass("claim-here", fd, 0);
	}
	module_pass("pool-drop", -1, 0);
	module_pass("claim-area", fd, 0);
	close(fd);
}

/* A pool is made while the memory is on its way: it owns what it arrives at. */
static void claims_late(void)
{
	int fd = buf_alloc(MOVE, BUF_SIZE, BERTH_EXPORTER_BUSY_ONCE);
	struct netmem_test run = { .name = "pool-again", .fd = -1, .fd2 = -1 };

	module_pass("pool-keep", fd, 0);
	for (int i = 0; i < 50 && !run.value; i++) {
		expect_errno(buf_target(BERTH_EXPORTER_MOVE, fd), 0, "move");
		if (!expect_errno(module_run(&run), 0, "pool-again") ||
		    !expect_true(!run.why[0], run.why) || !module_pass("claim-here", fd, 0))
			break;
	}
	expect_true(run.value, "no pool was made while the memory moved");
	module_pass("pool-drop", -1, 0);
	close(fd);
}

/* Others book and give back while it moves. */
static void claims_storm(uint32_t flags)
{
	int fd = buf_alloc(MOVE, BUF_SIZE, flags);

	module_pass("pool-keep", fd, 0);
	module_pass("churn-start", -1, 0);
	for (int i = 0; i < 100; i++)
		expect_errno(buf_target(BERTH_EXPORTER_MOVE, fd), 0, "move");
	module_pass("churn-stop", -1, 0);
	module_pass("claim-here", fd, 0);
	module_pass("churn-start", -1, 0);
	expect_errno(buf_target(BERTH_EXPORTER_REVOKE, fd), 0, "revoke");
	module_pass("churn-stop", -1, 0);
	module_pass("pool-drop", -1, 0);
	module_pass("claim", -1, 0);
	close(fd);
}

/* It moves to where somebody else is. */
static void claims_lost(void)
{
	int fd = buf_alloc(MOVE, BUF_SIZE, 0);

	module_pass("pool-keep", fd, 0);
	module_pass("claim-rest", fd, 0);
	expect_errno(buf_target(BERTH_EXPORTER_MOVE, fd), 0, "move");
	module_pass("claim-lost", fd, 0);
	module_pass("pool-drop", -1, 0);
	module_pass("claim-area", fd, 0);
	close(fd);
}

void move_cases(void)
{
	test_begin("move/traffic");
	traffic(0, 10);
	test_end();
	test_begin("move/traffic-busy-once");
	traffic(BERTH_EXPORTER_BUSY_ONCE, 5);
	test_end();
	test_begin("move/traffic-slow");
	traffic(BERTH_EXPORTER_SLOW, 3);
	test_end();
	test_begin("move/storm");
	storm();
	test_end();
	test_begin("move/claims");
	claims(0);
	test_end();
	test_begin("move/claims-busy-once");
	claims(BERTH_EXPORTER_BUSY_ONCE);
	test_end();
	test_begin("move/claims-late");
	claims_late();
	test_end();
	test_begin("move/claims-storm");
	claims_storm(0);
	test_end();
	test_begin("move/claims-storm-busy-once");
	claims_storm(BERTH_EXPORTER_BUSY_ONCE);
	test_end();
	test_begin("move/claims-lost");
	claims_lost();
	test_end();
	test_begin("move/user-mapping");
	user_mapping();
	test_end();
	test_begin("move/foreign-buffer");
	foreign_buffer();
	test_end();
	test_begin("move/slow-share");
	slow_share();
	test_end();
}
