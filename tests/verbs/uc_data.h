/* SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB */
/* What the files of uc_data share. */
#ifndef UC_DATA_H
#define UC_DATA_H

#include "xfer.h"

/* Opcodes of UC; where the bytes take their way. */
struct uc_arg {
	enum xfer_op op;
	bool wire;
	enum vt_mem src, dst;
	enum ibv_mtu mtu;	/* 0: the port's */
	bool v6;
};

/* Two devices, or one twice; connected, or to be connected. */
struct uc_bench {
	struct vt_dev *da, *db;
	struct vt_opts opts;
	struct vt_pair *p;
	struct vt_buf *src, *dst;
};

/** uc_bench_new() - Buffers of @size bytes and a connected pair. */
struct uc_bench uc_bench_new(const struct uc_arg *a, size_t size);

/**
 * uc_run() - One message and a SEND of no bytes behind it, which arrives later than the message.
 * Completions, bytes and everything around them are checked.
 */
void uc_run(struct uc_bench *b, struct xfer *x);

/** uc_add() - A case "uc/NAME/local" and one "uc/NAME/wire". */
void uc_add(const char *name, vt_fn fn, struct uc_arg a);

void uc_errors_add(void);

#endif
