// SPDX-License-Identifier: GPL-2.0
/*
 * Adopting a socket, and giving it back. The QP holds a reference of the socket's file, so that the
 * connection lasts as long as the QP whatever becomes of the descriptor. Meanwhile the descriptor carries
 * no data: its operations are exchanged, as kTLS does, for ones that answer EBUSY.
 */
#include <linux/file.h>
#include <linux/slab.h>
#include <linux/splice.h>
#include <net/inet_connection_sock.h>
#include <net/tcp.h>
#include <rdma/berth-abi.h>
#include <rdma/uverbs_std_types.h>
#include <rdma/uverbs_types.h>
#include "../obj/qp_state.h"
#include "../ring/rx_area.h"
#include "stream.h"

#define UVERBS_MODULE_NAME berth
#include <rdma/uverbs_named_ioctl.h>

/* ---- the descriptor while the socket is adopted ---- */

static int busy_connect(struct socket *sock, struct sockaddr *addr, int len, int flags)
{
	return -EBUSY;
}

static int busy_listen(struct socket *sock, int backlog)
{
	return -EBUSY;
}

static int busy_sendmsg(struct socket *sock, struct msghdr *msg, size_t size)
{
	return -EBUSY;
}

static int busy_recvmsg(struct socket *sock, struct msghdr *msg, size_t size, int flags)
{
	return -EBUSY;
}

static int busy_mmap(struct file *file, struct socket *sock, struct vm_area_struct *vma)
{
	return -EBUSY;
}

static ssize_t busy_splice_read(struct socket *sock, loff_t *ppos, struct pipe_inode_info *pipe,
				size_t len, unsigned int flags)
{
	return -EBUSY;
}

static __poll_t busy_poll(struct file *file, struct socket *sock, struct poll_table_struct *wait)
{
	return EPOLLERR;
}

/* Those of TCP: of the socket itself they do not come this way. */
static int busy_setsockopt(struct socket *sock, int level, int name, sockptr_t value,
			   unsigned int len)
{
	return -EBUSY;
}

/* TCP_ZEROCOPY_RECEIVE takes data. */
static int busy_getsockopt(struct socket *sock, int level, int name, char __user *value,
			   int __user *len)
{
	if (level == SOL_TCP && name == TCP_ZEROCOPY_RECEIVE)
		return -EBUSY;
	return sock_common_getsockopt(sock, level, name, value, len);
}

/* Of IPv4 and IPv6; written once, under ops_mutex. */
static struct proto_ops busy_ops[2];
static DEFINE_MUTEX(ops_mutex);

/* For a socket whose operations are TCP's own. */
static const struct proto_ops *busy_ops_of(const struct socket *sock)
{
	struct proto_ops *ops = &busy_ops[sock->sk->sk_family == AF_INET6];

	mutex_lock(&ops_mutex);
	if (!ops->family) {
		*ops = *sock->ops;
		ops->connect = busy_connect;
		ops->listen = busy_listen;
		ops->sendmsg = busy_sendmsg;
		ops->recvmsg = busy_recvmsg;
		ops->mmap = busy_mmap;
		ops->splice_read = busy_splice_read;
		ops->splice_eof = NULL;
		ops->poll = busy_poll;
		ops->setsockopt = busy_setsockopt;
		ops->getsockopt = busy_getsockopt;
	}
	mutex_unlock(&ops_mutex);
	return ops;
}

/* An option that was begun before comes to TCP all the same. Of those one would exchange the operations, and finds them taken. */
static const struct tcp_ulp_ops busy_ulp = { .name = "berth", .owner = THIS_MODULE };

/* ---- life ---- */

void berth_socket_get(struct berth_socket *s)
{
	refcount_inc(&s->refs);
}

void berth_socket_put(struct berth_socket *s)
{
	if (!refcount_dec_and_test(&s->refs))
		return;
	berth_parts_put(s->parts);
	kfree(s);
}

/**
 * berth_stream_socket - the socket of a QP
 * @stream: of the QP
 *
 * Context: any. Return: it, with a reference, or NULL.
 */
struct berth_socket *berth_stream_socket(struct berth_stream *stream)
{
	struct berth_socket *s;

	spin_lock_bh(&stream->lock);
	s = stream->socket;
	if (s)
		berth_socket_get(s);
	spin_unlock_bh(&stream->lock);
	return s;
}

static struct berth_socket *socket_alloc(struct socket *sock)
{
	struct berth_socket *s = kzalloc(sizeof(*s), GFP_KERNEL_ACCOUNT);

	if (!s)
		return NULL;
	s->parts = berth_parts_alloc();
	if (!s->parts) {
		kfree(s);
		return NULL;
	}
	refcount_set(&s->refs, 1);
	s->sock = sock;
	s->runner.sk = sock->sk;
	s->runner.run = berth_socket_run;
	return s;
}

/* Is this a socket that can be adopted? Its lock held. */
static int check(const struct sock *sk)
{
	if (sk->sk_user_data || inet_csk(sk)->icsk_ulp_ops)
		return -EBUSY;
	if (!((1 << sk->sk_state) & (TCPF_ESTABLISHED | TCPF_CLOSE_WAIT | TCPF_FIN_WAIT1 |
				     TCPF_FIN_WAIT2)))
		return -ENOTCONN;
	return 0;
}

/*
 * What waits in the socket may be in chunks of the area, too: no more than a quarter of them, or those of the NIC run out
 * before the window closes. A buffer of a size that the process has set stays.
 */
static void limit_window(struct berth_socket *s, const struct berth_rx_area *area)
{
	struct sock *sk = s->runner.sk;
	u32 space;

	if (!area || !area->lease || sk->sk_userlocks & SOCK_RCVBUF_LOCK)
		return;
	space = clamp_t(u64, (u64)area->count << (area->shift - 2), sk->sk_rcvbuf,
			max(sk->sk_rcvbuf, READ_ONCE(sock_net(sk)->ipv4.sysctl_tcp_rmem[2])));
	WRITE_ONCE(sk->sk_rcvbuf, space);
	WRITE_ONCE(tcp_sk(sk)->window_clamp, tcp_win_from_space(sk, space));
	sk->sk_userlocks |= SOCK_RCVBUF_LOCK;
	s->limited = true;
}

static int adopt(struct berth_socket *s, struct berth_qp *qp)
{
	struct sock *sk = s->runner.sk;
	int err;

	lock_sock(sk);
	err = check(sk);
	if (!err) {
		s->qp = qp;
		berth_parts_own(s->parts, qp, &qp->stream->run_work, berth_stream_freed, s);
		berth_runner_start(&s->runner, &qp->stream->run_work);
		s->old_allocation = sk->sk_allocation;
		sk->sk_allocation = GFP_ATOMIC;
		limit_window(s, qp->rq.area);
		s->old_ops = s->sock->ops;
		WRITE_ONCE(s->sock->ops, busy_ops_of(s->sock));
		inet_csk(sk)->icsk_ulp_ops = &busy_ulp;
	}
	release_sock(sk);
	return err;
}

/* INIT to RTS. */
static void enter(struct berth_qp *qp)
{
	spin_lock_bh(&qp->sq.lock);
	spin_lock(&qp->rq.lock);
	berth_qp_set_state(qp, IB_QPS_RTS);
	spin_unlock(&qp->rq.lock);
	spin_unlock_bh(&qp->sq.lock);
}

/* state_mutex and stream->mutex held; takes over the reference of the socket's file. */
static int attach(struct berth_qp *qp, struct socket *sock)
{
	struct berth_stream *stream = qp->stream;
	struct berth_socket *s = socket_alloc(sock);
	int err;

	if (!s) {
		sockfd_put(sock);
		return -ENOMEM;
	}
	/* Of a QP that was reset and comes again, if its work has not been there yet. */
	berth_stream_detach(stream);
	err = adopt(s, qp);
	if (err) {
		sockfd_put(sock);
		berth_socket_put(s);
		return err;
	}
	spin_lock_bh(&stream->lock);
	stream->socket = s;
	spin_unlock_bh(&stream->lock);
	enter(qp);
	berth_runner_process(&s->runner);
	return 0;
}

/**
 * berth_stream_attach - have a QP adopt a connected TCP socket
 * @qp: stream QP in INIT
 * @fd: of the socket
 *
 * What the socket has received already lands first.
 *
 * Context: process. Return: 0; -EINVAL: no stream QP, or not in INIT; -EBADF, -ENOTSOCK,
 * -EOPNOTSUPP: no TCP socket; -ENOTCONN; -EBUSY: somebody else in the kernel has it; -ENOMEM.
 */
int berth_stream_attach(struct berth_qp *qp, int fd)
{
	struct socket *sock;
	int err;

	if (qp->transport != &berth_stream_transport)
		return -EINVAL;
	sock = sockfd_lookup(fd, &err);
	if (!sock)
		return err;
	if (sock->type != SOCK_STREAM || sock->sk->sk_protocol != IPPROTO_TCP ||
	    (sock->sk->sk_family != AF_INET && sock->sk->sk_family != AF_INET6)) {
		sockfd_put(sock);
		return -EOPNOTSUPP;
	}
	mutex_lock(&qp->state_mutex);
	mutex_lock(&qp->stream->mutex);
	if (READ_ONCE(qp->state) == IB_QPS_INIT) {
		err = attach(qp, sock);
	} else {
		sockfd_put(sock);
		err = -EINVAL;
	}
	mutex_unlock(&qp->stream->mutex);
	mutex_unlock(&qp->state_mutex);
	return err;
}

/**
 * berth_stream_detach - a QP lets go of its socket
 * @stream: of the QP, stream->mutex held
 *
 * Whoever has its descriptor may go on with it where the stream stands; if nobody has, it is closed.
 * When this returns nobody in softirq has the QP by it.
 *
 * Context: process.
 */
void berth_stream_detach(struct berth_stream *stream)
{
	struct berth_socket *s = stream->socket;
	struct sock *sk;

	if (!s)
		return;
	spin_lock_bh(&stream->lock);
	stream->socket = NULL;
	spin_unlock_bh(&stream->lock);

	sk = s->runner.sk;
	lock_sock(sk);
	berth_runner_stop(&s->runner);
	/* Those who report errors without the lock. Sockets that no process has had report none. */
	synchronize_rcu_expedited();
	sk->sk_allocation = s->old_allocation;
	if (s->limited)
		sk->sk_userlocks &= ~SOCK_RCVBUF_LOCK;
	inet_csk(sk)->icsk_ulp_ops = NULL;
	WRITE_ONCE(s->sock->ops, s->old_ops);
	berth_parts_disown(s->parts);
	s->qp = NULL;
	berth_stream_forget(s);
	berth_batch_fini(&s->batch);
	/* Who waits for it has missed what happened. */
	sk->sk_state_change(sk);
	sk->sk_data_ready(sk);
	sk->sk_write_space(sk);
	release_sock(sk);

	sockfd_put(s->sock);
	berth_socket_put(s);
}

static int UVERBS_HANDLER(BERTH_METHOD_QP_ATTACH_SOCKET)(struct uverbs_attr_bundle *attrs)
{
	struct ib_qp *ib = uverbs_attr_get_obj(attrs, BERTH_ATTR_QP_ATTACH_SOCKET_HANDLE);
	int fd, err;

	if (IS_ERR(ib))
		return PTR_ERR(ib);
	err = uverbs_get_raw_fd(&fd, attrs, BERTH_ATTR_QP_ATTACH_SOCKET_FD);
	if (err)
		return err;
	return berth_stream_attach(berth_qp(ib), fd);
}

DECLARE_UVERBS_NAMED_METHOD(BERTH_METHOD_QP_ATTACH_SOCKET,
			    UVERBS_ATTR_IDR(BERTH_ATTR_QP_ATTACH_SOCKET_HANDLE, UVERBS_OBJECT_QP,
					    UVERBS_ACCESS_READ, UA_MANDATORY),
			    UVERBS_ATTR_RAW_FD(BERTH_ATTR_QP_ATTACH_SOCKET_FD, UA_MANDATORY));

ADD_UVERBS_METHODS(berth_qp_attach, UVERBS_OBJECT_QP,
		   &UVERBS_METHOD(BERTH_METHOD_QP_ATTACH_SOCKET));

const struct uapi_definition berth_stream_uapi_defs[] = {
	UAPI_DEF_CHAIN_OBJ_TREE(UVERBS_OBJECT_QP, &berth_qp_attach),
	{}
};
