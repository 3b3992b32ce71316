/* SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB */
/*
 * Memory that fuzz_wire's packets may reach by memory windows only, or as device memory; and what
 * lies around it, which has to stay as it is.
 */
#ifndef FUZZ_FIELD_H
#define FUZZ_FIELD_H

#include "vtest.h"

#define STRIP_BYTES	4096

enum field_window {
	FIELD_ANY,		/* type 1, everything is granted */
	FIELD_READ,		/* type 1, only to be read */
	FIELD_KEEPER,		/* type 2 of a QP that gets no packets */
	FIELD_VICTIM,		/* type 2 of a QP that does */
	FIELD_WINDOWS,
};

struct fuzz_field {
	struct vt_dev *dev;
	struct vt_buf *buf;		/* strips: one without a window, one with, and so on */
	struct vt_pair *keeper;		/* binds; nobody sends packets to it */
	struct ibv_mw *mw[FIELD_WINDOWS];
	struct ibv_dm *dm;
	struct ibv_mr *dm_mr;		/* of its middle */
};

/* What a packet says to get there. */
struct field_aim {
	uint32_t key;
	uint64_t addr;
	uint32_t size;
};

void field_new(struct fuzz_field *f, struct vt_dev *dev);

/** field_look() - Bind some windows anew; @ep may become the victim that has one of type 2. */
void field_look(struct fuzz_field *f, struct vt_ep *ep);

/** field_aim() - A window, the region beneath, or device memory. */
struct field_aim field_aim(const struct fuzz_field *f);

/** field_check() - Fail the case when anything was changed that no key allows to be. */
void field_check(const struct fuzz_field *f);

/** field_finish() - The windows that nobody could end still work. */
void field_finish(struct fuzz_field *f);

#endif
