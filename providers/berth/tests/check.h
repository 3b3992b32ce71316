/* SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB */
/* One macro for the test programs of the provider: say what did not hold, and fail at the end. */
#ifndef BERTH_TESTS_CHECK_H
#define BERTH_TESTS_CHECK_H

#include <stdio.h>

extern unsigned int checks_failed;
extern unsigned int checks_done;

#define CHECK(cond)								\
	do {									\
		checks_done++;							\
		if (!(cond)) {							\
			checks_failed++;					\
			fprintf(stderr, "%s:%d: does not hold: %s\n",		\
				__FILE__, __LINE__, #cond);			\
		}								\
	} while (0)

static inline int checks_report(const char *name)
{
	printf("%s: %u checks, %u failed\n", name, checks_done, checks_failed);
	return checks_failed || !checks_done;
}

#endif
