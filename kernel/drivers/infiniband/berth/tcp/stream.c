// SPDX-License-Identifier: GPL-2.0
/*
 * TCP-offload QPs in stream mode as a transport, and who works on an adopted socket: TCP in softirq, the
 * process that rang the doorbell, a worker; see conn.c, which does the same.
 *
 * A stream QP comes to RTS by berth_stream_attach() only: there is no peer QP that RTR could name.
 */
#include <linux/slab.h>
#include <net/tcp.h>
#include "../obj/qp_state.h"
#include "../op/act.h"
#include "../op/source.h"
#include "stream.h"

#define PROCESS_BUDGET	(512U << 10)

/* How often a process or worker goes on with what came while it had the socket, before another one does. */
#define STRETCHES	8

/**
 * berth_socket_run - take, send and settle
 * @s: socket, locked
 * @budget: bytes to send; what is left is for the worker
 *
 * Context: process or softirq.
 */
void berth_socket_run(struct berth_socket *s, u32 budget)
{
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
		berth_socket_again(s, 0);
}

/* berth_socket_run() by a process or a worker; none of the QP's locks held. */
void berth_socket_run_process(struct berth_socket *s)
{
	int left = STRETCHES;

	do {
		lock_sock(s->sk);
		WRITE_ONCE(s->runner, current);
		s->again = false;
		berth_socket_run(s, PROCESS_BUDGET);
		if (!--left)
			berth_socket_again(s, 0);
		release_sock(s->sk);
	} while (left && READ_ONCE(s->again));
	/* Unless somebody else is by now. */
	cmpxchg(&s->runner, current, NULL);
}

/**
 * berth_socket_again - have a worker run the socket
 * @s: socket, locked
 * @delay: jiffies until then
 */
void berth_socket_again(struct berth_socket *s, unsigned long delay)
{
	if (s->qp)
		mod_delayed_work(berth_qp_wq, &s->qp->stream->run_work, delay);
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
	berth_socket_run_process(s);
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
	qp->stream = stream;
	return 0;
}

static void teardown(struct berth_qp *qp)
{
	mutex_destroy(&qp->stream->mutex);
	kfree(qp->stream);
	qp->stream = NULL;
}

static int prepare(struct berth_qp *qp)
{
	return -EINVAL;
}

static void quiesce(struct berth_qp *qp)
{
	struct berth_stream *stream = qp->stream;

	mutex_lock(&stream->mutex);
	berth_stream_detach(stream);
	mutex_unlock(&stream->mutex);
	hrtimer_cancel(&qp->sq.wait);
}

static void shutdown(struct berth_qp *qp)
{
	quiesce(qp);
	cancel_delayed_work_sync(&qp->stream->run_work);
	cancel_work_sync(&qp->stream->close_work);
}

static bool takes(const struct berth_send_wqe *wqe)
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
