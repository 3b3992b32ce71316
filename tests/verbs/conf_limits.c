// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * conformance: a device has as many objects of a kind as it says, and not one more. The kinds whose
 * end is near enough to be reached are tried; what the kernel's own consumers have counts too, so
 * a few are missing from the beginning.
 */
#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "conformance.h"
#include "vtest.h"

/* As many may belong to others: to the kernel, and the PD of the device that the case opened. */
#define OTHERS	64

struct kind {
	const char *name;
	void *(*make)(struct vt_dev *d);
	int (*unmake)(void *object);
	int (*max)(const struct ibv_device_attr *attr);
};

static void *make_pd(struct vt_dev *d)
{
	return ibv_alloc_pd(d->ctx);
}

static int unmake_pd(void *pd)
{
	return ibv_dealloc_pd(pd);
}

static int max_pd(const struct ibv_device_attr *attr)
{
	return attr->max_pd;
}

static void *make_srq(struct vt_dev *d)
{
	struct ibv_srq_init_attr attr = { .attr = { .max_wr = 1, .max_sge = 1 } };

	return ibv_create_srq(d->pd, &attr);
}

static int unmake_srq(void *srq)
{
	return ibv_destroy_srq(srq);
}

static int max_srq(const struct ibv_device_attr *attr)
{
	return attr->max_srq;
}

static const struct kind pd = { "PD", make_pd, unmake_pd, max_pd };
static const struct kind srq = { "SRQ", make_srq, unmake_srq, max_srq };

struct hoard {
	const struct kind *kind;
	struct vt_dev *d;
	void **object;
	int count;
	int err;	/* what ended it */
	int failed;	/* what unmaking answered, 0: all well */
};

/* Thread: until there are no more. */
static void *fill(void *arg)
{
	struct hoard *h = arg;
	int max = h->kind->max(&h->d->attr);

	h->err = 0;
	while (h->count <= max) {
		errno = 0;
		h->object[h->count] = h->kind->make(h->d);
		if (!h->object[h->count]) {
			h->err = errno;
			break;
		}
		h->count++;
	}
	return NULL;
}

static void *empty(void *arg)
{
	struct hoard *h = arg;

	while (h->count) {
		int err = h->kind->unmake(h->object[--h->count]);

		h->failed = h->failed ? h->failed : err;
	}
	return NULL;
}

static struct hoard hoard(const struct kind *kind, struct vt_dev *d)
{
	size_t room = (size_t)kind->max(&d->attr) + 1;

	return (struct hoard){ .kind = kind, .d = d, .object = vt_zalloc(room * sizeof(void *)) };
}

static void both(void *(*fn)(void *), struct hoard *h)
{
	pthread_t thread;

	CHECK_ERRNO(pthread_create(&thread, NULL, fn, &h[1]), 0, "pthread_create");
	fn(&h[0]);
	CHECK_ERRNO(pthread_join(thread, NULL), 0, "pthread_join");
}

static void reach(const void *arg)
{
	const struct kind *kind = arg;
	struct vt_dev *d = vt_open(vt_cfg.dev);
	struct hoard h[2] = { hoard(kind, d), hoard(kind, d) };
	int max = kind->max(&d->attr), all;

	fill(&h[0]);
	all = h[0].count;
	CHECK_ERRNO(h[0].err, ENOMEM, "one more than there are");
	CHECK(all <= max && all >= max - OTHERS, "%d %ss could be made, the device says %d", all,
	      kind->name, max);

	/* One is given back, one can be had. */
	CHECK_ERRNO(kind->unmake(h[0].object[--h[0].count]), 0, "destroying one");
	fill(&h[0]);
	CHECK_EQ(h[0].count, all, "after one was destroyed");
	CHECK_ERRNO(h[0].err, ENOMEM, "one more than there are");
	empty(&h[0]);

	/* Two at a time get as many together; nobody is refused while there is one. */
	both(fill, h);
	CHECK_EQ(h[0].count + h[1].count, all, "made by two threads");
	CHECK_ERRNO(h[0].err, ENOMEM, "the end, first thread");
	CHECK_ERRNO(h[1].err, ENOMEM, "the end, second thread");
	both(empty, h);
	CHECK_ERRNO(h[0].failed ? h[0].failed : h[1].failed, 0, "destroying all");
}

void conf_add_limits(void)
{
	vt_add("limits/pd", reach, &pd, 120);
	vt_add("limits/srq", reach, &srq, 240);
}
