// SPDX-License-Identifier: GPL-2.0
/* The netdev: up and down, sending, addresses, MTU, figures. */
#include <linux/etherdevice.h>
#include <linux/rtnetlink.h>
#include "nic.h"
#include "queue.h"
#include "steer.h"

/* Whatever the lower device lacks of these is done for it when the packet gets there. */
#define NIC_FEATURES	(NETIF_F_SG | NETIF_F_FRAGLIST | NETIF_F_HW_CSUM | NETIF_F_HIGHDMA | NETIF_F_ALL_TSO | \
			 NETIF_F_GSO_UDP_L4 | NETIF_F_RXCSUM | NETIF_F_GRO)

static void queues_down(struct nic *nic, unsigned int from, unsigned int to)
{
	while (to-- > from)
		nic_queue_down(&nic->queue[to]);
}

static int queues_up(struct nic *nic, unsigned int from, unsigned int to)
{
	unsigned int i;
	int err;

	for (i = from; i < to; i++) {
		err = nic_queue_up(&nic->queue[i]);
		if (err) {
			queues_down(nic, from, i);
			return err;
		}
	}
	return 0;
}

/**
 * nic_set_queues - use so many receive queues
 * @nic: NIC
 * @count: at least 1, at most dev->num_rx_queues
 *
 * Context: rtnl. Return: 0; -ENOMEM and others.
 */
int nic_set_queues(struct nic *nic, unsigned int count)
{
	const unsigned int old = nic->dev->real_num_rx_queues;
	const bool running = netif_running(nic->dev);
	struct nic_steer *steer = nic_steer_copy(nic);
	int err = 0;

	if (!steer)
		return -ENOMEM;
	if (running && count > old)
		err = queues_up(nic, old, count);
	if (!err)
		err = netif_set_real_num_rx_queues(nic->dev, count);
	if (err) {
		if (running && count > old)
			queues_down(nic, old, count);
		kfree(steer);
		return err;
	}
	if (!netif_is_rxfh_configured(nic->dev))
		nic_steer_spread(steer, count);
	nic_steer_replace(nic, steer);
	if (running && count < old)
		queues_down(nic, count, old);
	return 0;
}

static int nic_init(struct net_device *dev)
{
	struct nic *nic = nic_of(dev);
	int err = nic_steer_init(nic);

	if (!err)
		netdev_hold(nic->lower, &nic->lower_tracker, GFP_KERNEL);
	return err;
}

static void nic_uninit(struct net_device *dev)
{
	struct nic *nic = nic_of(dev);
	unsigned int i;

	for (i = 0; i < dev->num_rx_queues; i++)
		nic_queue_exit(&nic->queue[i]);
	nic_steer_exit(nic);
	netdev_put(nic->lower, &nic->lower_tracker);
}

/* What the lower device is to hear besides what is for us, as long as we are up. */
static void hear(struct net_device *dev, int flags, int inc)
{
	struct net_device *lower = nic_of(dev)->lower;

	if (flags & IFF_ALLMULTI)
		dev_set_allmulti(lower, inc);
	if (flags & IFF_PROMISC)
		dev_set_promiscuity(lower, inc);
}

static int nic_open(struct net_device *dev)
{
	struct nic *nic = nic_of(dev);
	int err;

	if (!(nic->lower->flags & IFF_UP))
		return -ENETDOWN;
	err = queues_up(nic, 0, dev->real_num_rx_queues);
	if (err)
		return err;
	err = dev_uc_add(nic->lower, dev->dev_addr);
	if (err) {
		queues_down(nic, 0, dev->real_num_rx_queues);
		return err;
	}
	hear(dev, dev->flags, 1);
	netif_tx_start_all_queues(dev);
	return 0;
}

static int nic_stop(struct net_device *dev)
{
	struct nic *nic = nic_of(dev);

	netif_tx_stop_all_queues(dev);
	hear(dev, dev->flags, -1);
	dev_uc_unsync(nic->lower, dev);
	dev_mc_unsync(nic->lower, dev);
	dev_uc_del(nic->lower, dev->dev_addr);
	queues_down(nic, 0, dev->real_num_rx_queues);
	return 0;
}

static netdev_tx_t nic_xmit(struct sk_buff *skb, struct net_device *dev)
{
	const unsigned int len = skb->len;
	int ret;

	skb->dev = nic_of(dev)->lower;
	ret = dev_queue_xmit(skb);
	if (likely(ret == NET_XMIT_SUCCESS || ret == NET_XMIT_CN))
		dev_sw_netstats_tx_add(dev, 1, len);
	else
		dev_core_stats_tx_dropped_inc(dev);
	return NETDEV_TX_OK;
}

static int nic_change_mtu(struct net_device *dev, int mtu)
{
	if (mtu > nic_of(dev)->lower->mtu)
		return -EINVAL;
	WRITE_ONCE(dev->mtu, mtu);
	return 0;
}

static int nic_set_mac_address(struct net_device *dev, void *p)
{
	struct net_device *lower = nic_of(dev)->lower;
	const struct sockaddr *addr = p;
	int err;

	if (!is_valid_ether_addr(addr->sa_data))
		return -EADDRNOTAVAIL;
	if (netif_running(dev)) {
		err = dev_uc_add(lower, addr->sa_data);
		if (err)
			return err;
		dev_uc_del(lower, dev->dev_addr);
	}
	eth_hw_addr_set(dev, addr->sa_data);
	return 0;
}

static void nic_set_rx_mode(struct net_device *dev)
{
	dev_uc_sync(nic_of(dev)->lower, dev);
	dev_mc_sync(nic_of(dev)->lower, dev);
}

static void nic_change_rx_flags(struct net_device *dev, int change)
{
	if (!netif_running(dev))
		return;
	hear(dev, change & dev->flags, 1);
	hear(dev, change & ~dev->flags, -1);
}

/**
 * nic_queue_counts - what a queue has counted
 * @q: queue
 * @count: receives them, by enum nic_count
 * @full: receives how many packets its ring had no room for
 *
 * Context: any but the NAPI's.
 */
void nic_queue_counts(struct nic_queue *q, u64 count[NIC_COUNTS], u64 *full)
{
	unsigned int start, i;

	do {
		start = u64_stats_fetch_begin(&q->sync);
		for (i = 0; i < NIC_COUNTS; i++)
			count[i] = u64_stats_read(&q->count[i]);
	} while (u64_stats_fetch_retry(&q->sync, start));
	*full = READ_ONCE(q->ring_full);
}

static void nic_get_stats64(struct net_device *dev, struct rtnl_link_stats64 *stats)
{
	struct nic *nic = nic_of(dev);
	u64 count[NIC_COUNTS], full;
	unsigned int i;

	dev_fetch_sw_netstats(stats, dev->tstats);
	for (i = 0; i < dev->num_rx_queues; i++) {
		nic_queue_counts(&nic->queue[i], count, &full);
		stats->rx_packets += count[NIC_PACKETS];
		stats->rx_bytes += count[NIC_BYTES];
		stats->rx_missed_errors += full;
		stats->rx_dropped += count[NIC_NO_BUFFER];
		stats->rx_length_errors += count[NIC_TOO_LONG];
	}
}

static int nic_get_iflink(const struct net_device *dev)
{
	return READ_ONCE(nic_of(dev)->lower->ifindex);
}

/* Rules go with the feature. */
static int nic_set_features(struct net_device *dev, netdev_features_t features)
{
	if (dev->features & ~features & NETIF_F_NTUPLE)
		return nic_rules_clear(nic_of(dev));
	return 0;
}

static const struct net_device_ops nic_netdev_ops = {
	.ndo_init = nic_init,
	.ndo_uninit = nic_uninit,
	.ndo_open = nic_open,
	.ndo_stop = nic_stop,
	.ndo_start_xmit = nic_xmit,
	.ndo_change_mtu = nic_change_mtu,
	.ndo_set_mac_address = nic_set_mac_address,
	.ndo_validate_addr = eth_validate_addr,
	.ndo_set_rx_mode = nic_set_rx_mode,
	.ndo_change_rx_flags = nic_change_rx_flags,
	.ndo_get_stats64 = nic_get_stats64,
	.ndo_get_iflink = nic_get_iflink,
	.ndo_set_features = nic_set_features,
};

/**
 * nic_dev_setup - rtnl_link_ops.setup
 * @dev: netdev that is new
 */
void nic_dev_setup(struct net_device *dev)
{
	ether_setup(dev);
	dev->netdev_ops = &nic_netdev_ops;
	dev->ethtool_ops = &nic_ethtool_ops;
	dev->queue_mgmt_ops = &nic_queue_mgmt_ops;
	dev->stat_ops = &nic_stat_ops;
	dev->pcpu_stat_type = NETDEV_PCPU_STAT_TSTATS;
	dev->priv_flags |= IFF_NO_QUEUE | IFF_UNICAST_FLT;
	dev->priv_flags &= ~IFF_TX_SKB_SHARING;
	dev->lltx = true;
	dev->hw_features = NIC_FEATURES | NETIF_F_NTUPLE;
	dev->features = NIC_FEATURES | NETIF_F_NTUPLE;
	dev->vlan_features = NIC_FEATURES;
	dev->needs_free_netdev = true;
	dev->min_mtu = 68;
	dev->max_mtu = ETH_MAX_MTU;
}

/**
 * nic_dev_follow - take over what the lower device limits
 * @nic: NIC
 *
 * Context: rtnl.
 */
void nic_dev_follow(struct nic *nic)
{
	netif_inherit_tso_max(nic->dev, nic->lower);
	nic->dev->needed_headroom = nic->lower->needed_headroom;
	nic->dev->needed_tailroom = nic->lower->needed_tailroom;
	if (nic->dev->mtu > nic->lower->mtu)
		dev_set_mtu(nic->dev, nic->lower->mtu);
}
