// SPDX-License-Identifier: GPL-2.0
/*
 * Listening for the iWARP connection manager, and who calls. A call is known to the manager by a number in
 * dev->iw_calls and not by its address: the manager may forget one that it was told of, and accept one
 * that has been given up. It lasts for a while only, and there is a bound, at which the oldest that has not
 * said a word goes first.
 *
 * A call belongs to whoever has taken its number out: its own work, accept or reject, who needs its place, or
 * the end of the device. Locks: listener->mutex for cm_id.
 */
#include <linux/in6.h>
#include <linux/inetdevice.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <net/addrconf.h>
#include <net/sock.h>
#include <net/tcp.h>
#include "../dev.h"
#include "../net/netns.h"
#include "conn.h"
#include "door.h"
#include "iw_call.h"
#include "iw_cm.h"

#define CALLS_MAX	1024
#define SILENT		XA_MARK_1	/* its request has not come */
#define GREETING_TIME	(5 * HZ)	/* to send a request */
#define ANSWER_TIME	(60 * HZ)	/* for the consumer to accept or reject it */

struct berth_iw_listener {
	struct kref ref;
	struct berth_dev *dev;
	struct mutex mutex;
	struct iw_cm_id *cm_id;		/* NULL: destroyed */
	struct berth_door door;
	/* Of a listener on all addresses: connections of this host to itself come by lo. */
	struct berth_door lo_door;
};

static void free_listener(struct kref *ref)
{
	struct berth_iw_listener *listener = container_of(ref, struct berth_iw_listener, ref);

	mutex_destroy(&listener->mutex);
	kfree(listener);
}

/* Out of the device's table. Returns whether the call is the caller's now. */
static bool claim(struct berth_iw_call *call)
{
	return xa_erase(&call->dev->iw_calls, call->id);
}

static void free_call(struct berth_iw_call *call)
{
	atomic_dec(&call->dev->iw_call_count);
	if (call->listener)
		kref_put(&call->listener->ref, free_listener);
	kfree(call);
}

/**
 * berth_iw_call_take - the call of a number, which nobody else has from here on
 * @dev: device
 * @provider_data: the number, as CONNECT_REQUEST told it
 *
 * Return: the call, to be ended with berth_iw_call_end(); NULL: there is none any more.
 */
struct berth_iw_call *berth_iw_call_take(struct berth_dev *dev, void *provider_data)
{
	struct berth_iw_call *call = xa_erase(&dev->iw_calls, (unsigned long)provider_data);

	if (call)
		cancel_delayed_work_sync(&call->work);
	return call;
}

/**
 * berth_iw_call_end - a call that was taken is no more
 * @call: from berth_iw_call_take()
 * @err: 0: somebody else has its socket now, and has ended the greeting
 */
void berth_iw_call_end(struct berth_iw_call *call, int err)
{
	if (err)
		berth_tcp_release(berth_greeting_end(&call->greeting));
	/* The socket may have queued it once more before that. */
	cancel_delayed_work_sync(&call->work);
	free_call(call);
}

static int tell_request(struct berth_iw_call *call)
{
	struct berth_iw_listener *listener = call->listener;
	struct sock *sk = call->greeting.sock->sk;
	struct iw_cm_event event = {
		.event = IW_CM_EVENT_CONNECT_REQUEST,
		.provider_data = (void *)(unsigned long)call->id,
		.private_data = call->greeting.frame + berth_mpa_pd_offset(&call->frame),
		.private_data_len = call->frame.pd_len,
		/* What the peer may have outstanding, and takes, from our side. */
		.ird = min_t(u32, call->frame.enhanced ? call->frame.ord : BERTH_MAX_RD_ATOMIC,
			     BERTH_MAX_RD_ATOMIC),
		.ord = min_t(u32, call->frame.enhanced ? call->frame.ird : BERTH_MAX_RD_ATOMIC,
			     BERTH_MAX_RD_ATOMIC),
	};
	int ret = -ECONNREFUSED;

	if (kernel_getsockname(call->greeting.sock, (struct sockaddr *)&event.local_addr) < 0 ||
	    kernel_getpeername(call->greeting.sock, (struct sockaddr *)&event.remote_addr) < 0 ||
	    READ_ONCE(sk->sk_state) != TCP_ESTABLISHED)
		return -ECONNRESET;
	/* As soon as it is told somebody may take the call away from us. */
	call->listener = NULL;
	xa_clear_mark(&call->dev->iw_calls, call->id, SILENT);
	call->deadline = jiffies + ANSWER_TIME;
	mutex_lock(&listener->mutex);
	if (listener->cm_id)
		ret = listener->cm_id->event_handler(listener->cm_id, &event);
	mutex_unlock(&listener->mutex);
	kref_put(&listener->ref, free_listener);
	return ret;
}

static void refuse(struct berth_iw_call *call)
{
	const struct berth_mpa_frame reply = {
		.reply = true,
		.rev = call->frame.rev,
		.enhanced = call->frame.enhanced,
		.crc = call->frame.crc,
		.reject = true,
	};

	berth_greeting_send(&call->greeting, &reply, NULL);
}

static void call_work(struct work_struct *work)
{
	struct berth_iw_call *call = container_of(work, struct berth_iw_call, work.work);
	int ret = -EAGAIN;

	if (call->listener) {
		ret = berth_greeting_read(&call->greeting, &call->frame);
		if (!ret && call->frame.reply)
			ret = -EPROTO;
		if (!ret && (call->frame.markers || call->frame.pd_len > U8_MAX)) {
			refuse(call);
			ret = -EPROTO;
		}
		if (!ret)
			ret = tell_request(call) ?: -EAGAIN;
	}
	if (ret == -EAGAIN && time_before(jiffies, call->deadline)) {
		queue_delayed_work(berth_tcp_wq, &call->work, call->deadline - jiffies);
		return;
	}
	if (!claim(call))
		return;
	berth_tcp_release(berth_greeting_end(&call->greeting));
	cancel_delayed_work(&call->work);
	free_call(call);
}

/* The oldest silent one makes room. Returns whether there was one. */
static bool evict(struct berth_dev *dev)
{
	struct berth_iw_call *call;
	unsigned long id = 0;

	if (!xa_find(&dev->iw_calls, &id, ULONG_MAX, SILENT))
		return false;
	call = berth_iw_call_take(dev, (void *)id);
	if (call)
		berth_iw_call_end(call, -ECONNREFUSED);
	return true;
}

/* Anybody may call: a call costs little, and does not last. */
static void add_call(struct berth_iw_listener *listener, struct socket *sock)
{
	struct berth_dev *dev = listener->dev;
	struct berth_iw_call *call = NULL;

	if (atomic_inc_return(&dev->iw_call_count) <= CALLS_MAX || evict(dev))
		call = kzalloc(sizeof(*call), GFP_KERNEL);
	if (!call)
		goto release;
	call->dev = dev;
	call->listener = listener;
	call->deadline = jiffies + GREETING_TIME;
	INIT_DELAYED_WORK(&call->work, call_work);
	/* A number comes again late enough. */
	if (xa_alloc_cyclic(&dev->iw_calls, &call->id, call, xa_limit_31b, &dev->iw_call_next, GFP_KERNEL) < 0)
		goto release;
	kref_get(&listener->ref);
	/* The work may run as soon as the socket knows it, but not end the call before we are through. */
	xa_lock(&dev->iw_calls);
	berth_greeting_begin(&call->greeting, sock, &call->work);
	/* For what has come already. */
	mod_delayed_work(berth_tcp_wq, &call->work, 0);
	__xa_set_mark(&dev->iw_calls, call->id, SILENT);
	xa_unlock(&dev->iw_calls);
	return;

release:
	atomic_dec(&dev->iw_call_count);
	kfree(call);
	berth_tcp_release(sock);
}

static void come(struct berth_door *door, struct socket *sock)
{
	add_call(container_of(door, struct berth_iw_listener, door), sock);
}

/* The same for lo, whose connections may be for another device's address. */
static void come_by_lo(struct berth_door *door, struct socket *sock)
{
	struct berth_iw_listener *listener = container_of(door, struct berth_iw_listener, lo_door);
	struct net_device *ndev = NULL;

	rcu_read_lock();
	if (sock->sk->sk_family == AF_INET)
		ndev = __ip_dev_find(sock_net(sock->sk), sock->sk->sk_rcv_saddr, false);
	else if (ipv6_chk_addr(sock_net(sock->sk), &sock->sk->sk_v6_rcv_saddr, listener->dev->ndev, 0))
		ndev = listener->dev->ndev;
	rcu_read_unlock();
	if (ndev == listener->dev->ndev)
		add_call(listener, sock);
	else
		berth_tcp_release(sock);
}

static bool is_any(const struct sockaddr_storage *ss)
{
	if (ss->ss_family == AF_INET)
		return ((const struct sockaddr_in *)ss)->sin_addr.s_addr == htonl(INADDR_ANY);
	return ipv6_addr_any(&((const struct sockaddr_in6 *)ss)->sin6_addr);
}

static int open_doors(struct berth_iw_listener *listener, const struct sockaddr_storage *ss, int backlog)
{
	struct net *net = berth_netns_net(listener->dev->netns);
	const struct sockaddr *addr = (const struct sockaddr *)ss;
	const int oif = listener->dev->ndev->ifindex, lo = net->loopback_dev->ifindex;
	int err;

	if (ss->ss_family != AF_INET && ss->ss_family != AF_INET6)
		return -EAFNOSUPPORT;
	if (!is_any(ss))
		return berth_door_open(&listener->door, net, addr, backlog, 0, come);
	/* Each device in a namespace listens by itself, so it takes what comes by its own netdev. */
	err = berth_door_open(&listener->door, net, addr, backlog, oif, come);
	/* Of several devices one gets the connections by lo. */
	if (!err && oif != lo)
		berth_door_open(&listener->lo_door, net, addr, backlog, lo, come_by_lo);
	return err;
}

/**
 * berth_iw_create_listen - ib_device_ops.iw_create_listen
 * @cm_id: the manager's
 * @backlog: requests that the consumer has not seen
 *
 * Return: 0; -EADDRINUSE and others of the socket's; -ENOMEM.
 */
int berth_iw_create_listen(struct iw_cm_id *cm_id, int backlog)
{
	struct berth_iw_listener *listener = kzalloc(sizeof(*listener), GFP_KERNEL);
	int err;

	if (!listener)
		return -ENOMEM;
	kref_init(&listener->ref);
	mutex_init(&listener->mutex);
	listener->dev = berth_dev(cm_id->device);
	listener->cm_id = cm_id;
	err = open_doors(listener, &cm_id->m_local_addr, backlog);
	if (err) {
		kref_put(&listener->ref, free_listener);
		return err;
	}
	cm_id->provider_data = listener;
	return 0;
}

/**
 * berth_iw_destroy_listen - ib_device_ops.iw_destroy_listen
 * @cm_id: the manager's; it is told nothing any more when this returns
 *
 * Return: 0.
 */
int berth_iw_destroy_listen(struct iw_cm_id *cm_id)
{
	struct berth_iw_listener *listener = cm_id->provider_data;

	berth_door_close(&listener->door);
	berth_door_close(&listener->lo_door);
	mutex_lock(&listener->mutex);
	listener->cm_id = NULL;
	mutex_unlock(&listener->mutex);
	kref_put(&listener->ref, free_listener);
	return 0;
}

/**
 * berth_iw_dev_fini - calls that nobody has answered
 * @dev: not registered any more
 */
void berth_iw_dev_fini(struct berth_dev *dev)
{
	struct berth_iw_call *call;
	unsigned long id;

	xa_for_each(&dev->iw_calls, id, call) {
		call = berth_iw_call_take(dev, (void *)id);
		if (call)
			berth_iw_call_end(call, -ECONNABORTED);
	}
	xa_destroy(&dev->iw_calls);
}
