/* SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB */
/* How tests/exporter/user drives berth_netmem_test.ko. Both come from one tree: no versions. */
#ifndef _BERTH_NETMEM_TEST_ABI_H
#define _BERTH_NETMEM_TEST_ABI_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define NETMEM_TEST_DEV		"/dev/berth_netmem_test"
#define NETMEM_TEST_WHY		256

/* netmem_test.flags */
#define NETMEM_TEST_IOREMAP	(1U << 0)	/* get the area with BERTH_AREA_IOREMAP */

/**
 * struct netmem_test - run one case
 * @name: in: the case.
 * @fd: in: dma-buf, or -1.
 * @fd2: in: second dma-buf, or -1.
 * @flags: in: as above.
 * @expect: in: meaning depends on the case, mostly an errno.
 * @value: in and out: meaning depends on the case.
 * @why: out: why it failed; empty when it passed.
 *
 * ENOENT when there is no such case, EBADF when it needs a dma-buf that was not given.
 */
struct netmem_test {
	char name[32];
	__s32 fd;
	__s32 fd2;
	__u32 flags;
	__s32 expect;
	__u64 value;
	char why[NETMEM_TEST_WHY];
};

#define NETMEM_TEST_RUN		_IOWR(0xbf, 0, struct netmem_test)

#endif /* _BERTH_NETMEM_TEST_ABI_H */
