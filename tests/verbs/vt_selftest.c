// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * vt_selftest: proof that the tests can fail. Needs no RDMA device. Spoils single bytes at every
 * alignment and sees that the checker names them; swaps and shifts; runs the case runner over
 * cases that fail, crash, hang and leak, and sees that it says so.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "vtest.h"

#define SIZE	200

static void flips(const void *arg)
{
	uint8_t buf[SIZE];

	(void)arg;
	for (size_t pos = 0; pos < 9; pos++)
		for (size_t len = 1; len < SIZE; len += 3)
			for (size_t at = 0; at < len; at++) {
				vt_fill(buf, len, 42, pos);
				CHECK_EQ(vt_mismatch(buf, len, 42, pos), -1, "clean pattern");
				buf[at] ^= (uint8_t)(1 << at % 8);
				CHECK_EQ(vt_mismatch(buf, len, 42, pos), at, "spoilt byte");
			}
}

/* A right byte in the wrong place is wrong: shifts, other seeds and blocks copied twice. */
static void places(const void *arg)
{
	uint8_t buf[SIZE];

	(void)arg;
	for (uint64_t shift = 1; shift < 5000; shift++) {
		vt_fill(buf, SIZE, 42, 1000 + shift);
		CHECK(vt_mismatch(buf, SIZE, 42, 1000) >= 0, "a shift by %llu is not seen",
		      (unsigned long long)shift);
	}
	for (uint64_t seed = 0; seed < 5000; seed++)
		if (seed != 42) {
			vt_fill(buf, SIZE, seed, 0);
			CHECK(vt_mismatch(buf, SIZE, 42, 0) >= 0, "another seed is not seen");
		}
	for (size_t i = 0; i < SIZE; i++)
		buf[i] = vt_byte(7, 99 + i);
	CHECK_EQ(vt_mismatch(buf, SIZE, 7, 99), -1, "bytes one by one");
}

static void guards(const void *arg)
{
	struct vt_buf *buf = vt_buf_alloc(VT_HOST, 5000);

	(void)arg;
	vt_buf_check(buf, 0, 5000, "fresh buffer");
	memset(buf->ptr + 17, 0, 9);
	vt_buf_fill(buf, 17, 9);
	vt_buf_check(buf, 0, 5000, "restored buffer");
}

static void bad_check(const void *arg)
{
	(void)arg;
	CHECK_EQ(1, 2, "one");
}

static void bad_guard(const void *arg)
{
	struct vt_buf *buf = vt_buf_alloc(VT_HOST, 5000);

	(void)arg;
	buf->ptr[*(const int *)arg] ^= 1;
}

static void bad_crash(const void *arg)
{
	(void)arg;
	raise(SIGSEGV);
}

static void bad_hang(const void *arg)
{
	(void)arg;
	for (;;)
		pause();
}

static int busy(void *arg)
{
	(void)arg;
	return EBUSY;
}

static void bad_leak(const void *arg)
{
	(void)arg;
	vt_defer(busy, NULL, "a destroy");
}

/* Run this program again with one of the bad cases; it has to say FAIL and exit with 1. */
static void runner(const void *arg)
{
	char cmd[256], line[512];
	FILE *f;
	int status;

	snprintf(cmd, sizeof(cmd), "/proc/%d/exe --filter '%s' 2>/dev/null", getpid(),
		 (const char *)arg);
	setenv("VT_SELFTEST_BAD", "1", 1);
	f = popen(cmd, "r");
	CHECK(f, "popen: %s", strerror(errno));
	CHECK(fgets(line, sizeof(line), f), "no line from %s", cmd);
	status = pclose(f);
	CHECK(!strncmp(line, "FAIL ", 5) && strstr(line, arg), "case %s ended with: %s",
	      (const char *)arg, line);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 1, "case %s: exit status %#x",
	      (const char *)arg, status);
}

static void add_cases(void)
{
	static const int before = -1, behind = 5000;
	static const char *const bad[] = { "bad/check", "bad/guard_before", "bad/guard_behind",
					   "bad/crash", "bad/hang", "bad/leak" };

	if (getenv("VT_SELFTEST_BAD")) {
		vt_add(bad[0], bad_check, NULL, 0);
		vt_add(bad[1], bad_guard, &before, 0);
		vt_add(bad[2], bad_guard, &behind, 0);
		vt_add(bad[3], bad_crash, NULL, 0);
		vt_add(bad[4], bad_hang, NULL, 1);
		vt_add(bad[5], bad_leak, NULL, 0);
		return;
	}
	vt_add("selftest/flips", flips, NULL, 0);
	vt_add("selftest/places", places, NULL, 0);
	vt_add("selftest/guards", guards, NULL, 0);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		char name[64];

		snprintf(name, sizeof(name), "selftest/%s", bad[i]);
		vt_add(name, runner, bad[i], 0);
	}
}

int main(int argc, char **argv)
{
	return vt_main(argc, argv, add_cases);
}
