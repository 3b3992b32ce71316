// SPDX-License-Identifier: GPL-2.0
/*
 * One connection: its socket, who works on it, and how it ends.
 *
 * Whoever holds the socket's lock takes what has come, sends what there is to send, and settles
 * what befell the QP: TCP in softirq, when something has come or room was made (data_ready(),
 * write_space()); the process that rang the doorbell; a worker, for what is too much for softirq or had
 * to wait. Nobody waits for another QP, and none of it is queued for somebody else first.
 */
#include <linux/slab.h>
#include <net/sock.h>
#include <net/tcp.h>
#include "../obj/qp_state.h"
#include "conn.h"

/*
 * A peer that is to be asked whether it is there is asked every second (TCP's keepalive), and given up
 * when it has not answered so many times.
 */
#define PROBE_SECS	1
#define PROBES		3

/* Bytes at a stretch in softirq, and by processes and workers between two looks at others. */
#define SOFTIRQ_BUDGET	(256U << 10)
#define PROCESS_BUDGET	(512U << 10)

/* How often a process or worker goes on with what came while it had the socket, before another one does. */
#define STRETCHES	8

/*
 * Ask whether the peer is there, as long as it owes an answer and nothing is under way that its TCP
 * would have to acknowledge: when it is no more and its last word was lost, nothing else would tell.
 */
static void probe(struct berth_conn *conn)
{
	struct sock *sk = conn->sk;
	bool on;

	if (!conn->expect_count)
		WRITE_ONCE(conn->probe, false);
	on = READ_ONCE(conn->probe);
	if (on == sock_flag(sk, SOCK_KEEPOPEN))
		return;
	sk->sk_prot->keepalive(sk, on);
	sock_valbool_flag(sk, SOCK_KEEPOPEN, on);
}

/**
 * berth_conn_run - take, send and settle
 * @conn: connection, its socket locked
 * @budget: bytes to send; what is left is for the worker
 *
 * Context: process or softirq.
 */
void berth_conn_run(struct berth_conn *conn, u32 budget)
{
	struct berth_qp *qp = conn->qp;
	bool more, drained;

	if (!qp)
		return;
	local_bh_disable();
	berth_tcp_receive(conn);
	if (READ_ONCE(conn->silent))
		berth_conn_end(conn);
	more = berth_tcp_send(conn, budget);
	if (conn->expect_count && berth_tcp_patience(&qp->sq) && !timer_pending(&qp->sq.timer))
		mod_timer(&qp->sq.timer, jiffies + berth_tcp_patience(&qp->sq));
	probe(conn);
	if (conn->ended) {
		spin_lock(&qp->sq.lock);
		if (berth_conn_is_iw(conn))
			berth_qp_fail_locked(qp, BERTH_NO_EVENT);
		/* One that was not used is replaced by another. */
		else if (conn->used)
			berth_tcp_fail_pending(conn);
		spin_unlock(&qp->sq.lock);
	}
	drained = conn->report_drained;
	conn->report_drained = false;
	local_bh_enable();

	berth_qp_settle(qp);
	if (drained)
		berth_qp_event(qp, IB_EVENT_SQ_DRAINED);
	if (more)
		berth_conn_again(conn, 0);
}

/**
 * berth_conn_run_process - berth_conn_run() by a process or a worker
 * @conn: connection, referenced
 *
 * Context: process; none of the QP's locks held.
 */
void berth_conn_run_process(struct berth_conn *conn)
{
	int left = STRETCHES;

	do {
		lock_sock(conn->sk);
		conn->again = false;
		berth_conn_run(conn, PROCESS_BUDGET);
		if (!--left)
			berth_conn_again(conn, 0);
		release_sock(conn->sk);
	} while (left && READ_ONCE(conn->again));
}

/**
 * berth_conn_again - have a worker run the connection
 * @conn: connection, its socket locked
 * @delay: jiffies until then
 */
void berth_conn_again(struct berth_conn *conn, unsigned long delay)
{
	struct berth_qp *qp = conn->qp;

	if (qp)
		mod_delayed_work(berth_qp_wq, &qp->tcp->run_work, delay);
}

/**
 * berth_conn_end - the peer has closed, or TCP has given up
 * @conn: connection, its socket locked
 *
 * Nothing is sent or taken any more; what waits for the peer fails with the next run.
 */
void berth_conn_end(struct berth_conn *conn)
{
	conn->ended = true;
	berth_batch_clear(&conn->batch);
	/* What is forgotten with it does not complete: the QP fails before it is looked for. */
	if (conn->qp)
		mod_delayed_work(berth_tcp_wq, &conn->qp->tcp->work, 0);
}

/*
 * Called by whoever had the socket, who lets go of it and hands TCP what came meanwhile (its backlog). All of that counts
 * against the window until it is through: read now, it would leave a window as small as it was told of last, and nobody
 * would tell of a larger one. So it is read when the socket is taken again, which berth_conn_run_process() does.
 */
static bool in_backlog(struct sock *sk, struct berth_conn *conn)
{
	if (!sock_owned_by_user_nocheck(sk))
		return false;
	WRITE_ONCE(conn->again, true);
	return true;
}

static void data_ready(struct sock *sk)
{
	struct berth_conn *conn = sk->sk_user_data;

	if (conn && !in_backlog(sk, conn))
		berth_conn_run(conn, SOFTIRQ_BUDGET);
}

static void write_space(struct sock *sk)
{
	struct berth_conn *conn = sk->sk_user_data;

	if (!conn || conn->sending || !sk_stream_is_writeable(sk))
		return;
	clear_bit(SOCK_NOSPACE, &sk->sk_socket->flags);
	if (!in_backlog(sk, conn))
		berth_conn_run(conn, SOFTIRQ_BUDGET);
}

/* In the middle of what TCP does with a segment: later. */
static void state_change(struct sock *sk)
{
	struct berth_conn *conn = sk->sk_user_data;

	if (conn)
		berth_conn_again(conn, 0);
}

static const struct berth_hook hook = {
	.data_ready = data_ready,
	.state_change = state_change,
	.write_space = write_space,
	.error_report = state_change,
};

/**
 * berth_conn_alloc - a connection over a socket that has been through MPA's handshake
 * @sock: socket; the connection's from here on, if there is one
 * @crc: whether MPA's CRC was agreed on
 * @dialed: we have dialled: the peer must hear of us first
 *
 * Context: process. Return: the connection with one reference, or NULL.
 */
struct berth_conn *berth_conn_alloc(struct socket *sock, bool crc, bool dialed)
{
	struct berth_conn *conn = kvzalloc(sizeof(*conn), GFP_KERNEL_ACCOUNT);
	int i;

	if (!conn)
		return NULL;
	refcount_set(&conn->refs, 1);
	conn->sock = sock;
	conn->sk = sock->sk;
	sock_hold(conn->sk);
	conn->crc = crc;
	conn->heard = dialed;
	conn->greet = dialed;
	conn->piece = BERTH_FPDU_MOST;
	berth_fpdu_init(&conn->fpdu);
	berth_ahead_init(&conn->ahead);
	for (i = 0; i < BERTH_QNS; i++) {
		conn->msn[i] = 1;
		conn->next_msn[i] = 1;
	}
	return conn;
}

/**
 * berth_conn_make_iw - a connection that is to be one of iWARP
 * @conn: not attached yet
 * @greet: the peer wants to hear a READ of no bytes first (RFC 6581)
 *
 * An FPDU fits into a segment of TCP then, as RFC 5044 asks for (4.3): adapters may count on it.
 *
 * Context: process. Return: 0 or -ENOMEM.
 */
int berth_conn_make_iw(struct berth_conn *conn, bool greet)
{
	const u32 overhead = BERTH_MPA_LEN_LEN + BERTH_DDP_UNTAGGED_LEN + BERTH_MPA_PAD_MAX + BERTH_MPA_CRC_LEN;
	const u32 mss = READ_ONCE(tcp_sk(conn->sk)->mss_cache);

	conn->parts = berth_parts_alloc();
	if (!conn->parts)
		return -ENOMEM;
	conn->greet = greet;
	conn->piece = clamp(mss - min(mss, overhead), 128U, BERTH_FPDU_MOST) & ~3U;
	return 0;
}

/**
 * berth_conn_get - the connection of a QP
 * @tcp: of the QP
 *
 * Context: any. Return: it, with a reference, or NULL.
 */
struct berth_conn *berth_conn_get(struct berth_tcp *tcp)
{
	struct berth_conn *conn;

	spin_lock_bh(&tcp->lock);
	conn = tcp->conn;
	if (conn)
		refcount_inc(&conn->refs);
	spin_unlock_bh(&tcp->lock);
	return conn;
}

void berth_conn_put(struct berth_conn *conn)
{
	if (!refcount_dec_and_test(&conn->refs))
		return;
	sock_put(conn->sk);
	if (conn->parts)
		berth_parts_put(conn->parts);
	kvfree(conn);
}

/**
 * berth_conn_attach - a QP is connected
 * @conn: connection; its first reference is the QP's from here on
 * @tcp: of the QP, without a connection, tcp->mutex held
 *
 * Context: process.
 */
void berth_conn_attach(struct berth_conn *conn, struct berth_tcp *tcp)
{
	struct sock *sk = conn->sk;

	tcp_sock_set_nodelay(sk);
	tcp_sock_set_keepidle(sk, PROBE_SECS);
	tcp_sock_set_keepintvl(sk, PROBE_SECS);
	tcp_sock_set_keepcnt(sk, PROBES);
	lock_sock(sk);
	conn->qp = tcp->qp;
	if (conn->parts)
		berth_parts_own(conn->parts, conn->qp, &tcp->run_work, berth_tcp_freed, conn);
	conn->old = berth_hook_set(sk, &hook, conn);
	sk->sk_allocation = GFP_ATOMIC;
	release_sock(sk);

	spin_lock_bh(&tcp->lock);
	tcp->conn = conn;
	spin_unlock_bh(&tcp->lock);
	berth_conn_run_process(conn);
}

/**
 * berth_conn_detach - a QP lets go of its connection
 * @tcp: of the QP, tcp->mutex held
 *
 * What was handed to TCP is still delivered, then the peer sees the end. When this returns nobody in
 * softirq has the connection or the QP by it.
 *
 * Context: process.
 */
void berth_conn_detach(struct berth_tcp *tcp)
{
	struct berth_conn *conn = tcp->conn;
	struct sock *sk;

	if (!conn)
		return;
	spin_lock_bh(&tcp->lock);
	tcp->conn = NULL;
	spin_unlock_bh(&tcp->lock);

	sk = conn->sk;
	lock_sock(sk);
	if (conn->parts)
		berth_parts_disown(conn->parts);
	conn->qp = NULL;
	berth_hook_set(sk, &conn->old, NULL);
	berth_batch_fini(&conn->batch);
	if (conn->parts)
		berth_parts_end(conn->parts);
	berth_ahead_purge(&conn->ahead);
	release_sock(sk);

	kernel_sock_shutdown(conn->sock, SHUT_WR);
	sock_release(conn->sock);
	berth_conn_put(conn);
}
