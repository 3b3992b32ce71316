/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Completion queues: a ring of struct berth_cqe shared with the process (berth-abi.h).
 *
 * The kernel keeps its own producer counter and never reads entries back; the consumer counter that
 * the process writes is used only to detect overflow. berth_cq_post() may be called with bottom
 * halves disabled from any queue; cq->lock nests inside the locks of a QP.
 */
#ifndef BERTH_OBJ_CQ_H
#define BERTH_OBJ_CQ_H

#include <linux/spinlock.h>
#include <rdma/ib_verbs.h>
#include <rdma/berth-abi.h>

struct berth_shared;

struct berth_cq {
	struct ib_cq ib;
	struct berth_shared *shared;
	struct berth_cq_ring *ring;	/* in shared */
	struct berth_cqe *cqes;		/* in shared */
	u32 entries;			/* power of two */
	u32 flags;			/* enum berth_create_cq_flags */
	spinlock_t lock;		/* protects prod, overflow and the ring's kernel side */
	u32 prod;
	bool overflow;			/* an entry was lost; IB_EVENT_CQ_ERR was raised once */
};

static inline struct berth_cq *berth_cq(struct ib_cq *ib)
{
	return container_of(ib, struct berth_cq, ib);
}

int berth_cq_create(struct ib_cq *ib, const struct ib_cq_init_attr *attr,
		    struct uverbs_attr_bundle *attrs);
int berth_cq_destroy(struct ib_cq *ib, struct ib_udata *udata);
bool berth_cq_post(struct berth_cq *cq, const struct berth_cqe *cqe);
int berth_cq_poll(struct ib_cq *ib, int num, struct ib_wc *wc);
int berth_cq_req_notify(struct ib_cq *ib, enum ib_cq_notify_flags flags);

#endif
