// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * libFuzzer target for the stream parsers of iWARP. The input's first byte has
 * knobs, the next ones are the sizes of the pieces, in turn; the rest is the
 * stream. Each piece sits in a heap block of its exact size, so that ASan sees
 * the first byte read too many.
 *
 * What must hold of FPDUs: nothing is consumed that was not given, pieces of any
 * size give what the stream in one piece gives, and headers that were accepted
 * are built again from what was decoded, but for reserved bits. Of a request or
 * reply: a verdict on some bytes stands when more come, and what was accepted is
 * built again.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "wire/fpdu.h"
#include "wire/mpa.h"

#define SIZES		4
#define HEAD		(1 + SIZES)

/* The first byte of the input. */
#define KNOB_MPA	0x01
#define KNOB_BENT	0x02
#define KNOB_REPLY	0x04	/* which key a bent frame has */

#define must(cond) do {							\
	if (!(cond)) {							\
		fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #cond);	\
		abort();						\
	}								\
} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What came of a stream. */
struct outcome {
	struct berth_fpdu f;
	u32 fpdus;
	u32 consumed;
	u32 sum;	/* of all that was consumed, and of what it was taken for */
	int ret;
};

static void mix(struct outcome *o, int kind, const u8 *p, u32 n)
{
	for (u32 i = 0; i < n; i++)
		o->sum = (o->sum ^ kind ^ p[i]) * 16777619u;
	o->consumed += n;
}

/* Bits that the parser does not look at, cleared for a comparison. */
static void clear_reserved(u8 *hdr, const struct berth_rdmap_op *op)
{
	hdr[2] &= 0xc3;
	hdr[3] &= 0xcf;
	if (!(op->flags & (BERTH_RDMAP_TAGGED | BERTH_RDMAP_INV)))
		memset(hdr + 4, 0, 4);
	if (op->value == BERTH_RDMAP_ATOMIC_REQUEST) {
		memset(hdr + 20, 0, 3);
		hdr[23] &= 0x0f;
	}
	if (op->value == BERTH_RDMAP_TERMINATE) {
		hdr[22] &= 0xe0;
		hdr[23] = 0;
	}
}

static void check_accepted(const struct berth_fpdu *f)
{
	u8 want[BERTH_DDP_HDR_MAX], got[BERTH_DDP_HDR_MAX];
	struct berth_ddp again;

	must(f->seg.reason == BERTH_DDP_OK);
	must(f->seg.op && f->seg.op->value == f->seg.opcode);
	must(f->hdr_len == f->seg.hdr_len && f->hdr_len <= BERTH_DDP_HDR_MAX);
	must(f->hdr_len >= f->seg.op->hdr_len);
	must(f->left == f->seg.payload_len);
	must(!f->left || f->seg.op->flags & BERTH_RDMAP_PAYLOAD);
	must((f->hdr_len + f->left + f->pad) % 4 == 0);
	must(f->hdr_len - 2 + f->left == (u32)(f->hdr[0] << 8 | f->hdr[1]));

	memcpy(want, f->hdr, f->hdr_len);
	clear_reserved(want, f->seg.op);
	must(berth_ddp_build(&f->seg, got, f->hdr_len) == f->hdr_len);
	must(!memcmp(got, want, f->hdr_len));
	must(berth_ddp_parse(&again, got, f->hdr_len) == f->hdr_len);
	must(!memcmp(&again, &f->seg, sizeof(again)));
}

static void check_broken(const struct berth_fpdu *f, int ret)
{
	struct berth_term_error error = berth_term_error(&f->seg);

	must(f->state == BERTH_FPDU_BROKEN);
	must(f->seg.reason > BERTH_DDP_OK && f->seg.reason < BERTH_DDP_REASONS);
	must(ret == -EPROTO || ret == -EBADMSG);
	must(f->hdr_len >= BERTH_DDP_PREFIX_LEN && f->hdr_len <= BERTH_DDP_HDR_MAX);
	must(error.layer <= BERTH_TERM_DDP && error.type <= BERTH_TERM_DDP_UNTAGGED);
}

/* Headers, payload or trailer: whatever comes next; the number consumed. */
static int step(struct outcome *o, const u8 *p, u32 n)
{
	struct berth_fpdu *f = &o->f;
	int used;

	switch (f->state) {
	case BERTH_FPDU_PAYLOAD:
		used = n < f->left ? n : f->left;
		must(berth_fpdu_payload(f, f->left + 1) == -EINVAL);
		must(berth_fpdu_payload(f, used) == 0);
		mix(o, 'p', p, used);
		break;
	case BERTH_FPDU_TRAILER:
		used = berth_fpdu_trailer(f, p, n);
		must(used > 0 && (u32)used <= n && used <= 7);
		mix(o, 't', p, used);
		o->fpdus += berth_fpdu_done(f);
		if (berth_fpdu_done(f) && used >= BERTH_MPA_CRC_LEN) {
			__le32 crc = berth_fpdu_crc(f);

			must(!memcmp(&crc, p + used - sizeof(crc), sizeof(crc)));
		}
		break;
	default:
		used = berth_fpdu_header(f, p, n);
		if (used < 0) {
			check_broken(f, used);
			return used;
		}
		must(used > 0 && (u32)used <= n);
		mix(o, 'h', p, used);
		if (f->state == BERTH_FPDU_PAYLOAD || f->state == BERTH_FPDU_TRAILER)
			check_accepted(f);
		must(f->state <= BERTH_FPDU_TRAILER);
	}
	return used;
}

static void read_piece(struct outcome *o, const u8 *p, u32 n)
{
	u8 *copy = malloc(n ? n : 1);
	u32 at = 0;

	memcpy(copy, p, n);
	while (!o->ret && at < n) {
		int used = step(o, copy + at, n - at);

		if (used < 0)
			o->ret = used;
		else
			at += used;
	}
	free(copy);
}

/* The next opcode that there is, versions 1, the right queue, offsets that do not wrap. */
static u32 bend_fpdu(u8 *p, u32 n)
{
	const struct berth_rdmap_op *op;
	u32 len;

	while (!berth_rdmap_find(p[3] & 0xf))
		p[3]++;
	op = berth_rdmap_find(p[3] & 0xf);
	p[3] = (p[3] & 0x3f) | 0x40;
	p[2] = (p[2] & 0x7c) | 0x01 | (op->flags & BERTH_RDMAP_TAGGED ? 0x80 : 0);
	len = op->hdr_len - 2;
	if (op->flags & BERTH_RDMAP_PAYLOAD)
		len += p[1] & 0x1f;
	else
		p[2] |= 0x40;
	if (op->flags & BERTH_RDMAP_OPEN)
		len += p[1] % 73;
	p[0] = 0;
	p[1] = len;
	if (n >= 20 && !(op->flags & BERTH_RDMAP_TAGGED)) {
		memset(p + 8, 0, 4);
		p[11] = op->qn;
		if (!(op->flags & BERTH_RDMAP_PAYLOAD))
			memset(p + 16, 0, 4);
	}
	if (n >= 24 && op->value == BERTH_RDMAP_ATOMIC_REQUEST)
		p[23] &= 0xf2;
	return berth_mpa_fpdu_len(len);
}

static void bend_stream(u8 *p, u32 n)
{
	while (n >= BERTH_DDP_PREFIX_LEN) {
		u32 len = bend_fpdu(p, n);

		if (len > n)
			break;
		p += len;
		n -= len;
	}
}

static void fuzz_stream(const u8 *sizes, const u8 *p, u32 n)
{
	struct outcome whole, pieces;
	u32 at = 0;

	memset(&whole, 0, sizeof(whole));
	memset(&pieces, 0, sizeof(pieces));
	berth_fpdu_init(&whole.f);
	berth_fpdu_init(&pieces.f);
	read_piece(&whole, p, n);
	for (int i = 0; at < n; i++) {
		u32 size = 1 + sizes[i % SIZES];

		if (size > n - at)
			size = n - at;
		read_piece(&pieces, p + at, size);
		at += size;
	}
	must(whole.ret == pieces.ret && whole.fpdus == pieces.fpdus);
	must(whole.f.state == pieces.f.state && whole.f.seg.reason == pieces.f.seg.reason);
	must(whole.f.hdr_len == pieces.f.hdr_len && whole.f.left == pieces.f.left);
	must(!memcmp(whole.f.hdr, pieces.f.hdr, whole.f.hdr_len));
	if (!whole.ret)
		must(whole.consumed == n && pieces.consumed == n && whole.sum == pieces.sum);
}

static void check_frame(const struct berth_mpa_frame *f, const u8 *p, u32 len)
{
	u8 want[BERTH_MPA_FRAME_MAX], got[BERTH_MPA_FRAME_MAX];

	must(len <= BERTH_MPA_FRAME_MAX && berth_mpa_frame_len(f) == len);
	must(len == BERTH_MPA_HDR_LEN + (u32)(p[18] << 8 | p[19]));
	memcpy(want, p, len);
	want[16] &= 0xf0;
	if (!f->reply)
		want[16] &= ~0x20;
	if (f->rev == BERTH_MPA_REV_1)
		want[16] &= ~0x10;
	must(berth_mpa_build(f, p + berth_mpa_pd_offset(f), got, len) == (int)len);
	must(!memcmp(got, want, len));
}

static void fuzz_mpa(const u8 *p, u32 n)
{
	int verdict = -EAGAIN;

	for (u32 avail = 0; avail <= n; avail++) {
		u8 *copy = malloc(avail ? avail : 1);
		struct berth_mpa_frame f;
		int ret;

		memcpy(copy, p, avail);
		ret = berth_mpa_parse(&f, copy, avail);
		must(ret == -EAGAIN || ret == -EPROTO || ret == -EPROTONOSUPPORT || ret > 0);
		must(verdict == -EAGAIN || ret == verdict);
		if (ret > 0 && verdict == -EAGAIN) {
			must((u32)ret == avail);
			check_frame(&f, copy, ret);
		}
		verdict = ret;
		free(copy);
	}
	must(verdict != -EAGAIN || n < BERTH_MPA_FRAME_MAX);
}

static void bend_mpa(u8 *p, u32 n, bool reply)
{
	if (n < BERTH_MPA_HDR_LEN)
		return;
	memcpy(p, reply ? "MPA ID Rep Frame" : "MPA ID Req Frame", 16);
	p[17] = 1 + p[17] % 2;
	p[18] &= 0x03;
	if (n < BERTH_MPA_HDR_LEN + 256)
		p[18] = 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	u32 n;
	u8 *p;

	if (size < HEAD)
		return 0;
	n = size - HEAD;
	p = malloc(n ? n : 1);
	memcpy(p, data + HEAD, n);
	if (data[0] & KNOB_MPA) {
		if (data[0] & KNOB_BENT)
			bend_mpa(p, n, data[0] & KNOB_REPLY);
		fuzz_mpa(p, n);
	} else {
		if (data[0] & KNOB_BENT)
			bend_stream(p, n);
		fuzz_stream(data + 1, p, n);
	}
	free(p);
	return 0;
}
