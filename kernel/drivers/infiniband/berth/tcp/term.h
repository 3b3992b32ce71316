/* SPDX-License-Identifier: GPL-2.0 */
/* Which segment a Terminate is about: naming it, and telling which one was named. Pure. */
#ifndef BERTH_TCP_TERM_H
#define BERTH_TCP_TERM_H

#include "../wire/fpdu.h"

void berth_term_name(struct berth_term *term, struct berth_term_error error,
		     const struct berth_fpdu *f);
int berth_term_named(const struct berth_term *term, struct berth_ddp *seg);

#endif
