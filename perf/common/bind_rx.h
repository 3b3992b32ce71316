/* SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB */
/* Binding a dma-buf to a receive queue of a netdev, over a generic netlink socket whose life is the binding's. */
#ifndef BIND_RX_H
#define BIND_RX_H

#include <stdint.h>

#define BIND_RX_FAMILY	"netdev"

/** bind_rx_family() - The number of the family that binds. Return: it, or a negative errno. */
int bind_rx_family(int sock);

/** bind_rx() - Bind. Return: 0 or a negative errno. */
int bind_rx(int sock, int family, uint32_t ifindex, uint32_t queue, int dmabuf);

#endif
