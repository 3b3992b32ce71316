/* SPDX-License-Identifier: GPL-2.0 */
/* What the users of a context who did not make it ask for. */
#ifndef BERTH_OBJ_IMPORT_H
#define BERTH_OBJ_IMPORT_H

#include <rdma/uverbs_ioctl.h>

extern const struct uapi_definition berth_import_uapi_defs[];

int berth_ucontext_query(struct ib_ucontext *ib, struct uverbs_attr_bundle *attrs);

#endif
