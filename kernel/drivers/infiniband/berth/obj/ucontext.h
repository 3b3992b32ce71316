/* SPDX-License-Identifier: GPL-2.0 */
/* A process's open device: ABI negotiation. Its doorbell file is in doorbell.h. */
#ifndef BERTH_OBJ_UCONTEXT_H
#define BERTH_OBJ_UCONTEXT_H

#include <linux/mutex.h>
#include <rdma/berth-abi.h>
#include <rdma/ib_verbs.h>
#include "doorbell.h"

struct berth_ucontext {
	struct ib_ucontext ib;
	struct mutex parts_mutex;
	struct list_head parts;		/* pages with room for further rings (shared.c) */
};

static inline struct berth_ucontext *berth_ucontext(struct ib_ucontext *ib)
{
	return container_of(ib, struct berth_ucontext, ib);
}

struct berth_alloc_ucontext_resp berth_ucontext_describe(void);
int berth_ucontext_alloc(struct ib_ucontext *ib, struct ib_udata *udata);
void berth_ucontext_dealloc(struct ib_ucontext *ib);
void berth_ucontext_disassociate(struct ib_ucontext *ib);

#endif
