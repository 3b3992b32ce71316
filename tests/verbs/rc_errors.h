/* SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB */
/* What the files of rc_errors share: the bench of a case with two connected ends and buffers. */
#ifndef RC_ERRORS_H
#define RC_ERRORS_H

#include "vtest.h"

/* A requester with a source, a responder with a target; size bytes each. */
struct err_bench {
	struct vt_dev *da, *db;
	struct vt_pair *p;
	struct vt_buf *src, *dst;
};

struct err_arg {
	bool wire;
	enum vt_mem mem;	/* of the target */
	const void *table;
	size_t row;
};

#define ERR_SIZE	40000

/** err_bench() - Open, connect with @o, allocate; @dst_access is of the target's MR. */
struct err_bench err_bench(const struct err_arg *t, const struct vt_opts *o, int dst_access);

/** err_recovered() - Reset both ends and prove that they work again. */
void err_recovered(struct err_bench *b);

/** err_add() - vt_add() once per path: the name gets "/local" and "/wire". */
void err_add(const char *name, vt_fn fn, struct err_arg a, unsigned int seconds);

void err_add_remote(void);
void err_add_local(void);
void err_add_recv(void);
void err_add_post(void);
void err_add_state(void);
void err_add_flow(void);
void err_add_mr(void);

#endif
