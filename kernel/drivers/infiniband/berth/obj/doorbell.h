/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The doorbell file of a context: an uverbs FD object whose ioctl is the only call on the fast
 * path. berth_uapi_defs is for ib_device.driver_def.
 */
#ifndef BERTH_OBJ_DOORBELL_H
#define BERTH_OBJ_DOORBELL_H

#include <rdma/uverbs_ioctl.h>

extern const struct uapi_definition berth_uapi_defs[];

#endif
