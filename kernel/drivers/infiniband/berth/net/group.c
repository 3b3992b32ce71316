// SPDX-License-Identifier: GPL-2.0
/*
 * Membership in IP multicast groups, see group.h. IPv4 groups are the netdev's own, so that no limit
 * on sockets applies; IPv6 offers modules only the membership of a socket.
 *
 * Context: process; takes rtnl, and the lock of the socket within. Nobody unregisters a device of
 * ours under rtnl: the notifier of link.c only queues that.
 */
#include <linux/igmp.h>
#include <linux/inetdevice.h>
#include <linux/rtnetlink.h>
#include <net/ipv6.h>
#include <net/ipv6_stubs.h>
#include <net/sock.h>
#include "../dev.h"
#include "group.h"
#include "netns.h"

static int join_v4(struct berth_dev *dev, __be32 group)
{
	struct in_device *in_dev = __in_dev_get_rtnl(dev->ndev);

	ASSERT_RTNL();
	if (!in_dev)
		return -ENODEV;
	ip_mc_inc_group(in_dev, group);
	return 0;
}

static int join_v6(struct berth_dev *dev, const struct in6_addr *group)
{
	struct sock *sk = berth_netns_sock(dev->netns, AF_INET6);
	int err;

	ASSERT_RTNL();
	if (!sk)
		return -EAFNOSUPPORT;
	lock_sock(sk);
	err = ipv6_stub->ipv6_sock_mc_join(sk, dev->ndev->ifindex, group);
	release_sock(sk);
	return err;
}

/**
 * berth_group_join - have the netdev receive what is sent to a group
 * @dev: device
 * @group: IPv6 multicast address, or an IPv4 one mapped to IPv6
 *
 * Once for a group; the caller counts.
 *
 * Return: 0; -ENODEV: the netdev has no such addresses any more; -EAFNOSUPPORT: IPv6 is disabled;
 * -ENOMEM.
 */
int berth_group_join(struct berth_dev *dev, const struct in6_addr *group)
{
	int err;

	rtnl_lock();
	if (ipv6_addr_v4mapped(group))
		err = join_v4(dev, group->s6_addr32[3]);
	else
		err = join_v6(dev, group);
	rtnl_unlock();
	return err;
}

/**
 * berth_group_leave - the counterpart
 * @dev: device
 * @group: joined
 */
void berth_group_leave(struct berth_dev *dev, const struct in6_addr *group)
{
	struct in_device *in_dev;
	struct sock *sk;

	rtnl_lock();
	if (ipv6_addr_v4mapped(group)) {
		in_dev = __in_dev_get_rtnl(dev->ndev);
		if (in_dev)
			ip_mc_dec_group(in_dev, group->s6_addr32[3]);
	} else {
		sk = berth_netns_sock(dev->netns, AF_INET6);
		lock_sock(sk);
		ipv6_stub->ipv6_sock_mc_drop(sk, dev->ndev->ifindex, group);
		release_sock(sk);
	}
	rtnl_unlock();
}
