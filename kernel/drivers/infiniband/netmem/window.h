/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A window: one linear range of kernel addresses, system or I/O memory, that can go away and come
 * back.
 *
 * The map is published through an RCU pointer. Readers load it once per access; the writer clears
 * it, waits for a grace period and only then touches the slot it pointed at, so one slot is enough.
 *
 * Writers are serialized by the owner: the reservation lock of the dma-buf for the window of an
 * area; for other windows there is one publish and one unpublish in their lives.
 */
#ifndef _BERTH_NETMEM_WINDOW_H
#define _BERTH_NETMEM_WINDOW_H

#include <linux/iosys-map.h>
#include <linux/rcupdate.h>

#include <berth/netmem.h>

struct window_list;
struct window_paged;

/**
 * enum window_kind - what a window is over
 * @WINDOW_AREA: a dma-buf; never pages.
 * @WINDOW_PAGES: pinned pages, mapped together.
 * @WINDOW_DIRECT: the direct map of the kernel; offsets are addresses.
 * @WINDOW_LIST: kernel addresses that are exchanged while the window lives (window_list.c).
 * @WINDOW_PAGED: a process's memory, in which pages come and go (window_paged.c).
 *
 * From WINDOW_LIST on there is no one map of all bytes.
 */
enum window_kind {
	WINDOW_AREA,
	WINDOW_PAGES,
	WINDOW_DIRECT,
	WINDOW_LIST,
	WINDOW_PAGED,
};

/**
 * struct berth_window - see the top of the file
 * @map: NULL or @slot.
 * @slot: written while @map is NULL and no reader can still see it.
 * @length: bytes; constant.
 * @kind: constant.
 * @state: written by berth_window_set_state() only; read without a lock.
 * @iomem: what the last published map was; read without a lock.
 * @first_offset: WINDOW_PAGES: offset of byte 0 in the first page; constant.
 * @npages: WINDOW_PAGES: entries of @pages; constant.
 * @pages: WINDOW_PAGES: our copy of the page pointers; constant.
 * @vmap: WINDOW_PAGES: start of the mapping, for vunmap(); constant.
 * @list: WINDOW_LIST: the addresses; the pointer is constant.
 * @paged: WINDOW_PAGED: the pages that are there; the pointer is constant.
 */
struct berth_window {
	struct iosys_map __rcu *map;
	struct iosys_map slot;
	u64 length;
	enum window_kind kind;
	enum berth_window_state state;
	bool iomem;
	unsigned long first_offset;
	unsigned long npages;
	struct page **pages;
	void *vmap;
	struct window_list *list;
	struct window_paged *paged;
};

void berth_window_init(struct berth_window *w, enum window_kind kind, u64 length);
void berth_window_set_state(struct berth_window *w, enum berth_window_state state);
void berth_window_publish(struct berth_window *w, const struct iosys_map *map);
void berth_window_unpublish(struct berth_window *w);

/* window_pages.c: counted for the leak check at unload; berth_window_destroy() undoes it. */
struct berth_window *berth_window_alloc(enum window_kind kind, u64 length);
long berth_windows_alive(void);

/* Is an access to the direct map allowed; window_pages.c. */
bool berth_window_direct_valid(u64 addr, size_t len);

#endif /* _BERTH_NETMEM_WINDOW_H */
