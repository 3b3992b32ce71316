/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A cursor over the bytes of an skb: linear part, page fragments and the skbs
 * of a fragment list, in order. It is what makes one parser serve a single
 * datagram and a super-packet that was received whole.
 *
 * A cursor takes no reference and changes nothing: the skb must stay alive and
 * unmodified while one is in use. Any context; one user at a time. A fragment
 * that the CPU cannot read (a net_iov) stops the cursor with an error. Payload
 * pages must be in the kernel's direct map (64-bit kernels only).
 */
#ifndef BERTH_WIRE_CURSOR_H
#define BERTH_WIRE_CURSOR_H

#include <linux/types.h>

struct sk_buff;

/**
 * struct berth_cursor - a position in an skb; private to cursor.c and below but for copying
 * @head: the skb that was given
 * @skb: the one whose bytes come next: @head or a member of its fragment list
 * @frag: index of the next fragment of @skb
 * @ptr: next byte, NULL when unreadable
 * @span: contiguous bytes at @ptr
 * @left: bytes up to the end of @head, @span included
 *
 * A cursor is a plain value: assign it to remember a position.
 */
struct berth_cursor {
	const struct sk_buff *head;
	const struct sk_buff *skb;
	const u8 *ptr;
	u32 frag;
	u32 span;
	u32 left;
};

int berth_cursor_init(struct berth_cursor *c, const struct sk_buff *skb, u32 offset);
const void *berth_cursor_frag(const struct berth_cursor *c, u32 *at);
int berth_cursor_skip_far(struct berth_cursor *c, u32 n);
int berth_cursor_pull(struct berth_cursor *c, void *dst, u32 n);
int berth_cursor_crc(const struct berth_cursor *c, u32 *crc, u32 n);

/**
 * berth_cursor_left - bytes between the cursor and the end of the skb
 * @c: cursor
 *
 * Return: the number of bytes.
 */
static inline u32 berth_cursor_left(const struct berth_cursor *c)
{
	return c->left;
}

/**
 * berth_cursor_span - the contiguous bytes at the cursor
 * @c: cursor
 * @avail: set to how many there are, also when they cannot be read
 *
 * Context: Any.
 * Return: pointer to them; NULL at the end (@avail is 0) and where the bytes
 * cannot be read by the CPU.
 */
static inline const void *berth_cursor_span(const struct berth_cursor *c, u32 *avail)
{
	*avail = c->span;
	return c->span ? c->ptr : NULL;
}

/**
 * berth_cursor_skip - move forward
 * @c: cursor
 * @n: bytes; they need not be readable
 *
 * Context: Any.
 * Return: 0, or -EBADMSG when fewer than @n are left; the cursor stays then.
 */
static inline int berth_cursor_skip(struct berth_cursor *c, u32 n)
{
	if (n >= c->span || !c->ptr)
		return berth_cursor_skip_far(c, n);
	c->ptr += n;
	c->span -= n;
	c->left -= n;
	return 0;
}

#endif /* BERTH_WIRE_CURSOR_H */
