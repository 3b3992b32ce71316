/* SPDX-License-Identifier: GPL-2.0 */
/* Device memory (ibv_alloc_dm): see dm.c. */
#ifndef BERTH_OBJ_DM_H
#define BERTH_OBJ_DM_H

#include <rdma/ib_verbs.h>
#include <rdma/uverbs_ioctl.h>

/* Bytes that all processes together may have of one device. */
#define BERTH_MAX_DM	(4U << 20)

extern const struct uapi_definition berth_dm_uapi_defs[];

struct ib_dm *berth_dm_alloc(struct ib_device *ib, struct ib_ucontext *uctx,
			     struct ib_dm_alloc_attr *attr, struct uverbs_attr_bundle *attrs);
int berth_dm_dealloc(struct ib_dm *ib, struct uverbs_attr_bundle *attrs);
struct ib_mr *berth_dm_reg_mr(struct ib_pd *pd, struct ib_dm *ib, struct ib_dm_mr_attr *attr,
			      struct uverbs_attr_bundle *attrs);

#endif
