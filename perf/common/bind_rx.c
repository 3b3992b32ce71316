// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/* See bind_rx.h. bind-rx in raw messages, as headers of Debian 12 do not know the family. */
#include "bind_rx.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include <linux/genetlink.h>
#include <linux/netlink.h>

/* Of linux/netdev.h. */
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

int bind_rx_family(int sock)
{
	struct message msg;
	uint32_t at = 0, end;
	int err;

	begin(&msg, GENL_ID_CTRL, CTRL_CMD_GETFAMILY);
	put(&msg, CTRL_ATTR_FAMILY_NAME, BIND_RX_FAMILY, sizeof(BIND_RX_FAMILY));
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

int bind_rx(int sock, int family, uint32_t ifindex, uint32_t queue, int dmabuf)
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
