/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The one place that knows about differences between kernels, or works around something that the
 * core does not offer. Everything here is a small inline that reads the same on every kernel.
 */
#ifndef BERTH_COMPAT_H
#define BERTH_COMPAT_H

#include <linux/bitops.h>
#include <linux/if_vlan.h>
#include <linux/module.h>
#include <linux/netfilter.h>
#include <linux/version.h>
#include <net/net_namespace.h>
#if IS_ENABLED(CONFIG_NF_CONNTRACK)
#include <net/netfilter/nf_conntrack.h>
#endif
#include <rdma/ib_verbs.h>

/* Since 6.13 MODULE_IMPORT_NS() takes a string. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 13, 0)
#define BERTH_IMPORT_NS(ns)	MODULE_IMPORT_NS(#ns)
#else
#define BERTH_IMPORT_NS(ns)	MODULE_IMPORT_NS(ns)
#endif

/**
 * berth_compat_place_in_net - put a device that is not registered yet into a network namespace
 * @ib: fresh from ib_alloc_device()
 * @net: namespace of its netdev
 *
 * ib_alloc_device() gives every device to init_net. In exclusive mode (`rdma system set netns
 * exclusive`) it would then be invisible where it was asked for, so it is moved before anybody can
 * see it; in shared mode devices stay in init_net and are shown everywhere. The mode is not exported,
 * but whether a foreign namespace may use the device tells it.
 */
static inline void berth_compat_place_in_net(struct ib_device *ib, struct net *net)
{
	if (!rdma_dev_access_netns(ib, net))
		write_pnet(&ib->coredev.rdma_net, net);
}

/**
 * berth_compat_vlan_tags - a number that tells the VLANs over one device from each other
 * @ndev: is_vlan_dev()
 *
 * What is below a stacked VLAN can be seen only where VLANs are configured.
 *
 * Return: the VLAN id; for stacked VLANs, all of them mixed.
 */
static inline u16 berth_compat_vlan_tags(const struct net_device *ndev)
{
	u16 tags = 0;

#if IS_ENABLED(CONFIG_VLAN_8021Q)
	for (; is_vlan_dev(ndev); ndev = vlan_dev_priv(ndev)->real_dev)
		tags = rol16(tags, 4) ^ vlan_dev_vlan_id(ndev);
#endif
	return tags;
}

/**
 * berth_compat_ct_confirm - let connection tracking know that a packet has arrived
 * @skb: at LOCAL_IN, about to be taken out of the stack
 *
 * Connection tracking confirms new connections in a hook of its own, with the highest priority
 * there is. Of hooks of equal priority the one that was registered last runs first, so whether ours
 * comes before that one depends on which module was loaded when. Both leave alone a connection that
 * is confirmed already.
 *
 * Context: softirq, rcu_read_lock held.
 * Return: whether the packet may be taken; false: it is to be dropped.
 */
static inline bool berth_compat_ct_confirm(struct sk_buff *skb)
{
#if IS_ENABLED(CONFIG_NF_CONNTRACK)
	const struct nf_conntrack *nfct = skb_nfct(skb);
	const struct nf_ct_hook *ct;

	if (likely(!nfct) || nf_ct_is_confirmed(container_of(nfct, struct nf_conn, ct_general)))
		return true;
	ct = rcu_dereference(nf_ct_hook);
	return !ct || ct->confirm(skb) == NF_ACCEPT;
#else
	return true;
#endif
}

#endif
