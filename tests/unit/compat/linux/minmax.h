/* SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB */
/* User-space stand-in for <linux/minmax.h>; refuses mixed types as the kernel's does. */
#ifndef BERTH_COMPAT_MINMAX_H
#define BERTH_COMPAT_MINMAX_H

#define __same_type_check(a, b)						\
	_Static_assert(__builtin_types_compatible_p(__typeof__(a), __typeof__(b)), "mixed types")

#define min(x, y) ({							\
	__typeof__(x) _min_x = (x);					\
	__typeof__(y) _min_y = (y);					\
	__same_type_check(_min_x, _min_y);				\
	_min_x < _min_y ? _min_x : _min_y; })

#define max(x, y) ({							\
	__typeof__(x) _max_x = (x);					\
	__typeof__(y) _max_y = (y);					\
	__same_type_check(_max_x, _max_y);				\
	_max_x > _max_y ? _max_x : _max_y; })

#define swap(a, b)	do { __typeof__(a) swap_ = (a); (a) = (b); (b) = swap_; } while (0)

#endif /* BERTH_COMPAT_MINMAX_H */
