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
#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "vt_net.h"
#include "vtest.h"

#define PORT	4791
#define QPN	0x4711		/* ours; there is no such QP */
#define SIZE	100000

enum { WRITE, READ_REQUEST, READ_RESPONSE, SEND, SEND_INV, SEND_SE, SEND_SE_INV, TERMINATE, IMM, IMM_SE,
       ATOMIC_REQUEST, ATOMIC_RESPONSE };

#define LAST	0x40

struct victim {
	struct vt_dev *dev;
	struct vt_opts o;
	struct vt_ep ep;
	struct vt_buf *buf, *src;
	union ibv_gid gid;	/* of the socket's address */
	int sock;
	uint32_t msn;		/* of our next SEND */
};

/* ---- the socket ---- */

static int open_socket(const char *address)
{
	const char *netns = getenv("VT_NETNS");

	CHECK(netns, "VT_NETNS is not set");
	return vt_net_socket(netns, address, NULL);
}

static const char *our_address(void)
{
	const char *address = getenv("VT_ADDR");

	CHECK(address, "VT_ADDR is not set");
	return address;
}

static void reach(struct victim *v, int sock)
{
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_port = htons(PORT) };

	memcpy(&sin.sin_addr, v->ep.gid.raw + 12, 4);
	CHECK(!connect(sock, (struct sockaddr *)&sin, sizeof(sin)), "connect: %s", strerror(errno));
}

static void say(int sock, const void *bytes, size_t n)
{
	CHECK(send(sock, bytes, n, MSG_NOSIGNAL) == (ssize_t)n, "send: %s", strerror(errno));
}

/* Whether @n bytes came within some time; what came before the end in *got. */
static bool hear(int sock, void *bytes, size_t n, size_t *got)
{
	struct timeval limit = { .tv_sec = 5 * vt_cfg.slow };
	ssize_t ret;

	*got = 0;
	setsockopt(sock, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	while (*got < n) {
		ret = recv(sock, (char *)bytes + *got, n - *got, 0);
		if (ret <= 0)
			return false;
		*got += ret;
	}
	return true;
}

/* The other side closes, and not because it has waited for more. */
static void expect_end(int sock, const char *what)
{
	struct timeval limit = { .tv_sec = 20 * vt_cfg.slow };
	char bytes[512];
	ssize_t ret;

	setsockopt(sock, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	while ((ret = recv(sock, bytes, sizeof(bytes), 0)) > 0)
		;
	CHECK(!ret || errno == ECONNRESET, "%s: the connection is still there", what);
	close(sock);
}

/* ---- frames ---- */

struct hello {
	uint32_t magic, version, src, dst;
	uint8_t src_gid[16], dst_gid[16];
};

/* MPA's request, revision 2, with what a QP says of itself. */
static size_t request(const struct victim *v, uint8_t *at)
{
	struct hello hello = { htobe32(0x62657274), htobe32(1), htobe32(QPN), htobe32(v->ep.qp->qp_num), {0}, {0} };

	memcpy(hello.src_gid, &v->gid, 16);
	memcpy(hello.dst_gid, &v->ep.gid, 16);
	memcpy(at, "MPA ID Req Frame", 16);
	memcpy(at + 16, "\x10\x02\x00\x34" "\x80\x10\x40\x10", 8);
	memcpy(at + 24, &hello, sizeof(hello));
	return 24 + sizeof(hello);
}

static uint8_t *put32(uint8_t *at, uint32_t value)
{
	value = htobe32(value);
	memcpy(at, &value, 4);
	return at + 4;
}

static uint8_t *put64(uint8_t *at, uint64_t value)
{
	return put32(put32(at, value >> 32), (uint32_t)value);
}

/* Puts length, padding and CRC (none) around @body, which begins with DDP's control byte. */
static size_t fpdu(uint8_t *at, const uint8_t *body, size_t n, const void *payload, size_t len)
{
	size_t ulpdu = n + len, pad = -(2 + ulpdu) & 3;

	at[0] = ulpdu >> 8;
	at[1] = (uint8_t)ulpdu;
	memcpy(at + 2, body, n);
	if (len)
		memcpy(at + 2 + n, payload, len);
	memset(at + 2 + ulpdu, 0, pad + 4);
	return 2 + ulpdu + pad + 4;
}

static size_t tagged(uint8_t *at, uint8_t opcode, uint8_t flags, uint32_t stag, uint64_t to,
		     const void *payload, size_t len)
{
	uint8_t body[14] = { 0x81 | flags, 0x40 | opcode };

	put64(put32(body + 2, stag), to);
	return fpdu(at, body, sizeof(body), payload, len);
}

static size_t untagged(uint8_t *at, uint8_t opcode, uint8_t flags, uint32_t qn, uint32_t msn, uint32_t mo,
		       const void *payload, size_t len)
{
	uint8_t body[18] = { 0x01 | flags, 0x40 | opcode };

	put32(put32(put32(put32(body + 2, 0), qn), msn), mo);
	return fpdu(at, body, sizeof(body), payload, len);
}

static size_t read_request(uint8_t *at, uint32_t msn, uint32_t rkey, uint64_t va, uint32_t size)
{
	uint8_t body[28];

	put64(put32(put32(put64(put32(body, 1), 0), size), rkey), va);
	return untagged(at, READ_REQUEST, LAST, 1, msn, 0, body, sizeof(body));
}

/* ---- the victim ---- */

static struct victim victim(void)
{
	struct victim v = { .dev = vt_open(vt_cfg.peer), .o = VT_OPTS, .msn = 1, .sock = -1 };

	memset(v.gid.raw + 10, 0xff, 2);
	inet_pton(AF_INET, our_address(), v.gid.raw + 12);
	v.buf = vt_buf_new(v.dev, VT_HOST, SIZE, VT_ACCESS_ALL);
	v.src = vt_buf_alloc(VT_HOST, SIZE);
	vt_ep_create(&v.ep, v.dev, &v.o, 1);
	CHECK_ERRNO(vt_ep_to_init(&v.ep, &v.o), 0, "to INIT");
	return v;
}

static void await(struct victim *v)
{
	CHECK_ERRNO(vt_ep_to_rtr_raw(&v->ep, &v->o, &v->gid, QPN, 1), 0, "to RTR");
	CHECK_ERRNO(vt_ep_to_rts(&v->ep, &v->o), 0, "to RTS");
}

/* Through MPA's handshake. */
static void greet(struct victim *v)
{
	uint8_t bytes[100];
	size_t got;

	v->sock = open_socket(our_address());
	reach(v, v->sock);
	say(v->sock, bytes, request(v, bytes));
	CHECK(hear(v->sock, bytes, 24 + sizeof(struct hello), &got) && !memcmp(bytes, "MPA ID Rep Frame", 16) &&
	      !(bytes[16] & 0x20), "no reply, or a refusal (%zu bytes)", got);
}

static struct victim connected(void)
{
	struct victim v = victim();

	await(&v);
	greet(&v);
	return v;
}

/* What the victim says last; its error as layer, type and code. */
static uint32_t expect_terminate(struct victim *v, const char *what)
{
	uint8_t bytes[120];
	size_t got, ulpdu;
	uint32_t error;

	CHECK(hear(v->sock, bytes, 2, &got), "%s: no Terminate", what);
	ulpdu = bytes[0] << 8 | bytes[1];
	CHECK(ulpdu >= 22 && ulpdu < 100, "%s: a message of %zu bytes instead of Terminate", what, ulpdu);
	CHECK(hear(v->sock, bytes + 2, ulpdu + (-(2 + ulpdu) & 3) + 4, &got), "%s: half a Terminate", what);
	CHECK_EQ(bytes[3] & 15, TERMINATE, what);
	error = bytes[20] << 8 | bytes[21];
	expect_end(v->sock, what);
	return error;
}

/* A proper SEND of some bytes arrives. */
static void prove(struct victim *v, size_t len, size_t piece)
{
	uint8_t *bytes = vt_zalloc(len + 100);
	struct ibv_wc wc;
	size_t n, i;

	vt_buf_fill(v->buf, 0, SIZE);
	CHECK_ERRNO(vt_recv(&v->ep, 7, vt_sge(v->buf, 100, len)), 0, "ibv_post_recv");
	n = untagged(bytes, SEND, LAST, 0, v->msn++, 0, v->src->ptr, len);
	for (i = 0; i < n; i += piece)
		say(v->sock, bytes + i, i + piece < n ? piece : n - i);
	vt_expect_wc(&v->ep, v->ep.rcq, 7, IBV_WC_SUCCESS, "a proper SEND", &wc);
	CHECK_EQ(wc.byte_len, len, "byte_len");
	vt_buf_expect_copy(v->buf, 100, len, v->src, 0, "a proper SEND");
	vt_buf_check(v->buf, 0, 100, "before it");
	vt_buf_check(v->buf, 100 + len, SIZE - 100 - len, "behind it");
}

/* ---- cases ---- */

/* Nothing that is said before the right request does anything, or stays. */
static void greetings(const void *unused __attribute__((unused)))
{
	struct victim v = victim();
	uint8_t good[100], bytes[600];
	size_t n, i;

	await(&v);
	n = request(&v, good);
	for (i = 0; i < 9; i++) {
		int sock = open_socket(our_address());

		memcpy(bytes, good, n);
		reach(&v, sock);
		switch (i) {
		case 0: memset(bytes, 'x', sizeof(bytes)); say(sock, bytes, sizeof(bytes)); break;
		case 1: bytes[15] = 'f'; say(sock, bytes, n); break;			/* no request */
		case 2: memcpy(bytes, "MPA ID Rep Frame", 16); say(sock, bytes, n); break;	/* a reply */
		case 3: bytes[17] = 9; say(sock, bytes, n); break;			/* revision */
		case 4: bytes[18] = 0xff; say(sock, bytes, n); break;			/* private data */
		case 5: bytes[24] ^= 1; say(sock, bytes, n); break;			/* magic */
		case 6: bytes[39] ^= 1; bytes[37] ^= 0x55; say(sock, bytes, n); break;	/* QP */
		case 7: bytes[35] ^= 1; say(sock, bytes, n); break;			/* not its peer */
		default: bytes[16] |= 0x80; say(sock, bytes, n); break;			/* markers */
		}
		expect_end(sock, "a bad greeting");
	}
	greet(&v);
	prove(&v, 1000, 1000);
}

/* One byte at a time, from the greeting on. */
static void dribble(const void *unused __attribute__((unused)))
{
	struct victim v = victim();
	uint8_t bytes[100];
	size_t n, got;

	await(&v);
	v.sock = open_socket(our_address());
	reach(&v, v.sock);
	n = request(&v, bytes);
	for (size_t i = 0; i < n; i++)
		say(v.sock, bytes + i, 1);
	CHECK(hear(v.sock, bytes, 24 + sizeof(struct hello), &got), "no reply");
	prove(&v, 3001, 1);
	prove(&v, 5000, 7);
}

/* Callers that say nothing do not keep others out. */
static void crowd(const void *unused __attribute__((unused)))
{
	struct victim v = victim();
	int sock[700];

	await(&v);
	for (size_t i = 0; i < sizeof(sock) / sizeof(sock[0]); i++) {
		sock[i] = open_socket(our_address());
		reach(&v, sock[i]);
	}
	greet(&v);
	prove(&v, 1000, 1000);
	for (size_t i = 0; i < sizeof(sock) / sizeof(sock[0]); i++)
		close(sock[i]);
}

/* A call that comes before the QP is ready waits for it. */
static void early(const void *unused __attribute__((unused)))
{
	struct victim v = victim(), other = victim();
	uint8_t bytes[100];
	size_t got;

	await(&other);		/* so that somebody listens */
	v.sock = open_socket(our_address());
	reach(&v, v.sock);
	say(v.sock, bytes, request(&v, bytes));
	vt_sleep_ms(200);
	await(&v);
	CHECK(hear(v.sock, bytes, 24 + sizeof(struct hello), &got) && !memcmp(bytes, "MPA ID Rep Frame", 16),
	      "no reply to an early call");
	prove(&v, 1000, 1000);
}

struct bad {
	const char *name;
	size_t (*build)(struct victim *v, uint8_t *at);
	int error;		/* layer, type and code of the Terminate; -1: none has to come */
};

static size_t bad_key(struct victim *v, uint8_t *at)
{
	return tagged(at, WRITE, LAST, v->buf->mr->rkey ^ 0x100, v->buf->iova, v->src->ptr, 500);
}

static size_t bad_bound(struct victim *v, uint8_t *at)
{
	return tagged(at, WRITE, LAST, v->buf->mr->rkey, v->buf->iova + SIZE - 499, v->src->ptr, 500);
}

static size_t bad_wrap(struct victim *v, uint8_t *at)
{
	return tagged(at, WRITE, LAST, v->buf->mr->rkey, ~0ULL - 10, v->src->ptr, 500);
}

static size_t bad_msn(struct victim *v, uint8_t *at)
{
	return untagged(at, SEND, LAST, 0, 2, 0, v->src->ptr, 500);
}

static size_t bad_mo(struct victim *v, uint8_t *at)
{
	size_t n = untagged(at, SEND, 0, 0, 1, 0, v->src->ptr, 500);

	return n + untagged(at + n, SEND, LAST, 0, 1, 400, v->src->ptr, 500);
}

static size_t bad_mo_ahead(struct victim *v, uint8_t *at)
{
	return untagged(at, SEND, LAST, 0, 1, 90000, v->src->ptr, 500);
}

static size_t bad_opcode_change(struct victim *v, uint8_t *at)
{
	size_t n = untagged(at, SEND, 0, 0, 1, 0, v->src->ptr, 500);

	return n + untagged(at + n, SEND_SE, LAST, 0, 1, 500, v->src->ptr, 500);
}

static size_t bad_length(struct victim *v, uint8_t *at)
{
	return untagged(at, SEND, LAST, 0, 1, 0, v->src->ptr, 30000);
}

static size_t bad_qn(struct victim *v, uint8_t *at)
{
	return untagged(at, SEND, LAST, 5, 1, 0, v->src->ptr, 500);
}

static size_t bad_opcode(struct victim *v, uint8_t *at)
{
	return untagged(at, 0xe, LAST, 0, 1, 0, v->src->ptr, 500);
}

static size_t bad_version(struct victim *v, uint8_t *at)
{
	size_t n = untagged(at, SEND, LAST, 0, 1, 0, v->src->ptr, 500);

	at[2] ^= 3;
	return n;
}

static size_t bad_short(struct victim *unused __attribute__((unused)), uint8_t *at)
{
	memset(at, 0, 20);
	at[1] = 5;
	at[2] = 0x41;
	at[3] = 0x43;
	return 20;
}

static size_t bad_response(struct victim *v, uint8_t *at)
{
	return tagged(at, READ_RESPONSE, LAST, v->buf->mr->rkey, v->buf->iova, v->src->ptr, 500);
}

static size_t bad_atomic_response(struct victim *unused __attribute__((unused)), uint8_t *at)
{
	uint8_t body[12] = { 1 };

	return untagged(at, ATOMIC_RESPONSE, LAST, 3, 1, 0, body, sizeof(body));
}

static size_t bad_read_key(struct victim *v, uint8_t *at)
{
	return read_request(at, 1, v->buf->mr->rkey ^ 0x100, v->buf->iova, 1000);
}

static size_t bad_read_bound(struct victim *v, uint8_t *at)
{
	return read_request(at, 1, v->buf->mr->rkey, v->buf->iova + 1, SIZE);
}

static size_t bad_read_msn(struct victim *v, uint8_t *at)
{
	return read_request(at, 7, v->buf->mr->rkey, v->buf->iova, 1000);
}

/* More than the victim said that it can answer; the first one is long enough to be still there. */
static size_t bad_read_depth(struct victim *v, uint8_t *at)
{
	size_t n = 0;

	for (uint32_t i = 1; i <= 200; i++)
		n += read_request(at + n, i, v->buf->mr->rkey, v->buf->iova, SIZE);
	return n;
}

static size_t bad_invalidate(struct victim *v, uint8_t *at)
{
	size_t n = untagged(at, SEND_INV, LAST, 0, 1, 0, v->src->ptr, 500);

	put32(at + 4, 0x12345678);
	return n;
}

static size_t bad_atomic(struct victim *v, uint8_t *at)
{
	uint8_t body[52] = { 0 };

	put64(put32(put32(put32(body, 0), 1), v->buf->mr->rkey), v->buf->iova + 1);
	return untagged(at, ATOMIC_REQUEST, LAST, 1, 1, 0, body, sizeof(body));
}

static const struct bad bads[] = {
	{ "key", bad_key, 0x0102 },
	{ "bound", bad_bound, 0x0102 },
	{ "wrap", bad_wrap, 0x1103 },
	{ "msn", bad_msn, 0x1203 },
	{ "mo", bad_mo, 0x1204 },
	{ "mo_ahead", bad_mo_ahead, 0x1204 },
	{ "opcode_change", bad_opcode_change, 0x1204 },
	{ "too_long", bad_length, 0x1205 },
	{ "qn", bad_qn, 0x1201 },
	{ "opcode", bad_opcode, 0x0206 },
	{ "version", bad_version, 0x1206 },
	{ "short", bad_short, 0x02ff },
	{ "response", bad_response, 0x1100 },
	{ "atomic_response", bad_atomic_response, 0x1100 },
	{ "read_key", bad_read_key, 0x0102 },
	{ "read_bound", bad_read_bound, 0x0102 },
	{ "read_msn", bad_read_msn, 0x1203 },
	{ "read_depth", bad_read_depth, -1 },
	{ "invalidate", bad_invalidate, 0x0109 },
	{ "atomic", bad_atomic, 0x0206 },
};

/* A bad segment: the specified Terminate, the QP in error, and not a byte where it did not belong. */
static void bad(const void *arg)
{
	const struct bad *b = arg;
	struct victim v = connected();
	uint8_t *bytes = vt_zalloc(SIZE);
	size_t n;

	CHECK_ERRNO(vt_recv(&v.ep, 1, vt_sge(v.buf, 1000, 2000)), 0, "ibv_post_recv");
	n = b->build(&v, bytes);
	if (b->error >= 0) {
		say(v.sock, bytes, n);
		CHECK_EQ(expect_terminate(&v, b->name), b->error, "layer, type and code");
	} else {
		send(v.sock, bytes, n, MSG_NOSIGNAL);
		expect_end(v.sock, b->name);
	}
	vt_expect_state(&v.ep, IBV_QPS_ERR, "state");
	vt_buf_check(v.buf, 0, 1000, b->name);
	vt_buf_check(v.buf, 3000, SIZE - 3000, b->name);
}

/* The stream stops anywhere, by an orderly end or a reset: nothing completes, nothing hangs. */
static void cut(const void *arg)
{
	const bool reset = arg != NULL;
	struct linger linger = { .l_onoff = 1 };
	uint8_t bytes[1100];

	for (size_t at = 0; at < 524; at += at < 40 ? 3 : 101) {
		struct victim v = connected();

		CHECK_ERRNO(vt_recv(&v.ep, 1, vt_sge(v.buf, 0, 2000)), 0, "ibv_post_recv");
		untagged(bytes, SEND, LAST, 0, 1, 0, v.src->ptr, 500);
		if (at)
			say(v.sock, bytes, at);
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
	struct victim v = connected();

	CHECK_ERRNO(vt_rdma(&v.ep, 3, IBV_WR_RDMA_WRITE, vt_sge(v.buf, 0, 5000), 0x1000, 5), 0, "ibv_post_send");
	prove(&v, 100, 100);
	vt_poll_none(v.ep.scq, 100, "a WRITE that nobody has carried out");
	close(v.sock);
	vt_expect_wc(&v.ep, v.ep.scq, 3, IBV_WC_RETRY_EXC_ERR, "a peer that has gone", NULL);
	vt_expect_state(&v.ep, IBV_QPS_ERR, "state");
}

/* One that does not wait long and has asked for @len bytes. */
static struct victim asking(uint32_t len)
{
	struct victim v = victim();

	v.o.timeout = 12;
	v.o.retry = 2;
	await(&v);
	greet(&v);
	prove(&v, 100, 100);
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

	CHECK(hear(v.sock, bytes, 52, &got) && (bytes[3] & 15) == READ_REQUEST, "no READ request");
	vt_poll_none(v.ep.scq, 12000, "a READ that was not answered");
	n = tagged(bytes, READ_RESPONSE, LAST, be32toh(*(uint32_t *)(bytes + 20)), 0, v.src->ptr, 500);
	say(v.sock, bytes, n);
	vt_expect_wc(&v.ep, v.ep.scq, 3, IBV_WC_SUCCESS, "a READ that was answered late", NULL);
	vt_buf_expect_copy(v.buf, 0, 500, v.src, 0, "a READ that was answered late");
}

static void add_cases(void)
{
	char name[64];

	vt_add("tcp_peer/greetings", greetings, NULL, 60);
	vt_add("tcp_peer/dribble", dribble, NULL, 60);
	vt_add("tcp_peer/crowd", crowd, NULL, 60);
	vt_add("tcp_peer/early", early, NULL, 0);
	for (size_t i = 0; i < sizeof(bads) / sizeof(bads[0]); i++) {
		snprintf(name, sizeof(name), "tcp_peer/bad/%s", bads[i].name);
		vt_add(name, bad, &bads[i], 40);
	}
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
