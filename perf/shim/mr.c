// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * The registrations that the shim has turned into dma-buf ones, and the lock of the shim.
 *
 * One mutex covers this list, the regions and the records; it is held across the real verbs for
 * registration and deregistration, so an address cannot be replaced and given back at the same
 * time, and a new registration cannot take the pointer of one that is being freed. fork() takes
 * it too, so that a child finds the lists whole; the child then gets private copies and an empty
 * list.
 */
#include "mr.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "../common/pattern.h"
#include "../common/say.h"
#include "options.h"
#include "record.h"
#include "region.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct mr_entry *entries;

static void tell_refusal(struct ibv_pd *pd, const struct mr_entry *entry, uint64_t iova,
			 unsigned int access, int err)
{
	const char *hint = "";

	if (err == EOPNOTSUPP || err == EPROTONOSUPPORT || err == ENOSYS)
		hint = ": this device takes no dma-bufs";
	else if (err == EINVAL && ((iova ^ entry->addr) & 4095))
		hint = ": iova and address must agree within a page";
	else if (err == EINVAL && (access & IBV_ACCESS_ON_DEMAND))
		hint = ": on-demand paging does not go with dma-bufs";
	say("%s: ibv_reg_dmabuf_mr of %zu bytes at %#lx (exporter %s, access %#x): %s%s",
	    ibv_get_device_name(pd->context->device), entry->length, (unsigned long)entry->addr,
	    shim_options.exporter.name, access, strerror(err), hint);
}

static int register_entry(struct mr_entry *entry, mr_reg_dmabuf reg_dmabuf, struct ibv_pd *pd,
			  uint64_t iova, unsigned int access)
{
	int err;

	entry->region = region_get(entry->addr, entry->length);
	if (!entry->region)
		return errno;
	errno = 0;
	entry->mr = reg_dmabuf(pd, entry->addr - entry->region->start, entry->length, iova,
			       entry->region->fd, (int)access);
	if (entry->mr) {
		/* libibverbs puts the offset there; the program expects its address. */
		entry->mr->addr = (void *)entry->addr;
		region_registered(entry->region);
		return 0;
	}
	err = errno ? errno : EINVAL;
	tell_refusal(pd, entry, iova, access, err);
	region_put(entry->region);
	return err;
}

/**
 * mr_register - register memory as a dma-buf
 * @reg_dmabuf: the real verb
 * @pd: for the verb
 * @addr: first byte
 * @length: bytes
 * @iova: for the verb
 * @access: for the verb
 *
 * Return: the registration, or NULL with errno set after one line.
 */
struct ibv_mr *mr_register(mr_reg_dmabuf reg_dmabuf, struct ibv_pd *pd, void *addr, size_t length,
			   uint64_t iova, unsigned int access)
{
	struct mr_entry *entry = calloc(1, sizeof(*entry));
	struct ibv_mr *mr;
	int err;

	if (!entry)
		return NULL;
	entry->addr = (uintptr_t)addr;
	entry->length = length;
	pthread_mutex_lock(&lock);
	err = register_entry(entry, reg_dmabuf, pd, iova, access);
	if (err) {
		pthread_mutex_unlock(&lock);
		free(entry);
		errno = err;
		return NULL;
	}
	mr = entry->mr;
	entry->next = entries;
	entries = entry;
	record_registered(entry);
	if (shim_options.verbose)
		say("%zu bytes at %p are in a dma-buf (exporter %s, offset %zu, rkey %#x)", length,
		    addr, shim_options.exporter.name,
		    (size_t)(entry->addr - entry->region->start), mr->rkey);
	pthread_mutex_unlock(&lock);
	return mr;
}

/**
 * mr_deregister - deregister memory of either kind
 * @dereg: the real verb
 * @mr: the registration
 *
 * Return: what the verb returned.
 */
int mr_deregister(mr_dereg dereg, struct ibv_mr *mr)
{
	struct mr_entry **at, *entry;
	int err;

	pthread_mutex_lock(&lock);
	for (at = &entries; *at && (*at)->mr != mr; at = &(*at)->next)
		;
	entry = *at;
	if (entry)
		record_dump(entry);
	err = dereg(mr);
	if (entry && !err) {
		*at = entry->next;
		region_put(entry->region);
		free(entry);
	}
	pthread_mutex_unlock(&lock);
	return err;
}

/**
 * mr_fill_all - put the pattern into each registration that does not carry it yet
 *
 * Byte i of a registration becomes byte i of the pattern.
 */
void mr_fill_all(void)
{
	struct mr_entry *e;
	uint8_t *view;

	pthread_mutex_lock(&lock);
	for (e = entries; e; e = e->next) {
		if (e->filled)
			continue;
		/* At its address the program may only read, or may have unmapped it. */
		view = region_view(e->region);
		if (!view)
			continue;
		region_begin_access(e->region, true);
		berth_pattern_fill(view + (e->addr - e->region->start), e->length,
				   shim_options.seed, 0);
		region_end_access(e->region, true);
		region_unview(e->region, view);
		e->filled = true;
		record_filled(e);
	}
	pthread_mutex_unlock(&lock);
}

static void before_fork(void)
{
	pthread_mutex_lock(&lock);
}

static void after_fork_in_parent(void)
{
	pthread_mutex_unlock(&lock);
}

/* The only thread of the child; what it holds of the lists is a copy that nobody else sees. */
static void after_fork_in_child(void)
{
	region_forget_in_child();
	entries = NULL;
	pthread_mutex_unlock(&lock);
}

/**
 * mr_setup - prepare for fork()
 *
 * Context: the constructor.
 */
void mr_setup(void)
{
	pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
}
