// SPDX-License-Identifier: GPL-2.0
/* Must not compile: a number is not network memory. */
#include <berth/netmem.h>

u64 integer_offset_wrong(unsigned long token);
u64 integer_offset_wrong(unsigned long token)
{
	return berth_chunk_offset(token);
}
