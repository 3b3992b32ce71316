// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * two_hosts: a connection between two machines, every opcode, verified byte for byte on both. The
 * program runs on each of them with the same cases; VT_LISTEN makes it the one that waits, VT_CONNECT
 * names the other's address. They agree over a TCP connection per case. VT_MEM is the kind of memory.
 *
 * A case's name says who sends the requests: the one that connects, or the one that listens.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "vtest.h"

#define PORT	"18777"
#define SIZE	(320 * 1024)
#define WORD	(4096 + 8 - VT_SKEW % 8)	/* where the word of atomics lies: an aligned address */

struct plan {
	enum ibv_mtu mtu;
	enum ibv_qp_type type;
	bool v6;
	bool listener_asks;
};

/* What each tells the other; both run on machines of one byte order. */
struct hello {
	uint32_t qpn, psn, rkey;
	uint32_t mtu;
	uint64_t iova, src_iova, src_seed;
	uint32_t src_rkey, reserved;
	union ibv_gid gid;
};

struct two {
	const struct plan *plan;
	int sock;
	bool asks;
	struct vt_dev *dev;
	struct vt_opts opts;
	struct vt_ep ep;
	struct vt_buf *src, *dst;
	struct hello peer;
	uint64_t n;		/* of the message */
};

static const enum ibv_wr_opcode rc_ops[] = {
	IBV_WR_SEND, IBV_WR_SEND_WITH_IMM, IBV_WR_RDMA_WRITE, IBV_WR_RDMA_WRITE_WITH_IMM, IBV_WR_RDMA_READ,
	IBV_WR_ATOMIC_CMP_AND_SWP, IBV_WR_ATOMIC_FETCH_AND_ADD,
};
static const enum ibv_wr_opcode uc_ops[] = { IBV_WR_SEND, IBV_WR_SEND_WITH_IMM, IBV_WR_RDMA_WRITE_WITH_IMM };

/* ---- talking ---- */

static int try_socket(const struct addrinfo *ai, bool listening)
{
	int sock = socket(ai->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1, conn;

	CHECK(sock >= 0, "socket: %s", strerror(errno));
	if (listening) {
		setsockopt(sock, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
		CHECK(!bind(sock, ai->ai_addr, ai->ai_addrlen), "bind: %s", strerror(errno));
		CHECK(!listen(sock, 1), "listen: %s", strerror(errno));
		conn = accept(sock, NULL, NULL);
		CHECK(conn >= 0, "accept: %s", strerror(errno));
		close(sock);
		return conn;
	}
	if (!connect(sock, ai->ai_addr, ai->ai_addrlen))
		return sock;
	close(sock);
	return -1;
}

static int meet(bool *listening)
{
	const char *there = getenv("VT_CONNECT");
	struct addrinfo hints = { .ai_family = AF_INET, .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE }, *ai;
	uint64_t end = vt_now_ms() + 15000 * vt_cfg.slow;
	int sock = -1;

	*listening = getenv("VT_LISTEN");
	CHECK(*listening || there, "neither VT_LISTEN nor VT_CONNECT is set");
	CHECK(!getaddrinfo(*listening ? NULL : there, PORT, &hints, &ai), "no such address: %s", there);
	while (sock < 0 && vt_now_ms() < end) {
		sock = try_socket(ai, *listening);
		if (sock < 0)
			vt_sleep_ms(50);
	}
	freeaddrinfo(ai);
	CHECK(sock >= 0, "the other machine does not answer");
	return sock;
}

static void swap_bytes(struct two *t, const void *mine, void *theirs, size_t len)
{
	CHECK_EQ(send(t->sock, mine, len, MSG_NOSIGNAL), (ssize_t)len, "telling the other machine");
	CHECK_EQ(recv(t->sock, theirs, len, MSG_WAITALL), (ssize_t)len, "hearing from the other machine");
}

/* Both have come here. */
static void together(struct two *t)
{
	uint32_t mine = (uint32_t)t->n, theirs;

	swap_bytes(t, &mine, &theirs, sizeof(mine));
	CHECK_EQ(theirs, mine, "message that the other machine is at");
}

/* ---- one message ---- */

static bool takes_receive(enum ibv_wr_opcode op)
{
	return op == IBV_WR_SEND || op == IBV_WR_SEND_WITH_IMM || op == IBV_WR_RDMA_WRITE_WITH_IMM;
}

static bool is_atomic(enum ibv_wr_opcode op)
{
	return op == IBV_WR_ATOMIC_CMP_AND_SWP || op == IBV_WR_ATOMIC_FETCH_AND_ADD;
}

/* Places of message n, which both know. */
static size_t from(const struct two *t) { return (t->n * 37) % 4001; }
static size_t to(const struct two *t) { return 8192 + (t->n * 53) % 4093; }
static uint32_t imm(const struct two *t) { return (uint32_t)vt_mix(0x1337, t->n); }

static uint64_t pattern_word(uint64_t seed, uint64_t pos)
{
	uint8_t b[8];
	uint64_t word;

	vt_fill(b, sizeof(b), seed, pos);
	memcpy(&word, b, sizeof(word));
	return word;
}

/* What the atomic leaves behind in the word that lay there. */
static uint64_t atomic_result(const struct two *t, enum ibv_wr_opcode op, uint64_t old)
{
	return op == IBV_WR_ATOMIC_CMP_AND_SWP ? vt_mix(5, t->n) : old + vt_mix(6, t->n);
}

static void ask(struct two *t, enum ibv_wr_opcode op, uint32_t len)
{
	bool fetches = op == IBV_WR_RDMA_READ || is_atomic(op);
	uint64_t old = pattern_word(t->peer.src_seed, VT_SKEW + WORD);
	struct ibv_sge sge = fetches ? vt_sge(t->dst, to(t), len) : vt_sge(t->src, from(t), len);
	struct ibv_send_wr *bad, wr = { .wr_id = t->n, .sg_list = &sge, .num_sge = 1, .opcode = op,
					.send_flags = IBV_SEND_SIGNALED, .imm_data = htonl(imm(t)) };
	uint64_t got;

	if (is_atomic(op)) {
		wr.wr.atomic.remote_addr = t->peer.src_iova + WORD;
		wr.wr.atomic.rkey = t->peer.src_rkey;
		wr.wr.atomic.compare_add = op == IBV_WR_ATOMIC_CMP_AND_SWP ? old : vt_mix(6, t->n);
		wr.wr.atomic.swap = vt_mix(5, t->n);
	} else {
		wr.wr.rdma.remote_addr = fetches ? t->peer.src_iova + from(t) : t->peer.iova + to(t);
		wr.wr.rdma.rkey = fetches ? t->peer.src_rkey : t->peer.rkey;
	}
	CHECK_ERRNO(ibv_post_send(t->ep.qp, &wr, &bad), 0, "ibv_post_send");
	vt_expect_wc(&t->ep, t->ep.scq, t->n, IBV_WC_SUCCESS, "a request", NULL);
	if (op == IBV_WR_RDMA_READ)
		vt_buf_expect(t->dst, to(t), len, t->peer.src_seed, VT_SKEW + from(t), "what a READ brought");
	if (is_atomic(op)) {
		memcpy(&got, t->dst->ptr + to(t), sizeof(got));
		CHECK(got == old, "an atomic found %#llx, should be %#llx", (unsigned long long)got,
		      (unsigned long long)old);
	}
	if (fetches)
		vt_buf_fill(t->dst, to(t), len);
}

static void check_answered(struct two *t, enum ibv_wr_opcode op, uint32_t len)
{
	uint64_t old = pattern_word(t->src->seed, VT_SKEW + WORD), now;
	struct ibv_wc wc;

	if (takes_receive(op)) {
		vt_expect_wc(&t->ep, t->ep.rcq, t->n, IBV_WC_SUCCESS, "a receive", &wc);
		CHECK_EQ(wc.byte_len, len, "byte_len");
		if (op != IBV_WR_SEND)
			CHECK_EQ(ntohl(wc.imm_data), imm(t), "immediate data");
	}
	if (is_atomic(op)) {
		memcpy(&now, t->src->ptr + WORD, sizeof(now));
		CHECK(now == atomic_result(t, op, old), "an atomic left %#llx", (unsigned long long)now);
		vt_buf_fill(t->src, WORD, sizeof(now));
	} else if (op != IBV_WR_RDMA_READ) {
		vt_buf_expect(t->dst, to(t), len, t->peer.src_seed, VT_SKEW + from(t), "what came");
		vt_buf_fill(t->dst, to(t), len);
	}
}

static void message(struct two *t, enum ibv_wr_opcode op, uint32_t len)
{
	if (is_atomic(op))
		len = 8;
	t->n++;
	if (!t->asks && takes_receive(op))
		CHECK_ERRNO(vt_recv(&t->ep, t->n, vt_sge(t->dst, to(t), len)), 0, "ibv_post_recv");
	together(t);
	if (t->asks)
		ask(t, op, len);
	together(t);
	if (!t->asks)
		check_answered(t, op, len);
	together(t);
	vt_buf_check(t->src, 0, t->src->size, "source");
	vt_buf_check(t->dst, 0, t->dst->size, "destination");
}

/* ---- a connection ---- */

static enum vt_mem memory_kind(void)
{
	const char *name = getenv("VT_MEM");

	for (int i = VT_HOST; name && i < VT_MEM_KINDS; i++)
		if (!strcmp(name, vt_mem_name[i]))
			return (enum vt_mem)i;
	CHECK(!name, "VT_MEM=%s is no kind of memory", name);
	return VT_HOST;
}

static void link_ends(struct two *t, bool listening)
{
	int access = VT_ACCESS_ALL | IBV_ACCESS_REMOTE_ATOMIC;
	struct hello mine;

	t->opts = VT_OPTS;
	t->opts.type = t->plan->type;
	t->opts.v6 = t->plan->v6;
	t->opts.mtu = t->plan->mtu;
	t->opts.qp_access = t->plan->type == IBV_QPT_RC ? (unsigned int)access : VT_ACCESS_ALL;
	t->opts.psn[0] = (uint32_t)(vt_now_ms() * 7919) & 0xffffff;
	t->dev = vt_open(vt_cfg.dev);
	/* Patterns follow from how many buffers there were: not those of the other machine. */
	if (listening)
		for (int i = 0; i < 2; i++)
			vt_buf_alloc(VT_HOST, 8);
	t->src = vt_buf_new(t->dev, memory_kind(), SIZE, access);
	t->dst = vt_buf_new(t->dev, memory_kind(), SIZE, access);
	vt_ep_create(&t->ep, t->dev, &t->opts, 0);
	mine = (struct hello){
		.qpn = t->ep.qp->qp_num, .psn = t->ep.psn, .rkey = t->dst->mr->rkey, .iova = t->dst->iova,
		.src_iova = t->src->iova, .src_rkey = t->src->mr->rkey, .src_seed = t->src->seed,
		.mtu = t->dev->port.active_mtu, .gid = t->ep.gid,
	};
	swap_bytes(t, &mine, &t->peer, sizeof(mine));
	if (t->plan->mtu > t->dev->port.active_mtu || t->plan->mtu > t->peer.mtu)
		vt_skip("path MTU %u does not fit the netdev", vt_mtu_bytes(t->plan->mtu));
	CHECK_ERRNO(vt_ep_to_init(&t->ep, &t->opts), 0, "RESET to INIT");
	CHECK_ERRNO(vt_ep_to_rtr_raw(&t->ep, &t->opts, &t->peer.gid, t->peer.qpn, t->peer.psn), 0, "INIT to RTR");
	CHECK_ERRNO(vt_ep_to_rts(&t->ep, &t->opts), 0, "RTR to RTS");
	together(t);
}

static int close_socket(void *arg)
{
	return close(*(int *)arg) ? errno : 0;
}

static void talk(const void *arg)
{
	struct two *t = vt_zalloc(sizeof(*t));
	const struct plan *plan = arg;
	uint32_t mtu = vt_mtu_bytes(plan->mtu);
	const uint32_t len[] = { 0, 1, 3, 64, mtu - 1, mtu, mtu + 1, 2 * mtu, 15 * mtu + 5, 65536, 70001, 300000 };
	const enum ibv_wr_opcode *ops = plan->type == IBV_QPT_RC ? rc_ops : uc_ops;
	size_t n = plan->type == IBV_QPT_RC ? sizeof(rc_ops) / sizeof(*rc_ops) : sizeof(uc_ops) / sizeof(*uc_ops);
	bool listening;

	t->plan = plan;
	t->sock = meet(&listening);
	vt_defer(close_socket, &t->sock, "close");
	t->asks = listening == plan->listener_asks;
	link_ends(t, listening);
	for (size_t i = 0; i < n; i++)
		for (size_t l = 0; l < (is_atomic(ops[i]) ? 3 : sizeof(len) / sizeof(*len)); l++)
			message(t, ops[i], len[l]);
}

static void add(struct plan p)
{
	struct plan *copy = malloc(sizeof(*copy));
	char name[80];

	if (!copy) {
		perror("two_hosts");
		exit(2);
	}
	*copy = p;
	snprintf(name, sizeof(name), "two/%s/%s/ipv%d/%u", p.listener_asks ? "listener_asks" : "caller_asks",
		 p.type == IBV_QPT_RC ? "rc" : "uc", p.v6 ? 6 : 4, vt_mtu_bytes(p.mtu));
	vt_add(name, talk, copy, 30);
}

static void add_cases(void)
{
	for (int asks = 0; asks < 2; asks++) {
		for (int mtu = IBV_MTU_256; mtu <= IBV_MTU_4096; mtu++)
			add((struct plan){ (enum ibv_mtu)mtu, IBV_QPT_RC, false, asks });
		add((struct plan){ IBV_MTU_1024, IBV_QPT_RC, true, asks });
		add((struct plan){ IBV_MTU_4096, IBV_QPT_RC, true, asks });
		add((struct plan){ IBV_MTU_1024, IBV_QPT_UC, false, asks });
	}
}

int main(int argc, char **argv)
{
	return vt_main(argc, argv, add_cases);
}
