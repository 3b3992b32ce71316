// SPDX-License-Identifier: GPL-2.0
/*
 * Finding the GSI QP that a packet is for, see gsi.h.
 *
 * The list is short and read under RCU; writers hold its lock. A QP is looked into only with a
 * reference, which keeps its device and that device's GID table.
 */
#include <linux/rculist.h>
#include <linux/spinlock.h>
#include <net/ipv6.h>
#include <rdma/ib_cache.h>
#include "../net/netns.h"
#include "gsi.h"
#include "qp.h"

static LIST_HEAD(gsis);
static DEFINE_SPINLOCK(gsis_lock);

/**
 * berth_gsi_add - let packets find a GSI QP
 * @qp: published otherwise
 *
 * Context: process.
 */
void berth_gsi_add(struct berth_qp *qp)
{
	spin_lock(&gsis_lock);
	list_add_tail_rcu(&qp->gsi_node, &gsis);
	spin_unlock(&gsis_lock);
}

/**
 * berth_gsi_del - the counterpart
 * @qp: still referenced by its owner; freed not before a grace period
 *
 * Context: process.
 */
void berth_gsi_del(struct berth_qp *qp)
{
	spin_lock(&gsis_lock);
	list_del_rcu(&qp->gsi_node);
	spin_unlock(&gsis_lock);
}

/* The entry of the address that a packet was sent to, held; ERR_PTR: it is none of the device's. */
static const struct ib_gid_attr *gid_of(struct berth_dev *dev, const struct berth_rx *rx)
{
	union ib_gid gid;
	struct in6_addr addr;

	if (rx->family == AF_INET)
		ipv6_addr_set_v4mapped(rx->daddr.v4, &addr);
	else
		addr = rx->daddr.v6;
	memcpy(&gid, &addr, sizeof(gid));
	return rdma_find_gid_by_port(&dev->ib, &gid, IB_GID_TYPE_ROCE_UDP_ENCAP, 1, NULL);
}

/* Link-local addresses mean something only where they came in. */
static bool is_for(const struct berth_qp *qp, const struct berth_rx *rx)
{
	const struct ib_gid_attr *attr;
	bool link_local = rx->family == AF_INET6 &&
			  ipv6_addr_type(&rx->daddr.v6) & IPV6_ADDR_LINKLOCAL;

	if (dev_net(qp->dev->ndev) != rx->net ||
	    (link_local && qp->dev->ndev->ifindex != rx->iif))
		return false;
	attr = gid_of(qp->dev, rx);
	if (IS_ERR(attr))
		return false;
	rdma_put_gid_attr(attr);
	return true;
}

/**
 * berth_gsi_get - the GSI QP that a packet is for
 * @rx: where it was sent to
 *
 * Context: softirq. Return: the QP with a reference, or NULL.
 */
struct berth_qp *berth_gsi_get(const struct berth_rx *rx)
{
	struct berth_qp *qp, *found = NULL;

	rcu_read_lock();
	list_for_each_entry_rcu(qp, &gsis, gsi_node) {
		if (!refcount_inc_not_zero(&qp->refs))
			continue;
		if (is_for(qp, rx)) {
			found = qp;
			break;
		}
		berth_qp_put(qp);
	}
	rcu_read_unlock();
	return found;
}

/**
 * berth_gsi_vlan - the VLAN of the address that a packet was sent to
 * @dev: device
 * @rx: where it was sent to
 * @vlan: receives its number
 *
 * The core chooses the address to answer from by it.
 *
 * Context: softirq. Return: whether it is on a VLAN.
 */
bool berth_gsi_vlan(struct berth_dev *dev, const struct berth_rx *rx, u16 *vlan)
{
	const struct ib_gid_attr *attr = gid_of(dev, rx);
	u16 id = 0xffff;
	bool tagged;

	if (IS_ERR(attr))
		return false;
	tagged = !rdma_read_gid_l2_fields(attr, &id, NULL) && id != 0xffff;
	rdma_put_gid_attr(attr);
	*vlan = tagged ? id : 0;
	return tagged;
}
