// SPDX-License-Identifier: GPL-2.0
/*
 * TCP-offload QPs in stream mode as a transport, and what is done when it is an adopted socket's turn
 * (runner.h).
 *
 * A stream QP comes to RTS by berth_stream_attach() only: there is no peer QP that RTR could name.
 */
#include <linux/slab.h>
#include <net/tcp.h>
#include "../obj/qp_state.h"
#include "../op/act.h"
#include "../op/source.h"
#include "stream.h"

/**
 * berth_socket_run - take, send and settle
 * @r: of a socket, locked
 * @budget: bytes to send; what is left is for the worker
 *
 * Context: process or softirq.
 */
void berth_socket_run(struct berth_runner *r, u32 budget)
{
	struct berth_socket *s = container_of(r, struct berth_socket, runner);
	struct berth_qp *qp = s->qp;
	bool more, drained;

	if (!qp)
		return;
	local_bh_disable();
	berth_stream_receive(s);
	more = berth_stream_send(s, budget);
	spin_lock(&qp->sq.lock);
	drained = berth_req_drained(qp);
	spin_unlock(&qp->sq.lock);
	local_bh_enable();

	berth_qp_settle(qp);
	if (drained)
		berth_qp_event(qp, IB_EVENT_SQ_DRAINED);
	if (more)
		berth_runner_again(r, 0);
}

/**
 * berth_socket_broken - the connection is no more, and not because the peer has closed it
 * @s: socket, locked; bottom halves disabled
 * @err: positive errno
 *
 * The oldest SEND and the next receive say so, the rest is flushed.
 */
void berth_socket_broken(struct berth_socket *s, int err)
{
	enum ib_wc_status status = err == ETIMEDOUT ? IB_WC_RETRY_EXC_ERR : IB_WC_REM_ABORT_ERR;
	struct berth_qp *qp = s->qp;
	struct berth_sq *sq = &qp->sq;

	spin_lock(&sq->lock);
	spin_lock(&qp->rq.lock);
	/* Not before RTS, which looks again. */
	s->broken = berth_qp_requests(qp);
	if (s->broken && !READ_ONCE(qp->failed)) {
		if (sq->tail != sq->head || berth_sq_fetch(qp))
			berth_sq_complete(qp, status);
		if (!qp->rq.held)
			berth_rsp_take(qp);
		qp->rq.status = status;
		berth_rsp_fail(qp, BERTH_RSP_OPERATION);
	}
	spin_unlock(&qp->rq.lock);
	spin_unlock(&sq->lock);
	/* Now that it has failed what is forgotten does not complete. */
	berth_stream_forget(s);
}

static void run(struct berth_stream *stream)
{
	struct berth_socket *s = berth_stream_socket(stream);

	if (!s)
		return;
	berth_runner_process(&s->runner);
	berth_socket_put(s);
}

static void run_work(struct work_struct *work)
{
	run(container_of(work, struct berth_stream, run_work.work));
}

static void close_work(struct work_struct *work)
{
	struct berth_stream *stream = container_of(work, struct berth_stream, close_work);
	struct berth_qp *qp = stream->qp;
	bool failed;

	mutex_lock(&stream->mutex);
	spin_lock_bh(&qp->sq.lock);
	failed = !berth_qp_requests(qp);
	spin_unlock_bh(&qp->sq.lock);
	if (failed)
		berth_stream_detach(stream);
	mutex_unlock(&stream->mutex);
}

/* A wait for memory is over. */
static enum hrtimer_restart resume(struct hrtimer *timer)
{
	struct berth_qp *qp = container_of(timer, struct berth_qp, sq.wait);

	spin_lock(&qp->sq.lock);
	qp->sq.waiting = false;
	spin_unlock(&qp->sq.lock);
	mod_delayed_work(berth_qp_wq, &qp->stream->run_work, 0);
	return HRTIMER_NORESTART;
}

/* Nothing more of it has come. */
static enum hrtimer_restart cut_end(struct hrtimer *timer)
{
	struct berth_stream *stream = container_of(timer, struct berth_stream, cut_wait);

	mod_delayed_work(berth_qp_wq, &stream->run_work, 0);
	return HRTIMER_NORESTART;
}

static int setup(struct berth_qp *qp)
{
	struct berth_stream *stream = kzalloc(sizeof(*stream), GFP_KERNEL_ACCOUNT);

	if (!stream)
		return -ENOMEM;
	stream->qp = qp;
	spin_lock_init(&stream->lock);
	mutex_init(&stream->mutex);
	INIT_DELAYED_WORK(&stream->run_work, run_work);
	INIT_WORK(&stream->close_work, close_work);
	hrtimer_init(&qp->sq.wait, CLOCK_MONOTONIC, HRTIMER_MODE_REL_SOFT);
	qp->sq.wait.function = resume;
	hrtimer_init(&stream->cut_wait, CLOCK_MONOTONIC, HRTIMER_MODE_REL_SOFT);
	stream->cut_wait.function = cut_end;
	qp->stream = stream;
	return 0;
}

static void teardown(struct berth_qp *qp)
{
	mutex_destroy(&qp->stream->mutex);
	kfree(qp->stream);
	qp->stream = NULL;
}

static int prepare(struct berth_qp *qp, enum ib_qp_state next)
{
	return next == IB_QPS_INIT ? 0 : -EINVAL;
}

static void quiesce(struct berth_qp *qp)
{
	struct berth_stream *stream = qp->stream;

	mutex_lock(&stream->mutex);
	berth_stream_detach(stream);
	mutex_unlock(&stream->mutex);
	hrtimer_cancel(&qp->sq.wait);
	hrtimer_cancel(&qp->stream->cut_wait);
}

static void shutdown(struct berth_qp *qp)
{
	quiesce(qp);
	cancel_delayed_work_sync(&qp->stream->run_work);
	cancel_work_sync(&qp->stream->close_work);
}

static bool takes(const struct berth_swqe *wqe)
{
	return wqe->opcode == BERTH_WR_SEND;
}

static void kick(struct berth_qp *qp)
{
	if (READ_ONCE(qp->state) == IB_QPS_ERR) {
		spin_lock_bh(&qp->sq.lock);
		if (qp->state == IB_QPS_ERR)
			berth_sq_flush(qp);
		spin_unlock_bh(&qp->sq.lock);
		return;
	}
	run(qp->stream);
}

static void receives_posted(struct berth_qp *qp)
{
	run(qp->stream);
}

static void stopped(struct berth_qp *qp)
{
	queue_work(berth_tcp_wq, &qp->stream->close_work);
}

static void reset(struct berth_qp *qp, u32 psn)
{
}

const struct berth_transport berth_stream_transport = {
	.service = BERTH_SERVICE_NONE,
	.stream = true,
	.reliable = true,
	.sq_error = IB_QPS_ERR,
	.setup = setup,
	.teardown = teardown,
	.prepare = prepare,
	.quiesce = quiesce,
	.shutdown = shutdown,
	.takes = takes,
	.kick = kick,
	.reset_requester = reset,
	.reset_responder = reset,
	.stopped = stopped,
	.receives_posted = receives_posted,
};
