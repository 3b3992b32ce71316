/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Shared receive queues: the verbs. The ring is in ring/srq.h.
 */
#ifndef BERTH_OBJ_SRQ_H
#define BERTH_OBJ_SRQ_H

#include <rdma/ib_verbs.h>
#include "../ring/srq.h"

static inline struct berth_srq *berth_srq(struct ib_srq *ib)
{
	return container_of(ib, struct berth_srq, ib);
}

int berth_srq_create(struct ib_srq *ib, struct ib_srq_init_attr *init, struct ib_udata *udata);
int berth_srq_modify(struct ib_srq *ib, struct ib_srq_attr *attr, enum ib_srq_attr_mask mask,
		     struct ib_udata *udata);
int berth_srq_query(struct ib_srq *ib, struct ib_srq_attr *attr);
int berth_srq_destroy(struct ib_srq *ib, struct ib_udata *udata);

#endif
