// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * Device memory: memory of the kernel, mapped here for the copies in and out. Control path and copies
 * only; no locks. As on hardware, copies are of whole words of 4 bytes.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "berth.h"

#define DM_WORD	4

struct berth_dm {
	struct ibv_dm dm;
	uint8_t *map;
	size_t length;
	size_t map_size;
};

static struct berth_dm *to_bdm(struct ibv_dm *ibdm)
{
	return container_of(ibdm, struct berth_dm, dm);
}

static bool can_copy(const struct berth_dm *dm, uint64_t offset, size_t length)
{
	return !((offset | length) % DM_WORD) && offset <= dm->length && length <= dm->length - offset;
}

static int memcpy_to_dm(struct ibv_dm *ibdm, uint64_t offset, const void *from, size_t length)
{
	struct berth_dm *dm = to_bdm(ibdm);

	if (!can_copy(dm, offset, length))
		return EINVAL;
	memcpy(dm->map + offset, from, length);
	return 0;
}

static int memcpy_from_dm(void *to, struct ibv_dm *ibdm, uint64_t offset, size_t length)
{
	struct berth_dm *dm = to_bdm(ibdm);

	if (!can_copy(dm, offset, length))
		return EINVAL;
	memcpy(to, dm->map + offset, length);
	return 0;
}

/**
 * berth_dm_map - an object for device memory that the kernel has
 * @ibctx: its context
 * @handle: its number there
 * @length: bytes
 * @offset: where the context's descriptor maps it
 *
 * Return: the object, for berth_dm_unmap(), or NULL and errno.
 */
struct ibv_dm *berth_dm_map(struct ibv_context *ibctx, uint32_t handle, size_t length, uint64_t offset)
{
	size_t page = sysconf(_SC_PAGESIZE);
	struct berth_dm *dm = calloc(1, sizeof(*dm));
	void *map;

	if (!dm)
		return NULL;
	dm->length = length;
	dm->map_size = (length + page - 1) & ~(page - 1);
	map = mmap(NULL, dm->map_size, PROT_READ | PROT_WRITE, MAP_SHARED, ibctx->cmd_fd, offset);
	if (map == MAP_FAILED) {
		free(dm);
		return NULL;
	}
	dm->map = map;
	dm->dm.context = ibctx;
	dm->dm.handle = handle;
	dm->dm.memcpy_to_dm = memcpy_to_dm;
	dm->dm.memcpy_from_dm = memcpy_from_dm;
	return &dm->dm;
}

/** berth_dm_unmap - forget the object; the memory in the kernel stays. */
void berth_dm_unmap(struct ibv_dm *ibdm)
{
	struct berth_dm *dm = to_bdm(ibdm);

	munmap(dm->map, dm->map_size);
	free(dm);
}

struct ibv_dm *berth_alloc_dm(struct ibv_context *ibctx, struct ibv_alloc_dm_attr *attr)
{
	struct ibv_dm *dm;
	uint64_t offset;
	uint32_t handle;
	int ret;

	if (attr->comp_mask) {
		errno = EINVAL;
		return NULL;
	}
	ret = berth_alloc_dm_handle(ibctx, attr->length, attr->log_align_req, &handle, &offset);
	if (ret) {
		errno = ret;
		return NULL;
	}
	dm = berth_dm_map(ibctx, handle, attr->length, offset);
	if (!dm) {
		ret = errno;
		berth_free_dm_handle(ibctx, handle);
		errno = ret;
	}
	return dm;
}

int berth_free_dm(struct ibv_dm *ibdm)
{
	int ret = berth_destroyed(berth_free_dm_handle(ibdm->context, ibdm->handle));

	if (!ret)
		berth_dm_unmap(ibdm);
	return ret;
}

struct ibv_mr *berth_reg_dm_mr(struct ibv_pd *ibpd, struct ibv_dm *ibdm, uint64_t offset,
			       size_t length, unsigned int access)
{
	struct verbs_mr *vmr;
	int ret;

	vmr = calloc(1, sizeof(*vmr));
	if (!vmr)
		return NULL;
	ret = berth_reg_dm(ibpd, ibdm->handle, offset, length, access, &vmr->ibv_mr);
	if (ret) {
		free(vmr);
		errno = ret;
		return NULL;
	}
	/* No address: the region's begin with 0. */
	vmr->ibv_mr.context = ibpd->context;
	vmr->ibv_mr.pd = ibpd;
	vmr->ibv_mr.length = length;
	vmr->mr_type = IBV_MR_TYPE_MR;
	vmr->access = access;
	return &vmr->ibv_mr;
}
