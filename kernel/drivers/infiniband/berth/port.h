/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The port, as the netdev below makes it: state, speed, MTU.
 *
 * State and speed are taken from the netdev under rtnl (when the link is added and by the netdev
 * notifier) and only read elsewhere, so that verbs never take rtnl: unregistration may wait for verbs
 * under it. The MTU is read from the netdev whenever somebody asks.
 */
#ifndef BERTH_PORT_H
#define BERTH_PORT_H

#include <rdma/ib_verbs.h>

struct berth_dev;

#define BERTH_GID_TABLE_LEN	256

struct berth_port {
	enum ib_port_state state;	/* as last announced; READ_ONCE outside rtnl */
	u16 speed;			/* enum ib_port_speed */
	u8 width;			/* enum ib_port_width */
};

void berth_port_sample(struct berth_dev *dev);
void berth_port_update(struct berth_dev *dev);
unsigned int berth_port_mtu(const struct berth_dev *dev);
int berth_port_query(struct ib_device *ib, u32 port, struct ib_port_attr *attr);
int berth_port_immutable(struct ib_device *ib, u32 port, struct ib_port_immutable *immutable);
int berth_port_immutable_iw(struct ib_device *ib, u32 port, struct ib_port_immutable *immutable);
int berth_port_query_gid(struct ib_device *ib, u32 port, int index, union ib_gid *gid);
int berth_port_query_pkey(struct ib_device *ib, u32 port, u16 index, u16 *pkey);
enum rdma_link_layer berth_port_link_layer(struct ib_device *ib, u32 port);

#endif
