/* SPDX-License-Identifier: GPL-2.0 */
/* What the book and debugfs know of leases, see lease.c. */
#ifndef _BERTH_NETMEM_LEASE_H
#define _BERTH_NETMEM_LEASE_H

#include <berth/lease.h>

/**
 * struct berth_lease_account - where the chunks of an area's leases are
 * @total: of the source; the leases of an area over bound memory have the same.
 * @home: free with the source.
 * @out: with the holders.
 * @kept: free, not at home.
 */
struct berth_lease_account {
	u32 total;
	u32 home;
	u32 out;
	u32 kept;
};

void berth_area_leases_account(struct berth_area *area, struct berth_lease_account *sum);

/* booking.c */
struct berth_source *berth_source_get(struct berth_area *area, u64 first, u64 length);

#endif /* _BERTH_NETMEM_LEASE_H */
