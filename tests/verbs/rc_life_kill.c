// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * rc_life: a process is killed (SIGKILL) in mid-transfer. Two child processes with one QP each; one
 * of them streams requests to the other; one of them dies at a random moment. A requester that
 * survives ends with retries exceeded, in order, everything behind flushed; a responder that
 * survives can destroy what it has. Afterwards new pairs work.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "rc_life.h"
#include "vtest.h"

#define BYTES	(256 * 1024)
#define WINDOW	16

struct kill_arg {
	const char *name;
	bool wire;
	bool kill_requester;
	enum ibv_wr_opcode op;
	enum vt_mem mem;
};

/* What the two processes tell each other. */
struct hello {
	union ibv_gid gid;
	uint32_t qpn;
	uint32_t psn;
	uint32_t rkey;
	uint64_t addr;
};

struct side {
	struct vt_ep ep;
	struct vt_buf *buf;
	struct hello peer;
};

static struct vt_opts options(void)
{
	struct vt_opts o = VT_OPTS;

	o.timeout = 12;
	o.retry = 4;
	o.mtu = IBV_MTU_1024;
	return o;
}

static struct side connect_side(const struct kill_arg *t, int which, int sock)
{
	struct vt_dev *d = vt_open(which && t->wire ? vt_cfg.peer : vt_cfg.dev);
	struct vt_opts o = options();
	struct side s;
	struct hello h;

	s.buf = vt_buf_new(d, t->mem, BYTES, VT_ACCESS_ALL);
	vt_ep_create(&s.ep, d, &o, which);
	h = (struct hello){ s.ep.gid, s.ep.qp->qp_num, s.ep.psn, s.buf->mr->rkey, s.buf->iova };
	CHECK(write(sock, &h, sizeof(h)) == sizeof(h), "socket: %s", strerror(errno));
	CHECK(read(sock, &s.peer, sizeof(h)) == sizeof(h), "the other process is gone too early");
	CHECK_ERRNO(vt_ep_to_init(&s.ep, &o), 0, "to INIT");
	CHECK_ERRNO(vt_ep_to_rtr_raw(&s.ep, &o, &s.peer.gid, s.peer.qpn, s.peer.psn), 0, "to RTR");
	CHECK_ERRNO(vt_ep_to_rts(&s.ep, &o), 0, "to RTS");
	return s;
}

/* Meet again once both are in RTS (or have receives posted). */
static void barrier(int sock)
{
	char c = 'x';

	CHECK(write(sock, &c, 1) == 1 && read(sock, &c, 1) == 1, "the other process is gone too early");
}

static int post_one(struct side *s, const struct kill_arg *t, uint64_t id)
{
	struct ibv_sge sge = vt_sge(s->buf, 0, BYTES);
	struct ibv_send_wr wr = { .wr_id = id, .sg_list = &sge, .num_sge = 1, .opcode = t->op,
				  .send_flags = IBV_SEND_SIGNALED,
				  .wr.rdma = { s->peer.addr, s->peer.rkey } }, *bad;

	return ibv_post_send(s->ep.qp, &wr, &bad);
}

/* Stream until an error comes; then everything behind it is flushed, in order. */
static void requester(struct side *s, const struct kill_arg *t, int sock)
{
	uint64_t posted = 0, done = 0, limit = vt_now_ms() + 15000 * vt_cfg.slow;
	enum ibv_wc_status first = IBV_WC_SUCCESS;
	struct ibv_wc wc;
	char c = 'r';

	for (; posted < WINDOW; posted++)
		CHECK_ERRNO(post_one(s, t, posted), 0, "ibv_post_send");
	CHECK(write(sock, &c, 1) == 1, "socket");
	while (done < posted) {
		CHECK(vt_now_ms() < limit, "requests go on after the peer was killed");
		vt_poll(s->ep.scq, &wc, "stream");
		CHECK_EQ(wc.wr_id, done, "order");
		done++;
		if (first != IBV_WC_SUCCESS) {
			CHECK_EQ(wc.status, IBV_WC_WR_FLUSH_ERR, "status behind the error");
		} else if (wc.status != IBV_WC_SUCCESS) {
			/* The peer's region may go before its QP. */
			CHECK(wc.status == IBV_WC_RETRY_EXC_ERR || wc.status == IBV_WC_REM_ACCESS_ERR,
			      "status '%s' after the peer was killed", ibv_wc_status_str(wc.status));
			first = wc.status;
		} else {
			CHECK_ERRNO(post_one(s, t, posted++), 0, "ibv_post_send");
		}
	}
	CHECK(first != IBV_WC_SUCCESS, "no error");
}

/* Serve until told to stop: keep receives posted when the requests need them. */
static void responder(struct side *s, const struct kill_arg *t, int sock)
{
	bool receives = t->op == IBV_WR_SEND;
	struct ibv_wc wc;
	char c = 'r';

	if (write(sock, &c, 1) != 1)
		return;
	while (recv(sock, &c, 1, MSG_DONTWAIT | MSG_PEEK) < 0 && errno == EAGAIN) {
		if (!receives) {
			usleep(1000);
			continue;
		}
		if (vt_poll_for(s->ep.rcq, &wc, 1) && wc.status == IBV_WC_SUCCESS)
			CHECK_ERRNO(vt_recv(&s->ep, 1, vt_sge(s->buf, 0, BYTES)), 0, "ibv_post_recv");
	}
}

/* One of the two processes; does not return. */
static void child(const struct kill_arg *t, int which, int sock, int ctl)
{
	struct side s = connect_side(t, which, sock);

	if (which && t->op == IBV_WR_SEND)
		for (int i = 0; i < 60; i++)
			CHECK_ERRNO(vt_recv(&s.ep, 1, vt_sge(s.buf, 0, BYTES)), 0, "ibv_post_recv");
	barrier(sock);
	if (!which)
		requester(&s, t, ctl);
	else
		responder(&s, t, ctl);
	/* Orderly end of the survivor: every destroy has to work. */
	CHECK_ERRNO(ibv_destroy_qp(s.ep.qp), 0, "ibv_destroy_qp of the survivor");
	CHECK_ERRNO(ibv_destroy_cq(s.ep.scq), 0, "ibv_destroy_cq of the survivor");
	CHECK_ERRNO(ibv_destroy_cq(s.ep.rcq), 0, "ibv_destroy_cq of the survivor");
	CHECK_ERRNO(ibv_dereg_mr(s.buf->mr), 0, "ibv_dereg_mr of the survivor");
	_exit(0);
}

static void one_round(const struct kill_arg *t, unsigned int after_us)
{
	int data[2], ctl[2][2], status;
	int victim = t->kill_requester ? 0 : 1;
	pid_t pid[2];
	char c;

	CHECK(!socketpair(AF_UNIX, SOCK_STREAM, 0, data), "socketpair: %s", strerror(errno));
	for (int i = 0; i < 2; i++) {
		CHECK(!socketpair(AF_UNIX, SOCK_STREAM, 0, ctl[i]), "socketpair: %s", strerror(errno));
		pid[i] = fork();
		CHECK(pid[i] >= 0, "fork: %s", strerror(errno));
		if (!pid[i]) {
			/* Held here, this end would never look closed. */
			close(data[!i]);
			close(ctl[i][0]);
			child(t, i, data[i], ctl[i][1]);
		}
		close(ctl[i][1]);
	}
	close(data[0]);
	close(data[1]);
	for (int i = 0; i < 2; i++)
		CHECK(read(ctl[i][0], &c, 1) == 1, "process %d did not get ready", i);
	usleep(after_us);
	CHECK(!kill(pid[victim], SIGKILL), "kill: %s", strerror(errno));
	CHECK(waitpid(pid[victim], &status, 0) == pid[victim], "waitpid");
	CHECK(WIFSIGNALED(status), "the victim had ended before it was killed, status %#x", status);
	close(ctl[!victim][0]);	/* tells a responder to stop */
	CHECK(waitpid(pid[!victim], &status, 0) == pid[!victim], "waitpid");
	CHECK(WIFEXITED(status) && !WEXITSTATUS(status), "the survivor failed (see above), status %#x",
	      status);
	close(ctl[victim][0]);
}

/* LIFE_ROUNDS in the environment: rounds of each case. */
static unsigned int rounds(void)
{
	const char *text = getenv("LIFE_ROUNDS");

	return text ? (unsigned int)strtoul(text, NULL, 0) : 6;
}

static void kill_case(const void *arg)
{
	const struct kill_arg *t = arg;
	struct vt_opts o = VT_OPTS;
	struct vt_dev *da, *db;
	uint64_t rnd = 11 + rounds();

	if (!vt_mem_probe(t->mem))
		vt_skip("no %s on this machine", vt_mem_name[t->mem]);
	for (unsigned int round = 0; round < rounds(); round++)
		one_round(t, (unsigned int)(vt_rand(&rnd) % 40000));
	da = vt_open(vt_cfg.dev);
	db = t->wire ? vt_open(vt_cfg.peer) : da;
	vt_ping(vt_pair_new(da, db, &o), vt_buf_new(da, VT_HOST, 5000, VT_ACCESS_ALL),
		vt_buf_new(db, VT_HOST, 5000, VT_ACCESS_ALL), 5000);
}

void life_add_kill(void)
{
	static const struct kill_arg rows[] = {
		{ "kill/responder/write/local", false, false, IBV_WR_RDMA_WRITE, VT_HOST },
		{ "kill/responder/write/wire", true, false, IBV_WR_RDMA_WRITE, VT_BAR },
		{ "kill/responder/read/wire", true, false, IBV_WR_RDMA_READ, VT_HEAP },
		{ "kill/responder/send/local", false, false, IBV_WR_SEND, VT_BAR },
		{ "kill/responder/send/wire", true, false, IBV_WR_SEND, VT_HOST },
		{ "kill/requester/write/local", false, true, IBV_WR_RDMA_WRITE, VT_BAR },
		{ "kill/requester/write/wire", true, true, IBV_WR_RDMA_WRITE, VT_HOST },
		{ "kill/requester/read/local", false, true, IBV_WR_RDMA_READ, VT_UDMABUF },
		{ "kill/requester/read/wire", true, true, IBV_WR_RDMA_READ, VT_BAR },
		{ "kill/requester/send/wire", true, true, IBV_WR_SEND, VT_HEAP },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (!rows[i].wire || vt_cfg.peer)
			vt_add(rows[i].name, kill_case, &rows[i], 60 + 6 * rounds());
}
