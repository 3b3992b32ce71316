// SPDX-License-Identifier: GPL-2.0
/*
 * The private backend: chunks of an area handed out as typed handles over net_iovs of our own.
 *
 * Creating and destroying: process context. Everything on a chunk: process or softirq, never
 * sleeping. See chunk.h for the locks. A chunk is owned by whoever holds references on it, a free
 * one by the cache or the stack that its index is in.
 *
 * Destroy: mark dying -> empty every cache into the stack -> all there: free; else the last put
 * frees.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/atomic.h>
#include <linux/err.h>
#include <linux/log2.h>
#include <linux/minmax.h>
#include <linux/nospec.h>
#include <linux/overflow.h>
#include <linux/preempt.h>
#include <linux/slab.h>

#include "area.h"
#include "chunk.h"
#include "compat.h"

static struct workqueue_struct *orphan_wq;
/* Pools not freed yet, for the leak check at unload. */
static atomic_t pools_alive = ATOMIC_INIT(0);

static struct berth_chunk *to_chunk(struct berth_netmem nm)
{
	return container_of(netmem_to_net_iov(nm.ref), struct berth_chunk, niov);
}

static struct berth_netmem to_handle(struct berth_chunk *chunk)
{
	return (struct berth_netmem){ .ref = net_iov_to_netmem(&chunk->niov) };
}

/*
 * ---- free chunks ----
 */

static bool cache_own(struct chunk_cache *cache)
{
	int idle = 0;

	return atomic_try_cmpxchg_acquire(&cache->busy, &idle, 1);
}

static void cache_disown(struct chunk_cache *cache)
{
	atomic_set_release(&cache->busy, 0);
}

/* Move a batch from the stack to a cache that is empty and ours. */
static void cache_refill(struct berth_chunks *chunks, struct chunk_cache *cache)
{
	unsigned long flags;
	u32 n;

	raw_spin_lock_irqsave(&chunks->stack_lock, flags);
	n = min(chunks->batch, chunks->top);
	chunks->top -= n;
	memcpy(cache->index, &chunks->stack[chunks->top], n * sizeof(u32));
	raw_spin_unlock_irqrestore(&chunks->stack_lock, flags);
	cache->count = n;
}

/* Indices to the stack. Who has the last of an orphan's has it freed: nobody else can see it complete. */
static void stack_give(struct berth_chunks *chunks, const u32 *index, u32 n)
{
	unsigned long flags;
	bool complete;

	raw_spin_lock_irqsave(&chunks->stack_lock, flags);
	memcpy(&chunks->stack[chunks->top], index, n * sizeof(u32));
	chunks->top += n;
	complete = chunks->orphan && chunks->top == chunks->total;
	raw_spin_unlock_irqrestore(&chunks->stack_lock, flags);
	if (unlikely(complete))
		queue_work(orphan_wq, &chunks->free_work);
}

static bool stack_take(struct berth_chunks *chunks, u32 *index)
{
	unsigned long flags;
	bool found;

	raw_spin_lock_irqsave(&chunks->stack_lock, flags);
	found = chunks->top;
	if (found)
		*index = chunks->stack[--chunks->top];
	raw_spin_unlock_irqrestore(&chunks->stack_lock, flags);
	return found;
}

/* Move the n entries used longest ago from our cache to the stack. */
static void cache_spill(struct berth_chunks *chunks, struct chunk_cache *cache, u32 n)
{
	stack_give(chunks, cache->index, n);
	cache->count -= n;
	memmove(cache->index, &cache->index[n], cache->count * sizeof(u32));
}

/* Look into the others' caches. -EBUSY: into one of them we could not. */
static int cache_steal(struct berth_chunks *chunks, u32 *index)
{
	int cpu, err = -ENOENT;

	for_each_possible_cpu(cpu) {
		struct chunk_cache *cache = per_cpu_ptr(chunks->caches, cpu);
		bool found;

		if (!READ_ONCE(cache->count))
			continue;
		if (!cache_own(cache)) {
			err = -EBUSY;
			continue;
		}
		found = cache->count;
		if (found)
			*index = cache->index[--cache->count];
		cache_disown(cache);
		if (found)
			return 0;
	}
	return err;
}

/*
 * Our cache has nothing, or is busy as we have interrupted its owner. The owner of another one is about to be done, unless he
 * has been interrupted as well, by somebody who may wait for a lock that our caller holds: then we are done without. Returns
 * an index, or -ENOENT.
 */
static noinline long take_elsewhere(struct berth_chunks *chunks)
{
	unsigned int tries = 1000;
	u32 index;
	int err;

	do {
		if (stack_take(chunks, &index))
			return index;
		err = cache_steal(chunks, &index);
		if (!err)
			return index;
		cpu_relax();
	} while (err == -EBUSY && --tries);
	this_cpu_inc(chunks->caches->exhausted);
	return -ENOENT;
}

/* The cache is ours and empty. */
static noinline long refill_and_take(struct berth_chunks *chunks, struct chunk_cache *cache)
{
	long index = -ENOENT;

	cache_refill(chunks, cache);
	if (likely(cache->count))
		index = cache->index[--cache->count];
	cache_disown(cache);
	return likely(index >= 0) ? index : take_elsewhere(chunks);
}

/* Free chunks are rarely far away: no call, and nothing to keep across one. */
static long index_take(struct berth_chunks *chunks)
{
	struct chunk_cache *cache;
	long index;

	preempt_disable();
	cache = this_cpu_ptr(chunks->caches);
	if (unlikely(!cache_own(cache))) {
		index = take_elsewhere(chunks);
	} else if (unlikely(!cache->count)) {
		index = refill_and_take(chunks, cache);
	} else {
		index = cache->index[--cache->count];
		cache_disown(cache);
	}
	preempt_enable();
	return index;
}

/* The cache is not ours. */
static noinline void give_to_stack(struct berth_chunks *chunks, u32 index)
{
	stack_give(chunks, &index, 1);
}

/* The cache is ours, and full or not wanted any more. */
static noinline void give_and_spill(struct berth_chunks *chunks, struct chunk_cache *cache, u32 index)
{
	if (cache->count == 2 * chunks->batch)
		cache_spill(chunks, cache, chunks->batch);
	cache->index[cache->count++] = index;
	if (READ_ONCE(chunks->dying))
		cache_spill(chunks, cache, cache->count);
	cache_disown(cache);
}

static void index_give(struct berth_chunks *chunks, u32 index)
{
	struct chunk_cache *cache;

	preempt_disable();
	cache = this_cpu_ptr(chunks->caches);
	if (unlikely(!cache_own(cache))) {
		give_to_stack(chunks, index);
	} else if (unlikely(cache->count == 2 * chunks->batch || READ_ONCE(chunks->dying))) {
		/* pool_drain() owned this cache after setting dying, or will find our entry. */
		give_and_spill(chunks, cache, index);
	} else {
		cache->index[cache->count++] = index;
		cache_disown(cache);
	}
	preempt_enable();
}

/*
 * ---- pools ----
 */

static void pool_free(struct berth_chunks *chunks)
{
	struct berth_area *area = chunks->area;

	/* A put on another CPU, which queued us or did not, may still own its cache. */
	synchronize_rcu_expedited();
	spin_lock(&area->pools_lock);
	list_del(&chunks->node);
	spin_unlock(&area->pools_lock);
	berth_area_unbook(&chunks->booking);
	free_percpu(chunks->caches);
	kvfree(chunks->stack);
	kvfree(chunks->chunk);
	kfree(chunks);
	berth_area_put(area);
	atomic_dec(&pools_alive);
}

static void pool_free_work(struct work_struct *work)
{
	pool_free(container_of(work, struct berth_chunks, free_work));
}

static int pool_check(struct berth_area *area, size_t chunk_size, u64 first, u32 count)
{
	u64 length, end;

	if (!is_power_of_2(chunk_size) || chunk_size < PAGE_SIZE || !count ||
	    !IS_ALIGNED(first, PAGE_SIZE))
		return -EINVAL;
	if (check_mul_overflow((u64)chunk_size, (u64)count, &length) ||
	    check_add_overflow(first, length, &end) || end > berth_area_size(area))
		return -ERANGE;
	return 0;
}

static int pool_alloc_chunks(struct berth_chunks *chunks)
{
	u32 i;

	chunks->chunk = kvcalloc(chunks->total, sizeof(*chunks->chunk), GFP_KERNEL_ACCOUNT);
	chunks->stack = kvmalloc_array(chunks->total, sizeof(u32), GFP_KERNEL_ACCOUNT);
	chunks->caches = alloc_percpu_gfp(struct chunk_cache, GFP_KERNEL_ACCOUNT | __GFP_ZERO);
	if (!chunks->chunk || !chunks->stack || !chunks->caches)
		return -ENOMEM;
	for (i = 0; i < chunks->total; i++) {
		chunks->chunk[i].chunks = chunks;
		chunks->chunk[i].index = i;
		/* Low addresses are given out first. */
		chunks->stack[i] = chunks->total - 1 - i;
	}
	chunks->top = chunks->total;
	return 0;
}

struct berth_chunks *berth_chunks_create(struct berth_area *area, size_t chunk_size, u64 first,
					 u32 count)
{
	struct berth_chunks *chunks;
	int err;

	err = pool_check(area, chunk_size, first, count);
	if (err)
		return ERR_PTR(err);
	chunks = kzalloc(sizeof(*chunks), GFP_KERNEL_ACCOUNT);
	if (!chunks)
		return ERR_PTR(-ENOMEM);
	chunks->first = first;
	chunks->total = count;
	chunks->shift = ilog2(chunk_size);
	/* Small pools are not to vanish into caches that other CPUs have to search. */
	chunks->batch = clamp_t(u32, count / (4 * num_possible_cpus()), 1, CHUNK_BATCH_MAX);
	raw_spin_lock_init(&chunks->stack_lock);
	INIT_WORK(&chunks->free_work, pool_free_work);
	err = pool_alloc_chunks(chunks);
	if (err)
		goto free_chunks;
	err = berth_area_book(area, &chunks->booking, first, (u64)count << chunks->shift);
	if (err)
		goto free_chunks;

	chunks->area = berth_area_hold(area);
	atomic_inc(&pools_alive);
	spin_lock(&area->pools_lock);
	list_add_tail(&chunks->node, &area->pools);
	spin_unlock(&area->pools_lock);
	return chunks;

free_chunks:
	free_percpu(chunks->caches);
	kvfree(chunks->stack);
	kvfree(chunks->chunk);
	kfree(chunks);
	return ERR_PTR(err);
}
EXPORT_SYMBOL_GPL(berth_chunks_create);

/* Everything that is free goes to the stack, and everything put from now on does. */
static void pool_drain(struct berth_chunks *chunks)
{
	int cpu;

	WRITE_ONCE(chunks->dying, true);
	for_each_possible_cpu(cpu) {
		struct chunk_cache *cache = per_cpu_ptr(chunks->caches, cpu);

		preempt_disable();
		while (!cache_own(cache))
			cpu_relax();
		cache_spill(chunks, cache, cache->count);
		cache_disown(cache);
		preempt_enable();
	}
}

u32 berth_chunks_destroy(struct berth_chunks *chunks)
{
	u32 out;

	if (IS_ERR_OR_NULL(chunks))
		return 0;
	pool_drain(chunks);
	raw_spin_lock_irq(&chunks->stack_lock);
	out = chunks->total - chunks->top;
	chunks->orphan = out;
	/* Last look at the pool when it became an orphan: a put may free it from here on. */
	if (out)
		pr_warn("area %u: leak: pool of %u chunks at %llu destroyed while %u are out\n",
			chunks->area->id, chunks->total, chunks->first, out);
	raw_spin_unlock_irq(&chunks->stack_lock);
	if (!out)
		pool_free(chunks);
	return out;
}
EXPORT_SYMBOL_GPL(berth_chunks_destroy);

void berth_chunks_account(struct berth_chunks *chunks, struct berth_chunk_account *account)
{
	int cpu;

	*account = (struct berth_chunk_account){ .total = chunks->total };
	for_each_possible_cpu(cpu) {
		struct chunk_cache *cache = per_cpu_ptr(chunks->caches, cpu);

		account->cached += READ_ONCE(cache->count);
		account->exhausted += READ_ONCE(cache->exhausted);
	}
	account->free = READ_ONCE(chunks->top);
	/* Read while others work, the figures may not add up; never report nonsense. */
	account->allocated = account->total - min(account->total, account->free + account->cached);
}
EXPORT_SYMBOL_GPL(berth_chunks_account);

/* The sum over the pools of an area, for debugfs. */
void berth_area_chunks_account(struct berth_area *area, struct berth_chunk_account *sum)
{
	struct berth_chunk_account one;
	struct berth_chunks *chunks;

	*sum = (struct berth_chunk_account){};
	spin_lock(&area->pools_lock);
	list_for_each_entry(chunks, &area->pools, node) {
		berth_chunks_account(chunks, &one);
		sum->total += one.total;
		sum->allocated += one.allocated;
		sum->free += one.free;
		sum->cached += one.cached;
		sum->exhausted += one.exhausted;
	}
	spin_unlock(&area->pools_lock);
}

/*
 * ---- chunks ----
 */

struct berth_netmem berth_chunk_alloc(struct berth_chunks *chunks)
{
	struct berth_chunk *chunk;
	long index = index_take(chunks);

	if (unlikely(index < 0))
		return berth_netmem_none();
	chunk = &chunks->chunk[index];
	atomic_long_set(berth_niov_refs(&chunk->niov), 1);
	return to_handle(chunk);
}
EXPORT_SYMBOL_GPL(berth_chunk_alloc);

void berth_chunk_get(struct berth_netmem nm)
{
	atomic_long_inc(berth_niov_refs(&to_chunk(nm)->niov));
}
EXPORT_SYMBOL_GPL(berth_chunk_get);

void berth_chunk_put(struct berth_netmem nm)
{
	struct berth_chunk *chunk;
	long left;

	if (berth_netmem_is_none(nm))
		return;
	chunk = to_chunk(nm);
	/* Full ordering: all accesses of all holders come before the next owner's. */
	left = atomic_long_dec_return(berth_niov_refs(&chunk->niov));
	if (likely(!left))
		index_give(chunk->chunks, chunk->index);
	else if (WARN_ONCE(left < 0, "berth_netmem: chunk %u put too often\n", chunk->index))
		atomic_long_set(berth_niov_refs(&chunk->niov), 0);
}
EXPORT_SYMBOL_GPL(berth_chunk_put);

u64 berth_chunk_offset(struct berth_netmem nm)
{
	const struct berth_chunk *chunk = to_chunk(nm);

	return chunk->chunks->first + ((u64)chunk->index << chunk->chunks->shift);
}
EXPORT_SYMBOL_GPL(berth_chunk_offset);

size_t berth_chunk_size(struct berth_netmem nm)
{
	return (size_t)1 << to_chunk(nm)->chunks->shift;
}
EXPORT_SYMBOL_GPL(berth_chunk_size);

struct berth_area *berth_chunk_area(struct berth_netmem nm)
{
	return to_chunk(nm)->chunks->area;
}
EXPORT_SYMBOL_GPL(berth_chunk_area);

u32 berth_chunk_index(struct berth_netmem nm)
{
	return to_chunk(nm)->index;
}
EXPORT_SYMBOL_GPL(berth_chunk_index);

struct berth_netmem berth_chunk_by_index(struct berth_chunks *chunks, u32 index)
{
	struct berth_chunk *chunk;

	if (index >= chunks->total)
		return berth_netmem_none();
	chunk = &chunks->chunk[array_index_nospec(index, chunks->total)];
	if (atomic_long_read(berth_niov_refs(&chunk->niov)) <= 0)
		return berth_netmem_none();
	return to_handle(chunk);
}
EXPORT_SYMBOL_GPL(berth_chunk_by_index);

int berth_chunks_init(void)
{
	orphan_wq = alloc_workqueue("berth_chunks", WQ_UNBOUND, 0);
	return orphan_wq ? 0 : -ENOMEM;
}

/* Before the areas end: a pool that is left was leaked, and so was its reference on its area. */
void berth_chunks_fini(void)
{
	destroy_workqueue(orphan_wq);
	WARN(atomic_read(&pools_alive), "berth_netmem: leaked %d chunk pools\n",
	     atomic_read(&pools_alive));
}
