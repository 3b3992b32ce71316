// SPDX-License-Identifier: GPL-2.0
/* gcc takes it, sparse must not: a reference is not a number. */
#include <berth/netmem.h>

unsigned long reference_to_integer(struct berth_netmem nm);
unsigned long reference_to_integer(struct berth_netmem nm)
{
	return (unsigned long)nm.ref;
}
