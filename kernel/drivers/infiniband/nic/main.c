// SPDX-License-Identifier: GPL-2.0
/* The module, `ip link add … type berth_nic`, and what comes from and happens to the lower device. */
#include <linux/etherdevice.h>
#include <linux/if_arp.h>
#include <linux/module.h>
#include <linux/rtnetlink.h>
#include <net/rtnetlink.h>
#include <berth/netmem.h>
#include "bound.h"
#include "nic.h"
#include "queue.h"
#include "rx.h"

#define QUEUES	4

/* ---- frames of the lower device ---- */

static bool is_ours(const struct nic *nic, const struct ethhdr *eth)
{
	return ether_addr_equal(eth->h_dest, nic->dev->dev_addr);
}

static rx_handler_result_t handle_frame(struct sk_buff **pskb)
{
	struct sk_buff *skb = *pskb;
	struct nic *nic = rcu_dereference(skb->dev->rx_handler_data);
	const struct ethhdr *eth = eth_hdr(skb);
	struct sk_buff *copy;

	if (skb->pkt_type == PACKET_LOOPBACK || !netif_running(nic->dev))
		return RX_HANDLER_PASS;
	if (is_multicast_ether_addr(eth->h_dest) || unlikely(nic->dev->flags & IFF_PROMISC && !is_ours(nic, eth))) {
		copy = skb_clone(skb, GFP_ATOMIC);
		if (copy)
			nic_rx_enqueue(nic, copy);
		return RX_HANDLER_PASS;
	}
	if (!is_ours(nic, eth))
		return RX_HANDLER_PASS;
	skb = skb_share_check(skb, GFP_ATOMIC);
	if (skb)
		nic_rx_enqueue(nic, skb);
	*pskb = NULL;
	return RX_HANDLER_CONSUMED;
}

/* The NIC on top of a device, or NULL. */
static struct nic *nic_above(struct net_device *lower)
{
	if (rtnl_dereference(lower->rx_handler) != handle_frame)
		return NULL;
	return rtnl_dereference(lower->rx_handler_data);
}

/* ---- ip link ---- */

static int validate(struct nlattr *tb[], struct nlattr *data[], struct netlink_ext_ack *extack)
{
	if (!tb[IFLA_ADDRESS])
		return 0;
	if (nla_len(tb[IFLA_ADDRESS]) != ETH_ALEN)
		return -EINVAL;
	if (!is_valid_ether_addr(nla_data(tb[IFLA_ADDRESS]))) {
		NL_SET_ERR_MSG(extack, "not a unicast Ethernet address");
		return -EADDRNOTAVAIL;
	}
	return 0;
}

static struct net_device *find_lower(struct net *net, struct net_device *dev, struct nlattr *tb[],
				     struct netlink_ext_ack *extack)
{
	struct net_device *lower;

	if (!tb[IFLA_LINK]) {
		NL_SET_ERR_MSG(extack, "a NIC needs a device below it: ip link add link DEVICE name NAME type berth_nic");
		return ERR_PTR(-EINVAL);
	}
	lower = __dev_get_by_index(net, nla_get_u32(tb[IFLA_LINK]));
	if (!lower) {
		NL_SET_ERR_MSG(extack, "no such device");
		return ERR_PTR(-ENODEV);
	}
	if (lower->type != ARPHRD_ETHER || lower->flags & IFF_LOOPBACK) {
		NL_SET_ERR_MSG(extack, "the device below has to be Ethernet");
		return ERR_PTR(-EINVAL);
	}
	if (netdev_is_rx_handler_busy(lower)) {
		NL_SET_ERR_MSG(extack, "the device is already below another one (a bridge, a bond, a NIC)");
		return ERR_PTR(-EBUSY);
	}
	if (dev->num_rx_queues > NIC_QUEUES_MAX) {
		NL_SET_ERR_MSG(extack, "too many receive queues");
		return ERR_PTR(-EINVAL);
	}
	return lower;
}

static void init(struct nic *nic, struct net_device *dev, struct net_device *lower, struct nlattr *tb[])
{
	unsigned int i;

	nic->dev = dev;
	nic->lower = lower;
	nic->ring_size = NIC_RING;
	nic->split = true;
	for (i = 0; i < dev->num_rx_queues; i++)
		nic_queue_init(nic, i);
	dev->real_num_rx_queues = min(dev->num_rx_queues, QUEUES);
	/* What dma-bufs are attached with: the CPU that copies. */
	SET_NETDEV_DEV(dev, berth_netmem_device());
	if (!tb[IFLA_MTU])
		dev->mtu = lower->mtu;
	if (!tb[IFLA_ADDRESS])
		eth_hw_addr_random(dev);
}

static int newlink(struct net *src_net, struct net_device *dev, struct nlattr *tb[], struct nlattr *data[],
		   struct netlink_ext_ack *extack)
{
	struct net_device *lower = find_lower(src_net, dev, tb, extack);
	struct nic *nic = nic_of(dev);
	int err;

	if (IS_ERR(lower))
		return PTR_ERR(lower);
	init(nic, dev, lower, tb);
	nic_dev_follow(nic);
	err = register_netdevice(dev);
	if (err)
		return err;
	err = netdev_rx_handler_register(lower, handle_frame, nic);
	if (err)
		goto unregister;
	err = netdev_upper_dev_link(lower, dev, extack);
	if (err)
		goto no_handler;
	netif_stacked_transfer_operstate(lower, dev);
	linkwatch_fire_event(dev);
	return 0;

no_handler:
	netdev_rx_handler_unregister(lower);
unregister:
	unregister_netdevice(dev);
	return err;
}

static void dellink(struct net_device *dev, struct list_head *head)
{
	struct nic *nic = nic_of(dev);

	netdev_rx_handler_unregister(nic->lower);
	netdev_upper_dev_unlink(nic->lower, dev);
	unregister_netdevice_queue(dev, head);
}

static struct net *get_link_net(const struct net_device *dev)
{
	return dev_net(nic_of(dev)->lower);
}

static unsigned int one(void)
{
	return 1;
}

static unsigned int most_queues(void)
{
	return NIC_QUEUES_MAX;
}

static struct rtnl_link_ops link_ops __read_mostly = {
	.kind = "berth_nic",
	.priv_size = sizeof(struct nic),
	.setup = nic_dev_setup,
	.validate = validate,
	.newlink = newlink,
	.dellink = dellink,
	.get_link_net = get_link_net,
	.get_num_tx_queues = one,
	.get_num_rx_queues = most_queues,
};

/* ---- what happens to the lower device ---- */

static int lower_event(struct notifier_block *nb, unsigned long event, void *ptr)
{
	struct net_device *lower = netdev_notifier_info_to_dev(ptr);
	struct nic *nic = nic_above(lower);
	LIST_HEAD(list);

	if (!nic)
		return NOTIFY_DONE;
	switch (event) {
	case NETDEV_UP:
	case NETDEV_DOWN:
	case NETDEV_CHANGE:
		netif_stacked_transfer_operstate(lower, nic->dev);
		break;
	case NETDEV_CHANGEMTU:
	case NETDEV_FEAT_CHANGE:
		nic_dev_follow(nic);
		break;
	case NETDEV_PRE_TYPE_CHANGE:
		return NOTIFY_BAD;
	case NETDEV_UNREGISTER:
		/* One that only changes its namespace stays below. */
		if (lower->reg_state != NETREG_UNREGISTERING)
			break;
		dellink(nic->dev, &list);
		unregister_netdevice_many(&list);
		break;
	default:
		break;
	}
	return NOTIFY_DONE;
}

static struct notifier_block lower_notifier = { .notifier_call = lower_event };

static int __init nic_module_init(void)
{
	int err = nic_bound_init();

	if (err)
		return err;
	err = register_netdevice_notifier(&lower_notifier);
	if (err)
		goto bound;
	err = rtnl_link_register(&link_ops);
	if (err)
		goto notifier;
	return 0;

notifier:
	unregister_netdevice_notifier(&lower_notifier);
bound:
	nic_bound_exit();
	return err;
}

static void __exit nic_module_exit(void)
{
	rtnl_link_unregister(&link_ops);
	unregister_netdevice_notifier(&lower_notifier);
	nic_bound_exit();
}

module_init(nic_module_init);
module_exit(nic_module_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("A NIC on top of a netdev whose receive queues can be in device memory");
MODULE_ALIAS_RTNL_LINK("berth_nic");
