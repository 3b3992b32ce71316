// SPDX-License-Identifier: GPL-2.0
/*
 * How a QP gets its connection. At RTR both sides know each other's GID and QP number; the one with the
 * smaller pair dials, the other one awaits it (listen.c), so either may come to RTR first. A dialler
 * that finds nobody tries again, less and less often, until the QP is reset: whether that is too long
 * is for the requests that wait, whose time is limited by the QP's timeout and retry count.
 *
 * One work does it all and holds tcp->mutex; the socket's callbacks and timeouts run it again.
 */
#include <linux/slab.h>
#include <net/inet_sock.h>
#include <net/ipv6.h>
#include <net/tcp.h>
#include "../net/netns.h"
#include "../obj/qp_state.h"
#include "../transport.h"
#include "conn.h"
#include "dial.h"
#include "greet.h"
#include "listen.h"

/* Until an attempt counts as failed, and between two of them at most. */
#define ATTEMPT		(3 * HZ)
#define PAUSE_MIN	msecs_to_jiffies(10)
#define PAUSE_MAX	HZ

/* How long a peer may take to close when we have. */
#define LINGER		(2 * HZ)

static bool use_crc;
module_param_named(tcp_crc, use_crc, bool, 0644);
MODULE_PARM_DESC(tcp_crc, "TCP QPs ask for MPA's CRC on new connections (default: no)");

/* The rule: the smaller pair of address and number dials. */
static bool we_dial(const struct berth_tcp *tcp)
{
	const struct berth_path *path = &tcp->path;
	const size_t n = path->family == AF_INET ? sizeof(path->saddr.v4) : sizeof(path->saddr.v6);
	int order = memcmp(&path->saddr, &path->daddr, n);

	return order ? order < 0 : tcp->qp->qpn < tcp->qp->dest_qpn;
}

/* Whether new connections are to have CRCs, whatever the peer says. */
bool berth_greeting_crc(void)
{
	return READ_ONCE(use_crc);
}

struct berth_mpa_frame berth_greeting_frame(const struct berth_qp *qp, bool reply)
{
	return (struct berth_mpa_frame){
		.reply = reply,
		.rev = BERTH_MPA_REV_2,
		.enhanced = true,
		.crc = use_crc,
		.ird = qp->rq.max_rd_atomic + BERTH_TCP_ACKS,
		.ord = BERTH_MAX_RD_ATOMIC + BERTH_TCP_ACKS,
		.peer_to_peer = true,
		.rtr_read = true,
	};
}

static int sockaddr_of(struct sockaddr_storage *ss, const struct berth_path *path,
		       const union berth_addr *addr, u16 port)
{
	memset(ss, 0, sizeof(*ss));
	if (path->family == AF_INET) {
		struct sockaddr_in *sin = (struct sockaddr_in *)ss;

		sin->sin_family = AF_INET;
		sin->sin_addr.s_addr = addr->v4;
		sin->sin_port = htons(port);
		return sizeof(*sin);
	} else {
		struct sockaddr_in6 *sin6 = (struct sockaddr_in6 *)ss;

		sin6->sin6_family = AF_INET6;
		sin6->sin6_addr = addr->v6;
		sin6->sin6_port = htons(port);
		sin6->sin6_scope_id = path->oif;
		return sizeof(*sin6);
	}
}

/* A socket on its way to the peer. */
static struct socket *connect_socket(const struct berth_path *path)
{
	struct sockaddr_storage ss;
	struct socket *sock;
	int err, len;

	err = sock_create_kern(path->net, path->family, SOCK_STREAM, IPPROTO_TCP, &sock);
	if (err)
		return ERR_PTR(err);
	len = sockaddr_of(&ss, path, &path->saddr, 0);
	err = kernel_bind(sock, (struct sockaddr *)&ss, len);
	if (!err) {
		len = sockaddr_of(&ss, path, &path->daddr, BERTH_TCP_PORT);
		err = kernel_connect(sock, (struct sockaddr *)&ss, len, O_NONBLOCK);
	}
	if (err && err != -EINPROGRESS) {
		sock_release(sock);
		return ERR_PTR(err);
	}
	return sock;
}

/**
 * berth_dial_abandon - the attempt that is under way, if one is, is given up
 * @tcp: of a QP, tcp->mutex held
 *
 * Context: process.
 */
void berth_dial_abandon(struct berth_tcp *tcp)
{
	if (!tcp->greeting)
		return;
	berth_tcp_release(berth_greeting_end(tcp->greeting));
	kfree(tcp->greeting);
	tcp->greeting = NULL;
}

/**
 * berth_dial_pause - until the next attempt, twice as long each time
 * @tcp: of a QP, tcp->mutex held
 * @most: jiffies, at most
 *
 * Return: jiffies. The attempt that has failed is counted.
 */
unsigned long berth_dial_pause(struct berth_tcp *tcp, unsigned long most)
{
	const u32 doubled = min(tcp->attempts, 10U);

	tcp->attempts++;
	return min(PAUSE_MIN << doubled, most);
}

/* Nobody there, or not yet. */
static void failed(struct berth_tcp *tcp)
{
	berth_dial_abandon(tcp);
	tcp->state = BERTH_TCP_DIAL;
	mod_delayed_work(berth_tcp_wq, &tcp->work, berth_dial_pause(tcp, PAUSE_MAX));
}

static void dial(struct berth_tcp *tcp)
{
	struct berth_greeting *g = kzalloc(sizeof(*g), GFP_KERNEL);
	struct socket *sock = g ? connect_socket(&tcp->path) : ERR_PTR(-ENOMEM);

	if (IS_ERR(sock)) {
		kfree(g);
		failed(tcp);
		return;
	}
	tcp->greeting = g;
	tcp->state = BERTH_TCP_CONNECTING;
	tcp->give_up = jiffies + ATTEMPT;
	berth_greeting_begin(g, sock, &tcp->work);
	mod_delayed_work(berth_tcp_wq, &tcp->work, 0);
}

static void connecting(struct berth_tcp *tcp)
{
	struct berth_mpa_frame frame = berth_greeting_frame(tcp->qp, false);

	switch (READ_ONCE(tcp->greeting->sock->sk->sk_state)) {
	case TCP_SYN_SENT:
	case TCP_SYN_RECV:
		return;
	case TCP_ESTABLISHED:
		if (!berth_greeting_send_hello(tcp->greeting, tcp->qp, &frame)) {
			tcp->state = BERTH_TCP_GREETED;
			return;
		}
		fallthrough;
	default:
		failed(tcp);
	}
}

/* Does the reply come from whom we called? */
static bool is_peer(const struct berth_qp *qp, const struct berth_hello *hello)
{
	return be32_to_cpu(hello->src_qpn) == qp->dest_qpn &&
	       be32_to_cpu(hello->dst_qpn) == qp->qpn;
}

static void greeted(struct berth_tcp *tcp)
{
	struct berth_mpa_frame frame;
	struct berth_hello hello;
	struct berth_conn *conn;
	int ret = berth_greeting_read_hello(tcp->greeting, &frame, &hello);

	if (ret == -EAGAIN)
		return;
	if (ret || !frame.reply || frame.reject || frame.markers || !is_peer(tcp->qp, &hello)) {
		failed(tcp);
		return;
	}
	conn = berth_conn_alloc(tcp->greeting->sock, use_crc || frame.crc, true);
	if (!conn) {
		failed(tcp);
		return;
	}
	berth_greeting_end(tcp->greeting);
	kfree(tcp->greeting);
	tcp->greeting = NULL;
	tcp->state = BERTH_TCP_UP;
	berth_conn_attach(conn, tcp);
}

/*
 * The peer has closed before there was anything to carry: it gave up waiting, or was reset and comes
 * again. It has missed nothing.
 */
static void again(struct berth_tcp *tcp)
{
	berth_conn_detach(tcp);
	if (we_dial(tcp)) {
		failed(tcp);
	} else {
		tcp->state = BERTH_TCP_AWAIT;
		berth_listen_claim(tcp->qp);
	}
	/* Whatever was posted meanwhile waits for a connection anew. */
	tcp->qp->transport->kick(tcp->qp);
}

/* Does the QP want a connection? Then its path is taken along: RESET, which waits for us, has cleared its own by then. */
static bool wanted(struct berth_tcp *tcp)
{
	struct berth_qp *qp = tcp->qp;
	bool wanted;

	spin_lock_bh(&qp->sq.lock);
	wanted = berth_qp_responds(qp) && !qp->failed;
	if (wanted) {
		tcp->path = qp->path;
		RCU_INIT_POINTER(tcp->path.dst, NULL);
	}
	spin_unlock_bh(&qp->sq.lock);
	return wanted;
}

static void proceed(struct berth_tcp *tcp)
{
	switch (tcp->state) {
	case BERTH_TCP_IDLE:
		tcp->attempts = 0;
		tcp->state = we_dial(tcp) ? BERTH_TCP_DIAL : BERTH_TCP_AWAIT;
		if (tcp->state == BERTH_TCP_DIAL)
			dial(tcp);
		else
			berth_listen_claim(tcp->qp);
		break;
	case BERTH_TCP_DIAL:
		dial(tcp);
		break;
	case BERTH_TCP_CONNECTING:
		connecting(tcp);
		break;
	case BERTH_TCP_GREETED:
		greeted(tcp);
		break;
	case BERTH_TCP_UP:
		if (READ_ONCE(tcp->conn->ended) && !READ_ONCE(tcp->conn->used))
			again(tcp);
		break;
	default:
		break;
	}
	if (tcp->greeting && time_after_eq(jiffies, tcp->give_up))
		failed(tcp);
	else if (tcp->greeting)
		queue_delayed_work(berth_tcp_wq, &tcp->work, tcp->give_up - jiffies);
}

/**
 * berth_dial_hang_up - the QP has failed
 * @tcp: of a QP, tcp->mutex held
 *
 * What the peer is told of it must not be lost, and a socket that is released with bytes unread, or that
 * bytes come to, resets the connection: so they are read until the peer has closed, too, for a while.
 * tcp->work comes again.
 *
 * Context: process.
 */
void berth_dial_hang_up(struct berth_tcp *tcp)
{
	struct berth_conn *conn = tcp->conn;

	berth_dial_abandon(tcp);
	if (!conn)
		return;
	if (tcp->state != BERTH_TCP_CLOSING) {
		tcp->state = BERTH_TCP_CLOSING;
		tcp->give_up = jiffies + LINGER;
		berth_runner_process(&conn->runner);
		kernel_sock_shutdown(conn->sock, SHUT_WR);
		/* What came during that. */
		berth_runner_process(&conn->runner);
	}
	if (READ_ONCE(conn->ended) || time_after_eq(jiffies, tcp->give_up))
		berth_conn_detach(tcp);
	else
		queue_delayed_work(berth_tcp_wq, &tcp->work, tcp->give_up - jiffies);
}

/* The work of a TCP QP: brings its connection forward, or to an end where the QP has failed. */
void berth_dial_work(struct work_struct *work)
{
	struct berth_tcp *tcp = container_of(work, struct berth_tcp, work.work);

	mutex_lock(&tcp->mutex);
	if (wanted(tcp))
		proceed(tcp);
	else
		berth_dial_hang_up(tcp);
	mutex_unlock(&tcp->mutex);
}

/**
 * berth_dial_close - no connection any more
 * @tcp: of a QP; tcp->mutex held
 *
 * Context: process.
 */
void berth_dial_close(struct berth_tcp *tcp)
{
	berth_dial_abandon(tcp);
	berth_conn_detach(tcp);
}
