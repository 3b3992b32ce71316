/* SPDX-License-Identifier: GPL-2.0 */
/*
 * berth_nic: a NIC on top of any netdev.
 *
 * Frames for its address are taken from the lower device by a receive handler (main.c), steered to one of its
 * queues (steer.c), wait in the queue's ring and are received by the queue's NAPI (rx.c): headers go to a small
 * linear buffer, payload is written once into the queue's buffers (place.c, queue.c). What is sent goes out by
 * the lower device (dev.c).
 *
 * Locks: the configuration is written under rtnl and read under RCU; a queue's buffers belong to its NAPI while
 * that is enabled, and to rtnl while it is not.
 */
#ifndef BERTH_NIC_H
#define BERTH_NIC_H

#include <linux/netdevice.h>
#include <linux/skbuff.h>
#include <linux/u64_stats_sync.h>

#define NIC_QUEUES_MAX	16
#define NIC_RING_MIN	16
#define NIC_RING_MAX	8192
#define NIC_RING	1024

struct nic_bound;
struct nic_steer;
struct page_pool;

/* What a queue has counted; the names are in ethtool.c. */
enum nic_count {
	NIC_PACKETS,
	NIC_BYTES,
	NIC_SPLIT,		/* packets whose payload went to buffers of its own */
	NIC_PAGE_BYTES,		/* payload written to pages */
	NIC_DEVICE_BYTES,	/* and to device memory */
	NIC_NO_BUFFER,		/* packets dropped for want of memory */
	NIC_TOO_LONG,		/* the same: more than a packet has room for */
	NIC_CSUM_GOOD,		/* computed here, and right */
	NIC_CSUM_BAD,
	NIC_COUNTS,
};

/* What a queue has for buffers. */
struct nic_queue_memory {
	struct page_pool *pages;	/* that the CPU can read */
	struct nic_bound *bound;	/* device memory that is bound to the queue, or NULL */
	struct page_pool *marker;	/* with it: for the core's eyes */
};

struct nic_queue {
	struct nic *nic;
	unsigned int index;
	struct napi_struct napi;
	bool up;			/* packets may be put into the ring */
	struct sk_buff_head ring;	/* what has come from the lower device */
	u64 ring_full;			/* packets dropped; under ring.lock */
	struct nic_queue_memory mem;
	struct u64_stats_sync sync;	/* of count, which the NAPI writes */
	u64_stats_t count[NIC_COUNTS];
};

/* The private part of the netdev. */
struct nic {
	struct net_device *dev;
	struct net_device *lower;
	netdevice_tracker lower_tracker;
	struct nic_steer __rcu *steer;
	u32 ring_size;
	bool split;			/* ethtool's tcp-data-split */
	struct nic_queue queue[NIC_QUEUES_MAX];
};

static inline struct nic *nic_of(const struct net_device *dev)
{
	return netdev_priv(dev);
}

/* dev.c */
void nic_dev_setup(struct net_device *dev);
void nic_dev_follow(struct nic *nic);
int nic_set_queues(struct nic *nic, unsigned int count);
void nic_queue_counts(struct nic_queue *q, u64 count[NIC_COUNTS], u64 *full);

/* ethtool.c */
extern const struct ethtool_ops nic_ethtool_ops;
extern const struct netdev_stat_ops nic_stat_ops;

#endif
