// SPDX-License-Identifier: GPL-2.0
/*
 * Taking send WQEs from the shared ring, and completing them.
 *
 * Context: sq.lock held with bottom halves disabled, but for init, fini (process, not published).
 * The ring may change under us at any moment: an entry is copied once, then only the copy counts.
 */
#include <linux/mm.h>
#include "../landing/landing.h"
#include "../obj/cq.h"
#include "../obj/qp.h"
#include "../obj/qp_state.h"
#include "../trace.h"
#include "../transport.h"

#define SUPPORTED_FLAGS \
	(BERTH_WR_SIGNALED | BERTH_WR_SOLICITED | BERTH_WR_FENCE | BERTH_WR_INLINE)

static u32 list_bytes(u32 max_sge, u32 max_inline)
{
	/* Room for two SGEs at least: an atomic's word, and 80-byte strides. */
	return max3(max_sge * (u32)sizeof(struct berth_sge), ALIGN(max_inline, 16), 32U);
}

u32 berth_sq_ring_stride(const struct ib_qp_cap *cap)
{
	return sizeof(struct berth_send_wqe) + list_bytes(cap->max_send_sge, cap->max_inline_data);
}

int berth_sq_init(struct berth_qp *qp, const struct ib_qp_cap *cap)
{
	struct berth_sq *sq = &qp->sq;

	spin_lock_init(&sq->lock);
	if (!cap->max_send_wr)
		return 0;

	sq->entries = roundup_pow_of_two(cap->max_send_wr);
	sq->max_sge = cap->max_send_sge;
	sq->max_inline = cap->max_inline_data;
	sq->ring_stride = berth_sq_ring_stride(cap);
	sq->slot_stride = ALIGN(struct_size_t(struct berth_swqe, sge, 0) +
				list_bytes(sq->max_sge, sq->max_inline), 8);
	sq->slots = kvzalloc((size_t)sq->entries * sq->slot_stride, GFP_KERNEL_ACCOUNT);
	if (!sq->slots)
		return -ENOMEM;
	sq->seg = kcalloc(max(sq->max_sge, 1U), sizeof(*sq->seg), GFP_KERNEL_ACCOUNT);
	if (!sq->seg) {
		kvfree(sq->slots);
		sq->slots = NULL;
		return -ENOMEM;
	}
	return 0;
}

void berth_sq_fini(struct berth_qp *qp)
{
	kfree(qp->sq.seg);
	kvfree(qp->sq.slots);
}

/* To the state of a new SQ; unfinished WQEs are forgotten, as RESET demands. */
void berth_sq_reset(struct berth_qp *qp)
{
	struct berth_sq *sq = &qp->sq;

	lockdep_assert_held(&sq->lock);
	sq->head = 0;
	sq->next = 0;
	sq->tail = 0;
	sq->offset = 0;
	sq->reads = 0;
	sq->read_lost = false;
	sq->waiting = false;
	sq->draining = false;
}

static u8 validate(const struct berth_qp *qp, const struct berth_swqe *wqe, u32 inline_len)
{
	const struct berth_sq *sq = &qp->sq;
	u32 max_inline = sq->max_inline;

	if (wqe->flags & ~SUPPORTED_FLAGS || (qp->transport->takes && !qp->transport->takes(wqe)))
		return IB_WC_LOC_QP_OP_ERR;
	switch (wqe->opcode) {
	case BERTH_WR_SEND:
	case BERTH_WR_SEND_IMM:
	case BERTH_WR_SEND_INV:
	case BERTH_WR_WRITE:
	case BERTH_WR_WRITE_IMM:
		break;
	case BERTH_WR_READ:
	case BERTH_WR_CMP_SWP:
	case BERTH_WR_FETCH_ADD:
		if (wqe->flags & BERTH_WR_INLINE || !sq->max_rd_atomic)
			return IB_WC_LOC_QP_OP_ERR;
		break;
	case BERTH_WR_ATOMIC_WRITE:
		if (!sq->max_rd_atomic)
			return IB_WC_LOC_QP_OP_ERR;
		max_inline = max_t(u32, max_inline, sizeof(u64));
		break;
	case BERTH_WR_LOCAL_INV:
	case BERTH_WR_BIND_MW:
		if (wqe->flags & BERTH_WR_INLINE || wqe->num_sge)
			return IB_WC_LOC_QP_OP_ERR;
		break;
	case BERTH_WR_REG_MR:
		if (!qp->kernel || wqe->flags & BERTH_WR_INLINE || wqe->num_sge)
			return IB_WC_LOC_QP_OP_ERR;
		break;
	default:
		return IB_WC_LOC_QP_OP_ERR;
	}
	if (wqe->flags & BERTH_WR_INLINE) {
		if (wqe->num_sge || inline_len > max_inline)
			return IB_WC_LOC_QP_OP_ERR;
	} else if (wqe->num_sge > sq->max_sge || inline_len) {
		return IB_WC_LOC_QP_OP_ERR;
	}
	return IB_WC_SUCCESS;
}

/* The list, or inline payload, from shared memory: looked at only in our copy. Returns its bytes. */
static u64 copy_list(struct berth_swqe *slot, const void *list, u32 inline_len)
{
	u64 total = 0;
	u32 i;

	if (slot->flags & BERTH_WR_INLINE) {
		memcpy(slot->sge, list, inline_len);
		return inline_len;
	}
	if (likely(slot->num_sge == 1)) {
		memcpy(slot->sge, list, sizeof(struct berth_sge));
		barrier();
		return slot->sge[0].length;
	}
	memcpy(slot->sge, list, slot->num_sge * sizeof(struct berth_sge));
	barrier();
	for (i = 0; i < slot->num_sge; i++)
		total += slot->sge[i].length;
	return total;
}

static u8 set_length(struct berth_swqe *slot, u64 length)
{
	bool word = berth_swqe_is_atomic(slot) || slot->opcode == BERTH_WR_ATOMIC_WRITE;

	if (length > BERTH_MAX_MSG || (word && length != sizeof(u64)))
		return IB_WC_LOC_LEN_ERR;
	slot->length = length;
	return IB_WC_SUCCESS;
}

/* Entries that the process has posted and we have not taken; -EINVAL when it says nonsense. */
static int posted(const struct berth_qp *qp)
{
	/* Acquire: pairs with the process's release store of sq_prod after the entries. */
	u32 n = smp_load_acquire(&qp->ring->sq_prod) - qp->sq.head;

	return n > qp->sq.entries ? -EINVAL : n;
}

/**
 * berth_sq_fetch - take the next WQE from the ring into its private slot
 * @qp: queue pair, sq.lock held
 *
 * What is wrong with the WQE is left in its status: it fails when its turn comes, after those
 * before it. A process that moved its producer counter where it cannot be loses the QP.
 *
 * Return: false when there is none, or no slot is free.
 */
bool berth_sq_fetch(struct berth_qp *qp)
{
	struct berth_sq *sq = &qp->sq;
	const struct berth_send_wqe *entry;
	struct berth_swqe *slot;
	u32 inline_len;
	int n;

	lockdep_assert_held(&sq->lock);
	if (!sq->entries || sq->head - sq->tail >= sq->entries)
		return false;
	n = posted(qp);
	if (n <= 0) {
		if (n < 0)
			berth_qp_fail_locked(qp, IB_EVENT_QP_FATAL);
		return false;
	}

	/* Each word of shared memory is read once; from here on only the copy counts. */
	entry = berth_sq_entry(sq, sq->head);
	slot = berth_sq_slot(sq, sq->head);
	slot->wr_id = READ_ONCE(entry->wr_id);
	slot->remote_addr = READ_ONCE(entry->remote_addr);
	slot->rkey = READ_ONCE(entry->rkey);
	slot->ex = READ_ONCE(entry->ex);
	/* The whole union, whatever it is. */
	slot->atomic.compare_add = READ_ONCE(entry->atomic.compare_add);
	slot->atomic.swap = READ_ONCE(entry->atomic.swap);
	slot->opcode = READ_ONCE(entry->opcode);
	slot->flags = READ_ONCE(entry->flags);
	slot->num_sge = READ_ONCE(entry->num_sge);
	slot->length = 0;
	slot->psns = 0;
	slot->carried_out = false;
	inline_len = READ_ONCE(entry->inline_len);
	slot->status = READ_ONCE(entry->reserved0) ? IB_WC_LOC_QP_OP_ERR :
						     validate(qp, slot, inline_len);
	if (slot->status == IB_WC_SUCCESS)
		slot->status = set_length(slot, copy_list(slot, entry + 1, inline_len));
	sq->head++;
	return true;
}

static bool post_cqe(struct berth_qp *qp, u64 wr_id, u8 opcode, u32 length, u32 counter,
		     enum ib_wc_status status)
{
	struct berth_cqe cqe = {
		.wr_id = wr_id,
		.status = status,
		.opcode = opcode,
		.byte_len = length,
		.qpn = qp->qpn,
		.index = counter,
	};

	trace_berth_completion(qp, &cqe);
	return berth_cq_post(qp->send_cq, &cqe);
}

/*
 * The oldest slot is done. Before its completion is seen: a kernel consumer posts anew when it sees
 * it, and goes by tail. Release: pairs with berth_post_send(), which writes to the ring then.
 */
static u32 leave_slot(struct berth_sq *sq)
{
	u32 counter = sq->tail;

	smp_store_release(&sq->tail, counter + 1);	/* see above */
	return counter;
}

/**
 * berth_sq_complete - the oldest WQE is done
 * @qp: queue pair, sq.lock held, at least one private WQE
 * @status: success is reported when it was asked for, everything else always
 *
 * A full CQ takes the QP to error, unless its process does not mind.
 */
void berth_sq_complete(struct berth_qp *qp, enum ib_wc_status status)
{
	struct berth_sq *sq = &qp->sq;
	struct berth_swqe *slot = berth_sq_slot(sq, sq->tail);
	u32 counter;

	lockdep_assert_held(&sq->lock);
	counter = leave_slot(sq);
	if (status != IB_WC_SUCCESS || qp->sig_all || slot->flags & BERTH_WR_SIGNALED) {
		if (!post_cqe(qp, slot->wr_id, slot->opcode, slot->length, counter, status) &&
		    !berth_cq_may_lose(qp->send_cq))
			berth_qp_fail_locked(qp, IB_EVENT_QP_FATAL);
	}
	if ((s32)(sq->next - sq->tail) < 0) {
		sq->next = sq->tail;
		sq->offset = 0;
	}
}

/**
 * berth_sq_flush - complete everything that was posted with a flush error, in order
 * @qp: queue pair in the error state, sq.lock held
 */
void berth_sq_flush(struct berth_qp *qp)
{
	struct berth_sq *sq = &qp->sq;
	int n;

	lockdep_assert_held(&sq->lock);
	if (!sq->entries)
		return;
	while (sq->tail != sq->head) {
		struct berth_swqe *slot = berth_sq_slot(sq, sq->tail);

		post_cqe(qp, slot->wr_id, slot->opcode, 0, leave_slot(sq), IB_WC_WR_FLUSH_ERR);
	}
	for (n = posted(qp); n > 0; n--) {
		const struct berth_send_wqe *wqe = berth_sq_entry(sq, sq->head++);
		u64 wr_id = READ_ONCE(wqe->wr_id);
		u8 opcode = READ_ONCE(wqe->opcode);

		post_cqe(qp, wr_id, opcode, 0, leave_slot(sq), IB_WC_WR_FLUSH_ERR);
	}
	sq->next = sq->head;
	sq->offset = 0;
}
