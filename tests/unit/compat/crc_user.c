// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * The user-space side of the seam in wire/crc.h: no drivers, one function. Tests
 * of everything but wire/crc.c itself link this.
 */
#include <linux/crc32.h>
#include "wire/crc.h"

int berth_crc_init(void)
{
	return 0;
}

void berth_crc_fini(void)
{
}

u32 berth_crc_update(u32 crc, const void *data, size_t len)
{
	return crc32_le(crc, data, len);
}
