/* SPDX-License-Identifier: GPL-2.0 */
/* TCP-offload QPs, for transport.c and main.c. */
#ifndef BERTH_TCP_TCP_H
#define BERTH_TCP_TCP_H

#include "../transport.h"

int berth_tcp_module_init(void);
void berth_tcp_module_fini(void);

extern const struct berth_transport berth_tcp_transport;
extern const struct berth_transport berth_iw_transport;	/* of links of type berth_iw */

#endif
