/* SPDX-License-Identifier: GPL-2.0 */
/* Protection domains: nothing but identity; MRs and QPs compare the pointers. */
#ifndef BERTH_OBJ_PD_H
#define BERTH_OBJ_PD_H

#include <rdma/ib_verbs.h>

struct berth_pd {
	struct ib_pd ib;
};

int berth_pd_alloc(struct ib_pd *ib, struct ib_udata *udata);
int berth_pd_dealloc(struct ib_pd *ib, struct ib_udata *udata);

#endif
