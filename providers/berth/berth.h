/* SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB */
/*
 * The objects of the provider and what its files offer each other.
 *
 * Ownership: libibverbs owns the embedded verbs_* parts, the application the lifetime; the rings
 * are memory of the kernel that is mapped here from create to destroy. Lock order: qp_table_lock,
 * then a CQ lock. SQ, RQ and SRQ locks are leaves and are never held with another lock.
 */
#ifndef BERTH_PROVIDER_H
#define BERTH_PROVIDER_H

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "private_abi_34.h"
#include "ring.h"

#include <rdma/berth-abi.h>

/* What the library exports; all else is compiled as hidden. */
#pragma GCC visibility push(default)
#include "berthdv.h"
#pragma GCC visibility pop

#define berth_likely(x)		__builtin_expect(!!(x), 1)
#define berth_unlikely(x)	__builtin_expect(!!(x), 0)

#define BERTH_QPN_LEAF_BITS	12
#define BERTH_QPN_LEAF_SIZE	(1U << BERTH_QPN_LEAF_BITS)
#define BERTH_QPN_ROOT_SIZE	((BERTH_RING_QPN_MASK + 1) >> BERTH_QPN_LEAF_BITS)

struct berth_device {
	struct verbs_device vdev;
};

struct berth_qp_leaf {
	struct berth_qp *qp[BERTH_QPN_LEAF_SIZE];
};

struct berth_context {
	struct verbs_context vctx;
	int doorbell_fd;
	uint32_t null_lkey;		/* 0: the kernel has none */
	bool single_threaded;		/* BERTH_SINGLE_THREADED in the environment */
	pthread_mutex_t qp_table_lock;	/* writers of qp_table; pollers read without it */
	struct berth_qp_leaf *qp_table[BERTH_QPN_ROOT_SIZE];	/* leaves live as long as this */
};

struct berth_td {
	struct ibv_td td;
	unsigned int users;		/* parent domains, atomic */
};

/* A protection domain; or a parent domain, which stands for one and adds to it. */
struct berth_pd {
	struct ibv_pd pd;
	unsigned int users;		/* parent domains of it, or objects in it; atomic */
	struct berth_pd *contained;	/* of a parent domain, else NULL */
	struct berth_td *td;		/* its objects are used by one thread at a time; may be NULL */
	void *(*alloc)(struct ibv_pd *pd, void *pd_context, size_t size, size_t alignment,
		       uint64_t resource_type);
	void (*free)(struct ibv_pd *pd, void *pd_context, void *ptr, uint64_t resource_type);
	void *pd_context;
};

/* What the allocators of a parent domain are told. */
enum berth_resource_type {
	BERTH_RES_QP = 1,
	BERTH_RES_CQ,
	BERTH_RES_SRQ,
};

/* Where the memory of an object came from. */
struct berth_origin {
	struct berth_pd *domain;	/* a parent domain, or NULL */
	enum berth_resource_type type;
	bool custom;			/* its allocator made it */
};

struct berth_ah {
	struct ibv_ah ah;
	uint32_t number;		/* by which a work request names it */
};

struct berth_cq {
	struct verbs_cq vcq;
	struct berth_origin origin;
	struct berth_lock lock;		/* everything below */
	struct berth_cq_ring *ring;
	struct berth_cqe *cqes;
	uint32_t mask;
	uint32_t cons;			/* next entry to read; published at the end of a poll */
	uint32_t prod;			/* last seen of the kernel's */
	struct berth_cqe *cur;		/* of ibv_start_poll() and what follows it */
	struct berth_qp *last_qp;	/* of the completion before; cleared when it goes */
	uint32_t map_size;
};

/* One direction of a QP: the SQ or the RQ. */
struct berth_wq {
	struct berth_lock lock;		/* head and the entries between tail and head */
	uint8_t *entries;
	uint32_t *prod;			/* in the mapping */
	uint32_t mask;
	uint32_t stride;
	uint32_t head;			/* next to post */
	uint32_t max_wr;
	uint32_t max_sge;
	uint32_t max_inline;
	uint32_t tail;			/* oldest not known done; advanced by polling, atomic */
};

/* struct berthdv_area of the direct verbs. */
struct berthdv_area {
	struct ibv_context *context;
	struct berth_area_ring *ring;
	uint32_t *returned;
	const struct berth_area_piece *piece;
	uint32_t handle;
	uint32_t chunks;
	uint32_t chunk_size;
	uint32_t first;			/* of chunk 0 in the MR, bytes */
	uint32_t mask;			/* of the ring of returned tokens */
	uint32_t map_size;
	pthread_spinlock_t lock;	/* of prod */
};

struct berth_qp {
	struct verbs_qp vqp;
	struct berthdv_area *area;	/* what it or its SRQ receives into, or NULL */
	struct berth_origin origin;
	struct berth_wq sq;
	struct berth_wq rq;
	struct berth_qp_ring *ring;
	int doorbell_fd;
	uint8_t sig_all;		/* BERTH_WR_SIGNALED when every send is, or 0 */
	bool datagrams;			/* every send names an address handle */
	uint8_t sends_from;		/* the state from which sends are posted: RTS, but iWARP's is not told to us */

	/* Between ibv_wr_start() and ibv_wr_complete(), under sq.lock. */
	uint32_t wr_head;		/* next to build, sq.head until something was */
	int wr_err;			/* first error, or 0 */
	struct berth_send_wqe *wr_cur;	/* being built, or NULL */

	void *map;			/* other QPs may have their rings in these pages, too */
	uint32_t map_size;
};

struct berth_srq {
	struct verbs_srq vsrq;
	struct berth_origin origin;
	struct berth_wq wq;		/* but for tail: the kernel says in the ring what is free */
	struct berth_srq_ring *ring;
	struct berthdv_area *area;	/* or NULL */
	uint32_t map_size;
};

static inline struct berth_context *to_bctx(struct ibv_context *ibctx)
{
	return container_of(ibctx, struct berth_context, vctx.context);
}

static inline struct berth_ah *to_bah(struct ibv_ah *ibah)
{
	return container_of(ibah, struct berth_ah, ah);
}

static inline struct berth_cq *to_bcq(struct ibv_cq *ibcq)
{
	return container_of(ibcq, struct berth_cq, vcq.cq);
}

static inline struct berth_cq *to_bcq_ex(struct ibv_cq_ex *ibcq)
{
	return container_of(ibcq, struct berth_cq, vcq.cq_ex);
}

static inline struct berth_pd *to_bpd(struct ibv_pd *ibpd)
{
	return container_of(ibpd, struct berth_pd, pd);
}

static inline struct berth_srq *to_bsrq(struct ibv_srq *ibsrq)
{
	return container_of(ibsrq, struct berth_srq, vsrq.srq);
}

static inline struct berth_qp *to_bqp(struct ibv_qp *ibqp)
{
	return container_of(ibqp, struct berth_qp, vqp.qp);
}

static inline struct berth_qp *to_bqp_ex(struct ibv_qp_ex *ibqp)
{
	return container_of(ibqp, struct berth_qp, vqp.qp_ex);
}

static inline struct berth_send_wqe *sq_entry(const struct berth_wq *wq, uint32_t index)
{
	return (void *)(wq->entries + (size_t)(index & wq->mask) * wq->stride);
}

static inline struct berth_recv_wqe *rq_entry(const struct berth_wq *wq, uint32_t index)
{
	return (void *)(wq->entries + (size_t)(index & wq->mask) * wq->stride);
}

/* Whether the entry at @index may not be written yet. Pairs with the publish in cq.c. */
static inline bool wq_is_full(const struct berth_wq *wq, uint32_t index)
{
	return index - ring_observe(&wq->tail) >= wq->max_wr;
}

/* The QP of a completion. Without a lock: leaves stay, and a QP leaves its slot before it goes. */
static inline struct berth_qp *berth_qp_find(const struct berth_context *ctx, uint32_t qpn)
{
	struct berth_qp_leaf *leaf;

	qpn &= BERTH_RING_QPN_MASK;
	leaf = __atomic_load_n(&ctx->qp_table[qpn >> BERTH_QPN_LEAF_BITS], __ATOMIC_ACQUIRE);
	if (berth_unlikely(!leaf))
		return NULL;
	return __atomic_load_n(&leaf->qp[qpn & (BERTH_QPN_LEAF_SIZE - 1)], __ATOMIC_ACQUIRE);
}

/*
 * What the kernel says about destroying an object, with EIO left out: the device has gone, and the
 * object with it, so there is only this side's part to take apart.
 */
static inline int berth_destroyed(int ret)
{
	return ret == EIO ? 0 : ret;
}

/* uioctl.c */
int berth_open_doorbell(struct ibv_context *ibctx);
int berth_reg_dmabuf(struct ibv_pd *ibpd, uint64_t offset, uint64_t length, uint64_t iova, int fd,
		     int access, struct ibv_mr *mr);
int berth_ring_doorbell(int fd, uint32_t what);
int berth_alloc_dm_handle(struct ibv_context *ibctx, uint64_t length, uint32_t log_align,
			  uint32_t *handle, uint64_t *mmap_offset);
int berth_free_dm_handle(struct ibv_context *ibctx, uint32_t handle);
int berth_query_context(struct ibv_context *ibctx, uint64_t *core_support,
			struct berth_alloc_ucontext_resp *resp);
int berth_query_pd(struct ibv_context *ibctx, uint32_t handle);
int berth_query_dm(struct ibv_context *ibctx, uint32_t handle, struct berth_dm_query_resp *resp);
int berth_reg_dm(struct ibv_pd *ibpd, uint32_t dm, uint64_t offset, uint64_t length,
		 unsigned int access, struct ibv_mr *mr);
int berth_attach_socket(struct ibv_qp *ibqp, int fd);
int berth_create_area_handle(struct ibv_mr *mr, const struct berth_create_area_req *req,
			     struct berth_create_area_resp *resp, uint32_t *handle);
int berth_destroy_area_handle(struct ibv_context *ibctx, uint32_t handle);
int berth_qp_set_area(struct ibv_qp *ibqp, uint32_t area);
int berth_srq_set_area(struct ibv_srq *ibsrq, uint32_t area);

/* area.c */
void berth_area_recover(struct berthdv_area *area, const struct berth_cqe *cqe);

/* domain.c */
struct ibv_pd *berth_alloc_pd(struct ibv_context *ibctx);
int berth_dealloc_pd(struct ibv_pd *ibpd);
struct ibv_td *berth_alloc_td(struct ibv_context *ibctx, struct ibv_td_init_attr *attr);
int berth_dealloc_td(struct ibv_td *ibtd);
struct ibv_pd *berth_alloc_parent_domain(struct ibv_context *ibctx,
					 struct ibv_parent_domain_init_attr *attr);
void *berth_object_alloc(struct ibv_pd *ibpd, size_t size, enum berth_resource_type type,
			 struct berth_origin *origin);
void berth_object_free(void *object, const struct berth_origin *origin);
bool berth_needs_lock(struct ibv_context *ibctx, struct ibv_pd *ibpd);

/* mr.c */
struct ibv_mr *berth_reg_mr(struct ibv_pd *ibpd, void *addr, size_t length, uint64_t iova,
			    int access);
struct ibv_mr *berth_reg_dmabuf_mr(struct ibv_pd *ibpd, uint64_t offset, size_t length,
				   uint64_t iova, int fd, int access);
int berth_rereg_mr(struct verbs_mr *vmr, int flags, struct ibv_pd *ibpd, void *addr, size_t length,
		   int access);
struct ibv_mr *berth_alloc_null_mr(struct ibv_pd *ibpd);
int berth_dereg_mr(struct verbs_mr *vmr);

/* dm.c */
struct ibv_dm *berth_alloc_dm(struct ibv_context *ibctx, struct ibv_alloc_dm_attr *attr);
struct ibv_dm *berth_dm_map(struct ibv_context *ibctx, uint32_t handle, size_t length,
			    uint64_t offset);
void berth_dm_unmap(struct ibv_dm *ibdm);
int berth_free_dm(struct ibv_dm *ibdm);
struct ibv_mr *berth_reg_dm_mr(struct ibv_pd *ibpd, struct ibv_dm *ibdm, uint64_t offset,
			       size_t length, unsigned int access);
/* mw.c */
struct ibv_mw *berth_alloc_mw(struct ibv_pd *ibpd, enum ibv_mw_type type);
int berth_dealloc_mw(struct ibv_mw *mw);
int berth_bind_mw(struct ibv_qp *ibqp, struct ibv_mw *mw, struct ibv_mw_bind *bind);
int berth_put_bind(struct berth_send_wqe *wqe, const struct ibv_mw *mw, uint32_t rkey,
		   const struct ibv_mw_bind_info *info);

/* ah.c */
struct ibv_ah *berth_create_ah(struct ibv_pd *ibpd, struct ibv_ah_attr *attr);
int berth_destroy_ah(struct ibv_ah *ibah);

/* cq.c and cq_ex.c */
struct ibv_cq *berth_create_cq(struct ibv_context *ibctx, int cqe,
			       struct ibv_comp_channel *channel, int comp_vector);
struct ibv_cq_ex *berth_create_cq_ex(struct ibv_context *ibctx, struct ibv_cq_init_attr_ex *attr);
int berth_poll_cq(struct ibv_cq *ibcq, int num_entries, struct ibv_wc *wc);
int berth_req_notify_cq(struct ibv_cq *ibcq, int solicited_only);
int berth_resize_cq(struct ibv_cq *ibcq, int cqe);
int berth_destroy_cq(struct ibv_cq *ibcq);
void berth_cq_forget_qp(struct berth_cq *cq, const struct berth_qp *qp);
void berth_cq_set_ex_ops(struct ibv_cq_ex *ibcq, uint64_t wc_flags);

/* srq.c */
struct ibv_srq *berth_create_srq(struct ibv_pd *ibpd, struct ibv_srq_init_attr *attr);
int berth_modify_srq(struct ibv_srq *ibsrq, struct ibv_srq_attr *attr, int attr_mask);
int berth_query_srq(struct ibv_srq *ibsrq, struct ibv_srq_attr *attr);
int berth_destroy_srq(struct ibv_srq *ibsrq);

/* import.c */
struct ibv_pd *berth_import_pd(struct ibv_context *ibctx, uint32_t handle);
void berth_unimport_pd(struct ibv_pd *ibpd);
struct ibv_mr *berth_import_mr(struct ibv_pd *ibpd, uint32_t handle);
void berth_unimport_mr(struct ibv_mr *ibmr);
struct ibv_dm *berth_import_dm(struct ibv_context *ibctx, uint32_t handle);
void berth_unimport_dm(struct ibv_dm *ibdm);

/* qp.c */
struct ibv_qp *berth_create_qp(struct ibv_pd *ibpd, struct ibv_qp_init_attr *attr);
struct ibv_qp *berth_create_qp_ex(struct ibv_context *ibctx, struct ibv_qp_init_attr_ex *attr);
struct ibv_qp *berth_create_qp_flags(struct ibv_context *ibctx, struct ibv_qp_init_attr_ex *attr,
				     uint32_t flags);
int berth_modify_qp(struct ibv_qp *ibqp, struct ibv_qp_attr *attr, int attr_mask);
int berth_query_qp(struct ibv_qp *ibqp, struct ibv_qp_attr *attr, int attr_mask,
		   struct ibv_qp_init_attr *init_attr);
int berth_destroy_qp(struct ibv_qp *ibqp);

/* wr.c and wr_ex.c */
#define BERTH_SEND_OPS							\
	(IBV_QP_EX_WITH_RDMA_WRITE | IBV_QP_EX_WITH_RDMA_WRITE_WITH_IMM |	\
	 IBV_QP_EX_WITH_SEND | IBV_QP_EX_WITH_SEND_WITH_IMM |		\
	 IBV_QP_EX_WITH_RDMA_READ | IBV_QP_EX_WITH_SEND_WITH_INV |	\
	 IBV_QP_EX_WITH_ATOMIC_CMP_AND_SWP | IBV_QP_EX_WITH_ATOMIC_FETCH_AND_ADD | \
	 IBV_QP_EX_WITH_LOCAL_INV | IBV_QP_EX_WITH_BIND_MW |		\
	 VERBS_QP_EX_WITH_ATOMIC_WRITE)

/* By the table of a transport in the kernel (berth_transport.takes). */
#define BERTH_TCP_SEND_OPS	(BERTH_SEND_OPS & ~(uint64_t)VERBS_QP_EX_WITH_ATOMIC_WRITE)

#define BERTH_IWARP_SEND_OPS						\
	(IBV_QP_EX_WITH_RDMA_WRITE | IBV_QP_EX_WITH_SEND |		\
	 IBV_QP_EX_WITH_RDMA_READ | IBV_QP_EX_WITH_SEND_WITH_INV |	\
	 IBV_QP_EX_WITH_LOCAL_INV | IBV_QP_EX_WITH_BIND_MW)

#define BERTH_UC_SEND_OPS						\
	(IBV_QP_EX_WITH_RDMA_WRITE | IBV_QP_EX_WITH_RDMA_WRITE_WITH_IMM |	\
	 IBV_QP_EX_WITH_SEND | IBV_QP_EX_WITH_SEND_WITH_IMM |		\
	 IBV_QP_EX_WITH_LOCAL_INV | IBV_QP_EX_WITH_BIND_MW)

#define BERTH_UD_SEND_OPS	(IBV_QP_EX_WITH_SEND | IBV_QP_EX_WITH_SEND_WITH_IMM)

#define BERTH_STREAM_SEND_OPS	IBV_QP_EX_WITH_SEND

int berth_post_send(struct ibv_qp *ibqp, struct ibv_send_wr *wr, struct ibv_send_wr **bad_wr);
int berth_post_recv(struct ibv_qp *ibqp, struct ibv_recv_wr *wr, struct ibv_recv_wr **bad_wr);
int berth_post_srq_recv(struct ibv_srq *ibsrq, struct ibv_recv_wr *wr, struct ibv_recv_wr **bad_wr);
void berth_qp_set_wr_ops(struct verbs_qp *vqp, uint64_t send_ops);

/* enum ibv_send_flags to enum berth_wr_flags: the fence moves, the others have one step less. */
#define BERTH_SEND_FLAGS \
	((unsigned int)(IBV_SEND_FENCE | IBV_SEND_SIGNALED | IBV_SEND_SOLICITED | IBV_SEND_INLINE))

static inline uint8_t berth_wr_flags(unsigned int send_flags)
{
	static_assert(IBV_SEND_FENCE == 1 && BERTH_WR_FENCE == 4 && IBV_SEND_SIGNALED == 2 &&
		      BERTH_WR_SIGNALED == 1 && IBV_SEND_SOLICITED == 4 &&
		      BERTH_WR_SOLICITED == 2, "flags moved");

	return ((send_flags >> 1) & (BERTH_WR_SIGNALED | BERTH_WR_SOLICITED)) |
	       ((send_flags << 2) & BERTH_WR_FENCE);
}

static inline void put_ud_addr(struct berth_send_wqe *wqe, struct ibv_ah *ibah, uint32_t qpn,
			       uint32_t qkey)
{
	wqe->ud.ah = to_bah(ibah)->number;
	wqe->ud.qpn = qpn;
	wqe->ud.qkey = qkey;
	wqe->ud.reserved = 0;
}

static_assert(sizeof(struct berth_sge) == sizeof(struct ibv_sge) &&
	      offsetof(struct berth_sge, addr) == offsetof(struct ibv_sge, addr) &&
	      offsetof(struct berth_sge, length) == offsetof(struct ibv_sge, length) &&
	      offsetof(struct berth_sge, lkey) == offsetof(struct ibv_sge, lkey),
	      "an SGE is copied as it is");

#endif
