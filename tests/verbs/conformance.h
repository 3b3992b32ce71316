/* SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB */
/* The parts of the program conformance: each adds its cases. */
#ifndef CONFORMANCE_H
#define CONFORMANCE_H

void conf_add_state(void);
void conf_add_flags(void);
void conf_add_keys(void);
void conf_add_isolation(void);
void conf_add_dm(void);
void conf_add_limits(void);
void conf_add_null_mr(void);

#endif
