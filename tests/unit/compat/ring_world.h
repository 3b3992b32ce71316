/* SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB */
/*
 * The neighbours of ring/sq.c, ring/rq.c and ring/srq.c for their unit tests, included before
 * anything else: it takes the place of the headers whose guards it defines. The
 * rings themselves (their headers in ring/) and the ABI are the real ones. The test
 * program is the completion queue and notes when a QP is failed.
 */
#ifndef BERTH_RING_WORLD_H
#define BERTH_RING_WORLD_H

#define BERTH_LANDING_H
#define BERTH_OBJ_CQ_H
#define BERTH_OBJ_QP_H
#define BERTH_OBJ_QP_STATE_H
#define BERTH_RING_RX_AREA_H
#define BERTH_TRACE_H
#define BERTH_TRANSPORT_H

#include <linux/mm.h>
#include "ring/sq.h"
#include "ring/rq.h"
#include "ring/srq.h"

struct berth_cq;

struct berth_netmem {
	u64 nothing;
};

struct berth_seg {
	u64 nothing;
};

struct berth_transport {
	bool stream;
	bool (*takes)(const struct berth_swqe *wqe);
};

struct berth_qp {
	const struct berth_transport *transport;
	struct berth_kqp *kernel;
	struct berth_cq *send_cq;
	struct berth_cq *recv_cq;
	struct berth_srq *srq;
	u32 qpn;
	u32 dest_qpn;
	bool sig_all;
	struct berth_qp_ring *ring;
	struct berth_sq sq;
	struct berth_rq rq;
};

/* Areas are tested in the kernel (tests/verbs/area.c): here no QP has one. */
struct berth_rx_area {
	u32 max_pieces;
	u32 shift;
};

static inline void berth_rx_area_join(struct berth_rx_area *area) { }
static inline void berth_rx_area_leave(struct berth_rx_area *area) { }
static inline int berth_rx_area_begin(struct berth_rq *rq, bool whole) { return -EAGAIN; }
static inline u64 berth_rx_area_lend(struct berth_rq *rq, u32 length) { return BERTH_NO_TOKEN; }
static inline void berth_rx_area_recall(struct berth_rq *rq) { }
static inline void berth_rx_area_drop(struct berth_rq *rq) { }

#define trace_berth_completion(qp, cqe)	((void)0)

bool berth_cq_post(struct berth_cq *cq, const struct berth_cqe *cqe);
bool berth_cq_may_lose(const struct berth_cq *cq);
void berth_qp_fail_locked(struct berth_qp *qp, int event);

#endif /* BERTH_RING_WORLD_H */
