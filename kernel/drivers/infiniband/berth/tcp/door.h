/* SPDX-License-Identifier: GPL-2.0 */
/* A listening TCP socket whose connections are handed on as they come. Context: process. */
#ifndef BERTH_TCP_DOOR_H
#define BERTH_TCP_DOOR_H

#include <linux/net.h>
#include <linux/workqueue.h>

struct berth_door {
	struct socket *sock;		/* NULL: closed */
	struct work_struct work;
	void (*old_data_ready)(struct sock *sk);
	void (*come)(struct berth_door *door, struct socket *sock);
};

int berth_door_open(struct berth_door *door, struct net *net, const struct sockaddr *addr, int backlog,
		    int oif, void (*come)(struct berth_door *door, struct socket *sock));
void berth_door_close(struct berth_door *door);

#endif
