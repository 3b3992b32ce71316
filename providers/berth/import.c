// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * Domains, regions and device memory of a context that somebody else made: this process has the
 * context's file descriptor and the objects' handles. What is imported is the same object in the
 * kernel; the owner must keep it, and giving an import back ends nothing there. Control path, no locks.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "berth.h"

struct ibv_pd *berth_import_pd(struct ibv_context *ibctx, uint32_t handle)
{
	struct berth_pd *pd = calloc(1, sizeof(*pd));
	int ret;

	if (!pd)
		return NULL;
	ret = berth_query_pd(ibctx, handle);
	if (ret) {
		free(pd);
		errno = ret;
		return NULL;
	}
	pd->pd.context = ibctx;
	pd->pd.handle = handle;
	return &pd->pd;
}

/* It must have no objects and no parent domains left, and the call cannot say that it has. */
void berth_unimport_pd(struct ibv_pd *ibpd)
{
	free(to_bpd(ibpd));
}

struct ibv_mr *berth_import_mr(struct ibv_pd *ibpd, uint32_t handle)
{
	struct verbs_mr *vmr = calloc(1, sizeof(*vmr));
	int ret;

	if (!vmr)
		return NULL;
	ret = ibv_cmd_query_mr(ibpd, vmr, handle);
	if (ret) {
		free(vmr);
		errno = ret;
		return NULL;
	}
	return &vmr->ibv_mr;
}

void berth_unimport_mr(struct ibv_mr *ibmr)
{
	free(container_of(ibmr, struct verbs_mr, ibv_mr));
}

struct ibv_dm *berth_import_dm(struct ibv_context *ibctx, uint32_t handle)
{
	struct berth_dm_query_resp resp;
	int ret = berth_query_dm(ibctx, handle, &resp);

	if (ret) {
		errno = ret;
		return NULL;
	}
	return berth_dm_map(ibctx, handle, resp.length, resp.mmap_offset);
}

void berth_unimport_dm(struct ibv_dm *ibdm)
{
	berth_dm_unmap(ibdm);
}
