/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The device: one ib_device over one netdev.
 *
 * Made by `rdma link add` (link.c), registered and described to the core by dev.c, unregistered by
 * `rdma link delete` or when its netdev goes. The netdev and the network namespace state are held
 * from create until dealloc_driver. A netdev carries one device at most, of whichever type, because
 * rdma_cm finds devices by it; those of a VLAN and of the netdev below are two. All fields are set before
 * registration and constant after it, except where said.
 */
#ifndef BERTH_DEV_H
#define BERTH_DEV_H

#include <linux/list.h>
#include <linux/netdevice.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>
#include <rdma/ib_verbs.h>
#include "obj/limit.h"
#include "port.h"

struct berth_netns;
struct berth_stats;

struct berth_dev {
	struct ib_device ib;
	struct list_head all;			/* under the lock of dev.c */
	struct net_device *ndev;
	netdevice_tracker ndev_tracker;
	bool iw;				/* of type berth_iw: iWARP, no RoCEv2 */
	struct berth_netns *netns;		/* of ndev when the link was added */
	struct berth_stats __percpu *stats;
	struct berth_limits limits;
	struct berth_port port;			/* written under rtnl, see port.h */
	struct ib_event_handler gid_handler;	/* both of net/gid.c */
	struct work_struct gid_work;
	struct xarray mrs;			/* key >> 8 -> struct berth_mr; RCU readers */
	atomic64_t mrs_lost;			/* taken out of mrs, see obj/keys.h */
	struct xarray avs;			/* number -> struct berth_av; RCU readers */
	u32 av_next;
	u32 mr_next;				/* cyclic allocation cursor, of obj/mr.c */
	atomic64_t dm_used;			/* bytes of device memory, of obj/dm.c */
	struct xarray mws;			/* the same for memory windows, of obj/mw.c */
	u32 mw_next;
	u32 mcast_groups;			/* joined, under the lock of obj/mcast.c */
	struct xarray iw_calls;			/* all of tcp/iw_call.c */
	u32 iw_call_next;
	atomic_t iw_call_count;
};

static inline struct berth_dev *berth_dev(struct ib_device *ib)
{
	return container_of(ib, struct berth_dev, ib);
}

struct berth_dev *berth_dev_create(const char *name, struct net_device *ndev, struct net *net, bool iw);
struct berth_dev *berth_dev_get_by_netdev(const struct net_device *ndev);
void berth_dev_port_event(struct berth_dev *dev, enum ib_event_type type);

#endif
