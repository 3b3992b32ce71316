// SPDX-License-Identifier: GPL-2.0
/* Compiles with gcc and with sparse: what the other files here do, done right. */
#include <berth/netmem.h>

u64 control_offset(struct berth_chunks *chunks);
u64 control_offset(struct berth_chunks *chunks)
{
	struct berth_netmem nm = berth_chunk_alloc(chunks), other = berth_netmem_none();
	u64 offset = 0;

	if (!berth_netmem_is_none(nm) && !berth_netmem_equal(nm, other))
		offset = berth_chunk_offset(nm);
	berth_chunk_put(nm);
	return offset;
}
