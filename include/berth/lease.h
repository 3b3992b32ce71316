/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Leases: chunks of memory that a NIC's receive queues are bound to, for others.
 *
 * What has been bound belongs to the core's allocator, and a NIC driver (the source) takes chunks of it for what arrives.
 * A lease is an area over the same memory: its holder takes chunks of the same source, and recognises those that a packet
 * has brought. So a byte still has one owner, the source, and a chunk one user at a time, whoever it is.
 *
 * A chunk is a page and counted by its net_iov; the last reference brings it home to the source. The holder may keep some for
 * itself, which the source asks for when it has none.
 */
#ifndef _BERTH_LEASE_H
#define _BERTH_LEASE_H

#include <linux/list.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include <net/netmem.h>

#include <berth/netmem.h>

struct berth_lease;
struct berth_source;

/**
 * struct berth_source_ops - what a source does
 * @take: take up to @n chunks, each with one reference, which is the caller's; returns how many. Bottom halves disabled.
 * @give: a chunk that nobody else has a reference of is free again. Bottom halves disabled.
 * @home: how many are free with the source; process context.
 * @find: the chunk at a DMA address, the start of a page, as berth_netmem_device() sees it; 0 when there is none. Does not
 *	change as long as the source is held.
 * @get: hold the source; false: it is ending. Does not sleep.
 * @put: let go of it; process context.
 */
struct berth_source_ops {
	u32 (*take)(struct berth_source *source, netmem_ref *chunk, u32 n);
	void (*give)(struct berth_source *source, netmem_ref chunk);
	u32 (*home)(struct berth_source *source);
	netmem_ref (*find)(struct berth_source *source, u64 address);
	bool (*get)(struct berth_source *source);
	void (*put)(struct berth_source *source);
};

/**
 * struct berth_source - memory that somebody has bound to receive queues
 * @ops: constant.
 * @total: chunks; constant.
 * @lock: protects @leases; they are read under RCU, too.
 * @leases: of its chunks.
 */
struct berth_source {
	const struct berth_source_ops *ops;
	u32 total;
	spinlock_t lock;
	struct list_head leases;
};

/**
 * berth_source_offer() - let areas over claimed memory lease its chunks
 * @claim: the claim on all of them; until it is dropped.
 * @source: filled in here; stays in place until it was let go of as often as it was held.
 * @ops: what it does.
 * @total: chunks.
 *
 * Context: process; sleeps.
 */
void berth_source_offer(struct berth_claim *claim, struct berth_source *source, const struct berth_source_ops *ops,
			u32 total);

/**
 * berth_source_short() - the source has no chunks
 * @source: the source.
 *
 * Holders of leases give back what they can spare.
 *
 * Context: bottom halves disabled, no lock held that giving chunks back takes.
 */
void berth_source_short(struct berth_source *source);

/**
 * berth_lease_create() - share the chunks of a source
 * @area: mapped to the source's memory; the lease takes its own reference.
 * @first: offset of the first chunk in the dma-buf, in bytes, a multiple of PAGE_SIZE.
 * @count: number of chunks, each a page: all that the source has.
 * @wanted: the source has none: give back what can be spared (bottom halves disabled). Not after berth_lease_destroy().
 * @owner: for @wanted.
 *
 * Context: process; sleeps. Takes the dma-buf's reservation lock.
 * Return: the lease; ERR_PTR: -EBUSY: the range is not exactly what one source has, -ENOMEM.
 */
struct berth_lease *berth_lease_create(struct berth_area *area, u64 first, u32 count, void (*wanted)(void *owner),
				       void *owner);

/**
 * berth_lease_destroy() - end of a lease
 * @lease: the lease, all of whose chunks but the kept ones were given back; NULL and ERR_PTR are ignored.
 *
 * Context: process; sleeps.
 */
void berth_lease_destroy(struct berth_lease *lease);

/* What follows: bottom halves disabled. */

/**
 * berth_lease_draw() - take chunks of the source to keep
 * @lease: the lease.
 * @n: how many, at most.
 *
 * Return: how many are kept more than before.
 */
u32 berth_lease_draw(struct berth_lease *lease, u32 n);

/**
 * berth_lease_take() - take a chunk that is kept
 * @lease: the lease.
 *
 * Return: it; the empty handle when none is kept.
 */
struct berth_netmem berth_lease_take(struct berth_lease *lease);

/**
 * berth_lease_adopt() - take a chunk that a packet has brought
 * @lease: the lease.
 * @chunk: whoever calls has a reference, and keeps it; of any memory.
 * @index: receives its number.
 *
 * Return: the handle, with a reference more; the empty handle when it is not of this lease.
 */
struct berth_netmem berth_lease_adopt(struct berth_lease *lease, netmem_ref chunk, u32 *index);

/**
 * berth_lease_keep() - give a chunk back, to be taken again
 * @lease: the lease.
 * @nm: the chunk.
 *
 * Return: false: somebody else has it too, so nothing was done.
 */
bool berth_lease_keep(struct berth_lease *lease, struct berth_netmem nm);

/**
 * berth_lease_home() - give a chunk back to the source
 * @lease: the lease.
 * @nm: the chunk.
 */
void berth_lease_home(struct berth_lease *lease, struct berth_netmem nm);

/**
 * berth_lease_out() - chunks that the holder has
 * @lease: the lease.
 *
 * Return: how many, without those that are kept.
 */
u32 berth_lease_out(const struct berth_lease *lease);

/**
 * berth_lease_index() - number of a chunk in its lease, for tokens
 * @lease: the lease.
 * @nm: a chunk of it.
 *
 * Return: 0 to count - 1.
 */
u32 berth_lease_index(const struct berth_lease *lease, struct berth_netmem nm);

/**
 * berth_lease_by_index() - the handle behind a token
 * @lease: the lease.
 * @index: less than count. The caller knows that it has the chunk.
 *
 * Return: the handle.
 */
struct berth_netmem berth_lease_by_index(const struct berth_lease *lease, u32 index);

#endif /* _BERTH_LEASE_H */
