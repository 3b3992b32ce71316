// SPDX-License-Identifier: GPL-2.0
/*
 * TCP-offload QPs in message mode as a transport: what the objects may ask of it.
 *
 * Contexts and locks are those of struct berth_transport; see conn.h for the connection's.
 */
#include <linux/slab.h>
#include <net/tcp.h>
#include "../obj/qp.h"
#include "../obj/qp_state.h"
#include "../op/source.h"
#include "../stats.h"
#include "../wire/bth.h"
#include "conn.h"
#include "dial.h"
#include "iw_cm.h"
#include "listen.h"
#include "tcp.h"

/* TCP itself needs this long to send something again more than once or twice. */
#define SILENCE_MIN	(4UL * HZ)

struct workqueue_struct *berth_tcp_wq;

/* Runs the connection, if there is one. */
static void run(struct berth_tcp *tcp)
{
	struct berth_conn *conn = berth_conn_get(tcp);

	if (!conn)
		return;
	berth_runner_process(&conn->runner);
	berth_conn_put(conn);
}

static void run_work(struct work_struct *work)
{
	run(container_of(work, struct berth_tcp, run_work.work));
}

/* A wait is over: for memory, or for a receive of the peer, which may still be missing. */
static enum hrtimer_restart resume(struct hrtimer *timer)
{
	struct berth_qp *qp = container_of(timer, struct berth_qp, sq.wait);
	struct berth_sq *sq = &qp->sq;
	struct berth_conn *conn = berth_conn_get(qp->tcp);

	spin_lock(&sq->lock);
	if (!ktime_before(ktime_get(), sq->resume)) {
		sq->waiting = false;
		if (conn && conn->peer_rnr && berth_qp_requests(qp) && !READ_ONCE(qp->failed))
			berth_tcp_unready(conn);
	}
	spin_unlock(&sq->lock);
	if (conn)
		berth_conn_put(conn);
	berth_qp_settle(qp);
	mod_delayed_work(berth_qp_wq, &qp->tcp->run_work, 0);
	return HRTIMER_NORESTART;
}

/* How long a request may wait for a connection or for a sign of life; 0: for ever. */
unsigned long berth_tcp_patience(const struct berth_sq *sq)
{
	u64 nsec = berth_timeout_nsec(sq->timeout);

	return nsec ? nsecs_to_jiffies(3 * nsec * (sq->retry_count + 1)) + 2 : 0;
}

/*
 * Answers are outstanding: is the peer still there? Its TCP acknowledges, if nothing else; when there is
 * nothing to acknowledge it is asked.
 */
static void watch(struct berth_qp *qp, struct berth_conn *conn)
{
	const unsigned long wait = max(berth_tcp_patience(&qp->sq), SILENCE_MIN);
	const struct tcp_sock *tp = tcp_sk(conn->runner.sk);
	u32 silent = tcp_jiffies32 - READ_ONCE(tp->rcv_tstamp);

	if (READ_ONCE(tp->packets_out) && silent >= wait) {
		WRITE_ONCE(conn->silent, true);
		mod_delayed_work(berth_qp_wq, &qp->tcp->run_work, 0);
	} else if (READ_ONCE(conn->expect_count)) {
		mod_timer(&qp->sq.timer, jiffies + max_t(long, wait - silent, HZ / 10));
		if (silent >= wait && !READ_ONCE(conn->probe)) {
			WRITE_ONCE(conn->probe, true);
			mod_delayed_work(berth_qp_wq, &qp->tcp->run_work, 0);
		}
	}
}

static void timed_out(struct timer_list *timer)
{
	struct berth_qp *qp = container_of(timer, struct berth_qp, sq.timer);
	struct berth_conn *conn = berth_conn_get(qp->tcp);

	if (conn) {
		watch(qp, conn);
		berth_conn_put(conn);
		return;
	}
	/* No connection has come about. */
	spin_lock(&qp->sq.lock);
	if (berth_qp_requests(qp) && !READ_ONCE(qp->failed) && qp->sq.tail != qp->sq.head) {
		berth_count(qp->dev, BERTH_CNT_TIMEOUTS);
		berth_count(qp->dev, BERTH_CNT_RETRY_EXCEEDED);
		berth_req_fail(qp, IB_WC_RETRY_EXC_ERR);
	}
	spin_unlock(&qp->sq.lock);
	berth_qp_settle(qp);
}

static int setup_with(struct berth_qp *qp, work_func_t work)
{
	struct berth_tcp *tcp = kzalloc(sizeof(*tcp), GFP_KERNEL_ACCOUNT);

	if (!tcp)
		return -ENOMEM;
	tcp->qp = qp;
	spin_lock_init(&tcp->lock);
	mutex_init(&tcp->mutex);
	INIT_DELAYED_WORK(&tcp->work, work);
	INIT_DELAYED_WORK(&tcp->run_work, run_work);
	qp->tcp = tcp;
	timer_setup(&qp->sq.timer, timed_out, 0);
	hrtimer_init(&qp->sq.wait, CLOCK_MONOTONIC, HRTIMER_MODE_REL_SOFT);
	qp->sq.wait.function = resume;
	return 0;
}

static int setup(struct berth_qp *qp)
{
	return setup_with(qp, berth_dial_work);
}

static int setup_iw(struct berth_qp *qp)
{
	return setup_with(qp, berth_iw_work);
}

static void teardown(struct berth_qp *qp)
{
	mutex_destroy(&qp->tcp->mutex);
	kfree(qp->tcp);
	qp->tcp = NULL;
}

/* From INIT on the peer may call: it may be at RTR before us, and would find nobody. */
static int prepare(struct berth_qp *qp, enum ib_qp_state next)
{
	int err;

	if (qp->tcp->listening)
		return 0;
	err = berth_listen_open(qp);
	qp->tcp->listening = !err;
	return err;
}

static void quiesce(struct berth_qp *qp)
{
	struct berth_tcp *tcp = qp->tcp;

	mutex_lock(&tcp->mutex);
	if (qp->transport == &berth_iw_transport)
		berth_iw_close(tcp);
	else
		berth_dial_close(tcp);
	tcp->state = BERTH_TCP_IDLE;
	mutex_unlock(&tcp->mutex);
	hrtimer_cancel(&qp->sq.wait);
	timer_delete_sync(&qp->sq.timer);
	if (tcp->listening)
		berth_listen_close(qp);
	tcp->listening = false;
}

static void shutdown(struct berth_qp *qp)
{
	struct berth_tcp *tcp = qp->tcp;

	quiesce(qp);
	timer_shutdown_sync(&qp->sq.timer);
	cancel_delayed_work_sync(&tcp->work);
	cancel_delayed_work_sync(&tcp->run_work);
}

static bool takes(const struct berth_swqe *wqe)
{
	return wqe->opcode != BERTH_WR_ATOMIC_WRITE;
}

/* What every iWARP peer knows. */
static bool takes_iw(const struct berth_swqe *wqe)
{
	switch (wqe->opcode) {
	case BERTH_WR_SEND_IMM:
	case BERTH_WR_WRITE_IMM:
	case BERTH_WR_CMP_SWP:
	case BERTH_WR_FETCH_ADD:
	case BERTH_WR_ATOMIC_WRITE:
		return false;
	default:
		return true;
	}
}

/* Without a connection, or in the error state: what can be done all the same. */
static void idle(struct berth_qp *qp)
{
	unsigned long wait = berth_tcp_patience(&qp->sq);

	/* TCP sends a SYN that was lost again after a second, and after three. */
	if (wait)
		wait = max(wait, SILENCE_MIN);

	spin_lock_bh(&qp->sq.lock);
	if (berth_tcp_idle_step(qp) && wait && !timer_pending(&qp->sq.timer))
		mod_timer(&qp->sq.timer, jiffies + wait);
	spin_unlock_bh(&qp->sq.lock);
	berth_qp_settle(qp);
}

static void kick(struct berth_qp *qp)
{
	struct berth_conn *conn = berth_conn_get(qp->tcp);

	if (!conn || READ_ONCE(qp->state) == IB_QPS_ERR)
		idle(qp);
	else
		berth_runner_process(&conn->runner);
	if (conn)
		berth_conn_put(conn);
}

static void reset_requester(struct berth_qp *qp, u32 psn)
{
	qp->sq.psn = psn;
	qp->sq.waiting = false;
}

/* RTR: the peer is known. */
static void reset_responder(struct berth_qp *qp, u32 psn)
{
	qp->rq.epsn = psn;
	qp->rq.msn = 0;
	mod_delayed_work(berth_tcp_wq, &qp->tcp->work, 0);
}

/* The state is one in which there is no connection. */
static void stopped(struct berth_qp *qp)
{
	mod_delayed_work(berth_tcp_wq, &qp->tcp->work, 0);
}

static void receives_posted(struct berth_qp *qp)
{
	run(qp->tcp);
}

const struct berth_transport berth_tcp_transport = {
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
	.reset_requester = reset_requester,
	.reset_responder = reset_responder,
	.stopped = stopped,
	.receives_posted = receives_posted,
};

const struct berth_transport berth_iw_transport = {
	.service = BERTH_SERVICE_NONE,
	.reliable = true,
	.sq_error = IB_QPS_ERR,
	.setup = setup_iw,
	.teardown = teardown,
	.quiesce = quiesce,
	.shutdown = shutdown,
	.takes = takes_iw,
	.kick = kick,
	.reset_requester = reset_requester,
	.reset_responder = reset_responder,
	.stopped = stopped,
	.receives_posted = receives_posted,
};

int berth_tcp_module_init(void)
{
	int err;

	berth_tcp_wq = alloc_workqueue("berth_tcp", WQ_UNBOUND | WQ_MEM_RECLAIM, 0);
	if (!berth_tcp_wq)
		return -ENOMEM;
	err = berth_listen_module_init();
	if (err)
		destroy_workqueue(berth_tcp_wq);
	return err;
}

void berth_tcp_module_fini(void)
{
	berth_listen_module_fini();
	destroy_workqueue(berth_tcp_wq);
}
