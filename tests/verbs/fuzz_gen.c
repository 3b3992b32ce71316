// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * fuzz_wire's packets. Each starts as what a proper peer could send next (a request at the PSN that is
 * expected, a response to what is in flight, a datagram), is then changed in some of its fields, and
 * leaves in a frame that may be wrong in its own ways. Usually the ICRC is right whatever else is.
 */
#include <stddef.h>
#include <string.h>

#include "fuzz_wire.h"
#include "vt_ud.h"

enum {
	SEND_FIRST = 0x00, SEND_ONLY = 0x04, SEND_LAST_INV = 0x16, SEND_ONLY_INV = 0x17,
	WRITE_FIRST = 0x06, WRITE_MIDDLE = 0x07, WRITE_LAST = 0x08, WRITE_LAST_IMM = 0x09,
	WRITE_ONLY = 0x0a, WRITE_ONLY_IMM = 0x0b, READ_REQUEST = 0x0c, READ_FIRST = 0x0d,
	READ_MIDDLE = 0x0e, READ_LAST = 0x0f, READ_ONLY = 0x10, ACK = 0x11, ATOMIC_ACK = 0x12,
	CMP_SWAP = 0x13, FETCH_ADD = 0x14, SEND_MIDDLE = 0x01, SEND_LAST = 0x02, SEND_LAST_IMM = 0x03,
	SEND_ONLY_IMM = 0x05, ATOMIC_WRITE = 0x1d, UD_ONLY = 0x64, UD_ONLY_IMM = 0x65,
};

/* Extended headers of each RC opcode, in the order of the wire. */
enum { RETH = 1, AETH = 2, ATOMIC = 4, ATOMIC_AETH = 8, IMM = 16, IETH = 32, DETH = 64 };

static const uint8_t headers_of[32] = {
	[SEND_LAST_IMM] = IMM, [SEND_ONLY_IMM] = IMM, [WRITE_FIRST] = RETH, [WRITE_LAST_IMM] = IMM,
	[WRITE_ONLY] = RETH, [WRITE_ONLY_IMM] = RETH | IMM, [READ_REQUEST] = RETH,
	[READ_FIRST] = AETH, [READ_LAST] = AETH, [READ_ONLY] = AETH, [ACK] = AETH,
	[ATOMIC_ACK] = AETH | ATOMIC_AETH, [CMP_SWAP] = ATOMIC, [FETCH_ADD] = ATOMIC,
	[SEND_LAST_INV] = IETH, [SEND_ONLY_INV] = IETH, [ATOMIC_WRITE] = RETH,
};

/* One packet before it is laid out. */
struct fuzz_pkt {
	uint8_t opcode, flags, tver, pad_xor;	/* flags: solicited 0x80, migrated 0x40 */
	bool ackreq;
	uint16_t pkey;
	uint32_t qpn, psn, rkey, dma_len, imm, inv, qkey, src_qpn;
	uint64_t va, swap, compare, orig;
	uint8_t syndrome, resv;
	uint32_t msn;
	uint32_t payload;			/* bytes */
	bool group;				/* to whoever is attached */
};

static uint8_t *put(uint8_t *p, uint64_t v, int bytes)
{
	for (int i = bytes - 1; i >= 0; i--)
		*p++ = (uint8_t)(v >> (8 * i));
	return p;
}

static size_t lay_out(const struct fuzz_pkt *k, uint8_t *out)
{
	uint8_t h = k->opcode >> 5 == 3 ? DETH | (k->opcode & 1 ? IMM : 0) : headers_of[k->opcode & 31];
	uint32_t pad = -k->payload & 3;
	uint8_t *p = out;

	p = put(p, k->opcode, 1);
	p = put(p, k->flags | ((pad ^ k->pad_xor) & 3) << 4 | k->tver, 1);
	p = put(p, k->pkey, 2);
	p = put(p, (uint32_t)k->resv << 24 | (k->qpn & 0xffffff), 4);
	p = put(p, (uint32_t)k->ackreq << 31 | (k->psn & 0xffffff), 4);
	if (h & DETH)
		p = put(put(p, k->qkey, 4), k->src_qpn & 0xffffff, 4);
	if (h & RETH)
		p = put(put(put(p, k->va, 8), k->rkey, 4), k->dma_len, 4);
	if (h & ATOMIC)
		p = put(put(put(put(p, k->va, 8), k->rkey, 4), k->swap, 8), k->compare, 8);
	if (h & AETH)
		p = put(p, (uint32_t)k->syndrome << 24 | (k->msn & 0xffffff), 4);
	if (h & ATOMIC_AETH)
		p = put(p, k->orig, 8);
	if (h & IMM)
		p = put(p, k->imm, 4);
	if (h & IETH)
		p = put(p, k->inv, 4);
	for (uint32_t i = 0; i < k->payload + pad; i++)
		*p++ = (uint8_t)(i ^ k->psn);
	return (size_t)(p - out);
}

/* Through a window, at device memory, or by the key of somebody who has nothing to do with it. */
static void aim_aside(struct fuzz_world *w, const struct victim *v, struct fuzz_pkt *k, uint32_t len)
{
	struct field_aim at = field_aim(&w->field[v->side]);

	if (fuzz_odds(10)) {
		const struct innocent_region *theirs = innocent_region(fuzz_below(8));

		k->rkey = theirs->key;
		k->va = theirs->addr;
		return;
	}
	k->rkey = at.key;
	k->va = at.addr + (len < at.size ? fuzz_below(at.size - len) : 0);
	if (fuzz_odds(10))
		k->va = at.addr - 1 - fuzz_below(16);
	else if (fuzz_odds(10))
		k->va = at.addr + at.size - fuzz_below(16);
}

static uint32_t key_to_end(struct fuzz_world *w, const struct victim *v)
{
	if (fuzz_odds(30))
		return w->secret_mr[v->side]->rkey;
	if (fuzz_odds(40))
		return field_aim(&w->field[v->side]).key;
	if (fuzz_odds(20))
		return innocent_region(fuzz_below(8))->key;
	return fuzz_odds(50) ? w->readonly[v->side]->mr->rkey : (uint32_t)fuzz_rnd();
}

/* A key and an address: most often such that the request is granted. */
static void aim(struct fuzz_world *w, const struct victim *v, struct fuzz_pkt *k, uint32_t len)
{
	struct vt_buf *to = w->target[v->side];
	uint32_t what = fuzz_below(26);

	if (what == 0)
		to = w->readonly[v->side];
	else if (what == 1)
		to = w->localonly[v->side];
	k->rkey = to->mr->rkey;
	k->va = to->iova + (len < to->size ? fuzz_below((uint32_t)(to->size - len)) : 0);
	if (what == 2) {
		k->rkey = w->secret_mr[v->side]->rkey;
		k->va = (uintptr_t)w->secret[v->side] + fuzz_below(4096);
	} else if (what == 3) {
		k->va = to->iova + to->size - fuzz_below(16);
	} else if (what == 4) {
		k->va = to->iova - 1 - fuzz_below(16);
	} else if (what == 5) {
		k->va = fuzz_odd();
	} else if (what == 6) {
		k->rkey ^= 1U << fuzz_below(32);
	} else if (what >= 20) {
		aim_aside(w, v, k, len);
	}
	if (fuzz_odds(50))
		k->va &= ~7ULL;
	k->inv = key_to_end(w, v);
}

static struct fuzz_pkt to_victim(const struct victim *v)
{
	return (struct fuzz_pkt){ .qpn = v->ep.qp->qp_num, .pkey = 0xffff, .flags = 0x40,
				  .ackreq = fuzz_odds(50), .imm = (uint32_t)fuzz_rnd(),
				  .src_qpn = v->ghost_qpn };
}

static uint8_t request_opcode(uint32_t i, uint32_t n, bool write)
{
	bool first = !i, last = i == n - 1;

	if (first && last)
		return write ? (fuzz_odds(70) ? WRITE_ONLY : WRITE_ONLY_IMM) :
		       fuzz_odds(60) ? SEND_ONLY : fuzz_odds(70) ? SEND_ONLY_IMM : SEND_ONLY_INV;
	if (first)
		return write ? WRITE_FIRST : SEND_FIRST;
	if (!last)
		return write ? WRITE_MIDDLE : SEND_MIDDLE;
	return write ? (fuzz_odds(70) ? WRITE_LAST : WRITE_LAST_IMM) :
	       fuzz_odds(70) ? SEND_LAST : fuzz_odds(70) ? SEND_LAST_IMM : SEND_LAST_INV;
}

/* A SEND or WRITE of one to four packets, as a peer would send it. */
static uint32_t gen_message(struct fuzz_world *w, const struct victim *v, struct fuzz_pkt *k)
{
	uint32_t n = 1 + fuzz_below(4);
	uint32_t last = n == 1 ? fuzz_below(v->mtu + 1) : 1 + fuzz_below(v->mtu);
	uint32_t total = (n - 1) * v->mtu + last;
	bool write = fuzz_odds(50);
	struct fuzz_pkt base = to_victim(v);

	aim(w, v, &base, total);
	base.dma_len = total;
	for (uint32_t i = 0; i < n; i++) {
		k[i] = base;
		k[i].opcode = request_opcode(i, n, write);
		k[i].psn = v->rq_psn + i;
		k[i].payload = i == n - 1 ? last : v->mtu;
		k[i].ackreq = i == n - 1 || fuzz_odds(20);
	}
	return n;
}

static uint32_t gen_read_or_atomic(struct fuzz_world *w, const struct victim *v, struct fuzz_pkt *k)
{
	uint32_t n = 1 + fuzz_below(6), psn = v->rq_psn;

	for (uint32_t i = 0; i < n; i++) {
		k[i] = to_victim(v);
		k[i].dma_len = fuzz_odds(70) ? fuzz_below(20000) : (uint32_t)fuzz_odd();
		aim(w, v, &k[i], k[i].dma_len);
		k[i].psn = psn;
		k[i].opcode = READ_REQUEST;
		if (fuzz_odds(30)) {
			k[i].opcode = fuzz_odds(50) ? CMP_SWAP : FETCH_ADD;
			if (fuzz_odds(40)) {
				k[i].opcode = ATOMIC_WRITE;
				k[i].payload = fuzz_odds(80) ? 8 : fuzz_below(20);
				k[i].dma_len = fuzz_odds(80) ? 8 : k[i].payload;
			}
			k[i].swap = fuzz_rnd();
			k[i].compare = fuzz_odds(50) ? 0 : fuzz_rnd();
			psn++;
		} else {
			psn += k[i].dma_len ? (k[i].dma_len + v->mtu - 1) / v->mtu : 1;
		}
		/* Served before: to be served again, or refused. */
		if (fuzz_odds(15))
			k[i].psn -= fuzz_below(40);
	}
	return n;
}

static uint8_t any_syndrome(void)
{
	switch (fuzz_below(6)) {
	case 0:
		return (uint8_t)(0x20 | fuzz_below(32));	/* RNR */
	case 1:
		return (uint8_t)(0x60 | fuzz_below(6));		/* NAK codes */
	case 2:
		return (uint8_t)fuzz_rnd();
	default:
		return (uint8_t)fuzz_below(32);			/* ACK, credits */
	}
}

/* Acknowledgements and read data around what is in flight, and beyond it. */
static uint32_t gen_responses(struct fuzz_world *w, const struct victim *v, struct fuzz_pkt *k)
{
	uint32_t n = 1 + fuzz_below(6), psn = v->sq_psn - fuzz_below(24);
	static const uint8_t ops[] = { ACK, ACK, ACK, READ_FIRST, READ_MIDDLE, READ_LAST, READ_ONLY,
				       ATOMIC_ACK };

	(void)w;
	for (uint32_t i = 0; i < n; i++) {
		k[i] = to_victim(v);
		k[i].opcode = ops[fuzz_below(sizeof(ops))];
		k[i].psn = psn;
		k[i].syndrome = k[i].opcode == ACK ? any_syndrome() : 0x1f;
		k[i].msn = (uint32_t)fuzz_rnd();
		k[i].orig = fuzz_rnd();
		if (k[i].opcode != ACK && k[i].opcode != ATOMIC_ACK)
			k[i].payload = fuzz_odds(60) ? v->mtu : fuzz_below(v->mtu + 1);
		/* As the answer to an ATOMIC WRITE. */
		if (k[i].opcode == READ_ONLY && fuzz_odds(50))
			k[i].payload = 0;
		psn += fuzz_odds(70) ? 1 : fuzz_below(5);
		if (fuzz_odds(5))
			psn = (uint32_t)fuzz_odd();
	}
	return n;
}

/* The whole of what a ghost is waiting for, in order: a READ that comes true. */
static uint32_t gen_read_data(struct fuzz_world *w, const struct victim *v, struct fuzz_pkt *k)
{
	uint32_t n = 2 + fuzz_below(6), psn = v->sq_psn - 1 - fuzz_below(16);

	(void)w;
	for (uint32_t i = 0; i < n; i++) {
		k[i] = to_victim(v);
		k[i].opcode = i == n - 1 ? READ_LAST : i ? READ_MIDDLE : READ_FIRST;
		k[i].psn = psn + i;
		k[i].syndrome = 0x1f;
		k[i].payload = i == n - 1 ? 1 + fuzz_below(v->mtu) : v->mtu;
	}
	return n;
}

static uint32_t gen_datagrams(struct fuzz_world *w, const struct victim *v, struct fuzz_pkt *k)
{
	uint32_t n = 1 + fuzz_below(3);

	(void)w;
	for (uint32_t i = 0; i < n; i++) {
		k[i] = to_victim(v);
		k[i].opcode = fuzz_odds(70) ? UD_ONLY : UD_ONLY_IMM;
		k[i].qkey = fuzz_odds(80) ? UD_QKEY : (uint32_t)fuzz_rnd();
		k[i].src_qpn = (uint32_t)fuzz_rnd();
		k[i].psn = (uint32_t)fuzz_rnd();
		k[i].payload = fuzz_below(4097);
		if (fuzz_odds(30)) {
			k[i].qpn = fuzz_odds(80) ? 1 : fuzz_odds(50) ? 0 : 0xffffff;
			k[i].qkey = 0x80010000;
			k[i].payload = 256;
		} else if (fuzz_odds(30)) {
			k[i].qpn = 0xffffff;
			k[i].group = true;
		}
	}
	return n;
}

/* Changes fields, without a thought for what they mean. */
static void mutate(const struct victim *v, struct fuzz_pkt *k)
{
	switch (fuzz_below(22)) {
	case 0: k->opcode = (uint8_t)fuzz_rnd(); break;
	case 1: k->opcode = (uint8_t)fuzz_below(32); break;
	case 2: k->psn = (uint32_t)fuzz_rnd(); break;
	case 3: k->psn += fuzz_below(9) - 4; break;
	case 4: k->psn ^= 0x800000; break;
	case 5: k->qpn = (uint32_t)fuzz_odd(); break;
	case 6: k->pkey = (uint16_t)fuzz_odd(); break;
	case 7: k->tver = (uint8_t)fuzz_below(16); break;
	case 8: k->pad_xor = (uint8_t)fuzz_below(4); break;
	case 9: k->flags = (uint8_t)(fuzz_below(4) << 6); break;
	case 10: k->dma_len = (uint32_t)fuzz_odd(); break;
	case 11: k->va = fuzz_odd(); break;
	case 12: k->va += fuzz_odd(); break;
	case 13: k->rkey = (uint32_t)fuzz_odd(); break;
	case 14: k->payload = fuzz_below(v->mtu + 8); break;
	case 15: k->payload = 0; break;
	case 16: k->payload = fuzz_below(9000); break;
	case 17: k->syndrome = (uint8_t)fuzz_rnd(); break;
	case 18: k->resv = (uint8_t)fuzz_rnd(); break;
	case 19: k->payload = v->mtu; break;
	case 20: k->dma_len += fuzz_below(9) - 4; break;
	case 21: k->qkey = (uint32_t)fuzz_odd(); break;
	}
}

/* A packet that is rightly an innocent's or a keeper's is an attack that nobody can fend off. */
static bool names_innocent(const struct fuzz_world *w, uint32_t qpn)
{
	qpn &= 0xffffff;
	for (int i = 0; i < INNOCENT_QPS; i++)
		if (qpn == innocent_qpns()[i])
			return true;
	for (int s = 0; s < 2; s++)
		if (qpn == w->field[s].keeper->a.qp->qp_num || qpn == w->field[s].keeper->b.qp->qp_num)
			return true;
	return false;
}

static void spoil_frame(struct frame_opts *o)
{
	switch (fuzz_below(15)) {
	case 0: o->icrc = ICRC_BAD; break;
	case 1: o->icrc = ICRC_NONE; break;
	case 2: o->foreign = true; break;
	case 3: o->udp_sum = true; break;
	case 4: o->udp_sum = o->bad_udp_sum = true; break;
	case 5: o->bad_ip_sum = true; break;
	case 6: o->options = (uint8_t)(1 + fuzz_below(10)); break;
	case 7: o->frag = (uint16_t)(8 + fuzz_below(2000)); break;
	case 8:
		o->frag = (uint16_t)(8 + fuzz_below(200));
		o->swap_frags = true;
		o->drop_frag = fuzz_odds(50);
		break;
	case 9: o->udp_len_off = (int)fuzz_below(80) - 40; break;
	case 10: o->ip_len_off = (int)fuzz_below(80) - 40; break;
	case 11: o->cut = (int)fuzz_below(60); break;
	case 12: o->dport = (uint16_t)fuzz_rnd(); break;
	case 13: o->ttl = 1; break;
	case 14: o->v6 = !o->v6; break;
	}
}

static struct frame_opts proper_frame(const struct victim *v, const struct fuzz_pkt *k)
{
	return (struct frame_opts){ .v6 = v->v6, .group = k->group, .id = (uint16_t)fuzz_rnd(),
				    .sport = (uint16_t)(0xc000 | fuzz_below(0x4000)) };
}

/* Several packets in one super-packet: of one length but for the last, or cut anywhere. */
static void send_super(struct fuzz_world *w, struct victim *v, const struct fuzz_pkt *k, uint32_t n)
{
	static uint8_t th[FRAME_MAX];
	struct frame_opts o = proper_frame(v, k);
	size_t used = 0, first = 0;

	for (uint32_t i = 0; i < n && used < 40000; i++) {
		size_t len = lay_out(&k[i], th + used);

		if (!i)
			first = len;
		used += len;
	}
	if (used > 61000)
		return;
	o.gso = (uint16_t)(fuzz_odds(80) ? first + 4 : 16 + fuzz_below(4100));
	if (o.gso < 16 || used / (o.gso - 4U) > 60)
		return;
	if (fuzz_odds(10))
		o.icrc = ICRC_BAD;
	w->packets++;
	frame_send(&w->road[v->side], &o, th, used);
}

static void send_one(struct fuzz_world *w, struct victim *v, const struct fuzz_pkt *k)
{
	static uint8_t th[FRAME_MAX];
	struct frame_opts o = proper_frame(v, k);
	size_t len = lay_out(k, th);

	if (fuzz_odds(12))
		spoil_frame(&o);
	if (fuzz_odds(3))
		len = fuzz_below((uint32_t)len + 1);
	if (fuzz_odds(3) && len)
		th[fuzz_below((uint32_t)len)] ^= (uint8_t)(1U << fuzz_below(8));
	/* A flipped bit may have named an innocent. */
	if (len >= 8 &&
	    names_innocent(w, (uint32_t)th[5] << 16 | (uint32_t)th[6] << 8 | th[7]))
		o.icrc = ICRC_BAD;
	w->packets++;
	frame_send(&w->road[v->side], &o, th, len);
}

/* Aimed at an innocent: right but for one thing that has to stop it. */
static void send_at_innocent(struct fuzz_world *w, struct victim *v, struct fuzz_pkt *k)
{
	static uint8_t th[FRAME_MAX];
	struct frame_opts o = proper_frame(v, k);
	size_t len;

	k->qpn = innocent_qpns()[fuzz_below(INNOCENT_QPS)];
	k->psn = fuzz_odds(50) ? 0x123456 + fuzz_below(4096) : 0x654321 + fuzz_below(4096);
	o.icrc = fuzz_odds(50) ? ICRC_BAD : ICRC_GOOD;
	o.foreign = o.icrc == ICRC_GOOD;
	len = lay_out(k, th);
	w->packets++;
	frame_send(&w->road[v->side], &o, th, len);
}

void gen_burst(struct fuzz_world *w, struct victim *v)
{
	static uint32_t (*const make[])(struct fuzz_world *, const struct victim *,
					struct fuzz_pkt *) = {
		gen_message, gen_message, gen_read_or_atomic, gen_responses, gen_read_data,
		gen_datagrams,
	};
	uint32_t what = v->kind == VICTIM_UD && fuzz_odds(80) ? 5 : fuzz_below(6);
	struct fuzz_pkt k[8] = { };
	uint32_t n = make[what](w, v, k);

	for (uint32_t i = 0; i < n; i++)
		for (uint32_t m = fuzz_odds(60) ? 0 : fuzz_below(3); m; m--)
			mutate(v, &k[i]);
	/* Order is a thing to get wrong, too. */
	if (fuzz_odds(10) && n > 1) {
		struct fuzz_pkt t = k[n - 1];

		k[n - 1] = k[0];
		k[0] = t;
	}
	if (fuzz_odds(2))
		send_at_innocent(w, v, &k[0]);
	for (uint32_t i = 0; i < n; i++)
		if (names_innocent(w, k[i].qpn))
			return;
	if (fuzz_odds(20)) {
		send_super(w, v, k, n);
		return;
	}
	for (uint32_t i = 0; i < n; i++)
		for (uint32_t again = fuzz_odds(5) ? 2 : 1; again; again--)
			send_one(w, v, &k[i]);
}
