// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * Memory windows. The kernel has the state; a window is bound by a work request, which names it by
 * its key. The low 8 bits of a key belong to whoever binds: to the application for type 2, to this
 * file for type 1.
 */
#include <errno.h>
#include <stdlib.h>

#include "berth.h"

struct ibv_mw *berth_alloc_mw(struct ibv_pd *ibpd, enum ibv_mw_type type)
{
	struct ib_uverbs_alloc_mw_resp resp = {};
	struct ibv_alloc_mw cmd = {};
	struct ibv_mw *mw;
	int ret;

	mw = calloc(1, sizeof(*mw));
	if (!mw)
		return NULL;
	ret = ibv_cmd_alloc_mw(ibpd, type, mw, &cmd, sizeof(cmd), &resp, sizeof(resp));
	if (ret) {
		free(mw);
		errno = ret;
		return NULL;
	}
	return mw;
}

int berth_dealloc_mw(struct ibv_mw *mw)
{
	int ret;

	ret = berth_destroyed(ibv_cmd_dealloc_mw(mw));
	if (!ret)
		free(mw);
	return ret;
}

/**
 * berth_put_bind - what a bind request says
 * @wqe: with opcode and flags
 * @mw: the window
 * @rkey: its new key
 * @info: what to bind it to
 *
 * Return: 0; EINVAL: bytes without a region.
 */
int berth_put_bind(struct berth_send_wqe *wqe, const struct ibv_mw *mw, uint32_t rkey,
		   const struct ibv_mw_bind_info *info)
{
	if (!info->mr && (info->addr || info->length))
		return EINVAL;
	wqe->rkey = mw->rkey;
	wqe->ex = rkey;
	wqe->remote_addr = info->addr;
	wqe->bind.length = info->length;
	wqe->bind.lkey = info->mr ? info->mr->lkey : 0;
	wqe->bind.access = info->mw_access_flags;
	return 0;
}

/* Type 1 only, says libibverbs. */
int berth_bind_mw(struct ibv_qp *ibqp, struct ibv_mw *mw, struct ibv_mw_bind *bind)
{
	struct ibv_send_wr wr = {
		.wr_id = bind->wr_id,
		.opcode = IBV_WR_BIND_MW,
		.send_flags = bind->send_flags,
		.bind_mw = {
			.mw = mw,
			.rkey = ibv_inc_rkey(mw->rkey),
			.bind_info = bind->bind_info,
		},
	};
	struct ibv_send_wr *bad;
	int ret;

	ret = berth_post_send(ibqp, &wr, &bad);
	if (!ret)
		mw->rkey = wr.bind_mw.rkey;
	return ret;
}
