/* SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB */
/* The parts of rc_life. */
#ifndef RC_LIFE_H
#define RC_LIFE_H

void life_add_kill(void);
void life_add_gone(void);
void life_add_move(void);

#endif
