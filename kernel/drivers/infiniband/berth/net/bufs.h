/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Buffers of packets that are used again.
 */
#ifndef BERTH_NET_BUFS_H
#define BERTH_NET_BUFS_H

#include <linux/types.h>

struct page;

#define BERTH_BUF_ORDER		3	/* of buffers for many packets */
#define BERTH_BUF_ORDER_MIN	1	/* holds one packet of the largest path MTU */

struct page *berth_buf_get(u32 order);
void berth_bufs_fini(void);

#endif
