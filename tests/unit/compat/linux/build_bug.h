/* SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB */
/* User-space stand-in for <linux/build_bug.h>. */
#ifndef BERTH_COMPAT_BUILD_BUG_H
#define BERTH_COMPAT_BUILD_BUG_H

/* The message is optional, as in the kernel. */
#undef static_assert
#define static_assert(expr, ...)	__static_assert(expr, ##__VA_ARGS__, #expr)
#define __static_assert(expr, msg, ...)	_Static_assert(expr, msg)

#endif /* BERTH_COMPAT_BUILD_BUG_H */
