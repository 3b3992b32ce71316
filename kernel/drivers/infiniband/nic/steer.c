// SPDX-License-Identifier: GPL-2.0
/* Choosing a queue, see steer.h. */
#include <linux/rtnetlink.h>
#include <linux/slab.h>
#include <net/flow_dissector.h>
#include "steer.h"

/**
 * nic_steer_now - what holds
 * @nic: NIC
 *
 * Context: rtnl. Return: it, until it is replaced.
 */
const struct nic_steer *nic_steer_now(const struct nic *nic)
{
	return rtnl_dereference(nic->steer);
}

/**
 * nic_steer_copy - begin a change
 * @nic: NIC
 *
 * Context: rtnl. Return: a copy, for nic_steer_replace() or kfree(); NULL: no memory.
 */
struct nic_steer *nic_steer_copy(const struct nic *nic)
{
	return kmemdup(nic_steer_now(nic), sizeof(struct nic_steer), GFP_KERNEL);
}

/**
 * nic_steer_replace - end a change
 * @nic: NIC
 * @steer: what holds for the packets to come
 *
 * Context: rtnl.
 */
void nic_steer_replace(struct nic *nic, struct nic_steer *steer)
{
	struct nic_steer *old = rtnl_dereference(nic->steer);

	rcu_assign_pointer(nic->steer, steer);
	if (old)
		kfree_rcu(old, rcu);
}

/**
 * nic_steer_spread - fill the table with all queues in turn
 * @steer: that of nobody yet
 * @queues: how many
 */
void nic_steer_spread(struct nic_steer *steer, unsigned int queues)
{
	unsigned int i;

	for (i = 0; i < NIC_INDIR; i++)
		steer->indir[i] = ethtool_rxfh_indir_default(i, queues);
}

/**
 * nic_steer_init - no rules, all queues in turn
 * @nic: NIC that is being registered
 *
 * Context: rtnl. Return: 0, -ENOMEM.
 */
int nic_steer_init(struct nic *nic)
{
	struct nic_steer *steer = kzalloc(sizeof(*steer), GFP_KERNEL);

	if (!steer)
		return -ENOMEM;
	nic_steer_spread(steer, nic->dev->real_num_rx_queues);
	nic_steer_replace(nic, steer);
	return 0;
}

/**
 * nic_steer_exit - the end
 * @nic: NIC that receives nothing any more
 *
 * Context: rtnl.
 */
void nic_steer_exit(struct nic *nic)
{
	nic_steer_replace(nic, NULL);
}

static bool ports_fit(const struct flow_keys *keys, __be16 src, __be16 src_mask, __be16 dst, __be16 dst_mask)
{
	return !((keys->ports.src ^ src) & src_mask) && !((keys->ports.dst ^ dst) & dst_mask);
}

static bool fits_v4(const struct flow_keys *keys, const struct ethtool_tcpip4_spec *h,
		    const struct ethtool_tcpip4_spec *m, u8 proto)
{
	return keys->basic.n_proto == htons(ETH_P_IP) && keys->basic.ip_proto == proto &&
	       !((keys->addrs.v4addrs.src ^ h->ip4src) & m->ip4src) &&
	       !((keys->addrs.v4addrs.dst ^ h->ip4dst) & m->ip4dst) &&
	       ports_fit(keys, h->psrc, m->psrc, h->pdst, m->pdst);
}

static bool address_fits(const struct in6_addr *addr, const __be32 *want, const __be32 *mask)
{
	unsigned int i;

	for (i = 0; i < 4; i++)
		if ((addr->s6_addr32[i] ^ want[i]) & mask[i])
			return false;
	return true;
}

static bool fits_v6(const struct flow_keys *keys, const struct ethtool_tcpip6_spec *h,
		    const struct ethtool_tcpip6_spec *m, u8 proto)
{
	return keys->basic.n_proto == htons(ETH_P_IPV6) && keys->basic.ip_proto == proto &&
	       address_fits(&keys->addrs.v6addrs.src, h->ip6src, m->ip6src) &&
	       address_fits(&keys->addrs.v6addrs.dst, h->ip6dst, m->ip6dst) &&
	       ports_fit(keys, h->psrc, m->psrc, h->pdst, m->pdst);
}

/* The headers of all four have the same layout by twos. */
static bool fits(const struct ethtool_rx_flow_spec *spec, const struct flow_keys *keys)
{
	switch (spec->flow_type) {
	case TCP_V4_FLOW:
		return fits_v4(keys, &spec->h_u.tcp_ip4_spec, &spec->m_u.tcp_ip4_spec, IPPROTO_TCP);
	case UDP_V4_FLOW:
		return fits_v4(keys, &spec->h_u.udp_ip4_spec, &spec->m_u.udp_ip4_spec, IPPROTO_UDP);
	case TCP_V6_FLOW:
		return fits_v6(keys, &spec->h_u.tcp_ip6_spec, &spec->m_u.tcp_ip6_spec, IPPROTO_TCP);
	case UDP_V6_FLOW:
		return fits_v6(keys, &spec->h_u.udp_ip6_spec, &spec->m_u.udp_ip6_spec, IPPROTO_UDP);
	default:
		return false;
	}
}

static int queue_of(const struct ethtool_rx_flow_spec *spec)
{
	return spec->ring_cookie == RX_CLS_FLOW_DISC ? NIC_DROP : (int)spec->ring_cookie;
}

/**
 * nic_steer - which queue a packet goes to
 * @nic: NIC
 * @skb: packet, its data at the network header
 *
 * Context: RCU read side. Return: index of a queue, or NIC_DROP.
 */
int nic_steer(const struct nic *nic, struct sk_buff *skb)
{
	const struct nic_steer *steer = rcu_dereference(nic->steer);
	struct flow_keys keys;
	unsigned int i, left;

	if (steer->rules && skb_flow_dissect_flow_keys(skb, &keys, 0))
		for (i = 0, left = steer->rules; left; i++) {
			if (!steer->rule[i].used)
				continue;
			if (fits(&steer->rule[i].spec, &keys))
				return queue_of(&steer->rule[i].spec);
			left--;
		}
	return steer->indir[skb_get_hash(skb) % NIC_INDIR];
}
