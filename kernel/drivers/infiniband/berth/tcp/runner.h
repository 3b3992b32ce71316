/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Who works on a connected socket. Whoever holds its lock takes what has come and sends what there is to
 * send: TCP in softirq, when something has come or room was made; the process that rang the doorbell; a
 * worker, for what is too much for softirq or had to wait. Nobody waits for another QP, and nothing is
 * queued for somebody else first.
 *
 * A runner is part of what it runs (struct berth_conn, struct berth_socket), which outlives its work.
 */
#ifndef BERTH_TCP_RUNNER_H
#define BERTH_TCP_RUNNER_H

#include <net/sock.h>

struct task_struct;
struct delayed_work;

/* Between two looks for receives where the process that posts them does not tell. */
#define BERTH_SILENT_POLL	msecs_to_jiffies(10)

/* The callbacks of a socket. */
struct berth_hook {
	void (*data_ready)(struct sock *sk);
	void (*state_change)(struct sock *sk);
	void (*write_space)(struct sock *sk);
	void (*error_report)(struct sock *sk);
};

struct berth_runner {
	struct sock *sk;
	void (*run)(struct berth_runner *r, u32 budget);	/* takes and sends, up to @budget bytes; the socket locked */
	struct task_struct *task;	/* is in berth_runner_process(); compared only */

	/* All below under the socket's lock. */
	struct delayed_work *work;	/* calls berth_runner_process(); NULL: nobody is told any more */
	struct berth_hook old;		/* whom the socket told before */
	bool sending;			/* run() is: it sees for itself what room is made meanwhile */
	bool again;			/* something has come while the task had the socket: to be run once more */
};

void berth_runner_start(struct berth_runner *r, struct delayed_work *work);
void berth_runner_stop(struct berth_runner *r);
void berth_runner_process(struct berth_runner *r);
void berth_runner_again(struct berth_runner *r, unsigned long delay);

#endif
