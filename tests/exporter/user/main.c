// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * netmem_test: the tests of berth_netmem and of the test exporters. Needs root and the modules
 * berth_netmem_test, berth_bar_exporter and berth_move_exporter; prints a line for each test:
 * PASS name, FAIL name: why, SKIP name: why. The exit status tells only that all tests were begun.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "bufs.h"

static const struct group {
	const char *name;
	void (*run)(void);
} groups[] = {
	{ "kernel", kernel_cases },
	{ "exporter", exporter_cases },
	{ "life", life_cases },
	{ "move", move_cases },
	{ "warn", warn_cases },
};

#define NGROUPS (sizeof(groups) / sizeof(groups[0]))

static const struct group *find_group(const char *name)
{
	for (size_t i = 0; i < NGROUPS; i++)
		if (!strcmp(groups[i].name, name))
			return &groups[i];
	return NULL;
}

int main(int argc, char **argv)
{
	if (argc < 2) {
		fprintf(stderr, "usage: netmem_test GROUP...; groups: kernel exporter life move, "
			"and warn, which makes the kernel WARN\n");
		return 2;
	}
	if (access(NETMEM_TEST_DEV, R_OK | W_OK)) {
		fprintf(stderr, "netmem_test: %s: no access: load berth_netmem_test and be root\n",
			NETMEM_TEST_DEV);
		return 1;
	}
	for (int i = 1; i < argc; i++) {
		const struct group *group = find_group(argv[i]);

		if (!group) {
			fprintf(stderr, "netmem_test: no group %s\n", argv[i]);
			return 2;
		}
		group->run();
	}
	return 0;
}
