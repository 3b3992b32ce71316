/* SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB */
#ifndef BERTH_PERF_EXPORTER_H
#define BERTH_PERF_EXPORTER_H

#include <stddef.h>
#include <stdint.h>

#define EXPORTER_ANYWHERE	UINT64_MAX

enum exporter_kind {
	EXPORTER_HEAP,
	EXPORTER_UDMABUF,
	EXPORTER_BAR,
	EXPORTER_DEVICE,
};

/**
 * struct exporter - who hands out dma-bufs
 * @kind: how to ask
 * @name: as the user wrote it
 * @path: the device node asked
 */
struct exporter {
	enum exporter_kind kind;
	const char *name;
	const char *path;
};

int exporter_parse(const char *text, struct exporter *exporter);
int exporter_check(const struct exporter *exporter);
int exporter_alloc(const struct exporter *exporter, size_t length, uint64_t want,
		   uint64_t *device_offset);

#endif
