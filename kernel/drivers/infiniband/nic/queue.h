/* SPDX-License-Identifier: GPL-2.0 */
/* The receive queues of a NIC, and what they have for buffers. All under rtnl. */
#ifndef BERTH_NIC_QUEUE_H
#define BERTH_NIC_QUEUE_H

#include <net/netdev_queues.h>
#include "nic.h"

void nic_queue_init(struct nic *nic, unsigned int index);
void nic_queue_exit(struct nic_queue *q);
int nic_queue_up(struct nic_queue *q);
void nic_queue_down(struct nic_queue *q);

extern const struct netdev_queue_mgmt_ops nic_queue_mgmt_ops;

#endif
