/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Verbs of kernel consumers: posting and polling on the same rings that processes map.
 *
 * Consumers post from any context, also with interrupts off, and may do so in a completion handler,
 * which runs under the locks of a QP. So posting takes locks of its own, writes the ring, and leaves
 * the rest to a work, which rings the doorbell in their stead.
 */
#ifndef BERTH_OBJ_KERNEL_VERBS_H
#define BERTH_OBJ_KERNEL_VERBS_H

#include <linux/spinlock.h>
#include <linux/workqueue.h>
#include <rdma/ib_verbs.h>

struct berth_qp;

/* What a QP of a kernel consumer has besides. */
struct berth_kqp {
	struct berth_qp *qp;
	spinlock_t sq_lock;		/* sq_prod of the ring and the entries not yet taken */
	spinlock_t rq_lock;		/* the same for rq_prod */
	struct work_struct work;	/* rings the doorbell; holds no reference */
};

int berth_kqp_init(struct berth_qp *qp);
void berth_kqp_shutdown(struct berth_qp *qp);

int berth_post_send(struct ib_qp *ib, const struct ib_send_wr *wr, const struct ib_send_wr **bad);
int berth_post_recv(struct ib_qp *ib, const struct ib_recv_wr *wr, const struct ib_recv_wr **bad);
int berth_post_srq_recv(struct ib_srq *ib, const struct ib_recv_wr *wr,
			const struct ib_recv_wr **bad);
int berth_poll_cq(struct ib_cq *ib, int max, struct ib_wc *wc);
int berth_req_notify_cq(struct ib_cq *ib, enum ib_cq_notify_flags flags);

#endif
