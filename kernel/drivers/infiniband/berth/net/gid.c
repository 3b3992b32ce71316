// SPDX-License-Identifier: GPL-2.0
/*
 * The GID table of a link over a VLAN.
 *
 * The core fills GID tables by a rule made for adapters with a port: a device gets the addresses of
 * its netdev and of all VLANs above. Asked about a VLAN it compares the real device below with the
 * device's netdev, so a device whose netdev is the VLAN itself gets nothing. Links over VLANs
 * therefore tell the core the real device, and take out again what is not their own VLAN's:
 * programs choose a GID by address family or take the first, and must get one that works.
 * berth_path_init() refuses the others in any case, so nothing depends on when they go.
 *
 * The core announces a new entry while it holds the table's lock; a work takes the entry out.
 * Context: process. The table locks itself.
 */
#include <linux/if_vlan.h>
#include <linux/workqueue.h>
#include <rdma/ib_cache.h>
#include "../dev.h"
#include "gid.h"

/**
 * berth_gid_core_netdev - the netdev by which the core finds the addresses of a link
 * @ndev: what the link was added over
 *
 * Return: @ndev, or what is below all VLANs; it lives as long as @ndev.
 */
struct net_device *berth_gid_core_netdev(struct net_device *ndev)
{
	return is_vlan_dev(ndev) ? vlan_dev_real_dev(ndev) : ndev;
}

/* Is this a link whose table the core fills with more than its own? iWARP has no table of that kind. */
static bool is_mixed(const struct berth_dev *dev)
{
	return is_vlan_dev(dev->ndev) && !dev->iw;
}

/* The netdev of an entry that has to go, held; NULL: empty, or ours. */
static struct net_device *foreign_netdev(struct berth_dev *dev, unsigned int index)
{
	const struct ib_gid_attr *attr = rdma_get_gid_attr(&dev->ib, 1, index);
	struct net_device *ndev;

	if (IS_ERR(attr))
		return NULL;
	rcu_read_lock();
	ndev = rcu_dereference(attr->ndev);
	if (ndev == dev->ndev)
		ndev = NULL;
	dev_hold(ndev);
	rcu_read_unlock();
	rdma_put_gid_attr(attr);
	return ndev;
}

/**
 * berth_gid_prune - take out of a VLAN link's table what belongs to other netdevs
 * @dev: registered, and kept so
 *
 * Context: process.
 */
void berth_gid_prune(struct berth_dev *dev)
{
	unsigned int i;

	if (!is_mixed(dev))
		return;
	for (i = 0; i < BERTH_GID_TABLE_LEN; i++) {
		struct net_device *ndev = foreign_netdev(dev, i);

		if (!ndev)
			continue;
		roce_del_all_netdev_gids(&dev->ib, 1, ndev);
		dev_put(ndev);
	}
}

static void prune_work(struct work_struct *work)
{
	struct berth_dev *dev = container_of(work, struct berth_dev, gid_work);

	if (!ib_device_try_get(&dev->ib))
		return;
	berth_gid_prune(dev);
	ib_device_put(&dev->ib);
}

/* Taking entries out is announced, too: the work comes once more and finds nothing. */
static void gid_event(struct ib_event_handler *handler, struct ib_event *event)
{
	struct berth_dev *dev = berth_dev(event->device);

	if (event->event == IB_EVENT_GID_CHANGE)
		schedule_work(&dev->gid_work);
}

/**
 * berth_gid_init - begin to watch the table
 * @dev: not registered yet
 *
 * Context: process.
 */
void berth_gid_init(struct berth_dev *dev)
{
	INIT_WORK(&dev->gid_work, prune_work);
	INIT_IB_EVENT_HANDLER(&dev->gid_handler, &dev->ib, gid_event);
	if (is_mixed(dev))
		ib_register_event_handler(&dev->gid_handler);
}

/**
 * berth_gid_fini - the counterpart
 * @dev: not registered any more
 *
 * Context: process.
 */
void berth_gid_fini(struct berth_dev *dev)
{
	if (is_mixed(dev))
		ib_unregister_event_handler(&dev->gid_handler);
	cancel_work_sync(&dev->gid_work);
}
