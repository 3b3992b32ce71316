// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * ring/srq: two QPs that take from one ring across the wrap of counters, limits, processes that lie,
 * and moving what is posted to a ring of another size.
 */
#include "ring_test.h"

#define ENTRIES	8
#define MAX_SGE	2
#define STRIDE	(sizeof(struct berth_recv_wqe) + MAX_SGE * sizeof(struct berth_sge))

static struct berth_srq srq;
static struct berth_qp qp[2];
static struct berth_qp_ring header[2];

static void *new_ring(u32 entries)
{
	void *ring = calloc(1, sizeof(struct berth_srq_ring) + entries * STRIDE);

	assert_non_null(ring);
	return ring;
}

static int setup(void **state)
{
	const struct ib_qp_cap cap = { 0 };

	forget_posted();
	memset(&srq, 0, sizeof(srq));
	srq.header = new_ring(ENTRIES);
	srq.ring = srq.header + 1;
	srq.entries = srq.max_wr = ENTRIES;
	srq.stride = STRIDE;
	srq.max_sge = MAX_SGE;
	for (int i = 0; i < 2; i++) {
		memset(&qp[i], 0, sizeof(qp[i]));
		qp[i].ring = &header[i];
		qp[i].recv_cq = (struct berth_cq *)&qp;
		qp[i].qpn = 70 + i;
		qp[i].srq = &srq;
		assert_int_equal(berth_rq_init(&qp[i], &cap), 0);
		qp[i].rq.lock.held = true;
	}
	return 0;
}

static int teardown(void **state)
{
	for (int i = 0; i < 2; i++)
		berth_rq_fini(&qp[i]);
	free(srq.header);
	return 0;
}

static void start_at(u32 n)
{
	srq.head = srq.header->head = srq.header->prod = n;
}

static struct berth_recv_wqe *post(u32 num_sge)
{
	struct berth_recv_wqe *wqe = berth_srq_entry(&srq, srq.header->prod);
	struct berth_sge *sge = (void *)(wqe + 1);

	memset(wqe, 0, STRIDE);
	wqe->wr_id = 1000ull + srq.header->prod;
	wqe->num_sge = num_sge;
	for (u32 i = 0; i < num_sge && i < MAX_SGE; i++)
		sge[i].length = 50;
	srq.header->prod++;
	return wqe;
}

static void srq_take__two_qps_across_the_wrap(void **state)
{
	start_at(0xfffffffd);
	for (u32 i = 0; i < 20; i++) {
		struct berth_qp *by = &qp[i % 2];
		struct berth_cqe cqe = { 0 };

		assert_int_equal(berth_rq_take(by), -EAGAIN);
		post(2);
		assert_int_equal(berth_rq_take(by), 0);
		assert_int_equal(by->rq.wr_id, (u64)1000 + (u32)(0xfffffffd + i));
		assert_int_equal(by->rq.capacity, 100);
		assert_int_equal(srq.header->head, 0xfffffffd + i + 1);
		berth_rq_complete(by, &cqe);
		assert_int_equal(posted_cqes[i].qpn, by->qpn);
		assert_int_equal(posted_cqes[i].wr_id, (u64)1000 + (u32)(0xfffffffd + i));
	}
}

static void srq_take__limit_once(void **state)
{
	for (int i = 0; i < 6; i++)
		post(1);
	srq.limit = 4;
	for (int i = 0; i < 6; i++) {
		assert_int_equal(berth_rq_take(&qp[0]), 0);
		assert_int_equal(srq_events[IB_EVENT_SRQ_LIMIT_REACHED], i >= 2);
		assert_int_equal(srq.limit, i >= 2 ? 0 : 4);
		qp[0].rq.held = false;
	}
	assert_int_equal(srq_events[IB_EVENT_SRQ_ERR], 0);
}

static void srq_take__counter_that_cannot_be(void **state)
{
	static const u32 jumps[] = { ENTRIES + 1, 0x7fffffff, 0x80000000, -1 };

	for (size_t i = 0; i < sizeof(jumps) / sizeof(jumps[0]); i++) {
		start_at(3);
		srq.header->prod = 3 + jumps[i];
		assert_int_equal(berth_rq_take(&qp[0]), -EINVAL);
		assert_false(qp[0].rq.held);
		assert_int_equal(srq.head, 3);
	}
	/* Told once. */
	assert_int_equal(srq_events[IB_EVENT_SRQ_ERR], 1);
}

static void srq_take__list_that_cannot_be(void **state)
{
	static const u32 counts[] = { MAX_SGE + 1, 255, 0x10000001, ~0u };

	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		post(counts[i]);
		assert_int_equal(berth_rq_take(&qp[1]), -EINVAL);
		assert_true(qp[1].rq.held);
		assert_int_equal(qp[1].rq.num_sge, 0);
		assert_int_equal(qp[1].rq.capacity, 0);
		qp[1].rq.held = false;
	}
	post(1)->reserved = 1;
	assert_int_equal(berth_rq_take(&qp[1]), -EINVAL);
	assert_true(qp[1].rq.held);
}

static void srq_take__the_processs_head_does_not_count(void **state)
{
	post(1);
	post(1);
	srq.header->head = 77;
	assert_int_equal(berth_rq_take(&qp[0]), 0);
	assert_int_equal(qp[0].rq.wr_id, 1000);
	assert_int_equal(srq.header->head, 1);
}

static void rq_flush__leaves_the_srq_alone(void **state)
{
	for (int i = 0; i < 3; i++)
		post(1);
	berth_rq_flush(&qp[1]);
	assert_int_equal(posted_count, 0);
	assert_int_equal(berth_rq_take(&qp[1]), 0);
	berth_rq_flush(&qp[1]);
	assert_int_equal(posted_count, 1);
	assert_int_equal(posted_cqes[0].wr_id, 1000);
	assert_int_equal(posted_cqes[0].status, IB_WC_WR_FLUSH_ERR);
	assert_int_equal(berth_rq_take(&qp[0]), 0);
	assert_int_equal(qp[0].rq.wr_id, 1001);
}

static int move(u32 entries, u32 max_wr)
{
	void *old = srq.header, *to = new_ring(entries);
	int err;

	srq.lock.held = true;
	err = berth_srq_move(&srq, to, entries, max_wr);
	srq.lock.held = false;
	free(err ? to : old);
	return err;
}

static void srq_move__keeps_what_is_posted(void **state)
{
	static const u32 sizes[] = { 16, 4, 64, 4, 8 };
	u32 next = 0xfffffff9;

	start_at(next);
	for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++) {
		for (int i = 0; i < 4; i++)
			post(1);
		assert_int_equal(move(sizes[s], 3), -EINVAL);
		assert_int_equal(move(sizes[s], 4), 0);
		assert_int_equal(srq.entries, sizes[s]);
		assert_int_equal(srq.max_wr, 4);
		for (int i = 0; i < 4; i++) {
			assert_int_equal(berth_rq_take(&qp[0]), 0);
			assert_int_equal(qp[0].rq.wr_id, (u64)1000 + next++);
			assert_int_equal(qp[0].rq.capacity, 50);
			qp[0].rq.held = false;
		}
		assert_int_equal(berth_rq_take(&qp[0]), -EAGAIN);
	}
	srq.header->prod = srq.head + 1000;
	assert_int_equal(move(2048, 2048), -EINVAL);
}

#define CASE(f)	cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(srq_take__two_qps_across_the_wrap),
		CASE(srq_take__limit_once),
		CASE(srq_take__counter_that_cannot_be),
		CASE(srq_take__list_that_cannot_be),
		CASE(srq_take__the_processs_head_does_not_count),
		CASE(rq_flush__leaves_the_srq_alone),
		CASE(srq_move__keeps_what_is_posted),
	};

	return cmocka_run_group_tests_name("srq", tests, NULL, NULL);
}
