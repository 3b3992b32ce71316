/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Batches on their way. Each is handed to TCP as one part, by reference (MSG_ZEROCOPY); TCP completes it when
 * the peer has acknowledged it and no skb refers to its pages any more, also none that a receiver on
 * this host has yet to read. What was sent with the oldest parts is free then.
 *
 * A part refers to struct berth_parts, which may outlive the QP and holds the module.
 *
 * Locks: the socket's lock, berth_parts.lock, sq.lock. Whoever drops the last reference of a part may hold
 * anything, also sq.lock of another QP when a queueing discipline discards its packets: sq.lock is only
 * tried then, and the QP's work does the rest.
 */
#ifndef BERTH_TCP_PART_H
#define BERTH_TCP_PART_H

#include <linux/rcupdate.h>
#include <linux/refcount.h>
#include <linux/skbuff.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>

struct berth_qp;

/* Parts that TCP may refer to at the same time. */
#define BERTH_PARTS	64

struct berth_part {
	struct ubuf_info ubuf;		/* referred to by TCP's skbs, and while it is being filled */
	struct berth_parts *of;		/* referenced */
	u32 counter;			/* WQEs before it are done when it and those before it are */
	bool laid;			/* something is in it */
	bool open;			/* it ends in the middle of a WQE */
	bool done;			/* acknowledged, and nothing refers to its bytes */
	bool copied;			/* the kernel had to copy of them, as for a receiver on this host */
};

struct berth_parts {
	refcount_t refs;		/* of the owner, and of each part under way */
	struct rcu_head rcu;
	struct berth_part *filling;	/* or NULL; under the socket's lock */

	spinlock_t lock;		/* what follows */
	struct berth_qp *qp;		/* NULL: it has let go of the socket */
	struct delayed_work *work;	/* the QP's, which goes on */
	void (*complete)(void *owner);	/* completes what comes before counter; sq.lock held */
	void *owner;			/* argument of complete */
	u32 counter;			/* WQEs before it have been sent, and nothing refers to them */
	bool starved;			/* the owner waits for a part */
	u32 first, count;		/* under way, oldest first; and the one being filled */
	struct berth_part part[BERTH_PARTS];
};

struct berth_parts *berth_parts_alloc(void);
void berth_parts_own(struct berth_parts *p, struct berth_qp *qp, struct delayed_work *work,
		     void (*complete)(void *owner), void *owner);
void berth_parts_disown(struct berth_parts *p);
void berth_parts_put(struct berth_parts *p);
bool berth_parts_begin(struct berth_parts *p);
void berth_parts_end(struct berth_parts *p);

#endif
