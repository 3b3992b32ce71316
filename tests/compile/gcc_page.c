// SPDX-License-Identifier: GPL-2.0
/* Must not compile: a page is not network memory. */
#include <berth/netmem.h>

u64 page_offset_wrong(struct page *page);
u64 page_offset_wrong(struct page *page)
{
	return berth_chunk_offset(page);
}
