// SPDX-License-Identifier: GPL-2.0
/*
 * Receiving datagrams: 40 bytes of global route header, then the payload, into the next receive.
 *
 * Over IPv4 the last 20 of the 40 bytes are the IPv4 header and the first 20 are zero (IBTA annex
 * A17, 17.4.5.2). A packet that is not for this QP, for which no receive is posted, or for which
 * the next receive is too small is dropped and counted, and the receive waits for the next one:
 * whoever knows the queue key must not be able to take a QP down or its receives away (volume 1,
 * 9.9.3: class D; hfi1, qib, hns and rxe do the same). What is wrong with the receive itself costs
 * the QP.
 *
 * Context: softirq, rq.lock held.
 */
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <net/ip.h>
#include <rdma/ib_mad.h>
#include "../landing/landing.h"
#include "../net/netns.h"
#include "../obj/cq.h"
#include "../obj/gsi.h"
#include "../obj/qp_state.h"
#include "../stats.h"
#include "../wire/packet.h"
#include "ud.h"

#define GRH_BYTES	40

/**
 * berth_ud_accepts - struct berth_transport.accepts
 * @qp: queue pair
 * @pkt: parsed, ICRC checked
 * @rx: where it came from
 *
 * Return: whether it is for this QP: of its network namespace, number and queue key.
 */
bool berth_ud_accepts(const struct berth_qp *qp, const struct berth_packet *pkt,
		      const struct berth_rx *rx)
{
	if (pkt->qpn != qp->wire_qpn || dev_net(qp->dev->ndev) != rx->net || pkt->qkey != qp->qkey)
		return false;
	return !qp->gsi || pkt->payload_len == IB_MGMT_MAD_SIZE;
}

static void put_ipv4(u8 *grh, const struct berth_packet *pkt, const struct berth_rx *rx)
{
	struct iphdr *iph = (struct iphdr *)(grh + GRH_BYTES - sizeof(*iph));
	u32 transport = berth_packet_wire_len(pkt->op, pkt->payload_len);

	memset(grh, 0, GRH_BYTES - sizeof(*iph));
	*iph = (struct iphdr) {
		.version = 4,
		.ihl = sizeof(*iph) / 4,
		.tos = rx->tos,
		.tot_len = htons(sizeof(*iph) + sizeof(struct udphdr) + transport),
		.id = htons(rx->id),
		.frag_off = rx->df ? htons(IP_DF) : 0,
		.ttl = rx->ttl,
		.protocol = IPPROTO_UDP,
		.saddr = rx->saddr.v4,
		.daddr = rx->daddr.v4,
	};
	ip_send_check(iph);
}

static void put_ipv6(u8 *grh, const struct berth_packet *pkt, const struct berth_rx *rx)
{
	struct ipv6hdr *iph = (struct ipv6hdr *)grh;
	u32 transport = berth_packet_wire_len(pkt->op, pkt->payload_len);

	static_assert(sizeof(*iph) == GRH_BYTES);
	memset(iph, 0, sizeof(*iph));
	ip6_flow_hdr(iph, rx->tos, rx->flow_label);
	iph->payload_len = htons(sizeof(struct udphdr) + transport);
	iph->nexthdr = IPPROTO_UDP;
	iph->hop_limit = rx->ttl;
	iph->saddr = rx->saddr.v6;
	iph->daddr = rx->daddr.v6;
}

/* The held receive has failed, and the QP with it. */
static void fail(struct berth_qp *qp, enum ib_wc_status status)
{
	struct berth_cqe cqe = { .status = status, .opcode = BERTH_WR_SEND };

	berth_rq_complete(qp, &cqe);
	berth_qp_fail_locked(qp, BERTH_NO_EVENT);
}

static void drop(struct berth_qp *qp)
{
	berth_count(qp->dev, BERTH_CNT_RX_DROPPED);
}

/* Makes sure that a receive is held. False: there is none, or it was no good. */
static bool take(struct berth_qp *qp)
{
	int ret = qp->rq.held ? 0 : berth_rq_take(qp);

	if (!ret)
		return true;
	if (ret == -EAGAIN)
		drop(qp);
	else if (qp->rq.held)
		fail(qp, IB_WC_LOC_QP_OP_ERR);
	else
		berth_qp_fail_locked(qp, IB_EVENT_QP_FATAL);
	return false;
}

/* Both parts, header and payload. Nothing is written unless all of it has room. */
static int land(struct berth_qp *qp, const struct berth_packet *pkt, struct berth_cursor *payload,
		const struct berth_rx *rx)
{
	struct berth_rq *rq = &qp->rq;
	u8 grh[GRH_BYTES] __aligned(4);
	struct berth_segs segs;
	int ret;

	ret = berth_landing_resolve(&qp->peer_keys, rq->pd, rq->sge, rq->num_sge,
				    GRH_BYTES + pkt->payload_len, IB_ACCESS_LOCAL_WRITE, rq->seg);
	if (ret < 0)
		return ret;
	segs = (struct berth_segs){ rq->seg, ret };
	if (rx->family == AF_INET)
		put_ipv4(grh, pkt, rx);
	else
		put_ipv6(grh, pkt, rx);
	ret = berth_landing_scatter(qp->dev, segs, 0, grh, sizeof(grh));
	if (ret)
		return ret;
	return berth_landing_from_skb(qp->dev, segs, GRH_BYTES, payload, pkt->payload_len);
}

static void complete_receive(struct berth_qp *qp, const struct berth_packet *pkt,
			     const struct berth_rx *rx)
{
	bool imm = pkt->op->flags & BERTH_OP_IMM;
	struct berth_cqe cqe = {
		.status = IB_WC_SUCCESS,
		.opcode = imm ? BERTH_WR_SEND_IMM : BERTH_WR_SEND,
		.flags = BERTH_CQE_GRH | (imm ? BERTH_CQE_IMM : 0) |
			 (rx->family == AF_INET ? BERTH_CQE_IPV4 : 0) |
			 (pkt->flags & BERTH_PKT_SE ? BERTH_CQE_SOLICITED : 0),
		.byte_len = GRH_BYTES + pkt->payload_len,
		.ex = (__force u32)pkt->imm,
		.src_qp = pkt->src_qpn,
	};

	if (qp->gsi && berth_gsi_vlan(qp->dev, rx, &cqe.vlan_id))
		cqe.flags |= BERTH_CQE_VLAN;
	berth_count_add(qp->dev, BERTH_CNT_RX_BYTES, pkt->payload_len);
	berth_rq_complete(qp, &cqe);
}

/**
 * berth_ud_request - struct berth_transport.request
 * @qp: queue pair
 * @pkt: accepted
 * @payload: at its payload
 * @rx: where it came from
 */
void berth_ud_request(struct berth_qp *qp, const struct berth_packet *pkt,
		      struct berth_cursor *payload, const struct berth_rx *rx)
{
	int ret;

	lockdep_assert_held(&qp->rq.lock);
	if (!berth_qp_responds(qp) || READ_ONCE(qp->failed)) {
		drop(qp);
		return;
	}
	if (!take(qp))
		return;
	if (GRH_BYTES + pkt->payload_len > qp->rq.capacity) {
		drop(qp);
		return;
	}
	ret = land(qp, pkt, payload, rx);
	if (!ret)
		complete_receive(qp, pkt, rx);
	else if (ret == -EAGAIN || ret == -EFAULT)
		drop(qp);	/* memory on the move, or an unreadable packet: the receive stays */
	else
		fail(qp, IB_WC_LOC_PROT_ERR);
}
