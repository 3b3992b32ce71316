// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * The position-dependent pattern that proves where bytes landed.
 *
 * Byte i is byte (i mod 8), least significant first, of word(seed, i / 8), and
 *
 *	word(seed, k) = mix(seed + (k + 1) * 0x9e3779b97f4a7c15)	(modulo 2^64)
 *
 * where mix is the finaliser of the splitmix64 generator. Each word depends on all bits of seed
 * and k, so a byte that lands at the wrong place, or comes from another run, differs.
 *
 * The fill runs in the shim inside the sending program, the check in berth-pattern outside the
 * guest. Pure functions without state; the caller owns the memory, which may be I/O memory: it is
 * only loaded and stored in naturally aligned units.
 */
#include "pattern.h"

#include <errno.h>
#include <stdlib.h>

static uint64_t pattern_word(uint64_t seed, uint64_t index)
{
	uint64_t x = seed + (index + 1) * UINT64_C(0x9e3779b97f4a7c15);

	x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
	return x ^ (x >> 31);
}

/**
 * berth_pattern_byte - one byte of the pattern
 * @seed: chosen per run
 * @index: position, in bytes
 *
 * Return: the byte.
 */
uint8_t berth_pattern_byte(uint64_t seed, uint64_t index)
{
	return pattern_word(seed, index / 8) >> (8 * (index % 8));
}

/**
 * berth_pattern_fill - write the pattern
 * @dst: where to
 * @length: bytes to write
 * @seed: chosen per run
 * @start: position in the pattern of the first byte written
 */
void berth_pattern_fill(void *dst, size_t length, uint64_t seed, uint64_t start)
{
	volatile uint8_t *out = dst;
	size_t i = 0;

	for (; i < length && ((uintptr_t)(out + i) % 8 || (start + i) % 8); i++)
		out[i] = berth_pattern_byte(seed, start + i);
	for (; length - i >= 8; i += 8) {
		uint64_t word = pattern_word(seed, (start + i) / 8);

#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
		word = __builtin_bswap64(word);
#endif
		*(volatile uint64_t *)(out + i) = word;
	}
	for (; i < length; i++)
		out[i] = berth_pattern_byte(seed, start + i);
}

/**
 * berth_pattern_mismatch - compare memory with the pattern
 * @src: what to look at
 * @length: bytes to compare
 * @seed: chosen per run
 * @start: position in the pattern of the first byte compared
 *
 * Return: the index of the first byte that differs, or @length when none does.
 */
size_t berth_pattern_mismatch(const void *src, size_t length, uint64_t seed, uint64_t start)
{
	const volatile uint8_t *in = src;
	size_t i;

	for (i = 0; i < length; i++)
		if (in[i] != berth_pattern_byte(seed, start + i))
			break;
	return i;
}

/**
 * berth_pattern_parse_number - read an offset, a length or a seed
 * @text: decimal or 0x hexadecimal, with an optional suffix k, M or G (powers of 1024)
 * @value: out
 *
 * Return: 0, or -EINVAL when @text is anything else, -ERANGE when it does not fit 64 bits.
 */
int berth_pattern_parse_number(const char *text, uint64_t *value)
{
	unsigned int shift = 0;
	char *end;

	if (!text || *text < '0' || *text > '9')
		return -EINVAL;
	errno = 0;
	*value = strtoull(text, &end, *text == '0' && (text[1] | 0x20) == 'x' ? 16 : 10);
	if (errno)
		return -ERANGE;
	switch (*end) {
	case 'G':
		shift += 10;
		/* fall through */
	case 'M':
		shift += 10;
		/* fall through */
	case 'k':
	case 'K':
		shift += 10;
		end++;
		break;
	}
	if (*end)
		return -EINVAL;
	if (shift && *value >> (64 - shift))
		return -ERANGE;
	*value <<= shift;
	return 0;
}
