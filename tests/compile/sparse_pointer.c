// SPDX-License-Identifier: GPL-2.0
/* gcc takes it, sparse must not: a reference is not a pointer. */
#include <berth/netmem.h>

struct page *reference_to_pointer(struct berth_netmem nm);
struct page *reference_to_pointer(struct berth_netmem nm)
{
	return (struct page *)nm.ref;
}
