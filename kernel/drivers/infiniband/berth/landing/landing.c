// SPDX-License-Identifier: GPL-2.0
/*
 * Resolving keys to segments, and moving bytes between segments, skbs and kernel buffers.
 *
 * Context: bottom halves disabled (softirq, or a spinlock taken with _bh), which is the RCU
 * read-side section that keeps MRs and windows alive.
 *
 * Errors: -EACCES key, PD, right or bounds; -EKEYREVOKED the memory is gone for good; -EAGAIN it is
 * being moved or paged in, try later. Anything but 0 from a resolve has touched no memory.
 */
#include <berth/netmem.h>
#include "landing.h"
#include "../obj/mr.h"
#include "../obj/mw.h"
#include "../stats.h"
#include "../trace.h"

/* A window that is not ready must not be found out in the middle of a message. */
static int window_ready(const struct berth_window *window)
{
	switch (berth_window_state(window)) {
	case BERTH_WINDOW_READY:
		return 0;
	case BERTH_WINDOW_MOVING:
		return -EAGAIN;
	default:
		return -EKEYREVOKED;
	}
}

/* Null memory has no end, grants what lists need, and nothing to peers. */
static bool is_null_memory(u32 key, int access)
{
	return key == BERTH_KEY_NULL && !(access & ~IB_ACCESS_LOCAL_WRITE);
}

/* berth_landing_range() with the MR that has the key's index. */
static __always_inline int range_in(const struct berth_mr *mr, const struct ib_pd *pd, u32 rkey, u64 addr,
				    u32 length, int access, struct berth_seg *seg)
{
	u64 start, offset;

	if (!berth_mr_has_key(mr, rkey, &start) || mr->ib.pd != pd ||
	    !berth_mr_covers(mr, addr, length, access, &offset))
		return -EACCES;
	seg->window = mr->window;
	seg->offset = start + offset;
	seg->length = length;
	seg->device_memory = mr->device_memory;
	seg->paged = mr->paged;
	return window_ready(mr->window);
}

/* berth_landing_range() of an MR that is not the last one. Out of line: the fast path needs no stack. */
static noinline int range_found(struct berth_keys *keys, const struct ib_pd *pd, u32 rkey, u64 addr,
				u32 length, int access, struct berth_seg *seg)
{
	const struct berth_mr *mr;

	if (!length) {
		*seg = (struct berth_seg){};
		return 0;
	}
	mr = berth_mr_look_up(keys, rkey >> BERTH_KEY_VARIANT_BITS);
	if (mr)
		return range_in(mr, pd, rkey, addr, length, access, seg);
	if (!is_null_memory(rkey, access))
		return -EACCES;
	*seg = (struct berth_seg){ .length = length };
	return 0;
}

/**
 * berth_landing_range - the segment that a key and an address name
 * @keys: of the side of a QP that looks them up, whose lock is held
 * @pd: protection domain that the MR must belong to
 * @rkey: lkey or rkey
 * @addr: first byte, in the MR's own addresses
 * @length: bytes; with 0 the key is not looked at (IBTA 9.6.3.1, o9-xx: zero-length operations)
 * @access: enum ib_access_flags that the MR must grant
 * @seg: receives the segment
 *
 * Context: RCU read side. Return: 0, -EACCES, -EAGAIN, -EKEYREVOKED.
 */
int berth_landing_range(struct berth_keys *keys, const struct ib_pd *pd, u32 rkey, u64 addr,
			u32 length, int access, struct berth_seg *seg)
{
	const struct berth_mr *mr = berth_mr_remembered(keys, rkey >> BERTH_KEY_VARIANT_BITS);

	if (likely(mr && length))
		return range_in(mr, pd, rkey, addr, length, access, seg);
	return range_found(keys, pd, rkey, addr, length, access, seg);
}

/* berth_landing_remote() by a memory window's key. */
int berth_landing_by_window(struct berth_keys *keys, const struct ib_pd *pd, u32 qpn, u32 rkey, u64 addr,
			    u32 length, int access, struct berth_seg *seg)
{
	const struct berth_mw_binding *binding;
	const struct berth_mr *mr;

	binding = berth_mw_find(keys->dev, pd, qpn, rkey);
	if (!binding || !berth_mw_covers(binding, addr, length, access))
		return -EACCES;
	mr = binding->mr;
	if (!READ_ONCE(mr->valid))
		return -EACCES;
	seg->window = mr->window;
	seg->offset = binding->offset + (addr - binding->first);
	seg->length = length;
	seg->device_memory = mr->device_memory;
	seg->paged = mr->paged;
	return window_ready(mr->window);
}

/**
 * berth_landing_denial - why berth_landing_remote() has refused
 * @dev: as there
 * @pd: as there
 * @qpn: as there
 * @rkey: as there
 * @addr: as there
 * @length: as there
 *
 * Context: RCU read side. Return: the reason, by what the key stands for now.
 */
enum berth_denial berth_landing_denial(struct berth_dev *dev, const struct ib_pd *pd, u32 qpn, u32 rkey,
				       u64 addr, u32 length)
{
	const struct berth_mw_binding *binding;
	const struct berth_mr *mr;
	u64 offset;
	bool inside;

	if (berth_key_is_window(rkey)) {
		binding = berth_mw_find(dev, pd, qpn, rkey);
		if (!binding)
			return BERTH_DENIED_KEY;
		inside = berth_mw_covers(binding, addr, length, 0);
	} else {
		mr = berth_mr_find(dev, rkey);
		if (!mr)
			return BERTH_DENIED_KEY;
		if (mr->ib.pd != pd)
			return BERTH_DENIED_DOMAIN;
		inside = berth_mr_covers(mr, addr, length, 0, &offset);
	}
	return inside ? BERTH_DENIED_RIGHT : BERTH_DENIED_BOUNDS;
}

/* berth_landing_resolve() of what is not in one piece. */
int berth_landing_resolve_list(struct berth_keys *keys, const struct ib_pd *pd,
			       const struct berth_sge *sge, u32 count, u32 need, int access,
			       struct berth_seg *seg)
{
	u32 i;
	int ret;

	for (i = 0; i < count && need; i++) {
		u32 n = min(sge[i].length, need);

		ret = berth_landing_range(keys, pd, sge[i].lkey, sge[i].addr, n, access, &seg[i]);
		if (ret)
			return ret;
		seg->paged |= seg[i].paged;
		need -= n;
	}
	return need ? -ERANGE : i;
}

/* A place in a segment list. */
struct place {
	const struct berth_seg *seg;
	const struct berth_seg *end;
	u32 offset;		/* in *seg */
};

/* Skips empty and finished segments; false at the end of the list. */
static bool place_settle(struct place *p)
{
	while (p->seg < p->end && p->offset >= p->seg->length) {
		p->offset -= p->seg->length;
		p->seg++;
	}
	return p->seg < p->end;
}

static struct place place_at(struct berth_segs segs, u32 offset)
{
	return (struct place){ segs.seg, segs.seg + segs.count, offset };
}

static u32 place_left(const struct place *p)
{
	return p->seg->length - p->offset;
}

static int place_read(const struct place *p, void *dst, u32 n)
{
	if (!p->seg->window) {
		if (p->seg->bytes)
			memcpy(dst, p->seg->bytes + p->offset, n);
		else
			memset(dst, 0, n);
		return 0;
	}
	return berth_window_read(p->seg->window, p->seg->offset + p->offset, dst, n);
}

static int place_write(const struct place *p, const void *src, u32 n)
{
	if (unlikely(!p->seg->window))
		return 0;	/* null memory */
	return berth_window_write(p->seg->window, p->seg->offset + p->offset, src, n);
}

/* From null memory. */
static int place_zero(const struct place *p, u32 n)
{
	static const u8 zeroes[1024];
	u32 done, part;
	int ret;

	for (done = 0; done < n; done += part) {
		part = min_t(u32, n - done, sizeof(zeroes));
		ret = berth_window_write(p->seg->window, p->seg->offset + p->offset + done, zeroes,
					 part);
		if (ret)
			return ret;
	}
	return 0;
}

static int place_copy(const struct place *d, const struct place *s, u32 n)
{
	if (unlikely(!d->seg->window))
		return 0;	/* null memory */
	if (s->seg->window)
		return berth_window_copy(d->seg->window, d->seg->offset + d->offset,
					 s->seg->window, s->seg->offset + s->offset, n);
	if (s->seg->bytes)
		return place_write(d, s->seg->bytes + s->offset, n);
	return place_zero(d, n);
}

/*
 * Memory is absent: have all that is left of the list brought, so that one wait is enough. Returns
 * what the access fails with.
 */
static int place_missed(const struct place *p, bool write)
{
	struct place at = *p;
	int ret;

	for (; at.seg < at.end; at.seg++, at.offset = 0) {
		if (!at.seg->window || at.offset >= at.seg->length)
			continue;
		ret = berth_window_prepare(at.seg->window, at.seg->offset + at.offset,
					   place_left(&at), write);
		if (ret && ret != -EAGAIN)
			return ret;
	}
	return -EAGAIN;
}

static int copy_missed(const struct place *d, const struct place *s)
{
	int ret = place_missed(d, true);

	return ret == -EAGAIN ? place_missed(s, false) : ret;
}

static void count_landed(struct berth_dev *dev, const struct berth_seg *seg, u32 n)
{
	if (unlikely(!seg->window))
		return;	/* null memory */
	if (seg->device_memory)
		berth_count_add(dev, BERTH_CNT_DEVICE_BYTES, n);
	else
		berth_count_add(dev, BERTH_CNT_HOST_BYTES, n);
}

/**
 * berth_landing_fetch - berth_landing_prepare() of a list that is paged on demand in part
 * @segs: segments
 * @offset: where to begin in the list
 * @length: bytes; the list holds them
 * @write: they will be written
 *
 * Context: RCU read side. Return: 0, -EAGAIN, -EKEYREVOKED.
 */
int berth_landing_fetch(struct berth_segs segs, u32 offset, u32 length, bool write)
{
	struct place p = place_at(segs, offset);
	int ret;

	while (length && place_settle(&p)) {
		u32 n = min(length, place_left(&p));

		ret = p.seg->window ? berth_window_prepare(p.seg->window, p.seg->offset + p.offset,
							   n, write) : 0;
		if (ret)
			return ret == -EAGAIN ? place_missed(&p, write) : ret;
		p.offset += n;
		length -= n;
	}
	return 0;
}

/**
 * berth_landing_ahead - memory that is paged on demand may be needed soon
 * @segs: segments that may be written
 * @offset: from where on in the list
 *
 * Context: RCU read side.
 */
void berth_landing_ahead(struct berth_segs segs, u32 offset)
{
	struct place p = place_at(segs, offset);

	for (; place_settle(&p); p.offset += place_left(&p))
		if (p.seg->window)
			berth_window_prefetch(p.seg->window, p.seg->offset + p.offset, place_left(&p),
					      BERTH_PAGING_WRITE, false);
}

/* berth_landing_gather() from what is in pieces, or is not there. */
static noinline int gather_list(void *dst, struct berth_segs src, u32 offset, u32 length)
{
	struct place p = place_at(src, offset);
	int ret;

	while (length) {
		u32 n;

		if (!place_settle(&p))
			return -ERANGE;
		n = min(length, place_left(&p));
		ret = place_read(&p, dst, n);
		if (unlikely(ret))
			return ret == -EAGAIN ? place_missed(&p, false) : ret;
		dst += n;
		p.offset += n;
		length -= n;
	}
	return 0;
}

/* Most accesses are: within the first segment of a list, which has a window. */
static bool in_first(const struct berth_segs *segs, u32 offset, u32 length)
{
	const struct berth_seg *seg = segs->seg;

	return segs->count && length && seg->window && offset < seg->length && length <= seg->length - offset;
}

/**
 * berth_landing_gather - copy from segments into a kernel buffer
 * @dst: buffer of @length bytes
 * @src: segments
 * @offset: where to begin in the list
 * @length: bytes; the list must hold them
 *
 * Context: RCU read side. Return: 0, -EAGAIN, -EKEYREVOKED; -ERANGE: the list is too short.
 */
int berth_landing_gather(void *dst, struct berth_segs src, u32 offset, u32 length)
{
	if (likely(in_first(&src, offset, length)) &&
	    likely(!berth_window_read(src.seg->window, src.seg->offset + offset, dst, length)))
		return 0;
	return gather_list(dst, src, offset, length);
}

/**
 * berth_landing_bvec - the pages behind a place in a list, to send them by reference
 * @src: segments
 * @offset: where in the list
 * @len: bytes wanted, which the list must hold; those of one segment are given at a time
 * @vec: receives pieces, with references
 * @room: how many of them
 *
 * Context: RCU read side. Return: how many pieces; 0: this memory is not known as pages: copy it.
 */
u32 berth_landing_bvec(struct berth_segs src, u32 offset, u32 len, struct bio_vec *vec, u32 room)
{
	struct place p = place_at(src, offset);

	if (!place_settle(&p) || !p.seg->window)
		return 0;
	return berth_window_bvec(p.seg->window, p.seg->offset + p.offset, min(len, place_left(&p)), vec, room);
}

/* Writes and counts what such an access brings; false: it is another one, or its memory is not there. */
static __always_inline bool write_first(struct berth_dev *dev, const struct berth_segs *segs, u32 offset,
					const void *src, u32 length)
{
	if (unlikely(!in_first(segs, offset, length)) ||
	    unlikely(berth_window_write(segs->seg->window, segs->seg->offset + offset, src, length)))
		return false;
	count_landed(dev, segs->seg, length);
	return true;
}

/* berth_landing_scatter() to what is in pieces, or is not there. */
static noinline int scatter_list(struct berth_dev *dev, struct berth_segs dst, u32 offset,
				 const void *src, u32 length)
{
	struct place p = place_at(dst, offset);
	int ret;

	while (length) {
		u32 n;

		if (!place_settle(&p))
			return -ERANGE;
		n = min(length, place_left(&p));
		ret = place_write(&p, src, n);
		if (unlikely(ret))
			return ret == -EAGAIN ? place_missed(&p, true) : ret;
		count_landed(dev, p.seg, n);
		src += n;
		p.offset += n;
		length -= n;
	}
	return 0;
}

/**
 * berth_landing_scatter - copy from a kernel buffer into segments
 * @dev: for counters
 * @dst: segments
 * @offset: where to begin in the list
 * @src: buffer of @length bytes
 * @length: bytes; the list must hold them
 *
 * Context: RCU read side. Return: 0, -EAGAIN, -EKEYREVOKED; -ERANGE: the list is too short.
 */
int berth_landing_scatter(struct berth_dev *dev, struct berth_segs dst, u32 offset,
			  const void *src, u32 length)
{
	if (likely(write_first(dev, &dst, offset, src, length)))
		return 0;
	return scatter_list(dev, dst, offset, src, length);
}

/**
 * berth_landing_atomic - read, modify and write a 64-bit word
 * @word: one segment of 8 bytes
 * @op: what to do
 * @operand: see berth_window_atomic64()
 * @compare: see there
 * @old: receives the value before
 *
 * Context: RCU read side. Return: 0, -EAGAIN, -EKEYREVOKED; -EINVAL: misaligned in memory.
 */
int berth_landing_atomic(struct berth_segs word, enum berth_atomic_op op, u64 operand, u64 compare,
			 u64 *old)
{
	const struct place p = place_at(word, 0);
	int ret;

	ret = berth_window_atomic64(word.seg->window, word.seg->offset, op, operand, compare, old);
	return ret == -EAGAIN ? place_missed(&p, true) : ret;
}

/**
 * berth_landing_store64 - write a 64-bit word at once
 * @dev: for counters
 * @word: one segment of 8 bytes
 * @value: its bytes as they shall lie in memory
 *
 * Context: RCU read side. Return: 0, -EAGAIN, -EKEYREVOKED; -EINVAL: misaligned in memory.
 */
int berth_landing_store64(struct berth_dev *dev, struct berth_segs word, u64 value)
{
	const struct place p = place_at(word, 0);
	int ret;

	ret = berth_window_store64(word.seg->window, word.seg->offset, value);
	if (!ret)
		count_landed(dev, p.seg, sizeof(value));
	return ret == -EAGAIN ? place_missed(&p, true) : ret;
}

/* berth_landing_from_skb() of what is in pieces, or to what is, or is not there. */
static noinline int from_skb_list(struct berth_dev *dev, struct berth_segs dst, u32 offset,
				  struct berth_cursor *src, u32 length)
{
	struct place p = place_at(dst, offset);
	int ret;

	while (length) {
		const void *bytes;
		u32 n;

		bytes = berth_cursor_span(src, &n);
		if (!bytes)
			return -EFAULT;
		if (!place_settle(&p))
			return -ERANGE;
		n = min3(length, n, place_left(&p));
		ret = place_write(&p, bytes, n);
		if (unlikely(ret))
			return ret == -EAGAIN ? place_missed(&p, true) : ret;
		count_landed(dev, p.seg, n);
		ret = berth_cursor_skip(src, n);
		if (ret)
			return ret;
		p.offset += n;
		length -= n;
	}
	return 0;
}

/**
 * berth_landing_from_skb - copy payload of a packet into segments
 * @dev: for counters
 * @dst: segments
 * @offset: where to begin in the list
 * @src: cursor at the payload; stands behind it afterwards
 * @length: bytes; the list must hold them
 *
 * Context: RCU read side. Return: 0, -EAGAIN, -EKEYREVOKED, -ERANGE; -EFAULT: the packet's bytes
 * cannot be read.
 */
int berth_landing_from_skb(struct berth_dev *dev, struct berth_segs dst, u32 offset,
			   struct berth_cursor *src, u32 length)
{
	const void *bytes;
	u32 n;

	trace_berth_landing(dev, length, false);
	bytes = berth_cursor_span(src, &n);
	if (likely(bytes && length <= n && write_first(dev, &dst, offset, bytes, length)))
		return berth_cursor_skip(src, length);
	return from_skb_list(dev, dst, offset, src, length);
}

/* berth_landing_copy() of what is in pieces, or is not there. */
static noinline int copy_list(struct berth_dev *dev, const struct berth_segs *dst,
			      const struct berth_segs *src, u32 offset, u32 length)
{
	struct place d = place_at(*dst, offset);
	struct place s = place_at(*src, offset);
	int ret;

	berth_count_add(dev, BERTH_CNT_LOCAL_BYTES, length);
	while (length) {
		u32 n;

		if (!place_settle(&d) || !place_settle(&s))
			return -ERANGE;
		n = min3(length, place_left(&d), place_left(&s));
		ret = place_copy(&d, &s, n);
		if (unlikely(ret))
			return ret == -EAGAIN ? copy_missed(&d, &s) : ret;
		count_landed(dev, d.seg, n);
		d.offset += n;
		s.offset += n;
		length -= n;
	}
	return 0;
}

/**
 * berth_landing_copy - copy from segments to segments, once
 * @dev: for counters
 * @dst: destination segments; none of them inline
 * @src: source segments
 * @offset: where to begin in both
 * @length: bytes; both lists must hold them
 *
 * Context: RCU read side. Return: 0, -EAGAIN, -EKEYREVOKED, -ERANGE.
 */
int berth_landing_copy(struct berth_dev *dev, const struct berth_segs *dst, const struct berth_segs *src,
		       u32 offset, u32 length)
{
	const struct berth_seg *d = dst->seg, *s = src->seg;
	int ret;

	trace_berth_landing(dev, length, true);
	/* Most messages are in one piece on both sides. */
	if (unlikely(dst->count != 1 || src->count != 1 || !d->window || !s->window))
		return copy_list(dev, dst, src, offset, length);
	ret = berth_window_copy(d->window, d->offset + offset, s->window, s->offset + offset, length);
	if (unlikely(ret))
		return copy_list(dev, dst, src, offset, length);
	berth_count_add(dev, BERTH_CNT_LOCAL_BYTES, length);
	count_landed(dev, d, length);
	return 0;
}
