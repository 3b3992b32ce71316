// SPDX-License-Identifier: GPL-2.0
/*
 * Sending datagrams: one WQE, one packet. An error completes the WQE and takes the send queue to
 * SQE; the receive queue goes on.
 *
 * Context: process with bottom halves enabled, or the worker; a step holds sq.lock, which keeps
 * bottom halves off and so is the RCU read side for address vectors and MRs.
 */
#include <linux/sched/signal.h>
#include "../landing/landing.h"
#include "../net/burst.h"
#include "../obj/ah.h"
#include "../obj/cq.h"
#include "../obj/qp_state.h"
#include "../stats.h"
#include "../wire/bth.h"
#include "../wire/packet.h"
#include "ud.h"

/* Datagrams that a process sends before it looks whether others want the CPU. */
#define STRETCH		64
/* Stretches in one doorbell before the worker goes on. */
#define STRETCHES	16

/* How long to wait for memory that its exporter is moving. */
#define MOVING_USEC	1000

/* Bit of a queue key that says: take the QP's own. */
#define QKEY_OF_QP	0x80000000U

bool berth_ud_takes(const struct berth_swqe *wqe)
{
	return (wqe->opcode == BERTH_WR_SEND || wqe->opcode == BERTH_WR_SEND_IMM) &&
	       !wqe->ud.reserved && !(wqe->ud.qpn & ~BERTH_QPN_MASK);
}

static struct berth_packet describe(struct berth_qp *qp, const struct berth_swqe *wqe)
{
	bool imm = wqe->opcode == BERTH_WR_SEND_IMM;

	return (struct berth_packet) {
		.opcode = imm ? BERTH_UD_SEND_ONLY_IMM : BERTH_UD_SEND_ONLY,
		.qpn = wqe->ud.qpn,
		.psn = qp->sq.psn,
		.pkey = BERTH_DEFAULT_PKEY,
		.flags = BERTH_PKT_MIG | (wqe->flags & BERTH_WR_SOLICITED ? BERTH_PKT_SE : 0),
		.payload_len = wqe->length,
		.qkey = wqe->ud.qkey & QKEY_OF_QP ? qp->qkey : wqe->ud.qkey,
		.src_qpn = qp->wire_qpn,
		.imm = (__force __be32)wqe->ex,
	};
}

/* The WQE's memory as segments in sq.seg: their number, -EAGAIN, or an error of its own. */
static int source(struct berth_qp *qp, const struct berth_swqe *wqe)
{
	if (wqe->flags & BERTH_WR_INLINE) {
		qp->sq.seg[0] = (struct berth_seg) {
			.bytes = (const u8 *)wqe->sge,
			.length = wqe->length,
		};
		return 1;
	}
	return berth_landing_resolve(&qp->own_keys, qp->pd, wqe->sge, wqe->num_sge, wqe->length, 0,
				     qp->sq.seg);
}

/* Lays the packet out. Returns 0 or what stands against its memory. */
static int fill(u8 *at, const struct berth_packet *pkt, struct berth_segs src)
{
	int hdr, ret;

	hdr = berth_packet_build(pkt, at, BERTH_HDR_MAX);
	if (WARN_ON_ONCE(hdr < 0))
		return hdr;
	ret = berth_landing_gather(at + hdr, src, 0, pkt->payload_len);
	memset(at + hdr + pkt->payload_len, 0, berth_pad_len(pkt->payload_len));
	return ret;
}

/* Without memory or route the datagram is lost, as any other may be. */
static int transmit(struct berth_qp *qp, struct berth_path *path, const struct berth_packet *pkt,
		    struct berth_segs src)
{
	u32 len = berth_packet_wire_len(berth_opcode_find(pkt->opcode), pkt->payload_len);
	struct berth_burst b;
	int ret;

	if (berth_burst_begin_on(&b, qp, path, 1, len, len))
		return 0;
	ret = fill(berth_burst_packet(&b, 0), pkt, src);
	if (ret) {
		berth_burst_cancel(&b);
		return ret;
	}
	berth_count_add(qp->dev, BERTH_CNT_TX_BYTES, pkt->payload_len);
	berth_burst_send(&b, 1);
	return 0;
}

/* Returns a status, or -EAGAIN: memory is being moved. */
static int send(struct berth_qp *qp, struct berth_swqe *wqe)
{
	struct berth_packet pkt = describe(qp, wqe);
	struct berth_av *av;
	int ret;

	if (wqe->status != IB_WC_SUCCESS)
		return wqe->status;
	if (wqe->length > berth_port_mtu(qp->dev))
		return IB_WC_LOC_LEN_ERR;
	av = berth_av_find(qp->dev, qp->pd, wqe->ud.ah);
	if (!av)
		return IB_WC_LOC_QP_OP_ERR;
	ret = source(qp, wqe);
	if (ret >= 0)
		ret = transmit(qp, &av->path, &pkt, (struct berth_segs){ qp->sq.seg, ret });
	if (ret == -EAGAIN)
		return ret;
	return ret ? IB_WC_LOC_PROT_ERR : IB_WC_SUCCESS;
}

static void wait_moving(struct berth_sq *sq)
{
	sq->waiting = true;
	hrtimer_start(&sq->wait, ns_to_ktime(MOVING_USEC * NSEC_PER_USEC), HRTIMER_MODE_REL_SOFT);
}

/* One WQE. Returns whether there may be more. */
static bool step(struct berth_qp *qp, bool *report_drained)
{
	struct berth_sq *sq = &qp->sq;
	int status;

	if (READ_ONCE(qp->failed))
		return false;
	if (qp->state == IB_QPS_ERR || qp->state == IB_QPS_SQE)
		berth_sq_flush(qp);
	if (qp->state == IB_QPS_SQD && sq->draining) {
		sq->draining = false;
		*report_drained = true;
	}
	/* In SQD nothing is outstanding but what waits for its memory, and that is not sent yet. */
	if (qp->state != IB_QPS_RTS || sq->waiting)
		return false;
	if (sq->next == sq->head && !berth_sq_fetch(qp))
		return false;
	status = send(qp, berth_sq_slot(sq, sq->next));
	if (status == -EAGAIN) {
		wait_moving(sq);
		return false;
	}
	sq->psn = berth_psn_add(sq->psn, 1);
	sq->next++;
	berth_sq_complete(qp, status);
	if (status != IB_WC_SUCCESS)
		berth_qp_fail_sq_locked(qp);
	return true;
}

static bool run(struct berth_qp *qp)
{
	bool more = true, report_drained = false;
	u32 i;

	spin_lock_bh(&qp->sq.lock);
	for (i = 0; i < STRETCH && more; i++)
		more = step(qp, &report_drained);
	spin_unlock_bh(&qp->sq.lock);
	berth_qp_settle(qp);
	if (report_drained)
		berth_qp_event(qp, IB_EVENT_SQ_DRAINED);
	return more;
}

/**
 * berth_ud_kick - send what was posted
 * @qp: queue pair, referenced
 *
 * Context: process.
 */
void berth_ud_kick(struct berth_qp *qp)
{
	u32 i;

	for (i = 0; i < STRETCHES && !signal_pending(current); i++) {
		if (!run(qp))
			return;
		cond_resched();
	}
	queue_work(berth_qp_wq, &qp->sq.work);
}

void berth_ud_work(struct work_struct *work)
{
	berth_ud_kick(container_of(work, struct berth_qp, sq.work));
}

/* Memory may have come to rest. */
enum hrtimer_restart berth_ud_resume(struct hrtimer *timer)
{
	struct berth_qp *qp = container_of(timer, struct berth_qp, sq.wait);

	spin_lock(&qp->sq.lock);
	qp->sq.waiting = false;
	spin_unlock(&qp->sq.lock);
	queue_work(berth_qp_wq, &qp->sq.work);
	return HRTIMER_NORESTART;
}
