/* SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB */
/* User-space stand-in for <linux/timer.h>: timers that never fire. */
#ifndef BERTH_COMPAT_TIMER_H
#define BERTH_COMPAT_TIMER_H

struct timer_list {
	void (*function)(struct timer_list *timer);
};

#define timer_setup(t, f, flags)	((t)->function = (f))

#endif /* BERTH_COMPAT_TIMER_H */
