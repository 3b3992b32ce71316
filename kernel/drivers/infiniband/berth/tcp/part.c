// SPDX-License-Identifier: GPL-2.0
/* Batches on their way, see part.h. */
#include <linux/module.h>
#include <linux/slab.h>
#include "../op/source.h"
#include "../stats.h"
#include "part.h"

/**
 * berth_parts_alloc - parts for a socket
 *
 * Context: process. Return: none under way, with one reference; NULL.
 */
struct berth_parts *berth_parts_alloc(void)
{
	struct berth_parts *p = kzalloc(sizeof(*p), GFP_KERNEL_ACCOUNT);

	if (!p)
		return NULL;
	__module_get(THIS_MODULE);
	refcount_set(&p->refs, 1);
	spin_lock_init(&p->lock);
	return p;
}

/* Who drops the last reference is in a function of this module, which has to stay until that is left. */
static void free_parts(struct rcu_head *rcu)
{
	kfree(container_of(rcu, struct berth_parts, rcu));
	module_put(THIS_MODULE);
}

void berth_parts_put(struct berth_parts *p)
{
	if (refcount_dec_and_test(&p->refs))
		call_rcu(&p->rcu, free_parts);
}

/**
 * berth_parts_own - begin to complete what was freed
 * @p: parts, none under way
 * @qp: whose WQEs they carry
 * @work: of the QP, in berth_qp_wq: runs when it may go on
 * @complete: completes the WQEs before p->counter, with sq.lock held
 * @owner: its argument
 *
 * Context: process.
 */
void berth_parts_own(struct berth_parts *p, struct berth_qp *qp, struct delayed_work *work,
		     void (*complete)(void *owner), void *owner)
{
	spin_lock_bh(&p->lock);
	p->qp = qp;
	p->work = work;
	p->complete = complete;
	p->owner = owner;
	p->counter = qp->sq.next;
	spin_unlock_bh(&p->lock);
}

/* The counterpart: when this returns nobody is told any more. */
void berth_parts_disown(struct berth_parts *p)
{
	spin_lock_bh(&p->lock);
	p->qp = NULL;
	spin_unlock_bh(&p->lock);
}

/* The oldest parts that are done. */
static void reap(struct berth_parts *p)
{
	struct berth_part *part;

	while (p->count) {
		part = &p->part[p->first];
		if (!part->done)
			return;
		WRITE_ONCE(p->counter, part->counter);
		p->first = (p->first + 1) % BERTH_PARTS;
		p->count--;
	}
}

/* Bytes are free, or there is room for a part. p->lock held. */
static void freed(struct berth_parts *p)
{
	struct berth_sq *sq = &p->qp->sq;
	bool later = true;

	if (spin_trylock(&sq->lock)) {
		p->complete(p->owner);
		later = p->starved || READ_ONCE(p->qp->failed) || berth_req_is_awaited(sq);
		spin_unlock(&sq->lock);
	}
	if (later)
		mod_delayed_work(berth_qp_wq, p->work, 0);
}

/* ubuf_info_ops.complete, whenever an skb drops a reference; @success: it did not need a copy of the bytes. */
static void part_put(struct sk_buff *skb, struct ubuf_info *ubuf, bool success)
{
	struct berth_part *part = container_of(ubuf, struct berth_part, ubuf);
	struct berth_parts *p = part->of;

	if (!success)
		WRITE_ONCE(part->copied, true);
	if (!refcount_dec_and_test(&ubuf->refcnt))
		return;
	spin_lock_bh(&p->lock);
	part->done = true;
	reap(p);
	if (p->qp) {
		if (READ_ONCE(part->copied))
			berth_count(p->qp->dev, BERTH_CNT_TX_COPIED);
		freed(p);
	}
	spin_unlock_bh(&p->lock);
	berth_parts_put(p);
}

static const struct ubuf_info_ops part_ops = { .complete = part_put };

/**
 * berth_parts_begin - begin a part, unless one is being filled
 * @p: parts, the socket's lock held
 *
 * Return: whether p->filling is one; else too many are under way, and the QP's work will come.
 */
bool berth_parts_begin(struct berth_parts *p)
{
	struct berth_part *part = NULL;

	if (p->filling)
		return true;
	spin_lock(&p->lock);
	p->starved = p->count == BERTH_PARTS;
	if (!p->starved) {
		part = &p->part[(p->first + p->count++) % BERTH_PARTS];
		part->done = false;
		part->copied = false;
		part->laid = false;
		part->open = false;
		part->counter = p->counter;
	}
	spin_unlock(&p->lock);
	if (!part)
		return false;
	refcount_inc(&p->refs);
	part->of = p;
	part->ubuf.ops = &part_ops;
	part->ubuf.flags = SKBFL_ZEROCOPY_FRAG | SKBFL_DONT_ORPHAN;
	refcount_set(&part->ubuf.refcnt, 1);
	p->filling = part;
	return true;
}

/**
 * berth_parts_end - all of the part has been handed to TCP, which alone refers to it now
 * @p: parts, the socket's lock held
 */
void berth_parts_end(struct berth_parts *p)
{
	struct berth_part *part = p->filling;

	if (!part)
		return;
	p->filling = NULL;
	part_put(NULL, &part->ubuf, true);
}
