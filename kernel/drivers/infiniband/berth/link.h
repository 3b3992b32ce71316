/* SPDX-License-Identifier: GPL-2.0 */
/* `rdma link add NAME type berth netdev DEV`, and what happens to a link when its netdev changes. */
#ifndef BERTH_LINK_H
#define BERTH_LINK_H

int berth_link_init(void);
void berth_link_fini(void);

#endif
