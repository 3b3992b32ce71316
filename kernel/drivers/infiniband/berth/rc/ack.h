/* SPDX-License-Identifier: GPL-2.0 */
/* The requester's ear: acknowledgements, NAKs and read responses. */
#ifndef BERTH_RC_ACK_H
#define BERTH_RC_ACK_H

struct berth_qp;
struct berth_packet;
struct berth_cursor;

void berth_ack_packet(struct berth_qp *qp, const struct berth_packet *pkt,
		      struct berth_cursor *payload);
void berth_ack_sent(struct berth_qp *qp);

#endif
