// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * Binds a dma-buf to a receive queue of a netdev: bind-rx of the generic netlink family "netdev", in raw
 * messages, as headers of Debian 12 do not know the family. The binding lasts as long as the socket.
 */
#define _GNU_SOURCE
#include "landing.h"

#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/genetlink.h>
#include <linux/netlink.h>

#include "../common/say.h"

/* Of linux/netdev.h. */
#define FAMILY			"netdev"
#define CMD_BIND_RX		13
#define A_DMABUF_IFINDEX	1
#define A_DMABUF_QUEUES		2
#define A_DMABUF_FD		3
#define A_QUEUE_ID		1
#define A_QUEUE_TYPE		3
#define QUEUE_TYPE_RX		0

struct message {
	struct nlmsghdr nl;
	struct genlmsghdr genl;
	uint8_t attrs[4096];
};

static void begin(struct message *msg, uint16_t family, uint8_t cmd)
{
	memset(msg, 0, sizeof(*msg));
	msg->nl.nlmsg_len = NLMSG_LENGTH(GENL_HDRLEN);
	msg->nl.nlmsg_type = family;
	msg->nl.nlmsg_flags = NLM_F_REQUEST;
	msg->genl.cmd = cmd;
	msg->genl.version = 1;
}

/* The few that there are fit. */
static struct nlattr *put(struct message *msg, uint16_t type, const void *data, size_t length)
{
	struct nlattr *attr = (struct nlattr *)((uint8_t *)msg + msg->nl.nlmsg_len);

	attr->nla_type = type;
	attr->nla_len = (uint16_t)(NLA_HDRLEN + length);
	if (length)
		memcpy((uint8_t *)attr + NLA_HDRLEN, data, length);
	msg->nl.nlmsg_len += NLA_ALIGN(attr->nla_len);
	return attr;
}

/* @msg: the question; out: the answer. Returns 0 or a negative errno. */
static int ask(int sock, struct message *msg)
{
	ssize_t n;

	if (send(sock, msg, msg->nl.nlmsg_len, 0) < 0)
		return -errno;
	do {
		n = recv(sock, msg, sizeof(*msg), 0);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	if (!NLMSG_OK(&msg->nl, (size_t)n))
		return -EPROTO;
	if (msg->nl.nlmsg_type == NLMSG_ERROR)
		return ((struct nlmsgerr *)NLMSG_DATA(&msg->nl))->error ?: -EPROTO;
	return msg->nl.nlmsg_len < NLMSG_LENGTH(GENL_HDRLEN) ? -EPROTO : 0;
}

/* Returns the number of the family, or a negative errno. */
static int find_family(int sock)
{
	struct message msg;
	uint32_t at = 0, end;
	int err;

	begin(&msg, GENL_ID_CTRL, CTRL_CMD_GETFAMILY);
	put(&msg, CTRL_ATTR_FAMILY_NAME, FAMILY, sizeof(FAMILY));
	err = ask(sock, &msg);
	if (err)
		return err;
	end = msg.nl.nlmsg_len - NLMSG_LENGTH(GENL_HDRLEN);
	while (at + NLA_HDRLEN <= end) {
		const struct nlattr *attr = (const struct nlattr *)(msg.attrs + at);
		uint16_t number;

		if (attr->nla_len < NLA_HDRLEN)
			break;
		if (attr->nla_type == CTRL_ATTR_FAMILY_ID) {
			memcpy(&number, (const uint8_t *)attr + NLA_HDRLEN, sizeof(number));
			return number;
		}
		at += NLA_ALIGN(attr->nla_len);
	}
	return -EPROTO;
}

static int bind_rx(int sock, int family, uint32_t ifindex, uint32_t queue, int dmabuf)
{
	const uint32_t type = QUEUE_TYPE_RX, fd = (uint32_t)dmabuf;
	struct nlattr *nest;
	struct message msg;

	begin(&msg, (uint16_t)family, CMD_BIND_RX);
	put(&msg, A_DMABUF_IFINDEX, &ifindex, sizeof(ifindex));
	put(&msg, A_DMABUF_FD, &fd, sizeof(fd));
	nest = put(&msg, A_DMABUF_QUEUES | NLA_F_NESTED, NULL, 0);
	put(&msg, A_QUEUE_ID, &queue, sizeof(queue));
	put(&msg, A_QUEUE_TYPE, &type, sizeof(type));
	nest->nla_len = (uint16_t)((uint8_t *)&msg + msg.nl.nlmsg_len - (uint8_t *)nest);
	return ask(sock, &msg);
}

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
	family = find_family(sock);
	if (family < 0) {
		close(sock);
		say("netlink family %s: %s: a kernel from 6.12 on has it", FAMILY, strerror(-family));
		return family;
	}
	err = bind_rx(sock, family, ifindex, queue, dmabuf);
	if (!err)
		return sock;
	close(sock);
	say("binding the dma-buf to queue %u of %s: %s%s", queue, netdev, strerror(-err), remedy(err));
	return err;
}
