// SPDX-License-Identifier: GPL-2.0
/* The callbacks of a socket, taken over and given back, and whose turn it is; see runner.h. */
#include <linux/sched.h>
#include <linux/workqueue.h>
#include <net/tcp.h>
#include "../obj/qp.h"
#include "runner.h"

/* Bytes at a stretch in softirq, and by processes and workers between two looks at others. */
#define SOFTIRQ_BUDGET	(256U << 10)
#define PROCESS_BUDGET	(512U << 10)

/* How often a process or worker goes on with what came while it had the socket, before another one does. */
#define STRETCHES	8

/* From now on the socket tells somebody else. Returns whom it told before. */
static struct berth_hook hook_set(struct sock *sk, const struct berth_hook *hook, void *data)
{
	struct berth_hook old;

	write_lock_bh(&sk->sk_callback_lock);
	old = (struct berth_hook){
		.data_ready = sk->sk_data_ready,
		.state_change = sk->sk_state_change,
		.write_space = sk->sk_write_space,
		.error_report = sk->sk_error_report,
	};
	WRITE_ONCE(sk->sk_user_data, data);
	sk->sk_data_ready = hook->data_ready;
	sk->sk_state_change = hook->state_change;
	sk->sk_write_space = hook->write_space;
	sk->sk_error_report = hook->error_report;
	write_unlock_bh(&sk->sk_callback_lock);
	return old;
}

/*
 * Called by whoever had the socket, who lets go of it and hands TCP what came meanwhile (its backlog). All of that counts
 * against the window until it is through: read now, it would leave a window as small as it was told of last, and nobody
 * would tell of a larger one. So it is read when the socket is taken again: by berth_runner_process(), or by a worker
 * where a process had it with an option of the socket's.
 */
static bool in_backlog(struct berth_runner *r)
{
	if (!sock_owned_by_user_nocheck(r->sk))
		return false;
	if (READ_ONCE(r->task) == current)
		WRITE_ONCE(r->again, true);
	else
		berth_runner_again(r, 0);
	return true;
}

static void data_ready(struct sock *sk)
{
	struct berth_runner *r = sk->sk_user_data;

	if (r && !in_backlog(r))
		r->run(r, SOFTIRQ_BUDGET);
}

static void write_space(struct sock *sk)
{
	struct berth_runner *r = sk->sk_user_data;

	if (!r || r->sending || !sk_stream_is_writeable(sk))
		return;
	clear_bit(SOCK_NOSPACE, &sk->sk_socket->flags);
	if (!in_backlog(r))
		r->run(r, SOFTIRQ_BUDGET);
}

/*
 * In the middle of what TCP does with a segment: later. Errors are also reported without the socket's lock, even by
 * interrupts (what the process has asked for of the socket level: timestamps of what was sent).
 */
static void state_change(struct sock *sk)
{
	struct berth_runner *r;

	rcu_read_lock();
	r = READ_ONCE(sk->sk_user_data);
	if (r)
		berth_runner_again(r, 0);
	rcu_read_unlock();
}

static const struct berth_hook hook = {
	.data_ready = data_ready,
	.state_change = state_change,
	.write_space = write_space,
	.error_report = state_change,
};

/**
 * berth_runner_start - from now on TCP tells the runner
 * @r: runner, its socket locked
 * @work: berth_runner_process() for workers
 *
 * Context: process. What has come already is not told of.
 */
void berth_runner_start(struct berth_runner *r, struct delayed_work *work)
{
	r->work = work;
	r->old = hook_set(r->sk, &hook, r);
}

/**
 * berth_runner_stop - TCP tells whom it told before
 * @r: runner, its socket locked
 *
 * When the socket's lock is let go of nobody in softirq is in run() or will be. Who reports an error without that lock
 * is done with the runner after an RCU grace period.
 *
 * Context: process.
 */
void berth_runner_stop(struct berth_runner *r)
{
	hook_set(r->sk, &r->old, NULL);
	WRITE_ONCE(r->work, NULL);
}

/**
 * berth_runner_process - run() by a process or a worker
 * @r: runner
 *
 * Context: process; none of the QP's locks held.
 */
void berth_runner_process(struct berth_runner *r)
{
	int left = STRETCHES;

	do {
		lock_sock(r->sk);
		WRITE_ONCE(r->task, current);
		r->again = false;
		r->run(r, PROCESS_BUDGET);
		if (!--left)
			berth_runner_again(r, 0);
		release_sock(r->sk);
	} while (left && READ_ONCE(r->again));
	/* Unless somebody else is by now. */
	cmpxchg(&r->task, current, NULL);
}

/**
 * berth_runner_again - have a worker run it
 * @r: runner, its socket locked; or an RCU reader that has found it by its socket
 * @delay: jiffies until then
 */
void berth_runner_again(struct berth_runner *r, unsigned long delay)
{
	struct delayed_work *work = READ_ONCE(r->work);

	if (work)
		mod_delayed_work(berth_qp_wq, work, delay);
}
