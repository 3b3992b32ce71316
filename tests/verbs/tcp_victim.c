// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/* The socket, the frames and the victim of tcp_peer, see tcp_peer.h. */
#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tcp_peer.h"
#include "vt_net.h"

#define PORT	4791
#define QPN	0x4711		/* ours; there is no such QP */

/* ---- the socket ---- */

int peer_socket(const char *address)
{
	const char *netns = getenv("VT_NETNS");

	CHECK(netns, "VT_NETNS is not set");
	return vt_net_socket(netns, address, NULL);
}

const char *peer_address(void)
{
	const char *address = getenv("VT_ADDR");

	CHECK(address, "VT_ADDR is not set");
	return address;
}

void peer_reach(struct victim *v, int sock)
{
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_port = htons(PORT) };

	memcpy(&sin.sin_addr, v->ep.gid.raw + 12, 4);
	CHECK(!connect(sock, (struct sockaddr *)&sin, sizeof(sin)), "connect: %s", strerror(errno));
}

void peer_say(int sock, const void *bytes, size_t n)
{
	CHECK(send(sock, bytes, n, MSG_NOSIGNAL) == (ssize_t)n, "send: %s", strerror(errno));
}

bool peer_hear(int sock, void *bytes, size_t n, size_t *got)
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

void peer_expect_end(int sock, const char *what)
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

size_t peer_request(const struct victim *v, uint8_t *at)
{
	struct hello hello = { htobe32(0x62657274), htobe32(1), htobe32(QPN), htobe32(v->ep.qp->qp_num), {0}, {0} };

	memcpy(hello.src_gid, &v->gid, 16);
	memcpy(hello.dst_gid, &v->ep.gid, 16);
	memcpy(at, "MPA ID Req Frame", 16);
	memcpy(at + 16, "\x10\x02\x00\x34" "\x80\x10\x40\x10", 8);
	memcpy(at + 24, &hello, sizeof(hello));
	return 24 + sizeof(hello);
}

uint8_t *peer_put32(uint8_t *at, uint32_t value)
{
	value = htobe32(value);
	memcpy(at, &value, 4);
	return at + 4;
}

uint8_t *peer_put64(uint8_t *at, uint64_t value)
{
	return peer_put32(peer_put32(at, value >> 32), (uint32_t)value);
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

size_t peer_tagged(uint8_t *at, uint8_t opcode, uint8_t flags, uint32_t stag, uint64_t to,
		   const void *payload, size_t len)
{
	uint8_t body[14] = { 0x81 | flags, 0x40 | opcode };

	peer_put64(peer_put32(body + 2, stag), to);
	return fpdu(at, body, sizeof(body), payload, len);
}

size_t peer_untagged(uint8_t *at, uint8_t opcode, uint8_t flags, uint32_t qn, uint32_t msn, uint32_t mo,
		     const void *payload, size_t len)
{
	uint8_t body[18] = { 0x01 | flags, 0x40 | opcode };

	peer_put32(peer_put32(peer_put32(peer_put32(body + 2, 0), qn), msn), mo);
	return fpdu(at, body, sizeof(body), payload, len);
}

size_t peer_read_request(uint8_t *at, uint32_t msn, uint32_t rkey, uint64_t va, uint32_t size)
{
	uint8_t body[28];

	peer_put64(peer_put32(peer_put32(peer_put64(peer_put32(body, 1), 0), size), rkey), va);
	return peer_untagged(at, READ_REQUEST, LAST, 1, msn, 0, body, sizeof(body));
}

/* ---- the victim ---- */

struct victim victim_new(void)
{
	return victim_of(vt_open(vt_cfg.peer), VT_OPTS);
}

struct victim victim_of(struct vt_dev *dev, struct vt_opts o)
{
	struct victim v = { .dev = dev, .o = o, .msn = 1, .sock = -1 };

	memset(v.gid.raw + 10, 0xff, 2);
	inet_pton(AF_INET, peer_address(), v.gid.raw + 12);
	v.buf = vt_buf_new(v.dev, VT_HOST, SIZE, VT_ACCESS_ALL);
	v.src = vt_buf_alloc(VT_HOST, SIZE);
	vt_ep_create(&v.ep, v.dev, &v.o, 1);
	CHECK_ERRNO(vt_ep_to_init(&v.ep, &v.o), 0, "to INIT");
	return v;
}

void victim_await(struct victim *v)
{
	CHECK_ERRNO(vt_ep_to_rtr_raw(&v->ep, &v->o, &v->gid, QPN, 1), 0, "to RTR");
	CHECK_ERRNO(vt_ep_to_rts(&v->ep, &v->o), 0, "to RTS");
}

void victim_greet(struct victim *v)
{
	uint8_t bytes[100];
	size_t got;

	v->sock = peer_socket(peer_address());
	peer_reach(v, v->sock);
	peer_say(v->sock, bytes, peer_request(v, bytes));
	CHECK(peer_hear(v->sock, bytes, 24 + sizeof(struct hello), &got) && !memcmp(bytes, "MPA ID Rep Frame", 16) &&
	      !(bytes[16] & 0x20), "no reply, or a refusal (%zu bytes)", got);
}

struct victim victim_connected(void)
{
	struct victim v = victim_new();

	victim_await(&v);
	victim_greet(&v);
	return v;
}

uint32_t peer_expect_terminate(struct victim *v, const char *what)
{
	uint8_t bytes[120];
	size_t got, ulpdu;
	uint32_t error;

	CHECK(peer_hear(v->sock, bytes, 2, &got), "%s: no Terminate", what);
	ulpdu = bytes[0] << 8 | bytes[1];
	CHECK(ulpdu >= 22 && ulpdu < 100, "%s: a message of %zu bytes instead of Terminate", what, ulpdu);
	CHECK(peer_hear(v->sock, bytes + 2, ulpdu + (-(2 + ulpdu) & 3) + 4, &got), "%s: half a Terminate", what);
	CHECK_EQ(bytes[3] & 15, TERMINATE, what);
	error = bytes[20] << 8 | bytes[21];
	peer_expect_end(v->sock, what);
	return error;
}

void victim_prove(struct victim *v, size_t len, size_t piece)
{
	uint8_t *bytes = vt_zalloc(len + 100);
	struct ibv_wc wc;
	size_t n, i;

	vt_buf_fill(v->buf, 0, SIZE);
	CHECK_ERRNO(vt_recv(&v->ep, 7, vt_sge(v->buf, 100, len)), 0, "ibv_post_recv");
	n = peer_untagged(bytes, SEND, LAST, 0, v->msn++, 0, v->src->ptr, len);
	for (i = 0; i < n; i += piece)
		peer_say(v->sock, bytes + i, i + piece < n ? piece : n - i);
	vt_expect_wc(&v->ep, v->ep.rcq, 7, IBV_WC_SUCCESS, "a proper SEND", &wc);
	CHECK_EQ(wc.byte_len, len, "byte_len");
	vt_buf_expect_copy(v->buf, 100, len, v->src, 0, "a proper SEND");
	vt_buf_check(v->buf, 0, 100, "before it");
	vt_buf_check(v->buf, 100 + len, SIZE - 100 - len, "behind it");
}
