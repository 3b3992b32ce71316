// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * ring/rq: taking receive WQEs across the wrap of counters and from processes
 * that lie, and completing and flushing them in order.
 */
#include "ring_test.h"

#define ENTRIES	4
#define MAX_SGE	3

static struct berth_qp qp;
static struct berth_qp_ring header;
static u8 *ring;

static int setup(void **state)
{
	const struct ib_qp_cap cap = { .max_recv_wr = ENTRIES, .max_recv_sge = MAX_SGE };

	memset(&qp, 0, sizeof(qp));
	memset(&header, 0, sizeof(header));
	forget_posted();
	qp.ring = &header;
	qp.recv_cq = (struct berth_cq *)&qp;
	qp.qpn = 77;
	qp.dest_qpn = 88;
	assert_int_equal(berth_rq_init(&qp, &cap), 0);
	ring = calloc(qp.rq.entries, qp.rq.stride);
	assert_non_null(ring);
	qp.rq.ring = ring;
	qp.rq.lock.held = true;
	return 0;
}

static int teardown(void **state)
{
	berth_rq_fini(&qp);
	free(ring);
	return 0;
}

static void start_at(u32 n)
{
	qp.rq.head = header.rq_prod = n;
}

static struct berth_recv_wqe *post(u32 num_sge, u32 length)
{
	struct berth_recv_wqe *wqe = (void *)(ring + (header.rq_prod % ENTRIES) * qp.rq.stride);
	struct berth_sge *sge = (void *)(wqe + 1);

	memset(wqe, 0, qp.rq.stride);
	wqe->wr_id = 1000ull + header.rq_prod;
	wqe->num_sge = num_sge;
	for (u32 i = 0; i < num_sge && i < MAX_SGE; i++)
		sge[i].length = length;
	header.rq_prod++;
	return wqe;
}

static void rq_take__across_the_wrap_of_counters(void **state)
{
	start_at(0xfffffffd);
	for (u32 i = 0; i < 12; i++) {
		struct berth_cqe cqe = { .byte_len = i };

		assert_int_equal(berth_rq_take(&qp), -EAGAIN);
		post(2, 50);
		assert_int_equal(berth_rq_take(&qp), 0);
		assert_true(qp.rq.held);
		assert_int_equal(qp.rq.wr_id, (u64)1000 + (u32)(0xfffffffd + i));
		assert_int_equal(qp.rq.num_sge, 2);
		assert_int_equal(qp.rq.capacity, 100);
		berth_rq_complete(&qp, &cqe);
		assert_false(qp.rq.held);
		assert_int_equal(posted_cqes[i].index, 0xfffffffd + i);
		assert_int_equal(posted_cqes[i].byte_len, i);
		assert_int_equal(posted_cqes[i].src_qp, 88);
		assert_true(posted_cqes[i].flags & BERTH_CQE_RECV);
	}
	assert_int_equal(failures, 0);
}

static void rq_take__counter_that_cannot_be(void **state)
{
	static const u32 jumps[] = { ENTRIES + 1, 0x7fffffff, 0x80000000, -1 };

	for (size_t i = 0; i < sizeof(jumps) / sizeof(jumps[0]); i++) {
		start_at(3);
		header.rq_prod = 3 + jumps[i];
		assert_int_equal(berth_rq_take(&qp), -EINVAL);
		assert_false(qp.rq.held);
		assert_int_equal(qp.rq.head, 3);
	}
}

static void rq_take__list_that_cannot_be(void **state)
{
	static const u32 counts[] = { MAX_SGE + 1, 255, 0x10000001, ~0u };

	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		post(counts[i], 8);
		assert_int_equal(berth_rq_take(&qp), -EINVAL);
		/* Held, so that it can complete with an error; its list is not used. */
		assert_true(qp.rq.held);
		assert_int_equal(qp.rq.num_sge, 0);
		assert_int_equal(qp.rq.capacity, 0);
		qp.rq.held = false;
	}
	post(1, 8)->reserved = 1;
	assert_int_equal(berth_rq_take(&qp), -EINVAL);
	assert_true(qp.rq.held);
}

static void rq_take__capacity_saturates(void **state)
{
	post(3, 0xf0000000);
	assert_int_equal(berth_rq_take(&qp), 0);
	assert_int_equal(qp.rq.capacity, 0xffffffff);
	qp.rq.held = false;
	post(0, 0);
	assert_int_equal(berth_rq_take(&qp), 0);
	assert_int_equal(qp.rq.capacity, 0);
}

static void rq_take__later_changes_do_not_matter(void **state)
{
	struct berth_recv_wqe *wqe = post(1, 10);

	assert_int_equal(berth_rq_take(&qp), 0);
	memset(wqe, 0xff, qp.rq.stride);
	assert_int_equal(qp.rq.wr_id, 1000);
	assert_int_equal(qp.rq.sge[0].length, 10);
}

static void rq_complete__full_cq_fails_the_qp(void **state)
{
	struct berth_cqe cqe = { 0 };

	post(1, 10);
	assert_int_equal(berth_rq_take(&qp), 0);
	cq_full = true;
	berth_rq_complete(&qp, &cqe);
	assert_int_equal(failures, 1);
	assert_false(qp.rq.held);
}

static void rq_flush__everything_in_order(void **state)
{
	start_at(0xfffffffe);
	for (int i = 0; i < ENTRIES; i++)
		post(1, 10);
	assert_int_equal(berth_rq_take(&qp), 0);
	berth_rq_flush(&qp);
	assert_int_equal(posted_count, ENTRIES);
	for (u32 i = 0; i < ENTRIES; i++) {
		assert_int_equal(posted_cqes[i].wr_id, (u64)1000 + (u32)(0xfffffffe + i));
		assert_int_equal(posted_cqes[i].index, 0xfffffffe + i);
		assert_int_equal(posted_cqes[i].status, IB_WC_WR_FLUSH_ERR);
	}
	berth_rq_flush(&qp);
	assert_int_equal(posted_count, ENTRIES);
}

static void rq__queue_that_takes_nothing(void **state)
{
	const struct ib_qp_cap cap = { 0 };
	struct berth_qp none = { .ring = &header };

	assert_int_equal(berth_rq_init(&none, &cap), 0);
	none.rq.lock.held = true;
	header.rq_prod = 5;
	assert_int_equal(berth_rq_take(&none), -EAGAIN);
	berth_rq_flush(&none);
	assert_int_equal(posted_count, 0);
	berth_rq_fini(&none);
}

static void rq_init__no_memory(void **state)
{
	const struct ib_qp_cap cap = { .max_recv_wr = 4, .max_recv_sge = 1 };
	struct berth_qp other = { 0 };

	compat_kmalloc_failures = 1;
	assert_int_equal(berth_rq_init(&other, &cap), -ENOMEM);
	assert_int_equal(compat_kmalloc_failures, 0);
	berth_rq_fini(&other);
}

#define CASE(f)	cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(rq_take__across_the_wrap_of_counters),
		CASE(rq_take__counter_that_cannot_be),
		CASE(rq_take__list_that_cannot_be),
		CASE(rq_take__capacity_saturates),
		CASE(rq_take__later_changes_do_not_matter),
		CASE(rq_complete__full_cq_fails_the_qp),
		CASE(rq_flush__everything_in_order),
		CASE(rq__queue_that_takes_nothing),
		CASE(rq_init__no_memory),
	};

	return cmocka_run_group_tests_name("rq", tests, NULL, NULL);
}
