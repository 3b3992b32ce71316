/* SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB */
/* Big-endian values at any address, as in the kernel's header of this name. */
#ifndef UNIT_LINUX_UNALIGNED_H
#define UNIT_LINUX_UNALIGNED_H

#include <endian.h>
#include <string.h>
#include <linux/types.h>

static inline u16 get_unaligned_be16(const void *p)
{
	u16 v;

	memcpy(&v, p, sizeof(v));
	return be16toh(v);
}

static inline u32 get_unaligned_be32(const void *p)
{
	u32 v;

	memcpy(&v, p, sizeof(v));
	return be32toh(v);
}

static inline u64 get_unaligned_be64(const void *p)
{
	u64 v;

	memcpy(&v, p, sizeof(v));
	return be64toh(v);
}

static inline void put_unaligned_be16(u16 value, void *p)
{
	value = htobe16(value);
	memcpy(p, &value, sizeof(value));
}

#endif
