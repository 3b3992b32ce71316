/* SPDX-License-Identifier: GPL-2.0 */
/* Two connected RC QPs of a kernel consumer, for the tests of kernel verbs. */
#ifndef KVERBS_PAIR_H
#define KVERBS_PAIR_H

#include <linux/completion.h>
#include <rdma/ib_verbs.h>

#define KV_DEPTH	64
#define KV_PAGES	16
#define KV_BYTES	(KV_PAGES * PAGE_SIZE)

/* One end: its objects, and KV_PAGES pages that do not follow each other. */
struct kv_end {
	struct ib_device *dev;
	struct ib_pd *pd;
	struct ib_cq *cq;
	struct ib_qp *qp;
	struct ib_mr *mr;
	int gid_index;
	union ib_gid gid;
	void *page[KV_PAGES];
	struct scatterlist sg[KV_PAGES];
	void *flat;		/* KV_BYTES in one piece */
};

struct kv_pair {
	struct kv_end a, b;
};

/* A request that somebody waits for. */
struct kv_wait {
	struct ib_cqe cqe;
	struct completion done;
	struct ib_wc wc;
};

int kv_pair_init(struct kv_pair *p, struct ib_device *a, struct ib_device *b,
		 enum ib_poll_context poll);
void kv_pair_fini(struct kv_pair *p);

void kv_wait_init(struct kv_wait *w);
int kv_wait(struct kv_end *e, struct kv_wait *w);
void kv_fill(void *buf, size_t len, u32 seed);
int kv_map_pages(struct kv_end *e);
int kv_check_pages(struct kv_end *e, size_t from, const void *want, size_t len);

#endif
