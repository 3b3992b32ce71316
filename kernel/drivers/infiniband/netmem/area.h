/* SPDX-License-Identifier: GPL-2.0 */
/*
 * An area: one dma-buf attached and mapped for one device. area.c finds, counts and ends areas and
 * tells listeners; area_map.c brings the mapping up and down.
 *
 * Locks, outermost first:
 *  registry_lock (area.c)	the list of areas, the last put.
 *  area->listen_lock		the list of listeners; held while they are called.
 *  area->map_lock		one bring-up at a time; the cpu_access bracket.
 *  dma-buf reservation lock	everything about the mapping, bookings, and writing the window.
 * registry_lock is never held while any of the others is taken, and none is held when the last
 * reference of a dma-buf is dropped.
 */
#ifndef _BERTH_NETMEM_AREA_H
#define _BERTH_NETMEM_AREA_H

#include <linux/completion.h>
#include <linux/dma-buf.h>
#include <linux/dma-resv.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/refcount.h>
#include <linux/workqueue.h>

#include <berth/netmem.h>

#include "window.h"

struct seq_file;

/**
 * struct berth_area - see the top of the file
 * @window: what accessors use; written under the reservation lock.
 * @dev: we hold a reference; constant.
 * @dmabuf: we hold a reference; constant.
 * @attach: our attachment; set before @set_up completes, cleared under map_lock once revoked.
 * @flags: of &enum berth_area_flags, from the first berth_area_get(); constant.
 * @id: constant.
 * @refs: references; the last one goes under registry_lock.
 * @node: in the registry or in the list of ending areas, under registry_lock.
 * @set_up: completes when the creator has finished or failed.
 * @set_up_error: valid once @set_up is complete.
 * @sgt: the mapping, NULL when unmapped; reservation lock.
 * @vmap: kernel address of the memory while @sgt is set; reservation lock.
 * @ioremapped: @vmap comes from ioremap, not from the exporter; reservation lock.
 * @tell: listeners have not been told of the last state; reservation lock.
 * @bookings: what allocators have booked through this area; reservation lock.
 * @moves: how often the exporter moved the memory; reservation lock, read without.
 * @map_lock: see above.
 * @cpu_access: dma_buf_begin_cpu_access() is owed its end; map_lock.
 * @tries: failed attempts to map again since the last move; used by @work only.
 * @work: maps again after a move and tells listeners.
 * @listen_lock: see above.
 * @listeners: under listen_lock.
 * @pools: chunk pools, for the accounts in debugfs; under pools_lock.
 * @leases: as @pools.
 * @pools_lock: protects @pools and @leases; a leaf lock.
 */
struct berth_area {
	struct berth_window window;
	struct device *dev;
	struct dma_buf *dmabuf;
	struct dma_buf_attachment *attach;
	unsigned int flags;
	u32 id;
	refcount_t refs;
	struct list_head node;
	struct completion set_up;
	int set_up_error;

	struct sg_table *sgt;
	struct iosys_map vmap;
	bool ioremapped;
	bool tell;
	struct list_head bookings;
	u32 moves;

	struct mutex map_lock;
	bool cpu_access;
	unsigned int tries;
	struct delayed_work work;

	struct mutex listen_lock;
	struct list_head listeners;

	struct list_head pools;
	struct list_head leases;
	spinlock_t pools_lock;
};

/* area.c */
struct berth_area *berth_area_hold(struct berth_area *area);
void berth_areas_show(struct seq_file *s,
		      void (*show)(struct seq_file *s, struct berth_area *area));
int berth_areas_init(void);
void berth_areas_fini(void);
void berth_area_work_queue(struct berth_area *area, unsigned long delay);

/* area_map.c */
int berth_area_attach(struct berth_area *area);
void berth_area_detach(struct berth_area *area);
/* berth_area_map(): the exporter has moved the memory meanwhile; the work is queued. */
#define AREA_MOVED	1
int berth_area_map(struct berth_area *area);
void berth_area_shut(struct berth_area *area);
bool berth_area_map_may_pass(int err);

#endif /* _BERTH_NETMEM_AREA_H */
