// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/* Segments that a peer must not send: each gets its own Terminate, and touches nothing. RFC 5040, 5041, 5044. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "tcp_peer.h"

struct bad {
	const char *name;
	size_t (*build)(struct victim *v, uint8_t *at);
	int error;		/* layer, type and code of the Terminate; -1: none has to come */
};

static size_t bad_key(struct victim *v, uint8_t *at)
{
	return peer_tagged(at, WRITE, LAST, v->buf->mr->rkey ^ 0x100, v->buf->iova, v->src->ptr, 500);
}

static size_t bad_bound(struct victim *v, uint8_t *at)
{
	return peer_tagged(at, WRITE, LAST, v->buf->mr->rkey, v->buf->iova + SIZE - 499, v->src->ptr, 500);
}

static int dereg(void *mr)
{
	return ibv_dereg_mr(mr);
}

/* A region of the victim's in @pd with those rights: our WRITE, or READ, to it. */
static size_t bad_region(struct victim *v, uint8_t *at, struct ibv_pd *pd, int access, bool read)
{
	struct ibv_mr *mr;

	v->other = vt_buf_alloc(VT_HOST, SIZE);
	mr = vt_buf_try_reg(v->other, pd, access);
	CHECK(mr, "ibv_reg_mr: %s", strerror(errno));
	vt_defer(dereg, mr, "ibv_dereg_mr");
	if (read)
		return peer_read_request(at, 1, mr->rkey, (uintptr_t)mr->addr, 1000);
	return peer_tagged(at, WRITE, LAST, mr->rkey, (uintptr_t)mr->addr, v->src->ptr, 500);
}

static size_t bad_domain(struct victim *v, uint8_t *at)
{
	return bad_region(v, at, vt_pd_new(v->dev), VT_ACCESS_ALL, false);
}

static size_t bad_right(struct victim *v, uint8_t *at)
{
	return bad_region(v, at, v->dev->pd, IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_READ, false);
}

static size_t bad_wrap(struct victim *v, uint8_t *at)
{
	return peer_tagged(at, WRITE, LAST, v->buf->mr->rkey, ~0ULL - 10, v->src->ptr, 500);
}

static size_t bad_msn(struct victim *v, uint8_t *at)
{
	return peer_untagged(at, SEND, LAST, 0, 2, 0, v->src->ptr, 500);
}

static size_t bad_mo(struct victim *v, uint8_t *at)
{
	size_t n = peer_untagged(at, SEND, 0, 0, 1, 0, v->src->ptr, 500);

	return n + peer_untagged(at + n, SEND, LAST, 0, 1, 400, v->src->ptr, 500);
}

static size_t bad_mo_ahead(struct victim *v, uint8_t *at)
{
	return peer_untagged(at, SEND, LAST, 0, 1, 90000, v->src->ptr, 500);
}

static size_t bad_opcode_change(struct victim *v, uint8_t *at)
{
	size_t n = peer_untagged(at, SEND, 0, 0, 1, 0, v->src->ptr, 500);

	return n + peer_untagged(at + n, SEND_SE, LAST, 0, 1, 500, v->src->ptr, 500);
}

static size_t bad_length(struct victim *v, uint8_t *at)
{
	return peer_untagged(at, SEND, LAST, 0, 1, 0, v->src->ptr, 30000);
}

static size_t bad_qn(struct victim *v, uint8_t *at)
{
	return peer_untagged(at, SEND, LAST, 5, 1, 0, v->src->ptr, 500);
}

static size_t bad_opcode(struct victim *v, uint8_t *at)
{
	return peer_untagged(at, 0xe, LAST, 0, 1, 0, v->src->ptr, 500);
}

static size_t bad_version(struct victim *v, uint8_t *at)
{
	size_t n = peer_untagged(at, SEND, LAST, 0, 1, 0, v->src->ptr, 500);

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
	return peer_tagged(at, READ_RESPONSE, LAST, v->buf->mr->rkey, v->buf->iova, v->src->ptr, 500);
}

static size_t bad_atomic_response(struct victim *unused __attribute__((unused)), uint8_t *at)
{
	uint8_t body[12] = { 1 };

	return peer_untagged(at, ATOMIC_RESPONSE, LAST, 3, 1, 0, body, sizeof(body));
}

static size_t bad_read_key(struct victim *v, uint8_t *at)
{
	return peer_read_request(at, 1, v->buf->mr->rkey ^ 0x100, v->buf->iova, 1000);
}

static size_t bad_read_bound(struct victim *v, uint8_t *at)
{
	return peer_read_request(at, 1, v->buf->mr->rkey, v->buf->iova + 1, SIZE);
}

static size_t bad_read_domain(struct victim *v, uint8_t *at)
{
	return bad_region(v, at, vt_pd_new(v->dev), VT_ACCESS_ALL, true);
}

static size_t bad_read_right(struct victim *v, uint8_t *at)
{
	return bad_region(v, at, v->dev->pd, IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_WRITE, true);
}

static size_t bad_read_msn(struct victim *v, uint8_t *at)
{
	return peer_read_request(at, 7, v->buf->mr->rkey, v->buf->iova, 1000);
}

/* More than the victim said that it can answer; the first one is long enough to be still there. */
static size_t bad_read_depth(struct victim *v, uint8_t *at)
{
	size_t n = 0;

	for (uint32_t i = 1; i <= 200; i++)
		n += peer_read_request(at + n, i, v->buf->mr->rkey, v->buf->iova, SIZE);
	return n;
}

static size_t bad_invalidate(struct victim *v, uint8_t *at)
{
	size_t n = peer_untagged(at, SEND_INV, LAST, 0, 1, 0, v->src->ptr, 500);

	peer_put32(at + 4, 0x12345678);
	return n;
}

static size_t bad_atomic(struct victim *v, uint8_t *at)
{
	uint8_t body[52] = { 0 };

	peer_put64(peer_put32(peer_put32(peer_put32(body, 0), 1), v->buf->mr->rkey), v->buf->iova + 1);
	return peer_untagged(at, ATOMIC_REQUEST, LAST, 1, 1, 0, body, sizeof(body));
}

static const struct bad bads[] = {
	{ "key", bad_key, 0x1100 },
	{ "bound", bad_bound, 0x1101 },
	{ "domain", bad_domain, 0x1102 },
	{ "right", bad_right, 0x0102 },
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
	{ "read_key", bad_read_key, 0x0100 },
	{ "read_bound", bad_read_bound, 0x0101 },
	{ "read_domain", bad_read_domain, 0x0103 },
	{ "read_right", bad_read_right, 0x0102 },
	{ "read_msn", bad_read_msn, 0x1203 },
	{ "read_depth", bad_read_depth, -1 },
	{ "invalidate", bad_invalidate, 0x0109 },
	{ "atomic", bad_atomic, 0x0206 },
};

/* A bad segment: the specified Terminate, the QP in error, and not a byte where it did not belong. */
static void bad(const void *arg)
{
	const struct bad *b = arg;
	struct victim v = victim_connected();
	uint8_t *bytes = vt_zalloc(SIZE);
	size_t n;

	CHECK_ERRNO(vt_recv(&v.ep, 1, vt_sge(v.buf, 1000, 2000)), 0, "ibv_post_recv");
	n = b->build(&v, bytes);
	if (b->error >= 0) {
		peer_say(v.sock, bytes, n);
		CHECK_EQ(peer_expect_terminate(&v, b->name), b->error, "layer, type and code");
	} else {
		send(v.sock, bytes, n, MSG_NOSIGNAL);
		peer_expect_end(v.sock, b->name);
	}
	vt_expect_state(&v.ep, IBV_QPS_ERR, "state");
	vt_buf_check(v.buf, 0, 1000, b->name);
	vt_buf_check(v.buf, 3000, SIZE - 3000, b->name);
	if (v.other)
		vt_buf_check(v.other, 0, SIZE, b->name);
}

void tcp_peer_add_bad(void)
{
	char name[64];

	for (size_t i = 0; i < sizeof(bads) / sizeof(bads[0]); i++) {
		snprintf(name, sizeof(name), "tcp_peer/bad/%s", bads[i].name);
		vt_add(name, bad, &bads[i], 40);
	}
}
