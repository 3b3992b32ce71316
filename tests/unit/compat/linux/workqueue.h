/* SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB */
/* User-space stand-in for <linux/workqueue.h>: work that never runs. */
#ifndef BERTH_COMPAT_WORKQUEUE_H
#define BERTH_COMPAT_WORKQUEUE_H

struct work_struct {
	void (*function)(struct work_struct *work);
};

#define INIT_WORK(w, f)		((w)->function = (f))

#endif /* BERTH_COMPAT_WORKQUEUE_H */
