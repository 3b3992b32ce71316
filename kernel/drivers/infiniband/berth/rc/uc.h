/* SPDX-License-Identifier: GPL-2.0 */
/* Unreliable connected service, for the local path. */
#ifndef BERTH_RC_UC_H
#define BERTH_RC_UC_H

#include "rsp.h"

void berth_uc_drop(struct berth_qp *qp, enum berth_rsp_result result);

#endif
