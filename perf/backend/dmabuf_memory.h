/* SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB */
#ifndef DMABUF_MEMORY_H
#define DMABUF_MEMORY_H

#include "memory.h"

struct perftest_parameters;

int dmabuf_memory_option(struct perftest_parameters *params, const char *exporter);
struct memory_ctx *dmabuf_memory_create(struct perftest_parameters *params);

#endif
