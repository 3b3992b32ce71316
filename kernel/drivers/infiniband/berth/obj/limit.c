// SPDX-License-Identifier: GPL-2.0
/*
 * Limits on the number of objects, see limit.h.
 *
 * A counter moves by one and never beyond its limit, whoever else moves it: what is refused was
 * never counted, so nobody is refused on account of somebody who is. No locks.
 */
#include "../dev.h"
#include "limit.h"

/*
 * Made for servers with a QP for each of 10,000 and more peers: with queues of 16 entries a QP takes
 * 7.4 KB (tests/verbs/scale.c measures), so 10,000 of them are 74 MB and all that there can be fit in
 * a machine of 2 GiB.
 * Each can have two CQs of its own; PDs and SRQs are there to be shared, but a server may have one
 * for each peer. The limits catch who forgets to destroy. They do not keep anybody from taking all
 * memory: the sizes of queues decide about that.
 */
#define MAX_QP	65536
#define MAX_CQ	(2 * MAX_QP)
#define MAX_PD	16384
#define MAX_SRQ	16384

static const int maxima[BERTH_LIMITS] = {
	[BERTH_LIMIT_PD] = MAX_PD,
	[BERTH_LIMIT_CQ] = MAX_CQ,
	[BERTH_LIMIT_QP] = MAX_QP,
	[BERTH_LIMIT_SRQ] = MAX_SRQ,
};

/**
 * berth_limit_max - how many objects of a kind there can be
 * @kind: of object
 *
 * Context: any. Return: the number that query_device reports.
 */
int berth_limit_max(enum berth_limit kind)
{
	return maxima[kind];
}

/**
 * berth_limit_take - count an object that is about to be made
 * @dev: its device
 * @kind: of object
 *
 * Context: any.
 * Return: 0, berth_limit_give() undoes it; -ENOMEM: there are as many as there can be.
 */
int berth_limit_take(struct berth_dev *dev, enum berth_limit kind)
{
	return atomic_add_unless(&dev->limits.used[kind], 1, maxima[kind]) ? 0 : -ENOMEM;
}

/**
 * berth_limit_give - an object is gone, or was not made after all
 * @dev: its device
 * @kind: of object
 *
 * Context: any.
 */
void berth_limit_give(struct berth_dev *dev, enum berth_limit kind)
{
	WARN_ON_ONCE(atomic_dec_return(&dev->limits.used[kind]) < 0);
}

/**
 * berth_limit_fini - the device goes: nothing may be left
 * @dev: its device
 *
 * Context: process.
 */
void berth_limit_fini(struct berth_dev *dev)
{
	unsigned int kind;

	for (kind = 0; kind < BERTH_LIMITS; kind++)
		WARN_ON(atomic_read(&dev->limits.used[kind]));
}
