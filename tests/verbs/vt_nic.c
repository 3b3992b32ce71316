// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/* See vt_nic.h. The figures are of linux/netdev.h and linux/uio.h, which are newer than the headers that are installed. */
#include <errno.h>
#include <fcntl.h>
#include <linux/genetlink.h>
#include <linux/netlink.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "vt_nic.h"
#include "vtest.h"

#define NETDEV_CMD_BIND_RX	13
#define NETDEV_A_DMABUF_IFINDEX	1
#define NETDEV_A_DMABUF_QUEUES	2
#define NETDEV_A_DMABUF_FD	3
#define NETDEV_A_QUEUE_ID	1
#define NETDEV_A_QUEUE_TYPE	3

#define MSG_SOCK_DEVMEM		0x2000000
#define SO_DEVMEM_DMABUF	79
#define SO_DEVMEM_DONTNEED	80

#define TOKENS	1024	/* that come at once, at most */
#define AT_ONCE	128	/* that can be returned */

struct dmabuf_cmsg {
	uint64_t offset;
	uint32_t size, token, dmabuf, flags;
};

struct token {
	uint32_t first, count;
};

struct request {
	struct nlmsghdr nl;
	struct genlmsghdr genl;
	uint8_t attrs[256];
};

static void add_attr(struct request *r, uint16_t type, const void *data, size_t len)
{
	struct nlattr *attr = (struct nlattr *)((uint8_t *)r + NLMSG_ALIGN(r->nl.nlmsg_len));

	attr->nla_type = type;
	attr->nla_len = (uint16_t)(NLA_HDRLEN + len);
	memcpy((uint8_t *)attr + NLA_HDRLEN, data, len);
	r->nl.nlmsg_len = NLMSG_ALIGN(r->nl.nlmsg_len) + NLA_ALIGN(attr->nla_len);
}

static struct request request_new(uint16_t family, uint8_t cmd)
{
	return (struct request){
		.nl = { .nlmsg_len = NLMSG_LENGTH(GENL_HDRLEN), .nlmsg_type = family, .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK },
		.genl = { .cmd = cmd, .version = 1 },
	};
}

/* Asks, and reads up to the acknowledgement; of an answer the attribute @want, a u16, is returned. */
static int ask(int nl, const struct request *r, uint16_t want)
{
	uint8_t buf[8192] __attribute__((aligned(8)));
	int found = 0;

	CHECK(send(nl, r, r->nl.nlmsg_len, 0) > 0, "netlink: %s", strerror(errno));
	for (;;) {
		ssize_t n = recv(nl, buf, sizeof(buf), 0);

		CHECK(n > 0, "netlink: %s", strerror(errno));
		for (struct nlmsghdr *h = (struct nlmsghdr *)buf; NLMSG_OK(h, (size_t)n); h = NLMSG_NEXT(h, n)) {
			if (h->nlmsg_type == NLMSG_ERROR) {
				errno = -((struct nlmsgerr *)NLMSG_DATA(h))->error;
				return errno ? -1 : found;
			}
			for (size_t at = NLMSG_LENGTH(GENL_HDRLEN); at + NLA_HDRLEN <= h->nlmsg_len;) {
				struct nlattr *attr = (struct nlattr *)((uint8_t *)h + at);

				if ((attr->nla_type & NLA_TYPE_MASK) == want)
					found = *(uint16_t *)((uint8_t *)attr + NLA_HDRLEN);
				at += NLA_ALIGN(attr->nla_len);
			}
		}
	}
}

static int netlink_in(const char *netns, const char *netdev, uint32_t *ifindex)
{
	int here = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC), there, nl;
	char path[64];

	snprintf(path, sizeof(path), "/run/netns/%s", netns);
	there = open(path, O_RDONLY | O_CLOEXEC);
	CHECK(here >= 0 && there >= 0 && !setns(there, CLONE_NEWNET), "%s: %s", path, strerror(errno));
	nl = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_GENERIC);
	*ifindex = if_nametoindex(netdev);
	CHECK(!setns(here, CLONE_NEWNET) && nl >= 0 && *ifindex, "%s: %s", netdev, strerror(errno));
	close(here);
	close(there);
	return nl;
}

int vt_nic_bind(const char *netns, const char *netdev, uint32_t queue, int dmabuf)
{
	const uint32_t rx = 0, fd = (uint32_t)dmabuf;
	struct request r = request_new(GENL_ID_CTRL, CTRL_CMD_GETFAMILY), nest = request_new(0, 0);
	uint32_t ifindex;
	int nl = netlink_in(netns, netdev, &ifindex), family, err;

	add_attr(&r, CTRL_ATTR_FAMILY_NAME, "netdev", sizeof("netdev"));
	family = ask(nl, &r, CTRL_ATTR_FAMILY_ID);
	CHECK(family > 0, "no netlink family netdev: %s", strerror(errno));
	r = request_new((uint16_t)family, NETDEV_CMD_BIND_RX);
	add_attr(&r, NETDEV_A_DMABUF_IFINDEX, &ifindex, sizeof(ifindex));
	add_attr(&r, NETDEV_A_DMABUF_FD, &fd, sizeof(fd));
	add_attr(&nest, NETDEV_A_QUEUE_ID, &queue, sizeof(queue));
	add_attr(&nest, NETDEV_A_QUEUE_TYPE, &rx, sizeof(rx));
	add_attr(&r, NETDEV_A_DMABUF_QUEUES | NLA_F_NESTED, nest.attrs, nest.nl.nlmsg_len - NLMSG_LENGTH(GENL_HDRLEN));
	if (ask(nl, &r, 0) >= 0)
		return nl;
	err = errno;
	close(nl);
	errno = err;
	return -1;
}

static size_t take(int sock, const uint8_t *mem, uint64_t seed, uint64_t pos, struct token *token, uint32_t *tokens)
{
	static char control[65536] __attribute__((aligned(8)));
	/* So large that no piece is told in parts. */
	static char linear[1 << 20];
	struct iovec iov = { linear, sizeof(linear) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control) };
	size_t bytes = 0;
	ssize_t ret = recvmsg(sock, &msg, MSG_SOCK_DEVMEM);

	CHECK(ret >= 0, "devmem socket: %s", strerror(errno));
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&msg); c; c = CMSG_NXTHDR(&msg, c)) {
		const struct dmabuf_cmsg *d = (const struct dmabuf_cmsg *)CMSG_DATA(c);

		CHECK_EQ(c->cmsg_type, SO_DEVMEM_DMABUF, "kind of a devmem socket's bytes");
		CHECK(vt_mismatch(mem + d->offset, d->size, seed, pos + bytes) < 0, "%u bytes of a devmem socket are wrong",
		      d->size);
		bytes += d->size;
		CHECK(*tokens < TOKENS, "too many pieces at once");
		token[(*tokens)++] = (struct token){ d->token, 1 };
	}
	return bytes;
}

size_t vt_nic_take(int sock, const uint8_t *mem, uint64_t seed, uint64_t pos)
{
	struct token token[TOKENS];
	uint32_t tokens = 0;
	size_t bytes = take(sock, mem, seed, pos, token, &tokens);
	int ret, n;

	for (uint32_t i = 0; i < tokens; i += AT_ONCE) {
		n = tokens - i < AT_ONCE ? (int)(tokens - i) : AT_ONCE;
		ret = setsockopt(sock, SOL_SOCKET, SO_DEVMEM_DONTNEED, token + i, (size_t)n * sizeof(token[0]));
		CHECK(ret == n, "SO_DEVMEM_DONTNEED: %s", strerror(errno));
	}
	return bytes;
}

size_t vt_nic_hold(int sock, const uint8_t *mem, uint64_t seed, uint64_t pos, uint32_t *chunks)
{
	struct token token[TOKENS];
	uint32_t tokens = 0;
	size_t bytes = take(sock, mem, seed, pos, token, &tokens);

	*chunks += tokens;
	return bytes;
}
