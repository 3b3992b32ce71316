// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * The receiver of berth_landing_bw: what all modes have in common. It takes one connection, lands its bytes
 * to the end of the stream, and tells the sender how many there were (landing_send.c). With --verify
 * every byte is compared where it has landed, before its memory is given back.
 */
#define _GNU_SOURCE
#include "landing.h"

#include <errno.h>
#include <endian.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/dma-buf.h>

#include "../common/say.h"

/* ---- memory ---- */

/* Reading is all that this program does to a dma-buf. */
static int get_memory(struct landing *l)
{
	const struct landing_options *opt = l->opt;
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE), nowhere;

	l->size = (opt->memory + page - 1) & ~(page - 1);
	if (opt->use_dmabuf) {
		l->dmabuf = exporter_alloc(&opt->exporter, l->size, EXPORTER_ANYWHERE, &nowhere);
		if (l->dmabuf < 0)
			return l->dmabuf;
		l->map = mmap(NULL, l->size, PROT_READ, MAP_SHARED, l->dmabuf, 0);
	} else {
		l->map = mmap(NULL, l->size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	}
	if (l->map == MAP_FAILED) {
		l->map = NULL;
		return landing_failed("mapping the memory");
	}
	if (!opt->netdev)
		return 0;
	l->binding = landing_bind(opt->netdev, opt->queue, l->dmabuf);
	return l->binding < 0 ? l->binding : 0;
}

static void put_memory(struct landing *l)
{
	if (l->binding >= 0)
		close(l->binding);
	if (l->map)
		munmap(l->map, l->size);
	if (l->dmabuf >= 0)
		close(l->dmabuf);
}

static int sync_access(const struct landing *l, uint64_t flags)
{
	struct dma_buf_sync sync = { .flags = flags | DMA_BUF_SYNC_READ };

	if (!l->opt->verify || l->dmabuf < 0)
		return 0;
	while (ioctl(l->dmabuf, DMA_BUF_IOCTL_SYNC, &sync))
		if (errno != EINTR && errno != EAGAIN)
			return landing_failed("DMA_BUF_IOCTL_SYNC on the dma-buf");
	return 0;
}

/**
 * landing_begin_access - the program is going to look at the memory
 * @l: receiver
 *
 * Return: 0, or a negative errno after one line.
 */
int landing_begin_access(const struct landing *l)
{
	return sync_access(l, DMA_BUF_SYNC_START);
}

/**
 * landing_end_access - the program has looked
 * @l: receiver
 */
void landing_end_access(const struct landing *l)
{
	sync_access(l, DMA_BUF_SYNC_END);
}

/**
 * landing_take - the next bytes of the stream have come
 * @l: receiver
 * @at: where they are
 * @length: how many
 *
 * Return: 0, or -EBADMSG after one line: they are not those that were sent.
 */
int landing_take(struct landing *l, const uint8_t *at, size_t length)
{
	size_t good = length;
	uint8_t want;

	if (l->opt->verify)
		good = landing_mismatch(at, length, l->bytes, &want);
	if (good < length) {
		say("byte %" PRIu64 " of the stream is 0x%02x, not 0x%02x", l->bytes + good, at[good],
		    want);
		return -EBADMSG;
	}
	l->bytes += length;
	return 0;
}

/**
 * landing_take_memory - the same for bytes in the memory
 * @l: receiver
 * @offset: where they are
 * @length: how many
 *
 * Return: as landing_take().
 */
int landing_take_memory(struct landing *l, uint64_t offset, size_t length)
{
	if (length <= l->size && offset <= l->size - length)
		return landing_take(l, l->map + offset, length);
	say("%zu bytes at offset %" PRIu64 " are not in the memory of %zu bytes", length, offset, l->size);
	return -EBADMSG;
}

/* ---- the connection ---- */

/* For both families where there are both. Returns the socket, or a negative errno after one line. */
static int listen_at(uint16_t port)
{
	struct sockaddr_in6 six = {
		.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_ANY_INIT, .sin6_port = htons(port),
	};
	struct sockaddr_in four = { .sin_family = AF_INET, .sin_port = htons(port) };
	int sock, on = 1, off = 0, err;

	sock = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (sock >= 0) {
		setsockopt(sock, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
		setsockopt(sock, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
		err = bind(sock, (struct sockaddr *)&six, sizeof(six));
	} else {
		sock = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (sock < 0)
			return landing_failed("opening a socket");
		setsockopt(sock, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
		err = bind(sock, (struct sockaddr *)&four, sizeof(four));
	}
	if (!err && !listen(sock, 1))
		return sock;
	err = -errno;
	close(sock);
	say("port %u: cannot listen: %s", port, strerror(-err));
	return err;
}

/* One connection. */
static int wait_for_sender(uint16_t port)
{
	int listener = listen_at(port), sock;

	if (listener < 0)
		return listener;
	do {
		sock = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	} while (sock < 0 && errno == EINTR);
	if (sock < 0)
		sock = landing_failed("accepting a connection");
	close(listener);
	return sock;
}

static int tell_sender(const struct landing *l, int sock)
{
	uint64_t word = htobe64(l->bytes);

	if (send(sock, &word, sizeof(word), MSG_NOSIGNAL) != sizeof(word))
		return landing_failed("telling the sender");
	return 0;
}

static int serve(struct landing *l, const struct landing_ops *ops, int sock)
{
	const struct landing_options *opt = l->opt;
	uint64_t start = landing_now(), ns;
	int err;

	err = ops->land(l, sock);
	ns = landing_now() - start;
	if (err)
		return err;
	if (!opt->seconds && l->bytes != opt->size * opt->iterations) {
		say("%" PRIu64 " bytes have arrived, not %" PRIu64 ": give both sides the same -s and -n",
		    l->bytes, opt->size * opt->iterations);
		return -EIO;
	}
	err = tell_sender(l, sock);
	if (!err)
		landing_report(opt, l->bytes, ns, l);
	return err;
}

/**
 * landing_receive - be the receiver
 * @opt: what the user asks for
 *
 * Return: 0 when everything has arrived, or a negative errno after one line.
 */
int landing_receive(const struct landing_options *opt)
{
	static const struct landing_ops *const modes[] = {
		[LANDING_STREAM] = &landing_stream_ops,
		[LANDING_POSTED] = &landing_stream_ops,
		[LANDING_DEVMEM] = &landing_devmem_ops,
		[LANDING_SOCKET] = &landing_socket_ops,
	};
	const struct landing_ops *ops = modes[opt->mode];
	struct landing l = { .opt = opt, .dmabuf = -1, .binding = -1 };
	int err, sock;

	err = get_memory(&l);
	if (!err)
		err = ops->set_up(&l);
	if (!err) {
		sock = wait_for_sender(opt->port);
		err = sock < 0 ? sock : serve(&l, ops, sock);
		if (sock >= 0)
			close(sock);
	}
	ops->tear_down(&l);
	put_memory(&l);
	return err;
}
