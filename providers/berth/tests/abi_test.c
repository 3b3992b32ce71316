// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * Whether private_abi_34.h describes the libibverbs that is installed: every slot of the operation
 * table that the provider sets is called through, or read back from, libibverbs.
 */
#include <fcntl.h>
#include <string.h>

#include "../berth.h"
#include "check.h"
#include "mock_kernel.h"

struct ibv_context *verbs_open_device(struct ibv_device *device, void *private_data);

unsigned int checks_done;
unsigned int checks_failed;

static struct verbs_context_ops ops;
static unsigned int called;

static struct ibv_mr *reg_dmabuf_mr_op(struct ibv_pd *pd, uint64_t offset, size_t length,
				       uint64_t iova, int fd, int access)
{
	static struct ibv_mr mr;

	CHECK(!pd->handle && offset == 1 && length == 2 && iova == 3 && fd == 4 && access == 5);
	called |= 1;
	return &mr;
}

static int query_port_op(struct ibv_context *context, uint8_t port, struct ibv_port_attr *attr)
{
	(void)context;
	CHECK(port == 9 && attr);
	called |= 2;
	return 0;
}

static struct ibv_cq_ex *create_cq_ex_op(struct ibv_context *context,
					 struct ibv_cq_init_attr_ex *attr)
{
	static struct ibv_cq_ex cq;

	(void)context;
	CHECK(attr->cqe == 11);
	called |= 4;
	return &cq;
}

static void free_context_op(struct ibv_context *context)
{
	called |= 8;
	verbs_uninit_context(container_of(context, struct verbs_context, context));
}

/* Every other slot holds its own number. */
static void fill_ops(void)
{
	uintptr_t slot[sizeof(ops) / sizeof(void *)];
	unsigned int i;

	for (i = 0; i < sizeof(slot) / sizeof(slot[0]); i++)
		slot[i] = 0x1000 + i;
	memcpy(&ops, slot, sizeof(ops));
	ops.reg_dmabuf_mr = reg_dmabuf_mr_op;
	ops.query_port = query_port_op;
	ops.create_cq_ex = create_cq_ex_op;
	ops.free_context = free_context_op;
}

static struct verbs_context *alloc_context_op(struct ibv_device *device, int cmd_fd,
					      void *private_data)
{
	struct berth_context *ctx;

	CHECK(private_data == &called);
	CHECK(cmd_fd == -1);
	ctx = verbs_init_and_alloc_context(device, open("/dev/null", O_RDWR), ctx, vctx,
					   BERTH_DRIVER_ID);
	if (!ctx)
		return NULL;
	verbs_set_ops(&ctx->vctx, &ops);
	return &ctx->vctx;
}

static const struct verbs_device_ops device_ops = {
	.name = "test",
	.alloc_context = alloc_context_op,
};

#define SAME(visible, op) CHECK((uintptr_t)(visible) == (uintptr_t)ops.op)

static void check_ops(struct verbs_context *vctx)
{
	struct ibv_context_ops *pub = &vctx->context.ops;

	SAME(pub->poll_cq, poll_cq);
	SAME(pub->post_send, post_send);
	SAME(pub->post_recv, post_recv);
	SAME(pub->req_notify_cq, req_notify_cq);
	SAME(pub->_compat_alloc_pd, alloc_pd);
	SAME(pub->_compat_dealloc_pd, dealloc_pd);
	SAME(pub->_compat_attach_mcast, attach_mcast);
	SAME(pub->_compat_detach_mcast, detach_mcast);
	SAME(pub->_compat_create_ah, create_ah);
	SAME(pub->_compat_destroy_ah, destroy_ah);
	SAME(pub->_compat_create_cq, create_cq);
	SAME(pub->_compat_destroy_cq, destroy_cq);
	SAME(pub->_compat_create_qp, create_qp);
	SAME(pub->_compat_modify_qp, modify_qp);
	SAME(pub->_compat_query_qp, query_qp);
	SAME(pub->_compat_destroy_qp, destroy_qp);
	SAME(pub->_compat_create_srq, create_srq);
	SAME(pub->_compat_modify_srq, modify_srq);
	SAME(pub->_compat_query_srq, query_srq);
	SAME(pub->_compat_destroy_srq, destroy_srq);
	SAME(pub->post_srq_recv, post_srq_recv);
	SAME(pub->_compat_reg_mr, reg_mr);
	SAME(pub->_compat_dereg_mr, dereg_mr);
	SAME(vctx->advise_mr, advise_mr);
	SAME(vctx->alloc_dm, alloc_dm);
	SAME(pub->_compat_resize_cq, resize_cq);
	SAME(vctx->alloc_null_mr, alloc_null_mr);
	SAME(vctx->alloc_parent_domain, alloc_parent_domain);
	SAME(vctx->alloc_td, alloc_td);
	SAME(vctx->dealloc_td, dealloc_td);
	SAME(pub->_compat_rereg_mr, rereg_mr);
	SAME(pub->alloc_mw, alloc_mw);
	SAME(pub->bind_mw, bind_mw);
	SAME(pub->dealloc_mw, dealloc_mw);
	SAME(vctx->create_qp_ex, create_qp_ex);
	SAME(vctx->free_dm, free_dm);
	SAME(vctx->query_device_ex, query_device_ex);
	SAME(vctx->query_rt_values, query_rt_values);
	SAME(vctx->reg_dm_mr, reg_dm_mr);
}

static void check_calls(struct verbs_context *vctx)
{
	struct ibv_cq_init_attr_ex cq_attr = { .cqe = 11 };
	struct ibv_pd pd = { .context = &vctx->context };
	struct ibv_port_attr port;

	CHECK(ibv_reg_dmabuf_mr(&pd, 1, 2, 3, 4, 5));
	ibv_query_port(&vctx->context, 9, &port);
	CHECK(ibv_create_cq_ex(&vctx->context, &cq_attr));
}

/* libibverbs must find out from the mask whether a QP has the ibv_wr_* operations. */
static void check_qp_mask(struct verbs_context *vctx, bool ex)
{
	struct ibv_pd pd = { .context = &vctx->context };
	struct ibv_cq cq = { .context = &vctx->context };
	struct ibv_qp_init_attr_ex attr = {
		.send_cq = &cq,
		.recv_cq = &cq,
		.qp_type = IBV_QPT_RC,
		.comp_mask = IBV_QP_INIT_ATTR_PD,
		.pd = &pd,
	};
	struct {
		struct ibv_create_qp ibv_cmd;
		struct berth_create_qp_req drv;
	} cmd = { .drv.flags = 0x55 };
	struct {
		struct ib_uverbs_create_qp_resp ibv_resp;
		struct berth_create_qp_resp drv;
	} resp = {};
	struct {
		struct verbs_qp vqp;
		uint64_t guard;
	} qp = { .guard = 0x6775617264 };

	int more_ops;

	verbs_qp_prepare(&qp.vqp);
	CHECK(!ibv_cmd_create_qp_ex(&vctx->context, &qp.vqp, &attr, &cmd.ibv_cmd, sizeof(cmd),
				    &resp.ibv_resp, sizeof(resp)));
	CHECK(mock.qp_req.flags == 0x55);
	CHECK(resp.drv.sq_entries == MOCK_SQ_ENTRIES);
	more_ops = verbs_qp_mark_ex(&qp.vqp, ex);
	CHECK(more_ops >= 0);
	if (more_ops > 0)
		verbs_qp_set_atomic_write(&qp.vqp, (verbs_atomic_write_fn)0x5555);
	CHECK(ibv_qp_to_qp_ex(&qp.vqp.qp) == (ex ? &qp.vqp.qp_ex : NULL));
#ifdef HAVE_WR_ATOMIC_WRITE
	/* These headers have it; the libibverbs that runs may be older. */
	CHECK(!more_ops || (uintptr_t)qp.vqp.qp_ex.wr_atomic_write == 0x5555);
	CHECK(VERBS_WR_ATOMIC_WRITE == (int)IBV_WR_ATOMIC_WRITE);
	CHECK(VERBS_WC_ATOMIC_WRITE == (int)IBV_WC_ATOMIC_WRITE);
	CHECK(VERBS_QP_EX_WITH_ATOMIC_WRITE == (int)IBV_QP_EX_WITH_ATOMIC_WRITE);
#endif
	CHECK(qp.guard == 0x6775617264);
}

int main(void)
{
	static struct berth_device dev = { .vdev.ops = &device_ops };
	struct verbs_context *vctx;
	struct ibv_context *ibctx;

	fill_ops();
	ibctx = verbs_open_device(&dev.vdev.device, &called);
	CHECK(ibctx);
	if (!ibctx)
		return checks_report("abi_test");
	/* One for the context; only libibverbs counts here. */
	CHECK(dev.vdev.refcount == 1);

	vctx = container_of(ibctx, struct verbs_context, context);
	check_ops(vctx);
	check_calls(vctx);
	check_qp_mask(vctx, true);
	check_qp_mask(vctx, false);
	CHECK(!mock.refused);
	ibv_close_device(ibctx);
	CHECK(called == 15);
	return checks_report("abi_test");
}
