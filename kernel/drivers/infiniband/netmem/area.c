// SPDX-License-Identifier: GPL-2.0
/*
 * The registry of areas: find or make, count, tell listeners, end.
 *
 * Process context throughout. registry_lock protects the list and decides the race between a lookup
 * and the last put: an area whose count reached zero is off the list before the lock is dropped.
 * The slow part (attach, map, wait for fences) runs without it; who finds an area that is being
 * made waits for its completion.
 *
 * Ending an area: on the list of those that end -> shut (unpublish, grace period, unmap) -> no more
 * work -> detach -> off the list -> free. Who wants a new area of the same pair waits for that.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/device.h>
#include <linux/err.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/wait.h>

#include "area.h"

/* How long to wait before trying to map again after an error that may pass, and how often. */
#define REMAP_DELAY	msecs_to_jiffies(20)
#define REMAP_TRIES	100

static DEFINE_MUTEX(registry_lock);
static LIST_HEAD(registry);
/* Areas whose last reference is gone, until they are detached; under registry_lock. */
static LIST_HEAD(ending);
/* How many areas have left that list: written under registry_lock, waited for on area_ended. */
static atomic_t areas_ended = ATOMIC_INIT(0);
static DECLARE_WAIT_QUEUE_HEAD(area_ended);
static u32 next_id;
static struct workqueue_struct *area_wq;

static void area_work(struct work_struct *work);

static struct berth_area *area_alloc(struct device *dev, struct dma_buf *dmabuf, unsigned int flags)
{
	struct berth_area *area = kzalloc(sizeof(*area), GFP_KERNEL_ACCOUNT);

	if (!area)
		return NULL;
	berth_window_init(&area->window, WINDOW_AREA, dmabuf->size);
	area->dev = get_device(dev);
	get_dma_buf(dmabuf);
	area->dmabuf = dmabuf;
	area->flags = flags;
	refcount_set(&area->refs, 1);
	init_completion(&area->set_up);
	mutex_init(&area->map_lock);
	mutex_init(&area->listen_lock);
	INIT_LIST_HEAD(&area->listeners);
	INIT_LIST_HEAD(&area->bookings);
	INIT_LIST_HEAD(&area->pools);
	INIT_LIST_HEAD(&area->leases);
	spin_lock_init(&area->pools_lock);
	INIT_DELAYED_WORK(&area->work, area_work);
	return area;
}

static void area_free(struct berth_area *area)
{
	mutex_destroy(&area->map_lock);
	mutex_destroy(&area->listen_lock);
	dma_buf_put(area->dmabuf);
	put_device(area->dev);
	kfree(area);
}

/* The area of a pair, with a reference, or NULL. One that was revoked is not found again. */
static struct berth_area *registry_find(struct device *dev, struct dma_buf *dmabuf)
{
	struct berth_area *area;

	lockdep_assert_held(&registry_lock);
	list_for_each_entry(area, &registry, node)
		if (area->dmabuf == dmabuf && area->dev == dev &&
		    berth_window_state(&area->window) != BERTH_WINDOW_REVOKED) {
			/* Off the list at zero, and we hold the lock: the count is not zero. */
			refcount_inc(&area->refs);
			return area;
		}
	return NULL;
}

/* Attach and map a new area that is on the list already. Whoever found it waits for set_up. */
static void area_set_up(struct berth_area *area)
{
	int err = berth_area_attach(area);

	if (!err) {
		err = berth_area_map(area);
		/* Moved under our feet: the work, queued by then, goes on from here. */
		if (err == AREA_MOVED)
			err = 0;
	}
	if (err) {
		/* Not to be found again while the waiters put their references. */
		dma_resv_lock(area->dmabuf->resv, NULL);
		berth_window_set_state(&area->window, BERTH_WINDOW_REVOKED);
		dma_resv_unlock(area->dmabuf->resv);
	}
	area->set_up_error = err;
	complete_all(&area->set_up);
}

/* Is an area of the same pair being ended? */
static bool registry_ending(const struct berth_area *fresh)
{
	const struct berth_area *area;

	lockdep_assert_held(&registry_lock);
	list_for_each_entry(area, &ending, node)
		if (area->dmabuf == fresh->dmabuf && area->dev == fresh->dev)
			return true;
	return false;
}

/*
 * The area on the list, else fresh, which goes there. Who finds one waits until it is set up. While
 * one of the same pair is being ended, wait: a pair has one attachment at any time.
 */
static struct berth_area *area_find_or_add(struct berth_area *fresh)
{
	struct berth_area *area;
	int seen, err;

	mutex_lock(&registry_lock);
	while (!(area = registry_find(fresh->dev, fresh->dmabuf)) && registry_ending(fresh)) {
		seen = atomic_read(&areas_ended);
		mutex_unlock(&registry_lock);
		err = wait_event_killable(area_ended, atomic_read(&areas_ended) != seen);
		if (err)
			return ERR_PTR(err);
		mutex_lock(&registry_lock);
	}
	if (!area) {
		area = fresh;
		area->id = ++next_id;
		list_add_tail(&area->node, &registry);
	}
	mutex_unlock(&registry_lock);
	return area;
}

/* As berth_area_get(), but NULL when somebody who asked for less has just failed to make it. */
static struct berth_area *area_get_once(struct device *dev, struct dma_buf *dmabuf,
					unsigned int flags)
{
	struct berth_area *area, *fresh;
	int err = 0;
	bool again;

	fresh = area_alloc(dev, dmabuf, flags);
	if (!fresh)
		return ERR_PTR(-ENOMEM);
	area = area_find_or_add(fresh);
	if (area == fresh) {
		area_set_up(area);
	} else {
		area_free(fresh);
		if (IS_ERR(area))
			return area;
		err = wait_for_completion_killable(&area->set_up);
	}
	if (!err)
		err = area->set_up_error;
	again = err == -EOPNOTSUPP && (flags & ~area->flags);
	/* The sharer has to ask for ioremap as well. */
	if (!err && area->ioremapped && !(flags & BERTH_AREA_IOREMAP))
		err = -EOPNOTSUPP;
	if (err) {
		berth_area_put(area);
		return again ? NULL : ERR_PTR(err);
	}
	return area;
}

struct berth_area *berth_area_get(struct device *dev, struct dma_buf *dmabuf, unsigned int flags)
{
	struct berth_area *area;

	if (flags & ~BERTH_AREA_IOREMAP)
		return ERR_PTR(-EINVAL);
	do {
		area = area_get_once(dev, dmabuf, flags);
	} while (!area);
	return area;
}
EXPORT_SYMBOL_GPL(berth_area_get);

struct berth_area *berth_area_get_fd(struct device *dev, int fd, unsigned int flags)
{
	struct dma_buf *dmabuf = dma_buf_get(fd);
	struct berth_area *area;

	if (IS_ERR(dmabuf))
		return ERR_CAST(dmabuf);
	area = berth_area_get(dev, dmabuf, flags);
	dma_buf_put(dmabuf);
	return area;
}
EXPORT_SYMBOL_GPL(berth_area_get_fd);

/* One more reference for somebody who was given one already. */
struct berth_area *berth_area_hold(struct berth_area *area)
{
	refcount_inc(&area->refs);
	return area;
}

/* End an area that is on the list of those. */
static void area_end(struct berth_area *area)
{
	/* After this the exporter's notifications and the work find nothing to do. */
	berth_area_shut(area);
	cancel_delayed_work_sync(&area->work);
	berth_area_detach(area);

	mutex_lock(&registry_lock);
	list_del(&area->node);
	atomic_inc(&areas_ended);
	mutex_unlock(&registry_lock);
	wake_up_all(&area_ended);
	area_free(area);
}

void berth_area_put(struct berth_area *area)
{
	if (IS_ERR_OR_NULL(area) || !refcount_dec_and_mutex_lock(&area->refs, &registry_lock))
		return;
	list_move(&area->node, &ending);
	mutex_unlock(&registry_lock);
	area_end(area);
}
EXPORT_SYMBOL_GPL(berth_area_put);

struct berth_window *berth_area_window(struct berth_area *area)
{
	return &area->window;
}
EXPORT_SYMBOL_GPL(berth_area_window);

u64 berth_area_size(const struct berth_area *area)
{
	return area->window.length;
}
EXPORT_SYMBOL_GPL(berth_area_size);

u32 berth_area_id(const struct berth_area *area)
{
	return area->id;
}
EXPORT_SYMBOL_GPL(berth_area_id);

void berth_area_revoke(struct berth_area *area)
{
	berth_area_shut(area);
	berth_area_detach(area);
	berth_area_work_queue(area, 0);
}
EXPORT_SYMBOL_GPL(berth_area_revoke);

void berth_area_listen(struct berth_area *area, struct berth_area_listener *listener)
{
	mutex_lock(&area->listen_lock);
	list_add_tail(&listener->node, &area->listeners);
	mutex_unlock(&area->listen_lock);
}
EXPORT_SYMBOL_GPL(berth_area_listen);

void berth_area_unlisten(struct berth_area *area, struct berth_area_listener *listener)
{
	if (!listener->node.next)
		return;
	mutex_lock(&area->listen_lock);
	list_del_init(&listener->node);
	mutex_unlock(&area->listen_lock);
}
EXPORT_SYMBOL_GPL(berth_area_unlisten);

void berth_area_work_queue(struct berth_area *area, unsigned long delay)
{
	mod_delayed_work(area_wq, &area->work, delay);
}

static void area_tell(struct berth_area *area)
{
	struct berth_area_listener *listener;
	enum berth_window_state state;
	bool tell;

	mutex_lock(&area->listen_lock);
	dma_resv_lock(area->dmabuf->resv, NULL);
	state = berth_window_state(&area->window);
	tell = area->tell && state != BERTH_WINDOW_MOVING;
	if (tell)
		area->tell = false;
	dma_resv_unlock(area->dmabuf->resv);
	if (tell)
		list_for_each_entry(listener, &area->listeners, node)
			listener->changed(listener, state);
	mutex_unlock(&area->listen_lock);
}

static void say_given_up(const struct berth_area *area, int err)
{
	if (err == -EADDRINUSE)
		pr_warn_ratelimited("area %u: revoked: exporter %s moved it to memory that has another owner, a NIC's binding probably\n",
				    area->id, area->dmabuf->exp_name);
	else
		pr_info_ratelimited("area %u: revoked: exporter %s does not map it: error %d\n",
				    area->id, area->dmabuf->exp_name, err);
}

/* After a move or a revocation: map again unless the area is revoked, then tell. */
static void area_work(struct work_struct *work)
{
	struct berth_area *area = container_of(to_delayed_work(work), struct berth_area, work);
	int err = berth_area_map(area);

	/* Moved once more: this work is queued again. */
	if (err == AREA_MOVED)
		return;
	if (err && berth_window_state(&area->window) != BERTH_WINDOW_REVOKED) {
		if (berth_area_map_may_pass(err) && ++area->tries < REMAP_TRIES) {
			berth_area_work_queue(area, REMAP_DELAY);
			return;
		}
		say_given_up(area, err);
		berth_area_shut(area);
		berth_area_detach(area);
	}
	area->tries = 0;
	area_tell(area);
}

/* Call show for every area that has been set up. It must not take a lock of area.h. */
void berth_areas_show(struct seq_file *s, void (*show)(struct seq_file *s, struct berth_area *area))
{
	struct berth_area *area;

	mutex_lock(&registry_lock);
	list_for_each_entry(area, &registry, node)
		if (completion_done(&area->set_up) && !area->set_up_error)
			show(s, area);
	mutex_unlock(&registry_lock);
}

int berth_areas_init(void)
{
	area_wq = alloc_workqueue("berth_netmem", WQ_UNBOUND, 0);
	return area_wq ? 0 : -ENOMEM;
}

/*
 * Nobody can call us any more. What is left was leaked by somebody who is gone; say what, and end
 * it, for its exporter would call into a module that is no longer there.
 */
void berth_areas_fini(void)
{
	struct berth_area *area, *next;

	list_for_each_entry_safe(area, next, &registry, node) {
		WARN(1, "berth_netmem: leaked area %u: %s, %llu bytes, device %s, %u references\n",
		     area->id, area->dmabuf->exp_name, area->window.length, dev_name(area->dev),
		     refcount_read(&area->refs));
		area_end(area);
	}
	destroy_workqueue(area_wq);
}
