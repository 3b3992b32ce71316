// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * tcp_peer: the peer of a TCP QP is a plain socket of this program, which says what a peer should and
 * what it should not: garbage instead of MPA's request, the wrong QP, one byte at a time, segments
 * out of order and out of bounds, keys that are none, connections that break anywhere. The victim is a
 * QP of --peer; the socket is opened in the network namespace VT_NETNS, from the address VT_ADDR,
 * which has to be below the victim's, so that it is the socket that dials.
 *
 * After each case the victim's memory is what it should be.
 */
#include <endian.h>
#include <errno.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tcp_peer.h"

/* Nothing that is said before the right request does anything, or stays. */
static void greetings(const void *unused __attribute__((unused)))
{
	struct victim v = victim_new();
	uint8_t good[100], bytes[600];
	size_t n, i;

	victim_await(&v);
	n = peer_request(&v, good);
	for (i = 0; i < 9; i++) {
		int sock = peer_socket(peer_address());

		memcpy(bytes, good, n);
		peer_reach(&v, sock);
		switch (i) {
		case 0: memset(bytes, 'x', sizeof(bytes)); peer_say(sock, bytes, sizeof(bytes)); break;
		case 1: bytes[15] = 'f'; peer_say(sock, bytes, n); break;			/* no request */
		case 2: memcpy(bytes, "MPA ID Rep Frame", 16); peer_say(sock, bytes, n); break;	/* a reply */
		case 3: bytes[17] = 9; peer_say(sock, bytes, n); break;			/* revision */
		case 4: bytes[18] = 0xff; peer_say(sock, bytes, n); break;			/* private data */
		case 5: bytes[24] ^= 1; peer_say(sock, bytes, n); break;			/* magic */
		case 6: bytes[39] ^= 1; bytes[37] ^= 0x55; peer_say(sock, bytes, n); break;	/* QP */
		case 7: bytes[35] ^= 1; peer_say(sock, bytes, n); break;			/* not its peer */
		default: bytes[16] |= 0x80; peer_say(sock, bytes, n); break;			/* markers */
		}
		peer_expect_end(sock, "a bad greeting");
	}
	victim_greet(&v);
	victim_prove(&v, 1000, 1000);
}

/* One byte at a time, from the greeting on. */
static void dribble(const void *unused __attribute__((unused)))
{
	struct victim v = victim_new();
	uint8_t bytes[100];
	size_t n, got;

	victim_await(&v);
	v.sock = peer_socket(peer_address());
	peer_reach(&v, v.sock);
	n = peer_request(&v, bytes);
	for (size_t i = 0; i < n; i++)
		peer_say(v.sock, bytes + i, 1);
	CHECK(peer_hear(v.sock, bytes, 24 + sizeof(struct hello), &got), "no reply");
	victim_prove(&v, 3001, 1);
	victim_prove(&v, 5000, 7);
}

/* Callers that say nothing do not keep others out. */
static void crowd(const void *unused __attribute__((unused)))
{
	struct victim v = victim_new();
	int sock[700];

	victim_await(&v);
	for (size_t i = 0; i < sizeof(sock) / sizeof(sock[0]); i++) {
		sock[i] = peer_socket(peer_address());
		peer_reach(&v, sock[i]);
	}
	victim_greet(&v);
	victim_prove(&v, 1000, 1000);
	for (size_t i = 0; i < sizeof(sock) / sizeof(sock[0]); i++)
		close(sock[i]);
}

/* A call that comes before the QP is ready waits for it. */
static void early(const void *unused __attribute__((unused)))
{
	struct victim v = victim_new(), other = victim_new();
	uint8_t bytes[100];
	size_t got;

	victim_await(&other);		/* so that somebody listens */
	v.sock = peer_socket(peer_address());
	peer_reach(&v, v.sock);
	peer_say(v.sock, bytes, peer_request(&v, bytes));
	vt_sleep_ms(200);
	victim_await(&v);
	CHECK(peer_hear(v.sock, bytes, 24 + sizeof(struct hello), &got) && !memcmp(bytes, "MPA ID Rep Frame", 16),
	      "no reply to an early call");
	victim_prove(&v, 1000, 1000);
}

/* The stream stops anywhere, by an orderly end or a reset: nothing completes, nothing hangs. */
static void cut(const void *arg)
{
	const bool reset = arg != NULL;
	struct linger linger = { .l_onoff = 1 };
	uint8_t bytes[1100];

	for (size_t at = 0; at < 524; at += at < 40 ? 3 : 101) {
		struct victim v = victim_connected();

		CHECK_ERRNO(vt_recv(&v.ep, 1, vt_sge(v.buf, 0, 2000)), 0, "ibv_post_recv");
		peer_untagged(bytes, SEND, LAST, 0, 1, 0, v.src->ptr, 500);
		if (at)
			peer_say(v.sock, bytes, at);
		if (reset)
			setsockopt(v.sock, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
		close(v.sock);
		vt_poll_none(v.ep.rcq, 20, "a message that was cut off");
		vt_buf_check(v.buf, 500, SIZE - 500, "behind a message that was cut off");
		vt_ep_destroy_qp(&v.ep);
	}
}

/* The victim's own requests: a peer that closes without an answer. */
static void silent(const void *unused __attribute__((unused)))
{
	struct victim v = victim_connected();

	CHECK_ERRNO(vt_rdma(&v.ep, 3, IBV_WR_RDMA_WRITE, vt_sge(v.buf, 0, 5000), 0x1000, 5), 0, "ibv_post_send");
	victim_prove(&v, 100, 100);
	vt_poll_none(v.ep.scq, 100, "a WRITE that nobody has carried out");
	close(v.sock);
	vt_expect_wc(&v.ep, v.ep.scq, 3, IBV_WC_RETRY_EXC_ERR, "a peer that has gone", NULL);
	vt_expect_state(&v.ep, IBV_QPS_ERR, "state");
}

/* One that does not wait long and has asked for @len bytes. */
static struct victim asking(uint32_t len)
{
	struct victim v = victim_new();

	v.o.timeout = 12;
	v.o.retry = 2;
	victim_await(&v);
	victim_greet(&v);
	victim_prove(&v, 100, 100);
	CHECK_ERRNO(vt_rdma(&v.ep, 3, IBV_WR_RDMA_READ, vt_sge(v.buf, 0, len), 0x1000, 5), 0, "ibv_post_send");
	return v;
}

/*
 * A peer that has acknowledged a request and is gone before it answers: its TCP knows nothing of the
 * connection any more (and says so when it is asked), or does not say anything.
 */
static void vanished(const void *arg)
{
	const bool mute = arg != NULL;
	struct sock_filter nothing = BPF_STMT(BPF_RET, 0);
	struct sock_fprog drop = { .len = 1, .filter = &nothing };
	struct victim v = asking(5000);
	int repair = TCP_REPAIR_ON;

	vt_sleep_ms(300);
	if (mute) {
		CHECK(!setsockopt(v.sock, SOL_SOCKET, SO_ATTACH_FILTER, &drop, sizeof(drop)), "SO_ATTACH_FILTER: %s",
		      strerror(errno));
	} else {
		CHECK(!setsockopt(v.sock, IPPROTO_TCP, TCP_REPAIR, &repair, sizeof(repair)), "TCP_REPAIR: %s",
		      strerror(errno));
		close(v.sock);
	}
	vt_expect_wc(&v.ep, v.ep.scq, 3, IBV_WC_RETRY_EXC_ERR, "a peer that has vanished", NULL);
	vt_expect_state(&v.ep, IBV_QPS_ERR, "state");
	if (mute)
		close(v.sock);
}

/* One that is there and takes its time is waited for, whatever the QP's timeout. */
static void slow(const void *unused __attribute__((unused)))
{
	struct victim v = asking(500);
	uint8_t bytes[1100];
	size_t got, n;

	CHECK(peer_hear(v.sock, bytes, 52, &got) && (bytes[3] & 15) == READ_REQUEST, "no READ request");
	vt_poll_none(v.ep.scq, 12000, "a READ that was not answered");
	n = peer_tagged(bytes, READ_RESPONSE, LAST, be32toh(*(uint32_t *)(bytes + 20)), 0, v.src->ptr, 500);
	peer_say(v.sock, bytes, n);
	vt_expect_wc(&v.ep, v.ep.scq, 3, IBV_WC_SUCCESS, "a READ that was answered late", NULL);
	vt_buf_expect_copy(v.buf, 0, 500, v.src, 0, "a READ that was answered late");
}

static void add_cases(void)
{
	vt_add("tcp_peer/greetings", greetings, NULL, 60);
	vt_add("tcp_peer/dribble", dribble, NULL, 60);
	vt_add("tcp_peer/crowd", crowd, NULL, 60);
	vt_add("tcp_peer/early", early, NULL, 0);
	tcp_peer_add_bad();
	tcp_peer_add_order();
	vt_add("tcp_peer/cut/end", cut, NULL, 60);
	vt_add("tcp_peer/cut/reset", cut, "", 60);
	vt_add("tcp_peer/silent", silent, NULL, 0);
	vt_add("tcp_peer/vanished/gone", vanished, NULL, 40);
	vt_add("tcp_peer/vanished/mute", vanished, "", 40);
	vt_add("tcp_peer/slow", slow, NULL, 60);
}

int main(int argc, char **argv)
{
	setenv("BERTH_QP_TYPE", "tcp", 1);
	return vt_main(argc, argv, add_cases);
}
