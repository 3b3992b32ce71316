/* SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB */
/*
 * User-space stand-in for the part of <linux/skbuff.h> that a reader of packets
 * uses: an skb with a linear part, fragments and a fragment list. As in the
 * kernel, len counts everything and data_len what is not linear; a fragment
 * without an address plays the device memory that the CPU cannot read.
 */
#ifndef BERTH_COMPAT_SKBUFF_H
#define BERTH_COMPAT_SKBUFF_H

#include <linux/types.h>

#define MAX_SKB_FRAGS	17

typedef struct skb_frag {
	void *addr;
	u32 size;
} skb_frag_t;

struct sk_buff;

struct skb_shared_info {
	u8 nr_frags;
	struct sk_buff *frag_list;
	skb_frag_t frags[MAX_SKB_FRAGS];
};

struct sk_buff {
	struct sk_buff *next;
	unsigned char *data;
	u32 len;
	u32 data_len;
	bool unreadable;
	struct skb_shared_info shared;
};

#define skb_shinfo(skb)		(&(skb)->shared)

static inline u32 skb_headlen(const struct sk_buff *skb)
{
	return skb->len - skb->data_len;
}

static inline bool skb_has_frag_list(const struct sk_buff *skb)
{
	return skb_shinfo(skb)->frag_list;
}

static inline bool skb_frags_readable(const struct sk_buff *skb)
{
	return !skb->unreadable;
}

static inline u32 skb_frag_size(const skb_frag_t *frag)
{
	return frag->size;
}

static inline bool skb_frag_is_net_iov(const skb_frag_t *frag)
{
	return !frag->addr;
}

static inline void *skb_frag_address(const skb_frag_t *frag)
{
	return frag->addr;
}

#endif /* BERTH_COMPAT_SKBUFF_H */
