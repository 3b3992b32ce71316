// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * Registration with libibverbs, devices and contexts, and what is asked of a device.
 *
 * A context owns its doorbell descriptor and the table that finds QPs by number. Control path
 * only; libibverbs serialises the opening and closing of a context.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "berth.h"

struct alloc_ucontext_cmd {
	struct ibv_get_context ibv_cmd;
	struct berth_alloc_ucontext_req drv;
};

struct alloc_ucontext_resp {
	struct ib_uverbs_get_context_resp ibv_resp;
	struct berth_alloc_ucontext_resp drv;
};

static_assert(sizeof(struct alloc_ucontext_cmd) == 32 &&
	      offsetof(struct alloc_ucontext_cmd, drv) == 16, "no padding before driver data");
static_assert(sizeof(struct alloc_ucontext_resp) == 24 &&
	      offsetof(struct alloc_ucontext_resp, drv) == 8, "no padding before driver data");

static int query_device_ex(struct ibv_context *ibctx,
			   const struct ibv_query_device_ex_input *input,
			   struct ibv_device_attr_ex *attr, size_t attr_size)
{
	struct ib_uverbs_ex_query_device_resp resp = {};
	size_t resp_size = sizeof(resp);
	uint64_t ver;
	int ret;

	ret = ibv_cmd_query_device_any(ibctx, input, attr, attr_size, &resp, &resp_size);
	if (ret)
		return ret;

	ver = resp.base.fw_ver;
	snprintf(attr->orig_attr.fw_ver, sizeof(attr->orig_attr.fw_ver), "%u.%u.%u",
		 (unsigned int)(ver >> 32) & 0xffff, (unsigned int)(ver >> 16) & 0xffff,
		 (unsigned int)ver & 0xffff);
	return 0;
}

static int query_port(struct ibv_context *ibctx, uint8_t port, struct ibv_port_attr *attr)
{
	struct ibv_query_port cmd = {};

	return ibv_cmd_query_port(ibctx, port, attr, &cmd, sizeof(cmd));
}

/* The clock of completion timestamps. */
static int query_rt_values(struct ibv_context *ibctx, struct ibv_values_ex *values)
{
	(void)ibctx;
	if (values->comp_mask & ~(uint32_t)IBV_VALUES_MASK_RAW_CLOCK)
		return EINVAL;
	if (!values->comp_mask)
		return 0;
	if (clock_gettime(CLOCK_MONOTONIC, &values->raw_clock))
		return errno;
	return 0;
}

static void free_context(struct ibv_context *ibctx)
{
	struct berth_context *ctx = to_bctx(ibctx);
	unsigned int i;

	if (ctx->doorbell_fd >= 0)
		close(ctx->doorbell_fd);
	for (i = 0; i < BERTH_QPN_ROOT_SIZE; i++)
		free(ctx->qp_table[i]);
	pthread_mutex_destroy(&ctx->qp_table_lock);
	verbs_uninit_context(&ctx->vctx);
	free(ctx);
}

/* Sorted as the structure. What is missing answers EOPNOTSUPP by libibverbs. */
static const struct verbs_context_ops context_ops = {
	.advise_mr = ibv_cmd_advise_mr,
	.alloc_dm = berth_alloc_dm,
	.alloc_mw = berth_alloc_mw,
	.alloc_null_mr = berth_alloc_null_mr,
	.alloc_parent_domain = berth_alloc_parent_domain,
	.alloc_pd = berth_alloc_pd,
	.attach_mcast = ibv_cmd_attach_mcast,
	.alloc_td = berth_alloc_td,
	.bind_mw = berth_bind_mw,
	.create_ah = berth_create_ah,
	.create_cq = berth_create_cq,
	.create_cq_ex = berth_create_cq_ex,
	.create_qp = berth_create_qp,
	.create_qp_ex = berth_create_qp_ex,
	.create_srq = berth_create_srq,
	.dealloc_mw = berth_dealloc_mw,
	.dealloc_pd = berth_dealloc_pd,
	.dealloc_td = berth_dealloc_td,
	.dereg_mr = berth_dereg_mr,
	.destroy_ah = berth_destroy_ah,
	.destroy_cq = berth_destroy_cq,
	.destroy_qp = berth_destroy_qp,
	.detach_mcast = ibv_cmd_detach_mcast,
	.destroy_srq = berth_destroy_srq,
	.free_context = free_context,
	.free_dm = berth_free_dm,
	.import_dm = berth_import_dm,
	.import_mr = berth_import_mr,
	.import_pd = berth_import_pd,
	.modify_qp = berth_modify_qp,
	.modify_srq = berth_modify_srq,
	.poll_cq = berth_poll_cq,
	.post_recv = berth_post_recv,
	.post_send = berth_post_send,
	.post_srq_recv = berth_post_srq_recv,
	.query_device_ex = query_device_ex,
	.query_port = query_port,
	.query_qp = berth_query_qp,
	.query_rt_values = query_rt_values,
	.query_srq = berth_query_srq,
	.reg_dm_mr = berth_reg_dm_mr,
	.reg_dmabuf_mr = berth_reg_dmabuf_mr,
	.reg_mr = berth_reg_mr,
	.req_notify_cq = berth_req_notify_cq,
	.rereg_mr = berth_rereg_mr,
	.resize_cq = berth_resize_cq,
	.unimport_dm = berth_unimport_dm,
	.unimport_mr = berth_unimport_mr,
	.unimport_pd = berth_unimport_pd,
};

static bool env_is_set(const char *name)
{
	const char *value = getenv(name);

	return value && *value && strcmp(value, "0");
}

/* The ABI is one that we speak: open the doorbell. */
static int use_context(struct berth_context *ctx, const struct berth_alloc_ucontext_resp *resp)
{
	if (resp->abi != BERTH_ABI_VERSION)
		return EPROTO;
	ctx->null_lkey = resp->null_lkey;
	ctx->doorbell_fd = berth_open_doorbell(&ctx->vctx.context);
	return ctx->doorbell_fd < 0 ? errno : 0;
}

/* Agrees on an ABI with the kernel. */
static int connect_kernel(struct berth_context *ctx)
{
	struct alloc_ucontext_cmd cmd = {
		.drv.abi_min = BERTH_ABI_VERSION,
		.drv.abi_max = BERTH_ABI_VERSION,
	};
	struct alloc_ucontext_resp resp = {};
	int ret;

	ret = ibv_cmd_get_context(&ctx->vctx, &cmd.ibv_cmd, sizeof(cmd), &resp.ibv_resp,
				  sizeof(resp));
	if (ret)
		return ret;
	return use_context(ctx, &resp.drv);
}

/* The same for a context that somebody else made. */
static int join_kernel(struct berth_context *ctx)
{
	struct berth_alloc_ucontext_resp resp;
	uint64_t core_support;
	int ret;

	ret = berth_query_context(&ctx->vctx.context, &core_support, &resp);
	if (ret)
		return ret;
	container_of(ctx->vctx.context.device, struct verbs_device, device)->core_support = core_support;
	return use_context(ctx, &resp);
}

/* Takes cmd_fd over, on failure as well. */
static struct verbs_context *make_context(struct ibv_device *ibdev, int cmd_fd,
					  int (*to_kernel)(struct berth_context *ctx))
{
	struct berth_context *ctx;
	int ret;

	ctx = verbs_init_and_alloc_context(ibdev, cmd_fd, ctx, vctx, BERTH_DRIVER_ID);
	if (!ctx)
		return NULL;

	ctx->doorbell_fd = -1;
	ctx->single_threaded = env_is_set("BERTH_SINGLE_THREADED");
	pthread_mutex_init(&ctx->qp_table_lock, NULL);

	ret = to_kernel(ctx);
	if (ret) {
		free_context(&ctx->vctx.context);
		errno = ret;
		return NULL;
	}

	verbs_set_ops(&ctx->vctx, &context_ops);
	return &ctx->vctx;
}

static struct verbs_context *alloc_context(struct ibv_device *ibdev, int cmd_fd, void *private_data)
{
	(void)private_data;
	return make_context(ibdev, cmd_fd, connect_kernel);
}

static struct verbs_context *import_context(struct ibv_device *ibdev, int cmd_fd)
{
	return make_context(ibdev, cmd_fd, join_kernel);
}

static struct verbs_device *alloc_device(struct verbs_sysfs_dev *sysfs_dev)
{
	struct berth_device *dev;

	(void)sysfs_dev;
	dev = calloc(1, sizeof(*dev));
	if (!dev)
		return NULL;
	return &dev->vdev;
}

static void uninit_device(struct verbs_device *vdev)
{
	free(container_of(vdev, struct berth_device, vdev));
}

static const struct verbs_match_ent match_table[] = {
	VERBS_DRIVER_ID(BERTH_DRIVER_ID),
	{},
};

static const struct verbs_device_ops berth_device_ops = {
	.name = "berth",
	.match_min_abi_version = BERTH_ABI_VERSION,
	.match_max_abi_version = BERTH_ABI_VERSION,
	.match_table = match_table,
	.alloc_device = alloc_device,
	.uninit_device = uninit_device,
	.alloc_context = alloc_context,
	.import_context = import_context,
};

PROVIDER_DRIVER(berth, berth_device_ops);

/**
 * berthdv_is_supported - whether the functions of this library know a device
 * @device: from ibv_get_device_list(), any provider's
 *
 * Return: true when this very library provides it; another copy of it in the process has tables of
 * its own, and objects that may be laid out otherwise.
 */
bool berthdv_is_supported(struct ibv_device *device)
{
	return container_of(device, struct verbs_device, device)->ops == &berth_device_ops;
}

#ifndef BERTH_IN_RDMA_CORE
/*
 * Never read. Its relocation ties this library to version IBVERBS_1.14 of libibverbs, which came
 * with release 36, when the table of operations took the shape of private_abi_34.h: an older
 * libibverbs is refused by the dynamic linker instead of calling the wrong functions.
 */
static int (*const need_release_36)(struct ibv_qp *qp, enum ibv_wr_opcode op, uint32_t flags)
	__attribute__((used)) = ibv_query_qp_data_in_order;
#endif
