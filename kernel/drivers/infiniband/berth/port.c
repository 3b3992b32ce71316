// SPDX-License-Identifier: GPL-2.0
/*
 * Port attributes: what the core and applications are told, derived from the netdev.
 *
 * berth_port_sample() and berth_port_update() run under rtnl and are the only writers of
 * berth_dev.port. The query functions run in process context, any number at once, and take no lock.
 */
#include <linux/ethtool.h>
#include <linux/ipv6.h>
#include <linux/rtnetlink.h>
#include <linux/udp.h>
#include <rdma/ib_mad.h>
#include <rdma/berth-abi.h>
#include "dev.h"

/*
 * What the largest packet carries besides payload: IPv6, UDP, BTH, RETH with immediate data, ICRC.
 * A netdev of MTU 4200 thus has room for a path MTU of 4096.
 */
#define PACKET_OVERHEAD	(sizeof(struct ipv6hdr) + sizeof(struct udphdr) + 12 + 16 + 4 + 4)

static const struct {
	u32 mbps;
	u16 speed;
	u8 width;
} rates[] = {
	{ SPEED_2500, IB_SPEED_SDR, IB_WIDTH_1X },
	{ SPEED_5000, IB_SPEED_DDR, IB_WIDTH_1X },
	{ SPEED_10000, IB_SPEED_FDR10, IB_WIDTH_1X },
	{ SPEED_14000, IB_SPEED_FDR, IB_WIDTH_1X },
	{ SPEED_20000, IB_SPEED_DDR, IB_WIDTH_4X },
	{ SPEED_25000, IB_SPEED_EDR, IB_WIDTH_1X },
	{ SPEED_40000, IB_SPEED_FDR10, IB_WIDTH_4X },
	{ SPEED_50000, IB_SPEED_HDR, IB_WIDTH_1X },
	{ SPEED_56000, IB_SPEED_FDR, IB_WIDTH_4X },
	{ SPEED_100000, IB_SPEED_EDR, IB_WIDTH_4X },
	{ SPEED_200000, IB_SPEED_HDR, IB_WIDTH_4X },
	{ SPEED_400000, IB_SPEED_NDR, IB_WIDTH_4X },
	{ SPEED_800000, IB_SPEED_XDR, IB_WIDTH_4X },
};

/* The slowest rate that is not below what the netdev says. */
static void set_rate(struct berth_port *port, u32 mbps)
{
	size_t i = 0;

	while (i < ARRAY_SIZE(rates) - 1 && rates[i].mbps < mbps)
		i++;
	WRITE_ONCE(port->speed, rates[i].speed);
	WRITE_ONCE(port->width, rates[i].width);
}

/*
 * Netdevs without a wire (lo, many tunnels) report no speed. Middleware tunes itself by the figure,
 * and a made-up 1 Gb/s makes it choose other transports, so say what a software device on the
 * memory of today's machines reaches.
 */
static u32 netdev_mbps(struct net_device *ndev)
{
	struct ethtool_link_ksettings settings = {};
	int err = __ethtool_get_link_ksettings(ndev, &settings);

	if (err || !settings.base.speed || settings.base.speed == (u32)SPEED_UNKNOWN)
		return SPEED_25000;
	return settings.base.speed;
}

static unsigned int payload_room(const struct net_device *ndev)
{
	unsigned int mtu = READ_ONCE(ndev->mtu);

	return mtu > PACKET_OVERHEAD ? mtu - PACKET_OVERHEAD : 0;
}

static enum ib_mtu path_mtu(unsigned int room)
{
	enum ib_mtu mtu = IB_MTU_256;

	while (mtu < IB_MTU_4096 && ib_mtu_enum_to_int(mtu + 1) <= room)
		mtu++;
	return mtu;
}

/**
 * berth_port_mtu - the path MTU that the netdev has room for
 * @dev: device
 *
 * Context: any. Return: bytes.
 */
unsigned int berth_port_mtu(const struct berth_dev *dev)
{
	return ib_mtu_enum_to_int(path_mtu(payload_room(dev->ndev)));
}

/* A netdev whose MTU holds not even the smallest path MTU is as good as down. */
static enum ib_port_state netdev_state(const struct net_device *ndev)
{
	if (!netif_running(ndev) || !netif_carrier_ok(ndev))
		return IB_PORT_DOWN;
	return payload_room(ndev) < 256 ? IB_PORT_DOWN : IB_PORT_ACTIVE;
}

/**
 * berth_port_sample - take state and speed from the netdev without telling anybody
 * @dev: not registered yet
 *
 * Context: under rtnl.
 */
void berth_port_sample(struct berth_dev *dev)
{
	ASSERT_RTNL();
	WRITE_ONCE(dev->port.state, netdev_state(dev->ndev));
	set_rate(&dev->port, netdev_mbps(dev->ndev));
}

/**
 * berth_port_update - follow the netdev; raise a port event if the state has changed
 * @dev: registered, a reference is held
 *
 * Context: under rtnl.
 */
void berth_port_update(struct berth_dev *dev)
{
	enum ib_port_state old = dev->port.state;

	berth_port_sample(dev);
	if (dev->port.state == old)
		return;
	berth_dev_port_event(dev, dev->port.state == IB_PORT_ACTIVE ? IB_EVENT_PORT_ACTIVE :
							      IB_EVENT_PORT_ERR);
}

static u8 phys_state(const struct berth_dev *dev, enum ib_port_state state)
{
	if (state == IB_PORT_ACTIVE)
		return IB_PORT_PHYS_STATE_LINK_UP;
	return netif_running(dev->ndev) ? IB_PORT_PHYS_STATE_POLLING : IB_PORT_PHYS_STATE_DISABLED;
}

/**
 * berth_port_query - ib_device_ops.query_port
 * @ib: device
 * @port: checked by the core: 1
 * @attr: zeroed by the core
 *
 * Context: process. Return: 0.
 */
int berth_port_query(struct ib_device *ib, u32 port, struct ib_port_attr *attr)
{
	struct berth_dev *dev = berth_dev(ib);

	attr->state = READ_ONCE(dev->port.state);
	attr->phys_state = phys_state(dev, attr->state);
	attr->max_mtu = IB_MTU_4096;
	attr->active_mtu = path_mtu(payload_room(dev->ndev));
	attr->active_speed = READ_ONCE(dev->port.speed);
	attr->active_width = READ_ONCE(dev->port.width);
	attr->gid_tbl_len = dev->iw ? 1 : BERTH_GID_TABLE_LEN;
	attr->ip_gids = !dev->iw;
	attr->pkey_tbl_len = 1;
	attr->max_msg_sz = BERTH_MAX_MSG;
	attr->max_vl_num = 1;
	return 0;
}

/* RoCE v2 with what goes with it: Ethernet address handles, MADs, the connection manager. */
int berth_port_immutable(struct ib_device *ib, u32 port, struct ib_port_immutable *immutable)
{
	immutable->core_cap_flags = RDMA_CORE_PORT_IBA_ROCE_UDP_ENCAP;
	immutable->max_mad_size = IB_MGMT_MAD_SIZE;
	immutable->gid_tbl_len = BERTH_GID_TABLE_LEN;
	immutable->pkey_tbl_len = 1;
	return 0;
}

/* iWARP: its addresses are those of IP and none of the device's; the one GID is the netdev's address. */
int berth_port_immutable_iw(struct ib_device *ib, u32 port, struct ib_port_immutable *immutable)
{
	immutable->core_cap_flags = RDMA_CORE_PORT_IWARP;
	immutable->gid_tbl_len = 1;
	immutable->pkey_tbl_len = 1;
	return 0;
}

int berth_port_query_gid(struct ib_device *ib, u32 port, int index, union ib_gid *gid)
{
	if (index)
		return -EINVAL;
	memset(gid, 0, sizeof(*gid));
	memcpy(gid->raw, berth_dev(ib)->ndev->dev_addr, ETH_ALEN);
	return 0;
}

int berth_port_query_pkey(struct ib_device *ib, u32 port, u16 index, u16 *pkey)
{
	if (index)
		return -EINVAL;
	*pkey = IB_DEFAULT_PKEY_FULL;
	return 0;
}

enum rdma_link_layer berth_port_link_layer(struct ib_device *ib, u32 port)
{
	return IB_LINK_LAYER_ETHERNET;
}
