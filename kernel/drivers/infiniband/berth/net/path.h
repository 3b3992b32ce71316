/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The way from a QP to its peer: addresses, UDP source port, cached route; and the IP/UDP headers of
 * what is sent there.
 *
 * A path belongs to its QP and is used under the QP's locks with bottom halves disabled; two sides
 * of a QP (requester and responder) may send at once, so the cached route is RCU protected. An skb
 * borrows the route: from berth_path_skb() to berth_path_xmit() bottom halves stay disabled.
 */
#ifndef BERTH_NET_PATH_H
#define BERTH_NET_PATH_H

#include <linux/skbuff.h>
#include <linux/in6.h>
#include <net/dst.h>
#include <rdma/ib_verbs.h>

struct berth_dev;
struct berth_icrc;
struct sock;

union berth_addr {
	__be32 v4;
	struct in6_addr v6;
};

struct berth_path {
	struct berth_dev *dev;
	struct net *net;
	struct sock *sk;		/* of the namespace, whose device outlives the path */
	int family;			/* AF_INET or AF_INET6; 0: not set */
	int oif;			/* link-local addresses, groups: the only interface; else 0 */
	bool multicast;			/* daddr is a group; only datagrams go there */
	union berth_addr saddr;
	union berth_addr daddr;
	__be16 sport;
	u8 tos;
	u8 ttl;
	u16 next_id;			/* IPv4 identification of the next packet; either side of a QP counts it on */
	u32 flow_label;
	struct dst_entry __rcu *dst;	/* checked before use, looked up again when obsolete */
	u32 dst_cookie;			/* a wrong one only causes a lookup */
};

int berth_path_init(struct berth_path *path, struct berth_dev *dev,
		    const struct rdma_ah_attr *attr, u32 src_qpn, u32 dst_qpn);
int berth_path_init_datagram(struct berth_path *path, struct berth_dev *dev,
			     const struct rdma_ah_attr *attr);
void berth_path_fini(struct berth_path *path);

/*
 * Sending: skb = berth_path_skb(); caller puts transport headers and payload; id =
 * berth_path_headers(); caller fills in each segment's ICRC, which covers the IP identification
 * id + i of segment i and starts from berth_path_icrc(); berth_path_xmit() consumes the skb.
 */
struct sk_buff *berth_path_skb(struct berth_path *path, unsigned int linear);
u16 berth_path_headers(struct berth_path *path, struct sk_buff *skb, unsigned int segs,
		       unsigned int seg_len);
void berth_path_icrc(const struct berth_path *path, struct berth_icrc *icrc, u16 id,
		     unsigned int udp_payload);
int berth_path_xmit(struct berth_path *path, struct sk_buff *skb);
unsigned int berth_path_gso_segs(struct berth_path *path, unsigned int seg_len);

#endif
