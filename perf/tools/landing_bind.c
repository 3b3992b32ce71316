// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/* Binds the dma-buf to a receive queue of a netdev, and says why when it cannot. */
#define _GNU_SOURCE
#include "landing.h"

#include <errno.h>
#include <net/if.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/netlink.h>

#include "../common/bind_rx.h"
#include "../common/say.h"

static const char *remedy(int err)
{
	switch (err) {
	case -EPERM:
		return ": needs the right to administer the network (root)";
	case -EEXIST:
		return ": the queue has a binding";
	case -EBUSY:
		return ": the memory is in use, or the queue is the target of others' traffic (ethtool -X)";
	case -EOPNOTSUPP:
		return ": this netdev or this kernel cannot do it";
	default:
		return "";
	}
}

/**
 * landing_bind - have a receive queue put payload into a dma-buf
 * @netdev: whose queue it is
 * @queue: its number
 * @dmabuf: descriptor
 *
 * Return: the socket that holds the binding, or a negative errno after one line.
 */
int landing_bind(const char *netdev, uint32_t queue, int dmabuf)
{
	uint32_t ifindex = if_nametoindex(netdev);
	int sock, family, err;

	if (!ifindex) {
		err = -errno;
		say("--netdev=%s: %s", netdev, strerror(-err));
		return err;
	}
	sock = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_GENERIC);
	if (sock < 0)
		return landing_failed("opening a netlink socket");
	family = bind_rx_family(sock);
	if (family < 0) {
		close(sock);
		say("netlink family %s: %s: a kernel from 6.12 on has it", BIND_RX_FAMILY, strerror(-family));
		return family;
	}
	err = bind_rx(sock, family, ifindex, queue, dmabuf);
	if (!err)
		return sock;
	close(sock);
	say("binding the dma-buf to queue %u of %s: %s%s", queue, netdev, strerror(-err), remedy(err));
	return err;
}
