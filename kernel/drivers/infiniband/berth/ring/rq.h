/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Receive queues, and the responder's state that goes with them.
 *
 * The receive WQE of the message that is arriving is copied once from the shared ring into private
 * memory. Everything here is under rq.lock (see obj/qp.h).
 */
#ifndef BERTH_RING_RQ_H
#define BERTH_RING_RQ_H

#include <linux/spinlock.h>
#include <linux/workqueue.h>
#include <rdma/ib_verbs.h>
#include <rdma/berth-abi.h>
#include "../wire/opcode.h"

struct berth_netmem;
struct berth_qp;
struct berth_rx_area;
struct berth_seg;

#define BERTH_MAX_RD_ATOMIC	16

/* A READ that is being answered, or the answer to an atomic behind one. */
struct berth_read {
	u64 va;			/* atomic: the value that it found */
	u32 rkey;
	u32 length;
	u32 offset;		/* bytes answered */
	u32 psn;		/* of the request, and of the first response */
	u8 answer;		/* opcode of an atomic's answer; 0: a READ */
	bool again;		/* asked for before */
};

/* An atomic that was carried out: what it is answered with however often it comes. */
struct berth_atomic {
	u64 orig;		/* ATOMIC WRITE: 0 */
	u32 psn;
	u8 answer;		/* opcode */
};

struct berth_rq {
	spinlock_t lock;
	u32 entries;		/* of the ring, power of two; 0: no RQ of its own */
	u32 stride;
	u32 max_sge;
	void *ring;		/* shared; the kernel reads each entry once */
	u32 head;		/* next ring counter to take */

	/* The WQE in use; sge and seg hold max_sge entries. */
	bool held;
	u32 index;
	u64 wr_id;
	u32 num_sge;
	u32 capacity;		/* bytes that the list takes */
	struct ib_pd *pd;	/* of the memory that it names: the SRQ's where there is one */
	struct berth_sge *sge;
	struct berth_seg *seg;
	struct berth_rx_area *area;	/* where receives come from instead of a ring, or NULL; written before INIT */
	struct berth_netmem *chunk;	/* with an area: what the list is made of, max_sge entries */
	u32 lent;			/* with an area: how many of them were lent last */
	u32 promised;			/* with an area: chunks of its credit for the held receive */
	u32 drawn;			/* how many of them are in the list */
	u32 reach;			/* bytes that the list takes now */

	/* The responder (rc/rsp.h). */
	u32 epsn;		/* expected PSN */
	u32 msn;
	u8 min_rnr_timer;
	u8 max_rd_atomic;
	bool seq_nak_sent;	/* for the current epsn */
	bool ack_due;
	bool in_message;	/* between FIRST and LAST */
	u8 class;		/* enum berth_op_class of that message */
	u32 received;		/* bytes of that message */
	u32 rkey;		/* WRITE: the RETH */
	u32 dma_len;
	u64 va;
	bool write_held;	/* seg has where it goes, resolved since the lock was taken (obj/rx.c) */
	u8 status;		/* enum ib_wc_status for the held WQE when the message fails */
	u8 nak_syndrome;	/* to be sent instead of an ACK; 0: none */
	u32 nak_psn;
	u8 fail;		/* enum berth_rsp_result: to fail with when the NAK has left */
	u8 read_first;		/* ring of reads being answered */
	u8 read_count;
	struct berth_read read[BERTH_MAX_RD_ATOMIC];
	u32 atomics;		/* carried out since the QP was connected */
	struct berth_atomic atomic[BERTH_MAX_RD_ATOMIC];	/* the last of them, a ring */
	struct work_struct work;
};

/* Where the entry of a ring counter lies in the shared ring. */
static inline void *berth_rq_entry(const struct berth_rq *rq, u32 counter)
{
	return rq->ring + (size_t)(counter & (rq->entries - 1)) * rq->stride;
}

int berth_rq_init(struct berth_qp *qp, const struct ib_qp_cap *cap);
int berth_rq_set_area(struct berth_qp *qp, struct berth_rx_area *area);
void berth_rq_fini(struct berth_qp *qp);
void berth_rq_reset(struct berth_qp *qp);
u32 berth_rq_ring_stride(const struct ib_qp_cap *cap);
int berth_rq_take(struct berth_qp *qp);
void berth_rq_complete(struct berth_qp *qp, struct berth_cqe *cqe);
void berth_rq_flush(struct berth_qp *qp);

#endif
