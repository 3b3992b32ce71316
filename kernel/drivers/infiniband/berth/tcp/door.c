// SPDX-License-Identifier: GPL-2.0
/* A listening TCP socket, see door.h. */
#include <linux/in6.h>
#include <net/sock.h>
#include <net/tcp.h>
#include "conn.h"
#include "door.h"

/* Connections that are taken before another work, or who closes the door, has its turn. */
#define STRETCH	64

/* What a connection that comes out of a listening socket has inherited from it is taken back. */
static void hand_on(struct berth_door *door, struct socket *sock)
{
	struct sock *sk = sock->sk;

	write_lock_bh(&sk->sk_callback_lock);
	sk->sk_user_data = NULL;
	sk->sk_data_ready = door->old_data_ready;
	write_unlock_bh(&sk->sk_callback_lock);
	door->come(door, sock);
}

static void accept_work(struct work_struct *work)
{
	struct berth_door *door = container_of(work, struct berth_door, work);
	struct socket *sock;
	int i;

	for (i = 0; i < STRETCH; i++) {
		if (kernel_accept(door->sock, &sock, O_NONBLOCK))
			return;
		hand_on(door, sock);
	}
	queue_work(berth_tcp_wq, &door->work);
}

/* Of the listening socket; those that come out of it inherit it, and have no use for it yet. */
static void called(struct sock *sk)
{
	struct berth_door *door;

	read_lock_bh(&sk->sk_callback_lock);
	door = sk->sk_user_data;
	if (door && sk->sk_state == TCP_LISTEN)
		queue_work(berth_tcp_wq, &door->work);
	read_unlock_bh(&sk->sk_callback_lock);
}

static void set_callback(struct berth_door *door, struct sock *sk)
{
	write_lock_bh(&sk->sk_callback_lock);
	door->old_data_ready = sk->sk_data_ready;
	sk->sk_user_data = door;
	sk->sk_data_ready = called;
	write_unlock_bh(&sk->sk_callback_lock);
}

/**
 * berth_door_open - listen
 * @door: filled in
 * @net: network namespace
 * @addr: of IPv4 or IPv6, with the port; an IPv6 socket takes IPv6 only
 * @backlog: connections that wait to be handed on
 * @oif: interface that they have to come by, or 0
 * @come: called by a work for each connection, whose socket is its own
 *
 * Return: 0; -EADDRINUSE, -EADDRNOTAVAIL, -EAFNOSUPPORT, -ENOMEM and others of the socket's.
 */
int berth_door_open(struct berth_door *door, struct net *net, const struct sockaddr *addr, int backlog,
		    int oif, void (*come)(struct berth_door *door, struct socket *sock))
{
	const bool v6 = addr->sa_family == AF_INET6;
	struct sockaddr_storage ss = {};
	struct socket *sock;
	int err;

	err = sock_create_kern(net, addr->sa_family, SOCK_STREAM, IPPROTO_TCP, &sock);
	if (err)
		return err;
	sock_set_reuseaddr(sock->sk);
	sock->sk->sk_bound_dev_if = oif;
	if (v6)
		sock->sk->sk_ipv6only = true;
	memcpy(&ss, addr, v6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in));
	err = kernel_bind(sock, (struct sockaddr *)&ss,
			  v6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in));
	if (err)
		goto release;
	INIT_WORK(&door->work, accept_work);
	door->come = come;
	door->sock = sock;
	set_callback(door, sock->sk);
	err = kernel_listen(sock, backlog);
	if (err)
		goto release;
	return 0;

release:
	door->sock = NULL;
	sock_release(sock);
	return err;
}

/**
 * berth_door_close - listen no more
 * @door: open, or never opened and zeroed
 *
 * First nobody queues the work that accepts, then it does not run, then its socket goes.
 */
void berth_door_close(struct berth_door *door)
{
	struct socket *sock = door->sock;

	if (!sock)
		return;
	write_lock_bh(&sock->sk->sk_callback_lock);
	sock->sk->sk_user_data = NULL;
	write_unlock_bh(&sock->sk->sk_callback_lock);
	cancel_work_sync(&door->work);
	door->sock = NULL;
	sock_release(sock);
}
