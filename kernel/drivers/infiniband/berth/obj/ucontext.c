// SPDX-License-Identifier: GPL-2.0
/*
 * A process's open device, see ucontext.h.
 *
 * Process context. The core owns the memory, destroys every object of the context before it calls
 * dealloc, and frees the context afterwards; who may hold a pointer to it longer (the doorbell file)
 * lets go in the destruction of its own object.
 */
#include <rdma/berth-abi.h>
#include "mr.h"
#include "ucontext.h"
#include "udata.h"

/** berth_ucontext_describe - what a process is told of its context, whoever it has it from */
struct berth_alloc_ucontext_resp berth_ucontext_describe(void)
{
	return (struct berth_alloc_ucontext_resp) {
		.abi = BERTH_ABI_VERSION,
		.max_inline = BERTH_MAX_INLINE,
		.null_lkey = BERTH_KEY_NULL,
	};
}

/**
 * berth_ucontext_alloc - ib_device_ops.alloc_ucontext
 * @ib: allocated by the core.
 * @udata: struct berth_alloc_ucontext_req and _resp.
 *
 * Context: process; sleeps.
 * Return: 0; -EPROTO: the provider does not speak this ABI (not -EPROTONOSUPPORT: with that uverbs
 * says that it knows no such method, and warns when a driver does); -EINVAL: driver data that is
 * short, or set where it must be zero; -ENOSPC, -EFAULT.
 */
int berth_ucontext_alloc(struct ib_ucontext *ib, struct ib_udata *udata)
{
	struct berth_alloc_ucontext_resp resp = berth_ucontext_describe();
	struct berth_alloc_ucontext_req req;
	int ret;

	ret = berth_udata_copy_in(udata, &req, sizeof(req));
	if (ret)
		return ret;
	if (req.reserved)
		return -EINVAL;
	if (req.abi_min > BERTH_ABI_VERSION || req.abi_max < BERTH_ABI_VERSION) {
		ibdev_warn_ratelimited(ib->device,
				       "the provider speaks ABI %u to %u, this module %u: install both from one release\n",
				       req.abi_min, req.abi_max, BERTH_ABI_VERSION);
		return -EPROTO;
	}
	mutex_init(&berth_ucontext(ib)->parts_mutex);
	INIT_LIST_HEAD(&berth_ucontext(ib)->parts);
	return berth_udata_copy_out(udata, &resp, sizeof(resp));
}

/**
 * berth_ucontext_dealloc - ib_device_ops.dealloc_ucontext
 * @ib: without objects.
 *
 * Context: process.
 */
void berth_ucontext_dealloc(struct ib_ucontext *ib)
{
	WARN_ON_ONCE(!list_empty(&berth_ucontext(ib)->parts));
}

/**
 * berth_ucontext_disassociate - ib_device_ops.disassociate_ucontext
 * @ib: of a process that has the device open while it is removed.
 *
 * That it exists tells the core that a device may go while processes have it open. Nothing is left
 * to do: objects are gone, and mapped rings are the process's own pages (shared.c).
 *
 * Context: process.
 */
void berth_ucontext_disassociate(struct ib_ucontext *ib)
{
}
