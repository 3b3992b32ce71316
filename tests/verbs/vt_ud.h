/* SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB */
/* Datagram ends for the verbs test programs: QPs, address handles, sends, and the 40 bytes in front. */
#ifndef VT_UD_H
#define VT_UD_H

#include "vtest.h"

#define UD_QKEY		0x11223344
#define UD_GRH		40

struct ud_opts {
	struct ibv_pd *pd;	/* instead of the device's */
	uint32_t qkey;
	uint32_t wr;
	uint32_t sge;
	uint32_t inline_data;
	bool v6;
	uint64_t send_ops;	/* enum ibv_qp_create_send_ops_flags; 0: a plain QP */
	struct ibv_srq *srq;	/* takes the receives */
};

#define UD_OPTS ((struct ud_opts){ .qkey = UD_QKEY, .wr = 64, .sge = 4 })

/** ud_ep_new() - A UD QP in RTS with CQs of its own. */
struct vt_ep *ud_ep_new(struct vt_dev *dev, const struct ud_opts *o);

/** ud_ep_to_rts() - From RESET to RTS; fails the case when refused. */
void ud_ep_to_rts(struct vt_ep *ep, uint32_t qkey);

/** ud_ah_try() - An address handle in the end's PD; NULL and errno when refused. */
struct ibv_ah *ud_ah_try(struct vt_ep *ep, const union ibv_gid *dgid);

/** ud_ah() - The same; fails the case when refused, destroyed with the case. */
struct ibv_ah *ud_ah(struct vt_ep *ep, const union ibv_gid *dgid);

/** ud_keep_ah() - Have @ah destroyed with the case. */
void ud_keep_ah(struct ibv_ah *ah);

/** ud_post() - Post one datagram. Return: what ibv_post_send() returned. */
int ud_post(struct vt_ep *ep, struct ibv_send_wr *wr, struct ibv_ah *ah, uint32_t qpn,
	    uint32_t qkey);

/** ud_send() - Post a signalled SEND of one entry; fails the case when refused. */
void ud_send(struct vt_ep *ep, uint64_t wr_id, struct ibv_sge sge, struct ibv_ah *ah, uint32_t qpn,
	     uint32_t qkey);

/** ud_check_grh() - Fail the case unless @grh is what a datagram from @from to @to has in front. */
void ud_check_grh(const uint8_t *grh, const union ibv_gid *from, const union ibv_gid *to,
		  uint32_t payload, bool imm);

/** ud_group() - The MGID of a group: 239.77.x.y, or ff0e::77:n. */
union ibv_gid ud_group(bool v6, uint16_t n);

/** ud_expect() - Wait for a datagram and check all of its completion. */
void ud_expect(struct vt_ep *ep, uint64_t wr_id, const struct vt_ep *from, uint32_t payload);

#endif
