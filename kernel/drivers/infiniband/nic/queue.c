// SPDX-License-Identifier: GPL-2.0
/* Receive queues, see queue.h, and the core's operations that exchange the memory of one. */
#include <net/netdev_rx_queue.h>
#include <net/page_pool/helpers.h>
#include "bound.h"
#include "queue.h"
#include "rx.h"

/* Free pages that a queue keeps. */
#define POOL_PAGES	256

static struct page_pool *make_pages(const struct nic_queue *q)
{
	const struct page_pool_params params = {
		.pool_size = POOL_PAGES,
		.nid = NUMA_NO_NODE,
		.dev = q->nic->dev->dev.parent,
		.netdev = q->nic->dev,
		.queue_idx = q->index,
	};

	return page_pool_create(&params);
}

static void free_memory(struct nic_queue_memory *mem)
{
	page_pool_destroy(mem->pages);
	page_pool_destroy(mem->marker);
	nic_bound_put(mem->bound);
	*mem = (struct nic_queue_memory){};
}

static int make_memory(struct nic_queue *q, struct nic_queue_memory *mem)
{
	struct net_device *dev = q->nic->dev;
	struct nic_bound *bound;
	struct page_pool *pool;

	*mem = (struct nic_queue_memory){};
	pool = make_pages(q);
	if (IS_ERR(pool))
		return PTR_ERR(pool);
	mem->pages = pool;
	bound = nic_bound_get(dev, q->index);
	if (IS_ERR(bound)) {
		free_memory(mem);
		return PTR_ERR(bound);
	}
	if (!bound)
		return 0;
	mem->bound = bound;
	pool = nic_bound_marker(dev, q->index);
	if (IS_ERR(pool)) {
		free_memory(mem);
		return PTR_ERR(pool);
	}
	mem->marker = pool;
	return 0;
}

/**
 * nic_queue_init - a queue that is down
 * @nic: NIC, not registered yet
 * @index: which
 */
void nic_queue_init(struct nic *nic, unsigned int index)
{
	struct nic_queue *q = &nic->queue[index];

	q->nic = nic;
	q->index = index;
	skb_queue_head_init(&q->ring);
	u64_stats_init(&q->sync);
	netif_napi_add(nic->dev, &q->napi, nic_rx_poll);
}

/* Down, and never up again; the NAPI goes with the netdev. */
void nic_queue_exit(struct nic_queue *q)
{
	free_memory(&q->mem);
}

/**
 * nic_queue_up - packets may come
 * @q: queue that is down
 *
 * Return: 0, -ENOMEM and others of page_pool_create().
 */
int nic_queue_up(struct nic_queue *q)
{
	int err;

	if (!q->mem.pages) {
		err = make_memory(q, &q->mem);
		if (err)
			return err;
	}
	napi_enable(&q->napi);
	netif_queue_set_napi(q->nic->dev, q->index, NETDEV_QUEUE_TYPE_RX, &q->napi);
	WRITE_ONCE(q->up, true);
	return 0;
}

/*
 * What GRO holds goes to the stack: joined with a packet of the next memory, which the CPU may not be able to read, it would
 * still pass for one that can be read.
 */
static void stop_napi(struct nic_queue *q)
{
	struct napi_struct *napi = &q->napi;
	LIST_HEAD(held);

	napi_disable(napi);
	local_bh_disable();
	napi_gro_flush(napi, false);
	/* gro_normal_list() is not for modules. */
	list_splice_init(&napi->rx_list, &held);
	napi->rx_count = 0;
	netif_receive_skb_list(&held);
	local_bh_enable();
}

/**
 * nic_queue_down - none comes any more
 * @q: queue that is up
 *
 * Its memory stays, for the core may have bound it.
 */
void nic_queue_down(struct nic_queue *q)
{
	WRITE_ONCE(q->up, false);
	synchronize_net();
	netif_queue_set_napi(q->nic->dev, q->index, NETDEV_QUEUE_TYPE_RX, NULL);
	stop_napi(q);
	skb_queue_purge(&q->ring);
}

/* ---- what the core exchanges memory with ---- */

static int mem_alloc(struct net_device *dev, void *mem, int index)
{
	struct nic *nic = nic_of(dev);

	/* Device memory has no room for headers. */
	if (__netif_get_rx_queue(dev, index)->mp_params.mp_priv && !nic->split)
		return -EINVAL;
	return make_memory(&nic->queue[index], mem);
}

static void mem_free(struct net_device *dev, void *mem)
{
	free_memory(mem);
}

static int queue_stop(struct net_device *dev, void *mem, int index)
{
	struct nic_queue *q = &nic_of(dev)->queue[index];

	if (q->up)
		stop_napi(q);
	*(struct nic_queue_memory *)mem = q->mem;
	q->mem = (struct nic_queue_memory){};
	return 0;
}

static int queue_start(struct net_device *dev, void *mem, int index)
{
	struct nic_queue *q = &nic_of(dev)->queue[index];

	q->mem = *(struct nic_queue_memory *)mem;
	if (!q->up)
		return 0;
	napi_enable(&q->napi);
	/* For what has come meanwhile. */
	local_bh_disable();
	napi_schedule(&q->napi);
	local_bh_enable();
	return 0;
}

const struct netdev_queue_mgmt_ops nic_queue_mgmt_ops = {
	.ndo_queue_mem_size = sizeof(struct nic_queue_memory),
	.ndo_queue_mem_alloc = mem_alloc,
	.ndo_queue_mem_free = mem_free,
	.ndo_queue_start = queue_start,
	.ndo_queue_stop = queue_stop,
};
