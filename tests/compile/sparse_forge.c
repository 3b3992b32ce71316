// SPDX-License-Identifier: GPL-2.0
/* gcc takes it, sparse must not: a handle is not made out of a number. */
#include <berth/netmem.h>

struct berth_netmem forge_handle(unsigned long token);
struct berth_netmem forge_handle(unsigned long token)
{
	return (struct berth_netmem){ .ref = (netmem_ref)token };
}
