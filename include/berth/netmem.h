/* SPDX-License-Identifier: GPL-2.0 */
/*
 * berth_netmem: memory that need not be pages, for RDMA memory regions and receive queues.
 *
 * This is the only interface between berth's modules. It has four nouns:
 *
 *  area    one dma-buf attached and mapped for one device; found again and counted.
 *  window  the one way to touch payload bytes, the same over a dma-buf and over user pages.
 *  chunks  an allocator of equal pieces of an area.
 *  netmem  the typed handle of one chunk; never cast to or from struct page.
 *
 * Contexts. Functions that create, destroy, get, put or revoke areas, windows and chunk pools
 * sleep. The accessors (berth_window_write() to berth_window_linear(), berth_window_state(),
 * berth_chunk_*()) never sleep; the window accessors must be called inside an RCU read-side
 * section: rcu_read_lock(), or bottom halves disabled. What a window points at stays mapped until
 * that section ends, whatever the exporter does meanwhile. Not from hard interrupts.
 */
#ifndef _BERTH_NETMEM_H
#define _BERTH_NETMEM_H

#include <linux/bits.h>
#include <linux/build_bug.h>
#include <linux/err.h>
#include <linux/list.h>
#include <linux/types.h>
#include <net/netmem.h>

struct berth_area;
struct berth_chunks;
struct berth_claim;
struct berth_window;
struct bio_vec;
struct device;
struct dma_buf;
struct page;

/* ---- windows: access to payload bytes ---- */

/**
 * enum berth_window_state - whether a window can be accessed now
 * @BERTH_WINDOW_READY: mapped; accessors work.
 * @BERTH_WINDOW_MOVING: the exporter is moving the memory; accessors return -EAGAIN. Behave as a
 *	receiver that is not ready; the area's listeners are called when this ends.
 * @BERTH_WINDOW_REVOKED: gone for good; accessors return -EKEYREVOKED.
 */
enum berth_window_state {
	BERTH_WINDOW_READY,
	BERTH_WINDOW_MOVING,
	BERTH_WINDOW_REVOKED,
};

/**
 * enum berth_atomic_op - what berth_window_atomic64() does to the old value
 * @BERTH_ATOMIC_FETCH_ADD: new = old + operand.
 * @BERTH_ATOMIC_CMP_SWAP: new = operand when old == compare, else unchanged.
 * @BERTH_ATOMIC_SWAP: new = operand.
 */
enum berth_atomic_op {
	BERTH_ATOMIC_FETCH_ADD,
	BERTH_ATOMIC_CMP_SWAP,
	BERTH_ATOMIC_SWAP,
};

/**
 * berth_window_create_pages() - a window over pinned pages
 * @pages: the pages, in order; copied, the array may be freed afterwards. The caller keeps them
 *	pinned until berth_window_destroy() has returned.
 * @npages: how many; exactly those that @first_offset and @length cover.
 * @first_offset: offset of the window's byte 0 in the first page, less than PAGE_SIZE.
 * @length: length of the window in bytes; 0 is allowed with @npages 0.
 *
 * Context: process; sleeps.
 * Return: the window, or ERR_PTR(-EINVAL) when the figures do not fit each other, ERR_PTR(-ENOMEM).
 */
struct berth_window *berth_window_create_pages(struct page **pages, unsigned long npages,
					       unsigned long first_offset, u64 length);

/**
 * berth_window_create_direct() - a window over the kernel's direct map
 *
 * For DMA memory regions of kernel consumers: an offset is a kernel virtual address
 * (ib_uses_virt_dma()). An access whose first or last byte lies outside the direct map fails with
 * -ERANGE.
 *
 * Context: process; sleeps.
 * Return: the window, or ERR_PTR(-ENOMEM).
 */
struct berth_window *berth_window_create_direct(void);

/**
 * berth_window_create_list() - a window over a list of kernel addresses, to be exchanged
 * @max_pages: how many the list can hold.
 *
 * For fast registration by kernel consumers. It is closed at first, and then opened and closed any
 * number of times; while it is closed the accessors return -EKEYREVOKED. An address of such a
 * window cannot be had (berth_window_linear(), berth_window_bvec()).
 *
 * Context: process; sleeps.
 * Return: the window, or ERR_PTR(-ENOMEM).
 */
struct berth_window *berth_window_create_list(u32 max_pages);

/**
 * struct berth_page_list - pieces of one size in the kernel's direct map
 * @addr: their addresses, aligned to @page_size.
 * @count: how many.
 * @page_size: of each, in bytes; a power of two.
 * @first_offset: where in the first the memory begins.
 */
struct berth_page_list {
	const u64 *addr;
	u32 count;
	u32 page_size;
	u32 first_offset;
};

/**
 * berth_window_list_open() - let accesses in
 * @w: a closed list window; the caller serializes opening and closing.
 * @pages: the memory; the list is copied. It stays valid until berth_window_list_close().
 * @length: in bytes, not 0, covered by @pages.
 * @base: receives the offset of the first byte. Each opening has another, so that an offset that
 *	was computed for an earlier one is refused.
 *
 * Context: bottom halves disabled; does not sleep.
 * Return: 0; -EINVAL when the figures do not fit each other or the window is open.
 */
int berth_window_list_open(struct berth_window *w, const struct berth_page_list *pages, u64 length,
			   u64 *base);

/**
 * berth_window_list_close() - end all access
 * @w: a list window, open or closed; the caller serializes opening and closing.
 *
 * When it returns no access runs and none will begin: it spins while others finish their copies.
 *
 * Context: bottom halves disabled, not inside an access; does not sleep.
 */
void berth_window_list_close(struct berth_window *w);

/**
 * berth_window_address_ok() - may a range be in a list
 * @addr: first byte.
 * @len: bytes.
 *
 * Context: any.
 * Return: whether its first and last byte lie in the direct map.
 */
bool berth_window_address_ok(const void *addr, size_t len);

/**
 * enum berth_paging - what pages are brought in for
 * @BERTH_PAGING_READ: to read them.
 * @BERTH_PAGING_WRITE: to write them: what the process shares with others is copied for it.
 * @BERTH_PAGING_LOOK: whatever can be done with what the process has now; nothing is faulted in.
 */
enum berth_paging {
	BERTH_PAGING_READ,
	BERTH_PAGING_WRITE,
	BERTH_PAGING_LOOK,
};

#ifdef CONFIG_HMM_MIRROR
/**
 * berth_paging_supported() - can there be windows that are paged on demand
 *
 * Context: any.
 * Return: false when the kernel was built without what it takes (CONFIG_HMM_MIRROR).
 */
bool berth_paging_supported(void);

/**
 * berth_window_create_paged() - a window over memory of the calling process, paged on demand
 * @start: address of its first byte in the process.
 * @length: in bytes; with 0 for @start, U64_MAX stands for all that the process has and will have.
 * @writable: whether it will be written.
 *
 * Nothing is pinned and nothing need be there. The window follows whatever the process maps at these
 * addresses. Accessors return -EAGAIN for pages that are not there, and berth_window_prepare() has
 * them brought; they return -EKEYREVOKED when the process has gone.
 *
 * Context: process; sleeps.
 * Return: the window; ERR_PTR: -EINVAL: no bytes, an end that wraps; -EOPNOTSUPP, -ENOMEM, -EINTR.
 */
struct berth_window *berth_window_create_paged(u64 start, u64 length, bool writable);

/**
 * berth_window_hold() - keep a paged window beyond an RCU read-side section
 * @w: the window, found under RCU.
 *
 * berth_window_destroy() waits for berth_window_release().
 *
 * Context: RCU read side.
 * Return: false: it is not paged, or is going.
 */
bool berth_window_hold(struct berth_window *w);

/**
 * berth_window_release() - undo berth_window_hold()
 * @w: the window; not touched any more.
 *
 * Context: any but hard interrupts.
 */
void berth_window_release(struct berth_window *w);

/**
 * berth_window_prefetch() - bring pages in before they are accessed
 * @w: the window, held, or without @wait found under RCU; nothing is done for one that is not paged.
 * @off: offset of the first byte.
 * @len: bytes; 0 does nothing.
 * @how: for what.
 * @wait: until they are there; else it is begun, and may be left out when much is to be done.
 *
 * Context: with @wait process; sleeps. Else any but hard interrupts.
 * Return: 0; -ERANGE: not inside the window; -EACCES: to write to what is not writable; and with
 *	@wait: -EFAULT: part of it is not there, or not for that; -EKEYREVOKED: the process has gone;
 *	-EBUSY: its memory changes all the time, or the window is going; -ENOMEM.
 */
int berth_window_prefetch(struct berth_window *w, u64 off, u64 len, enum berth_paging how,
			  bool wait);
#else
static inline bool berth_paging_supported(void)
{
	return false;
}

static inline struct berth_window *berth_window_create_paged(u64 start, u64 length, bool writable)
{
	return ERR_PTR(-EOPNOTSUPP);
}

static inline bool berth_window_hold(struct berth_window *w)
{
	return false;
}

static inline void berth_window_release(struct berth_window *w)
{
}

static inline int berth_window_prefetch(struct berth_window *w, u64 off, u64 len,
					enum berth_paging how, bool wait)
{
	return -EOPNOTSUPP;
}
#endif

/**
 * berth_window_prepare() - see that memory is there, or is on its way
 * @w: the window.
 * @off: offset of the first byte.
 * @len: bytes that are going to be accessed; of many, the first are prepared.
 * @write: some of them will be written.
 *
 * To be called when an accessor has returned -EAGAIN, with all that the caller will need, or before.
 * Costs next to nothing where the memory is not paged on demand.
 *
 * Context: RCU read side; does not sleep.
 * Return: 0: it is there now; -EAGAIN: come again, it is being moved or brought in; -EKEYREVOKED:
 *	it is gone for good, or some of it could not be brought in when it was asked for; said once,
 *	then it is tried again; -ERANGE as of the accessors.
 */
int berth_window_prepare(struct berth_window *w, u64 off, size_t len, bool write);

/**
 * berth_window_destroy() - end of a window made by a berth_window_create function
 * @w: the window; NULL and ERR_PTR are ignored. Not for an area's window.
 *
 * Waits until all accesses that began before are over, then unmaps and frees. A reader that found
 * @w through an RCU protected pointer is safe when that pointer was cleared before this call.
 *
 * Context: process; sleeps for an expedited RCU grace period.
 */
void berth_window_destroy(struct berth_window *w);

/**
 * berth_window_length() - length in bytes
 * @w: the window.
 *
 * Context: any.
 * Return: the length; U64_MAX for a direct window. Does not change when the memory moves.
 */
u64 berth_window_length(const struct berth_window *w);

/**
 * berth_window_state() - may the window be accessed now
 * @w: the window.
 *
 * A hint: the state may change as soon as it was read. The return values of the accessors decide.
 *
 * Context: any.
 * Return: see &enum berth_window_state.
 */
enum berth_window_state berth_window_state(const struct berth_window *w);

/**
 * berth_window_is_iomem() - is the memory behind the window I/O memory
 * @w: the window.
 *
 * For counters and for choosing between a copy and a page reference; never needed for correctness.
 * Keeps its last value while the memory moves.
 *
 * Context: any.
 * Return: true for I/O memory.
 */
bool berth_window_is_iomem(const struct berth_window *w);

/**
 * berth_window_write() - copy from kernel memory into a window
 * @w: destination.
 * @off: offset in the window, in bytes.
 * @src: kernel memory, at least @len bytes.
 * @len: bytes to copy; 0 checks range and state only.
 *
 * Context: RCU read side; does not sleep.
 * Return: 0; -ERANGE when [@off, @off + @len) is not inside the window; -EAGAIN while the memory is
 *	being moved; -EKEYREVOKED when it is gone. Nothing was written unless 0.
 */
int berth_window_write(struct berth_window *w, u64 off, const void *src, size_t len);

/**
 * berth_window_read() - copy from a window into kernel memory
 * @w: source.
 * @off: offset in the window, in bytes.
 * @dst: kernel memory, at least @len bytes.
 * @len: bytes to copy; 0 checks range and state only.
 *
 * Context: RCU read side; does not sleep.
 * Return: as berth_window_write().
 */
int berth_window_read(struct berth_window *w, u64 off, void *dst, size_t len);

/**
 * berth_window_copy() - copy from window to window, once
 * @dw: destination window.
 * @doff: offset in @dw.
 * @sw: source window; may be @dw. Overlapping ranges end as if copied by memmove() where both are
 *	system memory in one piece; in I/O memory, lists and paged windows the result of an overlapping
 *	copy is unspecified, but stays within the ranges.
 * @soff: offset in @sw.
 * @len: bytes to copy; 0 checks ranges and states only.
 *
 * I/O memory is only touched by I/O accessors; I/O to I/O goes through a small buffer.
 *
 * Context: RCU read side; does not sleep.
 * Return: as berth_window_write(); both ranges and states are checked before the first byte.
 */
int berth_window_copy(struct berth_window *dw, u64 doff, struct berth_window *sw, u64 soff,
		      size_t len);

/**
 * berth_window_atomic64() - read, modify and write a 64-bit word
 * @w: the window.
 * @off: offset of the word; the address it leads to must be a multiple of 8.
 * @op: what to do, see &enum berth_atomic_op.
 * @operand: addend, or value to store.
 * @compare: value to compare with; only for BERTH_ATOMIC_CMP_SWAP.
 * @old: receives the value before, in host byte order.
 *
 * In system memory atomic against every CPU, user space included. In I/O memory atomic against
 * other calls of this function, through whichever window; one read and at most one write of 64
 * bits.
 *
 * Context: RCU read side; does not sleep.
 * Return: 0; -EINVAL when misaligned or @op is unknown; else as berth_window_write().
 */
int berth_window_atomic64(struct berth_window *w, u64 off, enum berth_atomic_op op, u64 operand,
			  u64 compare, u64 *old);

/**
 * berth_window_store64() - write a 64-bit word at once
 * @w: the window.
 * @off: offset of the word; the address it leads to must be a multiple of 8.
 * @word: its eight bytes as they shall lie in memory.
 *
 * Nobody sees a part of the word, and who sees it sees all that was written before in this context.
 * In I/O memory one write of 64 bits and no read; atomic against berth_window_atomic64() in either.
 *
 * Context: RCU read side; does not sleep.
 * Return: 0; -EINVAL when misaligned; else as berth_window_write().
 */
int berth_window_store64(struct berth_window *w, u64 off, u64 word);

/**
 * berth_window_bvec() - the pages behind a range, for zero-copy sends
 * @w: the window.
 * @off: offset in the window.
 * @len: bytes wanted.
 * @vec: receives pieces in order, each within a folio, with a reference of its page that the caller
 *	drops by put_page(), or gives to an skb.
 * @room: pieces that @vec has room for.
 *
 * Only windows over pages know pages. Device memory is never given out as a page, and a dma-buf
 * never is, even where its exporter uses system memory.
 *
 * Context: RCU read side; does not sleep.
 * Return: the number of pieces, fewer than the range has where @room is used up or (direct window) a page
 *	must not be shared by reference; 0 when none can be had or the range is not inside the window.
 *	Then copy.
 */
u32 berth_window_bvec(struct berth_window *w, u64 off, u32 len, struct bio_vec *vec, u32 room);

/**
 * berth_window_linear() - the address of a range in system memory
 * @w: the window.
 * @off: offset in the window.
 * @len: bytes that will be accessed.
 *
 * For checksums and codecs that read in place. The pointer is only valid within the RCU read-side
 * section of the call; it is never kept.
 *
 * Context: RCU read side; does not sleep.
 * Return: the address; NULL when the memory is I/O memory, not mapped now, or the range is outside.
 *	Then use berth_window_read() and berth_window_write(), which say which of these it is.
 */
void *berth_window_linear(struct berth_window *w, u64 off, size_t len);

/* ---- areas: dma-bufs ---- */

/**
 * enum berth_area_flags - how berth_area_get() may reach the memory
 * @BERTH_AREA_IOREMAP: where the exporter has no vmap, map the bus addresses it gives to the device
 *	by ioremap_wc(). Needs DMA addresses that are physical addresses (no IOMMU translation),
 *	outside system RAM, in one piece. A caller has to ask for this on behalf of an
 *	administrator.
 */
enum berth_area_flags {
	BERTH_AREA_IOREMAP	= BIT(0),
};

/**
 * berth_netmem_device() - the device that software RDMA devices attach dma-bufs with
 *
 * A platform device with a 64-bit DMA mask that lives as long as the module, for callers that have
 * no device of their own that can do DMA.
 *
 * Context: any.
 * Return: the device; no reference is taken, the module dependency keeps it.
 */
struct device *berth_netmem_device(void);

/**
 * berth_area_get() - find or make the area of a dma-buf for a device
 * @dev: the device to attach with; it must be able to do DMA, see berth_netmem_device(). The area
 *	holds a reference on it.
 * @dmabuf: the dma-buf. The area takes its own reference: the file descriptor may be closed and the
 *	process may die.
 * @flags: bits of &enum berth_area_flags.
 *
 * Two calls with the same pair give the same area, also when they race: there is one attachment,
 * one mapping. Attaches as a dynamic importer, so that the exporter may move the memory.
 *
 * Context: process; sleeps, may wait for the exporter's fences. Takes the dma-buf's reservation
 *	lock, so the caller holds none.
 * Return: the area, with a reference for berth_area_put(). ERR_PTR: -EOPNOTSUPP when the exporter
 *	gives the CPU no way to the memory (the log says why); -EINVAL for unknown flags; -EINTR;
 *	-ENOMEM; or what the exporter answered. The area's window may already be moving.
 */
struct berth_area *berth_area_get(struct device *dev, struct dma_buf *dmabuf, unsigned int flags);

/**
 * berth_area_get_fd() - berth_area_get() by file descriptor of the calling process
 * @dev: as berth_area_get().
 * @fd: file descriptor of a dma-buf.
 * @flags: as berth_area_get().
 *
 * Context: process; sleeps.
 * Return: as berth_area_get(), and ERR_PTR(-EBADF) when @fd is not open, ERR_PTR(-EINVAL) when it
 *	is not a dma-buf.
 */
struct berth_area *berth_area_get_fd(struct device *dev, int fd, unsigned int flags);

/**
 * berth_area_put() - drop a reference
 * @area: the area; NULL and ERR_PTR are ignored.
 *
 * The last one waits until all accesses that began before are over, then unmaps, detaches and
 * frees. A reader that found the window through an RCU protected pointer is safe when that pointer
 * was cleared before this call.
 *
 * Context: process; sleeps. Not from a listener of the same area, not with a reservation lock held.
 */
void berth_area_put(struct berth_area *area);

/**
 * berth_area_window() - the window over the whole dma-buf
 * @area: the area.
 *
 * Context: any.
 * Return: the window; the same one for the life of the area, also after a move.
 */
struct berth_window *berth_area_window(struct berth_area *area);

/**
 * berth_area_size() - size of the dma-buf in bytes
 * @area: the area.
 *
 * Context: any.
 * Return: the size.
 */
u64 berth_area_size(const struct berth_area *area);

/**
 * berth_area_id() - number of the area in debugfs and in log lines
 * @area: the area.
 *
 * Context: any.
 * Return: the number; not used again while the module is loaded.
 */
u32 berth_area_id(const struct berth_area *area);

/**
 * berth_area_revoke() - end all access to an area, now and for good
 * @area: the area.
 *
 * When it returns no access runs and none will begin; accessors return -EKEYREVOKED. Handles,
 * chunks and references stay valid and are put as usual. Listeners are told. A later
 * berth_area_get() of the same pair returns a new area.
 *
 * Context: process; sleeps. Takes the dma-buf's reservation lock.
 */
void berth_area_revoke(struct berth_area *area);

/**
 * struct berth_area_listener - wants to know when an area's state changes
 * @changed: called in process context with BERTH_WINDOW_READY (moved; traffic may resume) or
 *	BERTH_WINDOW_REVOKED. Calls for one area never overlap and no lock but the area's listener
 *	mutex is held. It may sleep; it must not call berth_area_listen(), berth_area_unlisten() or
 *	berth_area_put() for the same area. A state that lasted shortly may be skipped; the last
 *	state is always told.
 * @node: private to berth_netmem.
 */
struct berth_area_listener {
	void (*changed)(struct berth_area_listener *listener, enum berth_window_state state);
	struct list_head node;
};

/**
 * berth_area_listen() - begin to be told of state changes
 * @area: the area; the caller holds a reference until after berth_area_unlisten().
 * @listener: zeroed but for @changed; stays in place until berth_area_unlisten().
 *
 * Changes from before the call are not told: read berth_window_state() afterwards.
 *
 * Context: process; sleeps.
 */
void berth_area_listen(struct berth_area *area, struct berth_area_listener *listener);

/**
 * berth_area_unlisten() - stop being told
 * @area: the area.
 * @listener: the listener; one that was never added (zeroed) is ignored.
 *
 * When it returns, @listener is not being called and will not be.
 *
 * Context: process; sleeps. Not from the listener.
 */
void berth_area_unlisten(struct berth_area *area, struct berth_area_listener *listener);

/* ---- the book: who owns which memory ---- */

/**
 * struct berth_run - memory in one piece
 * @first: DMA address of the first byte, as berth_netmem_device() sees it.
 * @length: bytes, not 0.
 */
struct berth_run {
	u64 first;
	u64 length;
};

/**
 * berth_claim_runs() - claim memory that is known by its addresses
 * @run: the pieces, in any order; copied.
 * @count: how many; 0 claims nothing.
 *
 * For owners that cannot tell which dma-buf their memory is of. All or nothing. Whoever has booked a
 * range of an area of berth_netmem_device() has claimed what it is mapped to, see berth_area_book().
 * The memory stays where it is until berth_claim_drop(), which comes before it is unmapped.
 *
 * Context: process; sleeps. A reservation lock may be held.
 * Return: the claim; ERR_PTR: -EBUSY when a byte is claimed already, or there twice; -EINVAL for a
 *	run of no bytes or past the last address; -ENOMEM.
 */
struct berth_claim *berth_claim_runs(const struct berth_run *run, u32 count);

/**
 * berth_claim_drop() - give claimed memory back
 * @claim: the claim; NULL and ERR_PTR are ignored.
 *
 * Context: process; sleeps. A reservation lock may be held.
 */
void berth_claim_drop(struct berth_claim *claim);

/**
 * struct berth_booking - a range of a dma-buf that one allocator owns
 * @area: through which it was booked; NULL when nothing is booked.
 * @first: first byte.
 * @end: first byte after.
 * @node: private to berth_netmem, as all that follows.
 * @area_node: in the area's list.
 * @claim: of the addresses that the range is mapped to; NULL while it is not.
 *
 * All fields are written by berth_netmem only.
 */
struct berth_booking {
	struct berth_area *area;
	u64 first;
	u64 end;
	struct list_head node;
	struct list_head area_node;
	struct berth_claim *claim;
};

/**
 * berth_area_book() - claim a range of an area's dma-buf for one allocator
 * @area: the area; the caller holds a reference until berth_area_unbook().
 * @booking: filled in; stays in place until berth_area_unbook().
 * @first: first byte.
 * @length: bytes, not 0.
 *
 * Bookings are kept by dma-buf, not by area: two devices cannot book the same bytes either. With an
 * area of berth_netmem_device() the addresses are claimed, too (berth_claim_runs()), as long as the
 * area is mapped. An area that is moving claims where it arrives; when somebody else has claimed
 * memory there meanwhile, the area is revoked. berth_chunks_create() books by itself.
 *
 * Context: process; sleeps. Takes the dma-buf's reservation lock, so the caller holds none.
 * Return: 0; -ERANGE when not inside the dma-buf; -EBUSY when a byte of it is booked, or claimed by
 *	its address; -ENOMEM.
 */
int berth_area_book(struct berth_area *area, struct berth_booking *booking, u64 first, u64 length);

/**
 * berth_area_unbook() - give a range back
 * @booking: the booking; a zeroed one is ignored.
 *
 * Context: process; sleeps. Takes the dma-buf's reservation lock, so the caller holds none.
 */
void berth_area_unbook(struct berth_booking *booking);

/* ---- chunks and their handles ---- */

/**
 * struct berth_netmem - typed handle of a piece of network memory
 * @ref: the reference; only berth_netmem looks inside.
 *
 * A struct, so that the compiler refuses a struct page pointer or an integer in its place; the
 * __bitwise inside lets sparse refuse a cast. A zeroed handle is empty.
 */
struct berth_netmem {
	netmem_ref ref;
};

static_assert(sizeof(struct berth_netmem) == sizeof(netmem_ref));

/**
 * berth_netmem_none() - the empty handle
 *
 * Return: a handle for which berth_netmem_is_none() is true.
 */
static inline struct berth_netmem berth_netmem_none(void)
{
	return (struct berth_netmem){};
}

/**
 * berth_netmem_is_none() - is a handle empty
 * @nm: the handle.
 *
 * Return: true when it names nothing.
 */
static inline bool berth_netmem_is_none(struct berth_netmem nm)
{
	return !nm.ref;
}

/**
 * berth_netmem_equal() - do two handles name the same chunk
 * @a: one.
 * @b: the other.
 *
 * Return: true when they do, or both are empty.
 */
static inline bool berth_netmem_equal(struct berth_netmem a, struct berth_netmem b)
{
	return a.ref == b.ref;
}

/**
 * struct berth_chunk_account - where the chunks of a pool are
 * @total: all of them.
 * @allocated: given out and not yet back.
 * @free: on the shared stack.
 * @cached: in the per-CPU caches, free too.
 * @exhausted: allocations that found none.
 *
 * @total == @allocated + @free + @cached, exactly when no call runs at the same time.
 */
struct berth_chunk_account {
	u32 total;
	u32 allocated;
	u32 free;
	u32 cached;
	u64 exhausted;
};

/**
 * berth_chunks_create() - make an allocator of equal pieces of an area
 * @area: the area; the pool takes its own reference.
 * @chunk_size: bytes of a chunk; a power of two, at least PAGE_SIZE.
 * @first: offset of the first chunk in the dma-buf, in bytes, a multiple of PAGE_SIZE.
 * @count: number of chunks, not 0.
 *
 * Books the range, see berth_area_book(). The private backend: the chunks are net_iovs of our own
 * and must never be put into an skb.
 *
 * Context: process; sleeps.
 * Return: the pool; ERR_PTR: -EINVAL for sizes that are not as above, -ERANGE when it does not fit
 *	into the dma-buf, -EBUSY when a byte of it belongs to another allocator or to a NIC's
 *	binding, -ENOMEM.
 */
struct berth_chunks *berth_chunks_create(struct berth_area *area, size_t chunk_size, u64 first,
					 u32 count);

/**
 * berth_chunks_destroy() - end of a pool
 * @chunks: the pool; NULL and ERR_PTR are ignored. No berth_chunk_alloc() runs or follows.
 *
 * Chunks that are still out are a leak and reported in the log. The pool, its booking and its area
 * reference then stay until the last of them is put.
 *
 * Context: process; sleeps.
 * Return: how many chunks are still out.
 */
u32 berth_chunks_destroy(struct berth_chunks *chunks);

/**
 * berth_chunks_account() - where the chunks are
 * @chunks: the pool.
 * @account: filled in.
 *
 * Context: process or softirq; does not sleep. Walks all CPUs.
 */
void berth_chunks_account(struct berth_chunks *chunks, struct berth_chunk_account *account);

/**
 * berth_chunk_alloc() - take a chunk
 * @chunks: the pool.
 *
 * O(1), normally without touching anything shared between CPUs; only a pool that is nearly
 * exhausted looks into other CPUs' caches.
 *
 * Context: process or softirq; does not sleep.
 * Return: a handle with one reference; the empty handle when every chunk is out, or the last one is
 *	just on its way on another CPU, which has been interrupted.
 */
struct berth_netmem berth_chunk_alloc(struct berth_chunks *chunks);

/**
 * berth_chunk_get() - take one more reference
 * @nm: a handle the caller already holds a reference of, not empty.
 *
 * Context: process or softirq; does not sleep.
 */
void berth_chunk_get(struct berth_netmem nm);

/**
 * berth_chunk_put() - drop a reference; the last one frees the chunk
 * @nm: the handle; an empty one is ignored.
 *
 * Context: process or softirq; does not sleep.
 */
void berth_chunk_put(struct berth_netmem nm);

/**
 * berth_chunk_offset() - where a chunk begins in its dma-buf and in its area's window
 * @nm: the handle, not empty.
 *
 * Context: any.
 * Return: offset in bytes.
 */
u64 berth_chunk_offset(struct berth_netmem nm);

/**
 * berth_chunk_size() - size of a chunk in bytes
 * @nm: the handle, not empty.
 *
 * Context: any.
 * Return: size in bytes.
 */
size_t berth_chunk_size(struct berth_netmem nm);

/**
 * berth_chunk_area() - the area a chunk belongs to
 * @nm: the handle, not empty.
 *
 * Context: any.
 * Return: the area; valid as long as the caller's reference on the chunk.
 */
struct berth_area *berth_chunk_area(struct berth_netmem nm);

/**
 * berth_chunk_index() - number of a chunk in its pool, for tokens
 * @nm: the handle, not empty.
 *
 * Context: any.
 * Return: 0 to count - 1.
 */
u32 berth_chunk_index(struct berth_netmem nm);

/**
 * berth_chunk_by_index() - the handle behind a token
 * @chunks: the pool.
 * @index: any number; user space may have chosen it.
 *
 * Takes no reference: the caller keeps account of who holds which chunk.
 *
 * Context: process or softirq; does not sleep.
 * Return: the handle; empty when @index is out of range or the chunk is not allocated.
 */
struct berth_netmem berth_chunk_by_index(struct berth_chunks *chunks, u32 index);

#endif /* _BERTH_NETMEM_H */
