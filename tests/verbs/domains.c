// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * domains: thread domains and parent domains. Objects of a parent domain work as those of its
 * protection domain, with its allocators, and what is in use cannot go.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vtest.h"

static int dealloc_pd(void *arg)
{
	return ibv_dealloc_pd(arg);
}

static int dealloc_td(void *arg)
{
	return ibv_dealloc_td(arg);
}

static int destroy_srq(void *arg)
{
	return ibv_destroy_srq(arg);
}

static int destroy_cq(void *arg)
{
	return ibv_destroy_cq(arg);
}

static struct ibv_td *td_new(struct vt_dev *d)
{
	struct ibv_td_init_attr ia = { };
	struct ibv_td *td = ibv_alloc_td(d->ctx, &ia);

	CHECK(td, "ibv_alloc_td: %s", strerror(errno));
	vt_defer(dealloc_td, td, "ibv_dealloc_td");
	return td;
}

static struct ibv_pd *parent_new(struct vt_dev *d, struct ibv_parent_domain_init_attr ia)
{
	struct ibv_pd *pd = ibv_alloc_parent_domain(d->ctx, &ia);

	CHECK(pd, "ibv_alloc_parent_domain: %s", strerror(errno));
	vt_defer(dealloc_pd, pd, "ibv_dealloc_pd of a parent domain");
	return pd;
}

static struct ibv_cq *cq_new(struct vt_dev *d, struct ibv_pd *parent)
{
	struct ibv_cq_init_attr_ex ia = { .cqe = 256, .wc_flags = IBV_WC_STANDARD_FLAGS,
					  .comp_mask = IBV_CQ_INIT_ATTR_MASK_PD,
					  .parent_domain = parent };
	struct ibv_cq_ex *cq = ibv_create_cq_ex(d->ctx, &ia);

	CHECK(cq, "ibv_create_cq_ex on a parent domain: %s", strerror(errno));
	vt_defer(destroy_cq, ibv_cq_ex_to_cq(cq), "ibv_destroy_cq");
	return ibv_cq_ex_to_cq(cq);
}

/* Counts what it hands out. */
struct pool {
	int live, made;
	bool by_default, fail;
	uint64_t types;
};

static void *pool_alloc(struct ibv_pd *pd, void *context, size_t size, size_t alignment,
			uint64_t type)
{
	struct pool *p = context;
	void *mem;

	(void)pd;
	if (p->fail)
		return NULL;
	p->made++;
	p->types |= 1ULL << type;
	if (p->by_default)
		return IBV_ALLOCATOR_USE_DEFAULT;
	if (posix_memalign(&mem, alignment, size))
		return NULL;
	memset(mem, 0xa5, size);	/* the provider has to clear it */
	p->live++;
	return mem;
}

static void pool_free(struct ibv_pd *pd, void *context, void *mem, uint64_t type)
{
	(void)pd;
	(void)type;
	((struct pool *)context)->live--;
	free(mem);
}

/* A QP, a CQ and an SRQ of a parent domain at both ends, with memory registered in the real PD. */
static void traffic(struct vt_dev *d, struct ibv_pd *parent)
{
	struct ibv_srq_init_attr sia = { .attr = { .max_wr = 16, .max_sge = 1 } };
	struct vt_buf *src = vt_buf_new(d, VT_HOST, 8192, VT_ACCESS_ALL);
	struct vt_buf *dst = vt_buf_new(d, VT_HOST, 8192, VT_ACCESS_ALL);
	struct vt_opts o = VT_OPTS;
	struct ibv_sge sge = vt_sge(dst, 0, 4096);
	struct ibv_recv_wr wr = { .wr_id = 7, .sg_list = &sge, .num_sge = 1 }, *bad;
	struct vt_pair *p;

	o.pd[0] = o.pd[1] = parent;
	o.cq[0] = cq_new(d, parent);
	o.cq[1] = cq_new(d, parent);
	vt_ping(vt_pair_new(d, d, &o), src, dst, 5000);
	o.srq[1] = ibv_create_srq(parent, &sia);
	CHECK(o.srq[1], "ibv_create_srq on a parent domain: %s", strerror(errno));
	vt_defer(destroy_srq, o.srq[1], "ibv_destroy_srq");
	p = vt_pair_new(d, d, &o);
	CHECK(p->a.qp->pd == parent && o.srq[1]->pd == parent, "the object has another PD");
	CHECK_ERRNO(ibv_post_srq_recv(o.srq[1], &wr, &bad), 0, "ibv_post_srq_recv");
	CHECK_ERRNO(vt_send(&p->a, 6, IBV_WR_SEND, vt_sge(src, 0, 4000), NULL, 0, IBV_SEND_SIGNALED),
		    0, "ibv_post_send");
	vt_expect_wc(&p->a, o.cq[0], 6, IBV_WC_SUCCESS, "SEND", NULL);
	vt_expect_wc(&p->b, o.cq[1], 7, IBV_WC_SUCCESS, "receive", NULL);
	vt_buf_expect_copy(dst, 0, 4000, src, 0, "message");
	CHECK_ERRNO(ibv_dealloc_pd(parent), EBUSY, "a parent domain in use");
	CHECK_ERRNO(ibv_dealloc_pd(d->pd), EBUSY, "a PD in use");
}

static void plain(const void *arg)
{
	struct vt_dev *d = vt_open(vt_cfg.dev);

	(void)arg;
	traffic(d, parent_new(d, (struct ibv_parent_domain_init_attr){ .pd = d->pd }));
}

static void with_td(const void *arg)
{
	struct vt_dev *d = vt_open(vt_cfg.dev);
	struct ibv_td *td = td_new(d);

	(void)arg;
	traffic(d, parent_new(d, (struct ibv_parent_domain_init_attr){ .pd = d->pd, .td = td }));
	CHECK_ERRNO(ibv_dealloc_td(td), EBUSY, "a thread domain in use");
}

static struct ibv_parent_domain_init_attr pool_attr(struct vt_dev *d, struct pool *p)
{
	return (struct ibv_parent_domain_init_attr){
		.pd = d->pd, .alloc = pool_alloc, .free = pool_free, .pd_context = p,
		.comp_mask = IBV_PARENT_DOMAIN_INIT_ATTR_ALLOCATORS |
			     IBV_PARENT_DOMAIN_INIT_ATTR_PD_CONTEXT,
	};
}

static int pool_empty(void *arg)
{
	struct pool *p = arg;

	return p->live ? EBUSY : 0;
}

static void allocators(const void *by_default)
{
	struct vt_dev *d = vt_open(vt_cfg.dev);
	struct pool *pool = vt_zalloc(sizeof(*pool));
	struct ibv_pd *parent;

	/* Deferred first, so looked at when the objects have gone. */
	vt_defer(pool_empty, pool, "giving back what the allocator handed out");
	pool->by_default = by_default;
	parent = parent_new(d, pool_attr(d, pool));
	traffic(d, parent);
	CHECK_EQ(pool->made, 7, "calls of the allocator: 4 QPs, 2 CQs, 1 SRQ");
	CHECK_EQ(pool->live, by_default ? 0 : 7, "what the allocator has handed out");
	CHECK_EQ(__builtin_popcountll(pool->types), 3, "resource types");
}

static void no_memory(const void *arg)
{
	struct vt_dev *d = vt_open(vt_cfg.dev);
	struct pool *pool = vt_zalloc(sizeof(*pool));
	struct ibv_srq_init_attr sia = { .attr = { .max_wr = 16, .max_sge = 1 } };
	struct ibv_cq *cq = vt_cq_new(d, 16, NULL);
	struct ibv_qp_init_attr qia = { .send_cq = cq, .recv_cq = cq, .qp_type = IBV_QPT_RC };
	struct ibv_pd *parent = parent_new(d, pool_attr(d, pool));

	(void)arg;
	pool->fail = true;
	CHECK(!ibv_create_srq(parent, &sia), "an SRQ without memory");
	CHECK_ERRNO(errno, ENOMEM, "ibv_create_srq");
	CHECK(!ibv_create_qp(parent, &qia), "a QP without memory");
	CHECK_ERRNO(errno, ENOMEM, "ibv_create_qp");
	/* The kernel refuses: the memory comes back. */
	pool->fail = false;
	sia.attr.max_wr = 0;
	CHECK(!ibv_create_srq(parent, &sia), "an SRQ without requests");
	CHECK_EQ(pool->made, 1, "calls of the allocator");
	CHECK_EQ(pool->live, 0, "what was not given back");
}

static void refuse(struct vt_dev *d, struct ibv_parent_domain_init_attr ia, int want,
		   const char *what)
{
	struct ibv_pd *pd = ibv_alloc_parent_domain(d->ctx, &ia);
	int err = errno;

	CHECK(!pd, "%s: was granted", what);
	CHECK_ERRNO(err, want, what);
}

static void refusals(const void *arg)
{
	struct vt_dev *d = vt_open(vt_cfg.dev), *other = vt_open(vt_cfg.dev);
	struct pool pool = { };
	struct ibv_parent_domain_init_attr ia = pool_attr(d, &pool);
	struct ibv_td_init_attr tia = { .comp_mask = 1 };
	struct ibv_pd *parent = parent_new(d, ia);

	(void)arg;
	ia.pd = NULL;
	refuse(d, ia, EINVAL, "no PD");
	ia.pd = parent;
	refuse(d, ia, EINVAL, "a parent domain of a parent domain");
	ia.pd = other->pd;
	refuse(d, ia, EINVAL, "a PD of another context");
	ia = pool_attr(d, &pool);
	ia.free = NULL;
	refuse(d, ia, EINVAL, "half an allocator");
	ia.comp_mask = 1 << 7;
	refuse(d, ia, EOPNOTSUPP, "unknown attribute");
	CHECK(!ibv_alloc_td(d->ctx, &tia), "unknown attribute of a thread domain");
	CHECK_ERRNO(errno, EOPNOTSUPP, "ibv_alloc_td");
}

static void add_cases(void)
{
	vt_add("domains/plain", plain, NULL, 0);
	vt_add("domains/thread", with_td, NULL, 0);
	vt_add("domains/allocators/own", allocators, NULL, 0);
	vt_add("domains/allocators/default", allocators, "", 0);
	vt_add("domains/no_memory", no_memory, NULL, 0);
	vt_add("domains/refusals", refusals, NULL, 0);
}

int main(int argc, char **argv)
{
	return vt_main(argc, argv, add_cases);
}
