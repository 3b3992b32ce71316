// SPDX-License-Identifier: GPL-2.0
/* One connection: its socket, what is done when it is its turn (runner.h), and how it ends. */
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

/* A caller of whom nothing is heard is ready for FPDUs by then. */
#define PRESUME_MSECS	50

/*
 * Ask whether the peer is there, as long as it owes an answer and nothing is under way that its TCP
 * would have to acknowledge: when it is no more and its last word was lost, nothing else would tell.
 */
static void probe(struct berth_conn *conn)
{
	struct sock *sk = conn->runner.sk;
	bool on;

	if (!conn->expect_count)
		WRITE_ONCE(conn->probe, false);
	on = READ_ONCE(conn->probe);
	if (on == sock_flag(sk, SOCK_KEEPOPEN))
		return;
	sk->sk_prot->keepalive(sk, on);
	sock_valbool_flag(sk, SOCK_KEEPOPEN, on);
}

/*
 * Take, send, and settle what befell the QP. The socket locked; in a process or in softirq. @budget: bytes to send; what
 * is left is for the worker.
 */
static void conn_run(struct berth_runner *r, u32 budget)
{
	struct berth_conn *conn = container_of(r, struct berth_conn, runner);
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
		berth_runner_again(r, 0);
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
	conn->runner.sk = sock->sk;
	conn->runner.run = conn_run;
	sock_hold(sock->sk);
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
	const u32 mss = READ_ONCE(tcp_sk(conn->runner.sk)->mss_cache);

	conn->parts = berth_parts_alloc();
	if (!conn->parts)
		return -ENOMEM;
	conn->greet = greet;
	conn->piece = clamp(mss - min(mss, overhead), 128U, BERTH_FPDU_MOST) & ~3U;
	return 0;
}

/**
 * berth_conn_presume - a caller who does not offer to send first is ready soon without having been heard
 * @conn: of who was called, not attached yet
 *
 * Who is called must not send before an FPDU has come, to give the caller time to be ready for it (RFC 5044, 7.1.2), and
 * it is for the programs to see to that where the caller does not do it for them (RFC 6581). They do not: those that
 * are written for InfiniBand let either side send first, and adapters let them. So do we, a moment later.
 */
void berth_conn_presume(struct berth_conn *conn)
{
	conn->presumes = true;
	conn->presume_at = jiffies + msecs_to_jiffies(PRESUME_MSECS);
}

/**
 * berth_conn_may_send - is the peer ready for FPDUs?
 * @conn: connection, its socket locked
 *
 * Return: false: run() will come again when it is.
 */
bool berth_conn_may_send(struct berth_conn *conn)
{
	if (conn->heard)
		return true;
	if (conn->presumes && time_after_eq(jiffies, conn->presume_at))
		conn->heard = true;
	else if (conn->presumes)
		berth_runner_again(&conn->runner, conn->presume_at - jiffies);
	return conn->heard;
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
	sock_put(conn->runner.sk);
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
	struct sock *sk = conn->runner.sk;

	tcp_sock_set_nodelay(sk);
	tcp_sock_set_keepidle(sk, PROBE_SECS);
	tcp_sock_set_keepintvl(sk, PROBE_SECS);
	tcp_sock_set_keepcnt(sk, PROBES);
	lock_sock(sk);
	conn->qp = tcp->qp;
	if (conn->parts)
		berth_parts_own(conn->parts, conn->qp, &tcp->run_work, berth_tcp_freed, conn);
	berth_runner_start(&conn->runner, &tcp->run_work);
	sk->sk_allocation = GFP_ATOMIC;
	release_sock(sk);

	spin_lock_bh(&tcp->lock);
	tcp->conn = conn;
	spin_unlock_bh(&tcp->lock);
	berth_runner_process(&conn->runner);
}

/**
 * berth_tcp_release - let go of a socket that is connected, or on its way to be
 * @sock: socket of the kernel's; no more from here on
 *
 * TCP sends again what is lost of what it was given, and gives up a peer that does not answer, for sockets only that hold
 * their network namespace; those of the kernel do not, and are left alone without timers. So it is made one that
 * does, until TCP is done with it. A namespace that is on its end cannot be held: then the connection is reset.
 *
 * Context: process.
 */
void berth_tcp_release(struct socket *sock)
{
	struct net *net = maybe_get_net(sock_net(sock->sk));

	if (net) {
		sk_net_refcnt_upgrade(sock->sk);
		put_net(net);
	} else {
		sock_no_linger(sock->sk);
	}
	sock_release(sock);
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

	sk = conn->runner.sk;
	lock_sock(sk);
	if (conn->parts)
		berth_parts_disown(conn->parts);
	conn->qp = NULL;
	berth_runner_stop(&conn->runner);
	berth_batch_fini(&conn->batch);
	if (conn->parts)
		berth_parts_end(conn->parts);
	berth_ahead_purge(&conn->ahead);
	release_sock(sk);

	kernel_sock_shutdown(conn->sock, SHUT_WR);
	berth_tcp_release(conn->sock);
	berth_conn_put(conn);
}
