// SPDX-License-Identifier: GPL-2.0
/* Must not compile: network memory does not become a page, not by a cast either. */
#include <berth/netmem.h>

struct page *cast_wrong(struct berth_netmem nm);
struct page *cast_wrong(struct berth_netmem nm)
{
	return (struct page *)nm;
}
