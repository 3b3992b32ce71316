/* SPDX-License-Identifier: GPL-2.0 */
/* The requester's way over the wire: bursts of request packets. */
#ifndef BERTH_RC_SEND_H
#define BERTH_RC_SEND_H

struct berth_qp;

int berth_send_step(struct berth_qp *qp);

#endif
