/* SPDX-License-Identifier: GPL-2.0 */
/* The platform device that software RDMA devices attach dma-bufs with; device.c. */
#ifndef _BERTH_NETMEM_DEVICE_H
#define _BERTH_NETMEM_DEVICE_H

int berth_device_init(void);
void berth_device_fini(void);

#endif /* _BERTH_NETMEM_DEVICE_H */
