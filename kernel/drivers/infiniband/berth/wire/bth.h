/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The transport headers of InfiniBand as RoCEv2 carries them, and the small
 * arithmetic that goes with their fields: packet sequence numbers, AETH
 * syndromes, receiver-not-ready timers, ack timeouts, path MTUs.
 *
 * Layouts are those of the IBTA specification, volume 1, chapter 9 (BTH 9.2,
 * extended headers 9.3, AETH 9.7.5). The structures overlay packet bytes, have
 * no alignment requirement and hold big-endian fields; the accessors give host
 * order. Everything here is pure: no allocation, no locks, any context, and it
 * compiles unchanged in user space, where tests/unit checks it.
 */
#ifndef BERTH_WIRE_BTH_H
#define BERTH_WIRE_BTH_H

#include <linux/types.h>
#include <linux/build_bug.h>
#include <asm/byteorder.h>

#define BERTH_ROCE_PORT		4791
#define BERTH_ICRC_LEN		4
#define BERTH_PAD_ALIGN		4
#define BERTH_DEFAULT_PKEY	0xffff

/* Bits of the second byte of the BTH. */
#define BERTH_BTH_SE		0x80
#define BERTH_BTH_MIG		0x40
#define BERTH_BTH_PAD_SHIFT	4
#define BERTH_BTH_PAD_MASK	0x30
#define BERTH_BTH_TVER_MASK	0x0f

/* Bits of the two 32-bit words that follow the partition key. */
#define BERTH_BTH_FECN		0x80000000u
#define BERTH_BTH_BECN		0x40000000u
#define BERTH_BTH_RESV8A	0xff000000u
#define BERTH_BTH_ACKREQ	0x80000000u
#define BERTH_QPN_MASK		0x00ffffffu
#define BERTH_PSN_MASK		0x00ffffffu
#define BERTH_MSN_MASK		0x00ffffffu

/* Half of the sequence space: the furthest two PSNs may lie apart. */
#define BERTH_PSN_HALF		0x00800000u

struct berth_bth {
	u8 opcode;
	u8 flags;
	__be16 pkey;
	__be32 qpn;	/* FECN, BECN, 6 reserved bits, destination QP */
	__be32 psn;	/* ack request, 7 reserved bits, PSN */
} __packed;

struct berth_reth {
	__be64 va;
	__be32 rkey;
	__be32 len;
} __packed;

struct berth_aeth {
	__be32 word;	/* syndrome, MSN */
} __packed;

struct berth_immdt {
	__be32 imm;
} __packed;

struct berth_ieth {
	__be32 rkey;
} __packed;

struct berth_atomiceth {
	__be64 va;
	__be32 rkey;
	__be64 swap_add;
	__be64 compare;
} __packed;

struct berth_atomicacketh {
	__be64 orig;
} __packed;

struct berth_deth {
	__be32 qkey;
	__be32 src_qpn;
} __packed;

static_assert(sizeof(struct berth_bth) == 12);
static_assert(sizeof(struct berth_reth) == 16);
static_assert(sizeof(struct berth_aeth) == 4);
static_assert(sizeof(struct berth_immdt) == 4);
static_assert(sizeof(struct berth_ieth) == 4);
static_assert(sizeof(struct berth_atomiceth) == 28);
static_assert(sizeof(struct berth_atomicacketh) == 8);
static_assert(sizeof(struct berth_deth) == 8);

static inline u16 berth_bth_pkey(const struct berth_bth *bth)
{
	return be16_to_cpu(bth->pkey);
}

static inline u32 berth_bth_qpn(const struct berth_bth *bth)
{
	return be32_to_cpu(bth->qpn) & BERTH_QPN_MASK;
}

static inline u32 berth_bth_psn(const struct berth_bth *bth)
{
	return be32_to_cpu(bth->psn) & BERTH_PSN_MASK;
}

static inline bool berth_bth_ackreq(const struct berth_bth *bth)
{
	return be32_to_cpu(bth->psn) & BERTH_BTH_ACKREQ;
}

static inline void berth_bth_request_ack(struct berth_bth *bth)
{
	bth->psn |= cpu_to_be32(BERTH_BTH_ACKREQ);
}

static inline bool berth_bth_se(const struct berth_bth *bth)
{
	return bth->flags & BERTH_BTH_SE;
}

static inline bool berth_bth_mig(const struct berth_bth *bth)
{
	return bth->flags & BERTH_BTH_MIG;
}

static inline bool berth_bth_fecn(const struct berth_bth *bth)
{
	return be32_to_cpu(bth->qpn) & BERTH_BTH_FECN;
}

static inline bool berth_bth_becn(const struct berth_bth *bth)
{
	return be32_to_cpu(bth->qpn) & BERTH_BTH_BECN;
}

static inline u8 berth_bth_pad(const struct berth_bth *bth)
{
	return (bth->flags & BERTH_BTH_PAD_MASK) >> BERTH_BTH_PAD_SHIFT;
}

static inline u8 berth_bth_tver(const struct berth_bth *bth)
{
	return bth->flags & BERTH_BTH_TVER_MASK;
}

/**
 * berth_pad_len - bytes of padding that a payload takes on the wire
 * @payload_len: bytes of payload
 *
 * Return: 0 to 3.
 */
static inline u8 berth_pad_len(u32 payload_len)
{
	return -payload_len & (BERTH_PAD_ALIGN - 1);
}

/* Packet sequence numbers: 24 bits, serial arithmetic (9.7.1). */

/**
 * berth_psn_add - the PSN @n packets after @psn
 * @psn: 24-bit PSN
 * @n: distance; a negative one converted to u32 goes back
 *
 * Return: 24-bit PSN.
 */
static inline u32 berth_psn_add(u32 psn, u32 n)
{
	return (psn + n) & BERTH_PSN_MASK;
}

/**
 * berth_psn_cmp - how far PSN @a is ahead of PSN @b
 * @a: PSN; bits above 23 are ignored
 * @b: PSN; likewise
 *
 * Return: the signed distance, -2^23 to 2^23-1: negative when @a comes first,
 * 0 when equal. berth_psn_add(b, berth_psn_cmp(a, b)) == a.
 */
static inline s32 berth_psn_cmp(u32 a, u32 b)
{
	u32 d = (a - b) & BERTH_PSN_MASK;

	return (s32)(d ^ BERTH_PSN_HALF) - (s32)BERTH_PSN_HALF;
}

/* AETH syndrome: 3 bits of type, 5 bits of value (9.7.5.1). */

enum berth_syndrome_kind {
	BERTH_SYNDROME_ACK,		/* value: credit code */
	BERTH_SYNDROME_RNR,		/* value: timer code */
	BERTH_SYNDROME_NAK,		/* value: enum berth_nak_code */
	BERTH_SYNDROME_RESERVED,
};

enum berth_nak_code {
	BERTH_NAK_PSN_SEQUENCE		= 0,
	BERTH_NAK_INVALID_REQUEST	= 1,
	BERTH_NAK_REMOTE_ACCESS		= 2,
	BERTH_NAK_REMOTE_OPERATION	= 3,
	BERTH_NAK_INVALID_RD_REQUEST	= 4,
};

#define BERTH_SYNDROME_VALUE	0x1f
#define BERTH_SYNDROME_TYPE	0xe0
#define BERTH_SYNDROME_TYPE_ACK	0x00
#define BERTH_SYNDROME_TYPE_RNR	0x20
#define BERTH_SYNDROME_TYPE_NAK	0x60

/* The credit code that means "no end-to-end flow control". */
#define BERTH_CREDIT_INVALID	31

static inline u8 berth_syndrome_ack(u8 credit_code)
{
	return BERTH_SYNDROME_TYPE_ACK | (credit_code & BERTH_SYNDROME_VALUE);
}

static inline u8 berth_syndrome_rnr(u8 timer_code)
{
	return BERTH_SYNDROME_TYPE_RNR | (timer_code & BERTH_SYNDROME_VALUE);
}

static inline u8 berth_syndrome_nak(enum berth_nak_code code)
{
	return BERTH_SYNDROME_TYPE_NAK | (code & BERTH_SYNDROME_VALUE);
}

static inline u8 berth_syndrome_value(u8 syndrome)
{
	return syndrome & BERTH_SYNDROME_VALUE;
}

enum berth_syndrome_kind berth_syndrome_kind(u8 syndrome);
int berth_syndrome_credits(u8 syndrome);
u8 berth_credit_code(u32 count);

static inline u8 berth_aeth_syndrome(const struct berth_aeth *aeth)
{
	return be32_to_cpu(aeth->word) >> 24;
}

static inline u32 berth_aeth_msn(const struct berth_aeth *aeth)
{
	return be32_to_cpu(aeth->word) & BERTH_MSN_MASK;
}

/* Timers and MTUs. */

#define BERTH_RNR_CODES		32
#define BERTH_TIMEOUT_CODES	32

u32 berth_rnr_usec(u8 timer_code);
u8 berth_rnr_code(u32 usec);
u64 berth_timeout_nsec(u8 timeout_code);

/* Values of enum ib_mtu. */
#define BERTH_MTU_256		1
#define BERTH_MTU_4096		5

/*
 * The most that a packet of one path MTU adds to it below the link layer:
 * IPv6 40, UDP 8, BTH 12, RETH 16, ImmDt 4, ICRC 4.
 */
#define BERTH_WIRE_OVERHEAD	84

u32 berth_mtu_bytes(u8 mtu_enum);
u8 berth_mtu_enum(u32 bytes);
u8 berth_mtu_of_link(u32 link_mtu);

#endif /* BERTH_WIRE_BTH_H */
