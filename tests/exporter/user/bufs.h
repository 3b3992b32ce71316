/* SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB */
/* Test buffers, calls into berth_netmem_test.ko and verdicts; bufs.c. One thread. */
#ifndef NETMEM_USER_BUFS_H
#define NETMEM_USER_BUFS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <rdma/berth-exporter.h>

#include "netmem_test_abi.h"

/* 48 pages: cases want at least 32 KiB, or as many chunks. */
#define BUF_SIZE	(48 * 4096UL)

enum kind { HEAP, UDMABUF, BAR, MOVE, KINDS };

extern const char *const kind_name[KINDS];

bool kind_there(enum kind kind);
int buf_alloc(enum kind kind, size_t size, uint32_t flags);

/* One ioctl on an exporter's device: 0 or errno. */
int exporter_do(enum kind kind, unsigned long cmd, void *arg);
int buf_target(unsigned long cmd, int fd);
uint32_t exporter_buffers(enum kind kind);

/* A case of the module: 0, or errno; run->why is empty when it passed. */
int module_run(struct netmem_test *run);
/* The same as a verdict: false after saying why. */
bool module_pass(const char *name, int fd, int expect);

/* Verdicts of the test that runs now. fail() prints once; the rest of a test goes on. */
void test_begin(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void fail(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void skip(const char *why);
void test_end(void);
bool expect_true(bool cond, const char *what);
bool expect_errno(int got, int wanted, const char *what);

/* What nt_byte() in the module computes. */
uint8_t pattern_byte(uint64_t pos, uint32_t seed);

/* Groups of tests. */
void kernel_cases(void);
void exporter_cases(void);
void life_cases(void);
void move_cases(void);
void warn_cases(void);

#endif /* NETMEM_USER_BUFS_H */
