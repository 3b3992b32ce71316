// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/* How many packets may be in flight: rc/flight.h. */
#include "unit.h"
#include <string.h>
#include "rc/flight.h"

#define MTU	4096
#define MAX	(BERTH_FLIGHT_BYTES / MTU)

static struct berth_sq sq;

static int fresh(void **state)
{
	memset(&sq, 0, sizeof(sq));
	sq.una = BERTH_PSN_MASK - 10;
	sq.sent = sq.una;
	berth_flight_reset(&sq, MTU);
	return 0;
}

static void sent(u32 n)
{
	sq.sent = berth_psn_add(sq.sent, n);
}

static void acked(u32 n)
{
	sq.una = berth_psn_add(sq.una, n);
	berth_flight_grow(&sq, MTU, n);
}

static void flight__starts_at_the_limit_of_its_mtu(void **state)
{
	assert_int_equal(sq.flight, MAX);
	assert_int_equal(berth_flight_max(256), BERTH_FLIGHT_BYTES / 256);
	assert_int_equal(berth_flight_max(1U << 20), BERTH_FLIGHT_MIN);
}

static void flight__never_grows_beyond_it(void **state)
{
	sent(1000);
	acked(1000);
	assert_int_equal(sq.flight, MAX);
}

static void flight__one_loss_counts_once(void **state)
{
	sent(MAX);
	berth_flight_lost(&sq);
	assert_int_equal(sq.flight, MAX / 2);
	acked(MAX - 1);		/* the copy of the last one is lost as well */
	berth_flight_lost(&sq);
	assert_in_range(sq.flight, MAX / 2, MAX);
	acked(1);
	sent(20);
	berth_flight_lost(&sq);
	assert_in_range(sq.flight, MAX / 4, MAX / 2);
}

static void flight__losses_leave_enough_for_a_burst(void **state)
{
	int i;

	for (i = 0; i < 20; i++) {
		sent(1);
		berth_flight_lost(&sq);
		acked(1);
	}
	assert_in_range(sq.flight, BERTH_FLIGHT_MIN, BERTH_FLIGHT_MIN + 20);
}

static void flight__timeouts_end_with_one_packet(void **state)
{
	u32 sum = 0;
	int i;

	sent(MAX);
	for (i = 0; i < 7; i++) {
		berth_flight_timed_out(&sq);
		sum += sq.flight;
	}
	assert_int_equal(sq.flight, 1);
	/* All copies together are fewer than the packets that nobody answered. */
	assert_in_range(sum, 1, MAX - 1);
}

static void flight__grows_fast_then_slowly(void **state)
{
	sent(MAX);
	berth_flight_lost(&sq);
	berth_flight_timed_out(&sq);
	assert_int_equal(sq.flight, MAX / 4);
	sq.flight_fast = MAX / 2;
	acked(10);
	assert_int_equal(sq.flight, MAX / 4 + 10);
	sq.flight = sq.flight_fast;
	acked(2 * BERTH_FLIGHT_SLOW);
	assert_int_equal(sq.flight, MAX / 2 + 2);
}

static void flight__long_peace_is_not_the_future(void **state)
{
	u32 i;

	for (i = 0; i < 3; i++) {
		sent(BERTH_PSN_MASK / 3);
		acked(BERTH_PSN_MASK / 3);
	}
	sent(MAX);
	berth_flight_lost(&sq);
	assert_int_equal(sq.flight, MAX / 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(flight__starts_at_the_limit_of_its_mtu, fresh),
		cmocka_unit_test_setup(flight__never_grows_beyond_it, fresh),
		cmocka_unit_test_setup(flight__one_loss_counts_once, fresh),
		cmocka_unit_test_setup(flight__losses_leave_enough_for_a_burst, fresh),
		cmocka_unit_test_setup(flight__timeouts_end_with_one_packet, fresh),
		cmocka_unit_test_setup(flight__grows_fast_then_slowly, fresh),
		cmocka_unit_test_setup(flight__long_peace_is_not_the_future, fresh),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
