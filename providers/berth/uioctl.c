// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * The calls that go to the kernel directly: the uverbs methods that libibverbs has no function for, or
 * one whose arguments differ between its releases, device memory, and the doorbell. They use the kernel's
 * user ABI only (rdma_user_ioctl_cmds.h), so they are the same inside and outside rdma-core.
 */
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

#include <rdma/ib_user_ioctl_cmds.h>
#include <rdma/rdma_user_ioctl_cmds.h>

#include "berth.h"

#define UIOCTL_MAX_ATTRS	9

struct uioctl {
	struct ib_uverbs_ioctl_hdr hdr;
	struct ib_uverbs_attr attrs[UIOCTL_MAX_ATTRS];
};

static void uioctl_init(struct uioctl *call, uint16_t object, uint16_t method)
{
	memset(call, 0, sizeof(*call));
	call->hdr.object_id = object;
	call->hdr.method_id = method;
	call->hdr.driver_id = BERTH_DRIVER_ID;
}

static struct ib_uverbs_attr *uioctl_add(struct uioctl *call, uint16_t id, uint16_t len,
					 uint64_t data)
{
	struct ib_uverbs_attr *attr = &call->attrs[call->hdr.num_attrs++];

	assert(call->hdr.num_attrs <= UIOCTL_MAX_ATTRS);
	attr->attr_id = id;
	attr->len = len;
	attr->flags = UVERBS_ATTR_F_MANDATORY;
	attr->data = data;
	return attr;
}

/* Up to 8 bytes of input lie in the attribute itself. */
static void uioctl_add_u32(struct uioctl *call, uint16_t id, uint32_t value)
{
	struct ib_uverbs_attr *attr = uioctl_add(call, id, sizeof(value), 0);

	memcpy(&attr->data, &value, sizeof(value));
}

static void uioctl_add_u64(struct uioctl *call, uint16_t id, uint64_t value)
{
	uioctl_add(call, id, sizeof(value), value);
}

static void uioctl_add_out(struct uioctl *call, uint16_t id, uint32_t *value)
{
	*value = 0;
	uioctl_add(call, id, sizeof(*value), (uintptr_t)value);
}

/* An object's handle or a file descriptor, in or out: no length, the number is the data. */
static struct ib_uverbs_attr *uioctl_add_handle(struct uioctl *call, uint16_t id, uint32_t handle)
{
	return uioctl_add(call, id, 0, handle);
}

static int uioctl_call(struct ibv_context *ibctx, struct uioctl *call)
{
	call->hdr.length = sizeof(call->hdr) + call->hdr.num_attrs * sizeof(call->attrs[0]);
	if (ioctl(ibctx->cmd_fd, RDMA_VERBS_IOCTL, &call->hdr))
		return errno;
	return 0;
}

/**
 * berth_open_doorbell - get the file descriptor that rings doorbells of a context
 * @ibctx: the context, known to the kernel
 *
 * Return: the descriptor (the caller closes it), or -1 with errno set.
 */
int berth_open_doorbell(struct ibv_context *ibctx)
{
	struct ib_uverbs_attr *fd;
	struct uioctl call;
	int ret;

	uioctl_init(&call, BERTH_OBJECT_DOORBELL, BERTH_METHOD_DOORBELL_OPEN);
	fd = uioctl_add_handle(&call, BERTH_ATTR_DOORBELL_OPEN_FD, 0);
	ret = uioctl_call(ibctx, &call);
	if (ret) {
		errno = ret;
		return -1;
	}
	return fd->data_s64;
}

/**
 * berth_reg_dmabuf - register a part of a dma-buf
 * @ibpd: protection domain
 * @offset: of the region in the dma-buf, bytes
 * @length: of the region, bytes
 * @iova: address that work requests use for its first byte
 * @fd: the dma-buf
 * @access: enum ibv_access_flags
 * @mr: receives handle, lkey and rkey
 *
 * Nothing is checked here, so that programs which probe see the kernel's errors.
 *
 * Return: 0 or an errno.
 */
int berth_reg_dmabuf(struct ibv_pd *ibpd, uint64_t offset, uint64_t length, uint64_t iova, int fd,
		     int access, struct ibv_mr *mr)
{
	struct ib_uverbs_attr *handle;
	struct uioctl call;
	int ret;

	uioctl_init(&call, UVERBS_OBJECT_MR, UVERBS_METHOD_REG_DMABUF_MR);
	handle = uioctl_add_handle(&call, UVERBS_ATTR_REG_DMABUF_MR_HANDLE, 0);
	uioctl_add_out(&call, UVERBS_ATTR_REG_DMABUF_MR_RESP_LKEY, &mr->lkey);
	uioctl_add_out(&call, UVERBS_ATTR_REG_DMABUF_MR_RESP_RKEY, &mr->rkey);
	uioctl_add_handle(&call, UVERBS_ATTR_REG_DMABUF_MR_PD_HANDLE, ibpd->handle);
	uioctl_add_u64(&call, UVERBS_ATTR_REG_DMABUF_MR_OFFSET, offset);
	uioctl_add_u64(&call, UVERBS_ATTR_REG_DMABUF_MR_LENGTH, length);
	uioctl_add_u64(&call, UVERBS_ATTR_REG_DMABUF_MR_IOVA, iova);
	uioctl_add_u32(&call, UVERBS_ATTR_REG_DMABUF_MR_FD, fd);
	uioctl_add_u32(&call, UVERBS_ATTR_REG_DMABUF_MR_ACCESS_FLAGS, access);
	ret = uioctl_call(ibpd->context, &call);
	if (!ret)
		mr->handle = handle->data;
	return ret;
}

/**
 * berth_alloc_dm_handle - allocate device memory
 * @ibctx: the context
 * @length: bytes
 * @log_align: alignment as a power of two
 * @handle: receives its handle
 * @mmap_offset: receives where the context's descriptor maps it
 *
 * Return: 0 or an errno.
 */
int berth_alloc_dm_handle(struct ibv_context *ibctx, uint64_t length, uint32_t log_align,
			  uint32_t *handle, uint64_t *mmap_offset)
{
	struct ib_uverbs_attr *attr;
	struct uioctl call;
	int ret;

	*mmap_offset = 0;
	uioctl_init(&call, UVERBS_OBJECT_DM, UVERBS_METHOD_DM_ALLOC);
	attr = uioctl_add_handle(&call, UVERBS_ATTR_ALLOC_DM_HANDLE, 0);
	uioctl_add_u64(&call, UVERBS_ATTR_ALLOC_DM_LENGTH, length);
	uioctl_add_u32(&call, UVERBS_ATTR_ALLOC_DM_ALIGNMENT, log_align);
	uioctl_add(&call, BERTH_ATTR_DM_ALLOC_MMAP_OFFSET, sizeof(*mmap_offset),
		   (uintptr_t)mmap_offset);
	ret = uioctl_call(ibctx, &call);
	if (!ret)
		*handle = attr->data;
	return ret;
}

/**
 * berth_query_context - what the kernel said when the context was made
 * @ibctx: somebody else's context; its number of completion vectors is set
 * @core_support: receives enum ib_uverbs_core_support
 * @resp: receives the driver's part
 *
 * Return: 0 or an errno.
 */
int berth_query_context(struct ibv_context *ibctx, uint64_t *core_support,
			struct berth_alloc_ucontext_resp *resp)
{
	struct uioctl call;

	uioctl_init(&call, UVERBS_OBJECT_DEVICE, UVERBS_METHOD_QUERY_CONTEXT);
	uioctl_add(&call, UVERBS_ATTR_QUERY_CONTEXT_NUM_COMP_VECTORS, sizeof(ibctx->num_comp_vectors),
		   (uintptr_t)&ibctx->num_comp_vectors);
	uioctl_add(&call, UVERBS_ATTR_QUERY_CONTEXT_CORE_SUPPORT, sizeof(*core_support),
		   (uintptr_t)core_support);
	uioctl_add(&call, BERTH_ATTR_QUERY_CONTEXT_RESP, sizeof(*resp), (uintptr_t)resp);
	return uioctl_call(ibctx, &call);
}

/**
 * berth_query_pd - whether a protection domain is there
 * @ibctx: the context
 * @handle: its number
 *
 * Return: 0 or an errno; ENOENT: there is none.
 */
int berth_query_pd(struct ibv_context *ibctx, uint32_t handle)
{
	struct uioctl call;

	uioctl_init(&call, UVERBS_OBJECT_PD, BERTH_METHOD_PD_QUERY);
	uioctl_add_handle(&call, BERTH_ATTR_PD_QUERY_HANDLE, handle);
	return uioctl_call(ibctx, &call);
}

/**
 * berth_query_dm - length and place of device memory
 * @ibctx: the context
 * @handle: its number
 * @resp: receives them
 *
 * Return: 0 or an errno; ENOENT: there is none.
 */
int berth_query_dm(struct ibv_context *ibctx, uint32_t handle, struct berth_dm_query_resp *resp)
{
	struct uioctl call;

	uioctl_init(&call, UVERBS_OBJECT_DM, BERTH_METHOD_DM_QUERY);
	uioctl_add_handle(&call, BERTH_ATTR_DM_QUERY_HANDLE, handle);
	uioctl_add(&call, BERTH_ATTR_DM_QUERY_RESP, sizeof(*resp), (uintptr_t)resp);
	return uioctl_call(ibctx, &call);
}

/**
 * berth_attach_socket - give a stream QP its connection
 * @ibqp: the QP
 * @fd: the socket
 *
 * Return: 0 or an errno; EOPNOTSUPP: not a TCP socket.
 */
int berth_attach_socket(struct ibv_qp *ibqp, int fd)
{
	struct uioctl call;

	uioctl_init(&call, UVERBS_OBJECT_QP, BERTH_METHOD_QP_ATTACH_SOCKET);
	uioctl_add_handle(&call, BERTH_ATTR_QP_ATTACH_SOCKET_HANDLE, ibqp->handle);
	/* Unlike a handle it has a sign: -1 is a descriptor that is not open. */
	uioctl_add(&call, BERTH_ATTR_QP_ATTACH_SOCKET_FD, 0, (int64_t)fd);
	return uioctl_call(ibqp->context, &call);
}

/**
 * berth_create_area_handle - make an area
 * @mr: of a dma-buf
 * @req: what it is like
 * @resp: receives its figures
 * @handle: receives its handle
 *
 * Return: 0 or an errno.
 */
int berth_create_area_handle(struct ibv_mr *mr, const struct berth_create_area_req *req,
			     struct berth_create_area_resp *resp, uint32_t *handle)
{
	struct ib_uverbs_attr *attr;
	struct uioctl call;
	int ret;

	uioctl_init(&call, BERTH_OBJECT_AREA, BERTH_METHOD_AREA_CREATE);
	attr = uioctl_add_handle(&call, BERTH_ATTR_AREA_CREATE_HANDLE, 0);
	uioctl_add_handle(&call, BERTH_ATTR_AREA_CREATE_MR, mr->handle);
	uioctl_add(&call, BERTH_ATTR_AREA_CREATE_REQ, sizeof(*req), (uintptr_t)req);
	uioctl_add(&call, BERTH_ATTR_AREA_CREATE_RESP, sizeof(*resp), (uintptr_t)resp);
	ret = uioctl_call(mr->context, &call);
	if (!ret)
		*handle = attr->data;
	return ret;
}

/**
 * berth_destroy_area_handle - end an area
 * @ibctx: the context
 * @handle: of berth_create_area_handle()
 *
 * Return: 0 or an errno; EBUSY: a queue uses it.
 */
int berth_destroy_area_handle(struct ibv_context *ibctx, uint32_t handle)
{
	struct uioctl call;

	uioctl_init(&call, BERTH_OBJECT_AREA, BERTH_METHOD_AREA_DESTROY);
	uioctl_add_handle(&call, BERTH_ATTR_AREA_DESTROY_HANDLE, handle);
	return uioctl_call(ibctx, &call);
}

static int set_area(struct ibv_context *ibctx, uint16_t object, uint16_t method, uint32_t queue, uint32_t area)
{
	struct uioctl call;

	uioctl_init(&call, object, method);
	uioctl_add_handle(&call, BERTH_ATTR_SET_AREA_HANDLE, queue);
	uioctl_add_handle(&call, BERTH_ATTR_SET_AREA_AREA, area);
	return uioctl_call(ibctx, &call);
}

/**
 * berth_qp_set_area - have a QP take what arrives from an area
 * @ibqp: the QP, in RESET
 * @area: handle
 *
 * Return: 0 or an errno.
 */
int berth_qp_set_area(struct ibv_qp *ibqp, uint32_t area)
{
	return set_area(ibqp->context, UVERBS_OBJECT_QP, BERTH_METHOD_QP_SET_AREA, ibqp->handle, area);
}

/**
 * berth_srq_set_area - have an SRQ's QPs take what arrives from an area
 * @ibsrq: the SRQ, which no QP uses
 * @area: handle
 *
 * Return: 0 or an errno.
 */
int berth_srq_set_area(struct ibv_srq *ibsrq, uint32_t area)
{
	return set_area(ibsrq->context, UVERBS_OBJECT_SRQ, BERTH_METHOD_SRQ_SET_AREA, ibsrq->handle, area);
}

/**
 * berth_free_dm_handle - free device memory
 * @ibctx: the context
 * @handle: of berth_alloc_dm_handle()
 *
 * Return: 0 or an errno; EBUSY: a region is over it.
 */
int berth_free_dm_handle(struct ibv_context *ibctx, uint32_t handle)
{
	struct uioctl call;

	uioctl_init(&call, UVERBS_OBJECT_DM, UVERBS_METHOD_DM_FREE);
	uioctl_add_handle(&call, UVERBS_ATTR_FREE_DM_HANDLE, handle);
	return uioctl_call(ibctx, &call);
}

/**
 * berth_reg_dm - register a part of device memory
 * @ibpd: protection domain
 * @dm: handle of the memory
 * @offset: of the region in it, bytes
 * @length: of the region, bytes
 * @access: enum ibv_access_flags, IBV_ACCESS_ZERO_BASED among them
 * @mr: receives handle, lkey and rkey
 *
 * Return: 0 or an errno.
 */
int berth_reg_dm(struct ibv_pd *ibpd, uint32_t dm, uint64_t offset, uint64_t length,
		 unsigned int access, struct ibv_mr *mr)
{
	struct ib_uverbs_attr *handle;
	struct uioctl call;
	int ret;

	uioctl_init(&call, UVERBS_OBJECT_MR, UVERBS_METHOD_DM_MR_REG);
	handle = uioctl_add_handle(&call, UVERBS_ATTR_REG_DM_MR_HANDLE, 0);
	uioctl_add_u64(&call, UVERBS_ATTR_REG_DM_MR_OFFSET, offset);
	uioctl_add_u64(&call, UVERBS_ATTR_REG_DM_MR_LENGTH, length);
	uioctl_add_handle(&call, UVERBS_ATTR_REG_DM_MR_PD_HANDLE, ibpd->handle);
	uioctl_add_u32(&call, UVERBS_ATTR_REG_DM_MR_ACCESS_FLAGS, access);
	uioctl_add_handle(&call, UVERBS_ATTR_REG_DM_MR_DM_HANDLE, dm);
	uioctl_add_out(&call, UVERBS_ATTR_REG_DM_MR_RESP_LKEY, &mr->lkey);
	uioctl_add_out(&call, UVERBS_ATTR_REG_DM_MR_RESP_RKEY, &mr->rkey);
	ret = uioctl_call(ibpd->context, &call);
	if (!ret)
		mr->handle = handle->data;
	return ret;
}

/**
 * berth_ring_doorbell - have the kernel look at a queue
 * @fd: of berth_open_doorbell()
 * @what: QP number, with BERTH_RING_SQ or BERTH_RING_RQ
 *
 * Return: 0 or an errno; an error means that the QP or its device is gone.
 */
int berth_ring_doorbell(int fd, uint32_t what)
{
	while (ioctl(fd, BERTH_IOC_RING, (unsigned long)what))
		if (errno != EINTR)
			return errno;
	return 0;
}
