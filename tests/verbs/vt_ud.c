// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/* See vt_ud.h. */
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "vt_ud.h"

static int destroy_qp(void *arg)
{
	return ibv_destroy_qp(arg);
}

static int destroy_ah(void *arg)
{
	return ibv_destroy_ah(arg);
}

static struct ibv_qp *make_qp(struct vt_ep *ep, const struct ud_opts *o)
{
	struct ibv_qp_init_attr_ex ia = {
		.qp_type = IBV_QPT_UD, .send_cq = ep->scq, .recv_cq = ep->rcq, .pd = ep->pd,
		.srq = o->srq,
		.comp_mask = IBV_QP_INIT_ATTR_PD,
		.cap = { .max_send_wr = o->wr, .max_recv_wr = o->wr, .max_send_sge = o->sge,
			 .max_recv_sge = o->sge, .max_inline_data = o->inline_data },
	};

	if (o->send_ops) {
		ia.comp_mask |= IBV_QP_INIT_ATTR_SEND_OPS_FLAGS;
		ia.send_ops_flags = o->send_ops;
	}
	return ibv_create_qp_ex(ep->dev->ctx, &ia);
}

void ud_ep_to_rts(struct vt_ep *ep, uint32_t qkey)
{
	struct ibv_qp_attr a = { .qp_state = IBV_QPS_INIT, .port_num = 1, .qkey = qkey };

	CHECK_ERRNO(ibv_modify_qp(ep->qp, &a, IBV_QP_STATE | IBV_QP_PKEY_INDEX | IBV_QP_PORT |
				  IBV_QP_QKEY), 0, "UD: RESET to INIT");
	a = (struct ibv_qp_attr){ .qp_state = IBV_QPS_RTR };
	CHECK_ERRNO(ibv_modify_qp(ep->qp, &a, IBV_QP_STATE), 0, "UD: INIT to RTR");
	a = (struct ibv_qp_attr){ .qp_state = IBV_QPS_RTS, .sq_psn = 0xfffff0 };
	CHECK_ERRNO(ibv_modify_qp(ep->qp, &a, IBV_QP_STATE | IBV_QP_SQ_PSN), 0, "UD: RTR to RTS");
}

struct vt_ep *ud_ep_new(struct vt_dev *dev, const struct ud_opts *o)
{
	struct vt_ep *ep = vt_zalloc(sizeof(*ep));

	ep->dev = dev;
	ep->pd = o->pd ? o->pd : dev->pd;
	ep->gid_index = vt_find_gid(dev, o->v6, &ep->gid);
	if (ep->gid_index < 0)
		vt_skip("%s has no RoCEv2 GID of an IPv%d address", dev->name, o->v6 ? 6 : 4);
	ep->scq = vt_cq_new(dev, (int)o->wr + 1, NULL);
	ep->rcq = vt_cq_new(dev, (int)o->wr + 1, NULL);
	ep->qp = make_qp(ep, o);
	CHECK(ep->qp, "creating a UD QP on %s: %s", dev->name, strerror(errno));
	vt_defer(destroy_qp, ep->qp, "ibv_destroy_qp");
	ud_ep_to_rts(ep, o->qkey);
	return ep;
}

struct ibv_ah *ud_ah_try(struct vt_ep *ep, const union ibv_gid *dgid)
{
	struct ibv_ah_attr attr = {
		.is_global = 1, .port_num = 1,
		.grh = { .dgid = *dgid, .hop_limit = 64, .sgid_index = (uint8_t)ep->gid_index,
			 .traffic_class = 8 },
	};

	return ibv_create_ah(ep->pd, &attr);
}

void ud_keep_ah(struct ibv_ah *ah)
{
	vt_defer(destroy_ah, ah, "ibv_destroy_ah");
}

struct ibv_ah *ud_ah(struct vt_ep *ep, const union ibv_gid *dgid)
{
	struct ibv_ah *ah = ud_ah_try(ep, dgid);

	CHECK(ah, "ibv_create_ah on %s: %s", ep->dev->name, strerror(errno));
	ud_keep_ah(ah);
	return ah;
}

int ud_post(struct vt_ep *ep, struct ibv_send_wr *wr, struct ibv_ah *ah, uint32_t qpn,
	    uint32_t qkey)
{
	struct ibv_send_wr *bad = NULL;
	int err;

	wr->wr.ud.ah = ah;
	wr->wr.ud.remote_qpn = qpn;
	wr->wr.ud.remote_qkey = qkey;
	err = ibv_post_send(ep->qp, wr, &bad);
	if (err)
		CHECK(bad == wr, "ibv_post_send failed without setting bad_wr");
	return err;
}

void ud_send(struct vt_ep *ep, uint64_t wr_id, struct ibv_sge sge, struct ibv_ah *ah, uint32_t qpn,
	     uint32_t qkey)
{
	struct ibv_send_wr wr = {
		.wr_id = wr_id, .sg_list = &sge, .num_sge = 1, .opcode = IBV_WR_SEND,
		.send_flags = IBV_SEND_SIGNALED,
	};

	CHECK_ERRNO(ud_post(ep, &wr, ah, qpn, qkey), 0, "posting a datagram");
}

static uint16_t ip_sum(const uint8_t *hdr)
{
	uint32_t sum = 0;

	for (int i = 0; i < 20; i += 2)
		sum += (uint32_t)hdr[i] << 8 | hdr[i + 1];
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

/* BTH 12, DETH 8, immediate 4, payload in words, ICRC 4. */
static uint32_t udp_payload(uint32_t payload, bool imm)
{
	return 12 + 8 + (imm ? 4 : 0) + ((payload + 3) & ~3U) + 4;
}

static void check_ipv4(const uint8_t *grh, const union ibv_gid *from, const union ibv_gid *to,
		       uint32_t payload, bool imm)
{
	static const uint8_t zero[20];
	const uint8_t *ip = grh + 20;

	CHECK(!memcmp(grh, zero, sizeof(zero)), "GRH: the first 20 bytes are not zero");
	CHECK_EQ(ip[0], 0x45, "GRH: version and header length");
	CHECK_EQ(ip[1], 8, "GRH: type of service");
	CHECK_EQ(ip[2] << 8 | ip[3], 28 + udp_payload(payload, imm), "GRH: total length");
	CHECK_EQ(ip[8], 64, "GRH: time to live");
	CHECK_EQ(ip[9], IPPROTO_UDP, "GRH: protocol");
	CHECK(!memcmp(ip + 12, from->raw + 12, 4), "GRH: source address");
	CHECK(!memcmp(ip + 16, to->raw + 12, 4), "GRH: destination address");
	CHECK_EQ(ip_sum(ip), 0xffff, "GRH: checksum of the IPv4 header");
}

static void check_ipv6(const uint8_t *grh, const union ibv_gid *from, const union ibv_gid *to,
		       uint32_t payload, bool imm)
{
	CHECK_EQ(grh[0] >> 4, 6, "GRH: version");
	CHECK_EQ((grh[0] & 15) << 4 | grh[1] >> 4, 8, "GRH: traffic class");
	CHECK_EQ(grh[4] << 8 | grh[5], 8 + udp_payload(payload, imm), "GRH: payload length");
	CHECK_EQ(grh[6], IPPROTO_UDP, "GRH: next header");
	CHECK_EQ(grh[7], 64, "GRH: hop limit");
	CHECK(!memcmp(grh + 8, from, 16), "GRH: source address");
	CHECK(!memcmp(grh + 24, to, 16), "GRH: destination address");
}

void ud_check_grh(const uint8_t *grh, const union ibv_gid *from, const union ibv_gid *to,
		  uint32_t payload, bool imm)
{
	if (from->global.subnet_prefix)
		check_ipv6(grh, from, to, payload, imm);
	else
		check_ipv4(grh, from, to, payload, imm);
}

void ud_expect(struct vt_ep *ep, uint64_t wr_id, const struct vt_ep *from, uint32_t payload)
{
	struct ibv_wc wc;

	vt_expect_wc(ep, ep->rcq, wr_id, IBV_WC_SUCCESS, "receiving a datagram", &wc);
	CHECK_EQ(wc.opcode, IBV_WC_RECV, "opcode of the completion");
	CHECK_EQ(wc.byte_len, UD_GRH + payload, "bytes received");
	CHECK_EQ(wc.src_qp, from->qp->qp_num, "source QP");
	CHECK_EQ(wc.wc_flags, IBV_WC_GRH, "flags of the completion");
	/* RoCEv2 over IPv6 or IPv4, as adapters tell it; rxe does not. */
	if (strncmp(ep->dev->name, "rxe", 3))
		CHECK_EQ(wc.sl, from->gid.global.subnet_prefix ? 9 : 10,
			 "service level, which is the kind of header");
	CHECK_EQ(wc.pkey_index, 0, "P_Key index");
}

union ibv_gid ud_group(bool v6, uint16_t n)
{
	const char *text = v6 ? "ff0e::77:0" : "::ffff:239.77.0.0";
	union ibv_gid gid;

	CHECK_EQ(inet_pton(AF_INET6, text, &gid), 1, "inet_pton");
	gid.raw[14] = (uint8_t)(n >> 8);
	gid.raw[15] = (uint8_t)n;
	return gid;
}
