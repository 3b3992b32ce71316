/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Device memory that somebody has bound to receive queues (netlink's bind-rx): the core's allocator of a dma-buf, in
 * chunks of a page. All queues of one binding share one page_pool of it and a stack of free chunks in front, so that taking
 * one costs the same for every exporter.
 *
 * The kernel would bind the same memory again while chunks of an earlier binding are out. Here it is claimed by its DMA
 * addresses (berth_claim_runs()) until the last chunk is home, and a binding of claimed memory is refused: of another
 * binding's, or of a pool's of berth_netmem.
 *
 * Chunks are taken and written in softirq; they come home by the core (napi_pp_put_page()), from anywhere.
 */
#ifndef BERTH_NIC_BOUND_H
#define BERTH_NIC_BOUND_H

#include <linux/iosys-map.h>
#include <linux/types.h>
#include <net/netmem.h>

struct net_device;
struct nic_bound;
struct page_pool;

struct nic_bound *nic_bound_get(struct net_device *dev, unsigned int index);
void nic_bound_put(struct nic_bound *bound);
struct page_pool *nic_bound_marker(struct net_device *dev, unsigned int index);

/* Chunks that are taken at once, at most. */
#define NIC_BOUND_TAKE	64

bool nic_bound_take(struct nic_bound *bound, netmem_ref *chunk, unsigned int n);
struct iosys_map nic_bound_at(const struct nic_bound *bound, netmem_ref chunk);

int nic_bound_init(void);
void nic_bound_exit(void);

#endif
