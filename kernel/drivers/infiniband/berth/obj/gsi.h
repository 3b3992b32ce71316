/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The general services interface: QP 1, of which every device has one, for the kernel's management
 * layer. Packets for it name no QP that would be unique on this host: the address that they were
 * sent to tells whose they are.
 */
#ifndef BERTH_OBJ_GSI_H
#define BERTH_OBJ_GSI_H

#include <linux/types.h>

#define BERTH_GSI_QPN	1

struct berth_dev;
struct berth_qp;
struct berth_rx;

void berth_gsi_add(struct berth_qp *qp);
void berth_gsi_del(struct berth_qp *qp);
struct berth_qp *berth_gsi_get(const struct berth_rx *rx);
bool berth_gsi_vlan(struct berth_dev *dev, const struct berth_rx *rx, u16 *vlan);

#endif
