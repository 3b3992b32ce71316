/* SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB */
#ifndef BERTH_SHIM_REGION_H
#define BERTH_SHIM_REGION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * struct region - whole pages of the program that a dma-buf has replaced
 * @next: in the list of regions
 * @start: address of the first page
 * @length: bytes, whole pages
 * @prot: protection that the pages had
 * @fd: the dma-buf, owned
 * @device_offset: where in the device's memory it lies, or EXPORTER_ANYWHERE
 * @users: memory regions registered on it
 */
struct region {
	struct region *next;
	uintptr_t start;
	size_t length;
	int prot;
	int fd;
	uint64_t device_offset;
	unsigned int users;
};

struct region *region_get(uintptr_t addr, size_t length);
void region_registered(const struct region *region);
void region_put(struct region *region);
void *region_view(const struct region *region);
void region_unview(const struct region *region, void *view);
void region_begin_access(const struct region *region, bool write);
void region_end_access(const struct region *region, bool write);
void region_forget_in_child(void);

#endif
