/* SPDX-License-Identifier: GPL-2.0 */
/* Tracepoints (events/berth/): packets, landings, completions, QP states. */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM berth

#if !defined(BERTH_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define BERTH_TRACE_H

#include <linux/tracepoint.h>
#include <rdma/berth-abi.h>
#include "obj/qp.h"
#include "wire/bth.h"
#include "wire/packet.h"

TRACE_EVENT(berth_tx,
	TP_PROTO(const struct berth_qp *qp, const void *bth, u32 count),
	TP_ARGS(qp, bth, count),
	TP_STRUCT__entry(
		__string(dev, dev_name(&qp->dev->ib.dev))
		__field(u32, qpn)
		__field(u32, dest)
		__field(u32, psn)
		__field(u32, count)
		__field(u8, opcode)
	),
	TP_fast_assign(
		__assign_str(dev);
		__entry->qpn = qp->qpn;
		__entry->dest = berth_bth_qpn(bth);
		__entry->psn = berth_bth_psn(bth);
		__entry->count = count;
		__entry->opcode = ((const struct berth_bth *)bth)->opcode;
	),
	TP_printk("%s qpn %#x to %#x opcode %#x psn %#x packets %u", __get_str(dev),
		  __entry->qpn, __entry->dest, __entry->opcode, __entry->psn, __entry->count)
);

TRACE_EVENT(berth_rx,
	TP_PROTO(const struct berth_qp *qp, const struct berth_packet *pkt),
	TP_ARGS(qp, pkt),
	TP_STRUCT__entry(
		__string(dev, dev_name(&qp->dev->ib.dev))
		__field(u32, qpn)
		__field(u32, psn)
		__field(u32, bytes)
		__field(u8, opcode)
		__field(u8, syndrome)
	),
	TP_fast_assign(
		__assign_str(dev);
		__entry->qpn = qp->qpn;
		__entry->psn = pkt->psn;
		__entry->bytes = pkt->payload_len;
		__entry->opcode = pkt->opcode;
		__entry->syndrome = pkt->syndrome;
	),
	TP_printk("%s qpn %#x opcode %#x psn %#x bytes %u syndrome %#x", __get_str(dev),
		  __entry->qpn, __entry->opcode, __entry->psn, __entry->bytes,
		  __entry->syndrome)
);

TRACE_EVENT(berth_landing,
	TP_PROTO(const struct berth_dev *dev, u32 bytes, bool local),
	TP_ARGS(dev, bytes, local),
	TP_STRUCT__entry(
		__string(dev, dev_name(&dev->ib.dev))
		__field(u32, bytes)
		__field(bool, local)
	),
	TP_fast_assign(
		__assign_str(dev);
		__entry->bytes = bytes;
		__entry->local = local;
	),
	TP_printk("%s bytes %u from %s", __get_str(dev), __entry->bytes,
		  __entry->local ? "memory" : "packet")
);

TRACE_EVENT(berth_completion,
	TP_PROTO(const struct berth_qp *qp, const struct berth_cqe *cqe),
	TP_ARGS(qp, cqe),
	TP_STRUCT__entry(
		__string(dev, dev_name(&qp->dev->ib.dev))
		__field(u64, wr_id)
		__field(u32, qpn)
		__field(u32, bytes)
		__field(u16, flags)
		__field(u8, opcode)
		__field(u8, status)
	),
	TP_fast_assign(
		__assign_str(dev);
		__entry->wr_id = cqe->wr_id;
		__entry->qpn = cqe->qpn;
		__entry->bytes = cqe->byte_len;
		__entry->flags = cqe->flags;
		__entry->opcode = cqe->opcode;
		__entry->status = cqe->status;
	),
	TP_printk("%s qpn %#x %s wr_id %#llx opcode %u status %u bytes %u", __get_str(dev),
		  __entry->qpn, __entry->flags & BERTH_CQE_RECV ? "recv" : "send",
		  __entry->wr_id, __entry->opcode, __entry->status, __entry->bytes)
);

TRACE_EVENT(berth_qp_state,
	TP_PROTO(const struct berth_qp *qp, int state),
	TP_ARGS(qp, state),
	TP_STRUCT__entry(
		__string(dev, dev_name(&qp->dev->ib.dev))
		__field(u32, qpn)
		__field(int, from)
		__field(int, to)
	),
	TP_fast_assign(
		__assign_str(dev);
		__entry->qpn = qp->qpn;
		__entry->from = qp->state;
		__entry->to = state;
	),
	TP_printk("%s qpn %#x state %d to %d", __get_str(dev), __entry->qpn, __entry->from,
		  __entry->to)
);

#endif

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
