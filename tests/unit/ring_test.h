/* SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB */
/*
 * What test_sq.c, test_rq.c and test_srq.c share: a QP over a ring in heap memory of its exact
 * size, and a completion queue that remembers what was posted.
 */
#ifndef BERTH_RING_TEST_H
#define BERTH_RING_TEST_H

#include "unit.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define POSTED_MAX	64

unsigned int compat_kmalloc_failures;
static struct berth_cqe posted_cqes[POSTED_MAX];
static unsigned int posted_count;
static unsigned int failures;
static bool cq_full, cq_may_lose;

bool berth_cq_post(struct berth_cq *cq, const struct berth_cqe *cqe)
{
	assert_non_null(cq);
	if (cq_full)
		return false;
	assert_in_range(posted_count, 0, POSTED_MAX - 1);
	posted_cqes[posted_count++] = *cqe;
	return true;
}

bool berth_cq_may_lose(const struct berth_cq *cq)
{
	assert_non_null(cq);
	return cq_may_lose;
}

void berth_qp_fail_locked(struct berth_qp *qp, int event)
{
	assert_int_equal(event, IB_EVENT_QP_FATAL);
	failures++;
}

static unsigned int srq_events[8];	/* by enum ib_event_type */

void berth_srq_event(struct berth_srq *srq, enum ib_event_type event)
{
	/* Whoever is told may post: the lock is not held. */
	assert_false(srq->lock.held);
	srq_events[event]++;
}

/* A transport for which every work request is a fit one. */
static bool takes_all(const struct berth_swqe *wqe)
{
	return true;
}

__attribute__((unused)) static const struct berth_transport test_transport = {
	.takes = takes_all,
};

static void forget_posted(void)
{
	posted_count = 0;
	failures = 0;
	cq_may_lose = false;
	memset(srq_events, 0, sizeof(srq_events));
	cq_full = false;
}

#endif /* BERTH_RING_TEST_H */
