/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the self tests of berth_netmem share: a case's context, checks, patterns, areas of test
 * buffers. Cases run in process context, one at a time (test_lock in netmem_test.c).
 */
#ifndef _BERTH_NETMEM_TEST_H
#define _BERTH_NETMEM_TEST_H

#include <linux/bottom_half.h>
#include <linux/dma-buf.h>
#include <linux/kthread.h>

#include <berth/netmem.h>

#include "netmem_test_abi.h"

/**
 * struct nt - a running case
 * @buf: the dma-bufs given, NULL where none; referenced.
 * @run: what user space asked for, and the answer.
 */
struct nt {
	struct dma_buf *buf[2];
	struct netmem_test *run;
};

/* Note a failure, the first one only. Returns cond. */
__printf(5, 6)
bool nt_check(struct nt *t, bool cond, const char *func, int line, const char *fmt, ...);

/* CHECK(t, cond, "what was seen", ...): true when it holds. */
#define CHECK(t, cond, fmt, ...) nt_check(t, cond, __func__, __LINE__, fmt, ##__VA_ARGS__)

static inline bool nt_failed(const struct nt *t)
{
	return t->run->why[0];
}

/* A byte that depends on its position, also across pages and 64 KiB, and on a seed. */
static inline u8 nt_byte(u64 pos, u32 seed)
{
	return pos * 131 + (pos >> 8) * 29 + (pos >> 16) * 7 + seed * 53 + 1;
}

void nt_fill(u8 *mem, u64 pos, size_t len, u32 seed);
bool nt_match(struct nt *t, const u8 *mem, u64 pos, size_t len, u32 seed, const char *what);

struct berth_area *nt_area(struct nt *t, int which);
unsigned int nt_attachments(struct dma_buf *dmabuf);

/* Accessors inside a section with bottom halves disabled, as the driver calls them. */
int nt_write(struct berth_window *w, u64 off, const void *src, size_t len);
int nt_read(struct berth_window *w, u64 off, void *dst, size_t len);
int nt_copy(struct berth_window *dw, u64 doff, struct berth_window *sw, u64 soff, size_t len);

/* Threads that start together. */
#define NT_THREADS_MAX	16

/**
 * struct nt_threads - threads of one function
 * @fn: what each runs; its return value is ignored. It returns when it is done, or when
 *	nt_stopping().
 * @arg: for @fn.
 * @task: the threads.
 * @count: how many.
 * @go: completes when all may begin.
 * @done: completes once for each that has returned.
 * @stop: set by whoever wants them to return.
 */
struct nt_threads {
	void (*fn)(struct nt_threads *threads, int self);
	void *arg;
	struct task_struct *task[NT_THREADS_MAX];
	int count;
	struct completion go;
	struct completion done;
	bool stop;
};

int nt_threads_start(struct nt_threads *threads, int count,
		     void (*fn)(struct nt_threads *threads, int self), void *arg);
void nt_threads_join(struct nt_threads *threads);

static inline bool nt_stopping(struct nt_threads *threads)
{
	return READ_ONCE(threads->stop);
}

/* test_window.c */
void test_rw(struct nt *t);
void test_copy(struct nt *t);
void test_overlap(struct nt *t);
void test_bounds(struct nt *t);
void test_atomic(struct nt *t);
void test_atomic_race(struct nt *t);
/* test_pages.c */
void test_pages(struct nt *t);
void test_pages_bad(struct nt *t);
void test_pages_none(struct nt *t);
void test_direct(struct nt *t);
/* test_area.c */
void test_share(struct nt *t);
void test_race(struct nt *t);
void test_refuse(struct nt *t);
void test_revoke(struct nt *t);
void test_ioremap_share(struct nt *t);
void test_keep(struct nt *t);
void test_kept(struct nt *t);
void test_drop(struct nt *t);
void test_area_fini(void);
/* test_move.c */
void test_traffic_start(struct nt *t);
void test_traffic_check(struct nt *t);
void test_traffic_stop(struct nt *t);
void test_move_fini(void);
/* test_chunk.c */
void test_exhaust(struct nt *t);
void test_refs(struct nt *t);
void test_leak(struct nt *t);
void test_booking(struct nt *t);
void test_chunk_args(struct nt *t);
/* test_claim.c */
void test_claim(struct nt *t);
void test_claim_many(struct nt *t);
void test_claim_race(struct nt *t);
void test_claim_area(struct nt *t);
void test_pool_keep(struct nt *t);
void test_pool_again(struct nt *t);
void test_pool_drop(struct nt *t);
void test_claim_here(struct nt *t);
void test_claim_rest(struct nt *t);
void test_claim_lost(struct nt *t);
void test_churn_start(struct nt *t);
void test_churn_stop(struct nt *t);
void test_claim_fini(void);
/* test_chunk_load.c */
void test_percpu(struct nt *t);
void test_last_put(struct nt *t);
void test_cost(struct nt *t);
void test_lease_cost(struct nt *t);
/* test_copy_cost.c */
void test_memcpy_cost(struct nt *t);
void test_string_cost(struct nt *t);

#endif /* _BERTH_NETMEM_TEST_H */
