/* SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB */
#ifndef BERTH_SHIM_OPTIONS_H
#define BERTH_SHIM_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../common/exporter.h"

/**
 * struct shim_options - what the environment asks for
 * @active: BERTH_DMABUF is set: registrations use dma-bufs
 * @broken: a variable makes no sense (told once): every registration fails
 * @verbose: BERTH_DMABUF_VERBOSE: tell each step
 * @fill: BERTH_DMABUF_PATTERN is set
 * @seed: its value
 * @smallest: BERTH_DMABUF_MIN: shorter registrations stay in host memory
 * @bar_offset: BERTH_DMABUF_BAR_OFFSET, or EXPORTER_ANYWHERE
 * @exporter: from BERTH_DMABUF
 * @log: BERTH_DMABUF_LOG: file for records, or NULL
 * @dump: BERTH_DMABUF_DUMP: file for contents at deregistration, or NULL
 */
struct shim_options {
	bool active;
	bool broken;
	bool verbose;
	bool fill;
	uint64_t seed;
	uint64_t smallest;
	uint64_t bar_offset;
	struct exporter exporter;
	const char *log;
	const char *dump;
};

extern struct shim_options shim_options;

void shim_options_load(void);

#endif
