// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * A program that is linked with libberth.so: what libibverbs loads as the provider must be the same
 * library again, otherwise the program's direct verbs would not know their own devices.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>

#include <infiniband/berthdv.h>

int main(int argc, char **argv)
{
	void *provider;

	if (argc != 2) {
		fprintf(stderr, "usage: link_test PROVIDER\n");
		return 2;
	}
	provider = dlopen(argv[1], RTLD_NOW);
	if (!provider) {
		fprintf(stderr, "%s\n", dlerror());
		return 1;
	}
	if (dlsym(provider, "berthdv_is_supported") != (void *)berthdv_is_supported) {
		fprintf(stderr, "%s is another library than the one linked\n", argv[1]);
		return 1;
	}
	return 0;
}
