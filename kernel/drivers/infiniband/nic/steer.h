/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Which queue a packet goes to: that of the first rule that fits it, or its flow's hash through the indirection
 * table. One object that is replaced as a whole under rtnl; readers are under RCU.
 */
#ifndef BERTH_NIC_STEER_H
#define BERTH_NIC_STEER_H

#include <linux/ethtool.h>
#include "nic.h"

#define NIC_INDIR	128
#define NIC_RULES	64

struct nic_steer {
	struct rcu_head rcu;
	unsigned int rules;
	u8 indir[NIC_INDIR];
	struct nic_rule {
		bool used;
		struct ethtool_rx_flow_spec spec;
	} rule[NIC_RULES];
};

/* Instead of a queue. */
#define NIC_DROP	(-1)

/* Changing it: a copy, which is changed and then put in its place, or freed. */
struct nic_steer *nic_steer_copy(const struct nic *nic);
void nic_steer_replace(struct nic *nic, struct nic_steer *steer);
void nic_steer_spread(struct nic_steer *steer, unsigned int queues);
const struct nic_steer *nic_steer_now(const struct nic *nic);

int nic_steer_init(struct nic *nic);
void nic_steer_exit(struct nic *nic);
int nic_steer(const struct nic *nic, struct sk_buff *skb);

/* rules.c: ethtool's side of the rules. */
int nic_rules_get(struct nic *nic, struct ethtool_rxnfc *cmd, u32 *locations);
int nic_rules_set(struct nic *nic, struct ethtool_rxnfc *cmd);
int nic_rules_clear(struct nic *nic);

#endif
