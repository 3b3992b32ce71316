/* SPDX-License-Identifier: GPL-2.0 */
/* What an area's mapping tells the book, see booking.c. */
#ifndef _BERTH_NETMEM_BOOKING_H
#define _BERTH_NETMEM_BOOKING_H

struct berth_area;

int berth_bookings_claim(struct berth_area *area);
void berth_bookings_drop(struct berth_area *area);
void berth_bookings_fini(void);

#endif /* _BERTH_NETMEM_BOOKING_H */
