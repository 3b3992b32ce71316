/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Memory windows: keys that name a part of an MR, made and ended by work requests. Type 1 may be
 * used through every QP of its domain and is bound anew or unbound by binding; type 2 (2B) through
 * the QP that bound it, and is ended by invalidation (IBTA volume 1, 10.6.7).
 *
 * What a window is bound to is one object that is replaced as a whole: a reader under RCU sees one
 * binding or the other. A binding counts at its MR, which cannot go meanwhile. A window's index is
 * its own for life; the low 8 bits of its key are whatever the binding says.
 */
#ifndef BERTH_OBJ_MW_H
#define BERTH_OBJ_MW_H

#include <rdma/ib_verbs.h>
#include "mr.h"

struct berth_qp;
struct berth_swqe;

struct berth_mw_binding {
	struct rcu_head rcu;
	struct berth_mr *mr;
	u32 key;
	u32 qpn;		/* type 2: the QP; 0: any of the domain */
	int access;		/* enum ib_access_flags */
	u64 first;		/* the first byte as peers name it */
	u64 length;
	u64 offset;		/* of that byte in the MR's window */
};

struct berth_mw {
	struct ib_mw ib;
	spinlock_t lock;	/* writers of what follows; bottom halves off */
	bool gone;
	struct berth_mw_binding __rcu *binding;
};

static inline bool berth_key_is_window(u32 key)
{
	return key & BERTH_KEY_WINDOW;
}

int berth_mw_alloc(struct ib_mw *ib, struct ib_udata *udata);
int berth_mw_dealloc(struct ib_mw *ib);

int berth_mw_bind(struct berth_qp *qp, const struct berth_swqe *wqe);
const struct berth_mw_binding *berth_mw_find(struct berth_dev *dev, const struct ib_pd *pd, u32 qpn,
					     u32 key);
int berth_key_invalidate(struct berth_qp *qp, u32 key, bool by_peer);

/* Whether [addr, addr + len) lies in the window and every right in access is granted. */
static inline bool berth_mw_covers(const struct berth_mw_binding *b, u64 addr, u64 len, int access)
{
	u64 offset = addr - b->first;

	return (b->access & access) == access && addr >= b->first && offset <= b->length &&
	       len <= b->length - offset;
}

#endif
