/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The responder of connected services: order and lengths of packets, what is answered. What a request
 * does is in op/act.h. All under rq.lock with bottom halves disabled.
 */
#ifndef BERTH_RC_RSP_H
#define BERTH_RC_RSP_H

#include <linux/workqueue.h>
#include "../op/act.h"

struct berth_packet;

/* rsp.c: requests from the wire */
void berth_rsp_reset(struct berth_qp *qp, u32 psn);
enum berth_rsp_result berth_rsp_request(struct berth_qp *qp, const struct berth_packet *pkt,
					struct berth_cursor *payload);
void berth_rsp_packet(struct berth_qp *qp, const struct berth_packet *pkt,
		      struct berth_cursor *payload);
bool berth_rsp_middle(struct berth_qp *qp, const struct berth_packet *pkt, const u8 *payload);
void berth_rsp_answer(struct berth_qp *qp);

/* read.c: answering READs and atomics, in softirq up to a budget, then in a worker */
enum berth_rsp_result berth_read_request(struct berth_qp *qp, const struct berth_packet *pkt);
enum berth_rsp_result berth_read_atomic(struct berth_qp *qp, const struct berth_packet *pkt,
					struct berth_cursor *payload);
void berth_read_again(struct berth_qp *qp, const struct berth_packet *pkt);
void berth_read_run(struct berth_qp *qp, u32 bursts);
void berth_rsp_work(struct work_struct *work);

#endif
