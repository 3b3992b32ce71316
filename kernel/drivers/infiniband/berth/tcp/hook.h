/* SPDX-License-Identifier: GPL-2.0 */
/* The callbacks of a socket, taken over by who works on it and given back. */
#ifndef BERTH_TCP_HOOK_H
#define BERTH_TCP_HOOK_H

#include <net/sock.h>

struct berth_hook {
	void (*data_ready)(struct sock *sk);
	void (*state_change)(struct sock *sk);
	void (*write_space)(struct sock *sk);
	void (*error_report)(struct sock *sk);
};

/**
 * berth_hook_set - from now on a socket tells somebody else
 * @sk: socket, locked
 * @hook: whom
 * @data: sk_user_data, for them
 *
 * Return: whom it told before.
 */
static inline struct berth_hook berth_hook_set(struct sock *sk, const struct berth_hook *hook,
					       void *data)
{
	struct berth_hook old;

	write_lock_bh(&sk->sk_callback_lock);
	old = (struct berth_hook){
		.data_ready = sk->sk_data_ready,
		.state_change = sk->sk_state_change,
		.write_space = sk->sk_write_space,
		.error_report = sk->sk_error_report,
	};
	sk->sk_user_data = data;
	sk->sk_data_ready = hook->data_ready;
	sk->sk_state_change = hook->state_change;
	sk->sk_write_space = hook->write_space;
	sk->sk_error_report = hook->error_report;
	write_unlock_bh(&sk->sk_callback_lock);
	return old;
}

#endif
