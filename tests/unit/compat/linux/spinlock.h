/* SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB */
/* User-space stand-in for <linux/spinlock.h>: a flag that lockdep_assert_held() looks at. */
#ifndef BERTH_COMPAT_SPINLOCK_H
#define BERTH_COMPAT_SPINLOCK_H

#include <stdlib.h>
#include <linux/types.h>

typedef struct {
	bool held;
} spinlock_t;

#define spin_lock_init(l)	((l)->held = false)
#define spin_lock(l)		((l)->held = true)
#define spin_unlock(l)		((l)->held = false)
#define spin_lock_bh(l)		spin_lock(l)
#define spin_unlock_bh(l)	spin_unlock(l)
#define lockdep_assert_held(l)	do { if (!(l)->held) abort(); } while (0)

#define barrier()		__asm__ volatile("" : : : "memory")
#define smp_load_acquire(p)	__atomic_load_n(p, __ATOMIC_ACQUIRE)
#define smp_store_release(p, v)	__atomic_store_n(p, v, __ATOMIC_RELEASE)
#define READ_ONCE(x)		(*(const volatile __typeof__(x) *)&(x))

#endif /* BERTH_COMPAT_SPINLOCK_H */
