/* SPDX-License-Identifier: GPL-2.0 */
/* Unreliable datagrams: the service as a transport, and what its two sides offer ud.c. */
#ifndef BERTH_UD_UD_H
#define BERTH_UD_UD_H

#include <linux/hrtimer.h>
#include <linux/workqueue.h>
#include "../obj/qp.h"
#include "../transport.h"

/* send.c */
bool berth_ud_takes(const struct berth_swqe *wqe);
void berth_ud_kick(struct berth_qp *qp);
void berth_ud_work(struct work_struct *work);
enum hrtimer_restart berth_ud_resume(struct hrtimer *timer);

/* recv.c */
bool berth_ud_accepts(const struct berth_qp *qp, const struct berth_packet *pkt,
		      const struct berth_rx *rx);
void berth_ud_request(struct berth_qp *qp, const struct berth_packet *pkt,
		      struct berth_cursor *payload, const struct berth_rx *rx);

extern const struct berth_transport berth_ud_transport;

#endif
