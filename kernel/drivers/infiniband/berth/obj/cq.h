/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Completion queues: a ring of struct berth_cqe shared with the process (berth-abi.h).
 *
 * The kernel keeps its own producer counter and never reads entries back; the consumer counter that
 * the process writes is used only to detect overflow. berth_cq_post() is called with bottom halves
 * disabled from any queue; cq->lock nests inside the locks of a QP.
 *
 * Processes poll and arm in the ring themselves, kernel consumers by kernel_verbs.c.
 */
#ifndef BERTH_OBJ_CQ_H
#define BERTH_OBJ_CQ_H

#include <linux/spinlock.h>
#include <rdma/ib_verbs.h>
#include <rdma/berth-abi.h>

struct berth_shared;
struct sk_buff;

struct berth_cq {
	struct ib_cq ib;
	struct berth_shared *shared;
	struct berth_cq_ring *ring;	/* in shared; changes when a process resizes, under lock */
	struct berth_cqe *cqes;		/* the same */
	u32 entries;			/* power of two; the same */
	u32 flags;			/* enum berth_create_cq_flags */
	spinlock_t lock;		/* protects what follows and the ring's kernel side */
	u32 prod;
	u32 cons;			/* as last read from the ring; prod - cons <= entries */
	bool overflow;			/* an entry was lost: the CQ takes no more, for good */
	spinlock_t poll_lock;		/* cons of a kernel consumer's ring */
};

static inline struct berth_cq *berth_cq(struct ib_cq *ib)
{
	return container_of(ib, struct berth_cq, ib);
}

/* Entries may be lost without anybody minding. */
static inline bool berth_cq_may_lose(const struct berth_cq *cq)
{
	return cq->flags & BERTH_CQ_IGNORE_OVERRUN;
}

int berth_cq_create(struct ib_cq *ib, const struct ib_cq_init_attr *attr,
		    struct uverbs_attr_bundle *attrs);
int berth_cq_resize(struct ib_cq *ib, int cqe, struct ib_udata *udata);
int berth_cq_destroy(struct ib_cq *ib, struct ib_udata *udata);
bool berth_cq_post(struct berth_cq *cq, const struct berth_cqe *cqe);
int berth_cq_fill_res(struct sk_buff *msg, struct ib_cq *ib);

#endif
