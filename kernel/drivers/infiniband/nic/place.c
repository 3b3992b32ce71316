// SPDX-License-Identifier: GPL-2.0
/*
 * Writing a packet into a queue's buffers: its headers into a linear buffer, its payload once into pages, or into device
 * memory. Only TCP's payload goes to device memory, as nothing else of the kernel's can do with bytes that the CPU must not
 * read. What was verified below, or is here, the stack need not verify again.
 *
 * Context: the queue's NAPI.
 */
#include <linux/etherdevice.h>
#include <linux/if_vlan.h>
#include <linux/io.h>
#include <linux/tcp.h>
#include <net/flow_dissector.h>
#include <net/ip.h>
#include <net/ip6_checksum.h>
#include <net/page_pool/helpers.h>
#include "../netmem/copy.h"
#include "bound.h"
#include "place.h"
#include "rx.h"

/* Without tcp-data-split a packet of so many bytes is not split. */
#define COPY_WHOLE	256

/* What there is to know of a packet; offsets from the Ethernet header on. */
struct layout {
	u32 transport;		/* 0: neither TCP nor UDP, or a fragment */
	u32 headers;
	u8 proto;
};

static bool has_ports(const struct sk_buff *skb, const struct flow_keys_basic *keys)
{
	return !(keys->control.flags & (FLOW_DIS_IS_FRAGMENT | FLOW_DIS_ENCAPSULATION)) &&
	       keys->basic.n_proto == skb->protocol &&
	       (keys->basic.ip_proto == IPPROTO_TCP || keys->basic.ip_proto == IPPROTO_UDP);
}

/* Where the transport header begins, if nothing lies between. */
static u32 ip_end(const struct sk_buff *skb)
{
	struct iphdr buf;
	const struct iphdr *ip;

	if (skb->protocol != htons(ETH_P_IP))
		return ETH_HLEN + sizeof(struct ipv6hdr);
	ip = skb_header_pointer(skb, ETH_HLEN, sizeof(buf), &buf);
	return ip ? ETH_HLEN + 4 * ip->ihl : U32_MAX;
}

/* @skb: its data at the Ethernet header. */
static struct layout layout_of(const struct sk_buff *skb)
{
	struct layout l = { .headers = min_t(u32, skb->len, COPY_WHOLE) };
	struct flow_keys_basic keys;
	struct tcphdr buf;
	const struct tcphdr *th;

	if (!skb_flow_dissect_flow_keys_basic(NULL, skb, &keys, NULL, skb->protocol, ETH_HLEN,
					      skb_headlen(skb), FLOW_DISSECTOR_F_STOP_AT_ENCAP) || !has_ports(skb, &keys))
		return l;
	/* Some 6.12.y give an offset that was cut off, for packets above 64 KiB. */
	if (keys.control.thoff < ip_end(skb))
		return l;
	l.transport = keys.control.thoff;
	l.proto = keys.basic.ip_proto;
	l.headers = l.transport + sizeof(struct udphdr);
	if (l.proto == IPPROTO_TCP) {
		th = skb_header_pointer(skb, l.transport, sizeof(buf), &buf);
		if (!th || th->doff < 5)
			return (struct layout){ .headers = min_t(u32, skb->len, COPY_WHOLE) };
		l.headers = l.transport + 4 * th->doff;
	}
	l.headers = min(l.headers, skb->len);
	return l;
}

/* Padding of short frames is no part of the packet. */
static void trim(struct sk_buff *skb)
{
	struct ipv6hdr buf6;
	struct iphdr buf4;
	const struct ipv6hdr *ip6;
	const struct iphdr *ip;
	u32 len = 0;

	if (skb_is_gso(skb))
		return;
	if (skb->protocol == htons(ETH_P_IP)) {
		ip = skb_header_pointer(skb, ETH_HLEN, sizeof(buf4), &buf4);
		if (ip)
			len = ntohs(ip->tot_len);
	} else if (skb->protocol == htons(ETH_P_IPV6)) {
		ip6 = skb_header_pointer(skb, ETH_HLEN, sizeof(buf6), &buf6);
		if (ip6 && ip6->payload_len)
			len = sizeof(*ip6) + ntohs(ip6->payload_len);
	}
	if (len && ETH_HLEN + len < skb->len)
		pskb_trim_rcsum(skb, ETH_HLEN + len);
}

/* ---- checksum ---- */

static __sum16 pseudo(const struct sk_buff *skb, const struct layout *l, __wsum sum)
{
	const u32 len = skb->len - l->transport;
	struct ipv6hdr buf6;
	struct iphdr buf4;
	const struct ipv6hdr *ip6;
	const struct iphdr *ip;

	if (skb->protocol == htons(ETH_P_IP)) {
		ip = skb_header_pointer(skb, ETH_HLEN, sizeof(buf4), &buf4);
		return ip ? csum_tcpudp_magic(ip->saddr, ip->daddr, len, l->proto, sum) : (__force __sum16)1;
	}
	ip6 = skb_header_pointer(skb, ETH_HLEN, sizeof(buf6), &buf6);
	return ip6 ? csum_ipv6_magic(&ip6->saddr, &ip6->daddr, len, l->proto, sum) : (__force __sum16)1;
}

static bool verified(const struct sk_buff *skb, const struct layout *l)
{
	return !pseudo(skb, l, skb_checksum(skb, l->transport, skb->len - l->transport, 0));
}

/*
 * How the stack may trust the packet. Without the feature the stack looks itself, where it can: not at a checksum that nobody
 * has computed yet, nor at one of several packets that were joined, nor at device memory.
 */
static int checksum_state(struct nic_queue *q, const struct sk_buff *skb, const struct layout *l, bool device)
{
	if (skb->ip_summed == CHECKSUM_PARTIAL)
		return CHECKSUM_PARTIAL;
	if (!device && !skb_is_gso(skb) && !(q->nic->dev->features & NETIF_F_RXCSUM))
		return CHECKSUM_NONE;
	if (skb->ip_summed == CHECKSUM_UNNECESSARY)
		return CHECKSUM_UNNECESSARY;
	if (!l->transport)
		return CHECKSUM_NONE;
	if (verified(skb, l)) {
		nic_count(q, NIC_CSUM_GOOD, 1);
		return CHECKSUM_UNNECESSARY;
	}
	nic_count(q, NIC_CSUM_BAD, 1);
	return CHECKSUM_NONE;
}

/*
 * A checksum that was left to others is written into the linear part, and its sender says where it is: in a tunnel, or wherever he
 * likes in what was his linear part.
 */
static u32 checksum_end(const struct sk_buff *skb)
{
	const int end = skb_checksum_start_offset(skb) + skb->csum_offset + (int)sizeof(__sum16);

	return skb->ip_summed == CHECKSUM_PARTIAL ? clamp(end, 0, (int)skb->len) : 0;
}

/* ---- payload ---- */

/* The bytes of a packet in order, whatever they lie in. */
struct source {
	struct skb_seq_state seq;
	const u8 *at;
	u32 left;		/* there */
	u32 done;
};

static void source_begin(struct source *s, struct sk_buff *skb, u32 offset)
{
	skb_prepare_seq_read(skb, offset, skb->len, &s->seq);
	s->left = 0;
	s->done = 0;
}

/* The next @n of them, to @to. */
static void source_copy(struct source *s, const struct iosys_map *to, u32 n)
{
	u32 done, part;

	for (done = 0; done < n; done += part) {
		if (!s->left)
			s->left = skb_seq_read(s->done, &s->at, &s->seq);
		if (WARN_ON_ONCE(!s->left))
			return;
		part = min(n - done, s->left);
		if (to->is_iomem)
			memcpy_toio(to->vaddr_iomem + done, s->at, part);
		else
			copy_disjoint(to->vaddr + done, s->at, part);
		s->at += part;
		s->left -= part;
		s->done += part;
	}
}

static void source_end(struct source *s)
{
	skb_abort_seq_read(&s->seq);
}

static bool to_pages(struct nic_queue *q, struct sk_buff *to, struct sk_buff *skb, u32 offset)
{
	u32 left = skb->len - offset, n;
	struct iosys_map at;
	struct page *page;
	struct source s;

	source_begin(&s, skb, offset);
	for (; left; left -= n) {
		page = page_pool_dev_alloc_pages(q->mem.pages);
		if (!page)
			break;
		n = min_t(u32, left, PAGE_SIZE);
		iosys_map_set_vaddr(&at, page_address(page));
		source_copy(&s, &at, n);
		skb_add_rx_frag(to, skb_shinfo(to)->nr_frags, page, 0, n, PAGE_SIZE);
	}
	source_end(&s);
	nic_count(q, NIC_PAGE_BYTES, s.done);
	return !left;
}

static bool to_device(struct nic_queue *q, struct sk_buff *to, struct sk_buff *skb, u32 offset)
{
	const u32 chunks = DIV_ROUND_UP(skb->len - offset, PAGE_SIZE);
	u32 left = skb->len - offset, i, n;
	netmem_ref chunk[MAX_SKB_FRAGS];
	struct iosys_map at;
	struct source s;

	if (!nic_bound_take(q->mem.bound, chunk, chunks))
		return false;
	source_begin(&s, skb, offset);
	for (i = 0; i < chunks; i++, left -= n) {
		n = min_t(u32, left, PAGE_SIZE);
		at = nic_bound_at(q->mem.bound, chunk[i]);
		source_copy(&s, &at, n);
		skb_add_rx_frag_netmem(to, i, chunk[i], 0, n, PAGE_SIZE);
	}
	source_end(&s);
	nic_count(q, NIC_DEVICE_BYTES, s.done);
	return true;
}

/* What goes with a packet besides its bytes. */
static void copy_marks(struct sk_buff *to, const struct sk_buff *skb)
{
	if (skb_vlan_tag_present(skb))
		__vlan_hwaccel_put_tag(to, skb->vlan_proto, skb_vlan_tag_get(skb));
	if (skb->l4_hash || skb->sw_hash)
		skb_copy_hash(to, skb);
	if (skb_is_gso(skb)) {
		skb_shinfo(to)->gso_size = skb_shinfo(skb)->gso_size;
		skb_shinfo(to)->gso_segs = skb_shinfo(skb)->gso_segs;
		/* What was a list of packets is one now. */
		skb_shinfo(to)->gso_type = skb_shinfo(skb)->gso_type & ~SKB_GSO_FRAGLIST;
	}
	to->tstamp = skb->tstamp;
}

static void set_checksum(struct sk_buff *to, const struct sk_buff *skb, int state)
{
	if (state == CHECKSUM_PARTIAL && !skb_frags_readable(to))
		state = CHECKSUM_UNNECESSARY;
	to->ip_summed = state;
	if (state == CHECKSUM_PARTIAL) {
		to->csum_start = skb_headroom(to) + (skb_checksum_start_offset(skb));
		to->csum_offset = skb->csum_offset;
	} else if (state == CHECKSUM_UNNECESSARY) {
		to->csum_level = skb->ip_summed == CHECKSUM_UNNECESSARY ? skb->csum_level : 0;
	}
}

/**
 * nic_place - write a packet into a queue's buffers
 * @q: queue
 * @skb: packet of the lower device, its data at the network header; stays the caller's
 *
 * Return: the packet as the queue has received it, its data at the Ethernet header; NULL: it was dropped, and counted.
 */
struct sk_buff *nic_place(struct nic_queue *q, struct sk_buff *skb)
{
	struct sk_buff *to;
	struct layout l;
	bool device, ok;
	int state;

	/* Of a NIC below this one. */
	if (!skb_frags_readable(skb)) {
		nic_count(q, NIC_NO_BUFFER, 1);
		return NULL;
	}
	skb_push(skb, skb->data - skb_mac_header(skb));
	trim(skb);
	l = layout_of(skb);
	if (!q->nic->split && skb->len <= COPY_WHOLE)
		l.headers = skb->len;
	if (skb->len - l.headers > MAX_SKB_FRAGS * PAGE_SIZE) {
		nic_count(q, NIC_TOO_LONG, 1);
		return NULL;
	}
	device = q->mem.bound && l.proto == IPPROTO_TCP && skb->len > l.headers;
	if (!device)
		l.headers = max(l.headers, checksum_end(skb));
	state = checksum_state(q, skb, &l, device);
	/* Nobody can look again; it was counted (csum_bad). */
	if (device && state == CHECKSUM_NONE)
		return NULL;
	to = napi_alloc_skb(&q->napi, l.headers);
	if (!to)
		goto no_buffer;
	skb_copy_bits(skb, 0, skb_put(to, l.headers), l.headers);
	skb_mark_for_recycle(to);
	ok = device ? to_device(q, to, skb, l.headers) : to_pages(q, to, skb, l.headers);
	if (!ok)
		goto no_buffer;
	if (skb->len > l.headers)
		nic_count(q, NIC_SPLIT, 1);
	copy_marks(to, skb);
	set_checksum(to, skb, state);
	return to;

no_buffer:
	kfree_skb(to);
	nic_count(q, NIC_NO_BUFFER, 1);
	return NULL;
}
