// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/* See vt_nic.h. The figures are of linux/uio.h, which is newer than the headers that are installed. */
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bind_rx.h"
#include "vt_nic.h"
#include "vtest.h"

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
	uint32_t ifindex;
	int nl = netlink_in(netns, netdev, &ifindex), family = bind_rx_family(nl), err;

	CHECK(family > 0, "no netlink family " BIND_RX_FAMILY ": %s", strerror(-family));
	err = bind_rx(nl, family, ifindex, queue, dmabuf);
	if (!err)
		return nl;
	close(nl);
	errno = -err;
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
