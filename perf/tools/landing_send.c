// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * The sender of berth_landing_bw: an ordinary socket. It writes, ends its side of the stream, and waits
 * for eight bytes from the receiver: how many have arrived, the most significant first. A receiver that
 * is not content closes without a word.
 */
#define _GNU_SOURCE
#include "landing.h"

#include <errno.h>
#include <endian.h>
#include <inttypes.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../common/say.h"

static int dial(const struct landing_options *opt)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *list, *ai;
	char port[8];
	int err, sock = -1;

	snprintf(port, sizeof(port), "%u", opt->port);
	err = getaddrinfo(opt->address, port, &hints, &list);
	if (err) {
		say("%s: %s", opt->address, gai_strerror(err));
		return -EINVAL;
	}
	for (ai = list; ai && sock < 0; ai = ai->ai_next) {
		sock = socket(ai->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (sock >= 0 && !connect(sock, ai->ai_addr, ai->ai_addrlen))
			break;
		err = errno;
		if (sock >= 0)
			close(sock);
		sock = -1;
	}
	freeaddrinfo(list);
	if (sock >= 0)
		return sock;
	say("cannot connect to %s, port %s: %s: start a receiver there (without an address) first",
	    opt->address, port, strerror(err));
	return -err;
}

/* No packet has bytes of two writes: whether one has would depend on who runs when, and runs would differ. */
static int write_all(int sock, const uint8_t *data, size_t length)
{
	while (length) {
		ssize_t n = send(sock, data, length, MSG_NOSIGNAL | MSG_EOR);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return landing_failed("sending");
		data += n;
		length -= (size_t)n;
	}
	return 0;
}

/* Returns when all has been written, or the time is over. */
static int write_stream(const struct landing_options *opt, int sock, const uint8_t *data,
			uint64_t *bytes)
{
	uint64_t end = landing_now() + opt->seconds * 1000000000;
	uint64_t i;
	int err;

	*bytes = 0;
	for (i = 0; opt->seconds ? landing_now() < end : i < opt->iterations; i++) {
		err = write_all(sock, data + *bytes % LANDING_PERIOD, opt->size);
		if (err)
			return err;
		*bytes += opt->size;
	}
	return shutdown(sock, SHUT_WR) ? landing_failed("ending the stream") : 0;
}

static int hear(int sock, uint64_t bytes)
{
	uint64_t word = 0;
	ssize_t n;

	do {
		n = recv(sock, &word, sizeof(word), MSG_WAITALL);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return landing_failed("hearing from the receiver");
	if (n != sizeof(word)) {
		say("the receiver has failed: it tells why");
		return -EIO;
	}
	if (be64toh(word) == bytes)
		return 0;
	say("the receiver has %" PRIu64 " of %" PRIu64 " bytes", be64toh(word), bytes);
	return -EIO;
}

/**
 * landing_send - be the sender
 * @opt: what the user asks for
 *
 * Return: 0 when everything has arrived, or a negative errno after one line.
 */
int landing_send(const struct landing_options *opt)
{
	size_t length = LANDING_PERIOD + opt->size;
	uint64_t start, bytes;
	uint8_t *data;
	int sock, err;

	data = malloc(length);
	if (!data)
		return landing_failed("allocating the bytes to send");
	landing_fill(data, length);
	sock = dial(opt);
	if (sock < 0) {
		free(data);
		return sock;
	}
	start = landing_now();
	err = write_stream(opt, sock, data, &bytes);
	if (!err)
		err = hear(sock, bytes);
	if (!err)
		landing_report(opt, bytes, landing_now() - start, NULL);
	close(sock);
	free(data);
	return err;
}
