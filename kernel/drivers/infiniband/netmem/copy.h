/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Copying system memory for windows. Runs in any context that may touch both ranges; holds nothing.
 *
 * Processors without FSRM get an unrolled loop from memcpy(). From a few hundred bytes on, a string
 * move of 8-byte words is at least as fast on all of them and needs a third of the instructions.
 */
#ifndef _BERTH_NETMEM_COPY_H
#define _BERTH_NETMEM_COPY_H

#include <linux/string.h>
#include <linux/types.h>

/* From here on the string move wins; below, its start-up cost shows. */
#define COPY_STRING_MIN	512

static inline void copy_disjoint(void *dst, const void *src, size_t len)
{
#if defined(CONFIG_X86_64) && !defined(CONFIG_KASAN) && !defined(CONFIG_KMSAN)
	if (len >= COPY_STRING_MIN) {
		size_t words = len >> 3;
		size_t rest = len & 7;

		asm volatile("rep movsq" : "+D" (dst), "+S" (src), "+c" (words) : : "memory");
		if (rest)
			memcpy(dst, src, rest);
		return;
	}
#endif
	memcpy(dst, src, len);
}

static inline void copy_any(void *dst, const void *src, size_t len)
{
	uintptr_t d = (uintptr_t)dst, s = (uintptr_t)src;

	if (d - s >= len && s - d >= len)
		copy_disjoint(dst, src, len);
	else
		memmove(dst, src, len);
}

#endif /* _BERTH_NETMEM_COPY_H */
