/* SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB */
/* User-space stand-in for <linux/crc32.h>; compat/crc32.c has the function. */
#ifndef BERTH_COMPAT_CRC32_H
#define BERTH_COMPAT_CRC32_H

#include <linux/types.h>

u32 crc32_le(u32 crc, const unsigned char *p, size_t len);

#endif /* BERTH_COMPAT_CRC32_H */
