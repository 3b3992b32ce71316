// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * ring/sq against processes that behave and processes that do not: counters that
 * wrap, lie or jump, WQEs that break every rule, and the order of completions.
 */
#include "ring_test.h"

#define SLOTS		8
#define MAX_SGE		3
#define MAX_INLINE	64

static struct berth_qp qp;
static struct berth_qp_ring header;
static u8 *ring;

static int setup(void **state)
{
	const struct ib_qp_cap cap = { .max_send_wr = SLOTS - 1, .max_send_sge = MAX_SGE,
				       .max_inline_data = MAX_INLINE };

	memset(&qp, 0, sizeof(qp));
	memset(&header, 0, sizeof(header));
	forget_posted();
	qp.ring = &header;
	qp.send_cq = (struct berth_cq *)&qp;
	qp.sig_all = true;
	qp.qpn = 77;
	qp.transport = &test_transport;
	assert_int_equal(berth_sq_init(&qp, &cap), 0);
	ring = calloc(qp.sq.entries, qp.sq.ring_stride);
	assert_non_null(ring);
	qp.sq.ring = ring;
	qp.sq.lock.held = true;
	qp.sq.max_rd_atomic = 1;
	return 0;
}

static int teardown(void **state)
{
	berth_sq_fini(&qp);
	free(ring);
	return 0;
}

/* Start all counters at @n, as after n requests. */
static void start_at(u32 n)
{
	qp.sq.head = qp.sq.next = qp.sq.tail = header.sq_prod = n;
}

static struct berth_send_wqe *entry(u32 counter)
{
	return (void *)(ring + (counter % SLOTS) * qp.sq.ring_stride);
}

static struct berth_send_wqe *post(u8 opcode, u8 num_sge, u32 length)
{
	struct berth_send_wqe *wqe = entry(header.sq_prod);
	struct berth_sge *sge = (void *)(wqe + 1);

	memset(wqe, 0, qp.sq.ring_stride);
	wqe->wr_id = 1000ull + header.sq_prod;
	wqe->opcode = opcode;
	wqe->num_sge = num_sge;
	for (int i = 0; i < num_sge && i < MAX_SGE; i++)
		sge[i] = (struct berth_sge){ .addr = 0x1000 * i, .length = length, .lkey = i };
	header.sq_prod++;
	return wqe;
}

static const struct berth_swqe *fetched(void)
{
	return berth_sq_slot(&qp.sq, qp.sq.head - 1);
}

static void sq_init__sizes(void **state)
{
	assert_int_equal(qp.sq.entries, SLOTS);
	assert_true(qp.sq.ring_stride >= sizeof(struct berth_send_wqe) + MAX_INLINE);
	assert_true(qp.sq.ring_stride >= sizeof(struct berth_send_wqe) +
		    MAX_SGE * sizeof(struct berth_sge));
	assert_true(qp.sq.slot_stride >= sizeof(struct berth_swqe) + MAX_INLINE);
	assert_int_equal(qp.sq.ring_stride % 8, 0);
	assert_int_equal(qp.sq.slot_stride % 8, 0);
}

static void sq_init__no_memory(void **state)
{
	const struct ib_qp_cap cap = { .max_send_wr = 4, .max_send_sge = 1 };
	struct berth_qp other = { 0 };

	compat_kmalloc_failures = 1;
	assert_int_equal(berth_sq_init(&other, &cap), -ENOMEM);
	assert_int_equal(compat_kmalloc_failures, 0);
	berth_sq_fini(&other);
}

static void sq_fetch__across_the_wrap_of_counters(void **state)
{
	start_at(0xfffffffc);
	for (int i = 0; i < 20; i++) {
		post(BERTH_WR_WRITE, 2, 100);
		assert_true(berth_sq_fetch(&qp));
		assert_int_equal(fetched()->wr_id, (u64)1000 + (u32)(0xfffffffc + i));
		assert_int_equal(fetched()->length, 200);
		assert_int_equal(fetched()->status, IB_WC_SUCCESS);
		assert_false(berth_sq_fetch(&qp));
		qp.sq.next++;
		berth_sq_complete(&qp, IB_WC_SUCCESS);
		assert_int_equal(posted_cqes[i].index, (u32)(0xfffffffc + i));
		assert_int_equal(posted_cqes[i].wr_id, (u64)1000 + (u32)(0xfffffffc + i));
		assert_int_equal(posted_cqes[i].qpn, 77);
	}
	assert_int_equal(failures, 0);
}

static void sq_fetch__full_ring_and_no_slot_free(void **state)
{
	start_at(0xfffffffe);
	for (int i = 0; i < SLOTS; i++)
		post(BERTH_WR_SEND, 1, i);
	for (u32 i = 0; i < SLOTS; i++) {
		assert_true(berth_sq_fetch(&qp));
		assert_int_equal(fetched()->length, i);
	}
	post(BERTH_WR_SEND, 1, 99);
	/* All slots hold unfinished requests. */
	assert_false(berth_sq_fetch(&qp));
	qp.sq.next++;
	berth_sq_complete(&qp, IB_WC_SUCCESS);
	assert_true(berth_sq_fetch(&qp));
	assert_int_equal(fetched()->length, 99);
	assert_int_equal(failures, 0);
}

static void sq_fetch__counter_that_cannot_be(void **state)
{
	static const u32 jumps[] = { SLOTS + 1, 0x7fffffff, 0x80000000, -1 };

	for (size_t i = 0; i < sizeof(jumps) / sizeof(jumps[0]); i++) {
		forget_posted();
		start_at(5);
		header.sq_prod = 5 + jumps[i];
		assert_false(berth_sq_fetch(&qp));
		assert_int_equal(failures, 1);
		assert_int_equal(qp.sq.head, 5);
	}
}

static void sq_fetch__later_changes_do_not_matter(void **state)
{
	struct berth_send_wqe *wqe = post(BERTH_WR_SEND, 1, 10);

	assert_true(berth_sq_fetch(&qp));
	memset(wqe, 0xff, qp.sq.ring_stride);
	assert_int_equal(fetched()->wr_id, 1000);
	assert_int_equal(fetched()->length, 10);
	assert_int_equal(fetched()->num_sge, 1);
}

static void check_refused(enum ib_wc_status status)
{
	assert_true(berth_sq_fetch(&qp));
	assert_int_equal(fetched()->status, status);
	qp.sq.tail = qp.sq.next = qp.sq.head;
	assert_int_equal(failures, 0);
}

static void sq_fetch__what_a_wqe_may_not_say(void **state)
{
	for (int op = 0; op < 256; op++) {
		bool known = (op >= BERTH_WR_SEND && op <= BERTH_WR_READ) ||
			     op == BERTH_WR_ATOMIC_WRITE;
		/* Those of fixed length have tests of their own. */
		if (op > BERTH_WR_READ && op <= BERTH_WR_FETCH_ADD)
			continue;

		post(op, 1, 8);
		check_refused(known ? IB_WC_SUCCESS : IB_WC_LOC_QP_OP_ERR);
	}
	for (int flag = 16; flag < 256; flag <<= 1) {
		post(BERTH_WR_SEND, 1, 8)->flags = flag;
		check_refused(IB_WC_LOC_QP_OP_ERR);
	}
	post(BERTH_WR_SEND, 1, 8)->reserved0 = 1;
	check_refused(IB_WC_LOC_QP_OP_ERR);
	post(BERTH_WR_SEND, MAX_SGE + 1, 8);
	check_refused(IB_WC_LOC_QP_OP_ERR);
	post(BERTH_WR_SEND, 255, 8);
	check_refused(IB_WC_LOC_QP_OP_ERR);
	post(BERTH_WR_SEND, 1, 8)->inline_len = 1;
	check_refused(IB_WC_LOC_QP_OP_ERR);
}

static void sq_fetch__length_of_the_list(void **state)
{
	post(BERTH_WR_SEND, 1, BERTH_MAX_MSG);
	check_refused(IB_WC_SUCCESS);
	post(BERTH_WR_SEND, 1, BERTH_MAX_MSG + 1);
	check_refused(IB_WC_LOC_LEN_ERR);
	/* A sum that is 0 in 32 bits. */
	post(BERTH_WR_SEND, 2, 0x80000000);
	check_refused(IB_WC_LOC_LEN_ERR);
	post(BERTH_WR_SEND, 3, 0x55555556);
	check_refused(IB_WC_LOC_LEN_ERR);
	post(BERTH_WR_SEND, 0, 0);
	check_refused(IB_WC_SUCCESS);
}

static void sq_fetch__inline(void **state)
{
	struct berth_send_wqe *wqe;

	for (u32 len = 0; len <= MAX_INLINE; len++) {
		wqe = post(BERTH_WR_WRITE, 0, 0);
		wqe->flags = BERTH_WR_INLINE;
		wqe->inline_len = len;
		memset(wqe + 1, 0x5a, len);
		assert_true(berth_sq_fetch(&qp));
		assert_int_equal(fetched()->status, IB_WC_SUCCESS);
		assert_int_equal(fetched()->length, len);
		assert_memory_equal(fetched()->sge, wqe + 1, len);
		qp.sq.tail = qp.sq.next = qp.sq.head;
	}
	wqe = post(BERTH_WR_WRITE, 0, 0);
	wqe->flags = BERTH_WR_INLINE;
	wqe->inline_len = MAX_INLINE + 1;
	check_refused(IB_WC_LOC_QP_OP_ERR);
	post(BERTH_WR_WRITE, 1, 8)->flags = BERTH_WR_INLINE;
	check_refused(IB_WC_LOC_QP_OP_ERR);
	post(BERTH_WR_READ, 0, 0)->flags = BERTH_WR_INLINE;
	check_refused(IB_WC_LOC_QP_OP_ERR);
}

static void sq_fetch__atomics_take_eight_bytes(void **state)
{
	struct berth_send_wqe *wqe;

	wqe = post(BERTH_WR_CMP_SWP, 1, 8);
	wqe->atomic.compare_add = 0x1122334455667788;
	wqe->atomic.swap = 0x99aabbccddeeff00;
	assert_true(berth_sq_fetch(&qp));
	assert_int_equal(fetched()->status, IB_WC_SUCCESS);
	assert_int_equal(fetched()->atomic.compare_add, 0x1122334455667788);
	assert_int_equal(fetched()->atomic.swap, 0x99aabbccddeeff00);
	post(BERTH_WR_FETCH_ADD, 2, 4);
	check_refused(IB_WC_SUCCESS);
	post(BERTH_WR_FETCH_ADD, 1, 7);
	check_refused(IB_WC_LOC_LEN_ERR);
	post(BERTH_WR_FETCH_ADD, 2, 8);
	check_refused(IB_WC_LOC_LEN_ERR);
	post(BERTH_WR_CMP_SWP, 0, 0);
	check_refused(IB_WC_LOC_LEN_ERR);
	wqe = post(BERTH_WR_CMP_SWP, 0, 0);
	wqe->flags = BERTH_WR_INLINE;
	wqe->inline_len = 8;
	check_refused(IB_WC_LOC_QP_OP_ERR);
	qp.sq.max_rd_atomic = 0;
	post(BERTH_WR_FETCH_ADD, 1, 8);
	check_refused(IB_WC_LOC_QP_OP_ERR);
}

/* ATOMIC WRITE reads its word from a list or from the entry, where every queue has room for it. */
static void sq_fetch__atomic_write_takes_eight_bytes(void **state)
{
	struct berth_send_wqe *wqe;

	post(BERTH_WR_ATOMIC_WRITE, 2, 4);
	check_refused(IB_WC_SUCCESS);
	post(BERTH_WR_ATOMIC_WRITE, 1, 16);
	check_refused(IB_WC_LOC_LEN_ERR);
	post(BERTH_WR_ATOMIC_WRITE, 0, 0);
	check_refused(IB_WC_LOC_LEN_ERR);
	qp.sq.max_inline = 0;
	for (u32 len = 0; len <= 9; len++) {
		wqe = post(BERTH_WR_ATOMIC_WRITE, 0, 0);
		wqe->flags = BERTH_WR_INLINE;
		wqe->inline_len = len;
		memset(wqe + 1, 0xc3, len);
		assert_true(berth_sq_fetch(&qp));
		assert_int_equal(fetched()->status, len == 8 ? IB_WC_SUCCESS :
				 len == 9 ? IB_WC_LOC_QP_OP_ERR : IB_WC_LOC_LEN_ERR);
		if (len == 8)
			assert_memory_equal(fetched()->sge, wqe + 1, 8);
		qp.sq.tail = qp.sq.next = qp.sq.head;
	}
	qp.sq.max_rd_atomic = 0;
	post(BERTH_WR_ATOMIC_WRITE, 1, 8);
	check_refused(IB_WC_LOC_QP_OP_ERR);
}

/* A queue that asked for neither lists nor inline data has the room all the same. */
static void sq_init__room_for_a_word(void **state)
{
	const struct ib_qp_cap cap = { .max_send_wr = 1 };
	struct berth_qp other = { 0 };

	assert_int_equal(berth_sq_init(&other, &cap), 0);
	assert_true(other.sq.ring_stride >= sizeof(struct berth_send_wqe) + 8);
	assert_true(other.sq.slot_stride >= sizeof(struct berth_swqe) + 8);
	berth_sq_fini(&other);
}

static void sq_fetch__local_operations_carry_no_data(void **state)
{
	post(BERTH_WR_LOCAL_INV, 0, 0)->ex = 0x1234;
	assert_true(berth_sq_fetch(&qp));
	assert_int_equal(fetched()->status, IB_WC_SUCCESS);
	assert_int_equal(fetched()->ex, 0x1234);
	assert_false(fetched()->carried_out);
	post(BERTH_WR_LOCAL_INV, 1, 8);
	check_refused(IB_WC_LOC_QP_OP_ERR);
	post(BERTH_WR_LOCAL_INV, 0, 0)->flags = BERTH_WR_INLINE;
	check_refused(IB_WC_LOC_QP_OP_ERR);
	post(BERTH_WR_LOCAL_INV, 0, 0)->inline_len = 1;
	check_refused(IB_WC_LOC_QP_OP_ERR);
}

static void sq_complete__unsignalled_success_is_silent(void **state)
{
	qp.sig_all = false;
	for (int i = 0; i < 4; i++)
		post(BERTH_WR_SEND, 1, 8)->flags = i == 1 ? BERTH_WR_SIGNALED : 0;
	for (int i = 0; i < 4; i++)
		assert_true(berth_sq_fetch(&qp));
	qp.sq.next += 4;
	for (int i = 0; i < 3; i++)
		berth_sq_complete(&qp, IB_WC_SUCCESS);
	assert_int_equal(posted_count, 1);
	assert_int_equal(posted_cqes[0].wr_id, 1001);
	/* An error is reported whether it was asked for or not. */
	berth_sq_complete(&qp, IB_WC_LOC_PROT_ERR);
	assert_int_equal(posted_count, 2);
	assert_int_equal(posted_cqes[1].wr_id, 1003);
	assert_int_equal(posted_cqes[1].status, IB_WC_LOC_PROT_ERR);
}

static void sq_complete__full_cq_fails_the_qp(void **state)
{
	post(BERTH_WR_SEND, 1, 8);
	assert_true(berth_sq_fetch(&qp));
	qp.sq.next++;
	cq_full = true;
	berth_sq_complete(&qp, IB_WC_SUCCESS);
	assert_int_equal(failures, 1);
}

static void sq_complete__full_cq_that_may_lose(void **state)
{
	post(BERTH_WR_SEND, 1, 8);
	assert_true(berth_sq_fetch(&qp));
	qp.sq.next++;
	cq_full = true;
	cq_may_lose = true;
	berth_sq_complete(&qp, IB_WC_SUCCESS);
	assert_int_equal(failures, 0);
	assert_int_equal(qp.sq.tail, qp.sq.head);
}

static void sq_flush__everything_in_order(void **state)
{
	qp.sig_all = false;
	start_at(0xfffffffd);
	for (int i = 0; i < 6; i++)
		post(BERTH_WR_SEND, 1, 8);
	assert_true(berth_sq_fetch(&qp));
	assert_true(berth_sq_fetch(&qp));
	berth_sq_flush(&qp);
	assert_int_equal(posted_count, 6);
	for (u32 i = 0; i < 6; i++) {
		assert_int_equal(posted_cqes[i].wr_id, (u64)1000 + (u32)(0xfffffffd + i));
		assert_int_equal(posted_cqes[i].status, IB_WC_WR_FLUSH_ERR);
		assert_int_equal(posted_cqes[i].index, 0xfffffffd + i);
	}
	berth_sq_flush(&qp);
	assert_int_equal(posted_count, 6);
	assert_int_equal(qp.sq.tail, header.sq_prod);
	assert_int_equal(qp.sq.next, header.sq_prod);
}

static void sq_flush__counter_that_cannot_be(void **state)
{
	post(BERTH_WR_SEND, 1, 8);
	assert_true(berth_sq_fetch(&qp));
	header.sq_prod += 100000;
	berth_sq_flush(&qp);
	/* What was taken is flushed; what the process claims is not believed. */
	assert_int_equal(posted_count, 1);
}

#define CASE(f)	cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(sq_init__sizes),
		CASE(sq_init__no_memory),
		CASE(sq_fetch__across_the_wrap_of_counters),
		CASE(sq_fetch__full_ring_and_no_slot_free),
		CASE(sq_fetch__counter_that_cannot_be),
		CASE(sq_fetch__later_changes_do_not_matter),
		CASE(sq_fetch__what_a_wqe_may_not_say),
		CASE(sq_fetch__length_of_the_list),
		CASE(sq_fetch__inline),
		CASE(sq_fetch__atomics_take_eight_bytes),
		CASE(sq_fetch__atomic_write_takes_eight_bytes),
		CASE(sq_init__room_for_a_word),
		CASE(sq_fetch__local_operations_carry_no_data),
		CASE(sq_complete__unsignalled_success_is_silent),
		CASE(sq_complete__full_cq_fails_the_qp),
		CASE(sq_complete__full_cq_that_may_lose),
		CASE(sq_flush__everything_in_order),
		CASE(sq_flush__counter_that_cannot_be),
	};

	return cmocka_run_group_tests_name("sq", tests, NULL, NULL);
}
