/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A burst: consecutive packets of one QP that leave as one skb (UDP GSO when more than one). All but
 * the last have the same length on the wire.
 *
 * begin, then for i = 0, 1, ...: berth_burst_packet() gives the memory of packet i; finally send
 * (with the number of packets that were filled) or cancel. Lives on the stack of its user, under the
 * lock of one side of the QP.
 */
#ifndef BERTH_NET_BURST_H
#define BERTH_NET_BURST_H

#include <linux/types.h>
#include "../obj/qp.h"
#include "../wire/packet.h"

#define BERTH_BURST_MAX		64	/* packets */
#define BERTH_BURST_BUFS	20

struct berth_burst {
	struct berth_qp *qp;
	struct berth_path *path;
	struct sk_buff *skb;
	u32 seg_len;		/* UDP payload of every packet but the last */
	u32 last_len;		/* of the last */
	u32 count;
	u32 per_buf;		/* packets in a buffer; 0: all in the linear part */
	u32 bufs;
	u8 *buf[BERTH_BURST_BUFS];
};

int berth_burst_begin(struct berth_burst *b, struct berth_qp *qp, u32 count, u32 seg_len,
		      u32 last_len);
int berth_burst_begin_on(struct berth_burst *b, struct berth_qp *qp, struct berth_path *path,
			 u32 count, u32 seg_len, u32 last_len);
u8 *berth_burst_packet(const struct berth_burst *b, u32 i);
void berth_burst_send(struct berth_burst *b, u32 count);
void berth_burst_cancel(struct berth_burst *b);
u32 berth_burst_limit(struct berth_qp *qp, u32 seg_len);
int berth_burst_single(struct berth_qp *qp, const struct berth_packet *pkt);

#endif
