/* SPDX-License-Identifier: GPL-2.0 */
/* How a TCP QP gets its connection. Process context. */
#ifndef BERTH_TCP_DIAL_H
#define BERTH_TCP_DIAL_H

#include <linux/workqueue.h>
#include "../wire/mpa.h"

struct berth_qp;
struct berth_tcp;

void berth_dial_work(struct work_struct *work);
unsigned long berth_dial_pause(struct berth_tcp *tcp, unsigned long most);
void berth_dial_abandon(struct berth_tcp *tcp);
void berth_dial_close(struct berth_tcp *tcp);
void berth_dial_hang_up(struct berth_tcp *tcp);
bool berth_greeting_crc(void);
struct berth_mpa_frame berth_greeting_frame(const struct berth_qp *qp, bool reply);

#endif
