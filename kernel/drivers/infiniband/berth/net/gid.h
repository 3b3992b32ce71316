/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Which GIDs a link over a VLAN has: its own netdev's. Links over anything else have what the core
 * gives them, and are not handled here.
 */
#ifndef BERTH_NET_GID_H
#define BERTH_NET_GID_H

#include <linux/netdevice.h>

struct berth_dev;

struct net_device *berth_gid_core_netdev(struct net_device *ndev);
void berth_gid_init(struct berth_dev *dev);
void berth_gid_fini(struct berth_dev *dev);
void berth_gid_prune(struct berth_dev *dev);

#endif
