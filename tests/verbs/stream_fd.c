// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/* stream: the descriptor of an adopted socket, what can be adopted, and how it comes back. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <infiniband/berthdv.h>
#include <linux/userfaultfd.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "stream.h"

#define SEED	0xfd
#define SIZE	65536
#define PAGE	4096

#define CHECK_BUSY(call, what)						\
	do {								\
		errno = 0;						\
		CHECK((call) < 0 && errno == EBUSY, "%s on an adopted socket: %s", what, strerror(errno)); \
	} while (0)

/* No data passes by the descriptor; what is no data does. */
static void busy(const void *unused __attribute__((unused)))
{
	struct stream s = stream_new(false);
	struct pollfd pfd = { .fd = s.fd, .events = POLLIN | POLLOUT };
	struct vt_buf *buf = vt_buf_new(s.dev, VT_HOST, SIZE, VT_ACCESS_ALL);
	struct sockaddr_in sin;
	struct tcp_info info;
	socklen_t len = sizeof(sin);
	char bytes[16] = "";
	int pipes[2], on = 1;

	stream_attach(&s);
	vt_net_write(s.peer, 100, SEED, 0, 100);
	CHECK(!pipe(pipes), "pipe");
	CHECK_BUSY(send(s.fd, bytes, 1, MSG_NOSIGNAL), "send");
	CHECK_BUSY(write(s.fd, bytes, 1), "write");
	CHECK_BUSY(recv(s.fd, bytes, 1, 0), "recv");
	CHECK_BUSY(recv(s.fd, bytes, 1, MSG_PEEK | MSG_DONTWAIT), "recv(MSG_PEEK)");
	CHECK_BUSY(read(s.fd, bytes, 1), "read");
	CHECK_BUSY(splice(s.fd, NULL, pipes[1], NULL, 10, SPLICE_F_NONBLOCK), "splice");
	CHECK_BUSY(listen(s.fd, 1), "listen");
	memset(&sin, 0, sizeof(sin));
	CHECK_BUSY(connect(s.fd, (struct sockaddr *)&sin, sizeof(sin)), "connect(AF_UNSPEC)");
	CHECK_BUSY(setsockopt(s.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)), "setsockopt");
	CHECK_BUSY(setsockopt(s.fd, IPPROTO_TCP, TCP_ULP, "tls", 4), "setsockopt(TCP_ULP)");
	CHECK(poll(&pfd, 1, 1000) == 1 && pfd.revents & POLLERR && !(pfd.revents & (POLLIN | POLLOUT)),
	      "poll says %#x", pfd.revents);
	CHECK(!getpeername(s.fd, (struct sockaddr *)&sin, &len) && sin.sin_family == AF_INET, "getpeername");
	len = sizeof(info);
	CHECK(!getsockopt(s.fd, IPPROTO_TCP, TCP_INFO, &info, &len), "getsockopt: %s", strerror(errno));
	CHECK_ERRNO(vt_recv(&s.ep, 1, vt_sge(buf, 0, 1000)), 0, "ibv_post_recv");
	CHECK_EQ(stream_take(&s, 1, "after all that"), 100, "byte_len");
	vt_buf_expect(buf, 0, 100, SEED, 0, "after all that");
}

/* A page that is absent: who touches it waits for absent_fill(). */
static void *absent_page(int *uffd)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = { .range.len = PAGE, .mode = UFFDIO_REGISTER_MODE_MISSING };
	void *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(page != MAP_FAILED, "mmap: %s", strerror(errno));
	*uffd = (int)syscall(SYS_userfaultfd, O_CLOEXEC);
	if (*uffd < 0)
		vt_skip("userfaultfd: %s", strerror(errno));
	reg.range.start = (uintptr_t)page;
	CHECK(!ioctl(*uffd, UFFDIO_API, &api) && !ioctl(*uffd, UFFDIO_REGISTER, &reg), "userfaultfd: %s",
	      strerror(errno));
	return page;
}

/* Waits for somebody to touch it. */
static void absent_await(int uffd)
{
	struct uffd_msg msg;

	CHECK(read(uffd, &msg, sizeof(msg)) == sizeof(msg) && msg.event == UFFD_EVENT_PAGEFAULT, "no fault: %s",
	      strerror(errno));
}

static void absent_fill(int uffd, void *page, const char *text)
{
	static char from[PAGE] __attribute__((aligned(PAGE)));
	struct uffdio_copy copy = { .dst = (uintptr_t)page, .src = (uintptr_t)from, .len = PAGE };

	strcpy(from, text);
	CHECK(!ioctl(uffd, UFFDIO_COPY, &copy), "UFFDIO_COPY: %s", strerror(errno));
}

struct option {
	int fd;
	void *name;
	int err;
};

static void *set_ulp(void *arg)
{
	struct option *o = arg;

	o->err = setsockopt(o->fd, IPPROTO_TCP, TCP_ULP, o->name, 4) ? errno : 0;
	return NULL;
}

/* kTLS that was asked for before, and gets there behind the QP. */
static void stalled(const void *unused __attribute__((unused)))
{
	struct stream s = stream_new(false);
	struct vt_buf *buf = vt_buf_new(s.dev, VT_HOST, SIZE, VT_ACCESS_ALL);
	struct option o = { .fd = s.fd };
	pthread_t thread;
	int uffd;

	o.name = absent_page(&uffd);
	CHECK(!pthread_create(&thread, NULL, set_ulp, &o), "pthread_create");
	absent_await(uffd);
	stream_attach(&s);
	absent_fill(uffd, o.name, "tls");
	CHECK(!pthread_join(thread, NULL), "pthread_join");
	if (o.err == ENOENT)
		vt_skip("this kernel has no kTLS");
	CHECK_ERRNO(o.err, EEXIST, "setsockopt(TCP_ULP) that was begun before");
	CHECK_ERRNO(vt_recv(&s.ep, 1, vt_sge(buf, 0, 1000)), 0, "ibv_post_recv");
	vt_net_write(s.peer, 1000, SEED, 0, 1000);
	CHECK_EQ(stream_take(&s, 1, "after that"), 1000, "byte_len");
	vt_buf_expect(buf, 0, 1000, SEED, 0, "after that");
	vt_ep_destroy_qp(&s.ep);
	stream_await_back(&s);
	CHECK(!setsockopt(s.fd, IPPROTO_TCP, TCP_ULP, "tls", 4), "setsockopt(TCP_ULP) afterwards: %s", strerror(errno));
}

/* The connection lasts as long as the QP. */
static void closed(const void *unused __attribute__((unused)))
{
	struct stream s = stream_new(false);
	struct vt_buf *buf = vt_buf_new(s.dev, VT_HOST, SIZE, VT_ACCESS_ALL);

	stream_attach(&s);
	CHECK(!close(s.fd), "close");
	CHECK_ERRNO(vt_recv(&s.ep, 1, vt_sge(buf, 0, 1000)), 0, "ibv_post_recv");
	vt_net_write(s.peer, 1000, SEED, 0, 1000);
	CHECK_EQ(stream_take(&s, 1, "after close"), 1000, "byte_len");
	vt_buf_expect(buf, 0, 1000, SEED, 0, "after close");
	vt_fill(buf->ptr, 1000, SEED, 0);
	CHECK_ERRNO(vt_send(&s.ep, 2, IBV_WR_SEND, vt_sge(buf, 0, 1000), NULL, 0, IBV_SEND_SIGNALED), 0,
		    "ibv_post_send");
	vt_net_expect(s.peer, 1000, SEED, 0, "after close");
	vt_expect_wc(&s.ep, s.ep.scq, 2, IBV_WC_SUCCESS, "SEND after close", NULL);
	vt_ep_destroy_qp(&s.ep);
	vt_net_expect_end(s.peer, "after the QP was destroyed");
}

void stream_await_back(struct stream *s)
{
	uint64_t end = vt_now_ms() + 5000 * vt_cfg.slow;
	struct pollfd pfd = { .fd = s->fd, .events = POLLIN };

	while (poll(&pfd, 1, 0) == 1 && pfd.revents & POLLERR) {
		CHECK(vt_now_ms() < end, "the socket does not come back");
		vt_sleep_ms(5);
	}
}

/* A QP that is destroyed, reset or in error gives the socket back where the stream stands. */
static void given_back(const void *arg)
{
	const enum ibv_qp_state state = *(const enum ibv_qp_state *)arg;
	struct stream s = stream_new(false);
	struct vt_buf *buf = vt_buf_new(s.dev, VT_HOST, SIZE, VT_ACCESS_ALL);

	CHECK_ERRNO(vt_recv(&s.ep, 1, vt_sge(buf, 0, 1000)), 0, "ibv_post_recv");
	stream_attach(&s);
	vt_net_write(s.peer, 5000, SEED, 0, 5000);
	CHECK_EQ(stream_take(&s, 1, "the beginning"), 1000, "byte_len");
	vt_buf_expect(buf, 0, 1000, SEED, 0, "the beginning");
	if (state == IBV_QPS_UNKNOWN)
		vt_ep_destroy_qp(&s.ep);
	else
		CHECK_ERRNO(vt_ep_to_state(&s.ep, state), 0, "ibv_modify_qp");
	stream_await_back(&s);
	vt_net_expect(s.fd, 4000, SEED, 1000, "the rest by the descriptor");
	vt_net_write(s.fd, 3000, SEED, 0, 3000);
	vt_net_expect(s.peer, 3000, SEED, 0, "from the descriptor");
	if (state == IBV_QPS_RESET) {
		/* And again. */
		struct vt_opts o = VT_OPTS;

		CHECK_ERRNO(vt_ep_to_init(&s.ep, &o), 0, "to INIT");
		CHECK_ERRNO(vt_recv(&s.ep, 2, vt_sge(buf, 2000, 500)), 0, "ibv_post_recv");
		stream_attach(&s);
		vt_net_write(s.peer, 500, SEED, 0, 500);
		CHECK_EQ(stream_take(&s, 2, "adopted again"), 500, "byte_len");
		vt_buf_expect(buf, 2000, 500, SEED, 0, "adopted again");
	}
}

/* shutdown() ends our half, behind what was sent. */
static void half(const void *unused __attribute__((unused)))
{
	struct stream s = stream_new(false);
	struct vt_buf *buf = vt_buf_new(s.dev, VT_HOST, SIZE, VT_ACCESS_ALL);

	stream_attach(&s);
	vt_fill(buf->ptr, 1000, SEED, 0);
	CHECK_ERRNO(vt_send(&s.ep, 1, IBV_WR_SEND, vt_sge(buf, 0, 1000), NULL, 0, IBV_SEND_SIGNALED), 0,
		    "ibv_post_send");
	vt_expect_wc(&s.ep, s.ep.scq, 1, IBV_WC_SUCCESS, "SEND", NULL);
	CHECK(!shutdown(s.fd, SHUT_WR), "shutdown: %s", strerror(errno));
	vt_net_expect(s.peer, 1000, SEED, 0, "before the end");
	vt_net_expect_end(s.peer, "shutdown");
	CHECK_ERRNO(vt_recv(&s.ep, 2, vt_sge(buf, 2000, 500)), 0, "ibv_post_recv");
	vt_net_write(s.peer, 500, SEED, 0, 500);
	CHECK_EQ(stream_take(&s, 2, "the other half"), 500, "byte_len");
	vt_buf_expect(buf, 2000, 500, SEED, 0, "the other half");
	CHECK_ERRNO(vt_send(&s.ep, 3, IBV_WR_SEND, vt_sge(buf, 0, 10), NULL, 0, IBV_SEND_SIGNALED), 0,
		    "ibv_post_send");
	vt_expect_wc(&s.ep, s.ep.scq, 3, IBV_WC_REM_ABORT_ERR, "a SEND behind the end", NULL);
}

static void refuse(struct stream *s, int fd, int error, const char *what)
{
	CHECK_ERRNO(berthdv_qp_attach_socket(s->ep.qp, fd), error, what);
	CHECK_EQ(vt_ep_state(&s->ep), IBV_QPS_INIT, "state after a refusal");
}

/* What is no connected TCP socket of its own is refused, and the QP can still adopt one. */
static void refused(const void *unused __attribute__((unused)))
{
	struct stream s = stream_new(false), t = s;
	int file = open("/proc/self/exe", O_RDONLY), pair[2];
	int fresh = socket(AF_INET, SOCK_STREAM, 0);
	struct sockaddr_in sin = { .sin_family = AF_INET };
	struct vt_opts o = VT_OPTS;
	struct vt_ep rc;

	refuse(&s, -1, EBADF, "no descriptor");
	refuse(&s, file, ENOTSOCK, "a file");
	refuse(&s, socket(AF_INET, SOCK_DGRAM, 0), EOPNOTSUPP, "a UDP socket");
	CHECK(!socketpair(AF_UNIX, SOCK_STREAM, 0, pair), "socketpair");
	refuse(&s, pair[0], EOPNOTSUPP, "a unix socket");
	refuse(&s, fresh, ENOTCONN, "an unconnected socket");
	CHECK(!bind(fresh, (struct sockaddr *)&sin, sizeof(sin)) && !listen(fresh, 1), "listen");
	refuse(&s, fresh, ENOTCONN, "a listening socket");
	stream_qp(&t.ep, s.dev, NULL);
	stream_attach(&t);
	refuse(&s, t.fd, EBUSY, "a socket of another QP");
	CHECK_ERRNO(berthdv_qp_attach_socket(t.ep.qp, s.peer), EINVAL, "a QP that has one");
	vt_ep_create(&rc, s.dev, &o, 0);
	CHECK_ERRNO(vt_ep_to_init(&rc, &o), 0, "to INIT");
	CHECK_ERRNO(berthdv_qp_attach_socket(rc.qp, s.peer), EINVAL, "an RC QP");
	CHECK_ERRNO(vt_ep_to_rtr_raw(&s.ep, &o, &rc.gid, rc.qp->qp_num, 1), EINVAL, "to RTR");
	s.fd = s.peer;
	stream_attach(&s);
}

/* A process is killed in the middle: the connection ends with it. */
static void killed(const void *unused __attribute__((unused)))
{
	for (int i = 0; i < 10; i++) {
		int ready[2], status;
		char c;
		pid_t pid;

		CHECK(!pipe(ready), "pipe");
		pid = fork();
		CHECK(pid >= 0, "fork");
		if (!pid) {
			struct stream s = stream_new(false);
			struct vt_buf *buf = vt_buf_new(s.dev, VT_BAR, SIZE, VT_ACCESS_ALL);

			stream_attach(&s);
			for (int k = 0; k < 60; k++) {
				CHECK_ERRNO(vt_recv(&s.ep, k, vt_sge(buf, 0, SIZE)), 0, "ibv_post_recv");
				CHECK_ERRNO(vt_send(&s.ep, k, IBV_WR_SEND, vt_sge(buf, 0, SIZE), NULL, 0, 0), 0,
					    "ibv_post_send");
			}
			CHECK(write(ready[1], "r", 1) == 1, "write");
			vt_net_write(s.peer, 1 << 30, SEED, 0, 4096);
			_exit(1);
		}
		close(ready[1]);
		CHECK(read(ready[0], &c, 1) == 1, "the process did not get ready");
		close(ready[0]);
		vt_sleep_ms(7 * i);
		CHECK(!kill(pid, SIGKILL) && waitpid(pid, &status, 0) == pid && WIFSIGNALED(status),
		      "the process had ended before it was killed");
	}
}

void stream_add_fd_cases(void)
{
	static const enum ibv_qp_state states[] = { IBV_QPS_UNKNOWN, IBV_QPS_RESET, IBV_QPS_ERR };

	vt_add("stream/fd/busy", busy, NULL, 0);
	vt_add("stream/fd/stalled", stalled, NULL, 0);
	vt_add("stream/fd/closed", closed, NULL, 0);
	vt_add("stream/fd/back/destroy", given_back, &states[0], 0);
	vt_add("stream/fd/back/reset", given_back, &states[1], 0);
	vt_add("stream/fd/back/error", given_back, &states[2], 0);
	vt_add("stream/fd/half", half, NULL, 0);
	vt_add("stream/refused", refused, NULL, 0);
	vt_add("stream/killed", killed, NULL, 60);
}
