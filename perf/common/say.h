/* SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB */
#ifndef BERTH_PERF_SAY_H
#define BERTH_PERF_SAY_H

void say_name(const char *name);
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
