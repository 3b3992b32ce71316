/* SPDX-License-Identifier: GPL-2.0 */
/* The local path: peer QP in the same network namespace, one copy from MR to MR, no packet. */
#ifndef BERTH_RC_LOCAL_H
#define BERTH_RC_LOCAL_H

struct berth_qp;

int berth_local_step(struct berth_qp *qp, struct berth_qp **failed_peer);

#endif
