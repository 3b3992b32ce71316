// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/* See vt_net.h. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "vt_net.h"
#include "vtest.h"

#define PIECE	(256 * 1024)

static void address_of(struct sockaddr_in6 *sa, const char *address)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)sa;

	memset(sa, 0, sizeof(*sa));
	if (inet_pton(AF_INET, address, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		return;
	}
	CHECK(inet_pton(AF_INET6, address, &sa->sin6_addr) == 1, "%s is no address", address);
	sa->sin6_family = AF_INET6;
}

int vt_net_socket(const char *netns, const char *address, struct sockaddr_in6 *bound)
{
	int here = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC), there, sock, on = 1;
	struct sockaddr_in6 sa;
	socklen_t len = sizeof(sa);
	char path[64];

	address_of(&sa, address);
	snprintf(path, sizeof(path), "/run/netns/%s", netns);
	there = open(path, O_RDONLY | O_CLOEXEC);
	CHECK(here >= 0 && there >= 0 && !setns(there, CLONE_NEWNET), "%s: %s", path, strerror(errno));
	sock = socket(sa.sin6_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	CHECK(!setns(here, CLONE_NEWNET) && sock >= 0, "socket: %s", strerror(errno));
	close(here);
	close(there);
	setsockopt(sock, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	CHECK(!bind(sock, (struct sockaddr *)&sa, sizeof(sa)), "bind to %s: %s", address, strerror(errno));
	CHECK(!getsockname(sock, (struct sockaddr *)&sa, &len), "getsockname: %s", strerror(errno));
	if (bound)
		*bound = sa;
	return sock;
}

void vt_net_pair(const char *netns, const char *address, const char *peer_netns,
		 const char *peer_address, int sock[2])
{
	struct sockaddr_in6 sa;
	int listener = vt_net_socket(peer_netns, peer_address, &sa), on = 1;

	CHECK(!listen(listener, 1), "listen: %s", strerror(errno));
	sock[0] = vt_net_socket(netns, address, NULL);
	CHECK(!connect(sock[0], (struct sockaddr *)&sa, sizeof(sa)), "connect: %s", strerror(errno));
	sock[1] = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	CHECK(sock[1] >= 0, "accept: %s", strerror(errno));
	setsockopt(sock[1], IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	close(listener);
}

void vt_net_write(int sock, size_t n, uint64_t seed, uint64_t pos, size_t piece)
{
	uint8_t *bytes = malloc(piece);
	size_t len;

	CHECK(bytes, "out of memory");
	for (; n; n -= len, pos += len) {
		len = n < piece ? n : piece;
		vt_fill(bytes, len, seed, pos);
		for (size_t done = 0; done < len;) {
			ssize_t ret = send(sock, bytes + done, len - done, MSG_NOSIGNAL);

			CHECK(ret > 0, "send: %s", strerror(errno));
			done += (size_t)ret;
		}
	}
	free(bytes);
}

static void set_limit(int sock)
{
	struct timeval limit = { .tv_sec = 10 * vt_cfg.slow };

	setsockopt(sock, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
}

void vt_net_expect(int sock, size_t n, uint64_t seed, uint64_t pos, const char *what)
{
	uint8_t *bytes = malloc(PIECE);

	CHECK(bytes, "out of memory");
	set_limit(sock);
	while (n) {
		ssize_t ret = recv(sock, bytes, n < PIECE ? n : PIECE, 0), bad;

		CHECK(ret > 0, "%s: %zu bytes are missing: %s", what, n, ret ? strerror(errno) : "end of stream");
		bad = vt_mismatch(bytes, (size_t)ret, seed, pos);
		CHECK(bad < 0, "%s: byte %zu of the stream is wrong", what, (size_t)pos + (size_t)bad);
		pos += (size_t)ret;
		n -= (size_t)ret;
	}
	free(bytes);
}

void vt_net_expect_end(int sock, const char *what)
{
	char byte;
	ssize_t ret;

	set_limit(sock);
	ret = recv(sock, &byte, 1, 0);
	CHECK(!ret, "%s: %s instead of the end of the stream", what, ret < 0 ? strerror(errno) : "a byte");
}
