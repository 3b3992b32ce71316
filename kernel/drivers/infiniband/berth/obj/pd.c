// SPDX-License-Identifier: GPL-2.0
/*
 * Protection domains, see pd.h. Process context; the core owns the memory and counts the users.
 */
#include "../dev.h"
#include "pd.h"
#include "udata.h"

/**
 * berth_pd_alloc - ib_device_ops.alloc_pd
 * @ib: allocated by the core.
 * @udata: brings nothing.
 *
 * Context: process. Return: 0; -EINVAL: unknown driver data; -ENOMEM: the device has max_pd.
 */
int berth_pd_alloc(struct ib_pd *ib, struct ib_udata *udata)
{
	int err = berth_udata_none(udata);

	return err ?: berth_limit_take(berth_dev(ib->device), BERTH_LIMIT_PD);
}

/**
 * berth_pd_dealloc - ib_device_ops.dealloc_pd
 * @ib: without users, freed by the core afterwards.
 * @udata: ignored.
 *
 * Context: process. Return: 0.
 */
int berth_pd_dealloc(struct ib_pd *ib, struct ib_udata *udata)
{
	berth_limit_give(berth_dev(ib->device), BERTH_LIMIT_PD);
	return 0;
}
