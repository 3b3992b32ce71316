/* SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB */
/* User-space stand-in for <linux/hrtimer.h>: timers that never fire. */
#ifndef BERTH_COMPAT_HRTIMER_H
#define BERTH_COMPAT_HRTIMER_H

#include <linux/types.h>

typedef s64 ktime_t;

enum hrtimer_restart { HRTIMER_NORESTART };

struct hrtimer {
	enum hrtimer_restart (*function)(struct hrtimer *timer);
};

#define CLOCK_MONOTONIC		1
#define HRTIMER_MODE_REL_SOFT	0

#define hrtimer_init(timer, clock, mode)	((void)(timer))

#endif
