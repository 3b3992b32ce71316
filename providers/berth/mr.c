// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * Memory regions. All state is in the kernel; here are only the objects
 * that libibverbs hands to the application. A null region is nothing in the kernel but a key that it
 * knows. Control path, no locks.
 */
#include <errno.h>
#include <stdlib.h>

#include "berth.h"

struct ibv_mr *berth_reg_mr(struct ibv_pd *ibpd, void *addr, size_t length, uint64_t iova,
			    int access)
{
	struct ib_uverbs_reg_mr_resp resp = {};
	struct ibv_reg_mr cmd = {};
	struct verbs_mr *vmr;
	int ret;

	vmr = calloc(1, sizeof(*vmr));
	if (!vmr)
		return NULL;

	ret = ibv_cmd_reg_mr(ibpd, addr, length, iova, access, vmr, &cmd, sizeof(cmd), &resp,
			     sizeof(resp));
	if (ret) {
		free(vmr);
		errno = ret;
		return NULL;
	}
	return &vmr->ibv_mr;
}

struct ibv_mr *berth_reg_dmabuf_mr(struct ibv_pd *ibpd, uint64_t offset, size_t length,
				   uint64_t iova, int fd, int access)
{
	struct verbs_mr *vmr;
	int ret;

	vmr = calloc(1, sizeof(*vmr));
	if (!vmr)
		return NULL;

	ret = berth_reg_dmabuf(ibpd, offset, length, iova, fd, access, &vmr->ibv_mr);
	if (ret) {
		free(vmr);
		errno = ret;
		return NULL;
	}

	/* libibverbs sets addr, length, pd and context of what it returns. */
	vmr->ibv_mr.context = ibpd->context;
	vmr->ibv_mr.pd = ibpd;
	vmr->mr_type = IBV_MR_TYPE_DMABUF_MR;
	vmr->access = access;
	return &vmr->ibv_mr;
}

int berth_rereg_mr(struct verbs_mr *vmr, int flags, struct ibv_pd *ibpd, void *addr, size_t length,
		   int access)
{
	struct ib_uverbs_rereg_mr_resp resp = {};
	struct ibv_rereg_mr cmd = {};

	return ibv_cmd_rereg_mr(vmr, flags, addr, length, (uintptr_t)addr, access, ibpd, &cmd,
				sizeof(cmd), &resp, sizeof(resp));
}

struct ibv_mr *berth_alloc_null_mr(struct ibv_pd *ibpd)
{
	struct berth_context *ctx = to_bctx(ibpd->context);
	struct verbs_mr *vmr;

	if (!ctx->null_lkey) {
		errno = EOPNOTSUPP;
		return NULL;
	}
	vmr = calloc(1, sizeof(*vmr));
	if (!vmr)
		return NULL;

	vmr->ibv_mr.context = ibpd->context;
	vmr->ibv_mr.pd = ibpd;
	vmr->ibv_mr.length = SIZE_MAX;
	vmr->ibv_mr.lkey = ctx->null_lkey;
	vmr->mr_type = IBV_MR_TYPE_NULL_MR;
	return &vmr->ibv_mr;
}

int berth_dereg_mr(struct verbs_mr *vmr)
{
	int ret;

	if (vmr->mr_type == IBV_MR_TYPE_NULL_MR) {
		free(vmr);
		return 0;
	}
	ret = berth_destroyed(ibv_cmd_dereg_mr(vmr));
	if (!ret)
		free(vmr);
	return ret;
}
