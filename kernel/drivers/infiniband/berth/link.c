// SPDX-License-Identifier: GPL-2.0
/*
 * Links: of type berth (RoCEv2) or berth_iw (iWARP), made on request over a netdev, deleted on request by
 * the core or when the netdev goes away or changes its network namespace.
 *
 * newlink runs in process context without rtnl; link_mutex makes "not there yet, so add it" one step.
 * The notifier runs under rtnl and never unregisters by itself: that waits for users, and is queued.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/if_arp.h>
#include <linux/mutex.h>
#include <linux/netdevice.h>
#include <linux/rtnetlink.h>
#include <rdma/rdma_netlink.h>
#include <rdma/berth-abi.h>
#include "dev.h"
#include "link.h"
#include "net/gid.h"

static DEFINE_MUTEX(link_mutex);

static int check_netdev(const char *name, struct net_device *ndev)
{
	struct ib_device *other;
	struct berth_dev *dev;

	if (ndev->type != ARPHRD_ETHER && ndev->type != ARPHRD_LOOPBACK) {
		pr_warn("cannot add %s: %s is not an Ethernet device; use Ethernet, VLAN, bridge, veth or lo\n",
			name, netdev_name(ndev));
		return -EPFNOSUPPORT;
	}
	dev = berth_dev_get_by_netdev(ndev);
	if (dev) {
		pr_warn("cannot add %s: %s already carries %s; delete that link first\n", name,
			netdev_name(ndev), dev_name(&dev->ib.dev));
		ib_device_put(&dev->ib);
		return -EEXIST;
	}
	/* The core would find out too, but calls it ENFILE. */
	other = ib_device_get_by_name(name, RDMA_DRIVER_UNKNOWN);
	if (other) {
		pr_warn("cannot add %s: there is an RDMA device of that name\n", name);
		ib_device_put(other);
		return -EEXIST;
	}
	return 0;
}

/*
 * The notifier cannot have seen a device that was not registered yet: catch up with what the netdev
 * did meanwhile. The device may be gone already, deleted by somebody else.
 */
static int settle(struct net_device *ndev, struct net *net)
{
	struct berth_dev *dev = berth_dev_get_by_netdev(ndev);
	bool moved;

	if (!dev)
		return 0;
	rtnl_lock();
	moved = ndev->reg_state != NETREG_REGISTERED || !net_eq(dev_net(ndev), net);
	if (!moved)
		berth_port_update(dev);
	rtnl_unlock();
	if (moved) {
		ib_unregister_device_and_put(&dev->ib);
		return -ENODEV;
	}
	berth_gid_prune(dev);
	ib_device_put(&dev->ib);
	return 0;
}

/* The namespace that the netdev is in right now, held; NULL when that is going away. */
static struct net *netdev_get_net(struct net_device *ndev)
{
	struct net *net;

	rtnl_lock();
	net = maybe_get_net(dev_net(ndev));
	rtnl_unlock();
	return net;
}

static int add_link(const char *name, struct net_device *ndev, bool iw)
{
	struct net *net = netdev_get_net(ndev);
	struct berth_dev *dev;
	int err;

	if (!net)
		return -ENODEV;
	mutex_lock(&link_mutex);
	err = check_netdev(name, ndev);
	if (err)
		goto unlock;
	dev = berth_dev_create(name, ndev, net, iw);
	err = PTR_ERR_OR_ZERO(dev);
	if (!err)
		err = settle(ndev, net);
unlock:
	mutex_unlock(&link_mutex);
	put_net(net);
	return err;
}

static int newlink(const char *name, struct net_device *ndev)
{
	return add_link(name, ndev, false);
}

static int newlink_iw(const char *name, struct net_device *ndev)
{
	return add_link(name, ndev, true);
}

static struct rdma_link_ops link_ops = {
	.type = "berth",
	.newlink = newlink,
};

static struct rdma_link_ops iw_link_ops = {
	.type = "berth_iw",
	.newlink = newlink_iw,
};

static int netdev_event(struct notifier_block *nb, unsigned long event, void *ptr)
{
	struct net_device *ndev = netdev_notifier_info_to_dev(ptr);
	struct berth_dev *dev;

	switch (event) {
	case NETDEV_UNREGISTER:		/* also when it moves to another network namespace */
	case NETDEV_UP:
	case NETDEV_DOWN:
	case NETDEV_CHANGE:
	case NETDEV_CHANGEMTU:
		break;
	default:
		return NOTIFY_DONE;
	}
	dev = berth_dev_get_by_netdev(ndev);
	if (!dev)
		return NOTIFY_DONE;
	if (event == NETDEV_UNREGISTER)
		ib_unregister_device_queued(&dev->ib);
	else
		berth_port_update(dev);
	ib_device_put(&dev->ib);
	return NOTIFY_OK;
}

static struct notifier_block netdev_notifier = {
	.notifier_call = netdev_event,
};

/**
 * berth_link_init - start to accept links
 *
 * Context: process; the last step of module init. Return: 0 or a negative errno.
 */
int berth_link_init(void)
{
	int err = register_netdevice_notifier(&netdev_notifier);

	if (err)
		return err;
	rdma_link_register(&link_ops);
	rdma_link_register(&iw_link_ops);
	return 0;
}

/**
 * berth_link_fini - accept no more links and delete those that exist
 *
 * Context: process; the first step of module exit. When it returns no device of the driver is left:
 * ib_unregister_driver() also waits for unregistrations that the notifier has queued.
 */
void berth_link_fini(void)
{
	rdma_link_unregister(&iw_link_ops);
	rdma_link_unregister(&link_ops);
	ib_unregister_driver(BERTH_DRIVER_ID);
	unregister_netdevice_notifier(&netdev_notifier);
}
