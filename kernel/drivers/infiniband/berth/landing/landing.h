/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Landing: the only code that touches payload bytes.
 *
 * Both ends of a transfer are lists of segments: pieces of windows (MRs) that berth_landing_resolve()
 * or berth_landing_range() made from keys and addresses after checking key, PD, rights and bounds of
 * all of them, so that a refused transfer has touched nothing. Bytes are then moved once.
 *
 * Null memory (BERTH_KEY_NULL) has no MR: it reads as zeroes and takes what is written without
 * keeping it.
 *
 * Memory that is paged on demand may be absent at any time: -EAGAIN then, and all that the list still
 * needs of it is on its way.
 *
 * Segments point into MRs: they are valid only within the RCU read-side section (bottom halves
 * disabled) in which they were resolved, and are resolved again for the next piece of a message.
 */
#ifndef BERTH_LANDING_H
#define BERTH_LANDING_H

#include <rdma/ib_verbs.h>
#include <berth/netmem.h>
#include <rdma/berth-abi.h>
#include "../dev.h"
#include "../obj/mw.h"
#include "../wire/cursor.h"

struct berth_seg {
	struct berth_window *window;	/* NULL: @bytes */
	union {
		u64 offset;		/* in window */
		const u8 *bytes;	/* inline payload, only as a source; NULL: null memory */
	};
	u32 length;
	bool device_memory;
	bool paged;			/* on demand; of a list's first: some of the list are */
};

struct berth_segs {
	const struct berth_seg *seg;
	u32 count;
};

int berth_landing_resolve_list(struct berth_keys *keys, const struct ib_pd *pd,
			       const struct berth_sge *sge, u32 count, u32 need, int access,
			       struct berth_seg *seg);
int berth_landing_range(struct berth_keys *keys, const struct ib_pd *pd, u32 rkey, u64 addr,
			u32 length, int access, struct berth_seg *seg);

int berth_landing_by_window(struct berth_keys *keys, const struct ib_pd *pd, u32 qpn, u32 rkey, u64 addr,
			    u32 length, int access, struct berth_seg *seg);

/**
 * berth_landing_remote - the segment that a peer names, by an MR's key or a memory window's
 * @keys: of the side of a QP that looks them up, whose lock is held
 * @pd: protection domain of the QP that the peer is connected to
 * @qpn: that QP
 * @rkey: key
 * @addr: first byte
 * @length: bytes; with 0 the key is not looked at
 * @access: enum ib_access_flags that the MR or the window must grant
 * @seg: receives the segment
 *
 * Context: RCU read side. Return: as berth_landing_range().
 */
static inline int berth_landing_remote(struct berth_keys *keys, const struct ib_pd *pd, u32 qpn, u32 rkey,
				       u64 addr, u32 length, int access, struct berth_seg *seg)
{
	if (likely(!berth_key_is_window(rkey)) || !length)
		return berth_landing_range(keys, pd, rkey, addr, length, access, seg);
	return berth_landing_by_window(keys, pd, qpn, rkey, addr, length, access, seg);
}

/* Why a peer may not have what it named. */
enum berth_denial {
	BERTH_DENIED_KEY,	/* there is no such key */
	BERTH_DENIED_DOMAIN,	/* it is of another protection domain */
	BERTH_DENIED_BOUNDS,
	BERTH_DENIED_RIGHT,	/* or the memory is gone */
};

enum berth_denial berth_landing_denial(struct berth_dev *dev, const struct ib_pd *pd, u32 qpn, u32 rkey,
				       u64 addr, u32 length);

int berth_landing_fetch(struct berth_segs segs, u32 offset, u32 length, bool write);
void berth_landing_ahead(struct berth_segs segs, u32 offset);
int berth_landing_gather(void *dst, struct berth_segs src, u32 offset, u32 length);
u32 berth_landing_bvec(struct berth_segs src, u32 offset, u32 len, struct bio_vec *vec, u32 room);
int berth_landing_scatter(struct berth_dev *dev, struct berth_segs dst, u32 offset,
			  const void *src, u32 length);
int berth_landing_atomic(struct berth_segs word, enum berth_atomic_op op, u64 operand, u64 compare,
			 u64 *old);
int berth_landing_store64(struct berth_dev *dev, struct berth_segs word, u64 value);
int berth_landing_from_skb(struct berth_dev *dev, struct berth_segs dst, u32 offset,
			   struct berth_cursor *src, u32 length);
int berth_landing_copy(struct berth_dev *dev, const struct berth_segs *dst, const struct berth_segs *src,
		       u32 offset, u32 length);

/**
 * berth_landing_resolve - segments of a scatter/gather list
 * @keys: of the side of a QP that looks them up, whose lock is held
 * @pd: protection domain of the QP
 * @sge: private copy of the list
 * @count: entries
 * @need: bytes of the list that will be used; entries behind them are not looked at
 * @access: rights every entry needs (IB_ACCESS_LOCAL_WRITE for receives, 0 for sends)
 * @seg: receives up to @count segments, @need bytes together
 *
 * Context: RCU read side. Return: the number of segments, or the first error of the list as of
 * berth_landing_range(); -ERANGE: the list is shorter than @need.
 */
static inline int berth_landing_resolve(struct berth_keys *keys, const struct ib_pd *pd,
					const struct berth_sge *sge, u32 count, u32 need, int access,
					struct berth_seg *seg)
{
	/* Most messages are in one piece. */
	if (likely(count == 1 && need && need <= sge->length))
		return berth_landing_range(keys, pd, sge->lkey, sge->addr, need, access, seg) ?: 1;
	return berth_landing_resolve_list(keys, pd, sge, count, need, access, seg);
}

/**
 * berth_landing_prepare - see that memory that is paged on demand is there
 * @segs: segments
 * @offset: where to begin in the list
 * @length: bytes; the list holds them
 * @write: they will be written
 *
 * For who must not find out in the middle. It may still go before the access.
 *
 * Context: RCU read side. Return: 0, -EAGAIN, -EKEYREVOKED.
 */
static inline int berth_landing_prepare(struct berth_segs segs, u32 offset, u32 length, bool write)
{
	if (likely(!segs.count || !segs.seg->paged))
		return 0;
	return berth_landing_fetch(segs, offset, length, write);
}

#endif
