// SPDX-License-Identifier: GPL-2.0
/*
 * Access to payload bytes: copies, atomics and addresses within a window.
 *
 * Everything here runs inside an RCU read-side section of the caller, usually with bottom halves
 * disabled, and never sleeps. A window's map is loaded once per access; what it points at stays
 * mapped until the caller's section ends. No function knows whether a dma-buf or pages are behind
 * it: iosys_map says whether ordinary loads and stores are allowed, and I/O memory is only touched
 * by I/O accessors.
 *
 * Locks: none, but io_atomic_lock, which makes read-modify-write of I/O memory atomic. A leaf lock.
 */
#include <linux/atomic.h>
#include <linux/io.h>
#include <linux/io-64-nonatomic-lo-hi.h>
#include <linux/lockdep.h>
#include <linux/minmax.h>
#include <linux/spinlock.h>

#include "copy.h"
#include "window.h"
#include "window_list.h"
#include "window_paged.h"

/* A copy from I/O to I/O memory goes through this many bytes of stack. */
#define BOUNCE_BYTES	256

/* One lock for all I/O memory: two windows may lead to the same word. */
static DEFINE_SPINLOCK(io_atomic_lock);

void berth_window_init(struct berth_window *w, enum window_kind kind, u64 length)
{
	RCU_INIT_POINTER(w->map, NULL);
	w->kind = kind;
	w->length = length;
	w->state = BERTH_WINDOW_MOVING;
}

void berth_window_set_state(struct berth_window *w, enum berth_window_state state)
{
	WRITE_ONCE(w->state, state);
}

/*
 * Let readers in. Nobody reads the slot: it was never published, or berth_window_unpublish() has
 * waited.
 */
void berth_window_publish(struct berth_window *w, const struct iosys_map *map)
{
	w->slot = *map;
	WRITE_ONCE(w->iomem, map->is_iomem);
	/* Pairs with rcu_dereference in window_enter(). */
	rcu_assign_pointer(w->map, &w->slot);
	berth_window_set_state(w, BERTH_WINDOW_READY);
}

/*
 * Keep new readers out and wait for those inside. The caller has set the state that they shall see.
 * Expedited, because an exporter waits for us with its reservation lock held.
 */
void berth_window_unpublish(struct berth_window *w)
{
	might_sleep();
	if (!rcu_access_pointer(w->map))
		return;
	RCU_INIT_POINTER(w->map, NULL);
	synchronize_rcu_expedited();
}

/* Why is there no map? If it has come back meanwhile, trying again is right, too. */
static noinline int window_absent(const struct berth_window *w)
{
	return READ_ONCE(w->state) == BERTH_WINDOW_REVOKED ? -EKEYREVOKED : -EAGAIN;
}

/* Check a range and find the map, whose bytes from off on are then usable for len bytes. */
static __always_inline int window_map(struct berth_window *w, u64 off, size_t len,
				      const struct iosys_map **map)
{
	if (unlikely(off > w->length || len > w->length - off))
		return -ERANGE;
	if (unlikely(w->kind == WINDOW_DIRECT && !berth_window_direct_valid(off, len)))
		return -ERANGE;
	*map = rcu_dereference_check(w->map, rcu_read_lock_bh_held());
	return likely(*map) ? 0 : window_absent(w);
}

/* The same, and *at is the first byte. */
static __always_inline int window_enter(struct berth_window *w, u64 off, size_t len,
					struct iosys_map *at)
{
	const struct iosys_map *map;
	int err;

	err = window_map(w, off, len, &map);
	if (unlikely(err))
		return err;
	*at = *map;
	iosys_map_incr(at, off);
	return 0;
}

int berth_window_prepare(struct berth_window *w, u64 off, size_t len, bool write)
{
	if (w->kind == WINDOW_PAGED)
		return berth_paged_prepare(w, off, len, write);
	return berth_window_state(w) == BERTH_WINDOW_READY ? 0 : window_absent(w);
}
EXPORT_SYMBOL_GPL(berth_window_prepare);

u64 berth_window_length(const struct berth_window *w)
{
	return w->length;
}
EXPORT_SYMBOL_GPL(berth_window_length);

enum berth_window_state berth_window_state(const struct berth_window *w)
{
	return READ_ONCE(w->state);
}
EXPORT_SYMBOL_GPL(berth_window_state);

bool berth_window_is_iomem(const struct berth_window *w)
{
	return READ_ONCE(w->iomem);
}
EXPORT_SYMBOL_GPL(berth_window_is_iomem);

int berth_window_write(struct berth_window *w, u64 off, const void *src, size_t len)
{
	struct iosys_map to;
	int err;

	if (unlikely(w->kind >= WINDOW_LIST))
		return w->kind == WINDOW_LIST ? berth_list_write(w, off, src, len) :
						berth_paged_write(w, off, src, len);
	err = window_enter(w, off, len, &to);
	if (unlikely(err))
		return err;
	if (to.is_iomem)
		memcpy_toio(to.vaddr_iomem, src, len);
	else
		copy_disjoint(to.vaddr, src, len);
	return 0;
}
EXPORT_SYMBOL_GPL(berth_window_write);

int berth_window_read(struct berth_window *w, u64 off, void *dst, size_t len)
{
	struct iosys_map from;
	int err;

	if (unlikely(w->kind >= WINDOW_LIST))
		return w->kind == WINDOW_LIST ? berth_list_read(w, off, dst, len) :
						berth_paged_read(w, off, dst, len);
	err = window_enter(w, off, len, &from);
	if (unlikely(err))
		return err;
	if (from.is_iomem)
		memcpy_fromio(dst, from.vaddr_iomem, len);
	else
		copy_disjoint(dst, from.vaddr, len);
	return 0;
}
EXPORT_SYMBOL_GPL(berth_window_read);

static void copy_io_to_io(void __iomem *to, const void __iomem *from, size_t len)
{
	u8 bounce[BOUNCE_BYTES] __aligned(8);
	size_t done, part;

	for (done = 0; done < len; done += part) {
		part = min_t(size_t, len - done, sizeof(bounce));
		memcpy_fromio(bounce, from + done, part);
		memcpy_toio(to + done, bounce, part);
	}
}

/* I/O memory at one end or both. */
static noinline int copy_with_io(const struct iosys_map *to, u64 doff, const struct iosys_map *from, u64 soff,
				 size_t len)
{
	if (!from->is_iomem)
		memcpy_toio(to->vaddr_iomem + doff, from->vaddr + soff, len);
	else if (!to->is_iomem)
		memcpy_fromio(to->vaddr + doff, from->vaddr_iomem + soff, len);
	else
		copy_io_to_io(to->vaddr_iomem + doff, from->vaddr_iomem + soff, len);
	return 0;
}

/* Could this be accessed now? Lists say it themselves. */
static int check_end(struct berth_window *w, u64 off, size_t len, bool write)
{
	struct iosys_map at;

	if (w->kind == WINDOW_LIST)
		return 0;
	if (w->kind == WINDOW_PAGED)
		return berth_paged_check(w, off, len, write);
	return window_enter(w, off, len, &at);
}

/* One end or both are in pieces. The other is looked at before the first byte. */
static int copy_pieces(struct berth_window *dw, u64 doff, struct berth_window *sw, u64 soff,
		       size_t len)
{
	int err;

	err = check_end(dw, doff, len, true) ?: check_end(sw, soff, len, false);
	if (err)
		return err;
	if (dw->kind == WINDOW_LIST || sw->kind == WINDOW_LIST)
		return berth_list_copy(dw, doff, sw, soff, len);
	return berth_paged_copy(dw, doff, sw, soff, len);
}

static __always_inline int copy_whole(struct berth_window *dw, u64 doff, struct berth_window *sw, u64 soff,
				      size_t len)
{
	const struct iosys_map *to, *from;
	int err;

	err = window_map(dw, doff, len, &to);
	if (unlikely(err))
		return err;
	err = window_map(sw, soff, len, &from);
	if (unlikely(err))
		return err;
	if (unlikely(to->is_iomem || from->is_iomem))
		return copy_with_io(to, doff, from, soff, len);
	copy_any(to->vaddr + doff, from->vaddr + soff, len);
	return 0;
}

/* The direct map, lists, memory that is paged on demand. */
static noinline int copy_special(struct berth_window *dw, u64 doff, struct berth_window *sw, u64 soff,
				 size_t len)
{
	if (dw->kind >= WINDOW_LIST || sw->kind >= WINDOW_LIST)
		return copy_pieces(dw, doff, sw, soff, len);
	return copy_whole(dw, doff, sw, soff, len);
}

int berth_window_copy(struct berth_window *dw, u64 doff, struct berth_window *sw, u64 soff,
		      size_t len)
{
	/* What dma-bufs and pinned memory need not look at is out of line: no stack is needed then. */
	if (unlikely(dw->kind >= WINDOW_DIRECT || sw->kind >= WINDOW_DIRECT))
		return copy_special(dw, doff, sw, soff, len);
	return copy_whole(dw, doff, sw, soff, len);
}
EXPORT_SYMBOL_GPL(berth_window_copy);

static u64 atomic_system(atomic64_t *word, enum berth_atomic_op op, u64 operand, u64 compare)
{
	switch (op) {
	case BERTH_ATOMIC_FETCH_ADD:
		return atomic64_fetch_add(operand, word);
	case BERTH_ATOMIC_CMP_SWAP:
		return atomic64_cmpxchg(word, compare, operand);
	default:
		return atomic64_xchg(word, operand);
	}
}

static u64 atomic_io(void __iomem *word, enum berth_atomic_op op, u64 operand, u64 compare)
{
	unsigned long flags;
	u64 old;

	spin_lock_irqsave(&io_atomic_lock, flags);
	old = readq(word);
	switch (op) {
	case BERTH_ATOMIC_FETCH_ADD:
		writeq(old + operand, word);
		break;
	case BERTH_ATOMIC_CMP_SWAP:
		if (old == compare)
			writeq(operand, word);
		break;
	default:
		writeq(operand, word);
		break;
	}
	spin_unlock_irqrestore(&io_atomic_lock, flags);
	return old;
}

static void leave_word(struct berth_window *w)
{
	if (w->kind == WINDOW_LIST)
		berth_list_unpin(w);
	else if (w->kind == WINDOW_PAGED)
		berth_paged_unpin(w);
}

/*
 * An aligned 64-bit word, until leave_word(). The pointer decides, not the offset: a window over pages
 * may begin anywhere in a page.
 */
static int enter_word(struct berth_window *w, u64 off, struct iosys_map *at)
{
	void *vaddr;
	int err;

	if (unlikely(w->kind >= WINDOW_LIST)) {
		err = w->kind == WINDOW_LIST ? berth_list_pin(w, off, sizeof(u64), &vaddr) :
					       berth_paged_pin(w, off, sizeof(u64), &vaddr);
		if (!err)
			iosys_map_set_vaddr(at, vaddr);
	} else {
		err = window_enter(w, off, sizeof(u64), at);
	}
	if (unlikely(err))
		return err;
	if (IS_ALIGNED((uintptr_t)at->vaddr, sizeof(u64)))
		return 0;
	leave_word(w);
	return -EINVAL;
}

int berth_window_atomic64(struct berth_window *w, u64 off, enum berth_atomic_op op, u64 operand,
			  u64 compare, u64 *old)
{
	struct iosys_map at;
	int err;

	if (unlikely((unsigned int)op > BERTH_ATOMIC_SWAP))
		return -EINVAL;
	err = enter_word(w, off, &at);
	if (unlikely(err))
		return err;
	if (at.is_iomem)
		*old = atomic_io(at.vaddr_iomem, op, operand, compare);
	else
		*old = atomic_system(at.vaddr, op, operand, compare);
	leave_word(w);
	return 0;
}
EXPORT_SYMBOL_GPL(berth_window_atomic64);

/* The value that writeq() lays down as these bytes. */
static void store_io(void __iomem *at, u64 word)
{
	unsigned long flags;

	/* Not between the read and the write of atomic_io(). */
	spin_lock_irqsave(&io_atomic_lock, flags);
	/* What was written before may wait in a buffer where the mapping combines writes. */
	wmb();
	writeq(le64_to_cpu((__force __le64)word), at);
	spin_unlock_irqrestore(&io_atomic_lock, flags);
}

int berth_window_store64(struct berth_window *w, u64 off, u64 word)
{
	struct iosys_map at;
	int err;

	err = enter_word(w, off, &at);
	if (unlikely(err))
		return err;
	if (at.is_iomem)
		store_io(at.vaddr_iomem, word);
	else
		atomic64_set_release(at.vaddr, word);
	leave_word(w);
	return 0;
}
EXPORT_SYMBOL_GPL(berth_window_store64);

void *berth_window_linear(struct berth_window *w, u64 off, size_t len)
{
	struct iosys_map at;

	/* A list may be closed, a page go, before the caller is done with an address. */
	if (w->kind >= WINDOW_LIST || window_enter(w, off, len, &at) || at.is_iomem)
		return NULL;
	return at.vaddr;
}
EXPORT_SYMBOL_GPL(berth_window_linear);
