/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Multicast: which QPs are attached to which groups. A group is an MGID of a device: an IPv6
 * multicast address, or an IPv4 one mapped to IPv6. Its netdev is a member as long as a QP is attached.
 *
 * Packets find the attachments under RCU, in a hash table of all devices.
 */
#ifndef BERTH_OBJ_MCAST_H
#define BERTH_OBJ_MCAST_H

#include <rdma/ib_verbs.h>

struct berth_cursor;
struct berth_packet;
struct berth_rx;

#define BERTH_MCAST_QPN		0xffffff
#define BERTH_MAX_MCAST_GROUP	4096	/* of a device */
#define BERTH_MAX_MCAST_ATTACH	64	/* QPs of a group: one softirq serves them all */

int berth_mcast_attach(struct ib_qp *ib, union ib_gid *gid, u16 lid);
int berth_mcast_detach(struct ib_qp *ib, union ib_gid *gid, u16 lid);
void berth_mcast_deliver(const struct berth_packet *pkt, const struct berth_cursor *payload,
			 const struct berth_rx *rx);

#endif
