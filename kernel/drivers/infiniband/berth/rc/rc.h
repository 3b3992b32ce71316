/* SPDX-License-Identifier: GPL-2.0 */
/* The connected services, for transport.c. */
#ifndef BERTH_RC_RC_H
#define BERTH_RC_RC_H

#include "../transport.h"

/* What both have in common (rc.c). */
int berth_connected_setup(struct berth_qp *qp);
void berth_connected_quiesce(struct berth_qp *qp);
void berth_connected_shutdown(struct berth_qp *qp);
bool berth_connected_accepts(const struct berth_qp *qp, const struct berth_packet *pkt,
			     const struct berth_rx *rx);

extern const struct berth_transport berth_rc_transport;
extern const struct berth_transport berth_uc_transport;

#endif
