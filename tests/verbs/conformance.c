// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * conformance: what software devices are known to get wrong, tried exhaustively where that is
 * possible: every transition with every attribute, every bit of every set of flags, thousands of
 * keys, every kind of failure beside connections that work. Single cases of bad input, one status
 * each, are rc_errors and ud_errors.
 */
#include "conformance.h"
#include "vtest.h"

static void add_cases(void)
{
	conf_add_state();
	conf_add_flags();
	conf_add_keys();
	conf_add_isolation();
	conf_add_dm();
	conf_add_limits();
	conf_add_null_mr();
}

int main(int argc, char **argv)
{
	return vt_main(argc, argv, add_cases);
}
