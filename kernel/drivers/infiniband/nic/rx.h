/* SPDX-License-Identifier: GPL-2.0 */
/* Receiving: from the lower device to the stack. Softirq. */
#ifndef BERTH_NIC_RX_H
#define BERTH_NIC_RX_H

#include "nic.h"

void nic_rx_enqueue(struct nic *nic, struct sk_buff *skb);
int nic_rx_poll(struct napi_struct *napi, int budget);

/* Counting by the queue's NAPI. */
static inline void nic_count(struct nic_queue *q, enum nic_count what, u64 n)
{
	u64_stats_update_begin(&q->sync);
	u64_stats_add(&q->count[what], n);
	u64_stats_update_end(&q->sync);
}

#endif
