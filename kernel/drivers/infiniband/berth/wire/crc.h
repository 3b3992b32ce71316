/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The CRC behind the ICRC: CRC-32, polynomial 0x04c11db7, bits reflected, no
 * conditioning at either end (the semantics of crc32_le()).
 *
 * This is a seam. In the kernel crc.c routes long pieces to the fastest driver
 * that the crypto layer has; in user space the unit tests bring their own.
 */
#ifndef BERTH_WIRE_CRC_H
#define BERTH_WIRE_CRC_H

#include <linux/types.h>

int berth_crc_init(void);
void berth_crc_fini(void);
u32 berth_crc_update(u32 crc, const void *data, size_t len);

#endif /* BERTH_WIRE_CRC_H */
