/* SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB */
/* SRQs whose QPs fuzz_wire's packets are for; the owner of some writes over their rings meanwhile. */
#ifndef FUZZ_SRQ_H
#define FUZZ_SRQ_H

#include <pthread.h>

#include "vtest.h"

#define SRQ_ENTRIES	64	/* most that it is given */
#define SRQ_SGES	2

struct fuzz_srq {
	struct vt_dev *dev;
	struct ibv_pd *pd;
	struct ibv_srq *srq;
	uint32_t max_wr;
	struct vt_buf *pond;	/* all that receives may be written to */
	uint32_t foreign[4];	/* keys of other domains, for scribbles */
	unsigned long limits;	/* events of reached limits */
	bool scribbled;
	/* The thread that scribbles; the lock protects all that follows. */
	pthread_mutex_t lock;
	pthread_t thread;
	bool stop;
	uint64_t seed;
	struct berth_srq_ring *ring;	/* our own mapping of it */
	size_t ring_bytes;
	uint32_t entries;
};

/** srq_start() - Create one; @scribbled: in a domain of its own, and with a thread that scribbles. */
void srq_start(struct fuzz_srq *q, struct vt_dev *dev, bool scribbled);

/** srq_look() - Post receives, arm limits, change the size. */
void srq_look(struct fuzz_srq *q);

/** srq_finish() - No more scribbles: messages from @from arrive whole, limits are told. */
void srq_finish(struct fuzz_srq *q, struct vt_dev *from);

#endif
