/* SPDX-License-Identifier: GPL-2.0 */
/* Membership of a netdev in IP multicast groups, on behalf of the QPs of its device. */
#ifndef BERTH_NET_GROUP_H
#define BERTH_NET_GROUP_H

#include <linux/in6.h>

struct berth_dev;

int berth_group_join(struct berth_dev *dev, const struct in6_addr *group);
void berth_group_leave(struct berth_dev *dev, const struct in6_addr *group);

#endif
