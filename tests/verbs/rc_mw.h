/* SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB */
/* What the files of rc_mw share. */
#ifndef RC_MW_H
#define RC_MW_H

#include <errno.h>
#include <stdlib.h>

#include "vtest.h"

#define MW_SIZE		40000
#define MW_MANY		20
#define MW_ACCESS	(VT_ACCESS_ALL | IBV_ACCESS_REMOTE_ATOMIC | IBV_ACCESS_MW_BIND)

struct mw_arg {
	bool wire;
	size_t row;
};

/* Two connected ends, a source and a target of MW_SIZE bytes. */
struct mw_bench {
	struct vt_dev *da, *db;
	struct vt_pair *p;
	struct vt_buf *src, *dst;
};

struct mw_bench mw_bench(const void *arg, struct vt_opts *o);

/** mw_recovered() - Reset both ends and prove that they work again. */
void mw_recovered(struct mw_bench *b);

/** mw_post() - Post one request. Return: errno. */
int mw_post(struct vt_ep *ep, struct ibv_send_wr *wr);

/** mw_inv() - Post a LOCAL_INV, signalled. */
int mw_inv(struct vt_ep *ep, uint64_t wr_id, uint32_t rkey, unsigned int flags);

/** mw_add() - vt_add() once per path. */
void mw_add(const char *name, vt_fn fn, size_t row);

void mw_add_bind(void);
void mw_add_rereg(void);

#endif
