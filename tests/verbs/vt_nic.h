/* SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB */
/* Binding a dma-buf to a receive queue of a NIC (netlink's netdev family), and devmem sockets. */
#ifndef VT_NIC_H
#define VT_NIC_H

#include <stddef.h>
#include <stdint.h>

/** vt_nic_bind() - Bind. Return: a descriptor that keeps it bound until it is closed; -1 and errno. */
int vt_nic_bind(const char *netns, const char *netdev, uint32_t queue, int dmabuf);

/** vt_nic_take() - Receive by a devmem socket and return what came at once; every byte is compared where it is in @mem, the
 * dma-buf's mapping. Return: bytes; 0: the end. */
size_t vt_nic_take(int sock, const uint8_t *mem, uint64_t seed, uint64_t pos);

/** vt_nic_hold() - The same, but nothing is returned; @chunks is raised by how many chunks that is. */
size_t vt_nic_hold(int sock, const uint8_t *mem, uint64_t seed, uint64_t pos, uint32_t *chunks);

#endif
