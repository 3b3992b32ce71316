// SPDX-License-Identifier: GPL-2.0
/* The frames of MPA's handshake, see greet.h. RFC 5044, 7.1, and RFC 6581. */
#include <linux/unaligned.h>
#include <net/sock.h>
#include "../obj/qp.h"
#include "conn.h"
#include "greet.h"

#define MAGIC	0x62657274	/* "bert" */
#define VERSION	1

static void changed(struct sock *sk)
{
	struct berth_greeting *g;

	read_lock_bh(&sk->sk_callback_lock);
	g = sk->sk_user_data;
	if (g)
		mod_delayed_work(berth_tcp_wq, g->work, 0);
	read_unlock_bh(&sk->sk_callback_lock);
}

/**
 * berth_greeting_begin - watch a socket
 * @g: filled in
 * @sock: socket, connecting or connected
 * @work: runs, in berth_tcp_wq, whenever something happens to it
 */
void berth_greeting_begin(struct berth_greeting *g, struct socket *sock, struct delayed_work *work)
{
	struct sock *sk = sock->sk;

	g->sock = sock;
	g->work = work;
	g->have = 0;
	write_lock_bh(&sk->sk_callback_lock);
	g->old_data_ready = sk->sk_data_ready;
	g->old_state_change = sk->sk_state_change;
	sk->sk_user_data = g;
	sk->sk_data_ready = changed;
	sk->sk_state_change = changed;
	write_unlock_bh(&sk->sk_callback_lock);
}

/**
 * berth_greeting_end - watch it no more
 * @g: greeting; nothing of it is used afterwards
 *
 * Return: the socket, the caller's again.
 */
struct socket *berth_greeting_end(struct berth_greeting *g)
{
	struct sock *sk = g->sock->sk;

	write_lock_bh(&sk->sk_callback_lock);
	sk->sk_user_data = NULL;
	sk->sk_data_ready = g->old_data_ready;
	sk->sk_state_change = g->old_state_change;
	write_unlock_bh(&sk->sk_callback_lock);
	return g->sock;
}

static void gid_of(u8 gid[16], int family, const union berth_addr *addr)
{
	struct in6_addr a = addr->v6;

	if (family == AF_INET)
		ipv6_addr_set_v4mapped(addr->v4, &a);
	memcpy(gid, &a, 16);
}

/**
 * berth_greeting_send - send a request or a reply
 * @g: greeting, its socket connected
 * @frame: what is to be said
 * @pd: its private data, @frame->pd_len bytes
 *
 * Return: 0 or a negative errno.
 */
int berth_greeting_send(struct berth_greeting *g, const struct berth_mpa_frame *frame, const void *pd)
{
	struct msghdr msg = { .msg_flags = MSG_DONTWAIT | MSG_NOSIGNAL };
	u8 buf[BERTH_MPA_FRAME_MAX];
	struct kvec vec = { .iov_base = buf };
	int ret;

	ret = berth_mpa_build(frame, pd, buf, sizeof(buf));
	if (ret < 0)
		return ret;
	vec.iov_len = ret;
	ret = kernel_sendmsg(g->sock, &msg, &vec, 1, vec.iov_len);
	if (ret < 0)
		return ret;
	/* The socket is empty: it takes all of so little. */
	return ret == vec.iov_len ? 0 : -EPROTO;
}

/**
 * berth_greeting_send_hello - the same, of a TCP QP
 * @g: greeting, its socket connected
 * @qp: who we are, and whom we want; tcp->mutex held
 * @frame: what is to be said; its private data is added
 *
 * Return: 0 or a negative errno.
 */
int berth_greeting_send_hello(struct berth_greeting *g, const struct berth_qp *qp,
			      const struct berth_mpa_frame *frame)
{
	const struct berth_path *path = &qp->tcp->path;
	struct berth_mpa_frame f = *frame;
	struct berth_hello hello = {
		.magic = cpu_to_be32(MAGIC),
		.version = cpu_to_be32(VERSION),
		.src_qpn = cpu_to_be32(qp->qpn),
		.dst_qpn = cpu_to_be32(qp->dest_qpn),
	};

	gid_of(hello.src_gid, path->family, &path->saddr);
	gid_of(hello.dst_gid, path->family, &path->daddr);
	f.pd_len = sizeof(hello);
	return berth_greeting_send(g, &f, &hello);
}

/* Length of the frame as far as it is known. */
static u32 wanted(const struct berth_greeting *g)
{
	if (g->have < BERTH_MPA_HDR_LEN)
		return BERTH_MPA_HDR_LEN;
	return BERTH_MPA_HDR_LEN + get_unaligned_be16(g->frame + BERTH_MPA_HDR_LEN - 2);
}

/**
 * berth_greeting_read - take what has come of the peer's frame, and no byte more
 * @g: greeting; g->frame then has the frame, and its private data at berth_mpa_pd_offset()
 * @frame: receives it
 *
 * Return: 0: it is here; -EAGAIN: not yet; -EPROTO: it is none; -ECONNRESET: the peer has gone; or
 * another errno of the socket's.
 */
int berth_greeting_read(struct berth_greeting *g, struct berth_mpa_frame *frame)
{
	int ret;

	while (g->have < wanted(g)) {
		struct msghdr msg = { .msg_flags = MSG_DONTWAIT };
		struct kvec vec = { .iov_base = g->frame + g->have };

		vec.iov_len = wanted(g) - g->have;
		if (vec.iov_len > sizeof(g->frame) - g->have)
			return -EPROTO;
		ret = kernel_recvmsg(g->sock, &msg, &vec, 1, vec.iov_len, MSG_DONTWAIT);
		if (ret <= 0)
			return ret ? ret : -ECONNRESET;
		g->have += ret;
		ret = berth_mpa_parse(frame, g->frame, g->have);
		if (ret < 0 && ret != -EAGAIN)
			return -EPROTO;
	}
	return berth_mpa_parse(frame, g->frame, g->have) < 0 ? -EPROTO : 0;
}

/**
 * berth_greeting_read_hello - the same, of a TCP QP
 * @g: greeting
 * @frame: receives it
 * @hello: receives its private data
 *
 * Return: as berth_greeting_read(); -EPROTO: it is not of a berth, too.
 */
int berth_greeting_read_hello(struct berth_greeting *g, struct berth_mpa_frame *frame,
			      struct berth_hello *hello)
{
	int ret = berth_greeting_read(g, frame);

	if (ret)
		return ret;
	if (frame->pd_len != sizeof(*hello))
		return -EPROTO;
	memcpy(hello, g->frame + berth_mpa_pd_offset(frame), sizeof(*hello));
	if (hello->magic != cpu_to_be32(MAGIC) || hello->version != cpu_to_be32(VERSION))
		return -EPROTO;
	return 0;
}
