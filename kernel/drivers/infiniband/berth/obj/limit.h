/* SPDX-License-Identifier: GPL-2.0 */
/*
 * How many objects of a kind a device can have. Those of the kernel's own consumers count like
 * those of processes.
 *
 * An object is counted from before its memory is allocated until after it was freed. Kinds that are
 * found by a number of the device (MRs, memory windows, address handles) need no count: the numbers
 * run out.
 */
#ifndef BERTH_OBJ_LIMIT_H
#define BERTH_OBJ_LIMIT_H

#include <linux/atomic.h>

struct berth_dev;

enum berth_limit {
	BERTH_LIMIT_PD,
	BERTH_LIMIT_CQ,
	BERTH_LIMIT_QP,
	BERTH_LIMIT_SRQ,
	BERTH_LIMITS,
};

struct berth_limits {
	atomic_t used[BERTH_LIMITS];	/* never above berth_limit_max() */
};

int berth_limit_max(enum berth_limit kind);
int berth_limit_take(struct berth_dev *dev, enum berth_limit kind);
void berth_limit_give(struct berth_dev *dev, enum berth_limit kind);
void berth_limit_fini(struct berth_dev *dev);

#endif
