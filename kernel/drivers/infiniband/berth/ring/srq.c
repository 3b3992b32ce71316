// SPDX-License-Identifier: GPL-2.0
/*
 * Taking receive WQEs from a ring that QPs share, and moving the ring to one of another size.
 *
 * Context: bottom halves disabled. The ring may change under us at any moment: an entry is copied
 * once, then only the copy counts.
 */
#include "srq.h"

/**
 * berth_srq_posted - entries that the consumer has posted and nobody has taken
 * @srq: shared receive queue, locked
 *
 * Return: their number, or -EINVAL: the process says what cannot be.
 */
int berth_srq_posted(const struct berth_srq *srq)
{
	/* Acquire: pairs with the release store of prod after the entries. */
	u32 n = smp_load_acquire(&srq->header->prod) - srq->head;

	lockdep_assert_held(&srq->lock);
	return n > srq->entries ? -EINVAL : n;
}

static void copy_entry(struct berth_srq *srq, struct berth_recv_wqe *wqe, struct berth_sge *sge)
{
	const void *entry = berth_srq_entry(srq, srq->head);

	memcpy(wqe, entry, sizeof(*wqe));
	barrier();	/* from here on only the copy */
	if (wqe->num_sge <= srq->max_sge)
		memcpy(sge, entry + sizeof(*wqe), wqe->num_sge * sizeof(*sge));
	srq->head++;
	/* Release: pairs with the acquire of whoever posts and overwrites the entry then. */
	smp_store_release(&srq->header->head, srq->head);
}

/**
 * berth_srq_take - take the next receive WQE
 * @srq: shared receive queue; a QP that uses it keeps it
 * @wqe: receives the WQE, as it was posted: its num_sge and reserved are to be checked
 * @sge: receives its list when that has no more than srq->max_sge elements
 * @counter: receives its ring counter
 *
 * Raises IB_EVENT_SRQ_LIMIT_REACHED when fewer are left than what was armed, and disarms (IBTA
 * volume 1, 10.2.9.3).
 *
 * Return: 0; -EAGAIN: none is posted; -EINVAL: the process broke its ring.
 */
int berth_srq_take(struct berth_srq *srq, struct berth_recv_wqe *wqe, struct berth_sge *sge,
		   u32 *counter)
{
	bool limit = false, broke = false;
	int n;

	spin_lock(&srq->lock);
	n = berth_srq_posted(srq);
	if (likely(n > 0)) {
		*counter = srq->head;
		copy_entry(srq, wqe, sge);
		limit = (u32)n - 1 < srq->limit;
		if (limit)
			srq->limit = 0;
	} else if (n < 0) {
		broke = !srq->broken;
		srq->broken = true;
	}
	spin_unlock(&srq->lock);

	if (unlikely(limit))
		berth_srq_event(srq, IB_EVENT_SRQ_LIMIT_REACHED);
	if (unlikely(broke))
		berth_srq_event(srq, IB_EVENT_SRQ_ERR);
	return n > 0 ? 0 : n ?: -EAGAIN;
}

/**
 * berth_srq_move - go on in a ring of another size
 * @srq: shared receive queue, locked
 * @to: header and entries, zeroed; what the present ring lies in is left to the caller
 * @entries: of the new ring, a power of two
 * @max_wr: how many of them may be posted
 *
 * What is posted moves along, under the same counters.
 *
 * Return: 0; -EINVAL: more than @max_wr are posted, or the process broke its ring.
 */
int berth_srq_move(struct berth_srq *srq, void *to, u32 entries, u32 max_wr)
{
	struct berth_srq_ring *header = to;
	void *ring = header + 1;
	int n = berth_srq_posted(srq);
	int i;

	if (n < 0 || n > max_wr)
		return -EINVAL;
	for (i = 0; i < n; i++) {
		u32 counter = srq->head + i;

		memcpy(ring + (size_t)(counter & (entries - 1)) * srq->stride,
		       berth_srq_entry(srq, counter), srq->stride);
	}
	header->prod = srq->head + n;
	header->head = srq->head;
	srq->header = header;
	srq->ring = ring;
	srq->entries = entries;
	srq->max_wr = max_wr;
	return 0;
}
