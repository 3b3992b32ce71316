// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * conformance: what a later libibverbs may ask for and this device does not know is refused, never
 * ignored: every bit of every set of flags, and every type of QP.
 */
#include <errno.h>
#include <string.h>

#include "conformance.h"
#include "vtest.h"

#define LEN	4096

/* Every bit of send_flags on every operation; what was refused leaves no trace. */
static void send_flags(const void *arg)
{
	static const enum ibv_wr_opcode ops[] = {
		IBV_WR_SEND, IBV_WR_SEND_WITH_IMM, IBV_WR_RDMA_WRITE, IBV_WR_RDMA_WRITE_WITH_IMM,
		IBV_WR_RDMA_READ,
	};
	struct vt_dev *d = vt_open(vt_cfg.dev);
	struct vt_buf *src = vt_buf_new(d, VT_HOST, LEN, VT_ACCESS_ALL);
	struct vt_buf *dst = vt_buf_new(d, VT_HOST, LEN, VT_ACCESS_ALL);
	struct vt_opts o = VT_OPTS;
	struct vt_pair *p = vt_pair_new(d, d, &o);

	(void)arg;
	for (size_t op = 0; op < sizeof(ops) / sizeof(ops[0]); op++)
		for (int bit = 4; bit < 32; bit++)	/* IBV_SEND_IP_CSUM is for raw packets */
			CHECK_ERRNO(vt_send(&p->a, 1, ops[op], vt_sge(src, 0, 64), dst, 0,
					    IBV_SEND_SIGNALED | 1U << bit), EINVAL, "unknown send flag");
	vt_poll_none(p->a.scq, 20, "after refused requests");
	vt_buf_check(dst, 0, LEN, "target of refused requests");
	vt_ping(p, src, dst, 1000);
}

/* Every opcode that is none of ours, through ibv_post_send(). */
static void opcodes(const void *arg)
{
	struct vt_dev *d = vt_open(vt_cfg.dev);
	struct vt_buf *src = vt_buf_new(d, VT_HOST, LEN, VT_ACCESS_ALL);
	struct vt_buf *dst = vt_buf_new(d, VT_HOST, LEN, VT_ACCESS_ALL);
	struct vt_opts o = VT_OPTS;
	struct vt_pair *p = vt_pair_new(d, d, &o);

	(void)arg;
	for (unsigned int op = IBV_WR_TSO; op < 1024; op++)
		if (op != IBV_WR_ATOMIC_WRITE)
			CHECK_ERRNO(vt_send(&p->a, 1, (enum ibv_wr_opcode)op, vt_sge(src, 0, 64), dst,
					    0, IBV_SEND_SIGNALED), EINVAL, "unknown opcode");
	vt_poll_none(p->a.scq, 20, "after refused requests");
	vt_ping(p, src, dst, 1000);
}

static void access_flags(const void *arg)
{
	struct vt_dev *d = vt_open(vt_cfg.dev);
	struct vt_buf *buf = vt_buf_alloc(VT_HOST, LEN);
	struct vt_buf *dma = vt_buf_alloc(VT_UDMABUF, LEN);

	(void)arg;
	for (int bit = 10; bit < 32; bit++) {
		unsigned int flag = 1U << bit;

		/* These are hints by definition: a device ignores those that it does not know. */
		if (flag & IBV_ACCESS_OPTIONAL_RANGE)
			continue;
		errno = 0;
		CHECK(!ibv_reg_mr(d->pd, buf->ptr, LEN, (int)(IBV_ACCESS_LOCAL_WRITE | flag)) && errno,
		      "ibv_reg_mr accepted access flag %#x", flag);
		CHECK(!ibv_reg_dmabuf_mr(d->pd, dma->offset, LEN, dma->iova, dma->fd,
					 (int)(IBV_ACCESS_LOCAL_WRITE | flag)),
		      "ibv_reg_dmabuf_mr accepted access flag %#x", flag);
	}
	CHECK(!ibv_reg_dmabuf_mr(d->pd, dma->offset, LEN, dma->iova, dma->fd,
				 IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_ON_DEMAND),
	      "ibv_reg_dmabuf_mr accepted on-demand paging");
	CHECK(!ibv_reg_dmabuf_mr(d->pd, dma->offset, LEN, dma->iova, dma->fd,
				 IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_ZERO_BASED),
	      "ibv_reg_dmabuf_mr accepted a zero-based region");
}

static void on_demand(const void *arg)
{
	struct vt_dev *d = vt_open(vt_cfg.dev);
	struct vt_buf *buf = vt_buf_alloc(VT_HOST, LEN);
	struct ibv_device_attr_ex attr = { };
	struct ibv_mr *mr;

	(void)arg;
	CHECK_ERRNO(ibv_query_device_ex(d->ctx, NULL, &attr), 0, "ibv_query_device_ex");
	errno = 0;
	mr = ibv_reg_mr(d->pd, buf->ptr, LEN, IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_ON_DEMAND);
	CHECK(!mr == !(attr.odp_caps.general_caps & IBV_ODP_SUPPORT),
	      "on-demand paging: %s, but the capability says %#llx", mr ? "granted" : strerror(errno),
	      (unsigned long long)attr.odp_caps.general_caps);
	if (mr)
		CHECK_ERRNO(ibv_dereg_mr(mr), 0, "ibv_dereg_mr");
}

static struct ibv_qp_init_attr_ex qp_attr(struct vt_dev *d, struct ibv_cq *cq, enum ibv_qp_type type)
{
	return (struct ibv_qp_init_attr_ex){
		.qp_type = type, .send_cq = cq, .recv_cq = cq, .pd = d->pd, .comp_mask = IBV_QP_INIT_ATTR_PD,
		.cap = { .max_send_wr = 4, .max_recv_wr = 4, .max_send_sge = 1, .max_recv_sge = 1 },
	};
}

static void no_qp(struct vt_dev *d, struct ibv_qp_init_attr_ex *ia, const char *what, unsigned int bit)
{
	errno = 0;
	CHECK(!ibv_create_qp_ex(d->ctx, ia), "ibv_create_qp_ex accepted %s, bit or number %u", what, bit);
	CHECK(errno == EINVAL || errno == EOPNOTSUPP, "ibv_create_qp_ex with %s %u: %s, expected EINVAL or EOPNOTSUPP",
	      what, bit, strerror(errno));
}

static void qp_flags(const void *arg)
{
	static const enum ibv_qp_type types[] = { IBV_QPT_RC, IBV_QPT_UD };
	struct vt_dev *d = vt_open(vt_cfg.dev);
	struct ibv_cq *cq = vt_cq_new(d, 16, NULL);

	(void)arg;
	for (int t = 0; t < 2; t++) {
		for (unsigned int bit = 0; bit < 32; bit++) {
			struct ibv_qp_init_attr_ex ia = qp_attr(d, cq, types[t]);

			ia.comp_mask |= IBV_QP_INIT_ATTR_CREATE_FLAGS;
			ia.create_flags = 1U << bit;
			no_qp(d, &ia, "creation flag", bit);
		}
		for (unsigned int bit = 7; bit < 32; bit++) {
			struct ibv_qp_init_attr_ex ia = qp_attr(d, cq, types[t]);

			ia.comp_mask |= 1U << bit;
			no_qp(d, &ia, "component", bit);
		}
		for (unsigned int bit = 13; bit < 64; bit++) {
			struct ibv_qp_init_attr_ex ia = qp_attr(d, cq, types[t]);

			ia.comp_mask |= IBV_QP_INIT_ATTR_SEND_OPS_FLAGS;
			ia.send_ops_flags = IBV_QP_EX_WITH_SEND | 1ULL << bit;
			no_qp(d, &ia, "send operation", bit);
		}
	}
}

static void qp_types(const void *arg)
{
	struct vt_dev *d = vt_open(vt_cfg.dev);
	struct ibv_cq *cq = vt_cq_new(d, 16, NULL);

	(void)arg;
	for (unsigned int type = 0; type < 600; type++) {
		struct ibv_qp_init_attr ia = {
			.qp_type = (enum ibv_qp_type)type, .send_cq = cq, .recv_cq = cq,
			.cap = { .max_send_wr = 4, .max_recv_wr = 4, .max_send_sge = 1, .max_recv_sge = 1 },
		};
		struct ibv_qp *qp;

		if ((uint8_t)type >= IBV_QPT_RC && (uint8_t)type <= IBV_QPT_UD)
			continue;
		errno = 0;
		qp = ibv_create_qp(d->pd, &ia);
		CHECK(!qp, "ibv_create_qp accepted type %u", type);
		CHECK(errno == EINVAL || errno == EOPNOTSUPP, "ibv_create_qp of type %u: %s", type,
		      strerror(errno));
	}
}

static void cq_flags(const void *arg)
{
	struct vt_dev *d = vt_open(vt_cfg.dev);

	(void)arg;
	for (unsigned int bit = 0; bit < 64; bit++) {
		struct ibv_cq_init_attr_ex ia = { .cqe = 16, .wc_flags = 1ULL << bit };
		struct ibv_cq_ex *cq;

		if (ia.wc_flags < IBV_WC_EX_WITH_CVLAN)	/* what every device has to have */
			continue;
		if (ia.wc_flags == IBV_WC_EX_WITH_COMPLETION_TIMESTAMP ||
		    ia.wc_flags == IBV_WC_EX_WITH_COMPLETION_TIMESTAMP_WALLCLOCK)
			continue;
		cq = ibv_create_cq_ex(d->ctx, &ia);
		CHECK(!cq, "ibv_create_cq_ex accepted completion field bit %u", bit);
	}
	for (unsigned int bit = 2; bit < 32; bit++) {
		struct ibv_cq_init_attr_ex ia = { .cqe = 16, .comp_mask = 1U << bit };

		CHECK(!ibv_create_cq_ex(d->ctx, &ia), "ibv_create_cq_ex accepted component bit %u", bit);
		ia = (struct ibv_cq_init_attr_ex){ .cqe = 16, .comp_mask = IBV_CQ_INIT_ATTR_MASK_FLAGS,
						   .flags = 1U << bit };
		CHECK(!ibv_create_cq_ex(d->ctx, &ia), "ibv_create_cq_ex accepted flag bit %u", bit);
	}
}

void conf_add_flags(void)
{
	vt_add("flags/send", send_flags, NULL, 0);
	vt_add("flags/opcodes", opcodes, NULL, 0);
	vt_add("flags/access", access_flags, NULL, 0);
	vt_add("flags/on_demand", on_demand, NULL, 0);
	vt_add("flags/qp", qp_flags, NULL, 0);
	vt_add("flags/qp_types", qp_types, NULL, 0);
	vt_add("flags/cq", cq_flags, NULL, 0);
}
