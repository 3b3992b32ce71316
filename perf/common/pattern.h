/* SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB */
#ifndef BERTH_PATTERN_H
#define BERTH_PATTERN_H

#include <stddef.h>
#include <stdint.h>

void berth_pattern_fill(void *dst, size_t length, uint64_t seed, uint64_t start);
size_t berth_pattern_mismatch(const void *src, size_t length, uint64_t seed, uint64_t start);
uint8_t berth_pattern_byte(uint64_t seed, uint64_t index);
int berth_pattern_parse_number(const char *text, uint64_t *value);

#endif
