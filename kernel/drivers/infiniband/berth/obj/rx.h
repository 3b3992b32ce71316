/* SPDX-License-Identifier: GPL-2.0 */
/* Where packets enter: checks each segment and hands it to the transport of its QP. */
#ifndef BERTH_OBJ_RX_H
#define BERTH_OBJ_RX_H

struct sk_buff;
struct berth_rx;

void berth_rx(struct sk_buff *skb, const struct berth_rx *rx);

#endif
