/* SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB */
#ifndef BERTH_FAKE_VERBS_H
#define BERTH_FAKE_VERBS_H

#include <stdbool.h>
#include <stdint.h>

/**
 * struct fake_state - what the fake saw, and how it is to behave
 * @allocated: dma-bufs handed out
 * @syncs: begun minus ended CPU accesses
 * @host_mrs: registrations of host memory
 * @dmabuf_mrs: registrations of dma-bufs
 * @deregs: deregistrations
 * @offset: of the last dma-buf registration
 * @iova: of the last dma-buf registration
 * @fd: of the last dma-buf registration
 * @refuse_dmabuf: answer EOPNOTSUPP
 * @refuse_berth: answer ENOTTY to the BAR's request
 * @fail_alloc: answer ENOMEM to the heap's request
 */
struct fake_state {
	int allocated;
	int syncs;
	int host_mrs;
	int dmabuf_mrs;
	int deregs;
	uint64_t offset;
	uint64_t iova;
	int fd;
	bool refuse_dmabuf;
	bool refuse_berth;
	bool fail_alloc;
};

#endif
