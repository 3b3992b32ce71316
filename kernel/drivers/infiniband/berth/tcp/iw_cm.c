// SPDX-License-Identifier: GPL-2.0
/*
 * The iWARP connection manager's driver. A QP that connects goes through MPA's handshake with its own work,
 * as one that dials (dial.c) does; a connection that comes in is a call (iw_call.c) until it is
 * accepted. RFC 5044, 7.1; RFC 6581.
 *
 * The manager's rules (drivers/infiniband/core/iwcm.c): when connect or accept has returned an error no event
 * may follow; after a connect that has not, CONNECT_REPLY has to, and after one without an error, CLOSE.
 * It holds a reference of the QP until then. Events are only queued by it, so they may be told
 * while locks are held.
 *
 * Locks: state_mutex, tcp->mutex.
 */
#include <linux/cred.h>
#include <linux/in6.h>
#include <linux/slab.h>
#include <net/ip.h>
#include <net/sock.h>
#include <net/tcp.h>
#include "../net/netns.h"
#include "../obj/qp_state.h"
#include "../op/source.h"
#include "conn.h"
#include "dial.h"
#include "greet.h"
#include "iw_call.h"
#include "iw_cm.h"
#include "tcp.h"

/* For TCP's handshake and the peer's reply. */
#define CONNECT_TIME	(10 * HZ)

/*
 * A port where nobody listens is asked again, for so long: a server that takes a connection at a time is between two of
 * them for a moment. Of RoCE's manager it would hear then, as its requests are repeated.
 */
#define REFUSED_TIME	HZ
#define PAUSE_MAX	msecs_to_jiffies(200)

/* Until a peer that owes the answer of a READ and is silent is asked: there is no attribute that says. */
#define TIMEOUT_CODE	17	/* half a second */
#define RETRIES		7

/* May whoever calls connect this QP? The number comes from a process, which may have guessed it. */
static bool may_connect(const struct berth_qp *qp)
{
	const struct rdma_restrack_entry *res = &qp->ib->res;

	if (current->flags & (PF_KTHREAD | PF_WQ_WORKER))
		return true;
	if (rdma_is_kernel_res(res))
		return capable(CAP_NET_ADMIN);
	return res->task && uid_eq(task_uid(res->task), current_uid());
}

/**
 * berth_iw_get_qp - ib_device_ops.iw_get_qp
 * @ib: device
 * @qpn: from the consumer
 *
 * With a reference, because the QP may go before the manager takes its own, see berth_iw_add_ref().
 *
 * Context: any. Return: the QP, or NULL.
 */
struct ib_qp *berth_iw_get_qp(struct ib_device *ib, int qpn)
{
	struct berth_qp *qp = berth_qp_get(qpn);

	if (!qp)
		return NULL;
	if (qp->dev != berth_dev(ib) || qp->transport != &berth_iw_transport || !may_connect(qp)) {
		berth_qp_put(qp);
		return NULL;
	}
	return qp->ib;
}

/* The manager calls it behind each iw_get_qp and nowhere else. */
void berth_iw_add_ref(struct ib_qp *ib)
{
}

void berth_iw_rem_ref(struct ib_qp *ib)
{
	berth_qp_put(berth_qp(ib));
}

static void tell(struct berth_tcp *tcp, enum iw_cm_event_type type, int status,
		 const struct berth_greeting *g, const struct berth_mpa_frame *frame)
{
	struct iw_cm_event event = {
		.event = type,
		.status = status,
		.ird = tcp->qp->rq.max_rd_atomic,
		.ord = tcp->qp->sq.max_rd_atomic,
	};

	if (frame) {
		event.private_data = (void *)g->frame + berth_mpa_pd_offset(frame);
		event.private_data_len = frame->pd_len;
	}
	if (g) {
		kernel_getsockname(g->sock, (struct sockaddr *)&event.local_addr);
		kernel_getpeername(g->sock, (struct sockaddr *)&event.remote_addr);
	}
	/* Without memory for the private data. An event that the manager has not heard of at all is a bug to it later. */
	if (tcp->cm_id->event_handler(tcp->cm_id, &event) && event.private_data_len) {
		event.private_data_len = 0;
		tcp->cm_id->event_handler(tcp->cm_id, &event);
	}
}

static void forget_cm_id(struct berth_tcp *tcp)
{
	tcp->cm_id->rem_ref(tcp->cm_id);
	tcp->cm_id = NULL;
}

static void free_request(struct berth_tcp *tcp)
{
	kfree(tcp->iw_pd);
	tcp->iw_pd = NULL;
}

/* The attempt to connect has come to nothing. */
static void failed(struct berth_tcp *tcp, int status, const struct berth_mpa_frame *frame)
{
	tcp->state = BERTH_TCP_IDLE;
	tell(tcp, IW_CM_EVENT_CONNECT_REPLY, status, frame ? tcp->greeting : NULL, frame);
	forget_cm_id(tcp);
	berth_dial_abandon(tcp);
	free_request(tcp);
}

/*
 * The read depths that were agreed on, and the state that goes with a connection. state_mutex held. What the peer may
 * do is for the regions to say: the core does not always set rights of iWARP's QPs.
 */
static int enter(struct berth_qp *qp, u32 ird, u32 ord)
{
	int ret = -EINVAL;

	spin_lock_bh(&qp->sq.lock);
	spin_lock(&qp->rq.lock);
	if ((qp->state == IB_QPS_INIT || qp->state == IB_QPS_RTR) && !qp->failed) {
		qp->attr.max_dest_rd_atomic = qp->rq.max_rd_atomic = ird;
		qp->attr.max_rd_atomic = qp->sq.max_rd_atomic = ord;
		qp->access |= IB_ACCESS_REMOTE_WRITE | IB_ACCESS_REMOTE_READ;
		berth_req_set_timeout(&qp->sq, TIMEOUT_CODE);
		qp->sq.retry_count = RETRIES;
		berth_qp_set_state(qp, IB_QPS_RTS);
		ret = 0;
	}
	spin_unlock(&qp->rq.lock);
	spin_unlock_bh(&qp->sq.lock);
	return ret;
}

/* Depths of a frame: what is not negotiated is as much as we have. */
static u32 depth(const struct berth_mpa_frame *frame, u16 value)
{
	return frame->enhanced && value != BERTH_MPA_DEPTH_MAX ? min_t(u32, value, BERTH_MAX_RD_ATOMIC) :
								BERTH_MAX_RD_ATOMIC;
}

/* ---- the side that connects ---- */

static int sockaddr_len(const struct sockaddr_storage *ss)
{
	return ss->ss_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
}

/* Also of a socket that was refused: it tells why, and can be used again then. */
static int call_peer(struct socket *sock, const struct iw_cm_id *cm_id)
{
	struct sockaddr_storage remote = cm_id->m_remote_addr;
	int err = kernel_connect(sock, (struct sockaddr *)&remote, sockaddr_len(&remote), O_NONBLOCK);

	return err == -EINPROGRESS ? 0 : err;
}

static struct socket *connect_from(const struct berth_qp *qp, const struct iw_cm_id *cm_id,
				   struct sockaddr_storage *local)
{
	struct socket *sock;
	int err;

	err = sock_create_kern(berth_netns_net(qp->dev->netns), local->ss_family, SOCK_STREAM, IPPROTO_TCP,
			       &sock);
	if (err)
		return ERR_PTR(err);
	sock_set_reuseaddr(sock->sk);
	/* Without a port: the one that is chosen when it connects need only be new to that peer. */
	inet_set_bit(BIND_ADDRESS_NO_PORT, sock->sk);
	if (cm_id->tos_set && local->ss_family == AF_INET)
		ip_sock_set_tos(sock->sk, cm_id->tos);
	err = kernel_bind(sock, (struct sockaddr *)local, sockaddr_len(local));
	if (!err)
		err = call_peer(sock, cm_id);
	if (err) {
		sock_release(sock);
		return ERR_PTR(err);
	}
	return sock;
}

/*
 * The manager chooses a port that is new among its own; a socket may have it, or a connection to the same peer that
 * has just ended. Then another one does: the manager tells the consumer its own (its addresses are mapped ones).
 */
static struct socket *connect_socket(const struct berth_qp *qp, const struct iw_cm_id *cm_id)
{
	struct sockaddr_storage local = cm_id->m_local_addr;
	struct socket *sock;

	if (local.ss_family != cm_id->m_remote_addr.ss_family ||
	    (local.ss_family != AF_INET && local.ss_family != AF_INET6))
		return ERR_PTR(-EAFNOSUPPORT);
	sock = connect_from(qp, cm_id, &local);
	if (sock != ERR_PTR(-EADDRNOTAVAIL) && sock != ERR_PTR(-EADDRINUSE))
		return sock;
	/* The port is at the same place in both families. */
	((struct sockaddr_in *)&local)->sin_port = 0;
	return connect_from(qp, cm_id, &local);
}

static int begin(struct berth_qp *qp, struct iw_cm_id *cm_id, const struct iw_cm_conn_param *param)
{
	struct berth_tcp *tcp = qp->tcp;
	struct berth_greeting *g;
	struct socket *sock;
	void *pd = NULL;
	int err = -ENOMEM;

	g = kzalloc(sizeof(*g), GFP_KERNEL);
	if (!g)
		return -ENOMEM;
	if (param->private_data_len) {
		pd = kmemdup(param->private_data, param->private_data_len, GFP_KERNEL);
		if (!pd)
			goto free;
	}
	sock = connect_socket(qp, cm_id);
	if (IS_ERR(sock)) {
		err = PTR_ERR(sock);
		goto free;
	}
	cm_id->add_ref(cm_id);
	tcp->cm_id = cm_id;
	tcp->iw_pd = pd;
	tcp->iw_frame = (struct berth_mpa_frame){
		.rev = BERTH_MPA_REV_2,
		.enhanced = true,
		.crc = berth_greeting_crc(),
		.ird = param->ird,
		/* For the READ that makes us heard. */
		.ord = max(param->ord, 1U),
		.peer_to_peer = true,
		.rtr_read = true,
		.pd_len = param->private_data_len,
	};
	tcp->greeting = g;
	tcp->state = BERTH_TCP_CONNECTING;
	tcp->give_up = jiffies + CONNECT_TIME;
	tcp->attempts = 0;
	berth_greeting_begin(g, sock, &tcp->work);
	mod_delayed_work(berth_tcp_wq, &tcp->work, 0);
	return 0;

free:
	kfree(pd);
	kfree(g);
	return err;
}

/* May the QP get a connection? Both mutexes held. */
static bool is_ready(const struct berth_qp *qp)
{
	const enum ib_qp_state state = READ_ONCE(qp->state);

	return (state == IB_QPS_INIT || state == IB_QPS_RTR) && !qp->tcp->cm_id && !qp->tcp->conn;
}

/**
 * berth_iw_connect - ib_device_ops.iw_connect
 * @cm_id: the manager's
 * @param: number of the QP, depths, private data
 *
 * Return: 0: CONNECT_REPLY will tell; -EINVAL: the QP is connected already or in a state that does not
 * allow it, depths beyond the device's, too much private data; or an errno of the socket's.
 */
int berth_iw_connect(struct iw_cm_id *cm_id, struct iw_cm_conn_param *param)
{
	struct berth_qp *qp = berth_qp_get(param->qpn);
	int err = -EINVAL;

	if (!qp)
		return -EINVAL;
	mutex_lock(&qp->state_mutex);
	mutex_lock(&qp->tcp->mutex);
	if (is_ready(qp) && param->ird <= BERTH_MAX_RD_ATOMIC && param->ord <= BERTH_MAX_RD_ATOMIC &&
	    param->private_data_len <= BERTH_MPA_PD_MAX - BERTH_MPA_ENHANCED_LEN)
		err = begin(qp, cm_id, param);
	mutex_unlock(&qp->tcp->mutex);
	mutex_unlock(&qp->state_mutex);
	berth_qp_put(qp);
	return err;
}

static void no_connection(struct berth_tcp *tcp, int err)
{
	const unsigned long pause = berth_dial_pause(tcp, PAUSE_MAX);

	if (err != -ECONNREFUSED || time_after(jiffies + pause, tcp->give_up - CONNECT_TIME + REFUSED_TIME)) {
		failed(tcp, err ?: -ECONNREFUSED, NULL);
		return;
	}
	tcp->state = BERTH_TCP_DIAL;
	tcp->dial_at = jiffies + pause;
	mod_delayed_work(berth_tcp_wq, &tcp->work, pause);
}

static void dial_again(struct berth_tcp *tcp)
{
	int err;

	/* The socket also runs us when it is made new. */
	if (time_before(jiffies, tcp->dial_at)) {
		mod_delayed_work(berth_tcp_wq, &tcp->work, tcp->dial_at - jiffies);
		return;
	}
	err = call_peer(tcp->greeting->sock, tcp->cm_id);
	if (err)
		no_connection(tcp, err);
	else
		tcp->state = BERTH_TCP_CONNECTING;
}

static void connecting(struct berth_tcp *tcp)
{
	struct socket *sock = tcp->greeting->sock;
	int err;

	switch (READ_ONCE(sock->sk->sk_state)) {
	case TCP_SYN_SENT:
	case TCP_SYN_RECV:
		return;
	case TCP_ESTABLISHED:
		err = berth_greeting_send(tcp->greeting, &tcp->iw_frame, tcp->iw_pd);
		if (err)
			failed(tcp, err, NULL);
		else
			tcp->state = BERTH_TCP_GREETED;
		return;
	default:
		no_connection(tcp, call_peer(sock, tcp->cm_id));
	}
}

static int establish(struct berth_tcp *tcp, const struct berth_mpa_frame *reply)
{
	const u32 ird = tcp->iw_frame.ird;
	const u32 ord = min(depth(reply, reply->ird), (u32)tcp->iw_frame.ord);
	struct berth_conn *conn;
	int err;

	conn = berth_conn_alloc(tcp->greeting->sock, tcp->iw_frame.crc || reply->crc, true);
	if (!conn)
		return -ENOMEM;
	err = berth_conn_make_iw(conn, reply->peer_to_peer && reply->rtr_read);
	if (!err)
		err = enter(tcp->qp, ird, ord);
	if (err) {
		berth_conn_put(conn);
		return err;
	}
	tell(tcp, IW_CM_EVENT_CONNECT_REPLY, 0, tcp->greeting, reply);
	berth_greeting_end(tcp->greeting);
	kfree(tcp->greeting);
	tcp->greeting = NULL;
	free_request(tcp);
	tcp->state = BERTH_TCP_UP;
	berth_conn_attach(conn, tcp);
	return 0;
}

static void greeted(struct berth_tcp *tcp)
{
	struct berth_mpa_frame reply;
	int err = berth_greeting_read(tcp->greeting, &reply);

	if (err == -EAGAIN)
		return;
	if (err == -EPROTO || (!err && (!reply.reply || reply.pd_len > U8_MAX)))
		failed(tcp, -ECONNRESET, NULL);
	else if (err)
		failed(tcp, err, NULL);
	else if (reply.reject)
		failed(tcp, -ECONNREFUSED, &reply);
	else if (reply.markers)
		failed(tcp, -ECONNRESET, NULL);
	else if ((err = establish(tcp, &reply)))
		failed(tcp, err, NULL);
}

/* The work of a QP: brings its connection forward, or to an end. */
void berth_iw_work(struct work_struct *work)
{
	struct berth_tcp *tcp = container_of(work, struct berth_tcp, work.work);
	struct berth_qp *qp = tcp->qp;
	enum ib_qp_state state;
	bool dead;

	mutex_lock(&qp->state_mutex);
	mutex_lock(&tcp->mutex);
	spin_lock_bh(&qp->sq.lock);
	state = qp->state;
	dead = state == IB_QPS_RESET || state == IB_QPS_ERR || qp->failed;
	spin_unlock_bh(&qp->sq.lock);
	if (state == IB_QPS_RESET)
		berth_iw_close(tcp);
	else if (tcp->conn && dead)
		berth_dial_hang_up(tcp);
	else if (tcp->greeting && dead)
		failed(tcp, -ECONNABORTED, NULL);
	else if (tcp->state == BERTH_TCP_DIAL)
		dial_again(tcp);
	else if (tcp->state == BERTH_TCP_CONNECTING)
		connecting(tcp);
	else if (tcp->state == BERTH_TCP_GREETED)
		greeted(tcp);
	if (tcp->greeting && time_after_eq(jiffies, tcp->give_up))
		failed(tcp, -ETIMEDOUT, NULL);
	else if (tcp->greeting)
		queue_delayed_work(berth_tcp_wq, &tcp->work, tcp->give_up - jiffies);
	if (tcp->cm_id && !tcp->greeting && !tcp->conn)
		berth_iw_close(tcp);
	mutex_unlock(&tcp->mutex);
	mutex_unlock(&qp->state_mutex);
}

/**
 * berth_iw_close - no connection any more, and none on its way
 * @tcp: of a QP; tcp->mutex held
 */
void berth_iw_close(struct berth_tcp *tcp)
{
	if (tcp->greeting)
		failed(tcp, -ECONNABORTED, NULL);
	berth_conn_detach(tcp);
	tcp->state = BERTH_TCP_IDLE;
	if (!tcp->cm_id)
		return;
	tell(tcp, IW_CM_EVENT_CLOSE, 0, NULL, NULL);
	forget_cm_id(tcp);
}

/* ---- the side that is called ---- */

static struct berth_mpa_frame reply_to(const struct berth_mpa_frame *request, u16 pd_len)
{
	return (struct berth_mpa_frame){
		.reply = true,
		.rev = request->rev,
		.enhanced = request->enhanced,
		.crc = request->crc || berth_greeting_crc(),
		.peer_to_peer = request->peer_to_peer,
		.rtr_read = request->rtr_read,
		.rtr_write = request->rtr_write && !request->rtr_read,
		.pd_len = pd_len,
	};
}

/* The QP takes the call. Both mutexes held. */
static int answer(struct berth_qp *qp, struct berth_greeting *g, const struct berth_mpa_frame *request,
		  struct iw_cm_id *cm_id, const struct iw_cm_conn_param *param)
{
	struct berth_mpa_frame reply = reply_to(request, param->private_data_len);
	const u32 ird = request->enhanced ? max(param->ird, depth(request, request->ord)) : param->ird;
	const u32 ord = min(depth(request, request->ird), param->ord);
	struct berth_tcp *tcp = qp->tcp;
	struct berth_conn *conn;
	int err;

	if (!is_ready(qp) || param->ird > BERTH_MAX_RD_ATOMIC || param->ord > BERTH_MAX_RD_ATOMIC ||
	    param->private_data_len > BERTH_MPA_PD_MAX - BERTH_MPA_ENHANCED_LEN)
		return -EINVAL;
	reply.ird = ird;
	reply.ord = ord;
	conn = berth_conn_alloc(g->sock, reply.crc, false);
	if (!conn)
		return -ENOMEM;
	err = berth_conn_make_iw(conn, false);
	if (!err)
		err = berth_greeting_send(g, &reply, param->private_data);
	if (!err)
		err = enter(qp, ird, ord);
	if (err) {
		berth_conn_put(conn);
		return err;
	}
	berth_greeting_end(g);
	cm_id->add_ref(cm_id);
	tcp->cm_id = cm_id;
	tcp->state = BERTH_TCP_UP;
	if (!request->peer_to_peer)
		berth_conn_presume(conn);
	/* It is ours to send as soon as the peer is ready, which conn.c sees to. */
	tell(tcp, IW_CM_EVENT_ESTABLISHED, 0, NULL, NULL);
	berth_conn_attach(conn, tcp);
	return 0;
}

/**
 * berth_iw_accept - ib_device_ops.iw_accept
 * @cm_id: the manager's, its provider_data as with CONNECT_REQUEST
 * @param: number of the QP, depths, private data
 *
 * Return: 0: ESTABLISHED was told; -ECONNRESET: the call is no more; as berth_iw_connect().
 */
int berth_iw_accept(struct iw_cm_id *cm_id, struct iw_cm_conn_param *param)
{
	struct berth_iw_call *call = berth_iw_call_take(berth_dev(cm_id->device), cm_id->provider_data);
	struct berth_qp *qp;
	int err = -EINVAL;

	if (!call)
		return -ECONNRESET;
	qp = berth_qp_get(param->qpn);
	if (qp) {
		mutex_lock(&qp->state_mutex);
		mutex_lock(&qp->tcp->mutex);
		err = answer(qp, &call->greeting, &call->frame, cm_id, param);
		mutex_unlock(&qp->tcp->mutex);
		mutex_unlock(&qp->state_mutex);
		berth_qp_put(qp);
	}
	berth_iw_call_end(call, err);
	return err;
}

/**
 * berth_iw_reject - ib_device_ops.iw_reject
 * @cm_id: as for berth_iw_accept()
 * @pd: private data
 * @pd_len: its length
 *
 * Return: 0; -ECONNRESET: the call is no more.
 */
int berth_iw_reject(struct iw_cm_id *cm_id, const void *pd, u8 pd_len)
{
	struct berth_iw_call *call = berth_iw_call_take(berth_dev(cm_id->device), cm_id->provider_data);
	struct berth_mpa_frame reply;

	if (!call)
		return -ECONNRESET;
	reply = reply_to(&call->frame, pd_len);
	reply.reject = true;
	berth_greeting_send(&call->greeting, &reply, pd);
	berth_iw_call_end(call, -ECONNREFUSED);
	return 0;
}
