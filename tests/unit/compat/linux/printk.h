/* SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB */
/* User-space stand-in for <linux/printk.h>: checks formats, prints nothing. */
#ifndef BERTH_COMPAT_PRINTK_H
#define BERTH_COMPAT_PRINTK_H

#include <stdio.h>

#define pr_debug(...)	do { if (0) printf(__VA_ARGS__); } while (0)

#endif /* BERTH_COMPAT_PRINTK_H */
