/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Receive areas: the verbs. How queues use them is in ring/rx_area.h.
 */
#ifndef BERTH_OBJ_RX_AREA_H
#define BERTH_OBJ_RX_AREA_H

struct uapi_definition;

extern const struct uapi_definition berth_rx_area_uapi_defs[];

#endif
