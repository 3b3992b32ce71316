// SPDX-License-Identifier: GPL-2.0
/* ethtool -n and -N: the rules of steer.h, of TCP and UDP by addresses and ports. */
#include <linux/slab.h>
#include "steer.h"

static unsigned int locations_of(const struct nic_steer *steer, u32 *locations, unsigned int room)
{
	unsigned int i, n = 0;

	for (i = 0; i < NIC_RULES; i++)
		if (steer->rule[i].used && n < room)
			locations[n++] = i;
	return n;
}

/* What a flow's hash is made of; it cannot be changed. */
static int hash_fields(struct ethtool_rxnfc *cmd)
{
	switch (cmd->flow_type) {
	case TCP_V4_FLOW:
	case UDP_V4_FLOW:
	case TCP_V6_FLOW:
	case UDP_V6_FLOW:
		cmd->data = RXH_IP_SRC | RXH_IP_DST | RXH_L4_B_0_1 | RXH_L4_B_2_3;
		return 0;
	case IPV4_FLOW:
	case IPV6_FLOW:
		cmd->data = RXH_IP_SRC | RXH_IP_DST;
		return 0;
	default:
		return -EOPNOTSUPP;
	}
}

/**
 * nic_rules_get - ethtool_ops.get_rxnfc
 * @nic: NIC
 * @cmd: what is asked, and the answer
 * @locations: with ETHTOOL_GRXCLSRLALL: room for @cmd->rule_cnt
 *
 * Context: rtnl. Return: 0; -ENOENT: no such rule; -EMSGSIZE: too little room; -EOPNOTSUPP.
 */
int nic_rules_get(struct nic *nic, struct ethtool_rxnfc *cmd, u32 *locations)
{
	const struct nic_steer *steer = nic_steer_now(nic);

	switch (cmd->cmd) {
	case ETHTOOL_GRXRINGS:
		cmd->data = nic->dev->real_num_rx_queues;
		return 0;
	case ETHTOOL_GRXFH:
		return hash_fields(cmd);
	case ETHTOOL_GRXCLSRLCNT:
		cmd->rule_cnt = steer->rules;
		cmd->data = NIC_RULES | RX_CLS_LOC_SPECIAL;
		return 0;
	case ETHTOOL_GRXCLSRULE:
		if (cmd->fs.location >= NIC_RULES || !steer->rule[cmd->fs.location].used)
			return -ENOENT;
		cmd->fs = steer->rule[cmd->fs.location].spec;
		return 0;
	case ETHTOOL_GRXCLSRLALL:
		if (cmd->rule_cnt < steer->rules)
			return -EMSGSIZE;
		cmd->rule_cnt = locations_of(steer, locations, cmd->rule_cnt);
		cmd->data = NIC_RULES;
		return 0;
	default:
		return -EOPNOTSUPP;
	}
}

/* Whether it asks for nothing but addresses and ports. */
static bool understood(const struct ethtool_rx_flow_spec *spec)
{
	switch (spec->flow_type) {
	case TCP_V4_FLOW:
	case UDP_V4_FLOW:
		return !spec->m_u.tcp_ip4_spec.tos;
	case TCP_V6_FLOW:
	case UDP_V6_FLOW:
		return !spec->m_u.tcp_ip6_spec.tclass;
	default:
		return false;
	}
}

static int place_for(const struct nic_steer *steer, u32 location)
{
	unsigned int i;

	if (location < NIC_RULES)
		return location;
	if (location != RX_CLS_LOC_ANY && location != RX_CLS_LOC_FIRST && location != RX_CLS_LOC_LAST)
		return -EINVAL;
	for (i = 0; i < NIC_RULES; i++)
		if (!steer->rule[i].used)
			return i;
	return -ENOSPC;
}

static int insert(const struct nic *nic, struct nic_steer *steer, struct ethtool_rx_flow_spec *spec)
{
	int at;

	if (!(nic->dev->features & NETIF_F_NTUPLE) || !understood(spec))
		return -EOPNOTSUPP;
	if (spec->ring_cookie != RX_CLS_FLOW_DISC && spec->ring_cookie >= nic->dev->real_num_rx_queues)
		return -EINVAL;
	at = place_for(steer, spec->location);
	if (at < 0)
		return at;
	spec->location = at;
	steer->rules += !steer->rule[at].used;
	steer->rule[at].used = true;
	steer->rule[at].spec = *spec;
	return 0;
}

static int delete(struct nic_steer *steer, u32 location)
{
	if (location >= NIC_RULES || !steer->rule[location].used)
		return -ENOENT;
	steer->rule[location].used = false;
	steer->rules--;
	return 0;
}

/**
 * nic_rules_set - ethtool_ops.set_rxnfc
 * @nic: NIC
 * @cmd: what is to be done; receives where a rule is
 *
 * Context: rtnl. Return: 0; -EOPNOTSUPP: other fields than TCP's and UDP's addresses and ports, or rules are off;
 * -EINVAL: no such queue or place; -ENOENT: no such rule; -ENOSPC: NIC_RULES are there; -ENOMEM.
 */
int nic_rules_set(struct nic *nic, struct ethtool_rxnfc *cmd)
{
	struct nic_steer *steer = nic_steer_copy(nic);
	int err;

	if (!steer)
		return -ENOMEM;
	if (cmd->cmd == ETHTOOL_SRXCLSRLINS)
		err = insert(nic, steer, &cmd->fs);
	else if (cmd->cmd == ETHTOOL_SRXCLSRLDEL)
		err = delete(steer, cmd->fs.location);
	else
		err = -EOPNOTSUPP;
	if (err)
		kfree(steer);
	else
		nic_steer_replace(nic, steer);
	return err;
}

/**
 * nic_rules_clear - no rules any more
 * @nic: NIC
 *
 * Context: rtnl. Return: 0, -ENOMEM.
 */
int nic_rules_clear(struct nic *nic)
{
	struct nic_steer *steer = nic_steer_copy(nic);

	if (!steer)
		return -ENOMEM;
	memset(steer->rule, 0, sizeof(steer->rule));
	steer->rules = 0;
	nic_steer_replace(nic, steer);
	return 0;
}
