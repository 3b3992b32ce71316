// SPDX-License-Identifier: GPL-2.0
/*
 * Who owns which bytes of which dma-buf. An allocator books the range that it gives out in pieces;
 * no byte has two owners, whichever device or area they came by.
 *
 * Process context. booking_lock protects the one list, a leaf lock. Bookings are few (one for each
 * pool or queue), so a list does.
 */
#include <linux/lockdep.h>
#include <linux/minmax.h>
#include <linux/mutex.h>
#include <linux/overflow.h>

#include "area.h"

static DEFINE_MUTEX(booking_lock);
static LIST_HEAD(bookings);

static bool is_booked(const struct dma_buf *dmabuf, u64 first, u64 end)
{
	const struct berth_booking *booking;

	lockdep_assert_held(&booking_lock);
	list_for_each_entry(booking, &bookings, node)
		if (booking->dmabuf == dmabuf && first < booking->end && booking->first < end)
			return true;
	return false;
}

int berth_area_book(struct berth_area *area, struct berth_booking *booking, u64 first, u64 length)
{
	int err = -EBUSY;
	u64 end;

	if (!length || check_add_overflow(first, length, &end) || end > berth_area_size(area))
		return -ERANGE;
	mutex_lock(&booking_lock);
	if (!is_booked(area->dmabuf, first, end)) {
		booking->dmabuf = area->dmabuf;
		booking->first = first;
		booking->end = end;
		list_add_tail(&booking->node, &bookings);
		err = 0;
	}
	mutex_unlock(&booking_lock);
	return err;
}
EXPORT_SYMBOL_GPL(berth_area_book);

void berth_area_unbook(struct berth_booking *booking)
{
	if (!booking->dmabuf)
		return;
	mutex_lock(&booking_lock);
	list_del(&booking->node);
	booking->dmabuf = NULL;
	mutex_unlock(&booking_lock);
}
EXPORT_SYMBOL_GPL(berth_area_unbook);
