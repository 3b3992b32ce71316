// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/* Loads the provider as libibverbs does: with every symbol resolved, and its constructor run. */
#include <dlfcn.h>
#include <stdio.h>

int main(int argc, char **argv)
{
	if (argc != 2) {
		fprintf(stderr, "usage: load_test LIBRARY\n");
		return 2;
	}
	if (!dlopen(argv[1], RTLD_NOW)) {
		fprintf(stderr, "%s\n", dlerror());
		return 1;
	}
	return 0;
}
