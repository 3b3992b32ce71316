// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * libberth-dmabuf.so: the verbs that a preloaded program calls here instead of in libibverbs.
 *
 * ibv_reg_mr, ibv_reg_mr_iova and ibv_reg_mr_iova2 are exported with the symbol versions of
 * libibverbs, so references of stock binaries bind to them; with BERTH_DMABUF set they register a
 * dma-buf mapped over the program's memory. libibverbs's own ibv_reg_mr calls ibv_reg_mr_iova2
 * through its PLT, thus here: so all three go on to the real ibv_reg_mr_iova2 only. A
 * registration that should be in a dma-buf and cannot be fails; it never becomes one of host
 * memory, except below BERTH_DMABUF_MIN bytes, which is told.
 *
 * ibv_reg_mr_ex, of rdma-core 59 and later, takes a structure that says what is registered, and is
 * not replaced: it is answered with EOPNOTSUPP, on which programs fall back to the others, as
 * perftest does.
 *
 * ibv_modify_qp is the moment of the pattern: perftest writes random bytes into its buffers after
 * registering them, and before it connects. Callable from any thread; the lists and their lock
 * are in mr.c.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include <infiniband/verbs.h>

#include "../common/say.h"
#include "mr.h"
#include "options.h"

#undef ibv_reg_mr
#undef ibv_reg_mr_iova

#define EXPORTED __attribute__((visibility("default")))

/* Where libibverbs is older than the verb, its header has neither. */
struct ibv_mr_init_attr;
struct ibv_mr *ibv_reg_mr_ex(struct ibv_pd *pd, struct ibv_mr_init_attr *attr);

static struct {
	struct ibv_mr *(*reg_mr_iova2)(struct ibv_pd *pd, void *addr, size_t length, uint64_t iova,
				       unsigned int access);
	mr_reg_dmabuf reg_dmabuf_mr;
	mr_dereg dereg_mr;
	struct ibv_mr *(*reg_mr_ex)(struct ibv_pd *pd, struct ibv_mr_init_attr *attr);
	int (*modify_qp)(struct ibv_qp *qp, struct ibv_qp_attr *attr, int attr_mask);
} real;

static pthread_once_t once = PTHREAD_ONCE_INIT;

static void prepare(void)
{
	shim_options_load();
	*(void **)&real.reg_mr_iova2 = dlvsym(RTLD_NEXT, "ibv_reg_mr_iova2", "IBVERBS_1.8");
	*(void **)&real.reg_dmabuf_mr = dlvsym(RTLD_NEXT, "ibv_reg_dmabuf_mr", "IBVERBS_1.12");
	*(void **)&real.dereg_mr = dlvsym(RTLD_NEXT, "ibv_dereg_mr", "IBVERBS_1.1");
	*(void **)&real.modify_qp = dlvsym(RTLD_NEXT, "ibv_modify_qp", "IBVERBS_1.1");
	*(void **)&real.reg_mr_ex = dlvsym(RTLD_NEXT, "ibv_reg_mr_ex", "IBVERBS_1.15");
}

/* Are the real verbs there? Says which library is missing otherwise. Reads the options first. */
static int have_real(void)
{
	pthread_once(&once, prepare);
	if (real.reg_mr_iova2 && real.reg_dmabuf_mr && real.dereg_mr && real.modify_qp)
		return 1;
	say("libibverbs without ibv_reg_dmabuf_mr: install libibverbs1 of rdma-core 34 or later");
	errno = EOPNOTSUPP;
	return 0;
}

static struct ibv_mr *reg(struct ibv_pd *pd, void *addr, size_t length, uint64_t iova,
			  unsigned int access)
{
	if (!have_real())
		return NULL;
	if (!shim_options.active)
		return real.reg_mr_iova2(pd, addr, length, iova, access);
	if (shim_options.broken) {
		say("registration refused: the environment asks for what is not there (see above)");
		errno = EINVAL;
		return NULL;
	}
	if (!length || length < shim_options.smallest) {
		say("%zu bytes at %p stay in host memory: fewer than BERTH_DMABUF_MIN (%llu)",
		    length, addr, (unsigned long long)shim_options.smallest);
		return real.reg_mr_iova2(pd, addr, length, iova, access);
	}
	return mr_register(real.reg_dmabuf_mr, pd, addr, length, iova, access);
}

EXPORTED struct ibv_mr *ibv_reg_mr(struct ibv_pd *pd, void *addr, size_t length, int access)
{
	return reg(pd, addr, length, (uintptr_t)addr, (unsigned int)access);
}

EXPORTED struct ibv_mr *ibv_reg_mr_iova(struct ibv_pd *pd, void *addr, size_t length, uint64_t iova,
					int access)
{
	return reg(pd, addr, length, iova, (unsigned int)access);
}

EXPORTED struct ibv_mr *ibv_reg_mr_iova2(struct ibv_pd *pd, void *addr, size_t length,
					 uint64_t iova, unsigned int access)
{
	return reg(pd, addr, length, iova, access);
}

EXPORTED struct ibv_mr *ibv_reg_mr_ex(struct ibv_pd *pd, struct ibv_mr_init_attr *attr)
{
	static bool told;

	if (!have_real())
		return NULL;
	if (!shim_options.active && real.reg_mr_ex)
		return real.reg_mr_ex(pd, attr);
	if (shim_options.active && !__atomic_exchange_n(&told, true, __ATOMIC_RELAXED))
		say("ibv_reg_mr_ex is refused: programs have to fall back to ibv_reg_mr");
	errno = EOPNOTSUPP;
	return NULL;
}

EXPORTED int ibv_dereg_mr(struct ibv_mr *mr)
{
	if (!have_real())
		return errno;
	if (!shim_options.active)
		return real.dereg_mr(mr);
	return mr_deregister(real.dereg_mr, mr);
}

EXPORTED int ibv_modify_qp(struct ibv_qp *qp, struct ibv_qp_attr *attr, int attr_mask)
{
	if (!have_real())
		return errno;
	if (shim_options.fill && (attr_mask & IBV_QP_STATE) &&
	    (attr->qp_state == IBV_QPS_RTR || attr->qp_state == IBV_QPS_RTS))
		mr_fill_all();
	return real.modify_qp(qp, attr, attr_mask);
}

static void __attribute__((constructor)) setup(void)
{
	say_name("libberth-dmabuf");
	mr_setup();
}
