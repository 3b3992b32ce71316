/* SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB */
/* User-space stand-in for <linux/mm.h> and what comes along with it in the kernel. */
#ifndef BERTH_COMPAT_MM_H
#define BERTH_COMPAT_MM_H

#include <errno.h>
#include <string.h>
#include <linux/kernel.h>
#include <linux/slab.h>

#define U32_MAX			(~0u)
#define ALIGN(x, a)		(((x) + (a) - 1) / (a) * (a))
#define max3(x, y, z)		max(max(x, y), z)
#define min_t(t, x, y)		min((t)(x), (t)(y))
#define max_t(t, x, y)		max((t)(x), (t)(y))
#define struct_size_t(t, m, n)	(offsetof(t, m) + sizeof(((t *)0)->m[0]) * (n))

static inline u32 roundup_pow_of_two(u32 n)
{
	return n < 2 ? 1 : 1u << (32 - __builtin_clz(n - 1));
}

#endif /* BERTH_COMPAT_MM_H */
