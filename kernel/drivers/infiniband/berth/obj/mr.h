/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Memory regions: user pages (pinned, or paged on demand), dma-bufs and the kernel's direct map, all
 * behind a berth_window.
 *
 * Published in berth_dev.mrs; looked up under RCU (rcu_read_lock or bottom halves disabled) by key.
 * Deregistration unpublishes, waits a grace period, then releases the memory, so whoever found an
 * MR may use it until the end of its RCU section and no longer.
 */
#ifndef BERTH_OBJ_MR_H
#define BERTH_OBJ_MR_H

#include <rdma/ib_verbs.h>
#include <rdma/ib_umem.h>
#include <berth/netmem.h>
#include "../dev.h"
#include "keys.h"

struct sk_buff;

/* A key: an index, a variant, and on top whether it is a memory window's (mw.h). */
#define BERTH_KEY_VARIANT_BITS	8
#define BERTH_KEY_INDEX_BITS	23
#define BERTH_KEY_WINDOW	(1U << 31)

struct berth_mr {
	struct ib_mr ib;		/* pd; its iova and length are the consumer's */
	u32 key;			/* index << 8 | variant; never 0 */
	int access;			/* enum ib_access_flags, optional ones removed */
	u64 iova;			/* address of the first byte */
	u64 length;
	bool valid;			/* false after invalidation: no access; READ_ONCE */
	bool device_memory;		/* a dma-buf: counted apart */
	bool paged;			/* on demand (mr_odp.c) */
	struct berth_window *window;
	u64 window_offset;		/* of iova in the window */
	atomic_t bound;			/* memory windows bound to it; -1: none may be (mw.c) */
	struct ib_umem *umem;		/* user pages, else NULL */
	struct berth_area *area;	/* dma-buf, else NULL */
	struct berth_mr_fast *fast;	/* registered by work requests (mr_fast.c), else NULL */
};

static inline struct berth_mr *berth_mr(struct ib_mr *ib)
{
	return container_of(ib, struct berth_mr, ib);
}

/* Keep memory windows from being bound from now on. False: some are. */
static inline bool berth_mr_close(struct berth_mr *mr)
{
	return !atomic_cmpxchg(&mr->bound, 0, -1);
}

static inline void berth_mr_open(struct berth_mr *mr)
{
	atomic_set(&mr->bound, 0);
}

/* An lkey that stands for null memory in any domain: its index is never given to an MR. */
#define BERTH_KEY_NULL	0xffU
static_assert(!(BERTH_KEY_NULL >> BERTH_KEY_VARIANT_BITS));

/**
 * berth_mr_find - the MR of a key
 * Context: RCU reader. Return: the MR, or NULL when no valid MR has exactly this key.
 */
static inline struct berth_mr *berth_mr_find(struct berth_dev *dev, u32 key)
{
	struct berth_mr *mr = xa_load(&dev->mrs, key >> 8);

	/* Acquire: whoever sees a new registration valid sees all of it. */
	return mr && READ_ONCE(mr->key) == key && smp_load_acquire(&mr->valid) ? mr : NULL;
}

struct berth_mr *berth_mr_look_up(struct berth_keys *keys, u32 index);

/* The MR of the last lookup where it was this one and is still there. */
static inline struct berth_mr *berth_mr_remembered(const struct berth_keys *keys, u32 index)
{
	struct berth_mr *mr = keys->last;

	return likely(mr && keys->index == index && keys->lost == atomic64_read(&keys->dev->mrs_lost)) ? mr : NULL;
}

/**
 * berth_mr_has_key - whether an MR is valid and has a key, and where in the window it begins
 * @mr: an MR that has the key's index
 * @key: of the MR
 * @offset: receives where it begins
 *
 * Both belong together also while fast registration changes the MR, see mr_fast.c: the offset is
 * loaded first.
 *
 * Context: RCU reader. Return: false: the key is of no valid MR.
 */
static inline bool berth_mr_has_key(const struct berth_mr *mr, u32 key, u64 *offset)
{
	/* Acquire: pairs with the barrier in mr_fast.c. */
	*offset = smp_load_acquire(&mr->window_offset);
	/* Acquire: as in berth_mr_find(). */
	return READ_ONCE(mr->key) == key && smp_load_acquire(&mr->valid);
}

/**
 * berth_mr_covers - whether [addr, addr + len) lies in the MR and every right in access is granted
 * @mr: the MR
 * @addr: first byte
 * @len: bytes
 * @access: enum ib_access_flags
 * @offset: receives where in the MR @addr is
 *
 * iova and length are read once: @offset is within the length whatever fast registration does
 * meanwhile.
 * The sum never wraps: len is at most 2^32 - 1 and the offset is compared first.
 */
static inline bool berth_mr_covers(const struct berth_mr *mr, u64 addr, u64 len, int access,
				   u64 *offset)
{
	u64 iova = READ_ONCE(mr->iova);
	u64 length = READ_ONCE(mr->length);

	*offset = addr - iova;
	return (READ_ONCE(mr->access) & access) == access && addr >= iova &&
	       *offset <= length && len <= length - *offset;
}

struct ib_mr *berth_mr_get_dma(struct ib_pd *pd, int access);
struct ib_mr *berth_mr_reg_user(struct ib_pd *pd, u64 start, u64 length, u64 iova, int access,
				struct ib_udata *udata);
int berth_mr_dereg(struct ib_mr *ib, struct ib_udata *udata);
int berth_mr_invalidate(struct berth_dev *dev, struct ib_pd *pd, u32 rkey, bool by_peer);
int berth_mr_fill_res(struct sk_buff *msg, struct ib_mr *ib);

/* For makers of MRs: allocate, fill in the memory, publish; destroy accepts a half-built one. */
int berth_mr_check_access(int access);
struct berth_mr *berth_mr_alloc(struct ib_pd *pd, u64 iova, u64 length, int access);
void berth_mr_publish(struct berth_mr *mr);
void berth_mr_publish_closed(struct berth_mr *mr);
void berth_mr_destroy(struct berth_mr *mr);

struct berth_window *berth_mr_umem_window(struct ib_umem *umem);

/* mr_odp.c */
void berth_mr_odp_caps(struct ib_device_attr *attr);
struct ib_mr *berth_mr_reg_odp(struct ib_pd *pd, u64 start, u64 length, u64 iova, int access);
int berth_mr_advise(struct ib_pd *pd, enum ib_uverbs_advise_mr_advice advice, u32 flags,
		    struct ib_sge *sge, u32 count, struct uverbs_attr_bundle *attrs);

/* mr_rereg.c */
struct ib_mr *berth_mr_rereg(struct ib_mr *ib, int flags, u64 start, u64 length, u64 iova,
			     int access, struct ib_pd *pd, struct ib_udata *udata);

/* mr_dmabuf.c */
struct ib_mr *berth_mr_reg_dmabuf(struct ib_pd *pd, u64 offset, u64 length, u64 iova, int fd,
				  int access, struct uverbs_attr_bundle *attrs);

#endif
