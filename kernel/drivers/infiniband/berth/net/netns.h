/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What berth keeps per network namespace: the UDP sockets on port 4791 (IPv4 and IPv6) and the
 * netfilter hooks that take whole super-packets from LOCAL_IN; shared and counted by the devices of
 * that namespace.
 *
 * Receive runs in softirq under rcu_read_lock; it ends in berth_rx() (obj/rx.h).
 */
#ifndef BERTH_NET_NETNS_H
#define BERTH_NET_NETNS_H

#include <linux/skbuff.h>
#include "path.h"

struct net;
struct berth_icrc;
struct berth_netns;

/* One skb as it came from IP: one packet, or a super-packet of seg_len-sized UDP payloads. */
struct berth_rx {
	struct net *net;
	int family;
	union berth_addr saddr;		/* of the sender */
	union berth_addr daddr;
	int iif;			/* interface that it came in by: for link-local addresses, groups */
	__be16 sport;
	u16 id;				/* IP identification of the first segment */
	bool df;			/* IPv4: don't fragment was set (the ICRC covers it) */
	u8 tos;				/* or traffic class */
	u8 ttl;				/* or hop limit */
	__be32 flow_label;
	unsigned int offset;		/* of the first BTH from skb->data */
	unsigned int len;		/* bytes from there on */
	unsigned int seg_len;		/* UDP payload of one segment; the last may be shorter */
};

int berth_netns_module_init(void);
void berth_netns_module_fini(void);
struct berth_netns *berth_netns_get(struct net *net);
void berth_netns_put(struct berth_netns *netns);
struct net *berth_netns_net(const struct berth_netns *netns);
struct sock *berth_netns_sock(const struct berth_netns *netns, int family);

void berth_rx_icrc(const struct berth_rx *rx, struct berth_icrc *icrc, unsigned int udp_payload);

#endif
