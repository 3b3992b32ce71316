// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * Regions: the pages of a program that a dma-buf has taken the place of.
 *
 * A registration covers whole pages, and memory from malloc() shares its first and last page with
 * other data. So the old content of all pages is copied into the dma-buf before it is mapped over
 * them, and copied back when the last registration goes: neighbours keep their values, at the
 * same addresses. The window between copy and mapping is closed for this thread (nothing is
 * allocated or written in between); another thread that writes to a neighbour in that window
 * loses the write, which is why buffers that share pages with busy data should be aligned.
 *
 * Registrations inside one region share its dma-buf. One that covers more than an existing region
 * is refused: a dma-buf cannot be swapped under a live registration, and a registration cannot
 * span two. Memory that the program has mapped over a region is not in it: it gets one of its own.
 *
 * All functions run under the lock of mr.c, region_forget_in_child() in the only thread of a child.
 */
#define _GNU_SOURCE
#include "region.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <linux/dma-buf.h>

#include "../common/say.h"
#include "maps.h"
#include "options.h"

static struct region *regions;

struct replaceable {
	uintptr_t next;
	int prot;
	bool first;
};

static int check_range(const struct maps_range *range, void *arg)
{
	struct replaceable *check = arg;
	const char *why = NULL;

	if (range->start != check->next)
		return -EFAULT;
	if (range->shared)
		why = "shared memory: it cannot be replaced; use private memory (perftest: neither --use_hugepages nor --mmap)";
	else if (strstr(range->name, "anon_hugepage"))
		why = "made of huge pages: they cannot be replaced page by page";
	else if (!strncmp(range->name, "[stack", 6))
		why = "a stack: it cannot be replaced while it is in use";
	else if (!(range->prot & PROT_READ))
		why = "not readable";
	else if (!check->first && range->prot != check->prot)
		why = "of mixed protection";
	if (why) {
		say("memory at %#lx is %s", (unsigned long)range->start, why);
		return -EOPNOTSUPP;
	}
	check->first = false;
	check->prot = range->prot;
	check->next = range->end;
	return 0;
}

/* The stack that this function runs on: but for the main thread's, stacks have no name. */
static bool on_own_stack(uintptr_t start, uintptr_t end)
{
	pthread_attr_t attr;
	bool overlaps = false;
	size_t size;
	void *low;

	if (pthread_getattr_np(pthread_self(), &attr))
		return false;
	if (!pthread_attr_getstack(&attr, &low, &size))
		overlaps = start < (uintptr_t)low + size && (uintptr_t)low < end;
	pthread_attr_destroy(&attr);
	return overlaps;
}

/* May [start, end) be replaced? Returns 0, or a negative errno after one line. */
static int check_replaceable(uintptr_t start, uintptr_t end, int *prot)
{
	struct replaceable check = {
		.next = start,
		.first = true,
	};
	int err;

	if (on_own_stack(start, end)) {
		say("memory at %#lx is a stack: it cannot be replaced while it is in use",
		    (unsigned long)start);
		return -EOPNOTSUPP;
	}
	err = maps_walk(start, end, check_range, &check);
	if (!err && check.next != end)
		err = -EFAULT;
	if (err && err != -EOPNOTSUPP)
		say("cannot replace memory at %#lx, %lu bytes: %s", (unsigned long)start,
		    (unsigned long)(end - start), err == -EFAULT ? "it is not all mapped" :
		    strerror(-err));
	*prot = check.prot;
	return err;
}

static void sync_access(int fd, uint64_t flags)
{
	struct dma_buf_sync sync = { .flags = flags };

	while (ioctl(fd, DMA_BUF_IOCTL_SYNC, &sync) && (errno == EINTR || errno == EAGAIN))
		;
}

/**
 * region_begin_access - tell the exporter that the CPU is going to touch the memory
 * @region: touched
 * @write: also written
 */
void region_begin_access(const struct region *region, bool write)
{
	sync_access(region->fd, DMA_BUF_SYNC_START | (write ? DMA_BUF_SYNC_RW : DMA_BUF_SYNC_READ));
}

/**
 * region_end_access - tell the exporter that the CPU is done
 * @region: touched
 * @write: as at the beginning
 */
void region_end_access(const struct region *region, bool write)
{
	sync_access(region->fd, DMA_BUF_SYNC_END | (write ? DMA_BUF_SYNC_RW : DMA_BUF_SYNC_READ));
}

/**
 * region_view - map the dma-buf another time
 * @region: to map
 *
 * Whatever the program has at the region's addresses, and may do with it.
 *
 * Return: the first page, readable and writable, for region_unview(), or NULL with errno set after
 * one line.
 */
void *region_view(const struct region *region)
{
	void *view = mmap(NULL, region->length, PROT_READ | PROT_WRITE, MAP_SHARED, region->fd, 0);

	if (view != MAP_FAILED)
		return view;
	say("exporter %s: its dma-buf cannot be mapped: %s", shim_options.exporter.name,
	    strerror(errno));
	return NULL;
}

/**
 * region_unview - the end of region_view()
 * @region: that was mapped
 * @view: where
 */
void region_unview(const struct region *region, void *view)
{
	munmap(view, region->length);
}

/* Copies the pages into the dma-buf and maps it over them. Says one line on failure. */
static int take_place(const struct region *region)
{
	void *view = region_view(region), *place;

	if (!view)
		return -errno;
	region_begin_access(region, true);
	memcpy(view, (void *)region->start, region->length);
	place = mmap((void *)region->start, region->length, region->prot, MAP_SHARED | MAP_FIXED,
		     region->fd, 0);
	region_end_access(region, true);
	region_unview(region, view);
	if (place == MAP_FAILED) {
		int err = -errno;

		say("exporter %s: its dma-buf cannot be mapped at %#lx: %s",
		    shim_options.exporter.name, (unsigned long)region->start, strerror(-err));
		return err;
	}
	return 0;
}

/* Replaces what lies at @start by private memory with the content seen at @content. */
static int put_private(uintptr_t start, size_t length, const void *content, int prot)
{
	void *fresh;

	fresh = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (fresh == MAP_FAILED)
		return -errno;
	memcpy(fresh, content, length);
	if (!(prot & PROT_WRITE))
		mprotect(fresh, length, prot);
	if (mremap(fresh, length, length, MREMAP_MAYMOVE | MREMAP_FIXED,
		   (void *)start) == MAP_FAILED) {
		int err = -errno;

		munmap(fresh, length);
		return err;
	}
	return 0;
}

/* The program may have unmapped a part, and got other memory there: only ours is put back. */
static int give_back_range(const struct maps_range *range, void *arg)
{
	const struct stat *ours = arg;

	if (range->dev != ours->st_dev || range->inode != ours->st_ino)
		return 0;
	return put_private(range->start, range->end - range->start, (void *)range->start,
			   range->prot);
}

static void give_place_back(const struct region *region)
{
	struct stat ours;
	int err;

	if (fstat(region->fd, &ours))
		return;
	region_begin_access(region, false);
	err = maps_walk(region->start, region->start + region->length, give_back_range, &ours);
	region_end_access(region, false);
	if (err)
		say("memory at %#lx stays in the dma-buf: %s", (unsigned long)region->start,
		    strerror(-err));
}

struct presence {
	struct stat ours;
	uintptr_t next;
	bool some, all;
};

static int note_presence(const struct maps_range *range, void *arg)
{
	struct presence *p = arg;
	bool is_ours = range->dev == p->ours.st_dev && range->inode == p->ours.st_ino;

	p->some |= is_ours;
	p->all &= is_ours && range->start == p->next;
	p->next = range->end;
	return 0;
}

/* Where is the dma-buf still? The program may have unmapped it, and got other memory there. */
static void look_for(const struct region *r, uintptr_t start, uintptr_t end, bool *some, bool *all)
{
	struct presence p = { .next = start, .all = true };

	if (fstat(r->fd, &p.ours) || maps_walk(start, end, note_presence, &p)) {
		*some = true;
		*all = false;
		return;
	}
	*some = p.some;
	*all = p.all && p.next == end;
}

/*
 * Finds a region that holds [start, end), and is there. *clash is set when one overlaps otherwise;
 * one whose addresses have come to be other memory altogether is none of it.
 */
static struct region *find(uintptr_t start, uintptr_t end, struct region **clash)
{
	uintptr_t from, to;
	struct region *r;
	bool some, all;

	*clash = NULL;
	for (r = regions; r; r = r->next) {
		from = start > r->start ? start : r->start;
		to = end < r->start + r->length ? end : r->start + r->length;
		if (from >= to)
			continue;
		look_for(r, from, to, &some, &all);
		if (all && from == start && to == end)
			return r;
		if (some)
			*clash = r;
	}
	return NULL;
}

static struct region *create(uintptr_t start, uintptr_t end)
{
	struct region *r;
	int err;

	r = calloc(1, sizeof(*r));
	if (!r)
		return NULL;
	r->start = start;
	r->length = end - start;
	err = check_replaceable(start, end, &r->prot);
	if (err)
		goto free_region;
	r->fd = exporter_alloc(&shim_options.exporter, r->length, shim_options.bar_offset,
			       &r->device_offset);
	if (r->fd < 0) {
		err = r->fd;
		goto free_region;
	}
	err = take_place(r);
	if (err)
		goto close_dmabuf;
	r->next = regions;
	regions = r;
	return r;

close_dmabuf:
	close(r->fd);
free_region:
	free(r);
	errno = -err;
	return NULL;
}

/**
 * region_get - have a dma-buf in the place of memory
 * @addr: first byte
 * @length: bytes, not 0
 *
 * Return: a region that holds the range, with one more user, or NULL with errno set after one line.
 */
struct region *region_get(uintptr_t addr, size_t length)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
	uintptr_t start = addr & ~(page - 1), end;
	struct region *r, *clash;

	if (__builtin_add_overflow(addr, length, &end) || end > UINTPTR_MAX - page) {
		say("memory at %#lx, %zu bytes, is out of the address space",
		    (unsigned long)addr, length);
		errno = EFAULT;
		return NULL;
	}
	end = (end + page - 1) & ~(page - 1);
	r = find(start, end, &clash);
	if (!r && clash) {
		say("memory at %#lx, %zu bytes, shares pages with a live registration at %#lx; align buffers to pages, or register the larger range first",
		    (unsigned long)addr, length, (unsigned long)clash->start);
		errno = EBUSY;
		return NULL;
	}
	if (!r)
		r = create(start, end);
	if (r)
		r->users++;
	return r;
}

/**
 * region_registered - the region stays where it is: the next one goes behind it, in the device
 * @region: from region_get(), with a registration
 */
void region_registered(const struct region *region)
{
	if (region->device_offset != EXPORTER_ANYWHERE &&
	    region->device_offset == shim_options.bar_offset)
		shim_options.bar_offset += region->length;
}

/**
 * region_put - give up a region
 * @region: from region_get(); after its last user the program has ordinary memory again
 */
void region_put(struct region *region)
{
	struct region **at;

	if (--region->users)
		return;
	for (at = &regions; *at != region; at = &(*at)->next)
		;
	*at = region->next;
	give_place_back(region);
	close(region->fd);
	free(region);
}

/**
 * region_forget_in_child - after fork(), give the child copies of its own
 *
 * A dma-buf mapping is shared, so without this a child's writes to its heap would reach the parent.
 */
void region_forget_in_child(void)
{
	struct region *r;

	for (r = regions; r; r = r->next) {
		give_place_back(r);
		close(r->fd);
	}
	regions = NULL;
}
