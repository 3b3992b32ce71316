// SPDX-License-Identifier: GPL-2.0
/*
 * Routes and headers of outgoing packets.
 *
 * Setting a path up and taking it down: process context, by the QP's modify and destroy, while
 * nobody sends. The rest: the data path, bottom halves disabled, which is also the RCU read side that
 * keeps the cached route. A route is used without a reference of its own (as TCP does); whoever
 * queues the packet below takes one.
 *
 * One packet over IPv4 has no UDP checksum, as RoCEv2 wants it; IPv6 demands one, and segmentation
 * works only with one, so those are left to the device or to the last moment (CHECKSUM_PARTIAL).
 */
#include <linux/if_vlan.h>
#include <linux/udp.h>
#include <net/dsfield.h>
#include <net/inet_dscp.h>
#include <net/ip.h>
#include <net/ip6_checksum.h>
#include <net/ip6_fib.h>
#include <net/ip6_route.h>
#include <net/ipv6.h>
#include <net/ipv6_stubs.h>
#include <net/pkt_sched.h>
#include <net/route.h>
#include <net/udp.h>
#include <rdma/ib_addr.h>
#include <rdma/ib_cache.h>
#include "../dev.h"
#include "../stats.h"
#include "../wire/icrc.h"
#include "netns.h"
#include "path.h"

#define DEFAULT_HOP_LIMIT	64

static unsigned int ip_header_len(const struct berth_path *path)
{
	return path->family == AF_INET ? sizeof(struct iphdr) : sizeof(struct ipv6hdr);
}

/*
 * The GID has to be of the right netdev. A link over a VLAN sends and receives there only, whatever
 * the table may hold for a moment (net/gid.c). Link-local addresses mean something only on theirs.
 */
static int bind_netdev(struct berth_path *path, const struct ib_gid_attr *sgid)
{
	struct net_device *ndev;
	int err = 0;

	rcu_read_lock();
	ndev = rdma_read_gid_attr_ndev_rcu(sgid);
	if (IS_ERR(ndev))
		err = PTR_ERR(ndev);
	else if (!net_eq(dev_net(ndev), path->net))
		err = -ENETUNREACH;
	else if (is_vlan_dev(path->dev->ndev) && ndev != path->dev->ndev)
		err = -EINVAL;
	else if (path->multicast ||
		 (path->family == AF_INET6 &&
		  (ipv6_addr_type(&path->saddr.v6) | ipv6_addr_type(&path->daddr.v6)) &
		  IPV6_ADDR_LINKLOCAL))
		path->oif = ndev->ifindex;
	rcu_read_unlock();
	return err;
}

static int set_addresses(struct berth_path *path, const union ib_gid *sgid, const union ib_gid *dgid)
{
	struct in6_addr src, dst;

	memcpy(&src, sgid, sizeof(src));
	memcpy(&dst, dgid, sizeof(dst));
	if (ipv6_addr_v4mapped(&src) != ipv6_addr_v4mapped(&dst) || ipv6_addr_any(&dst))
		return -EINVAL;
	path->multicast = rdma_is_multicast_addr(&dst);
	if (ipv6_addr_v4mapped(&src)) {
		path->family = AF_INET;
		path->saddr.v4 = src.s6_addr32[3];
		path->daddr.v4 = dst.s6_addr32[3];
		return 0;
	}
	path->family = AF_INET6;
	path->saddr.v6 = src;
	path->daddr.v6 = dst;
	return 0;
}

static int init(struct berth_path *path, struct berth_dev *dev, const struct rdma_ah_attr *attr)
{
	const struct ib_global_route *grh;
	int err;

	if (!(rdma_ah_get_ah_flags(attr) & IB_AH_GRH))
		return -EINVAL;
	grh = rdma_ah_read_grh(attr);
	if (!grh->sgid_attr || grh->sgid_attr->gid_type != IB_GID_TYPE_ROCE_UDP_ENCAP)
		return -EINVAL;

	memset(path, 0, sizeof(*path));
	path->dev = dev;
	path->net = berth_netns_net(dev->netns);
	err = set_addresses(path, &grh->sgid_attr->gid, &grh->dgid);
	if (!err)
		err = bind_netdev(path, grh->sgid_attr);
	if (!err) {
		path->sk = berth_netns_sock(dev->netns, path->family);
		err = path->sk ? 0 : -EAFNOSUPPORT;
	}
	if (err) {
		path->family = 0;
		return err;
	}
	path->tos = grh->traffic_class;
	path->ttl = grh->hop_limit ?: DEFAULT_HOP_LIMIT;
	path->next_id = get_random_u16();
	path->flow_label = grh->flow_label & IB_GRH_FLOWLABEL_MASK;
	return 0;
}

/**
 * berth_path_init - set the path to a peer up from an address handle
 * @path: zeroed, or after berth_path_fini()
 * @dev: device of the QP
 * @attr: with a global route whose source GID attribute the core has filled in
 * @src_qpn: the QP's own number
 * @dst_qpn: its peer's; both spread the UDP source port when there is no flow label
 *
 * Looks up no route: a peer that cannot be reached now may be reachable when something is sent.
 *
 * Context: process; nobody uses the path.
 * Return: 0; -EINVAL: no global route, no RoCEv2 GID, GIDs of two families, a multicast address, or
 * a GID of another netdev than the VLAN of the link; -ENETUNREACH: the GID belongs to another network
 * namespace; -EAFNOSUPPORT: IPv6 is disabled; -ENODEV: its netdev is gone.
 */
int berth_path_init(struct berth_path *path, struct berth_dev *dev,
		    const struct rdma_ah_attr *attr, u32 src_qpn, u32 dst_qpn)
{
	int err = init(path, dev, attr);

	if (err)
		return err;
	if (path->multicast) {
		path->family = 0;
		return -EINVAL;
	}
	path->sport = htons(rdma_get_udp_sport(path->flow_label, src_qpn, dst_qpn));
	return 0;
}

/**
 * berth_path_init_datagram - set the path of an address handle up, also to a multicast group
 * @path: zeroed, or after berth_path_fini()
 * @dev: device of the address handle
 * @attr: with a global route whose source GID attribute the core has filled in
 *
 * Context: any; nobody uses the path. Return: as berth_path_init(), but for multicast addresses.
 */
int berth_path_init_datagram(struct berth_path *path, struct berth_dev *dev,
			     const struct rdma_ah_attr *attr)
{
	int err = init(path, dev, attr);

	if (!err)
		path->sport = htons(rdma_get_udp_sport(path->flow_label, 0, 0));
	return err;
}

/**
 * berth_path_fini - release the route; the path is then not set
 * @path: zeroed, set, or finished already
 *
 * Context: any; nobody else uses the path.
 */
void berth_path_fini(struct berth_path *path)
{
	dst_release(unrcu_pointer(xchg(&path->dst, NULL)));
	path->family = 0;
}

static struct dst_entry *route_v4(const struct berth_path *path)
{
	struct flowi4 fl4 = {
		.flowi4_oif = path->oif,
		.flowi4_tos = path->tos & INET_DSCP_MASK,
		.flowi4_scope = RT_SCOPE_UNIVERSE,
		.flowi4_proto = IPPROTO_UDP,
		.saddr = path->saddr.v4,
		.daddr = path->daddr.v4,
		.fl4_sport = path->sport,
		.fl4_dport = htons(ROCE_V2_UDP_DPORT),
	};
	struct rtable *rt = ip_route_output_flow(path->net, &fl4, path->sk);

	if (IS_ERR(rt))
		return NULL;
	if (rt->rt_flags & RTCF_BROADCAST) {
		ip_rt_put(rt);
		return NULL;
	}
	return &rt->dst;
}

static struct dst_entry *route_v6(const struct berth_path *path, u32 *cookie)
{
	struct flowi6 fl6 = {
		.flowi6_oif = path->oif,
		.flowlabel = ip6_make_flowinfo(path->tos, cpu_to_be32(path->flow_label)),
		.flowi6_proto = IPPROTO_UDP,
		.saddr = path->saddr.v6,
		.daddr = path->daddr.v6,
		.fl6_sport = path->sport,
		.fl6_dport = htons(ROCE_V2_UDP_DPORT),
	};
	struct dst_entry *dst = ipv6_stub->ipv6_dst_lookup_flow(path->net, path->sk, &fl6, NULL);

	if (IS_ERR(dst))
		return NULL;
	if (dst->error) {
		dst_release(dst);
		return NULL;
	}
	*cookie = rt6_get_cookie(dst_rt6_info(dst));
	return dst;
}

/* The route, valid until bottom halves are enabled; NULL when there is none. */
static struct dst_entry *path_route(struct berth_path *path)
{
	struct dst_entry *dst = rcu_dereference_bh(path->dst);
	u32 cookie = 0;

	/* The route to a group tells whether this host is a member, and is not told of changes. */
	if (likely(dst) && likely(!path->multicast) &&
	    likely(dst_check(dst, READ_ONCE(path->dst_cookie))))
		return dst;

	dst = path->family == AF_INET ? route_v4(path) : route_v6(path, &cookie);
	WRITE_ONCE(path->dst_cookie, cookie);
	/* The other side of the QP may do the same at the same time: each releases what it replaces. */
	dst_release(unrcu_pointer(xchg(&path->dst, RCU_INITIALIZER(dst))));
	return dst;
}

/**
 * berth_path_skb - an empty skb with a route and room for all headers below the transport's
 * @path: set
 * @linear: bytes that the caller will skb_put()
 *
 * Context: bottom halves disabled, and kept so until berth_path_xmit() or kfree_skb().
 * Return: the skb, or NULL: no route or no memory, counted. Sending later may succeed.
 */
struct sk_buff *berth_path_skb(struct berth_path *path, unsigned int linear)
{
	struct dst_entry *dst = path_route(path);
	unsigned int headroom;
	struct sk_buff *skb;

	if (unlikely(!dst)) {
		berth_count(path->dev, BERTH_CNT_TX_NO_ROUTE);
		return NULL;
	}
	headroom = LL_RESERVED_SPACE(dst->dev) + dst->header_len + ip_header_len(path) +
		   sizeof(struct udphdr);
	skb = alloc_skb(headroom + linear + dst->trailer_len, GFP_ATOMIC | __GFP_NOWARN);
	if (unlikely(!skb)) {
		berth_count(path->dev, BERTH_CNT_TX_NO_MEMORY);
		return NULL;
	}
	skb_reserve(skb, headroom);
	skb->priority = rt_tos2priority(path->tos);
	skb->dev = dst->dev;
	skb_dst_set_noref(skb, dst);
	return skb;
}

static u16 push_ipv4(struct berth_path *path, struct sk_buff *skb, unsigned int segs)
{
	struct iphdr *iph = __skb_push(skb, sizeof(*iph));

	skb_reset_network_header(skb);
	skb->protocol = htons(ETH_P_IP);
	*iph = (struct iphdr) {
		.version = 4,
		.ihl = sizeof(*iph) / 4,
		.tos = path->tos,
		.frag_off = htons(IP_DF),
		.ttl = path->ttl,
		.protocol = IPPROTO_UDP,
		.saddr = path->saddr.v4,
		.daddr = path->daddr.v4,
	};
	/*
	 * Length and checksum are ip_local_out()'s. Where no router may cut a packet up no two need different
	 * identifications (RFC 6864), so it is counted on here, as TCP's sockets do; the ICRC covers it.
	 */
	iph->id = htons(READ_ONCE(path->next_id));
	WRITE_ONCE(path->next_id, path->next_id + segs);
	return ntohs(iph->id);
}

static void push_ipv6(const struct berth_path *path, struct sk_buff *skb)
{
	struct ipv6hdr *iph = __skb_push(skb, sizeof(*iph));

	skb_reset_network_header(skb);
	skb->protocol = htons(ETH_P_IPV6);
	ip6_flow_hdr(iph, path->tos, cpu_to_be32(path->flow_label));
	iph->nexthdr = IPPROTO_UDP;
	iph->hop_limit = path->ttl;
	iph->saddr = path->saddr.v6;
	iph->daddr = path->daddr.v6;
}

/* Leave the sum over everything but the pseudo header to whoever sends the packet or cuts it up. */
static void partial_checksum(const struct berth_path *path, struct sk_buff *skb)
{
	struct udphdr *uh = udp_hdr(skb);
	unsigned int len = ntohs(uh->len);

	skb->ip_summed = CHECKSUM_PARTIAL;
	skb->csum_start = skb_transport_header(skb) - skb->head;
	skb->csum_offset = offsetof(struct udphdr, check);
	if (path->family == AF_INET)
		uh->check = ~udp_v4_check(len, path->saddr.v4, path->daddr.v4, 0);
	else
		uh->check = ~udp_v6_check(len, &path->saddr.v6, &path->daddr.v6, 0);
}

/**
 * berth_path_headers - put UDP and IP in front of complete packets
 * @path: set
 * @skb: from berth_path_skb(), with all bytes of all segments accounted in its length; only ICRCs
 *	need still be written
 * @segs: packets in the skb
 * @seg_len: UDP payload of each, when @segs is more than 1; the last may be shorter. At most
 *	berth_path_gso_segs() of them.
 *
 * Context: bottom halves disabled.
 * Return: the IPv4 identification of the first segment; 0 over IPv6.
 */
u16 berth_path_headers(struct berth_path *path, struct sk_buff *skb, unsigned int segs,
		       unsigned int seg_len)
{
	struct udphdr *uh = __skb_push(skb, sizeof(*uh));
	u16 id = 0;

	skb_reset_transport_header(skb);
	uh->source = path->sport;
	uh->dest = htons(ROCE_V2_UDP_DPORT);
	uh->len = htons(skb->len);
	uh->check = 0;
	if (segs > 1) {
		skb_shinfo(skb)->gso_type = SKB_GSO_UDP_L4;
		skb_shinfo(skb)->gso_size = seg_len;
		skb_shinfo(skb)->gso_segs = segs;
	}
	if (segs > 1 || path->family == AF_INET6)
		partial_checksum(path, skb);
	if (path->family == AF_INET)
		id = push_ipv4(path, skb, segs);
	else
		push_ipv6(path, skb);
	return id;
}

/**
 * berth_path_icrc - begin the ICRCs of segments of one length
 * @path: set
 * @icrc: result
 * @id: identification of segment 0: what berth_path_headers() returned
 * @udp_payload: bytes of a segment behind the UDP header, ICRC included
 */
void berth_path_icrc(const struct berth_path *path, struct berth_icrc *icrc, u16 id,
		     unsigned int udp_payload)
{
	u16 udp_len = udp_payload + sizeof(struct udphdr);

	if (path->family == AF_INET)
		berth_icrc_begin_v4(icrc, path->saddr.v4, path->daddr.v4, id, htons(IP_DF), udp_len,
				    path->sport, htons(ROCE_V2_UDP_DPORT));
	else
		berth_icrc_begin_v6(icrc, &path->saddr.v6, &path->daddr.v6, udp_len, path->sport,
				    htons(ROCE_V2_UDP_DPORT));
}

/**
 * berth_path_xmit - send
 * @path: set
 * @skb: complete; consumed in any case
 *
 * Counts packets; payload bytes are counted by the caller, who knows them.
 *
 * Context: bottom halves disabled since berth_path_skb().
 * Return: 0: on its way, as far as can be told; -ENOBUFS: dropped by a queue, or another negative
 * errno (-EMSGSIZE: larger than the route's MTU). The protocol treats all of them as loss.
 */
int berth_path_xmit(struct berth_path *path, struct sk_buff *skb)
{
	unsigned int segs = skb_shinfo(skb)->gso_segs ?: 1;
	int err;

	if (path->family == AF_INET) {
		memset(IPCB(skb), 0, sizeof(*IPCB(skb)));
		err = ip_local_out(path->net, path->sk, skb);
	} else {
		memset(IP6CB(skb), 0, sizeof(*IP6CB(skb)));
		err = ip6_local_out(path->net, path->sk, skb);
	}
	if (err > 0)
		err = net_xmit_errno(err);
	if (!err)
		berth_count_add(path->dev, BERTH_CNT_TX_PACKETS, segs);
	return err;
}

/**
 * berth_path_gso_segs - how many packets one skb may hold
 * @path: set
 * @seg_len: UDP payload of each
 *
 * Bounded by the length fields of IP and UDP, by what the stack cuts up (UDP_MAX_SEGMENTS) and by
 * what the route's netdev takes without having it cut up before (link layer header included).
 *
 * Context: bottom halves disabled.
 * Return: at least 1.
 */
unsigned int berth_path_gso_segs(struct berth_path *path, unsigned int seg_len)
{
	const struct dst_entry *dst = path_route(path);
	unsigned int room = IP_MAX_MTU - 1, max_segs = UDP_MAX_SEGMENTS, below;
	const struct net_device *ndev;

	if (!dst || !seg_len)
		return 1;
	ndev = dst->dev;
	below = ip_header_len(path) + sizeof(struct udphdr) + LL_RESERVED_SPACE(ndev) + VLAN_HLEN;
	room = min(room, path->family == AF_INET ? READ_ONCE(ndev->gso_ipv4_max_size) :
						   READ_ONCE(ndev->gso_max_size));
	max_segs = min_t(unsigned int, max_segs, READ_ONCE(ndev->gso_max_segs));
	if (room <= below + seg_len)
		return 1;
	return clamp((room - below) / seg_len, 1U, max(max_segs, 1U));
}
