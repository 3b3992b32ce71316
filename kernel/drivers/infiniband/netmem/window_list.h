/* SPDX-License-Identifier: GPL-2.0 */
/* Windows over lists of kernel addresses, for window.c and window_pages.c. See window_list.c. */
#ifndef _BERTH_NETMEM_WINDOW_LIST_H
#define _BERTH_NETMEM_WINDOW_LIST_H

#include <linux/types.h>

struct berth_window;
struct window_list;

struct window_list *berth_list_alloc(u32 max_pages);
void berth_list_free(struct window_list *list);

int berth_list_write(struct berth_window *w, u64 off, const void *src, size_t len);
int berth_list_read(struct berth_window *w, u64 off, void *dst, size_t len);
int berth_list_copy(struct berth_window *dw, u64 doff, struct berth_window *sw, u64 soff,
		    size_t len);
int berth_list_pin(struct berth_window *w, u64 off, size_t len, void **at);
void berth_list_unpin(struct berth_window *w);

#endif /* _BERTH_NETMEM_WINDOW_LIST_H */
