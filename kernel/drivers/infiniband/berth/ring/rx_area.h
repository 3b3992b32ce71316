/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Receive areas: memory of a dma-buf in chunks, from which queues take what arriving messages need, instead of
 * receives that somebody posted for each of them in advance. So the memory follows the traffic, not the number of queues.
 *
 * A message takes chunks as its bytes arrive. When it is complete they are the process's, which knows each by a token,
 * the number of the chunk, and gives it back through the shared ring. A message begins only when the largest one can be
 * completed with what is free (@credit), so messages cannot wait for each other with the memory half full. A stream has
 * no messages that have to be completed: it is promised chunk by chunk, and what has come is told when there is no other.
 *
 * Where a NIC's queues are bound to the memory the chunks are leased (berth/lease.h): those that are free here are few, and
 * what a packet of a stream has brought in such chunks is handed over as it is (berth_rx_area_adopt()).
 *
 * Chunks are owned by the pool; by the QP whose message is arriving (rq->chunk, rq->num_sge of them); by the process, as
 * a bit of @lent says, which is all that the kernel believes about tokens.
 *
 * An area ends after the last QP or SRQ that uses it. Its MR may end before: what arrives then fails as with a posted
 * receive whose MR has gone.
 */
#ifndef BERTH_RING_RX_AREA_H
#define BERTH_RING_RX_AREA_H

#include <linux/spinlock.h>
#include <rdma/ib_verbs.h>
#include <rdma/berth-abi.h>
#include <berth/lease.h>
#include <berth/netmem.h>
#include "rq.h"

struct berth_shared;

struct berth_rx_area {
	struct ib_pd *pd;		/* of the MR, to be compared */
	struct berth_chunks *chunks;	/* or, where they are a NIC's: */
	struct berth_lease *lease;
	struct berth_shared *shared;
	struct berth_area_ring *ring;	/* in shared, as the next two; the kernel reads nothing but ring and returned */
	u32 *returned;
	struct berth_area_piece *piece;
	u32 entries;			/* of returned; power of two */
	u32 count;			/* chunks; constant, as the next four */
	u32 shift;			/* log2 of the size of a chunk */
	u32 max_pieces;			/* of a message */
	u32 lkey;
	u64 addr;			/* of chunk 0 in the MR */
	atomic_t users;			/* QPs and SRQs */
	atomic_t credit;		/* free chunks that are not promised to a message */
	u32 spare;			/* leased chunks that stay here when they are free, about */
	spinlock_t lock;		/* of the next two; bottom halves disabled */
	u32 head;			/* next ring counter to take */
	u32 refused;			/* tokens that the process did not have; under lock, told in ring */
	unsigned long *lent;		/* a bit for each chunk: the process has it; atomic */
};

/* A QP or an SRQ that uses it from now on; who gives it the area sees to it that it is there. */
static inline void berth_rx_area_join(struct berth_rx_area *area)
{
	atomic_inc(&area->users);
}

/* And no more; without one there is nothing to do. */
static inline void berth_rx_area_leave(struct berth_rx_area *area)
{
	if (area)
		atomic_dec(&area->users);
}

/* Bytes that the message that is arriving may have still; what is there of its last chunk counts. */
static inline u32 berth_rx_area_room(const struct berth_rq *rq)
{
	const u64 room = ((u64)(rq->area->max_pieces - rq->num_sge) << rq->area->shift) + rq->reach - rq->received;

	return min_t(u64, room, rq->capacity - rq->received);
}

int berth_rx_area_begin(struct berth_rq *rq, bool whole);
int berth_rx_area_extend(struct berth_rq *rq, u32 need);
bool berth_rx_area_is_crowded(struct berth_rx_area *area);
int berth_rx_area_adopt(struct berth_rq *rq, netmem_ref chunk, u32 offset, u32 length);
u64 berth_rx_area_lend(struct berth_rq *rq, u32 length);
void berth_rx_area_recall(struct berth_rq *rq);
void berth_rx_area_drop(struct berth_rq *rq);
void berth_rx_area_spare(void *owner);
void berth_rx_area_reclaim(struct berth_rx_area *area);

#endif
