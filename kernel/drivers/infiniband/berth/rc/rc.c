// SPDX-License-Identifier: GPL-2.0
/*
 * Reliable connected service as a transport, and what UC has in common with it: what the objects and
 * received packets may ask of it.
 *
 * Contexts and locks are those of struct berth_transport.
 */
#include <net/ipv6.h>
#include "../net/netns.h"
#include "../obj/qp.h"
#include "../wire/packet.h"
#include "ack.h"
#include "rc.h"
#include "req.h"
#include "rsp.h"

/* Bursts of read responses sent from softirq. */
#define SOFTIRQ_BURSTS	4

/* As struct berth_transport has it, for both connected services. */
int berth_connected_setup(struct berth_qp *qp)
{
	timer_setup(&qp->sq.timer, berth_req_timer, 0);
	hrtimer_init(&qp->sq.wait, CLOCK_MONOTONIC, HRTIMER_MODE_REL_SOFT);
	qp->sq.wait.function = berth_req_resume;
	INIT_WORK(&qp->sq.work, berth_req_work);
	INIT_WORK(&qp->rq.work, berth_rsp_work);
	return 0;
}

void berth_connected_quiesce(struct berth_qp *qp)
{
	hrtimer_cancel(&qp->sq.wait);
	timer_delete_sync(&qp->sq.timer);
}

/* Timers and works hold no reference; in RESET none starts a timer, but timers start works. */
void berth_connected_shutdown(struct berth_qp *qp)
{
	hrtimer_cancel(&qp->sq.wait);
	timer_shutdown_sync(&qp->sq.timer);
	cancel_work_sync(&qp->sq.work);
	cancel_work_sync(&qp->rq.work);
}

/* From the peer's address to ours, in our network namespace. */
bool berth_connected_accepts(const struct berth_qp *qp, const struct berth_packet *pkt,
			     const struct berth_rx *rx)
{
	const struct berth_path *path = &qp->path;

	if (path->family != rx->family || dev_net(qp->dev->ndev) != rx->net)
		return false;
	if (rx->family == AF_INET)
		return path->daddr.v4 == rx->saddr.v4 && path->saddr.v4 == rx->daddr.v4;
	if (path->oif && path->oif != rx->iif)
		return false;
	return ipv6_addr_equal(&path->daddr.v6, &rx->saddr.v6) &&
	       ipv6_addr_equal(&path->saddr.v6, &rx->daddr.v6);
}

static void request(struct berth_qp *qp, const struct berth_packet *pkt,
		    struct berth_cursor *payload, const struct berth_rx *rx)
{
	berth_rsp_packet(qp, pkt, payload);
}

static bool answer(struct berth_qp *qp)
{
	berth_rsp_answer(qp);
	return qp->rq.read_count;
}

static void answer_more(struct berth_qp *qp)
{
	berth_read_run(qp, SOFTIRQ_BURSTS);
}

const struct berth_transport berth_rc_transport = {
	.service = BERTH_SERVICE_RC,
	.reliable = true,
	.sq_error = IB_QPS_ERR,
	.setup = berth_connected_setup,
	.quiesce = berth_connected_quiesce,
	.shutdown = berth_connected_shutdown,
	.kick = berth_req_kick,
	.reset_requester = berth_req_reset,
	.reset_responder = berth_rsp_reset,
	.accepts = berth_connected_accepts,
	.request = request,
	.middle = berth_rsp_middle,
	.response = berth_ack_packet,
	.answer = answer,
	.answer_more = answer_more,
	.proceed = berth_req_softirq,
};
