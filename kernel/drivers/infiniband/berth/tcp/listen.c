// SPDX-License-Identifier: GPL-2.0
/*
 * Answering. A connection that comes in is a caller until it has said which QP it wants and that QP
 * is ready for it; then it is the QP's. A QP that comes to RTR looks whether it has been called
 * already. Anybody may call: a caller costs little, does not last, and there is a bound, at which the
 * oldest that has not said a word goes first.
 *
 * Locks: listener->mutex for opening and closing; listener->lock for the list of callers. A caller
 * belongs to its work, which alone removes and frees it; closing cancels the works first.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/mutex.h>
#include <linux/slab.h>
#include <net/inet_sock.h>
#include <net/ipv6.h>
#include <net/netns/generic.h>
#include <net/tcp.h>
#include "../net/netns.h"
#include "../obj/qp_state.h"
#include "../transport.h"
#include "conn.h"
#include "dial.h"
#include "door.h"
#include "greet.h"
#include "listen.h"
#include "tcp.h"

#define BACKLOG		128
#define CALLERS_MAX	1024
#define GREETING_TIME	(5 * HZ)	/* to say which QP */
#define CLAIM_TIME	(30 * HZ)	/* until that is ready */

struct berth_listener {
	struct net *net;
	struct mutex mutex;
	unsigned int users;		/* QPs; under mutex */
	struct berth_door door[2];	/* IPv4, IPv6; the same */
	spinlock_t lock;		/* what follows */
	struct list_head callers;	/* oldest first */
	wait_queue_head_t alone;	/* there are none any more */
	unsigned int count;
};

struct berth_caller {
	struct berth_listener *listener;
	struct list_head node;
	struct delayed_work work;
	struct berth_greeting greeting;
	struct berth_mpa_frame frame;
	struct berth_hello hello;
	bool whole;			/* both are here */
	bool evicted;
	unsigned long deadline;
};

static unsigned int listener_id __read_mostly;

/*
 * The end of a caller, by its own work. Who queues that finds the caller in the list or by its socket;
 * what was queued before is taken back. Returns the socket.
 */
static struct socket *dismiss(struct berth_caller *caller)
{
	struct berth_listener *listener = caller->listener;
	struct socket *sock = berth_greeting_end(&caller->greeting);

	spin_lock_bh(&listener->lock);
	list_del(&caller->node);
	if (!--listener->count)
		wake_up(&listener->alone);
	cancel_delayed_work(&caller->work);
	spin_unlock_bh(&listener->lock);
	kfree(caller);
	return sock;
}

/* From the peer's address to ours. */
static bool addresses_match(const struct sock *sk, const struct berth_path *path)
{
	if (path->family == AF_INET)
		return sk->sk_family == AF_INET && sk->sk_daddr == path->daddr.v4 &&
		       sk->sk_rcv_saddr == path->saddr.v4;
	return sk->sk_family == AF_INET6 &&
	       ipv6_addr_equal(&sk->sk_v6_daddr, &path->daddr.v6) &&
	       ipv6_addr_equal(&sk->sk_v6_rcv_saddr, &path->saddr.v6);
}

/* 0: the QP is the one that is wanted, and ready; -EAGAIN: not ready yet; -ECONNREFUSED. */
static int judge(struct berth_qp *qp, const struct berth_caller *caller)
{
	const struct sock *sk = caller->greeting.sock->sk;
	int ret = -ECONNREFUSED;

	if (!qp->tcp || berth_netns_net(qp->dev->netns) != caller->listener->net)
		return ret;
	spin_lock_bh(&qp->sq.lock);
	if (qp->state == IB_QPS_RESET || qp->state == IB_QPS_INIT)
		ret = -EAGAIN;
	else if (berth_qp_responds(qp) && !qp->failed &&
		 be32_to_cpu(caller->hello.src_qpn) == qp->dest_qpn &&
		 addresses_match(sk, &qp->path))
		ret = 0;
	spin_unlock_bh(&qp->sq.lock);
	return ret;
}

/* The QP takes the call. Returns 0, or as judge(). */
static int answer(struct berth_qp *qp, struct berth_caller *caller)
{
	struct berth_mpa_frame reply = berth_greeting_frame(qp, true);
	struct berth_tcp *tcp = qp->tcp;
	struct berth_conn *conn;

	if (tcp->state == BERTH_TCP_IDLE)
		return -EAGAIN;		/* its work will claim us */
	if (tcp->state != BERTH_TCP_AWAIT)
		return -ECONNREFUSED;
	reply.crc |= caller->frame.crc;
	if (caller->frame.markers || berth_greeting_send_hello(&caller->greeting, qp, &reply))
		return -ECONNREFUSED;
	conn = berth_conn_alloc(caller->greeting.sock, reply.crc, false);
	if (!conn)
		return -ECONNREFUSED;
	dismiss(caller);
	tcp->state = BERTH_TCP_UP;
	berth_conn_attach(conn, tcp);
	return 0;
}

/* Offers the call to the QP that it is for; 0: taken, the caller is no more. */
static int offer(struct berth_caller *caller)
{
	struct berth_qp *qp = berth_qp_get(be32_to_cpu(caller->hello.dst_qpn) & BERTH_RING_QPN_MASK);
	int ret;

	if (!qp)
		return -ECONNREFUSED;
	ret = judge(qp, caller);
	if (!ret) {
		mutex_lock(&qp->tcp->mutex);
		ret = judge(qp, caller);
		if (!ret)
			ret = answer(qp, caller);
		mutex_unlock(&qp->tcp->mutex);
	}
	berth_qp_put(qp);
	return ret;
}

static void caller_work(struct work_struct *work)
{
	struct berth_caller *caller = container_of(work, struct berth_caller, work.work);
	int ret = caller->evicted ? -ECONNREFUSED : 0;

	if (!ret && !caller->whole) {
		ret = berth_greeting_read_hello(&caller->greeting, &caller->frame, &caller->hello);
		if (!ret && caller->frame.reply)
			ret = -EPROTO;
		if (!ret) {
			caller->deadline = jiffies + CLAIM_TIME;
			/* Release: berth_listen_claim() reads hello then. */
			smp_store_release(&caller->whole, true);
		}
	}
	if (!ret && caller->greeting.sock->sk->sk_state != TCP_ESTABLISHED)
		ret = -ECONNRESET;
	if (!ret)
		ret = offer(caller);
	if (!ret)
		return;
	if (ret != -EAGAIN || time_after_eq(jiffies, caller->deadline)) {
		berth_tcp_release(dismiss(caller));
		return;
	}
	queue_delayed_work(berth_tcp_wq, &caller->work, caller->deadline - jiffies);
}

/* The oldest that has not said whom it wants makes room. Called with listener->lock held. */
static void evict(struct berth_listener *listener)
{
	struct berth_caller *caller;

	list_for_each_entry(caller, &listener->callers, node) {
		if (READ_ONCE(caller->whole) || caller->evicted)
			continue;
		caller->evicted = true;
		mod_delayed_work(berth_tcp_wq, &caller->work, 0);
		return;
	}
}

/* The work may run as soon as somebody knows the caller: by the list, or by its socket. */
static bool add(struct berth_listener *listener, struct berth_caller *caller, struct socket *sock)
{
	bool welcome;

	spin_lock_bh(&listener->lock);
	if (listener->count >= CALLERS_MAX)
		evict(listener);
	welcome = listener->count < 2 * CALLERS_MAX;
	if (welcome) {
		list_add_tail(&caller->node, &listener->callers);
		listener->count++;
		berth_greeting_begin(&caller->greeting, sock, &caller->work);
		/* For what has come already. */
		mod_delayed_work(berth_tcp_wq, &caller->work, 0);
	}
	spin_unlock_bh(&listener->lock);
	return welcome;
}

static void welcome(struct berth_listener *listener, struct socket *sock)
{
	struct berth_caller *caller = kzalloc(sizeof(*caller), GFP_KERNEL);

	if (!caller)
		goto refuse;
	caller->listener = listener;
	caller->deadline = jiffies + GREETING_TIME;
	INIT_DELAYED_WORK(&caller->work, caller_work);
	if (add(listener, caller, sock))
		return;

refuse:
	kfree(caller);
	berth_tcp_release(sock);
}

static void welcome_v4(struct berth_door *door, struct socket *sock)
{
	welcome(container_of(door, struct berth_listener, door[0]), sock);
}

static void welcome_v6(struct berth_door *door, struct socket *sock)
{
	welcome(container_of(door, struct berth_listener, door[1]), sock);
}

static void warn_open(int err, int family)
{
	if (err == -EADDRINUSE)
		pr_warn("TCP port %u over %s is taken in this network namespace (`ss -ltn`): free it first\n",
			BERTH_TCP_PORT, family == AF_INET ? "IPv4" : "IPv6");
	else
		pr_warn("cannot open TCP port %u over %s: error %d\n", BERTH_TCP_PORT,
			family == AF_INET ? "IPv4" : "IPv6", err);
}

static int start(struct berth_listener *listener)
{
	const struct sockaddr_in6 sin6 = {
		.sin6_family = AF_INET6,
		.sin6_port = htons(BERTH_TCP_PORT),
	};
	const struct sockaddr_in sin = { .sin_family = AF_INET, .sin_port = htons(BERTH_TCP_PORT) };
	int err;

	err = berth_door_open(&listener->door[0], listener->net, (const struct sockaddr *)&sin, BACKLOG,
			      0, welcome_v4);
	if (err) {
		warn_open(err, AF_INET);
		return err;
	}
	err = berth_door_open(&listener->door[1], listener->net, (const struct sockaddr *)&sin6, BACKLOG,
			      0, welcome_v6);
	if (err == -EAFNOSUPPORT || err == -EPFNOSUPPORT)
		err = 0;
	if (err) {
		warn_open(err, AF_INET6);
		berth_door_close(&listener->door[0]);
	}
	return err;
}

/* Nobody listens any more, and who has called is sent away by his own work. */
static void stop(struct berth_listener *listener)
{
	struct berth_caller *caller;

	berth_door_close(&listener->door[0]);
	berth_door_close(&listener->door[1]);
	spin_lock_bh(&listener->lock);
	list_for_each_entry(caller, &listener->callers, node) {
		caller->evicted = true;
		mod_delayed_work(berth_tcp_wq, &caller->work, 0);
	}
	spin_unlock_bh(&listener->lock);
	wait_event(listener->alone, !READ_ONCE(listener->count));
	/* The one who woke us up still holds the lock. */
	spin_lock_bh(&listener->lock);
	spin_unlock_bh(&listener->lock);
}

static struct berth_listener *listener_of(const struct berth_qp *qp)
{
	return net_generic(berth_netns_net(qp->dev->netns), listener_id);
}

/**
 * berth_listen_open - a QP may be called from now on
 * @qp: queue pair that has not called this since berth_listen_close()
 *
 * Context: process. Return: 0; -EADDRINUSE: somebody else has the port, said in the log; -ENOMEM.
 */
int berth_listen_open(struct berth_qp *qp)
{
	struct berth_listener *listener = listener_of(qp);
	int err = 0;

	mutex_lock(&listener->mutex);
	if (!listener->users)
		err = start(listener);
	if (!err)
		listener->users++;
	mutex_unlock(&listener->mutex);
	return err;
}

/**
 * berth_listen_close - a QP wants no calls any more
 * @qp: queue pair, tcp->mutex not held
 *
 * Context: process; the last of a namespace waits for all callers' works.
 */
void berth_listen_close(struct berth_qp *qp)
{
	struct berth_listener *listener = listener_of(qp);

	mutex_lock(&listener->mutex);
	if (!--listener->users)
		stop(listener);
	mutex_unlock(&listener->mutex);
}

/**
 * berth_listen_claim - a QP has come to await its call
 * @qp: queue pair, tcp->mutex held
 */
void berth_listen_claim(struct berth_qp *qp)
{
	struct berth_listener *listener = listener_of(qp);
	struct berth_caller *caller;

	spin_lock_bh(&listener->lock);
	list_for_each_entry(caller, &listener->callers, node)
		/* Acquire: pairs with caller_work(). */
		if (smp_load_acquire(&caller->whole) &&
		    be32_to_cpu(caller->hello.dst_qpn) == qp->qpn)
			mod_delayed_work(berth_tcp_wq, &caller->work, 0);
	spin_unlock_bh(&listener->lock);
}

static int __net_init listener_init(struct net *net)
{
	struct berth_listener *listener = net_generic(net, listener_id);

	listener->net = net;
	mutex_init(&listener->mutex);
	spin_lock_init(&listener->lock);
	INIT_LIST_HEAD(&listener->callers);
	init_waitqueue_head(&listener->alone);
	return 0;
}

/* All QPs are gone: a namespace does not end before its devices have, see net/netns.c. */
static void __net_exit listener_exit(struct net *net)
{
	struct berth_listener *listener = net_generic(net, listener_id);

	WARN_ON(listener->users);
	mutex_destroy(&listener->mutex);
}

static struct pernet_operations listener_ops = {
	.init = listener_init,
	.exit = listener_exit,
	.id = &listener_id,
	.size = sizeof(struct berth_listener),
};

int berth_listen_module_init(void)
{
	return register_pernet_subsys(&listener_ops);
}

void berth_listen_module_fini(void)
{
	unregister_pernet_subsys(&listener_ops);
}
