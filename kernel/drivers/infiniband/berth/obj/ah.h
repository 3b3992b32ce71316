/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Address handles: a number that a datagram names, and the path that it stands for.
 *
 * What senders use is a structure of its own, found by number under RCU and freed after a grace
 * period, because destroying an address handle may not sleep. Numbers are given out in a circle per
 * device, so that a stale one finds nothing for a long time.
 */
#ifndef BERTH_OBJ_AH_H
#define BERTH_OBJ_AH_H

#include <rdma/ib_verbs.h>
#include "../dev.h"
#include "../net/path.h"

#define BERTH_MAX_AH	((1 << 24) - 1)

/* The address vector: what a sender needs. */
struct berth_av {
	struct berth_path path;		/* may be used by several senders at once */
	const struct ib_pd *pd;
	struct rcu_head rcu;
};

struct berth_ah {
	struct ib_ah ib;
	struct berth_av *av;
	u32 number;
	struct rdma_ah_attr attr;	/* for query; without its GID attribute */
};

static inline struct berth_ah *berth_ah(struct ib_ah *ib)
{
	return container_of(ib, struct berth_ah, ib);
}

/**
 * berth_av_find - the address vector of a number
 * Context: RCU reader. Return: the vector, or NULL: there is none in this domain.
 */
static inline struct berth_av *berth_av_find(struct berth_dev *dev, const struct ib_pd *pd,
					     u32 number)
{
	struct berth_av *av = xa_load(&dev->avs, number);

	return av && av->pd == pd ? av : NULL;
}

int berth_ah_create(struct ib_ah *ib, struct rdma_ah_init_attr *init, struct ib_udata *udata);
int berth_ah_query(struct ib_ah *ib, struct rdma_ah_attr *attr);
int berth_ah_destroy(struct ib_ah *ib, u32 flags);

#endif
