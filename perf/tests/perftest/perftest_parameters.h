/* SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB */
/* What perf/backend uses of perftest's parameters, its own field among them (install-into.sh). */
#ifndef FAKE_PERFTEST_PARAMETERS_H
#define FAKE_PERFTEST_PARAMETERS_H

#include "memory.h"

enum memory_type { MEMORY_HOST, MEMORY_DMABUF };

struct perftest_parameters {
	enum memory_type memory_type;
	struct memory_ctx *(*memory_create)(struct perftest_parameters *params);
	char *dmabuf_exporter;
};

#endif
