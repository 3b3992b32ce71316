// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * The polling interface of extended CQs: start, next, end, and one reader per field.
 *
 * The CQ is locked from a start that succeeds to the end; the entries read in between go back to
 * the kernel at the end, so the current one can be read in place.
 */
#include <errno.h>

#include "cq.h"

static inline int cq_take(struct berth_cq *cq)
{
	struct berth_cqe *cqe = cq_next(cq);

	if (!cqe)
		return ENOENT;
	cq_retire(cq, cqe);
	cq->cur = cqe;
	cq->vcq.cq_ex.wr_id = cqe->wr_id;
	cq->vcq.cq_ex.status = cqe->status;
	return 0;
}

static int start_poll(struct ibv_cq_ex *ibcq, struct ibv_poll_cq_attr *attr)
{
	struct berth_cq *cq = to_bcq_ex(ibcq);
	int ret;

	if (berth_unlikely(attr->comp_mask))
		return EINVAL;
	berth_lock(&cq->lock);
	ret = cq_take(cq);
	if (ret)
		berth_unlock(&cq->lock);
	return ret;
}

static int next_poll(struct ibv_cq_ex *ibcq)
{
	return cq_take(to_bcq_ex(ibcq));
}

static void end_poll(struct ibv_cq_ex *ibcq)
{
	struct berth_cq *cq = to_bcq_ex(ibcq);

	cq_publish(cq);
	berth_unlock(&cq->lock);
}

static enum ibv_wc_opcode read_opcode(struct ibv_cq_ex *ibcq)
{
	return cqe_wc_opcode(to_bcq_ex(ibcq)->cur);
}

static uint32_t read_vendor_err(struct ibv_cq_ex *ibcq)
{
	return to_bcq_ex(ibcq)->cur->vendor_err;
}

static unsigned int read_wc_flags(struct ibv_cq_ex *ibcq)
{
	return cqe_wc_flags(to_bcq_ex(ibcq)->cur);
}

static uint32_t read_byte_len(struct ibv_cq_ex *ibcq)
{
	return to_bcq_ex(ibcq)->cur->byte_len;
}

/* Also the invalidated rkey: libibverbs has one reader for both. */
static __be32 read_imm_data(struct ibv_cq_ex *ibcq)
{
	return to_bcq_ex(ibcq)->cur->ex;
}

static uint32_t read_qp_num(struct ibv_cq_ex *ibcq)
{
	return to_bcq_ex(ibcq)->cur->qpn;
}

static uint32_t read_src_qp(struct ibv_cq_ex *ibcq)
{
	return to_bcq_ex(ibcq)->cur->src_qp;
}

static uint64_t read_completion_ts(struct ibv_cq_ex *ibcq)
{
	return to_bcq_ex(ibcq)->cur->timestamp;
}

static uint64_t read_completion_wallclock(struct ibv_cq_ex *ibcq)
{
	return to_bcq_ex(ibcq)->cur->wallclock;
}

/* There are no local identifiers on Ethernet. */
static uint32_t read_slid(struct ibv_cq_ex *ibcq)
{
	(void)ibcq;
	return 0;
}

static uint8_t read_sl(struct ibv_cq_ex *ibcq)
{
	return cqe_sl(to_bcq_ex(ibcq)->cur);
}

static uint8_t read_dlid_path_bits(struct ibv_cq_ex *ibcq)
{
	(void)ibcq;
	return 0;
}

/**
 * berth_cq_set_ex_ops - offer the extended polling interface
 * @ibcq: a new CQ
 * @wc_flags: enum ibv_create_cq_wc_flags, the fields that the application will read
 */
void berth_cq_set_ex_ops(struct ibv_cq_ex *ibcq, uint64_t wc_flags)
{
	ibcq->start_poll = start_poll;
	ibcq->next_poll = next_poll;
	ibcq->end_poll = end_poll;
	ibcq->read_opcode = read_opcode;
	ibcq->read_vendor_err = read_vendor_err;
	ibcq->read_wc_flags = read_wc_flags;
	if (wc_flags & IBV_WC_EX_WITH_BYTE_LEN)
		ibcq->read_byte_len = read_byte_len;
	if (wc_flags & IBV_WC_EX_WITH_IMM)
		ibcq->read_imm_data = read_imm_data;
	if (wc_flags & IBV_WC_EX_WITH_QP_NUM)
		ibcq->read_qp_num = read_qp_num;
	if (wc_flags & IBV_WC_EX_WITH_SRC_QP)
		ibcq->read_src_qp = read_src_qp;
	if (wc_flags & IBV_WC_EX_WITH_SLID)
		ibcq->read_slid = read_slid;
	if (wc_flags & IBV_WC_EX_WITH_SL)
		ibcq->read_sl = read_sl;
	if (wc_flags & IBV_WC_EX_WITH_DLID_PATH_BITS)
		ibcq->read_dlid_path_bits = read_dlid_path_bits;
	if (wc_flags & IBV_WC_EX_WITH_COMPLETION_TIMESTAMP)
		ibcq->read_completion_ts = read_completion_ts;
	if (wc_flags & IBV_WC_EX_WITH_COMPLETION_TIMESTAMP_WALLCLOCK)
		ibcq->read_completion_wallclock_ns = read_completion_wallclock;
}
