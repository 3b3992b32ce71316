/* SPDX-License-Identifier: GPL-2.0 */
/*
 * How one side of a QP looks up MRs: most work requests name the MR that the one before has named.
 *
 * The last MR is remembered beyond the RCU section that found it, together with how many MRs the
 * device had lost by then. An MR is unpublished, then counted, and only after a grace period freed
 * (berth_mr_destroy()): a reader who finds the count unchanged has an MR that will stay until the
 * end of its own section. Whether its key is still the one wanted is looked at as ever.
 *
 * Written by lookups: belongs to whoever holds the lock of that side.
 */
#ifndef BERTH_OBJ_KEYS_H
#define BERTH_OBJ_KEYS_H

#include <linux/types.h>

struct berth_dev;
struct berth_mr;

struct berth_keys {
	struct berth_dev *dev;
	struct berth_mr *last;
	u32 index;		/* in berth_dev.mrs */
	s64 lost;		/* berth_dev.mrs_lost when it was found */
};

#endif
