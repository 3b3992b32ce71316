/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Chunk pools: an area's memory in equal pieces, each with a typed handle.
 *
 * A free chunk is an index, in one CPU's cache or on the shared stack. Taking and giving back
 * touches the cache of this CPU; a full or empty cache exchanges a batch with the stack.
 *
 * Who has set cache->busy owns the cache, with preemption disabled. Normally that is its own CPU;
 * others look into it when the stack is empty. Interrupts and bottom halves stay enabled, which is
 * most of what a lock would cost: whoever interrupts the owner finds the cache busy and goes to the
 * stack. So nobody waits for a cache but berth_chunks_destroy(), which may sleep and holds no
 * spinlock. Never two caches at a time; stack_lock is taken by the owner of a cache or without one.
 */
#ifndef _BERTH_NETMEM_CHUNK_H
#define _BERTH_NETMEM_CHUNK_H

#include <linux/percpu.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>

#include <berth/netmem.h>

/* The most that moves between a cache and the stack at once; a cache holds two batches. */
#define CHUNK_BATCH_MAX	32

/**
 * struct berth_chunk - one chunk; its handle is the address of @niov
 * @niov: @niov's reference count is the chunk's; its other fields are not used, so that nobody
 *	mistakes it for a page pool's.
 * @chunks: the pool; constant.
 * @index: position in the pool; constant.
 */
struct berth_chunk {
	struct net_iov niov;
	struct berth_chunks *chunks;
	u32 index;
};

/**
 * struct chunk_cache - free chunks of one CPU
 * @busy: 1: somebody owns @count and @index.
 * @count: valid entries of @index.
 * @exhausted: allocations on this CPU that found nothing.
 * @index: a stack, so that the chunk used last is used next.
 */
struct chunk_cache {
	atomic_t busy;
	u32 count;
	u64 exhausted;
	u32 index[2 * CHUNK_BATCH_MAX];
};

/**
 * struct berth_chunks - a pool
 * @chunk: all chunks; constant.
 * @caches: one for each possible CPU.
 * @area: we hold a reference; constant.
 * @first: offset of chunk 0 in the dma-buf; constant.
 * @total: number of chunks; constant.
 * @shift: log2 of the size of a chunk; constant.
 * @batch: chunks moved at once; constant.
 * @dying: berth_chunks_destroy() was called: no more caching. Written before every cache is owned
 *	once, read by the owner of a cache.
 * @stack_lock: protects @stack, @top, @orphan.
 * @top: valid entries of @stack.
 * @orphan: destroyed with chunks out; the last put frees the pool.
 * @stack: indices of free chunks.
 * @booking: our range of the dma-buf.
 * @node: in the area's list, under its pools_lock.
 * @free_work: frees an orphan, for the last put may not sleep.
 */
struct berth_chunks {
	struct berth_chunk *chunk;
	struct chunk_cache __percpu *caches;
	struct berth_area *area;
	u64 first;
	u32 total;
	u32 shift;
	u32 batch;
	bool dying;

	raw_spinlock_t stack_lock ____cacheline_aligned_in_smp;
	u32 top;
	bool orphan;
	u32 *stack;

	struct berth_booking booking;
	struct list_head node;
	struct work_struct free_work;
};

void berth_area_chunks_account(struct berth_area *area, struct berth_chunk_account *sum);
int berth_chunks_init(void);
void berth_chunks_fini(void);

#endif /* _BERTH_NETMEM_CHUNK_H */
