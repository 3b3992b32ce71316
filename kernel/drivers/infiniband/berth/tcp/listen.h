/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Who answers when a QP dials: TCP port BERTH_TCP_PORT of a network namespace, open while there are
 * TCP QPs in it.
 *
 * Context: process.
 */
#ifndef BERTH_TCP_LISTEN_H
#define BERTH_TCP_LISTEN_H

struct berth_qp;

int berth_listen_module_init(void);
void berth_listen_module_fini(void);
int berth_listen_open(struct berth_qp *qp);
void berth_listen_close(struct berth_qp *qp);
void berth_listen_claim(struct berth_qp *qp);

#endif
