/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Shared receive queues: one ring, from which any number of QPs take receives.
 *
 * A QP copies the WQE that it takes into its own private memory (ring/rq.h), so an entry of the ring
 * is free as soon as it was taken, in the order of the ring, whatever completes when. srq->lock
 * nests inside the rq.lock of the QP that takes.
 */
#ifndef BERTH_RING_SRQ_H
#define BERTH_RING_SRQ_H

#include <linux/spinlock.h>
#include <rdma/ib_verbs.h>
#include <rdma/berth-abi.h>

struct berth_rx_area;
struct berth_shared;

struct berth_srq {
	struct ib_srq ib;
	spinlock_t lock;		/* protects what follows, with bottom halves disabled */
	struct berth_shared *shared;
	struct berth_srq_ring *header;	/* in shared */
	void *ring;			/* in shared; each entry is read once */
	u32 entries;			/* power of two */
	u32 max_wr;
	u32 head;			/* next ring counter to take */
	u32 limit;			/* armed: tell when fewer are left; 0: not armed */
	bool broken;			/* the process moved prod where it cannot be; was told */
	u32 stride;			/* constant, as is max_sge */
	u32 max_sge;
	struct berth_rx_area *area;	/* where receives come from instead; written before a QP uses it */
	spinlock_t post_lock;		/* prod of a kernel consumer's ring; any context */
};

/* Where the entry of a ring counter lies in the shared ring. */
static inline void *berth_srq_entry(const struct berth_srq *srq, u32 counter)
{
	return srq->ring + (size_t)(counter & (srq->entries - 1)) * srq->stride;
}

int berth_srq_take(struct berth_srq *srq, struct berth_recv_wqe *wqe, struct berth_sge *sge,
		   u32 *counter);
int berth_srq_posted(const struct berth_srq *srq);
int berth_srq_move(struct berth_srq *srq, void *to, u32 entries, u32 max_wr);

/* Of obj/srq.c. */
void berth_srq_event(struct berth_srq *srq, enum ib_event_type event);

#endif
