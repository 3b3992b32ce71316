/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What differs between kernel versions, for berth_netmem only. Every version check of this module
 * is here; the rest of it is written against 6.12.
 */
#ifndef _BERTH_NETMEM_COMPAT_H
#define _BERTH_NETMEM_COMPAT_H

#include <linux/dma-map-ops.h>
#include <linux/module.h>
#include <linux/swiotlb.h>
#include <linux/version.h>

/* Since 6.13 MODULE_IMPORT_NS() takes a string. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 13, 0)
#define BERTH_IMPORT_NS(ns)	MODULE_IMPORT_NS(#ns)
#else
#define BERTH_IMPORT_NS(ns)	MODULE_IMPORT_NS(ns)
#endif

/* Since 6.17 the reference count of a net_iov sits in its netmem_desc. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 17, 0)
#define berth_niov_refs(niov)	(&(niov)->desc.pp_ref_count)
#else
#define berth_niov_refs(niov)	(&(niov)->pp_ref_count)
#endif

/* DMA mappings that go through operations of the device: addresses mean nothing to the CPU. */
static inline bool berth_dma_has_ops(struct device *dev)
{
#ifdef CONFIG_ARCH_HAS_DMA_OPS
	return dev->dma_ops;
#else
	return false;
#endif
}

/*
 * A device that only the CPU stands behind never needs bounce buffers, and with swiotlb=force they
 * would do harm: ending a mapping copies the stale buffer over what the CPU wrote.
 */
static inline void berth_dma_forgo_bounce(struct device *dev)
{
#ifdef CONFIG_SWIOTLB
	dev->dma_io_tlb_mem = NULL;
#endif
}

#endif /* _BERTH_NETMEM_COMPAT_H */
