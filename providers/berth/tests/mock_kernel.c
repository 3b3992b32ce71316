// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/* See mock_kernel.h. Single-threaded; memory of mappings is kept until the program ends. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <infiniband/verbs.h>
#include <rdma/ib_user_ioctl_cmds.h>
#include <rdma/ib_user_verbs.h>
#include <rdma/rdma_user_ioctl_cmds.h>

#include "mock_kernel.h"

struct mock_state mock = { .next_qpn = 17 };

#define MAX_MAPS	64

static void *maps[MAX_MAPS];
static unsigned int num_maps;
static uint32_t next_handle = 1;

static uint64_t new_map(size_t size)
{
	if (num_maps == MAX_MAPS)
		abort();
	maps[num_maps] = aligned_alloc(4096, (size + 4095) & ~(size_t)4095);
	memset(maps[num_maps], 0, size);
	return (uint64_t)++num_maps << 12;
}

static struct ib_uverbs_attr *find(struct ib_uverbs_ioctl_hdr *hdr, uint16_t id)
{
	unsigned int i;

	for (i = 0; i < hdr->num_attrs; i++)
		if (hdr->attrs[i].attr_id == id)
			return &hdr->attrs[i];
	return NULL;
}

static void put(struct ib_uverbs_ioctl_hdr *hdr, uint16_t id, const void *data, size_t size)
{
	struct ib_uverbs_attr *attr = find(hdr, id);

	if (!attr || attr->len != size)
		mock.refused++;
	else
		memcpy((void *)(uintptr_t)attr->data, data, size);
}

static void put_u32(struct ib_uverbs_ioctl_hdr *hdr, uint16_t id, uint32_t value)
{
	put(hdr, id, &value, sizeof(value));
}

/* Input of up to 8 bytes lies in the attribute. */
static void get(struct ib_uverbs_ioctl_hdr *hdr, uint16_t id, void *data, size_t size)
{
	struct ib_uverbs_attr *attr = find(hdr, id);

	if (!attr || attr->len != size)
		mock.refused++;
	else
		memcpy(data, size <= 8 ? (void *)&attr->data : (void *)(uintptr_t)attr->data, size);
}

static void put_handle(struct ib_uverbs_ioctl_hdr *hdr, uint16_t id)
{
	struct ib_uverbs_attr *attr = find(hdr, id);

	if (!attr)
		mock.refused++;
	else
		attr->data = next_handle++;
}

static int get_context(struct ib_uverbs_ioctl_hdr *hdr)
{
	struct berth_alloc_ucontext_resp resp = {
		.null_lkey = mock.null_lkey,
		.abi = mock.abi ? mock.abi : BERTH_ABI_VERSION,
		.max_inline = BERTH_MAX_INLINE,
	};
	uint64_t core_support = 0;

	get(hdr, UVERBS_ATTR_UHW_IN, &mock.ucontext_req, sizeof(mock.ucontext_req));
	put(hdr, UVERBS_ATTR_UHW_OUT, &resp, sizeof(resp));
	put_u32(hdr, UVERBS_ATTR_GET_CONTEXT_NUM_COMP_VECTORS, 1);
	put(hdr, UVERBS_ATTR_GET_CONTEXT_CORE_SUPPORT, &core_support, sizeof(core_support));
	return 0;
}

static int create_cq(struct ib_uverbs_ioctl_hdr *hdr)
{
	struct berth_create_cq_resp resp = {
		.mmap_size = sizeof(struct berth_cq_ring) +
			     MOCK_CQ_ENTRIES * sizeof(struct berth_cqe),
		.entries = MOCK_CQ_ENTRIES,
	};

	get(hdr, UVERBS_ATTR_UHW_IN, &mock.cq_req, sizeof(mock.cq_req));
	resp.mmap_offset = new_map(resp.mmap_size);
	mock.cq_ring = maps[num_maps - 1];
	put(hdr, UVERBS_ATTR_UHW_OUT, &resp, sizeof(resp));
	put_handle(hdr, UVERBS_ATTR_CREATE_CQ_HANDLE);
	put_u32(hdr, UVERBS_ATTR_CREATE_CQ_RESP_CQE, MOCK_CQ_ENTRIES);
	return 0;
}

static int create_qp(struct ib_uverbs_ioctl_hdr *hdr)
{
	struct berth_create_qp_resp resp = {
		.ring_offset = MOCK_QP_OFFSET,
		.sq_offset = MOCK_QP_OFFSET + sizeof(struct berth_qp_ring),
		.sq_entries = MOCK_SQ_ENTRIES,
		.sq_stride = MOCK_SQ_STRIDE,
		.rq_offset = MOCK_QP_OFFSET + sizeof(struct berth_qp_ring) + MOCK_SQ_ENTRIES * MOCK_SQ_STRIDE,
		.rq_entries = MOCK_RQ_ENTRIES,
		.rq_stride = MOCK_RQ_STRIDE,
	};
	struct ib_uverbs_qp_cap cap;

	get(hdr, UVERBS_ATTR_UHW_IN, &mock.qp_req, sizeof(mock.qp_req));
	get(hdr, UVERBS_ATTR_CREATE_QP_CAP, &cap, sizeof(cap));
	resp.mmap_size = resp.rq_offset + MOCK_RQ_ENTRIES * MOCK_RQ_STRIDE;
	resp.mmap_offset = new_map(resp.mmap_size);
	mock.qp_ring = (struct berth_qp_ring *)((uint8_t *)maps[num_maps - 1] + MOCK_QP_OFFSET);
	if (mock.short_map)
		resp.mmap_size--;
	put(hdr, UVERBS_ATTR_UHW_OUT, &resp, sizeof(resp));
	put_handle(hdr, UVERBS_ATTR_CREATE_QP_HANDLE);
	put(hdr, UVERBS_ATTR_CREATE_QP_RESP_CAP, &cap, sizeof(cap));
	put_u32(hdr, UVERBS_ATTR_CREATE_QP_RESP_QP_NUM, mock.next_qpn++);
	return 0;
}

static int reg_dmabuf(struct ib_uverbs_ioctl_hdr *hdr)
{
	if (mock.dmabuf_errno) {
		errno = mock.dmabuf_errno;
		return -1;
	}
	get(hdr, UVERBS_ATTR_REG_DMABUF_MR_OFFSET, &mock.dmabuf_offset, 8);
	get(hdr, UVERBS_ATTR_REG_DMABUF_MR_LENGTH, &mock.dmabuf_length, 8);
	get(hdr, UVERBS_ATTR_REG_DMABUF_MR_IOVA, &mock.dmabuf_iova, 8);
	get(hdr, UVERBS_ATTR_REG_DMABUF_MR_FD, &mock.dmabuf_fd, 4);
	get(hdr, UVERBS_ATTR_REG_DMABUF_MR_ACCESS_FLAGS, &mock.dmabuf_access, 4);
	put_handle(hdr, UVERBS_ATTR_REG_DMABUF_MR_HANDLE);
	put_u32(hdr, UVERBS_ATTR_REG_DMABUF_MR_RESP_LKEY, 0x1100);
	put_u32(hdr, UVERBS_ATTR_REG_DMABUF_MR_RESP_RKEY, 0x2200);
	return 0;
}

/* Both attributes have no length and must be understood. */
static int attach_socket(struct ib_uverbs_ioctl_hdr *hdr)
{
	struct ib_uverbs_attr *handle = find(hdr, BERTH_ATTR_QP_ATTACH_SOCKET_HANDLE);
	struct ib_uverbs_attr *fd = find(hdr, BERTH_ATTR_QP_ATTACH_SOCKET_FD);

	if (hdr->num_attrs != 2 || !handle || handle->len || !fd || fd->len ||
	    handle->flags != UVERBS_ATTR_F_MANDATORY || fd->flags != UVERBS_ATTR_F_MANDATORY) {
		mock.refused++;
		errno = EINVAL;
		return -1;
	}
	mock.attach_handle = handle->data;
	mock.attach_fd = fd->data_s64;
	errno = mock.attach_errno;
	return mock.attach_errno ? -1 : 0;
}

static int alloc_dm(struct ib_uverbs_ioctl_hdr *hdr)
{
	uint64_t length = 0, offset;

	get(hdr, UVERBS_ATTR_ALLOC_DM_LENGTH, &length, sizeof(length));
	offset = new_map(length);
	put(hdr, BERTH_ATTR_DM_ALLOC_MMAP_OFFSET, &offset, sizeof(offset));
	put_handle(hdr, UVERBS_ATTR_ALLOC_DM_HANDLE);
	return 0;
}

static int free_dm(void)
{
	errno = mock.gone ? EIO : 0;
	return mock.gone ? -1 : 0;
}

/* A command of the older interface, tunnelled: the first word of its response is the handle. */
static int invoke_write(struct ib_uverbs_ioctl_hdr *hdr)
{
	struct ib_uverbs_attr *resp = find(hdr, UVERBS_ATTR_CORE_OUT);

	if (mock.gone) {
		errno = EIO;
		return -1;
	}
	if (resp && resp->len >= 4)
		memcpy((void *)(uintptr_t)resp->data, &next_handle, 4);
	next_handle++;
	return 0;
}

#define COMMAND(object, method) ((uint32_t)(object) << 16 | (method))

static int uverbs(struct ib_uverbs_ioctl_hdr *hdr)
{
	if (hdr->driver_id != BERTH_DRIVER_ID ||
	    hdr->length != sizeof(*hdr) + hdr->num_attrs * sizeof(hdr->attrs[0]))
		mock.refused++;

	switch (COMMAND(hdr->object_id, hdr->method_id)) {
	case COMMAND(UVERBS_OBJECT_DEVICE, UVERBS_METHOD_GET_CONTEXT):
		return get_context(hdr);
	case COMMAND(UVERBS_OBJECT_DEVICE, UVERBS_METHOD_INVOKE_WRITE):
		return invoke_write(hdr);
	case COMMAND(UVERBS_OBJECT_CQ, UVERBS_METHOD_CQ_CREATE):
		return create_cq(hdr);
	case COMMAND(UVERBS_OBJECT_CQ, UVERBS_METHOD_CQ_DESTROY): {
		const struct ib_uverbs_destroy_cq_resp resp = {};

		put(hdr, UVERBS_ATTR_DESTROY_CQ_RESP, &resp, sizeof(resp));
		return 0;
	}
	case COMMAND(UVERBS_OBJECT_QP, UVERBS_METHOD_QP_CREATE):
		return create_qp(hdr);
	case COMMAND(UVERBS_OBJECT_QP, UVERBS_METHOD_QP_DESTROY):
		put_u32(hdr, UVERBS_ATTR_DESTROY_QP_RESP, 0);
		return 0;
	case COMMAND(UVERBS_OBJECT_QP, BERTH_METHOD_QP_ATTACH_SOCKET):
		return attach_socket(hdr);
	case COMMAND(UVERBS_OBJECT_MR, UVERBS_METHOD_REG_DMABUF_MR):
		return reg_dmabuf(hdr);
	case COMMAND(UVERBS_OBJECT_DM, UVERBS_METHOD_DM_ALLOC):
		return alloc_dm(hdr);
	case COMMAND(UVERBS_OBJECT_DM, UVERBS_METHOD_DM_FREE):
		return free_dm();
	case COMMAND(UVERBS_OBJECT_MR, UVERBS_METHOD_MR_DESTROY):
	case COMMAND(UVERBS_OBJECT_PD, UVERBS_METHOD_PD_DESTROY):
		return 0;
	case COMMAND(BERTH_OBJECT_DOORBELL, BERTH_METHOD_DOORBELL_OPEN):
		find(hdr, BERTH_ATTR_DOORBELL_OPEN_FD)->data = MOCK_FD;
		return 0;
	}
	errno = EPROTONOSUPPORT;
	return -1;
}

static int ring(unsigned long what)
{
	mock.doorbells++;
	mock.last_doorbell = what;
	if (mock.doorbell_errno) {
		errno = mock.doorbell_errno;
		return -1;
	}
	return 0;
}

/* libibverbs, too, must find these before those of libc. */
#define INTERPOSED __attribute__((visibility("default")))

INTERPOSED int ioctl(int fd, unsigned long request, ...)
{
	unsigned long arg;
	va_list ap;

	va_start(ap, request);
	arg = va_arg(ap, unsigned long);
	va_end(ap);

	if (fd == MOCK_FD && request == BERTH_IOC_RING)
		return ring(arg);
	if (request == RDMA_VERBS_IOCTL)
		return uverbs((void *)arg);
	errno = ENOTTY;
	return -1;
}

INTERPOSED void *mmap(void *addr, size_t length, int prot, int flags, int fd, off_t offset)
{
	unsigned int map = offset >> 12;

	if ((flags & MAP_SHARED) && map >= 1 && map <= num_maps)
		return maps[map - 1];
	return (void *)syscall(SYS_mmap, addr, length, prot, flags, fd, offset);
}

INTERPOSED int munmap(void *addr, size_t length)
{
	unsigned int i;

	for (i = 0; i < num_maps; i++)
		if (maps[i] == addr)
			return 0;
	return syscall(SYS_munmap, addr, length);
}

struct berth_send_wqe *mock_sqe(struct berth_qp_ring *qp_ring, uint32_t index)
{
	return (void *)((char *)(qp_ring + 1) + (index % MOCK_SQ_ENTRIES) * MOCK_SQ_STRIDE);
}

struct berth_recv_wqe *mock_rqe(struct berth_qp_ring *qp_ring, uint32_t index)
{
	return (void *)((char *)(qp_ring + 1) + MOCK_SQ_ENTRIES * MOCK_SQ_STRIDE +
			(index % MOCK_RQ_ENTRIES) * MOCK_RQ_STRIDE);
}

void mock_complete(struct berth_cq_ring *cq_ring, const struct berth_cqe *cqe)
{
	struct berth_cqe *cqes = (struct berth_cqe *)(cq_ring + 1);

	if (cq_ring->prod - cq_ring->cons >= MOCK_CQ_ENTRIES)
		abort();
	cqes[cq_ring->prod % MOCK_CQ_ENTRIES] = *cqe;
	__atomic_store_n(&cq_ring->prod, cq_ring->prod + 1, __ATOMIC_RELEASE);
}
