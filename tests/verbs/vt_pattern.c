// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * The pattern generator and its checker. Pure code; vt_selftest.c proves that the checker sees
 * every single spoilt byte. Buffers may have any alignment: words move by memcpy.
 */
#include <string.h>

#include "vt_pattern.h"

uint64_t vt_mix(uint64_t seed, uint64_t word)
{
	uint64_t x = seed + word * 0x9e3779b97f4a7c15ULL;

	x ^= x >> 32;
	x *= 0xd6e8feb86659fd93ULL;
	x ^= x >> 32;
	return x;
}

uint64_t vt_rand(uint64_t *state)
{
	*state += 1;
	return vt_mix(0x5eed5eed5eedULL, *state);
}

uint8_t vt_byte(uint64_t seed, uint64_t pos)
{
	return (uint8_t)(vt_mix(seed, pos >> 3) >> (8 * (pos & 7)));
}

void vt_fill(void *dst, size_t len, uint64_t seed, uint64_t pos)
{
	uint8_t *p = dst;

	for (; len && (pos & 7); len--, pos++)
		*p++ = vt_byte(seed, pos);
	for (; len >= 8; len -= 8, pos += 8, p += 8) {
		uint64_t w = vt_mix(seed, pos >> 3);

		memcpy(p, &w, 8);
	}
	for (; len; len--, pos++)
		*p++ = vt_byte(seed, pos);
}

static ssize_t mismatch_bytes(const uint8_t *p, size_t len, uint64_t seed, uint64_t pos)
{
	for (size_t i = 0; i < len; i++)
		if (p[i] != vt_byte(seed, pos + i))
			return (ssize_t)i;
	return -1;
}

ssize_t vt_mismatch(const void *src, size_t len, uint64_t seed, uint64_t pos)
{
	const uint8_t *p = src;
	size_t done = 0;
	size_t head = (8 - (pos & 7)) & 7;
	ssize_t bad;

	if (head > len)
		head = len;
	bad = mismatch_bytes(p, head, seed, pos);
	if (bad >= 0)
		return bad;
	for (done = head; len - done >= 8; done += 8) {
		uint64_t w;

		memcpy(&w, p + done, 8);
		if (w != vt_mix(seed, (pos + done) >> 3))
			return (ssize_t)done + mismatch_bytes(p + done, 8, seed, pos + done);
	}
	bad = mismatch_bytes(p + done, len - done, seed, pos + done);
	return bad < 0 ? -1 : (ssize_t)done + bad;
}
