/* SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB */
#ifndef BERTH_SHIM_MAPS_H
#define BERTH_SHIM_MAPS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/**
 * struct maps_range - one mapping of this process, clipped to the walk
 * @start: first byte
 * @end: one past the last byte
 * @prot: PROT_* bits
 * @shared: MAP_SHARED
 * @dev: of the mapped file, 0 for none
 * @inode: of the mapped file, 0 for none
 * @name: as the kernel shows it
 */
struct maps_range {
	uintptr_t start;
	uintptr_t end;
	int prot;
	bool shared;
	dev_t dev;
	ino_t inode;
	char name[64];
};

typedef int (*maps_visit)(const struct maps_range *range, void *arg);

int maps_walk(uintptr_t start, uintptr_t end, maps_visit visit, void *arg);

#endif
