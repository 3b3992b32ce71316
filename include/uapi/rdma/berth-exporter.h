/* SPDX-License-Identifier: ((GPL-2.0 WITH Linux-syscall-note) OR Linux-OpenIB) */
/*
 * The dma-buf exporters that berth is tested with; see docs/netmem.md.
 *
 *  /dev/berth_bar	ranges of a PCI BAR: device memory without struct page.
 *  /dev/berth_move	system memory that moves and is revoked on request.
 *
 * Unknown flags and non-zero reserved fields are refused with EINVAL.
 */
#ifndef _UAPI_RDMA_BERTH_EXPORTER_H
#define _UAPI_RDMA_BERTH_EXPORTER_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define BERTH_EXPORTER_IOC	0xbe

#define BERTH_EXPORTER_BAR_DEV	"/dev/berth_bar"
#define BERTH_EXPORTER_MOVE_DEV	"/dev/berth_move"

/* berth_exporter_alloc.offset: the exporter chooses. */
#define BERTH_EXPORTER_ANYWHERE	(~0ULL)

/*
 * berth_exporter_alloc.flags: how the buffer misbehaves. VMAP_FAILS makes the kernel's dma-buf code
 * WARN once, so it taints the kernel. /dev/berth_bar knows NO_VMAP only.
 */
#define BERTH_EXPORTER_NO_VMAP		(1U << 0)	/* does not offer vmap */
#define BERTH_EXPORTER_VMAP_FAILS	(1U << 1)	/* vmap answers ENOMEM */
#define BERTH_EXPORTER_MAP_FAILS	(1U << 2)	/* mapping for a device answers EIO */
#define BERTH_EXPORTER_SLOW		(1U << 3)	/* attaching and mapping take 200 ms each */
#define BERTH_EXPORTER_BUSY_ONCE	(1U << 4)	/* first mapping after a move: EBUSY */

/**
 * struct berth_exporter_alloc - make a buffer
 * @offset: in: where in the BAR, a multiple of the page size, or BERTH_EXPORTER_ANYWHERE; out:
 *	where it is. /dev/berth_move: BERTH_EXPORTER_ANYWHERE, and 0 comes back.
 * @length: bytes, a multiple of the page size, not 0.
 * @flags: as above.
 * @fd: out: the dma-buf, close-on-exec.
 *
 * EBUSY when the range overlaps a live buffer, ENOSPC when no free range is long enough, ERANGE
 * when it is not inside the BAR, ENODEV when the device is gone. The range is free again when the
 * last reference of the dma-buf is dropped.
 */
struct berth_exporter_alloc {
	__u64 offset;
	__u64 length;
	__u32 flags;
	__s32 fd;
};

/**
 * struct berth_exporter_target - which buffer to move or revoke
 * @fd: in: a dma-buf of the same exporter; EINVAL for any other.
 * @reserved: zero.
 */
struct berth_exporter_target {
	__s32 fd;
	__u32 reserved;
};

/**
 * struct berth_exporter_info - what the exporter has
 * @size: out: bytes in the BAR; 0 for /dev/berth_move.
 * @used: out: bytes in live buffers.
 * @buffers: out: live buffers.
 * @reserved: out: zero.
 */
struct berth_exporter_info {
	__u64 size;
	__u64 used;
	__u32 buffers;
	__u32 reserved;
};

#define BERTH_EXPORTER_ALLOC	_IOWR(BERTH_EXPORTER_IOC, 0, struct berth_exporter_alloc)
/* New memory, the same contents, the old memory poisoned. /dev/berth_move only. */
#define BERTH_EXPORTER_MOVE	_IOW(BERTH_EXPORTER_IOC, 1, struct berth_exporter_target)
/* The memory is gone; mapping it answers ENODEV from now on. /dev/berth_move only. */
#define BERTH_EXPORTER_REVOKE	_IOW(BERTH_EXPORTER_IOC, 2, struct berth_exporter_target)
#define BERTH_EXPORTER_INFO	_IOR(BERTH_EXPORTER_IOC, 3, struct berth_exporter_info)

#endif /* _UAPI_RDMA_BERTH_EXPORTER_H */
