// SPDX-License-Identifier: GPL-2.0
/*
 * Walk the bytes of an skb: linear part, fragments, then the same of each skb
 * on the fragment list. What is all linear costs a pointer and a length.
 *
 * Lists do not nest: an skb of a fragment list that has a list of its own does
 * not come from the stack's receive path, and its bytes count as unreadable.
 * Nothing is mapped or referenced; see cursor.h for who keeps the skb.
 *
 * Invariant between calls: span is 0 only when left is 0, and never above left.
 */
#include <linux/types.h>
#include <linux/errno.h>
#include <linux/minmax.h>
#include <linux/skbuff.h>
#include <linux/string.h>
#include "crc.h"
#include "cursor.h"

/* Take the next fragment of the current skb; false when it has no more. */
static bool enter_frag(struct berth_cursor *c)
{
	const struct skb_shared_info *shared = skb_shinfo(c->skb);
	const skb_frag_t *frag;

	if (c->frag >= shared->nr_frags)
		return false;
	frag = &shared->frags[c->frag++];
	c->span = skb_frag_size(frag);
	c->ptr = NULL;
	if (skb_frags_readable(c->skb) && !skb_frag_is_net_iov(frag))
		c->ptr = skb_frag_address(frag);
	return true;
}

/* Go on to the linear part of the next skb; false when there is none. */
static bool enter_skb(struct berth_cursor *c)
{
	const struct sk_buff *next;

	if (c->skb == c->head)
		next = skb_shinfo(c->head)->frag_list;
	else if (skb_has_frag_list(c->skb))
		next = NULL;
	else
		next = c->skb->next;
	if (!next)
		return false;
	c->skb = next;
	c->frag = 0;
	c->ptr = next->data;
	c->span = skb_headlen(next);
	return true;
}

/* Restore the invariant after the span was used up. */
static void settle(struct berth_cursor *c)
{
	while (!c->span && c->left) {
		if (enter_frag(c) || enter_skb(c))
			continue;
		/* The lengths promise more than there is: not to be read. */
		c->ptr = NULL;
		c->span = c->left;
	}
	c->span = min(c->span, c->left);
}

static void advance(struct berth_cursor *c, u32 n)
{
	if (c->ptr)
		c->ptr += n;
	c->span -= n;
	c->left -= n;
	if (!c->span)
		settle(c);
}

/**
 * berth_cursor_init - set a cursor into an skb
 * @c: cursor
 * @skb: skb; must outlive the cursor
 * @offset: bytes from skb->data
 *
 * Context: Any.
 * Return: 0, or -EBADMSG when @offset lies beyond the end.
 */
int berth_cursor_init(struct berth_cursor *c, const struct sk_buff *skb, u32 offset)
{
	c->head = skb;
	c->skb = skb;
	c->frag = 0;
	c->ptr = skb->data;
	c->span = skb_headlen(skb);
	c->left = skb->len;
	settle(c);
	return berth_cursor_skip(c, offset);
}

/**
 * berth_cursor_frag - the fragment that the contiguous bytes at the cursor are of
 * @c: cursor
 * @at: set to how many bytes of the fragment are before them
 *
 * Context: Any.
 * Return: the fragment (skb_frag_t); NULL when they are of a linear part, or there are none.
 */
const void *berth_cursor_frag(const struct berth_cursor *c, u32 *at)
{
	const skb_frag_t *frag;

	if (!c->span || !c->frag || c->frag > skb_shinfo(c->skb)->nr_frags)
		return NULL;
	frag = &skb_shinfo(c->skb)->frags[c->frag - 1];
	*at = skb_frag_size(frag) - c->span;
	return frag;
}

/* berth_cursor_skip() beyond the contiguous bytes, or what cannot be read. */
int berth_cursor_skip_far(struct berth_cursor *c, u32 n)
{
	if (n > c->left)
		return -EBADMSG;
	while (n > c->span) {
		n -= c->span;
		advance(c, c->span);
	}
	if (n)
		advance(c, n);
	return 0;
}

/**
 * berth_cursor_pull - copy bytes out and move past them
 * @c: cursor
 * @dst: where to
 * @n: how many
 *
 * Context: Any.
 * Return: 0; -EBADMSG when fewer than @n are left, -EFAULT when some cannot be
 * read. The cursor stays then; @dst may be partly written.
 */
int berth_cursor_pull(struct berth_cursor *c, void *dst, u32 n)
{
	struct berth_cursor at = *c;
	u8 *to = dst;

	if (n > at.left)
		return -EBADMSG;
	while (n) {
		u32 step = min(n, at.span);

		if (!at.ptr)
			return -EFAULT;
		memcpy(to, at.ptr, step);
		advance(&at, step);
		to += step;
		n -= step;
	}
	*c = at;
	return 0;
}

/**
 * berth_cursor_crc - sum the bytes ahead of the cursor
 * @c: cursor; it stays where it is
 * @crc: running state, as of berth_icrc_payload(); carried on
 * @n: how many bytes
 *
 * Context: Any.
 * Return: 0; -EBADMSG when fewer than @n are left, -EFAULT when some cannot be
 * read; @crc is unchanged then.
 */
int berth_cursor_crc(const struct berth_cursor *c, u32 *crc, u32 n)
{
	struct berth_cursor at = *c;
	u32 sum = *crc;

	if (n > at.left)
		return -EBADMSG;
	while (n) {
		u32 step = min(n, at.span);

		if (!at.ptr)
			return -EFAULT;
		sum = berth_crc_update(sum, at.ptr, step);
		advance(&at, step);
		n -= step;
	}
	*crc = sum;
	return 0;
}
