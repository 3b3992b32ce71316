/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Who calls a link of type berth_iw: a connection that has come in, until its request was accepted or
 * rejected. Process context.
 */
#ifndef BERTH_TCP_IW_CALL_H
#define BERTH_TCP_IW_CALL_H

#include <linux/kref.h>
#include <linux/workqueue.h>
#include "../wire/mpa.h"
#include "greet.h"

struct berth_dev;
struct berth_iw_listener;

struct berth_iw_call {
	struct berth_dev *dev;
	struct berth_iw_listener *listener;	/* referenced; NULL: CONNECT_REQUEST was told */
	u32 id;					/* in dev->iw_calls; who takes it out ends the call */
	struct delayed_work work;
	unsigned long deadline;
	struct berth_greeting greeting;
	struct berth_mpa_frame frame;
};

struct berth_iw_call *berth_iw_call_take(struct berth_dev *dev, void *provider_data);
void berth_iw_call_end(struct berth_iw_call *call, int err);

#endif
