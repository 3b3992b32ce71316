// SPDX-License-Identifier: GPL-2.0
/* Bound device memory, see bound.h. */
#include <linux/bsearch.h>
#include <linux/io.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/sort.h>
#include <net/netdev_rx_queue.h>
#include <net/page_pool/helpers.h>
#include <berth/lease.h>
#include <berth/netmem.h>
#include "bound.h"
#include "kick.h"

/* Chunks that page_pool keeps for the next one; it gives more than that back to the core's allocator, which is slow. */
#define POOL_RING	16384
/* Between two looks whether all are home. */
#define DRAIN_PAUSE	(HZ / 20)

struct place {
	unsigned long frame;		/* DMA address >> PAGE_SHIFT */
	netmem_ref chunk;
};

/* I/O memory, mapped for the CPU to write it. */
struct mapping {
	u64 first;			/* DMA address */
	u64 length;
	u8 __iomem *base;
};

struct nic_bound {
	struct list_head node;		/* under bounds_lock, as the next */
	const void *binding;		/* the core's; compared, never followed */
	atomic_t users;			/* queues and leases; 0: the chunks are coming home; from 0 on only under bounds_lock */
	struct page_pool *pool;
	struct delayed_work drain;
	u32 total;			/* chunks */
	struct berth_claim *claim;	/* of all chunks, until they are home */
	struct berth_source source;	/* for leases */
	struct place *place;		/* of all chunks, by frame */
	struct mapping *iomem;		/* what is no system RAM, by address */
	u32 iomems;
	spinlock_t lock;		/* of the stack and of the pool's side that gives out */
	u32 free;
	netmem_ref *stack;		/* room for all */
};

static DEFINE_MUTEX(bounds_lock);
static LIST_HEAD(bounds);
static struct workqueue_struct *drain_wq;

static unsigned long frame_of(netmem_ref chunk)
{
	return page_pool_get_dma_addr_netmem(chunk) >> PAGE_SHIFT;
}

/* Its provider is the queue's. */
static struct page_pool *make_pool(struct net_device *dev, unsigned int index, unsigned int ring)
{
	const struct page_pool_params params = {
		.pool_size = ring,
		.nid = NUMA_NO_NODE,
		.dev = dev->dev.parent,
		.dma_dir = DMA_FROM_DEVICE,
		.max_len = PAGE_SIZE,
		.netdev = dev,
		.queue_idx = index,
		.flags = PP_FLAG_DMA_MAP | PP_FLAG_DMA_SYNC_DEV | PP_FLAG_ALLOW_UNREADABLE_NETMEM,
	};

	return page_pool_create(&params);
}

/* ---- chunks ---- */

/* At least @want on the stack, if there are so many. Called with the lock held. */
static void refill(struct nic_bound *bound, u32 want)
{
	netmem_ref chunk;

	while (bound->free < want) {
		chunk = page_pool_alloc_netmems(bound->pool, GFP_ATOMIC | __GFP_NOWARN);
		if (!chunk)
			return;
		bound->stack[bound->free++] = chunk;
	}
}

/*
 * Chunks that are free, with those that have come back to the page_pool. In batches, as the core's allocator may be slow and softirqs
 * want the lock.
 */
static u32 count_free(struct nic_bound *bound)
{
	u32 rounds = DIV_ROUND_UP(bound->total, NIC_BOUND_TAKE) + 1, before, after;

	do {
		spin_lock_bh(&bound->lock);
		before = bound->free;
		refill(bound, min(bound->total, before + NIC_BOUND_TAKE));
		after = bound->free;
		spin_unlock_bh(&bound->lock);
		cond_resched();
	} while (after > before && --rounds);
	return after;
}

/* Up to @n. */
static u32 take_some(struct nic_bound *bound, netmem_ref *chunk, u32 n)
{
	spin_lock(&bound->lock);
	if (bound->free < n)
		refill(bound, min(bound->total, NIC_BOUND_TAKE));
	n = min(n, bound->free);
	bound->free -= n;
	memcpy(chunk, &bound->stack[bound->free], n * sizeof(*chunk));
	spin_unlock(&bound->lock);
	return n;
}

static void give_some(struct nic_bound *bound, const netmem_ref *chunk, u32 n)
{
	spin_lock(&bound->lock);
	memcpy(&bound->stack[bound->free], chunk, n * sizeof(*chunk));
	bound->free += n;
	spin_unlock(&bound->lock);
}

/**
 * nic_bound_take - take chunks
 * @bound: memory
 * @chunk: receives @n of them, each with one reference
 * @n: at most NIC_BOUND_TAKE
 *
 * Context: softirq. Return: false: there are not so many, and none was taken.
 */
bool nic_bound_take(struct nic_bound *bound, netmem_ref *chunk, unsigned int n)
{
	u32 have = take_some(bound, chunk, n);

	if (likely(have == n))
		return true;
	/* Some may be with those that lease them, unused. */
	berth_source_short(&bound->source);
	have += take_some(bound, chunk + have, n - have);
	if (have == n)
		return true;
	give_some(bound, chunk, have);
	return false;
}

static const struct mapping *mapping_of(const struct nic_bound *bound, u64 address)
{
	u32 low = 0, high = bound->iomems;

	while (low < high) {
		const u32 middle = (low + high) / 2;
		const struct mapping *m = &bound->iomem[middle];

		if (address < m->first)
			high = middle;
		else if (address - m->first >= m->length)
			low = middle + 1;
		else
			return m;
	}
	return NULL;
}

/**
 * nic_bound_at - where the CPU writes a chunk
 * @bound: memory
 * @chunk: of nic_bound_take()
 *
 * Context: any. Return: its first byte; system RAM is in the direct map.
 */
struct iosys_map nic_bound_at(const struct nic_bound *bound, netmem_ref chunk)
{
	const u64 address = page_pool_get_dma_addr_netmem(chunk);
	const struct mapping *m = mapping_of(bound, address);
	struct iosys_map at;

	if (m)
		iosys_map_set_vaddr_iomem(&at, m->base + (address - m->first));
	else
		iosys_map_set_vaddr(&at, phys_to_virt(address));
	return at;
}

/* ---- where they are ---- */

static int compare_frames(const void *a, const void *b)
{
	const struct place *x = a, *y = b;

	return x->frame < y->frame ? -1 : x->frame > y->frame;
}

/* The pieces that the chunks make up: how many, and which, if there is an array to note them in. */
static u32 find_runs(const struct nic_bound *bound, struct berth_run *run)
{
	const struct place *place = bound->place;
	u32 i, count = 0;

	for (i = 0; i < bound->total; i++) {
		if (!i || place[i].frame != place[i - 1].frame + 1) {
			if (run)
				run[count] = (struct berth_run){ .first = (u64)place[i].frame << PAGE_SHIFT };
			count++;
		}
		if (run)
			run[count - 1].length += PAGE_SIZE;
	}
	return count;
}

/* The CPU is the device that writes: to the direct map where there is one, else as to I/O memory. */
static int map_all(struct nic_bound *bound, const struct berth_run *run, u32 runs)
{
	u8 __iomem *base;
	u32 i;

	bound->iomem = kvcalloc(runs, sizeof(*bound->iomem), GFP_KERNEL);
	if (!bound->iomem)
		return -ENOMEM;
	for (i = 0; i < runs; i++) {
		if (page_is_ram(run[i].first >> PAGE_SHIFT))
			continue;
		base = ioremap_wc(run[i].first, run[i].length);
		if (!base)
			return -ENOMEM;
		bound->iomem[bound->iomems++] = (struct mapping){ run[i].first, run[i].length, base };
	}
	return 0;
}

/* ---- coming and going ---- */

/*
 * The page_pool would keep them in its ring until it is destroyed and then return them to the core's allocator in one go,
 * which walks over the pieces of the buffer twice for each: with a ring of one they go there from here. Without memory for that
 * ring it takes its time in one go.
 */
static void give_all_back(struct nic_bound *bound)
{
	ptr_ring_resize(&bound->pool->ring, 1, GFP_KERNEL, NULL);
	while (bound->free) {
		page_pool_put_full_netmem(bound->pool, bound->stack[--bound->free], false);
		cond_resched();
	}
}

/* Nobody else knows it. */
static void destroy(struct nic_bound *bound)
{
	berth_claim_drop(bound->claim);
	kvfree(bound->place);
	give_all_back(bound);
	page_pool_destroy(bound->pool);
	put_device(berth_netmem_device());
	while (bound->iomems)
		iounmap(bound->iomem[--bound->iomems].base);
	kvfree(bound->iomem);
	kvfree(bound->stack);
	kfree(bound);
	module_put(THIS_MODULE);
}

/* Nobody takes any more; those that are out come home when whoever has them is done. */
static void drain_work(struct work_struct *work)
{
	struct nic_bound *bound = container_of(work, struct nic_bound, drain.work);
	bool home = false;

	mutex_lock(&bounds_lock);
	if (!atomic_read(&bound->users)) {
		home = count_free(bound) == bound->total;
		if (!home) {
			nic_kick();
			queue_delayed_work(drain_wq, &bound->drain, DRAIN_PAUSE);
		}
	}
	if (home)
		list_del(&bound->node);
	mutex_unlock(&bounds_lock);
	if (home)
		destroy(bound);
}

/* Every chunk of the binding, which is how its memory is known. */
static int take_all(struct nic_bound *bound)
{
	u32 room = 0;
	netmem_ref chunk;
	netmem_ref *more;

	for (;;) {
		chunk = page_pool_alloc_netmems(bound->pool, GFP_KERNEL | __GFP_NOWARN);
		if (!chunk)
			break;
		if (bound->free == room) {
			room = room ? 2 * room : 256;
			more = kvrealloc(bound->stack, room * sizeof(*more), GFP_KERNEL);
			if (!more) {
				page_pool_put_full_netmem(bound->pool, chunk, false);
				return -ENOMEM;
			}
			bound->stack = more;
		}
		bound->stack[bound->free++] = chunk;
		if (page_pool_get_dma_addr_netmem(chunk) & ~PAGE_MASK)
			return -EINVAL;
		cond_resched();
	}
	bound->total = bound->free;
	return bound->total ? 0 : -EBUSY;
}

static int claim_and_map(struct nic_bound *bound)
{
	const u32 runs = find_runs(bound, NULL);
	struct berth_run *run = kvmalloc_array(runs, sizeof(*run), GFP_KERNEL);
	struct berth_claim *claim;
	int err;

	if (!run)
		return -ENOMEM;
	find_runs(bound, run);
	claim = berth_claim_runs(run, runs);
	if (IS_ERR(claim)) {
		err = PTR_ERR(claim);
	} else {
		bound->claim = claim;
		err = map_all(bound, run, runs);
	}
	kvfree(run);
	return err;
}

static int find_all(struct nic_bound *bound)
{
	u32 i;

	bound->place = kvmalloc_array(bound->total, sizeof(*bound->place), GFP_KERNEL);
	if (!bound->place)
		return -ENOMEM;
	for (i = 0; i < bound->total; i++)
		bound->place[i] = (struct place){ frame_of(bound->stack[i]), bound->stack[i] };
	sort(bound->place, bound->total, sizeof(*bound->place), compare_frames, NULL);
	return claim_and_map(bound);
}

/* ---- what leases want of it ---- */

static u32 source_take(struct berth_source *source, netmem_ref *chunk, u32 n)
{
	return take_some(container_of(source, struct nic_bound, source), chunk, n);
}

static void source_give(struct berth_source *source, netmem_ref chunk)
{
	struct nic_bound *bound = container_of(source, struct nic_bound, source);

	spin_lock(&bound->lock);
	bound->stack[bound->free++] = chunk;
	spin_unlock(&bound->lock);
}

static u32 source_home(struct berth_source *source)
{
	struct nic_bound *bound = container_of(source, struct nic_bound, source);

	/* Who asks again sees those that packets had which were left to another CPU. */
	nic_kick();
	return count_free(bound);
}

static netmem_ref source_find(struct berth_source *source, u64 address)
{
	const struct nic_bound *bound = container_of(source, struct nic_bound, source);
	const struct place key = { .frame = address >> PAGE_SHIFT };
	const struct place *place = bsearch(&key, bound->place, bound->total, sizeof(key), compare_frames);

	return place ? place->chunk : 0;
}

static bool source_get(struct berth_source *source)
{
	return atomic_inc_not_zero(&container_of(source, struct nic_bound, source)->users);
}

static void source_put(struct berth_source *source)
{
	nic_bound_put(container_of(source, struct nic_bound, source));
}

static const struct berth_source_ops source_ops = {
	.take = source_take,
	.give = source_give,
	.home = source_home,
	.find = source_find,
	.get = source_get,
	.put = source_put,
};

/* With the pool; it needs the device, and the core this code, until the last chunk is home. */
static struct nic_bound *alloc_bound(struct net_device *dev, unsigned int index)
{
	struct nic_bound *bound;
	int err;

	/* The module is going, and its NICs with it. */
	if (!try_module_get(THIS_MODULE))
		return ERR_PTR(-ENODEV);
	err = -ENOMEM;
	bound = kzalloc(sizeof(*bound), GFP_KERNEL);
	if (!bound)
		goto put_module;
	bound->pool = make_pool(dev, index, POOL_RING);
	if (IS_ERR(bound->pool)) {
		err = PTR_ERR(bound->pool);
		goto free_bound;
	}
	get_device(berth_netmem_device());
	return bound;

free_bound:
	kfree(bound);
put_module:
	module_put(THIS_MODULE);
	return ERR_PTR(err);
}

static struct nic_bound *create(struct net_device *dev, unsigned int index, const void *binding)
{
	struct nic_bound *bound = alloc_bound(dev, index);
	int err;

	if (IS_ERR(bound))
		return bound;
	bound->binding = binding;
	atomic_set(&bound->users, 1);
	spin_lock_init(&bound->lock);
	INIT_DELAYED_WORK(&bound->drain, drain_work);
	err = take_all(bound);
	if (!err)
		err = find_all(bound);
	if (err) {
		destroy(bound);
		return ERR_PTR(err);
	}
	berth_source_offer(bound->claim, &bound->source, &source_ops, bound->total);
	list_add(&bound->node, &bounds);
	return bound;
}

/**
 * nic_bound_get - the memory that is bound to a queue
 * @dev: NIC
 * @index: queue
 *
 * Context: rtnl. Return: it; NULL: none is bound; ERR_PTR: -EBUSY: it is bound already, or chunks of an earlier binding are
 * out, or a pool of chunks has it; -EINVAL: it does not consist of pages; -ENODEV: the module is going; -ENOMEM.
 */
struct nic_bound *nic_bound_get(struct net_device *dev, unsigned int index)
{
	const void *binding = __netif_get_rx_queue(dev, index)->mp_params.mp_priv;
	struct nic_bound *bound;

	if (!binding)
		return NULL;
	mutex_lock(&bounds_lock);
	list_for_each_entry(bound, &bounds, node)
		if (bound->binding == binding) {
			atomic_inc(&bound->users);
			goto unlock;
		}
	bound = create(dev, index, binding);
unlock:
	mutex_unlock(&bounds_lock);
	return bound;
}

/**
 * nic_bound_put - a queue, or a lease, has it no more
 * @bound: memory, or NULL
 *
 * Context: process.
 */
void nic_bound_put(struct nic_bound *bound)
{
	if (!bound)
		return;
	mutex_lock(&bounds_lock);
	if (atomic_dec_and_test(&bound->users))
		mod_delayed_work(drain_wq, &bound->drain, 0);
	mutex_unlock(&bounds_lock);
}

/**
 * nic_bound_marker - what the core looks for to see that a queue has its memory
 * @dev: NIC
 * @index: queue
 *
 * Context: rtnl. Return: a page_pool that nothing is taken from, or ERR_PTR.
 */
struct page_pool *nic_bound_marker(struct net_device *dev, unsigned int index)
{
	return make_pool(dev, index, 1);
}

int nic_bound_init(void)
{
	int err = nic_kick_init();

	if (err)
		return err;
	drain_wq = alloc_workqueue("berth_nic", WQ_UNBOUND, 0);
	if (!drain_wq) {
		nic_kick_exit();
		return -ENOMEM;
	}
	return 0;
}

/* There are none any more: each has held the module. */
void nic_bound_exit(void)
{
	destroy_workqueue(drain_wq);
	nic_kick_exit();
}
