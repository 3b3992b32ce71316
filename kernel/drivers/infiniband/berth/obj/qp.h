/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Queue pairs.
 *
 * Two structures: berth_ibqp is what the RDMA core allocates and frees; berth_qp holds everything
 * the data path touches and is freed after an RCU grace period, so that a packet that found a QP by
 * number may always try to take a reference. Destroy unpublishes the QP, drops the first reference
 * and waits until the last user has gone: nobody then touches the berth_ibqp.
 *
 * Locks: state_mutex serialises modify, query and destroy. sq.lock protects the requester, rq.lock
 * the responder; order sq.lock (one QP) -> rq.lock (its peer, local path) -> cq->lock. The state is
 * written under both and may be read under either.
 */
#ifndef BERTH_OBJ_QP_H
#define BERTH_OBJ_QP_H

#include <linux/completion.h>
#include <linux/mutex.h>
#include <linux/refcount.h>
#include <linux/timer.h>
#include <linux/workqueue.h>
#include <rdma/ib_verbs.h>
#include <rdma/berth-abi.h>
#include "../dev.h"
#include "../net/path.h"
#include "../ring/sq.h"
#include "../ring/rq.h"
#include "keys.h"

struct berth_cq;
struct berth_kqp;
struct berth_shared;
struct berth_srq;
struct berth_stream;
struct berth_tcp;
struct berth_transport;
struct berth_ucontext;

struct berth_qp {
	struct berth_dev *dev;
	struct ib_qp *ib;		/* valid while a reference is held */
	struct ib_pd *pd;
	const struct berth_transport *transport;
	struct berth_tcp *tcp;		/* of a TCP QP in message mode (tcp/conn.h), else NULL */
	struct berth_stream *stream;	/* in stream mode (tcp/stream.h), else NULL */
	struct berth_cq *send_cq;
	struct berth_cq *recv_cq;
	struct berth_srq *srq;		/* where receives come from, or NULL */
	struct berth_ucontext *uctx;	/* NULL: a kernel consumer's */
	struct berth_kqp *kernel;	/* of a kernel consumer, else NULL */
	u32 qpn;			/* unique on this host */
	u32 wire_qpn;			/* what peers call it: the same, or 1 */
	u32 dest_qpn;
	u32 qkey;			/* datagrams; written as the state */
	bool gsi;			/* in the list of gsi.c */
	struct list_head gsi_node;
	enum ib_qp_state state;		/* written under sq.lock and rq.lock */
	unsigned int mtu;		/* path MTU in bytes */
	int access;			/* what the peer may do, enum ib_access_flags */
	bool sig_all;
	bool failed;			/* about to go to error: send, answer, complete no more */
	int fail_event;			/* enum ib_event_type to raise then, or BERTH_NO_EVENT */
	enum ib_qp_state fail_state;	/* where to then: ERR, or SQE; RESET: not failed */
	refcount_t refs;
	struct completion drained;
	struct rcu_head rcu;

	struct berth_path path;
	struct berth_shared *shared;	/* header, SQ, RQ */
	struct berth_qp_ring *ring;
	struct berth_sq sq;
	struct berth_rq rq;
	struct berth_keys own_keys;	/* of the requester; sq.lock */
	struct berth_keys peer_keys;	/* of the responder; rq.lock */

	struct mutex state_mutex;
	struct ib_qp_attr attr;		/* as set by modify, for query; under state_mutex */
	struct ib_qp_cap cap;
};

struct berth_ibqp {
	struct ib_qp ib;
	struct berth_qp *qp;
};

static inline struct berth_qp *berth_qp(struct ib_qp *ib)
{
	return container_of(ib, struct berth_ibqp, ib)->qp;
}

/* The process that posts to an SRQ, or returns chunks of an area, does not tell, whatever it is asked for. */
static inline bool berth_receives_come_silently(const struct berth_qp *qp)
{
	return qp->srq || qp->rq.area;
}

int berth_qp_create(struct ib_qp *ib, struct ib_qp_init_attr *init, struct ib_udata *udata);
int berth_qp_modify(struct ib_qp *ib, struct ib_qp_attr *attr, int mask, struct ib_udata *udata);
int berth_qp_query(struct ib_qp *ib, struct ib_qp_attr *attr, int mask,
		   struct ib_qp_init_attr *init);
int berth_qp_destroy(struct ib_qp *ib, struct ib_udata *udata);

struct berth_qp *berth_qp_get(u32 qpn);
void berth_qp_put(struct berth_qp *qp);

struct berth_qp *berth_qp_get_owned(const struct berth_ucontext *uctx, u32 qpn);
void berth_qp_ring(struct berth_qp *qp, u32 queues);

/* Where requester and responder go on when their budget is used up. */
extern struct workqueue_struct *berth_qp_wq;

int berth_qp_module_init(void);
void berth_qp_module_fini(void);

#endif
