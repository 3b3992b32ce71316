/* SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB */
/*
 * User-space stand-in for <linux/slab.h>. A test that wants allocations to fail
 * sets compat_kmalloc_failures to how many of the next ones shall.
 */
#ifndef BERTH_COMPAT_SLAB_H
#define BERTH_COMPAT_SLAB_H

#include <stdlib.h>
#include <string.h>

#define GFP_KERNEL	0
#define GFP_ATOMIC	0
#define GFP_KERNEL_ACCOUNT	0

extern unsigned int compat_kmalloc_failures;

static inline void *kmalloc(size_t size, int gfp)
{
	(void)gfp;
	if (compat_kmalloc_failures) {
		compat_kmalloc_failures--;
		return NULL;
	}
	return malloc(size);
}

static inline void *kcalloc(size_t n, size_t size, int gfp)
{
	void *p = kmalloc(n * size, gfp);

	return p ? memset(p, 0, n * size) : NULL;
}

#define kvcalloc(n, size, gfp)	kcalloc(n, size, gfp)
#define kvzalloc(size, gfp)	kcalloc(1, size, gfp)
#define kvfree(ptr)		kfree(ptr)

static inline void kfree(const void *ptr)
{
	free((void *)ptr);
}

#endif /* BERTH_COMPAT_SLAB_H */
