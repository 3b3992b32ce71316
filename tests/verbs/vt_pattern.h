/* SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB */
/*
 * Position-dependent patterns: byte p of a pattern is a byte of a 64-bit mix of the seed and
 * p / 8, so bytes that land at the wrong place, twice, or not at all are told from the right ones.
 */
#ifndef VT_PATTERN_H
#define VT_PATTERN_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/** vt_mix() - 64 well-mixed bits. */
uint64_t vt_mix(uint64_t seed, uint64_t word);

/** vt_fill() - Write bytes [pos, pos + len) of the pattern to @dst. */
void vt_fill(void *dst, size_t len, uint64_t seed, uint64_t pos);

/** vt_mismatch() - First index where @src differs from pattern [pos, pos + len), or -1. */
ssize_t vt_mismatch(const void *src, size_t len, uint64_t seed, uint64_t pos);

/** vt_byte() - One byte of the pattern. */
uint8_t vt_byte(uint64_t seed, uint64_t pos);

/** vt_rand() - Next number of a small generator; @state is the caller's. */
uint64_t vt_rand(uint64_t *state);

#endif
