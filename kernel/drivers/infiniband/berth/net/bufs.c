// SPDX-License-Identifier: GPL-2.0
/*
 * Buffers of packets that are used again: each CPU keeps some, with a reference of its own. Whoever has
 * the packet (a queue, a device that sends it, a sniffer, a socket) holds another one. When ours is the
 * only one left nobody reads the bytes any more and nobody can come to, as a reference is taken from one who has one:
 * the buffer may be written again. One that is still out is passed over; where all are, a new one takes the place of
 * one of them, so that who holds buffers for long (an idle TCP connection its last) does not use up what is kept.
 *
 * What a buffer had before stays in it: whoever takes one writes every byte that it sends.
 *
 * A CPU that sends keeps at most BUFS_KEPT buffers of each size, 640 KiB with pages of 4 KiB, until the
 * module goes. The large ones together hold what one queue pair may have in flight (rc/flight.h).
 *
 * Context: berth_buf_get() with bottom halves disabled, which is what protects a CPU's buffers.
 */
#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/percpu.h>
#include "bufs.h"

#define BUFS_KEPT	16

struct bufs {
	struct page *kept[BUFS_KEPT];	/* filled from the front */
	u32 next;			/* to be replaced when all are out */
};

static DEFINE_PER_CPU(struct bufs, large);
static DEFINE_PER_CPU(struct bufs, small);

/* Memory from the reserves is to be given back soon, and that of another node is slow. */
static bool worth_keeping(const struct page *page)
{
	return !page_is_pfmemalloc(page) && page_to_nid(page) == numa_mem_id();
}

/* Also ours from now on. @free: the first place that is empty, BUFS_KEPT: none is. */
static void keep(struct bufs *bufs, u32 free, struct page *page)
{
	if (free == BUFS_KEPT) {
		free = bufs->next++ % BUFS_KEPT;
		put_page(bufs->kept[free]);
	}
	get_page(page);
	bufs->kept[free] = page;
}

/**
 * berth_buf_get - memory for packets
 * @order: BERTH_BUF_ORDER or BERTH_BUF_ORDER_MIN
 *
 * Context: bottom halves disabled.
 * Return: a compound page with a reference for the caller, its contents of no meaning; or NULL.
 */
struct page *berth_buf_get(u32 order)
{
	struct bufs *bufs = this_cpu_ptr(order == BERTH_BUF_ORDER ? &large : &small);
	struct page *page;
	u32 i;

	/* The first that is free: most likely it is still in the cache. */
	for (i = 0; i < BUFS_KEPT && bufs->kept[i]; i++) {
		page = bufs->kept[i];
		if (page_ref_count(page) == 1) {
			/* What we write comes after what was read before the other reference was dropped. */
			smp_acquire__after_ctrl_dep();
			get_page(page);
			return page;
		}
	}
	page = alloc_pages(GFP_ATOMIC | __GFP_COMP | __GFP_NOWARN | __GFP_NORETRY, order);
	if (page && worth_keeping(page))
		keep(bufs, i, page);
	return page;
}

static void drop(struct bufs *bufs)
{
	u32 i;

	for (i = 0; i < BUFS_KEPT && bufs->kept[i]; i++) {
		put_page(bufs->kept[i]);
		bufs->kept[i] = NULL;
	}
}

/**
 * berth_bufs_fini - give back what is kept; packets that are still out keep theirs
 *
 * Context: module unload, when nobody sends any more.
 */
void berth_bufs_fini(void)
{
	int cpu;

	for_each_possible_cpu(cpu) {
		drop(per_cpu_ptr(&large, cpu));
		drop(per_cpu_ptr(&small, cpu));
	}
}
