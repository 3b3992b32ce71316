// SPDX-License-Identifier: GPL-2.0
/*
 * Receiving: UDP port 4791 of a network namespace.
 *
 * The sockets own the port and are the way of last resort. Before the stack gets that far a netfilter
 * hook, the last of LOCAL_IN and so behind every firewall rule, takes the packets: a socket would
 * have super-packets cut up first, and that costs three times as much as all the rest. What the hook
 * leaves alone (fragments and extension headers of IPv6, lists of packets from GRO, anything
 * malformed) goes on to the socket or is dropped by UDP. Connection tracking confirms what it sees
 * for the first time as late as that, too, so the hook sees to it that this has happened.
 *
 * Get and put: process context, under netns->lock. Receive: softirq, RCU read side; it touches only
 * the skb. The last put and the end of the namespace wait until no receive is running.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/mutex.h>
#include <linux/netfilter.h>
#include <linux/netfilter_ipv4.h>
#include <linux/netfilter_ipv6.h>
#include <linux/udp.h>
#include <linux/wait.h>
#include <net/ip.h>
#include <net/ipv6.h>
#include <net/netns/generic.h>
#include <net/udp.h>
#include <net/udp_tunnel.h>
#include <net/xfrm.h>
#include <rdma/ib_verbs.h>
#include "../compat.h"
#include "../obj/rx.h"
#include "../wire/icrc.h"
#include "netns.h"

struct berth_netns {
	struct net *net;
	struct mutex lock;		/* protects all below */
	unsigned int users;		/* devices */
	struct socket *sock4;		/* set while there are users */
	struct socket *sock6;		/* the same; NULL when IPv6 is disabled */
	wait_queue_head_t idle;		/* users became 0 */
};

static unsigned int netns_id __read_mostly;

/* Frames to others of our multicast groups are ours when the packet is to such a group. */
static bool rx_addressed(const struct sk_buff *skb)
{
	if (skb->pkt_type == PACKET_HOST)
		return true;
	if (skb->pkt_type != PACKET_MULTICAST && skb->pkt_type != PACKET_LOOPBACK)
		return false;
	if (skb->protocol == htons(ETH_P_IP))
		return ipv4_is_multicast(ip_hdr(skb)->daddr);
	return ipv6_addr_is_multicast(&ipv6_hdr(skb)->daddr);
}

/*
 * Describe the datagram at skb->data + offset. False: not ours, or better left to the stack.
 *
 * The UDP checksum is not looked at. RoCEv2 senders leave it 0; where there is one (IPv6,
 * super-packets), the ICRC covers all that it covers, with a better sum, and a device that
 * segments or checks on our behalf has nothing to add. What fails in a payload fails there.
 */
static bool rx_udp(struct berth_rx *rx, struct sk_buff *skb, unsigned int offset)
{
	const struct udphdr *uh;
	unsigned int len;

	if (!rx_addressed(skb) || !pskb_may_pull(skb, offset + sizeof(*uh)))
		return false;
	uh = (const struct udphdr *)(skb->data + offset);
	len = ntohs(uh->len);
	if (uh->dest != htons(ROCE_V2_UDP_DPORT) || len <= sizeof(*uh) || len > skb->len - offset)
		return false;

	rx->sport = uh->source;
	rx->offset = offset + sizeof(*uh);
	rx->len = len - sizeof(*uh);
	rx->seg_len = rx->len;
	if (skb_is_gso(skb)) {
		const struct skb_shared_info *shinfo = skb_shinfo(skb);

		/* The packets of a list have headers of their own, the ICRC needs them. */
		if (!(shinfo->gso_type & SKB_GSO_UDP_L4) || shinfo->gso_type & SKB_GSO_FRAGLIST)
			return false;
		rx->seg_len = shinfo->gso_size;
	}
	return true;
}

static void rx_ipv4(struct berth_rx *rx, const struct sk_buff *skb)
{
	const struct iphdr *iph = ip_hdr(skb);

	rx->iif = skb->dev->ifindex;
	rx->family = AF_INET;
	rx->saddr.v4 = iph->saddr;
	rx->daddr.v4 = iph->daddr;
	rx->id = ntohs(iph->id);
	rx->df = iph->frag_off & htons(IP_DF);
	rx->tos = iph->tos;
	rx->ttl = iph->ttl;
}

static void rx_ipv6(struct berth_rx *rx, const struct sk_buff *skb)
{
	const struct ipv6hdr *iph = ipv6_hdr(skb);

	rx->family = AF_INET6;
	rx->saddr.v6 = iph->saddr;
	rx->daddr.v6 = iph->daddr;
	rx->iif = inet6_iif(skb);
	rx->tos = ipv6_get_dsfield(iph);
	rx->ttl = iph->hop_limit;
	rx->flow_label = ip6_flowlabel(iph);
}

/* A packet that a hook keeps: received, unless connection tracking does not want it. */
static unsigned int take(struct sk_buff *skb, const struct berth_rx *rx)
{
	if (!berth_compat_ct_confirm(skb))
		return NF_DROP;
	berth_rx(skb, rx);
	consume_skb(skb);
	return NF_STOLEN;
}

/* LOCAL_IN is behind reassembly: no fragments. IP options are none of RoCEv2's: the ICRC fails. */
static unsigned int hook_ipv4(void *priv, struct sk_buff *skb, const struct nf_hook_state *state)
{
	struct berth_rx rx = { .net = state->net };

	if (ip_hdr(skb)->protocol != IPPROTO_UDP || !rx_udp(&rx, skb, ip_hdrlen(skb)) ||
	    !xfrm4_policy_check(NULL, XFRM_POLICY_IN, skb))
		return NF_ACCEPT;
	rx_ipv4(&rx, skb);
	return take(skb, &rx);
}

static unsigned int hook_ipv6(void *priv, struct sk_buff *skb, const struct nf_hook_state *state)
{
	struct berth_rx rx = { .net = state->net };

	if (ipv6_hdr(skb)->nexthdr != IPPROTO_UDP || !rx_udp(&rx, skb, sizeof(struct ipv6hdr)) ||
	    !xfrm6_policy_check(NULL, XFRM_POLICY_IN, skb))
		return NF_ACCEPT;
	rx_ipv6(&rx, skb);
	return take(skb, &rx);
}

static const struct nf_hook_ops hook4 = {
	.hook = hook_ipv4,
	.pf = NFPROTO_IPV4,
	.hooknum = NF_INET_LOCAL_IN,
	.priority = NF_IP_PRI_LAST,
};

static const struct nf_hook_ops hook6 = {
	.hook = hook_ipv6,
	.pf = NFPROTO_IPV6,
	.hooknum = NF_INET_LOCAL_IN,
	.priority = NF_IP6_PRI_LAST,
};

/* The fallback: one packet, skb->data at its UDP header. */
static int encap_rcv(struct sock *sk, struct sk_buff *skb)
{
	struct berth_rx rx = { .net = sock_net(sk) };

	if (!rx_udp(&rx, skb, 0)) {
		kfree_skb(skb);
		return 0;
	}
	if (sk->sk_family == AF_INET)
		rx_ipv4(&rx, skb);
	else
		rx_ipv6(&rx, skb);
	berth_rx(skb, &rx);
	consume_skb(skb);
	return 0;
}

static struct socket *open_socket(struct net *net, int family)
{
	/* A checksum of 0 is common for RoCEv2 over IPv6, too. */
	struct udp_port_cfg config = {
		.family = family,
		.local_udp_port = htons(ROCE_V2_UDP_DPORT),
		.ipv6_v6only = 1,
	};
	struct udp_tunnel_sock_cfg encap = {
		.encap_type = 1,
		.encap_rcv = encap_rcv,
	};
	struct socket *sock;
	int err = udp_sock_create(net, &config, &sock);

	if (err)
		return ERR_PTR(err);
	setup_udp_tunnel_sock(net, sock, &encap);
	/* For tunnels, whose inner packets have checksums to verify; here it means to sum all bytes. */
	inet_dec_convert_csum(sock->sk);
	/* For tunnels, too, it is turned off; a group's members on this host want their copy. */
	inet_set_bit(MC_LOOP, sock->sk);
	return sock;
}

static void warn_open(int err, int family)
{
	if (err == -EADDRINUSE)
		pr_warn("UDP port %u over %s is taken in this network namespace (rdma_rxe? `ss -lun`): free it first\n",
			ROCE_V2_UDP_DPORT, family == AF_INET ? "IPv4" : "IPv6");
	else
		pr_warn("cannot open UDP port %u over %s: error %d\n", ROCE_V2_UDP_DPORT,
			family == AF_INET ? "IPv4" : "IPv6", err);
}

static int open_sockets(struct berth_netns *netns)
{
	struct socket *sock = open_socket(netns->net, AF_INET);

	if (IS_ERR(sock)) {
		warn_open(PTR_ERR(sock), AF_INET);
		return PTR_ERR(sock);
	}
	netns->sock4 = sock;
	sock = open_socket(netns->net, AF_INET6);
	if (PTR_ERR(sock) == -EAFNOSUPPORT || PTR_ERR(sock) == -EPFNOSUPPORT)
		sock = NULL;
	if (IS_ERR(sock)) {
		warn_open(PTR_ERR(sock), AF_INET6);
		udp_tunnel_sock_release(netns->sock4);
		netns->sock4 = NULL;
		return PTR_ERR(sock);
	}
	netns->sock6 = sock;
	return 0;
}

/* Nobody sends any more: the devices are gone. Releasing a socket waits for its receivers. */
static void close_sockets(struct berth_netns *netns)
{
	if (netns->sock6)
		udp_tunnel_sock_release(netns->sock6);
	netns->sock6 = NULL;
	udp_tunnel_sock_release(netns->sock4);
	netns->sock4 = NULL;
}

static int add_hooks(struct berth_netns *netns)
{
	int err = nf_register_net_hook(netns->net, &hook4);

	if (err || !netns->sock6)
		return err;
	err = nf_register_net_hook(netns->net, &hook6);
	if (err)
		nf_unregister_net_hook(netns->net, &hook4);
	return err;
}

static void remove_hooks(struct berth_netns *netns)
{
	if (netns->sock6)
		nf_unregister_net_hook(netns->net, &hook6);
	nf_unregister_net_hook(netns->net, &hook4);
}

static int start(struct berth_netns *netns)
{
	int err = open_sockets(netns);

	if (err)
		return err;
	err = add_hooks(netns);
	if (err)
		close_sockets(netns);
	return err;
}

static void stop(struct berth_netns *netns)
{
	remove_hooks(netns);
	close_sockets(netns);
	/* Unregistering a hook lets those run on that are in it. */
	synchronize_net();
}

/**
 * berth_netns_get - a device begins to use a namespace; the first one opens the port
 * @net: held by the caller for the call
 *
 * Context: process.
 * Return: the namespace's state, to be given to berth_netns_put(); ERR_PTR: EADDRINUSE: somebody
 * else has the port, said in the log; ENOMEM.
 */
struct berth_netns *berth_netns_get(struct net *net)
{
	struct berth_netns *netns = net_generic(net, netns_id);
	int err = 0;

	mutex_lock(&netns->lock);
	if (!netns->users)
		err = start(netns);
	if (!err)
		netns->users++;
	mutex_unlock(&netns->lock);
	return err ? ERR_PTR(err) : netns;
}

/**
 * berth_netns_put - a device is gone; the last one closes the port
 * @netns: from berth_netns_get()
 *
 * Context: process. When the last user has put it, no receive is running and none will.
 */
void berth_netns_put(struct berth_netns *netns)
{
	mutex_lock(&netns->lock);
	if (!--netns->users) {
		stop(netns);
		wake_up(&netns->idle);
	}
	mutex_unlock(&netns->lock);
}

struct net *berth_netns_net(const struct berth_netns *netns)
{
	return netns->net;
}

/**
 * berth_netns_sock - the socket in whose name packets are sent
 * @netns: in use by the caller's device
 * @family: AF_INET or AF_INET6
 *
 * Return: the socket, valid as long as the device; NULL: IPv6 is disabled.
 */
struct sock *berth_netns_sock(const struct berth_netns *netns, int family)
{
	const struct socket *sock = family == AF_INET ? netns->sock4 : netns->sock6;

	return sock ? sock->sk : NULL;
}

/**
 * berth_rx_icrc - begin the ICRCs of received segments of one length
 * @rx: the skb's description
 * @icrc: result
 * @udp_payload: bytes of a segment behind the UDP header, ICRC included
 */
void berth_rx_icrc(const struct berth_rx *rx, struct berth_icrc *icrc, unsigned int udp_payload)
{
	u16 udp_len = udp_payload + sizeof(struct udphdr);

	if (rx->family == AF_INET)
		berth_icrc_begin_v4(icrc, rx->saddr.v4, rx->daddr.v4, rx->id,
				    rx->df ? htons(IP_DF) : 0, udp_len, rx->sport, htons(ROCE_V2_UDP_DPORT));
	else
		berth_icrc_begin_v6(icrc, &rx->saddr.v6, &rx->daddr.v6, udp_len, rx->sport,
				    htons(ROCE_V2_UDP_DPORT));
}

static int __net_init netns_init(struct net *net)
{
	struct berth_netns *netns = net_generic(net, netns_id);

	netns->net = net;
	mutex_init(&netns->lock);
	init_waitqueue_head(&netns->idle);
	return 0;
}

/*
 * The netdevs have left by now and took their devices with them, but a netdev that only moved to
 * init_net does not wait until that has happened.
 */
static void __net_exit netns_exit(struct net *net)
{
	struct berth_netns *netns = net_generic(net, netns_id);

	wait_event(netns->idle, !READ_ONCE(netns->users));
	/* The one who woke us up still holds the lock that is about to be freed. */
	mutex_lock(&netns->lock);
	mutex_unlock(&netns->lock);
	mutex_destroy(&netns->lock);
}

static struct pernet_operations netns_ops = {
	.init = netns_init,
	.exit = netns_exit,
	.id = &netns_id,
	.size = sizeof(struct berth_netns),
};

int berth_netns_module_init(void)
{
	return register_pernet_subsys(&netns_ops);
}

void berth_netns_module_fini(void)
{
	unregister_pernet_subsys(&netns_ops);
}
