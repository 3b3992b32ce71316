/* SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB */
/*
 * Of tcp_peer (tcp_peer.c): a plain socket that speaks as the peer of a TCP QP, its frames, and the victim.
 */
#ifndef TCP_PEER_H
#define TCP_PEER_H

#include <stdint.h>

#include "vtest.h"

#define SIZE	100000

enum { WRITE, READ_REQUEST, READ_RESPONSE, SEND, SEND_INV, SEND_SE, SEND_SE_INV, TERMINATE, IMM, IMM_SE,
       ATOMIC_REQUEST, ATOMIC_RESPONSE };

#define LAST	0x40

/* The private data of MPA's request and reply. */
struct hello {
	uint32_t magic, version, src, dst;
	uint8_t src_gid[16], dst_gid[16];
};

struct victim {
	struct vt_dev *dev;
	struct vt_opts o;
	struct vt_ep ep;
	struct vt_buf *buf, *src;
	struct vt_buf *other;	/* that nothing may come to; or NULL */
	union ibv_gid gid;	/* of the socket's address */
	int sock;
	uint32_t msn;		/* of our next SEND */
};

/* ---- the socket: all fail the case ---- */

/** peer_address() - Where it calls from. */
const char *peer_address(void);
/** peer_socket() - One in the network namespace VT_NETNS, from that address. */
int peer_socket(const char *address);
/** peer_reach() - Connect it to the victim's listener. */
void peer_reach(struct victim *v, int sock);
/** peer_say() - Send @n bytes. */
void peer_say(int sock, const void *bytes, size_t n);
/** peer_hear() - Whether @n bytes came within some time; what came before the end in *got. */
bool peer_hear(int sock, void *bytes, size_t n, size_t *got);
/** peer_expect_end() - The other side closes, and not because it has waited for more. */
void peer_expect_end(int sock, const char *what);
/** peer_expect_terminate() - What the victim says last. Return: its layer, type and code. */
uint32_t peer_expect_terminate(struct victim *v, const char *what);

/* ---- frames: written to @at; return how many bytes ---- */

/** peer_request() - MPA's request, revision 2, with what a QP says of itself. */
size_t peer_request(const struct victim *v, uint8_t *at);
size_t peer_tagged(uint8_t *at, uint8_t opcode, uint8_t flags, uint32_t stag, uint64_t to,
		   const void *payload, size_t len);
size_t peer_untagged(uint8_t *at, uint8_t opcode, uint8_t flags, uint32_t qn, uint32_t msn, uint32_t mo,
		     const void *payload, size_t len);
size_t peer_read_request(uint8_t *at, uint32_t msn, uint32_t rkey, uint64_t va, uint32_t size);
/** peer_put32() - A number in network order. Return: behind it. */
uint8_t *peer_put32(uint8_t *at, uint32_t value);
uint8_t *peer_put64(uint8_t *at, uint64_t value);

/* ---- the victim ---- */

/** victim_new() - A QP of --peer in INIT, and its memory. */
struct victim victim_new(void);
/** victim_of() - The same on that device, its options as for side 1 of a pair. */
struct victim victim_of(struct vt_dev *dev, struct vt_opts o);
/** victim_await() - To RTS: it waits for the peer's call. */
void victim_await(struct victim *v);
/** victim_greet() - Call it: through MPA's handshake. */
void victim_greet(struct victim *v);
/** victim_connected() - All three. */
struct victim victim_connected(void);
/** victim_prove() - A proper SEND of @len bytes, @piece at a time, arrives. */
void victim_prove(struct victim *v, size_t len, size_t piece);

/** tcp_peer_add_bad() - The cases of tcp_peer_bad.c. */
void tcp_peer_add_bad(void);
/** tcp_peer_add_order() - The cases of tcp_peer_order.c. */
void tcp_peer_add_order(void);

#endif
