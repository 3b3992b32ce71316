// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * Protection domains, thread domains and parent domains.
 *
 * The kernel knows protection domains only. A parent domain has the handle of the one that it
 * contains; what it adds is for this side: a thread domain, which says that its objects need no
 * locks, and allocators for the memory of its objects (rings are the kernel's memory, and stay so).
 *
 * Control path. An object of a parent domain, and a parent domain of the others, is counted there.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "berth.h"

#define OBJECT_ALIGNMENT	64

static void take(unsigned int *users)
{
	__atomic_add_fetch(users, 1, __ATOMIC_RELAXED);
}

static void drop(unsigned int *users)
{
	__atomic_sub_fetch(users, 1, __ATOMIC_RELEASE);
}

static bool in_use(const unsigned int *users)
{
	return __atomic_load_n(users, __ATOMIC_ACQUIRE);
}

struct ibv_pd *berth_alloc_pd(struct ibv_context *ibctx)
{
	struct ib_uverbs_alloc_pd_resp resp = {};
	struct ibv_alloc_pd cmd = {};
	struct berth_pd *pd;
	int ret;

	pd = calloc(1, sizeof(*pd));
	if (!pd)
		return NULL;

	ret = ibv_cmd_alloc_pd(ibctx, &pd->pd, &cmd, sizeof(cmd), &resp, sizeof(resp));
	if (ret) {
		free(pd);
		errno = ret;
		return NULL;
	}
	return &pd->pd;
}

/* Of both kinds. */
int berth_dealloc_pd(struct ibv_pd *ibpd)
{
	struct berth_pd *pd = to_bpd(ibpd);
	int ret;

	if (in_use(&pd->users))
		return EBUSY;
	if (pd->contained) {
		if (pd->td)
			drop(&pd->td->users);
		drop(&pd->contained->users);
	} else {
		ret = berth_destroyed(ibv_cmd_dealloc_pd(ibpd));
		if (ret)
			return ret;
	}
	free(pd);
	return 0;
}

struct ibv_td *berth_alloc_td(struct ibv_context *ibctx, struct ibv_td_init_attr *attr)
{
	struct berth_td *td;

	if (attr->comp_mask) {
		errno = EOPNOTSUPP;
		return NULL;
	}
	td = calloc(1, sizeof(*td));
	if (!td)
		return NULL;
	td->td.context = ibctx;
	return &td->td;
}

int berth_dealloc_td(struct ibv_td *ibtd)
{
	struct berth_td *td = container_of(ibtd, struct berth_td, td);

	if (in_use(&td->users))
		return EBUSY;
	free(td);
	return 0;
}

#define PARENT_MASK \
	((uint32_t)(IBV_PARENT_DOMAIN_INIT_ATTR_ALLOCATORS | IBV_PARENT_DOMAIN_INIT_ATTR_PD_CONTEXT))

/* 0, or why a parent domain as in @attr cannot be had. */
static int check_parent(struct ibv_context *ibctx, const struct ibv_parent_domain_init_attr *attr)
{
	if (attr->comp_mask & ~PARENT_MASK)
		return EOPNOTSUPP;
	if (!attr->pd || attr->pd->context != ibctx || to_bpd(attr->pd)->contained)
		return EINVAL;
	if (attr->td && attr->td->context != ibctx)
		return EINVAL;
	if (attr->comp_mask & IBV_PARENT_DOMAIN_INIT_ATTR_ALLOCATORS &&
	    (!attr->alloc || !attr->free))
		return EINVAL;
	return 0;
}

struct ibv_pd *berth_alloc_parent_domain(struct ibv_context *ibctx,
					 struct ibv_parent_domain_init_attr *attr)
{
	struct berth_pd *pd = NULL;
	int ret;

	ret = check_parent(ibctx, attr);
	if (!ret) {
		pd = calloc(1, sizeof(*pd));
		ret = ENOMEM;
	}
	if (!pd) {
		errno = ret;
		return NULL;
	}
	pd->pd.context = ibctx;
	pd->pd.handle = attr->pd->handle;
	pd->contained = to_bpd(attr->pd);
	take(&pd->contained->users);
	if (attr->td) {
		pd->td = container_of(attr->td, struct berth_td, td);
		take(&pd->td->users);
	}
	if (attr->comp_mask & IBV_PARENT_DOMAIN_INIT_ATTR_ALLOCATORS) {
		pd->alloc = attr->alloc;
		pd->free = attr->free;
	}
	if (attr->comp_mask & IBV_PARENT_DOMAIN_INIT_ATTR_PD_CONTEXT)
		pd->pd_context = attr->pd_context;
	return &pd->pd;
}

/**
 * berth_object_alloc - memory for an object of a domain
 * @ibpd: the domain, or NULL
 * @size: bytes
 * @type: for the domain's allocator
 * @origin: receives where it came from, for berth_object_free()
 *
 * Return: zeroed memory, or NULL and errno.
 */
void *berth_object_alloc(struct ibv_pd *ibpd, size_t size, enum berth_resource_type type,
			 struct berth_origin *origin)
{
	struct berth_pd *pd = ibpd && to_bpd(ibpd)->contained ? to_bpd(ibpd) : NULL;
	void *object = IBV_ALLOCATOR_USE_DEFAULT;

	*origin = (struct berth_origin){ .domain = pd, .type = type };
	if (pd && pd->alloc)
		object = pd->alloc(ibpd, pd->pd_context, size, OBJECT_ALIGNMENT, type);
	if (object == IBV_ALLOCATOR_USE_DEFAULT) {
		object = calloc(1, size);
	} else if (object) {
		origin->custom = true;
		memset(object, 0, size);
	}
	if (!object) {
		errno = ENOMEM;
		return NULL;
	}
	if (pd)
		take(&pd->users);
	return object;
}

/**
 * berth_object_free - give the memory of an object back
 * @object: of berth_object_alloc()
 * @origin: what that said; may lie in the object
 */
void berth_object_free(void *object, const struct berth_origin *origin)
{
	struct berth_pd *pd = origin->domain;

	if (origin->custom)
		pd->free(&pd->pd, pd->pd_context, object, origin->type);
	else
		free(object);
	if (pd)
		drop(&pd->users);
}

/* Whether objects of a domain (which may be NULL) are used by several threads at once. */
bool berth_needs_lock(struct ibv_context *ibctx, struct ibv_pd *ibpd)
{
	return !to_bctx(ibctx)->single_threaded && !(ibpd && to_bpd(ibpd)->td);
}
