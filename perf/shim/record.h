/* SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB */
#ifndef BERTH_SHIM_RECORD_H
#define BERTH_SHIM_RECORD_H

#include <stddef.h>
#include <stdint.h>

#include "mr.h"

void record_registered(const struct mr_entry *entry);
void record_filled(const struct mr_entry *entry);
void record_dump(const struct mr_entry *entry);

#endif
