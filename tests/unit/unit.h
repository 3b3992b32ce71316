/* SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB */
/* What every cmocka test program needs, in the order in which cmocka wants it. */
#ifndef BERTH_UNIT_H
#define BERTH_UNIT_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#endif /* BERTH_UNIT_H */
