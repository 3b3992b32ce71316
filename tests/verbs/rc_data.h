/* SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB */
/* What the files of rc_data share: a case's parameters, and the two devices of a path. */
#ifndef RC_DATA_H
#define RC_DATA_H

#include "xfer.h"

enum rc_path { P_LOCAL, P_WIRE, P_PATHS };

extern const char *const rc_path_name[P_PATHS];

struct rc_arg {
	enum xfer_op op;
	enum rc_path path;
	enum vt_mem src, dst;
	enum ibv_mtu mtu;
	unsigned int n;
	bool flag;
};

/** rc_arg_new() - A copy that lives as long as the program. */
const struct rc_arg *rc_arg_new(struct rc_arg a);

/** rc_add() - vt_add() with a formatted name; leaves out wire cases when there is no peer. */
void rc_add(vt_fn fn, struct rc_arg a, unsigned int seconds, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

struct rc_devs {
	struct vt_dev *a, *b;	/* the same one on the local path */
};

struct rc_devs rc_open(enum rc_path path);

/** rc_requester() - Which device holds the source: READ pulls, so the responder has it. */
struct vt_dev *rc_src_dev(const struct rc_devs *d, enum xfer_op op);
struct vt_dev *rc_dst_dev(const struct rc_devs *d, enum xfer_op op);

void rc_data_add_matrix(void);
void rc_data_add_shape(void);
void rc_data_add_many(void);
void rc_data_add_big(void);

#endif
