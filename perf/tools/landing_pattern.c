// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * The bytes of the stream: the pattern, over and over, so that the sender makes it once and what it
 * costs to send is what it costs to write. Pure functions without state.
 */
#include "landing.h"

#include "../common/pattern.h"

#define SEED	0x1a2d

/**
 * landing_fill - the first bytes of the stream
 * @dst: where to
 * @length: bytes; those of a period and a write have every write in one piece
 */
void landing_fill(uint8_t *dst, size_t length)
{
	size_t n;

	for (; length; dst += n, length -= n) {
		n = length < LANDING_PERIOD ? length : LANDING_PERIOD;
		berth_pattern_fill(dst, n, SEED, 0);
	}
}

/**
 * landing_mismatch - compare memory with the stream
 * @src: what to look at
 * @length: bytes
 * @at: position in the stream of the first
 * @want: out; what should be at the byte that differs
 *
 * Return: the index of the first byte that differs, or @length when none does.
 */
size_t landing_mismatch(const uint8_t *src, size_t length, uint64_t at, uint8_t *want)
{
	size_t done, n, good;

	for (done = 0; done < length; done += n) {
		uint64_t phase = (at + done) % LANDING_PERIOD;

		n = length - done < LANDING_PERIOD - phase ? length - done : LANDING_PERIOD - phase;
		good = berth_pattern_mismatch(src + done, n, SEED, phase);
		if (good < n) {
			*want = berth_pattern_byte(SEED, phase + good);
			return done + good;
		}
	}
	return length;
}
