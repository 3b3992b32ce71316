/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Connections of links of type berth_iw: made and ended by the core's iWARP connection manager, over any TCP
 * port, with any iWARP peer. Process context, where not said otherwise.
 */
#ifndef BERTH_TCP_IW_CM_H
#define BERTH_TCP_IW_CM_H

#include <linux/workqueue.h>
#include <rdma/ib_verbs.h>
#include <rdma/iw_cm.h>

struct berth_dev;
struct berth_tcp;

/* ib_device_ops.iw_* */
struct ib_qp *berth_iw_get_qp(struct ib_device *ib, int qpn);
void berth_iw_add_ref(struct ib_qp *ib);
void berth_iw_rem_ref(struct ib_qp *ib);
int berth_iw_connect(struct iw_cm_id *cm_id, struct iw_cm_conn_param *param);
int berth_iw_accept(struct iw_cm_id *cm_id, struct iw_cm_conn_param *param);
int berth_iw_reject(struct iw_cm_id *cm_id, const void *pd, u8 pd_len);
int berth_iw_create_listen(struct iw_cm_id *cm_id, int backlog);
int berth_iw_destroy_listen(struct iw_cm_id *cm_id);

void berth_iw_dev_fini(struct berth_dev *dev);

/* Of a QP. */
void berth_iw_work(struct work_struct *work);
void berth_iw_close(struct berth_tcp *tcp);

#endif
