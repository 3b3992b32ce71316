/* SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB */
/*
 * The memory order of the rings that a process shares with the kernel, and the locks around the
 * process's own end of them.
 *
 * Every index is a free running 32-bit counter with one writer. The pairs are
 *
 *	sq_prod, rq_prod   ring_publish() here		load-acquire in the kernel's fetch of a WQE
 *	prod (CQ)	   ring_observe() here		store-release in the kernel after a CQE
 *	cons (CQ)	   ring_publish() here		load-acquire in the kernel's check for room
 *	rq_prod, flags	   ring_full_barrier() here	full barrier between flags and rq_prod there
 *	arm, prod	   ring_full_barrier() here	full barrier between prod and arm there
 *	wq.tail		   ring_publish() by the poller	ring_observe() by the poster
 */
#ifndef BERTH_RING_H
#define BERTH_RING_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

/* Hands what was written before (an entry, or the right to overwrite one) to the other side. */
static inline void ring_publish(uint32_t *index, uint32_t value)
{
	__atomic_store_n(index, value, __ATOMIC_RELEASE);
}

/* What the other side published; entries before it may be read (or overwritten). */
static inline uint32_t ring_observe(const uint32_t *index)
{
	return __atomic_load_n(index, __ATOMIC_ACQUIRE);
}

/* A word that the other side writes at any time and that orders nothing by itself. */
static inline uint32_t ring_peek(const uint32_t *word)
{
	return __atomic_load_n(word, __ATOMIC_RELAXED);
}

/* Orders a store before it against a load after it; nothing weaker does. */
static inline void ring_full_barrier(void)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

/*
 * A lock that is not there when the application promised not to need it: one thread per process
 * (BERTH_SINGLE_THREADED) or per object (IBV_CREATE_CQ_ATTR_SINGLE_THREADED).
 */
struct berth_lock {
	pthread_spinlock_t spin;
	bool needed;
};

static inline void berth_lock_init(struct berth_lock *lock, bool needed)
{
	pthread_spin_init(&lock->spin, PTHREAD_PROCESS_PRIVATE);
	lock->needed = needed;
}

static inline void berth_lock(struct berth_lock *lock)
{
	if (lock->needed)
		pthread_spin_lock(&lock->spin);
}

static inline void berth_unlock(struct berth_lock *lock)
{
	if (lock->needed)
		pthread_spin_unlock(&lock->spin);
}

#endif
