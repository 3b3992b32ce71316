/* SPDX-License-Identifier: GPL-2.0 */
/* Buffers of system memory that move and are revoked; move_buffer.c. */
#ifndef _BERTH_MOVE_BUFFER_H
#define _BERTH_MOVE_BUFFER_H

#include <linux/dma-buf.h>

struct dma_buf *move_buffer_export(u64 length, u32 flags);
bool move_buffer_is_ours(const struct dma_buf *dmabuf);
int move_buffer_move(struct dma_buf *dmabuf);
int move_buffer_revoke(struct dma_buf *dmabuf);
void move_buffers_info(u32 *buffers, u64 *used);

#endif /* _BERTH_MOVE_BUFFER_H */
