/* SPDX-License-Identifier: GPL-2.0 */
/* Driver data of uverbs commands: taken strictly, given whole. */
#ifndef BERTH_OBJ_UDATA_H
#define BERTH_OBJ_UDATA_H

#include <rdma/ib_verbs.h>

int berth_udata_copy_in(struct ib_udata *udata, void *req, size_t size);
int berth_udata_none(struct ib_udata *udata);
int berth_udata_copy_out(struct ib_udata *udata, const void *resp, size_t size);

#endif
