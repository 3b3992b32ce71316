/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Windows over a process's memory as it is now, whose pages come when they are needed and go when
 * the process or the kernel takes them away. window_paged.c reads and writes, paged_fault.c brings
 * pages in and takes them out.
 */
#ifndef _BERTH_NETMEM_WINDOW_PAGED_H
#define _BERTH_NETMEM_WINDOW_PAGED_H

#include <linux/atomic.h>
#include <linux/bottom_half.h>
#include <linux/completion.h>
#include <linux/mm.h>
#include <linux/mmu_notifier.h>
#include <linux/refcount.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>

#include <berth/netmem.h>

struct berth_window;

/* Pages of a leaf: a page's worth of entries. */
#define PAGED_LEAF_PAGES	512UL

/* An entry: the kernel's address of a page, and what it may be used for; 0: the page is not there. */
#define PAGED_READ	BIT(0)
#define PAGED_WRITE	BIT(1)
#define PAGED_RIGHTS	(PAGED_READ | PAGED_WRITE)

struct paged_leaf {
	unsigned long entry[PAGED_LEAF_PAGES];
};

/* Pages to bring in. Who gives a hint does not come back for an answer. */
struct paged_want {
	unsigned long first;
	unsigned long last;
	enum berth_paging how;
	bool hint;
};

/* A page that could not be had, for the access that comes back for it. */
struct paged_failure {
	unsigned long page;
	unsigned long until;	/* jiffies */
	bool write;
	bool valid;
};

#define PAGED_WANTS	32
#define PAGED_FAILURES	8

/**
 * struct window_paged - the state of a paged window
 * @notifier: of the range in the process; holds its mm_struct.
 * @first_page: page number of window page 0 in the process; constant.
 * @pages: how many; constant.
 * @first_offset: of the window's byte 0 in page 0; constant.
 * @writable: whether anybody may write; constant.
 * @gone: the process has no memory any more. Read without a lock.
 * @closed: the window is going: bring nothing in any more. Read without a lock.
 * @lock: readers hold it for reading while they touch pages; entries are written, and the notifier's
 *	sequence is set, while it is held for writing.
 * @writers: that wait for @lock or have it, with bottom halves disabled: readers that hold no lock of
 *	a window stand back, since those in softirq would pass a waiting writer again and again.
 * @leaves: leaf number -> struct paged_leaf; a leaf stays until the window goes.
 * @want_lock: what follows up to @failure_next.
 * @work: brings in what is wanted.
 * @users: one of the window, one for each prefetch under way.
 * @idle: @users is 0.
 */
struct window_paged {
	struct mmu_interval_notifier notifier;
	unsigned long first_page;
	unsigned long pages;
	u64 first_offset;
	bool writable;
	bool gone;
	bool closed;
	rwlock_t lock;
	atomic_t writers;
	struct xarray leaves;
	spinlock_t want_lock;
	struct paged_want wants[PAGED_WANTS];
	unsigned int want_count;
	struct paged_failure failures[PAGED_FAILURES];
	unsigned int failure_next;
	struct work_struct work;
	refcount_t users;
	struct completion idle;
};

static inline void paged_write_lock(struct window_paged *p) __acquires(&p->lock)
{
	local_bh_disable();
	atomic_inc(&p->writers);
	write_lock(&p->lock);
}

static inline void paged_write_unlock(struct window_paged *p) __releases(&p->lock)
{
	write_unlock(&p->lock);
	atomic_dec(&p->writers);
	local_bh_enable();
}

static inline void berth_paged_put(struct window_paged *p)
{
	if (refcount_dec_and_test(&p->users))
		complete(&p->idle);
}

/* A page's entry; 0: not there. @lock is held. */
static inline unsigned long paged_entry(struct window_paged *p, unsigned long page)
{
	const struct paged_leaf *leaf = xa_load(&p->leaves, page / PAGED_LEAF_PAGES);

	return leaf ? leaf->entry[page % PAGED_LEAF_PAGES] : 0;
}

/* The first page of a range that is not there with these rights; behind @last: all are. */
static inline unsigned long paged_missing(struct window_paged *p, unsigned long first,
					  unsigned long last, unsigned long rights)
{
	while (first <= last && (paged_entry(p, first) & rights) == rights)
		first++;
	return first;
}

#ifdef CONFIG_HMM_MIRROR
/* window_paged.c */
int berth_paged_write(struct berth_window *w, u64 off, const void *src, size_t len);
int berth_paged_read(struct berth_window *w, u64 off, void *dst, size_t len);
int berth_paged_check(struct berth_window *w, u64 off, size_t len, bool write);
int berth_paged_copy(struct berth_window *dw, u64 doff, struct berth_window *sw, u64 soff,
		     size_t len);
int berth_paged_pin(struct berth_window *w, u64 off, size_t len, void **at);
void berth_paged_unpin(struct berth_window *w);
int berth_paged_prepare(struct berth_window *w, u64 off, size_t len, bool write);
void berth_paged_free(struct window_paged *p);

/* paged_fault.c */
int berth_paged_watch(struct window_paged *p, struct mm_struct *mm);
void berth_paged_unwatch(struct window_paged *p);
int berth_paged_want(struct window_paged *p, const struct paged_want *want);
int berth_paged_fault(struct window_paged *p, unsigned long first, unsigned long last,
		      enum berth_paging how, unsigned long *failed);
int berth_paged_init(void);
void berth_paged_fini(void);
#else
/* There are none. */
static inline int berth_paged_init(void)
{
	return 0;
}

static inline void berth_paged_fini(void) {}

static inline int berth_paged_write(struct berth_window *w, u64 off, const void *src, size_t len)
{
	return -EOPNOTSUPP;
}

static inline int berth_paged_read(struct berth_window *w, u64 off, void *dst, size_t len)
{
	return -EOPNOTSUPP;
}

static inline int berth_paged_check(struct berth_window *w, u64 off, size_t len, bool write)
{
	return -EOPNOTSUPP;
}

static inline int berth_paged_copy(struct berth_window *dw, u64 doff, struct berth_window *sw,
				   u64 soff, size_t len)
{
	return -EOPNOTSUPP;
}

static inline int berth_paged_pin(struct berth_window *w, u64 off, size_t len, void **at)
{
	return -EOPNOTSUPP;
}

static inline int berth_paged_prepare(struct berth_window *w, u64 off, size_t len, bool write)
{
	return -EOPNOTSUPP;
}

static inline void berth_paged_unpin(struct berth_window *w) {}
static inline void berth_paged_free(struct window_paged *p) {}
#endif

#endif /* _BERTH_NETMEM_WINDOW_PAGED_H */
