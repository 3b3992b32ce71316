// SPDX-License-Identifier: GPL-2.0
/*
 * Device memory: what a NIC has on board is, in software, memory of the kernel that the process maps.
 * Programs that keep their hot words there run unchanged.
 *
 * Context: process. A DM owns its memory; regions over it have windows of their own onto the same
 * pages. The core counts the regions and frees no DM that has any, so the pages outlive the windows.
 * Each device has a bounded amount (dm_used): the memory is the kernel's, not the process's.
 */
#include <linux/vmalloc.h>
#include <rdma/berth-abi.h>
#include <rdma/uverbs_std_types.h>
#include <rdma/uverbs_types.h>
#include "dm.h"
#include "mr.h"
#include "shared.h"
#include "ucontext.h"

#define UVERBS_MODULE_NAME berth
#include <rdma/uverbs_named_ioctl.h>

struct berth_dm {
	struct ib_dm ib;
	struct berth_shared *shared;
};

static struct berth_dm *dm_of(struct ib_dm *ib)
{
	return container_of(ib, struct berth_dm, ib);
}

static bool charge(struct berth_dev *dev, u64 size)
{
	if (atomic64_add_return(size, &dev->dm_used) <= BERTH_MAX_DM)
		return true;
	atomic64_sub(size, &dev->dm_used);
	return false;
}

/**
 * berth_dm_alloc - ib_device_ops.alloc_dm
 * @ib: the device.
 * @uctx: context of the process.
 * @attr: length in bytes; alignment as a power of two.
 * @attrs: takes where to map it.
 *
 * Context: process; sleeps.
 * Return: the memory, zeroed; ERR_PTR: -EINVAL: no bytes, more than page alignment; -ENOMEM, also for
 * more than the device has left.
 */
struct ib_dm *berth_dm_alloc(struct ib_device *ib, struct ib_ucontext *uctx,
			     struct ib_dm_alloc_attr *attr, struct uverbs_attr_bundle *attrs)
{
	struct berth_dev *dev = berth_dev(ib);
	struct berth_dm *dm;
	u64 offset, size;
	int ret = -ENOMEM;

	if (!attr->length || attr->alignment > PAGE_SHIFT)
		return ERR_PTR(-EINVAL);
	if (attr->length > BERTH_MAX_DM)
		return ERR_PTR(-ENOMEM);
	size = PAGE_ALIGN(attr->length);
	dm = kzalloc(sizeof(*dm), GFP_KERNEL_ACCOUNT);
	if (!dm)
		return ERR_PTR(-ENOMEM);
	if (!charge(dev, size))
		goto free_dm;
	dm->shared = berth_shared_alloc(berth_ucontext(uctx), size);
	if (IS_ERR(dm->shared)) {
		ret = PTR_ERR(dm->shared);
		goto uncharge;
	}
	offset = berth_shared_mmap_offset(dm->shared);
	ret = uverbs_copy_to(attrs, BERTH_ATTR_DM_ALLOC_MMAP_OFFSET, &offset, sizeof(offset));
	if (ret)
		goto free_shared;
	return &dm->ib;

free_shared:
	berth_shared_free(dm->shared);
uncharge:
	atomic64_sub(size, &dev->dm_used);
free_dm:
	kfree(dm);
	return ERR_PTR(ret);
}

/**
 * berth_dm_dealloc - ib_device_ops.dealloc_dm
 * @ib: memory that no region is over any more.
 * @attrs: unused.
 *
 * What a process still maps stays until it unmaps it, uncharged.
 *
 * Context: process; sleeps. Return: 0.
 */
int berth_dm_dealloc(struct ib_dm *ib, struct uverbs_attr_bundle *attrs)
{
	struct berth_dm *dm = dm_of(ib);

	atomic64_sub(dm->shared->size, &berth_dev(ib->device)->dm_used);
	berth_shared_free(dm->shared);
	kfree(dm);
	return 0;
}

/* Onto all of it, whatever part the region is of. */
static struct berth_window *dm_window(const struct berth_dm *dm)
{
	unsigned long n = dm->shared->size >> PAGE_SHIFT, i;
	struct berth_window *window;
	struct page **pages;

	pages = kvmalloc_array(n, sizeof(*pages), GFP_KERNEL);
	if (!pages)
		return ERR_PTR(-ENOMEM);
	for (i = 0; i < n; i++)
		pages[i] = vmalloc_to_page(dm->shared->va + i * PAGE_SIZE);
	window = berth_window_create_pages(pages, n, 0, dm->shared->size);
	kvfree(pages);
	return window;
}

/**
 * berth_dm_reg_mr - ib_device_ops.reg_dm_mr
 * @pd: domain of the process.
 * @ib: the memory.
 * @attr: part of it, which the core has checked against its length, and rights.
 * @attrs: unused.
 *
 * The region's addresses begin with 0, as the verb demands (IB_ZERO_BASED).
 *
 * Context: process; sleeps.
 * Return: the MR; ERR_PTR: -EOPNOTSUPP, see berth_mr_check_access(); -ENOMEM.
 */
struct ib_mr *berth_dm_reg_mr(struct ib_pd *pd, struct ib_dm *ib, struct ib_dm_mr_attr *attr,
			      struct uverbs_attr_bundle *attrs)
{
	int access = attr->access_flags & ~IB_ZERO_BASED;
	struct berth_mr *mr;
	int ret;

	ret = berth_mr_check_access(access);
	if (ret)
		return ERR_PTR(ret);
	mr = berth_mr_alloc(pd, 0, attr->length, access);
	if (IS_ERR(mr))
		return ERR_CAST(mr);
	mr->ib.type = IB_MR_TYPE_DM;
	mr->window = dm_window(dm_of(ib));
	if (IS_ERR(mr->window)) {
		ret = PTR_ERR(mr->window);
		mr->window = NULL;
		goto destroy;
	}
	mr->window_offset = attr->offset;
	berth_mr_publish(mr);
	return &mr->ib;

destroy:
	berth_mr_destroy(mr);
	return ERR_PTR(ret);
}

/* For a context's other users, who have a handle and no mapping. */
static int UVERBS_HANDLER(BERTH_METHOD_DM_QUERY)(struct uverbs_attr_bundle *attrs)
{
	struct ib_uobject *uobj = uverbs_attr_get_uobject(attrs, BERTH_ATTR_DM_QUERY_HANDLE);
	struct berth_dm *dm = dm_of(uobj->object);
	struct berth_dm_query_resp resp = {
		.length = dm->ib.length,
		.mmap_offset = berth_shared_mmap_offset(dm->shared),
	};

	return uverbs_copy_to(attrs, BERTH_ATTR_DM_QUERY_RESP, &resp, sizeof(resp));
}

DECLARE_UVERBS_NAMED_METHOD(BERTH_METHOD_DM_QUERY,
			    UVERBS_ATTR_IDR(BERTH_ATTR_DM_QUERY_HANDLE, UVERBS_OBJECT_DM,
					    UVERBS_ACCESS_READ, UA_MANDATORY),
			    UVERBS_ATTR_PTR_OUT(BERTH_ATTR_DM_QUERY_RESP,
						UVERBS_ATTR_TYPE(struct berth_dm_query_resp),
						UA_MANDATORY));

ADD_UVERBS_METHODS(berth_dm_query, UVERBS_OBJECT_DM, &UVERBS_METHOD(BERTH_METHOD_DM_QUERY));
ADD_UVERBS_ATTRIBUTES_SIMPLE(berth_dm, UVERBS_OBJECT_DM, UVERBS_METHOD_DM_ALLOC,
			     UVERBS_ATTR_PTR_OUT(BERTH_ATTR_DM_ALLOC_MMAP_OFFSET,
						 UVERBS_ATTR_TYPE(u64), UA_MANDATORY));

const struct uapi_definition berth_dm_uapi_defs[] = {
	UAPI_DEF_CHAIN_OBJ_TREE(UVERBS_OBJECT_DM, &berth_dm),
	UAPI_DEF_CHAIN_OBJ_TREE(UVERBS_OBJECT_DM, &berth_dm_query),
	{}
};
