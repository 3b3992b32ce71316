// SPDX-License-Identifier: GPL-2.0
/* The range allocator of the BAR exporter. Process context; the caller holds the list's lock. */
#include <linux/errno.h>
#include <linux/overflow.h>

#include <rdma/berth-exporter.h>

#include "bar_range.h"

/* The gap that offset falls into: put the range before the entry returned. */
static int find_fixed(struct list_head *ranges, u64 offset, u64 length, struct list_head **before)
{
	struct bar_range *other;

	*before = ranges;
	list_for_each_entry(other, ranges, node) {
		if (offset < other->offset + other->length && other->offset < offset + length)
			return -EBUSY;
		if (other->offset > offset) {
			*before = &other->node;
			break;
		}
	}
	return 0;
}

static int find_first(struct list_head *ranges, u64 size, u64 length, u64 *offset,
		      struct list_head **before)
{
	struct bar_range *other;
	u64 at = 0;

	*before = ranges;
	list_for_each_entry(other, ranges, node) {
		if (other->offset - at >= length) {
			*before = &other->node;
			break;
		}
		at = other->offset + other->length;
	}
	*offset = at;
	return size - at >= length ? 0 : -ENOSPC;
}

/**
 * bar_range_take() - take a range
 * @ranges: the list.
 * @size: bytes in the BAR.
 * @range: filled in and put into the list.
 * @offset: first byte, or BERTH_EXPORTER_ANYWHERE.
 * @length: bytes, not 0.
 *
 * Return: 0, -ERANGE, -EBUSY, -ENOSPC.
 */
int bar_range_take(struct list_head *ranges, u64 size, struct bar_range *range, u64 offset,
		   u64 length)
{
	struct list_head *before;
	int err;

	if (offset == BERTH_EXPORTER_ANYWHERE) {
		err = find_first(ranges, size, length, &offset, &before);
	} else {
		if (offset > size || length > size - offset)
			return -ERANGE;
		err = find_fixed(ranges, offset, length, &before);
	}
	if (err)
		return err;
	range->offset = offset;
	range->length = length;
	list_add_tail(&range->node, before);
	return 0;
}

/**
 * bar_range_give() - give a range back
 * @range: the range.
 */
void bar_range_give(struct bar_range *range)
{
	list_del(&range->node);
	range->length = 0;
}
