// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * Receiving without verbs: into host memory by recv(), and by the kernel's devmem TCP. There the bytes stay
 * in the dma-buf that is bound to the receive queue, recvmsg() tells where, and their tokens are given
 * back. What did not come as device memory recvmsg() copies.
 */
#define _GNU_SOURCE
#include "landing.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "../common/say.h"

/* Of headers from Linux 6.12 on. */
#ifndef MSG_SOCK_DEVMEM
#define MSG_SOCK_DEVMEM		0x2000000
#endif
#ifndef SO_DEVMEM_LINEAR
#define SO_DEVMEM_LINEAR	78
#define SO_DEVMEM_DMABUF	79
#define SO_DEVMEM_DONTNEED	80
#endif

#define CONTROL		65536	/* bytes: more than a thousand pieces */
#define MAX_TOKENS	128	/* the kernel takes no more at once */

/* struct dmabuf_cmsg */
struct piece {
	uint64_t offset;
	uint32_t length;
	uint32_t token;
	uint32_t dmabuf;
	uint32_t flags;
};

/* struct dmabuf_token */
struct token {
	uint32_t start;
	uint32_t count;
};

struct tokens {
	struct token token[MAX_TOKENS];
	uint32_t count;
};

/* ---- host memory ---- */

static int socket_set_up(struct landing *l)
{
	(void)l;
	return 0;
}

static int socket_land(struct landing *l, int sock)
{
	for (;;) {
		ssize_t n = recv(sock, l->map, l->opt->size, 0);
		int err;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return landing_failed("receiving");
		if (!n)
			return 0;
		err = landing_take(l, l->map, (size_t)n);
		if (err)
			return err;
	}
}

static void socket_tear_down(struct landing *l)
{
	(void)l;
}

/* ---- devmem TCP ---- */

static int devmem_set_up(struct landing *l)
{
	l->linear = malloc(l->opt->size);
	return l->linear ? 0 : landing_failed("allocating memory");
}

static int give_back(int sock, struct tokens *tokens)
{
	socklen_t length = tokens->count * sizeof(tokens->token[0]);

	if (!tokens->count)
		return 0;
	tokens->count = 0;
	if (setsockopt(sock, SOL_SOCKET, SO_DEVMEM_DONTNEED, tokens->token, length) < 0)
		return landing_failed("giving tokens back (SO_DEVMEM_DONTNEED)");
	return 0;
}

static int take_piece(struct landing *l, int sock, const struct piece *piece, struct tokens *tokens)
{
	int err;

	err = landing_take_memory(l, piece->offset, piece->length);
	if (err)
		return err;
	l->handed_over += piece->length;
	tokens->token[tokens->count++] = (struct token){ .start = piece->token, .count = 1 };
	return tokens->count == MAX_TOKENS ? give_back(sock, tokens) : 0;
}

/* @n: that recvmsg() has returned. */
static int take_message(struct landing *l, int sock, struct msghdr *msg, size_t n)
{
	struct tokens tokens = { .count = 0 };
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(msg);
	size_t linear = 0;
	int err = 0;

	/* What came in ordinary memory has no message about it. */
	if (!cmsg)
		return landing_take(l, l->linear, n);
	for (; cmsg && !err; cmsg = CMSG_NXTHDR(msg, cmsg)) {
		struct piece piece;

		if (cmsg->cmsg_level != SOL_SOCKET || cmsg->cmsg_len < CMSG_LEN(sizeof(piece)))
			continue;
		memcpy(&piece, CMSG_DATA(cmsg), sizeof(piece));
		if (cmsg->cmsg_type == SO_DEVMEM_DMABUF) {
			err = take_piece(l, sock, &piece, &tokens);
		} else if (cmsg->cmsg_type == SO_DEVMEM_LINEAR) {
			err = landing_take(l, l->linear + linear, piece.length);
			linear += piece.length;
		}
	}
	return err ? err : give_back(sock, &tokens);
}

static int devmem_land(struct landing *l, int sock)
{
	static uint8_t control[CONTROL] __attribute__((aligned(8)));

	for (;;) {
		struct iovec iov = { .iov_base = l->linear, .iov_len = l->opt->size };
		struct msghdr msg = {
			.msg_iov = &iov, .msg_iovlen = 1,
			.msg_control = control, .msg_controllen = sizeof(control),
		};
		ssize_t n = recvmsg(sock, &msg, MSG_SOCK_DEVMEM);
		int err;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return landing_failed("receiving (MSG_SOCK_DEVMEM)");
		if (!n)
			return 0;
		err = landing_begin_access(l);
		if (err)
			return err;
		err = take_message(l, sock, &msg, (size_t)n);
		landing_end_access(l);
		if (err)
			return err;
	}
}

static void devmem_tear_down(struct landing *l)
{
	free(l->linear);
}

const struct landing_ops landing_socket_ops = {
	.set_up = socket_set_up,
	.land = socket_land,
	.tear_down = socket_tear_down,
};

const struct landing_ops landing_devmem_ops = {
	.set_up = devmem_set_up,
	.land = devmem_land,
	.tear_down = devmem_tear_down,
};
