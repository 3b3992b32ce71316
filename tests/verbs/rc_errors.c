// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * rc_errors: bad input from a program or a peer ends with the status that the specification names
 * (InfiniBand Architecture 1.x, chapters 9.9 and 10.10), touches no memory that it must not, and
 * leaves everything else at work. This file: the program and what its parts share.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rc_errors.h"

struct err_bench err_bench(const struct err_arg *t, const struct vt_opts *o, int dst_access)
{
	struct err_bench b = { .da = vt_open(vt_cfg.dev) };

	b.db = t->wire ? vt_open(vt_cfg.peer) : b.da;
	b.src = vt_buf_new(b.da, VT_HOST, ERR_SIZE, VT_ACCESS_ALL);
	b.dst = vt_buf_new(b.db, t->mem, ERR_SIZE, dst_access);
	b.p = vt_pair_new(b.da, b.db, o);
	return b;
}

void err_recovered(struct err_bench *b)
{
	struct vt_buf *src = vt_buf_new(b->da, VT_HOST, 5000, VT_ACCESS_ALL);
	struct vt_buf *dst = vt_buf_new(b->db, VT_HOST, 5000, VT_ACCESS_ALL);

	vt_pair_reset(b->p);
	vt_ping(b->p, src, dst, 5000);
}

void err_add(const char *name, vt_fn fn, struct err_arg a, unsigned int seconds)
{
	for (int wire = 0; wire <= !!vt_cfg.peer; wire++) {
		struct err_arg *arg = malloc(sizeof(*arg));
		char full[128];

		if (!arg) {
			perror("rc_errors");
			exit(2);
		}
		*arg = a;
		arg->wire = wire;
		snprintf(full, sizeof(full), "%s/%s", name, wire ? "wire" : "local");
		vt_add(full, fn, arg, seconds);
	}
}

static void add_cases(void)
{
	err_add_remote();
	err_add_local();
	err_add_recv();
	err_add_post();
	err_add_state();
	err_add_flow();
	err_add_mr();
}

int main(int argc, char **argv)
{
	return vt_main(argc, argv, add_cases);
}
