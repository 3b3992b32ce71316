// SPDX-License-Identifier: GPL-2.0
/*
 * Tables behind the fields of the transport headers: AETH syndromes with their
 * credit codes and RNR timers (IBTA volume 1, 9.7.5), ack timeouts (9.7.6.1.3)
 * and path MTUs.
 *
 * Pure code on read-only data: any context, no locks. tests/unit/test_bth.c
 * checks every entry.
 */
#include <linux/types.h>
#include <linux/kernel.h>
#include "bth.h"

/* Hundredths of a millisecond by timer code; code 0 is the longest. */
static const u16 rnr_10us[BERTH_RNR_CODES] = {
	0, 1, 2, 3, 4, 6, 8, 12,
	16, 24, 32, 48, 64, 96, 128, 192,
	256, 384, 512, 768, 1024, 1536, 2048, 3072,
	4096, 6144, 8192, 12288, 16384, 24576, 32768, 49152,
};

#define RNR_USEC_MAX	655360

/* Receive WQEs by credit code; the last code means that credits do not apply. */
static const u16 credits[BERTH_CREDIT_INVALID] = {
	0, 1, 2, 3, 4, 6, 8, 12,
	16, 24, 32, 48, 64, 96, 128, 192,
	256, 384, 512, 768, 1024, 1536, 2048, 3072,
	4096, 6144, 8192, 12288, 16384, 24576, 32768,
};

/**
 * berth_syndrome_kind - the type bits of an AETH syndrome
 * @syndrome: as in the AETH
 *
 * Context: Any.
 * Return: ACK, RNR or NAK; RESERVED for all types that the specification
 * leaves open and for NAK codes that it does not define.
 */
enum berth_syndrome_kind berth_syndrome_kind(u8 syndrome)
{
	switch (syndrome & BERTH_SYNDROME_TYPE) {
	case BERTH_SYNDROME_TYPE_ACK:
		return BERTH_SYNDROME_ACK;
	case BERTH_SYNDROME_TYPE_RNR:
		return BERTH_SYNDROME_RNR;
	case BERTH_SYNDROME_TYPE_NAK:
		if (berth_syndrome_value(syndrome) <= BERTH_NAK_INVALID_RD_REQUEST)
			return BERTH_SYNDROME_NAK;
		return BERTH_SYNDROME_RESERVED;
	default:
		return BERTH_SYNDROME_RESERVED;
	}
}

/**
 * berth_syndrome_credits - how many receive WQEs an ACK says are posted
 * @syndrome: AETH syndrome of an ACK
 *
 * Context: Any.
 * Return: the count, or -1 when the peer does not do flow control.
 */
int berth_syndrome_credits(u8 syndrome)
{
	u8 code = berth_syndrome_value(syndrome);

	return code == BERTH_CREDIT_INVALID ? -1 : credits[code];
}

/**
 * berth_credit_code - the credit code for a number of receive WQEs
 * @count: receive WQEs posted
 *
 * Context: Any.
 * Return: the largest code that does not promise more than @count.
 */
u8 berth_credit_code(u32 count)
{
	u8 code = BERTH_CREDIT_INVALID - 1;

	while (credits[code] > count)
		code--;
	return code;
}

/**
 * berth_rnr_usec - the wait that an RNR NAK asks for
 * @timer_code: 5-bit code; higher bits are ignored
 *
 * Context: Any.
 * Return: microseconds, 10 to 655360.
 */
u32 berth_rnr_usec(u8 timer_code)
{
	u8 code = timer_code & (BERTH_RNR_CODES - 1);

	return code ? rnr_10us[code] * 10u : RNR_USEC_MAX;
}

/**
 * berth_rnr_code - the timer code for a wait
 * @usec: microseconds
 *
 * Context: Any.
 * Return: the code of the shortest wait that is not below @usec; the longest
 * there is when none is long enough.
 */
u8 berth_rnr_code(u32 usec)
{
	u8 code;

	for (code = 1; code < BERTH_RNR_CODES; code++)
		if (berth_rnr_usec(code) >= usec)
			return code;
	return 0;
}

/**
 * berth_timeout_nsec - the local ack timeout of a QP
 * @timeout_code: 5-bit code of the QP attribute; higher bits are ignored
 *
 * Context: Any.
 * Return: nanoseconds, 4.096 us times 2 to the code; 0 means no timeout.
 */
u64 berth_timeout_nsec(u8 timeout_code)
{
	u8 code = timeout_code & (BERTH_TIMEOUT_CODES - 1);

	return code ? 4096ull << code : 0;
}

/**
 * berth_mtu_bytes - bytes of an IB path MTU
 * @mtu_enum: value of enum ib_mtu
 *
 * Context: Any.
 * Return: 256 to 4096; 0 when @mtu_enum is none of these.
 */
u32 berth_mtu_bytes(u8 mtu_enum)
{
	if (mtu_enum < BERTH_MTU_256 || mtu_enum > BERTH_MTU_4096)
		return 0;
	return 128u << mtu_enum;
}

/**
 * berth_mtu_enum - the largest path MTU that a number of bytes holds
 * @bytes: room for payload
 *
 * Context: Any.
 * Return: value of enum ib_mtu; 0 when not even 256 bytes fit.
 */
u8 berth_mtu_enum(u32 bytes)
{
	u8 mtu = BERTH_MTU_4096;

	while (mtu >= BERTH_MTU_256 && berth_mtu_bytes(mtu) > bytes)
		mtu--;
	return mtu;
}

/**
 * berth_mtu_of_link - the largest path MTU that a network device carries
 * @link_mtu: MTU of the device: bytes of an IP packet
 *
 * Every packet fits, whatever its headers and over IPv6 too.
 *
 * Context: Any.
 * Return: value of enum ib_mtu; 0 when the link is too narrow for RoCEv2.
 */
u8 berth_mtu_of_link(u32 link_mtu)
{
	return link_mtu < BERTH_WIRE_OVERHEAD ? 0 : berth_mtu_enum(link_mtu - BERTH_WIRE_OVERHEAD);
}
