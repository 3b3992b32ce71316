// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * Devices, GIDs and queue pairs. Two ends of one process may sit on two devices: addresses are
 * exchanged through memory, and whether the bytes take a wire depends on the devices alone.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vtest.h"

static int close_device(void *arg)
{
	return ibv_close_device(arg) ? errno : 0;
}

static int dealloc_pd(void *arg)
{
	return ibv_dealloc_pd(arg);
}

static int destroy_cq(void *arg)
{
	return ibv_destroy_cq(arg);
}

static int destroy_qp(void *arg)
{
	return ibv_destroy_qp(arg);
}

static struct ibv_context *open_by_name(const char *name)
{
	struct ibv_device **list = ibv_get_device_list(NULL);
	struct ibv_context *ctx = NULL;
	bool seen = false;

	CHECK(list, "ibv_get_device_list: %s", strerror(errno));
	for (int i = 0; list[i]; i++) {
		if (strcmp(ibv_get_device_name(list[i]), name))
			continue;
		seen = true;
		ctx = ibv_open_device(list[i]);
	}
	CHECK(seen, "no RDMA device %s (is its provider installed?)", name);
	CHECK(ctx, "ibv_open_device(%s): %s", name, strerror(errno));
	ibv_free_device_list(list);
	return ctx;
}

struct vt_dev *vt_open(const char *name)
{
	struct vt_dev *dev = vt_zalloc(sizeof(*dev));

	dev->name = name;
	dev->ctx = open_by_name(name);
	vt_defer(close_device, dev->ctx, "ibv_close_device");
	CHECK_ERRNO(ibv_query_device(dev->ctx, &dev->attr), 0, "ibv_query_device");
	CHECK_ERRNO(ibv_query_port(dev->ctx, 1, &dev->port), 0, "ibv_query_port");
	dev->pd = vt_pd_new(dev);
	return dev;
}

struct ibv_pd *vt_pd_new(struct vt_dev *dev)
{
	struct ibv_pd *pd = ibv_alloc_pd(dev->ctx);

	CHECK(pd, "ibv_alloc_pd on %s: %s", dev->name, strerror(errno));
	vt_defer(dealloc_pd, pd, "ibv_dealloc_pd");
	return pd;
}

static bool is_v4(const union ibv_gid *gid)
{
	return !gid->global.subnet_prefix && !memcmp(gid->raw + 8, "\0\0\xff\xff", 4);
}

static bool is_link_local(const union ibv_gid *gid)
{
	return gid->raw[0] == 0xfe && (gid->raw[1] & 0xc0) == 0x80;
}

int vt_find_gid(struct vt_dev *dev, bool v6, union ibv_gid *gid)
{
	int found = -1;

	for (int i = 0; i < dev->port.gid_tbl_len && i < 256; i++) {
		struct ibv_gid_entry e;

		if (ibv_query_gid_ex(dev->ctx, 1, (uint32_t)i, &e, 0))
			continue;
		if (e.gid_type != IBV_GID_TYPE_ROCE_V2 || is_v4(&e.gid) == v6)
			continue;
		/* Link-local addresses carry no scope over the wire: only when there is no other. */
		if (found >= 0 && is_link_local(&e.gid))
			continue;
		*gid = e.gid;
		found = i;
		if (!is_link_local(&e.gid))
			break;
	}
	return found;
}

unsigned int vt_mtu_bytes(enum ibv_mtu mtu)
{
	return 128U << mtu;
}

struct ibv_cq *vt_cq_new(struct vt_dev *dev, int cqe, struct ibv_comp_channel *chan)
{
	struct ibv_cq *cq = ibv_create_cq(dev->ctx, cqe, NULL, chan, 0);

	CHECK(cq, "ibv_create_cq of %d entries: %s", cqe, strerror(errno));
	vt_defer(destroy_cq, cq, "ibv_destroy_cq");
	return cq;
}

static struct ibv_qp *create_qp(struct vt_ep *ep, struct ibv_qp_init_attr *ia, uint64_t send_ops)
{
	struct ibv_qp_init_attr_ex ex = {
		.send_cq = ia->send_cq, .recv_cq = ia->recv_cq, .srq = ia->srq, .cap = ia->cap,
		.qp_type = ia->qp_type, .sq_sig_all = ia->sq_sig_all, .pd = ep->pd,
		.comp_mask = IBV_QP_INIT_ATTR_PD | IBV_QP_INIT_ATTR_SEND_OPS_FLAGS,
		.send_ops_flags = send_ops,
	};
	struct ibv_qp *qp;

	if (!send_ops)
		return ibv_create_qp(ep->pd, ia);
	qp = ibv_create_qp_ex(ep->dev->ctx, &ex);
	ia->cap = ex.cap;
	return qp;
}

void vt_ep_create(struct vt_ep *ep, struct vt_dev *dev, const struct vt_opts *o, int side)
{
	struct ibv_qp_init_attr ia = {
		.qp_type = o->type, .sq_sig_all = o->sig_all,
		.cap = { .max_send_wr = o->send_wr, .max_recv_wr = o->recv_wr,
			 .max_send_sge = o->send_sge, .max_recv_sge = o->recv_sge,
			 .max_inline_data = o->inline_data },
	};

	*ep = (struct vt_ep){ .dev = dev, .psn = o->psn[side] };
	ep->pd = o->pd[side] ? o->pd[side] : dev->pd;
	ep->gid_index = vt_find_gid(dev, o->v6, &ep->gid);
	if (ep->gid_index < 0)
		vt_skip("%s has no RoCEv2 GID of an IPv%d address", dev->name, o->v6 ? 6 : 4);
	ep->scq = o->cq[side];
	if (!ep->scq)
		ep->scq = vt_cq_new(dev, (int)(o->send_wr + o->recv_wr + 1), o->chan[side]);
	ep->rcq = ep->scq;
	if (!o->cq[side] && o->separate_rcq)
		ep->rcq = vt_cq_new(dev, (int)o->recv_wr + 1, o->chan[side]);
	ia.srq = o->srq[side];
	ia.send_cq = ep->scq;
	ia.recv_cq = ep->rcq;
	ep->qp = create_qp(ep, &ia, o->send_ops);
	CHECK(ep->qp, "ibv_create_qp on %s: %s", dev->name, strerror(errno));
	vt_defer(destroy_qp, ep->qp, "ibv_destroy_qp");
	ep->cap = ia.cap;
	CHECK(ia.cap.max_send_wr >= o->send_wr && (ia.srq || ia.cap.max_recv_wr >= o->recv_wr) &&
	      ia.cap.max_send_sge >= o->send_sge &&
	      (ia.srq || ia.cap.max_recv_sge >= o->recv_sge) &&
	      ia.cap.max_inline_data >= o->inline_data, "ibv_create_qp granted less than asked");
}

int vt_ep_to_init(struct vt_ep *ep, const struct vt_opts *o)
{
	struct ibv_qp_attr a = { .qp_state = IBV_QPS_INIT, .port_num = 1,
				 .qp_access_flags = o->qp_access };

	return ibv_modify_qp(ep->qp, &a, IBV_QP_STATE | IBV_QP_PKEY_INDEX | IBV_QP_PORT |
			     IBV_QP_ACCESS_FLAGS);
}

int vt_ep_to_rtr_raw(struct vt_ep *ep, const struct vt_opts *o, const union ibv_gid *dgid,
		     uint32_t qpn, uint32_t psn)
{
	struct ibv_qp_attr a = {
		.qp_state = IBV_QPS_RTR, .path_mtu = o->mtu ? o->mtu : ep->dev->port.active_mtu,
		.dest_qp_num = qpn, .rq_psn = psn, .max_dest_rd_atomic = o->rd_atomic,
		.min_rnr_timer = o->min_rnr_timer,
		.ah_attr = { .is_global = 1, .port_num = 1,
			     .grh = { .dgid = *dgid, .hop_limit = 64,
				      .sgid_index = (uint8_t)ep->gid_index } },
	};

	int mask = IBV_QP_STATE | IBV_QP_AV | IBV_QP_PATH_MTU | IBV_QP_DEST_QPN | IBV_QP_RQ_PSN;

	if (o->type == IBV_QPT_RC)
		mask |= IBV_QP_MAX_DEST_RD_ATOMIC | IBV_QP_MIN_RNR_TIMER;
	return ibv_modify_qp(ep->qp, &a, mask);
}

int vt_ep_to_rtr(struct vt_ep *ep, const struct vt_ep *peer, const struct vt_opts *o)
{
	return vt_ep_to_rtr_raw(ep, o, &peer->gid, peer->qp->qp_num, peer->psn);
}

int vt_ep_to_rts(struct vt_ep *ep, const struct vt_opts *o)
{
	struct ibv_qp_attr a = {
		.qp_state = IBV_QPS_RTS, .sq_psn = ep->psn, .timeout = o->timeout,
		.retry_cnt = o->retry, .rnr_retry = o->rnr_retry, .max_rd_atomic = o->rd_atomic,
	};

	int mask = IBV_QP_STATE | IBV_QP_SQ_PSN;

	if (o->type == IBV_QPT_RC)
		mask |= IBV_QP_TIMEOUT | IBV_QP_RETRY_CNT | IBV_QP_RNR_RETRY | IBV_QP_MAX_QP_RD_ATOMIC;
	return ibv_modify_qp(ep->qp, &a, mask);
}

int vt_ep_to_state(struct vt_ep *ep, enum ibv_qp_state state)
{
	struct ibv_qp_attr a = { .qp_state = state };

	return ibv_modify_qp(ep->qp, &a, IBV_QP_STATE);
}

enum ibv_qp_state vt_ep_state(struct vt_ep *ep)
{
	struct ibv_qp_init_attr ia;
	struct ibv_qp_attr a = { };

	CHECK_ERRNO(ibv_query_qp(ep->qp, &a, IBV_QP_STATE, &ia), 0, "ibv_query_qp");
	return a.qp_state;
}

void vt_expect_state(struct vt_ep *ep, enum ibv_qp_state state, const char *what)
{
	uint64_t end = vt_now_ms() + 5000 * vt_cfg.slow;

	while (vt_ep_state(ep) != state && vt_now_ms() < end)
		vt_sleep_ms(1);
	CHECK_EQ(vt_ep_state(ep), state, what);
}

void vt_ep_destroy_qp(struct vt_ep *ep)
{
	vt_undefer(ep->qp);
	CHECK_ERRNO(ibv_destroy_qp(ep->qp), 0, "ibv_destroy_qp");
	ep->qp = NULL;
}

static void connect_pair(struct vt_pair *p)
{
	CHECK_ERRNO(vt_ep_to_init(&p->a, &p->opts), 0, "RESET to INIT");
	CHECK_ERRNO(vt_ep_to_init(&p->b, &p->opts), 0, "RESET to INIT of the peer");
	CHECK_ERRNO(vt_ep_to_rtr(&p->b, &p->a, &p->opts), 0, "INIT to RTR of the peer");
	CHECK_ERRNO(vt_ep_to_rtr(&p->a, &p->b, &p->opts), 0, "INIT to RTR");
	CHECK_ERRNO(vt_ep_to_rts(&p->b, &p->opts), 0, "RTR to RTS of the peer");
	CHECK_ERRNO(vt_ep_to_rts(&p->a, &p->opts), 0, "RTR to RTS");
}

struct vt_pair *vt_pair_new(struct vt_dev *da, struct vt_dev *db, const struct vt_opts *o)
{
	struct vt_pair *p = vt_zalloc(sizeof(*p));

	p->opts = *o;
	if (!p->opts.mtu)
		p->opts.mtu = da->port.active_mtu < db->port.active_mtu ? da->port.active_mtu
			      : db->port.active_mtu;
	if (p->opts.mtu > da->port.active_mtu || p->opts.mtu > db->port.active_mtu)
		vt_skip("path MTU %u does not fit the netdev (active MTU %u)",
			vt_mtu_bytes(p->opts.mtu), vt_mtu_bytes(da->port.active_mtu));
	vt_ep_create(&p->a, da, &p->opts, 0);
	vt_ep_create(&p->b, db, &p->opts, 1);
	connect_pair(p);
	return p;
}

void vt_pair_reset(struct vt_pair *p)
{
	CHECK_ERRNO(vt_ep_to_state(&p->a, IBV_QPS_RESET), 0, "to RESET");
	CHECK_ERRNO(vt_ep_to_state(&p->b, IBV_QPS_RESET), 0, "to RESET of the peer");
	connect_pair(p);
}
