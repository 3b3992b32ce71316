// SPDX-License-Identifier: GPL-2.0
/* ethtool: channels, rings and header split, the table and rules of steer.h, figures. */
#include <linux/ethtool.h>
#include <linux/ethtool_netlink.h>
#include <linux/rtnetlink.h>
#include <linux/slab.h>
#include <net/netdev_queues.h>
#include "nic.h"
#include "steer.h"

static const char count_name[NIC_COUNTS][ETH_GSTRING_LEN] = {
	[NIC_PACKETS] = "packets",
	[NIC_BYTES] = "bytes",
	[NIC_SPLIT] = "split",
	[NIC_PAGE_BYTES] = "page_bytes",
	[NIC_DEVICE_BYTES] = "device_bytes",
	[NIC_NO_BUFFER] = "no_buffer",
	[NIC_TOO_LONG] = "too_long",
	[NIC_CSUM_GOOD] = "csum_good",
	[NIC_CSUM_BAD] = "csum_bad",
};

static void get_drvinfo(struct net_device *dev, struct ethtool_drvinfo *info)
{
	strscpy(info->driver, KBUILD_MODNAME, sizeof(info->driver));
	strscpy(info->bus_info, dev_name(dev->dev.parent), sizeof(info->bus_info));
}

static int get_link_ksettings(struct net_device *dev, struct ethtool_link_ksettings *cmd)
{
	return __ethtool_get_link_ksettings(nic_of(dev)->lower, cmd);
}

static void get_channels(struct net_device *dev, struct ethtool_channels *channels)
{
	channels->max_combined = dev->num_rx_queues;
	channels->combined_count = dev->real_num_rx_queues;
}

static bool bound_from(const struct nic *nic, unsigned int index)
{
	for (; index < nic->dev->num_rx_queues; index++)
		if (nic->queue[index].mem.bound)
			return true;
	return false;
}

/* Rules may name queues that are to go. */
static bool named_from(const struct nic *nic, unsigned int index)
{
	const struct nic_steer *steer = nic_steer_now(nic);
	unsigned int i;

	for (i = 0; i < NIC_RULES; i++)
		if (steer->rule[i].used && steer->rule[i].spec.ring_cookie != RX_CLS_FLOW_DISC &&
		    steer->rule[i].spec.ring_cookie >= index)
			return true;
	return false;
}

static int set_channels(struct net_device *dev, struct ethtool_channels *channels)
{
	struct nic *nic = nic_of(dev);

	if (!channels->combined_count)
		return -EINVAL;
	if (bound_from(nic, channels->combined_count) || named_from(nic, channels->combined_count))
		return -EBUSY;
	return nic_set_queues(nic, channels->combined_count);
}

static void get_ringparam(struct net_device *dev, struct ethtool_ringparam *ring,
			  struct kernel_ethtool_ringparam *kernel_ring, struct netlink_ext_ack *extack)
{
	const struct nic *nic = nic_of(dev);

	ring->rx_max_pending = NIC_RING_MAX;
	ring->rx_pending = nic->ring_size;
	kernel_ring->tcp_data_split = nic->split ? ETHTOOL_TCP_DATA_SPLIT_ENABLED : ETHTOOL_TCP_DATA_SPLIT_DISABLED;
}

static int set_ringparam(struct net_device *dev, struct ethtool_ringparam *ring,
			 struct kernel_ethtool_ringparam *kernel_ring, struct netlink_ext_ack *extack)
{
	const bool split = kernel_ring->tcp_data_split != ETHTOOL_TCP_DATA_SPLIT_DISABLED;
	struct nic *nic = nic_of(dev);

	if (ring->rx_pending < NIC_RING_MIN) {
		NL_SET_ERR_MSG_FMT(extack, "at least %u packets", NIC_RING_MIN);
		return -EINVAL;
	}
	if (!split && bound_from(nic, 0)) {
		NL_SET_ERR_MSG(extack, "a queue is bound to device memory, which takes payload only");
		return -EBUSY;
	}
	WRITE_ONCE(nic->ring_size, ring->rx_pending);
	WRITE_ONCE(nic->split, split);
	return 0;
}

static u32 get_rxfh_indir_size(struct net_device *dev)
{
	return NIC_INDIR;
}

static int get_rxfh(struct net_device *dev, struct ethtool_rxfh_param *rxfh)
{
	const struct nic_steer *steer = nic_steer_now(nic_of(dev));
	unsigned int i;

	rxfh->hfunc = ETH_RSS_HASH_UNKNOWN;
	if (rxfh->indir)
		for (i = 0; i < NIC_INDIR; i++)
			rxfh->indir[i] = steer->indir[i];
	return 0;
}

static int set_rxfh(struct net_device *dev, struct ethtool_rxfh_param *rxfh, struct netlink_ext_ack *extack)
{
	struct nic *nic = nic_of(dev);
	struct nic_steer *steer;
	unsigned int i;

	if (rxfh->key || rxfh->hfunc != ETH_RSS_HASH_NO_CHANGE) {
		NL_SET_ERR_MSG(extack, "the hash is the kernel's own, and cannot be changed");
		return -EOPNOTSUPP;
	}
	if (!rxfh->indir)
		return 0;
	steer = nic_steer_copy(nic);
	if (!steer)
		return -ENOMEM;
	for (i = 0; i < NIC_INDIR; i++)
		steer->indir[i] = rxfh->indir[i];
	nic_steer_replace(nic, steer);
	return 0;
}

static int get_rxnfc(struct net_device *dev, struct ethtool_rxnfc *cmd, u32 *locations)
{
	return nic_rules_get(nic_of(dev), cmd, locations);
}

static int set_rxnfc(struct net_device *dev, struct ethtool_rxnfc *cmd)
{
	return nic_rules_set(nic_of(dev), cmd);
}

static int get_sset_count(struct net_device *dev, int set)
{
	return set == ETH_SS_STATS ? dev->num_rx_queues * (NIC_COUNTS + 1) : -EOPNOTSUPP;
}

static void get_strings(struct net_device *dev, u32 set, u8 *data)
{
	unsigned int i, k;

	if (set != ETH_SS_STATS)
		return;
	for (i = 0; i < dev->num_rx_queues; i++) {
		for (k = 0; k < NIC_COUNTS; k++)
			ethtool_sprintf(&data, "rx_%u_%s", i, count_name[k]);
		ethtool_sprintf(&data, "rx_%u_ring_full", i);
	}
}

static void get_ethtool_stats(struct net_device *dev, struct ethtool_stats *stats, u64 *data)
{
	struct nic *nic = nic_of(dev);
	unsigned int i;

	for (i = 0; i < dev->num_rx_queues; i++, data += NIC_COUNTS + 1)
		nic_queue_counts(&nic->queue[i], data, &data[NIC_COUNTS]);
}

const struct ethtool_ops nic_ethtool_ops = {
	.supported_ring_params = ETHTOOL_RING_USE_TCP_DATA_SPLIT,
	.get_drvinfo = get_drvinfo,
	.get_link = ethtool_op_get_link,
	.get_link_ksettings = get_link_ksettings,
	.get_ts_info = ethtool_op_get_ts_info,
	.get_channels = get_channels,
	.set_channels = set_channels,
	.get_ringparam = get_ringparam,
	.set_ringparam = set_ringparam,
	.get_rxfh_indir_size = get_rxfh_indir_size,
	.get_rxfh = get_rxfh,
	.set_rxfh = set_rxfh,
	.get_rxnfc = get_rxnfc,
	.set_rxnfc = set_rxnfc,
	.get_sset_count = get_sset_count,
	.get_strings = get_strings,
	.get_ethtool_stats = get_ethtool_stats,
};

/* ---- by queue, over netlink ---- */

static void get_queue_stats_rx(struct net_device *dev, int index, struct netdev_queue_stats_rx *stats)
{
	u64 count[NIC_COUNTS], full;

	nic_queue_counts(&nic_of(dev)->queue[index], count, &full);
	stats->packets = count[NIC_PACKETS];
	stats->bytes = count[NIC_BYTES];
	stats->alloc_fail = count[NIC_NO_BUFFER];
	stats->hw_drops = full;
}

static void get_base_stats(struct net_device *dev, struct netdev_queue_stats_rx *rx,
			   struct netdev_queue_stats_tx *tx)
{
	rx->packets = 0;
	rx->bytes = 0;
	rx->alloc_fail = 0;
	rx->hw_drops = 0;
}

const struct netdev_stat_ops nic_stat_ops = {
	.get_queue_stats_rx = get_queue_stats_rx,
	.get_base_stats = get_base_stats,
};
