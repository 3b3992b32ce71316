/* SPDX-License-Identifier: GPL-2.0 */
/* Writing a packet into the buffers of a queue. */
#ifndef BERTH_NIC_PLACE_H
#define BERTH_NIC_PLACE_H

#include "nic.h"

struct sk_buff *nic_place(struct nic_queue *q, struct sk_buff *skb);

#endif
