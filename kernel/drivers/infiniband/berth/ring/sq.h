/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Send queues: WQEs are copied once from the shared ring into private slots, validated there, and
 * live there until they complete.
 *
 * Ring counters run freely: tail <= next <= head. [tail, head) are private copies: those before next
 * have been sent (in part: next itself), tail is the oldest that has not completed. Everything here
 * is under sq.lock (see obj/qp.h).
 */
#ifndef BERTH_RING_SQ_H
#define BERTH_RING_SQ_H

#include <linux/hrtimer.h>
#include <linux/spinlock.h>
#include <linux/timer.h>
#include <linux/workqueue.h>
#include <rdma/ib_verbs.h>
#include <rdma/berth-abi.h>

struct berth_qp;
struct berth_seg;

/* The private copy of a send WQE. */
struct berth_swqe {
	u64 wr_id;
	u64 remote_addr;
	u32 rkey;
	u32 ex;			/* immediate (big endian) or rkey to invalidate */
	u32 length;		/* of the message */
	u32 first_psn;
	u32 psns;		/* how many it takes; 0: not started */
	union {			/* what the opcode brings; as in struct berth_send_wqe */
		struct {
			u32 ah;
			u32 qpn;
			u32 qkey;
			u32 reserved;
		} ud;		/* where a datagram goes */
		struct {
			u64 compare_add;
			u64 swap;
		} atomic;
		struct {
			u64 length;
			u32 lkey;
			u32 access;
		} bind;		/* a memory window */
	};
	u8 opcode;		/* enum berth_wr_opcode */
	u8 flags;		/* enum berth_wr_flags */
	u8 num_sge;		/* 0 with BERTH_WR_INLINE */
	u8 status;		/* enum ib_wc_status: what validation found */
	bool carried_out;	/* a local operation (op/local_op.h) that is done */
	struct berth_sge sge[];	/* or inline payload */
};

struct berth_sq {
	spinlock_t lock;
	u32 entries;		/* of the ring, power of two; 0: no SQ */
	u32 ring_stride;
	u32 slot_stride;
	u32 max_sge;
	u32 max_inline;
	void *ring;		/* shared; the kernel reads each entry once */
	void *slots;		/* private copies */
	struct berth_seg *seg;	/* scratch of the requester, max_sge (at least 1) */

	u32 head;
	u32 next;
	u32 tail;

	/* The requester (rc/req.h). */
	u32 offset;		/* bytes of the WQE at next that have been sent */
	u32 psn;		/* of the next WQE to start */
	u32 una;		/* oldest PSN that is not acknowledged, or whose data has not come */
	u32 sent;		/* PSN behind the furthest that was ever sent */
	u32 flight;		/* packets that may be on their way (rc/flight.h) */
	u32 flight_fast;	/* below it, flight grows fast */
	u32 flight_lost;	/* losses before this PSN have been counted */
	int cpu;		/* that sent last */
	u8 retry_left;
	u8 rnr_left;
	u8 retry_count;
	u8 rnr_retry;
	u8 timeout;		/* code of the ack timeout, 0: none */
	u8 max_rd_atomic;
	u8 reads;		/* requests that fetch, without their whole response */
	bool read_lost;		/* a gap in responses was found and asked for again */
	bool waiting;		/* for the RNR timer (or moving memory), until resume */
	bool draining;		/* SQD: start no more WQEs, report when idle */
	u8 piece_shift;		/* how much less than usual the local path moves at once */
	u32 read_end[16];	/* PSN behind each of them, oldest first */
	ktime_t resume;
	struct hrtimer wait;	/* until resume: microseconds matter */
	unsigned long patience;	/* jiffies until a packet without an answer is given up */
	unsigned long deadline;	/* jiffies: when the oldest unacknowledged packet is overdue */
	struct timer_list timer;	/* for the deadline */
	struct work_struct work;
};

static inline bool berth_swqe_is_atomic(const struct berth_swqe *wqe)
{
	return wqe->opcode == BERTH_WR_CMP_SWP || wqe->opcode == BERTH_WR_FETCH_ADD;
}

static inline bool berth_swqe_is_write(const struct berth_swqe *wqe)
{
	return wqe->opcode == BERTH_WR_WRITE || wqe->opcode == BERTH_WR_WRITE_IMM;
}

/* Whether the peer's answer has data for our memory. */
static inline bool berth_swqe_lands(const struct berth_swqe *wqe)
{
	return wqe->opcode == BERTH_WR_READ || berth_swqe_is_atomic(wqe);
}

/*
 * Whether the peer answers the request itself, which nothing that it says of later ones can stand
 * for: it takes one of the peer's responder resources.
 */
static inline bool berth_swqe_fetches(const struct berth_swqe *wqe)
{
	return berth_swqe_lands(wqe) || wqe->opcode == BERTH_WR_ATOMIC_WRITE;
}

static inline struct berth_swqe *berth_sq_slot(const struct berth_sq *sq, u32 counter)
{
	return sq->slots + (size_t)(counter & (sq->entries - 1)) * sq->slot_stride;
}

/* Where the entry of a ring counter lies in the shared ring. */
static inline void *berth_sq_entry(const struct berth_sq *sq, u32 counter)
{
	return sq->ring + (size_t)(counter & (sq->entries - 1)) * sq->ring_stride;
}

/* Whether a WQE is begun and has not completed. */
static inline bool berth_sq_busy(const struct berth_sq *sq)
{
	const struct berth_swqe *wqe = berth_sq_slot(sq, sq->tail);

	return sq->tail != sq->next || (sq->tail != sq->head && (wqe->psns || wqe->carried_out));
}

int berth_sq_init(struct berth_qp *qp, const struct ib_qp_cap *cap);
void berth_sq_fini(struct berth_qp *qp);
void berth_sq_reset(struct berth_qp *qp);
u32 berth_sq_ring_stride(const struct ib_qp_cap *cap);
bool berth_sq_fetch(struct berth_qp *qp);
void berth_sq_complete(struct berth_qp *qp, enum ib_wc_status status);
void berth_sq_flush(struct berth_qp *qp);

#endif
