// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * What fuzz_abi's children do with TCP-offload QPs: make them, have them adopt sockets that are fit for it and
 * others that are not, and use, close and break the sockets meanwhile.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <infiniband/berthdv.h>

#include "fuzz_abi.h"

#define FDS	6

static int fds[FDS] = { -1, -1, -1, -1, -1, -1 };

/* Both ends of a connection with ourselves. */
static void connect_pair(int *one, int *other)
{
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int listener = socket(AF_INET, SOCK_STREAM, 0);
	socklen_t len = sizeof(sin);

	if (bind(listener, (struct sockaddr *)&sin, sizeof(sin)) || listen(listener, 1) ||
	    getsockname(listener, (struct sockaddr *)&sin, &len))
		goto out;
	*one = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	if (connect(*one, (struct sockaddr *)&sin, sizeof(sin)) && errno != EINPROGRESS)
		goto out;
	*other = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
out:
	close(listener);
}

/* A descriptor that can hardly be adopted. */
static int odd_fd(void)
{
	switch (fuzz_below(4)) {
	case 0:
		return socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	case 1:
		return socket(AF_INET6, SOCK_STREAM | SOCK_NONBLOCK, 0);
	case 2:
		return socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	default:
		return open("/dev/null", O_RDWR);
	}
}

static void renew(uint32_t i)
{
	close(fds[i]);
	close(fds[i ^ 1]);
	fds[i] = fds[i ^ 1] = -1;
	if (fuzz_odds(80))
		connect_pair(&fds[i], &fds[i ^ 1]);
	else
		fds[i] = odd_fd();
}

void do_tcp_qp(void)
{
	struct berthdv_qp_init_attr dv = {
		.qp_type = fuzz_odds(90) ? 1 + fuzz_below(2) : (enum berthdv_qp_type)fuzz_odd(),
		.comp_mask = fuzz_odds(95) ? 0 : fuzz_odd(),
	};
	struct ibv_qp_init_attr_ex ia = {
		.send_cq = bag_pick(&child.cq), .recv_cq = bag_pick(&child.cq), .pd = bag_pick(&child.pd),
		.srq = fuzz_odds(30) ? bag_pick(&child.srq) : NULL, .comp_mask = IBV_QP_INIT_ATTR_PD,
		.qp_type = fuzz_odds(95) ? IBV_QPT_RC : IBV_QPT_UD,
		.cap = { 1 + fuzz_below(16), 1 + fuzz_below(16), 2, 2, fuzz_below(64) },
	};

	if (ia.pd && ia.send_cq && ia.recv_cq)
		bag_keep(&child.qp, berthdv_create_qp(child.ctx, &ia, &dv));
	rings_find();
}

void do_attach(void)
{
	struct ibv_qp_attr a = { .qp_state = IBV_QPS_RESET, .port_num = 1 };
	struct ibv_qp *qp = bag_pick(&child.qp);
	uint32_t i = fuzz_below(FDS);

	if (!qp)
		return;
	if (fds[i] < 0 || fuzz_odds(30))
		renew(i);
	if (fuzz_odds(90)) {
		ibv_modify_qp(qp, &a, IBV_QP_STATE);
		a.qp_state = IBV_QPS_INIT;
		ibv_modify_qp(qp, &a, IBV_QP_STATE | IBV_QP_PKEY_INDEX | IBV_QP_PORT | IBV_QP_ACCESS_FLAGS);
	}
	berthdv_qp_attach_socket(qp, fuzz_odds(95) ? fds[i] : (int)fuzz_odd());
}

void do_socket(void)
{
	static char bytes[9000];
	struct linger linger = { .l_onoff = 1 };
	int i = (int)fuzz_below(FDS), fd = fds[i], on = 1;
	struct pollfd pfd = { .fd = fd, .events = POLLIN | POLLOUT };

	if (fd < 0)
		return;
	switch (fuzz_below(10)) {
	case 0:
	case 1:
	case 2:
		send(fd, bytes, fuzz_below(sizeof(bytes)), MSG_DONTWAIT | MSG_NOSIGNAL | (fuzz_odds(5) ? MSG_OOB : 0));
		return;
	case 3:
	case 4:
	case 5:
		recv(fd, bytes, fuzz_below(sizeof(bytes)), MSG_DONTWAIT | (fuzz_odds(20) ? MSG_PEEK : 0));
		return;
	case 6:
		poll(&pfd, 1, 0);
		setsockopt(fd, fuzz_odds(50) ? IPPROTO_TCP : SOL_SOCKET, (int)fuzz_below(40), &on, sizeof(on));
		return;
	case 7:
		shutdown(fd, (int)fuzz_below(3));
		return;
	case 8:
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
		break;
	default:
		break;
	}
	close(fd);
	fds[i] = -1;
}
