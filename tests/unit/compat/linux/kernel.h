/* SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB */
/* User-space stand-in for <linux/kernel.h>. */
#ifndef BERTH_COMPAT_KERNEL_H
#define BERTH_COMPAT_KERNEL_H

#include <linux/types.h>
#include <linux/build_bug.h>
#include <linux/minmax.h>

#define DIV_ROUND_UP(n, d)	(((n) + (d) - 1) / (d))

#ifndef ARRAY_SIZE
#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#endif

#endif /* BERTH_COMPAT_KERNEL_H */
