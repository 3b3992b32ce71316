// SPDX-License-Identifier: GPL-2.0
/*
 * What another user of a context asks for: somebody who has its file descriptor and handles of its
 * objects (ibv_import_device, ibv_import_pd). Regions answer through the core, device memory in dm.c.
 *
 * Whoever has the descriptor may do to the context's objects whatever its owner may; nothing here
 * takes a reference, so the owner must keep alive what others import.
 *
 * Context: process.
 */
#include <linux/module.h>
#include <rdma/berth-abi.h>
#include <rdma/uverbs_std_types.h>
#include <rdma/uverbs_types.h>
#include "import.h"
#include "ucontext.h"

#define UVERBS_MODULE_NAME berth
#include <rdma/uverbs_named_ioctl.h>

/**
 * berth_ucontext_query - ib_device_ops.query_ucontext
 * @ib: the context.
 * @attrs: BERTH_ATTR_QUERY_CONTEXT_RESP.
 *
 * Return: 0, -EFAULT, -EINVAL: no room for the answer.
 */
int berth_ucontext_query(struct ib_ucontext *ib, struct uverbs_attr_bundle *attrs)
{
	struct berth_alloc_ucontext_resp resp = berth_ucontext_describe();

	return uverbs_copy_to(attrs, BERTH_ATTR_QUERY_CONTEXT_RESP, &resp, sizeof(resp));
}

ADD_UVERBS_ATTRIBUTES_SIMPLE(berth_query_context, UVERBS_OBJECT_DEVICE, UVERBS_METHOD_QUERY_CONTEXT,
			     UVERBS_ATTR_PTR_OUT(BERTH_ATTR_QUERY_CONTEXT_RESP,
						 UVERBS_ATTR_TYPE(struct berth_alloc_ucontext_resp),
						 UA_MANDATORY));

/* The core has looked the handle up. */
static int UVERBS_HANDLER(BERTH_METHOD_PD_QUERY)(struct uverbs_attr_bundle *attrs)
{
	return 0;
}

DECLARE_UVERBS_NAMED_METHOD(BERTH_METHOD_PD_QUERY,
			    UVERBS_ATTR_IDR(BERTH_ATTR_PD_QUERY_HANDLE, UVERBS_OBJECT_PD,
					    UVERBS_ACCESS_READ, UA_MANDATORY));

ADD_UVERBS_METHODS(berth_pd_query, UVERBS_OBJECT_PD, &UVERBS_METHOD(BERTH_METHOD_PD_QUERY));

const struct uapi_definition berth_import_uapi_defs[] = {
	UAPI_DEF_CHAIN_OBJ_TREE(UVERBS_OBJECT_DEVICE, &berth_query_context),
	UAPI_DEF_CHAIN_OBJ_TREE(UVERBS_OBJECT_PD, &berth_pd_query),
	{}
};
