/* SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB */
/* What perf/backend uses of perftest's memory interface: names and types as in its src/memory.h. */
#ifndef FAKE_PERFTEST_MEMORY_H
#define FAKE_PERFTEST_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct memory_ctx {
	int (*init)(struct memory_ctx *ctx);
	int (*destroy)(struct memory_ctx *ctx);
	int (*allocate_buffer)(struct memory_ctx *ctx, int alignment, uint64_t size, int *fd,
			       uint64_t *offset, void **addr, bool *can_init);
	int (*free_buffer)(struct memory_ctx *ctx, int fd, void *addr, uint64_t size);
	void *(*copy_host_to_buffer)(void *to, const void *from, size_t size);
	void *(*copy_buffer_to_host)(void *to, const void *from, size_t size);
	void *(*copy_buffer_to_buffer)(void *to, const void *from, size_t size);
};

#endif
