/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Who has which range of the BAR: a list sorted by offset, first fit. The caller serializes; see
 * bar_exporter.c.
 */
#ifndef _BERTH_BAR_RANGE_H
#define _BERTH_BAR_RANGE_H

#include <linux/list.h>
#include <linux/types.h>

/**
 * struct bar_range - a range in use
 * @offset: first byte.
 * @length: bytes; 0 while not in the list.
 * @node: in the list.
 */
struct bar_range {
	u64 offset;
	u64 length;
	struct list_head node;
};

int bar_range_take(struct list_head *ranges, u64 size, struct bar_range *range, u64 offset,
		   u64 length);
void bar_range_give(struct bar_range *range);

#endif /* _BERTH_BAR_RANGE_H */
