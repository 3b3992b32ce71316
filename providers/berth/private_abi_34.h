/* SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB */
/*
 * The part of libibverbs' private ABI 34 that this provider uses, declared here because
 * distributions do not ship the header that providers are built against.
 *
 * "ABI 34" is the number in IBVERBS_PRIVATE_34 and in the suffix -rdmav34.so. Releases 34 to 56 of
 * rdma-core carry it, but it was not frozen: the operation table took its present shape in release
 * 36 (need_release_36 below makes the dynamic linker refuse older ones with a clear message), and
 * struct ibv_qp_ex grew in 44 and 45, which moves the members behind it in struct verbs_qp
 * (verbs_qp_find_tail copes). Whatever is asserted here holds for releases 36 to 56.
 *
 * Inside an rdma-core tree (BERTH_IN_RDMA_CORE) the tree's own header is used instead.
 */
#ifndef BERTH_PRIVATE_ABI_34_H
#define BERTH_PRIVATE_ABI_34_H

#ifdef BERTH_IN_RDMA_CORE

#include <infiniband/driver.h>

enum {
	VERBS_WC_ATOMIC_WRITE = IBV_WC_ATOMIC_WRITE,
	VERBS_WR_ATOMIC_WRITE = IBV_WR_ATOMIC_WRITE,
	VERBS_QP_EX_WITH_ATOMIC_WRITE = IBV_QP_EX_WITH_ATOMIC_WRITE,
};

typedef __typeof__(((struct ibv_qp_ex *)0)->wr_atomic_write) verbs_atomic_write_fn;

#else

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/types.h>
#include <time.h>

#include <infiniband/verbs.h>
#include <rdma/ib_user_verbs.h>

#define container_of(ptr, type, member) \
	((type *)((char *)(ptr) - offsetof(type, member)))

/* ---- what a provider registers ---- */

enum {
	VERBS_MATCH_SENTINEL = 0,
	VERBS_MATCH_DRIVER_ID = 3,
};

struct verbs_match_ent {
	void *driver_data;
	union {
		const char *modalias;
		uint64_t driver_id;
	} u;
	uint16_t vendor;
	uint16_t device;
	uint8_t kind;
};

#define VERBS_DRIVER_ID(id) { .u.driver_id = (id), .kind = VERBS_MATCH_DRIVER_ID }

struct verbs_sysfs_dev;		/* libibverbs' own view of a device; not looked into */
struct verbs_device;

struct verbs_device_ops {
	const char *name;
	uint32_t match_min_abi_version;
	uint32_t match_max_abi_version;
	const struct verbs_match_ent *match_table;
	const struct verbs_device_ops **static_providers;
	bool (*match_device)(struct verbs_sysfs_dev *sysfs_dev);
	struct verbs_context *(*alloc_context)(struct ibv_device *device, int cmd_fd,
					       void *private_data);
	struct verbs_context *(*import_context)(struct ibv_device *device, int cmd_fd);
	struct verbs_device *(*alloc_device)(struct verbs_sysfs_dev *sysfs_dev);
	void (*uninit_device)(struct verbs_device *device);
};

struct verbs_device {
	struct ibv_device device;
	const struct verbs_device_ops *ops;
	int refcount;			/* atomic in libibverbs, which alone touches it */
	void *entry[2];			/* list links of libibverbs */
	struct verbs_sysfs_dev *sysfs;
	uint64_t core_support;
};

/* The number in the name is the private ABI: linking fails when libibverbs has another one. */
void verbs_register_driver_34(const struct verbs_device_ops *ops);

#define PROVIDER_DRIVER(name, ops)						\
	static __attribute__((constructor)) void name##_register_driver(void)	\
	{									\
		verbs_register_driver_34(&(ops));				\
	}

/* ---- objects: each starts with what the application sees ---- */

enum ibv_mr_type {
	IBV_MR_TYPE_MR,
	IBV_MR_TYPE_NULL_MR,
	IBV_MR_TYPE_IMPORTED_MR,
	IBV_MR_TYPE_DMABUF_MR,
};

struct verbs_mr {
	struct ibv_mr ibv_mr;
	enum ibv_mr_type mr_type;
	int access;
};

struct verbs_cq {
	union {
		struct ibv_cq cq;
		struct ibv_cq_ex cq_ex;
	};
};

struct verbs_srq {
	struct ibv_srq srq;
	enum ibv_srq_type srq_type;
	void *xrcd;
	struct ibv_cq *cq;
	uint32_t srq_num;
};

/* Of struct ibv_qp_ex, what every release of ABI 34 has: up to and including wr_abort. */
#define VERBS_QP_EX_COMMON (offsetof(struct ibv_qp_ex, wr_abort) + sizeof(void (*)(void)))

/*
 * In libibverbs a mask of 32 bits and a pointer follow struct ibv_qp_ex, at a place that depends on
 * how many operations its release knows; the tail covers the three places that there are, and one
 * slot more for the pointer.
 */
struct verbs_qp {
	union {
		struct ibv_qp qp;
		struct ibv_qp_ex qp_ex;
		struct {
			char common[VERBS_QP_EX_COMMON];
			uint64_t tail[4];
		};
	};
};

enum verbs_qp_mask {
	VERBS_QP_EX = 1 << 1,
};

/* Public, but newer than the oldest headers that this is built with: release 44. */
enum {
	VERBS_WC_ATOMIC_WRITE = 9,		/* IBV_WC_ATOMIC_WRITE */
	VERBS_WR_ATOMIC_WRITE = 15,		/* IBV_WR_ATOMIC_WRITE */
	VERBS_QP_EX_WITH_ATOMIC_WRITE = 1 << 12,	/* IBV_QP_EX_WITH_ATOMIC_WRITE */
};

typedef void (*verbs_atomic_write_fn)(struct ibv_qp_ex *qp, uint32_t rkey, uint64_t remote_addr,
				      const void *atomic_wr);

/* ---- operations of a context; the order and number of the slots are the ABI ---- */

#define VERBS_UNUSED_OP(name) void (*name)(void)

struct verbs_context_ops {
	int (*advise_mr)(struct ibv_pd *pd, enum ib_uverbs_advise_mr_advice advice, uint32_t flags,
			 struct ibv_sge *sg_list, uint32_t num_sges);
	struct ibv_dm *(*alloc_dm)(struct ibv_context *context, struct ibv_alloc_dm_attr *attr);
	struct ibv_mw *(*alloc_mw)(struct ibv_pd *pd, enum ibv_mw_type type);
	struct ibv_mr *(*alloc_null_mr)(struct ibv_pd *pd);
	struct ibv_pd *(*alloc_parent_domain)(struct ibv_context *context,
					      struct ibv_parent_domain_init_attr *attr);
	struct ibv_pd *(*alloc_pd)(struct ibv_context *context);
	struct ibv_td *(*alloc_td)(struct ibv_context *context, struct ibv_td_init_attr *attr);
	VERBS_UNUSED_OP(async_event);
	VERBS_UNUSED_OP(attach_counters_point_flow);
	int (*attach_mcast)(struct ibv_qp *qp, const union ibv_gid *gid, uint16_t lid);
	int (*bind_mw)(struct ibv_qp *qp, struct ibv_mw *mw, struct ibv_mw_bind *bind);
	VERBS_UNUSED_OP(close_xrcd);
	VERBS_UNUSED_OP(cq_event);
	struct ibv_ah *(*create_ah)(struct ibv_pd *pd, struct ibv_ah_attr *attr);
	VERBS_UNUSED_OP(create_counters);
	struct ibv_cq *(*create_cq)(struct ibv_context *context, int cqe,
				    struct ibv_comp_channel *channel, int comp_vector);
	struct ibv_cq_ex *(*create_cq_ex)(struct ibv_context *context,
					  struct ibv_cq_init_attr_ex *attr);
	VERBS_UNUSED_OP(create_flow);
	VERBS_UNUSED_OP(create_flow_action_esp);
	struct ibv_qp *(*create_qp)(struct ibv_pd *pd, struct ibv_qp_init_attr *attr);
	struct ibv_qp *(*create_qp_ex)(struct ibv_context *context,
				       struct ibv_qp_init_attr_ex *attr);
	VERBS_UNUSED_OP(create_rwq_ind_table);
	struct ibv_srq *(*create_srq)(struct ibv_pd *pd, struct ibv_srq_init_attr *attr);
	VERBS_UNUSED_OP(create_srq_ex);
	VERBS_UNUSED_OP(create_wq);
	int (*dealloc_mw)(struct ibv_mw *mw);
	int (*dealloc_pd)(struct ibv_pd *pd);
	int (*dealloc_td)(struct ibv_td *td);
	int (*dereg_mr)(struct verbs_mr *vmr);
	int (*destroy_ah)(struct ibv_ah *ah);
	VERBS_UNUSED_OP(destroy_counters);
	int (*destroy_cq)(struct ibv_cq *cq);
	VERBS_UNUSED_OP(destroy_flow);
	VERBS_UNUSED_OP(destroy_flow_action);
	int (*destroy_qp)(struct ibv_qp *qp);
	VERBS_UNUSED_OP(destroy_rwq_ind_table);
	int (*destroy_srq)(struct ibv_srq *srq);
	VERBS_UNUSED_OP(destroy_wq);
	int (*detach_mcast)(struct ibv_qp *qp, const union ibv_gid *gid, uint16_t lid);
	void (*free_context)(struct ibv_context *context);
	int (*free_dm)(struct ibv_dm *dm);
	VERBS_UNUSED_OP(get_srq_num);
	struct ibv_dm *(*import_dm)(struct ibv_context *context, uint32_t dm_handle);
	struct ibv_mr *(*import_mr)(struct ibv_pd *pd, uint32_t mr_handle);
	struct ibv_pd *(*import_pd)(struct ibv_context *context, uint32_t pd_handle);
	VERBS_UNUSED_OP(modify_cq);
	VERBS_UNUSED_OP(modify_flow_action_esp);
	int (*modify_qp)(struct ibv_qp *qp, struct ibv_qp_attr *attr, int attr_mask);
	VERBS_UNUSED_OP(modify_qp_rate_limit);
	int (*modify_srq)(struct ibv_srq *srq, struct ibv_srq_attr *attr, int attr_mask);
	VERBS_UNUSED_OP(modify_wq);
	VERBS_UNUSED_OP(open_qp);
	VERBS_UNUSED_OP(open_xrcd);
	int (*poll_cq)(struct ibv_cq *cq, int num_entries, struct ibv_wc *wc);
	int (*post_recv)(struct ibv_qp *qp, struct ibv_recv_wr *wr, struct ibv_recv_wr **bad_wr);
	int (*post_send)(struct ibv_qp *qp, struct ibv_send_wr *wr, struct ibv_send_wr **bad_wr);
	VERBS_UNUSED_OP(post_srq_ops);
	int (*post_srq_recv)(struct ibv_srq *srq, struct ibv_recv_wr *wr,
			     struct ibv_recv_wr **bad_wr);
	int (*query_device_ex)(struct ibv_context *context,
			       const struct ibv_query_device_ex_input *input,
			       struct ibv_device_attr_ex *attr, size_t attr_size);
	VERBS_UNUSED_OP(query_ece);
	int (*query_port)(struct ibv_context *context, uint8_t port_num,
			  struct ibv_port_attr *attr);
	int (*query_qp)(struct ibv_qp *qp, struct ibv_qp_attr *attr, int attr_mask,
			struct ibv_qp_init_attr *init_attr);
	VERBS_UNUSED_OP(query_qp_data_in_order);
	int (*query_rt_values)(struct ibv_context *context, struct ibv_values_ex *values);
	int (*query_srq)(struct ibv_srq *srq, struct ibv_srq_attr *attr);
	VERBS_UNUSED_OP(read_counters);
	struct ibv_mr *(*reg_dm_mr)(struct ibv_pd *pd, struct ibv_dm *dm, uint64_t dm_offset,
				    size_t length, unsigned int access);
	struct ibv_mr *(*reg_dmabuf_mr)(struct ibv_pd *pd, uint64_t offset, size_t length,
					uint64_t iova, int fd, int access);
	struct ibv_mr *(*reg_mr)(struct ibv_pd *pd, void *addr, size_t length, uint64_t hca_va,
				 int access);
	int (*req_notify_cq)(struct ibv_cq *cq, int solicited_only);
	int (*rereg_mr)(struct verbs_mr *vmr, int flags, struct ibv_pd *pd, void *addr,
			size_t length, int access);
	int (*resize_cq)(struct ibv_cq *cq, int cqe);
	VERBS_UNUSED_OP(set_ece);
	void (*unimport_dm)(struct ibv_dm *dm);
	void (*unimport_mr)(struct ibv_mr *mr);
	void (*unimport_pd)(struct ibv_pd *pd);
};

/* ---- contexts ---- */

void *_verbs_init_and_alloc_context(struct ibv_device *device, int cmd_fd, size_t alloc_size,
				    struct verbs_context *context_offset, uint32_t driver_id);
void verbs_uninit_context(struct verbs_context *context);
void verbs_set_ops(struct verbs_context *context, const struct verbs_context_ops *ops);

/* A zeroed *@ptr with its context at @member. Takes cmd_fd over, on failure as well. */
#define verbs_init_and_alloc_context(device, cmd_fd, ptr, member, driver_id)		\
	((__typeof__(ptr))_verbs_init_and_alloc_context(				\
		device, cmd_fd, sizeof(*(ptr)),						\
		(struct verbs_context *)offsetof(__typeof__(*(ptr)), member), driver_id))

/* ---- commands: a header, the kernel's structure, then the driver's data ---- */

#define VERBS_COMMAND(name, kernel)		\
	struct name {				\
		struct ib_uverbs_cmd_hdr hdr;	\
		struct kernel core_payload;	\
	}

#define VERBS_COMMAND_EX(name, kernel)			\
	struct name {					\
		struct ib_uverbs_cmd_hdr hdr;		\
		struct ib_uverbs_ex_cmd_hdr ex_hdr;	\
		struct kernel core_payload;		\
	}

VERBS_COMMAND(ibv_get_context, ib_uverbs_get_context);
VERBS_COMMAND(ibv_query_port, ib_uverbs_query_port);
VERBS_COMMAND(ibv_alloc_pd, ib_uverbs_alloc_pd);
VERBS_COMMAND(ibv_reg_mr, ib_uverbs_reg_mr);
VERBS_COMMAND(ibv_resize_cq, ib_uverbs_resize_cq);
VERBS_COMMAND(ibv_create_srq, ib_uverbs_create_srq);
VERBS_COMMAND(ibv_modify_srq, ib_uverbs_modify_srq);
VERBS_COMMAND(ibv_query_srq, ib_uverbs_query_srq);
VERBS_COMMAND(ibv_rereg_mr, ib_uverbs_rereg_mr);
VERBS_COMMAND(ibv_alloc_mw, ib_uverbs_alloc_mw);
VERBS_COMMAND(ibv_create_qp, ib_uverbs_create_qp);
VERBS_COMMAND(ibv_query_qp, ib_uverbs_query_qp);
VERBS_COMMAND(ibv_modify_qp, ib_uverbs_modify_qp);
VERBS_COMMAND_EX(ibv_create_cq_ex, ib_uverbs_ex_create_cq);

int ibv_cmd_get_context(struct verbs_context *context, struct ibv_get_context *cmd,
			size_t cmd_size, struct ib_uverbs_get_context_resp *resp,
			size_t resp_size);
int ibv_cmd_query_device_any(struct ibv_context *context,
			     const struct ibv_query_device_ex_input *input,
			     struct ibv_device_attr_ex *attr, size_t attr_size,
			     struct ib_uverbs_ex_query_device_resp *resp, size_t *resp_size);
int ibv_cmd_query_port(struct ibv_context *context, uint8_t port_num, struct ibv_port_attr *attr,
		       struct ibv_query_port *cmd, size_t cmd_size);
int ibv_cmd_alloc_pd(struct ibv_context *context, struct ibv_pd *pd, struct ibv_alloc_pd *cmd,
		     size_t cmd_size, struct ib_uverbs_alloc_pd_resp *resp, size_t resp_size);
int ibv_cmd_dealloc_pd(struct ibv_pd *pd);
int ibv_cmd_reg_mr(struct ibv_pd *pd, void *addr, size_t length, uint64_t hca_va, int access,
		   struct verbs_mr *vmr, struct ibv_reg_mr *cmd, size_t cmd_size,
		   struct ib_uverbs_reg_mr_resp *resp, size_t resp_size);
int ibv_cmd_rereg_mr(struct verbs_mr *vmr, uint32_t flags, void *addr, size_t length,
		     uint64_t hca_va, int access, struct ibv_pd *pd, struct ibv_rereg_mr *cmd,
		     size_t cmd_size, struct ib_uverbs_rereg_mr_resp *resp, size_t resp_size);
int ibv_cmd_query_mr(struct ibv_pd *pd, struct verbs_mr *vmr, uint32_t mr_handle);
int ibv_cmd_dereg_mr(struct verbs_mr *vmr);
int ibv_cmd_advise_mr(struct ibv_pd *pd, enum ib_uverbs_advise_mr_advice advice, uint32_t flags,
		      struct ibv_sge *sg_list, uint32_t num_sge);
int ibv_cmd_alloc_mw(struct ibv_pd *pd, enum ibv_mw_type type, struct ibv_mw *mw,
		     struct ibv_alloc_mw *cmd, size_t cmd_size,
		     struct ib_uverbs_alloc_mw_resp *resp, size_t resp_size);
int ibv_cmd_dealloc_mw(struct ibv_mw *mw);
int ibv_cmd_create_ah(struct ibv_pd *pd, struct ibv_ah *ah, struct ibv_ah_attr *attr,
		      struct ib_uverbs_create_ah_resp *resp, size_t resp_size);
int ibv_cmd_destroy_ah(struct ibv_ah *ah);
int ibv_cmd_attach_mcast(struct ibv_qp *qp, const union ibv_gid *gid, uint16_t lid);
int ibv_cmd_detach_mcast(struct ibv_qp *qp, const union ibv_gid *gid, uint16_t lid);
int ibv_cmd_create_cq_ex(struct ibv_context *context, const struct ibv_cq_init_attr_ex *attr,
			 struct verbs_cq *cq, struct ibv_create_cq_ex *cmd, size_t cmd_size,
			 struct ib_uverbs_ex_create_cq_resp *resp, size_t resp_size,
			 uint32_t cmd_flags);
int ibv_cmd_resize_cq(struct ibv_cq *cq, int cqe, struct ibv_resize_cq *cmd, size_t cmd_size,
		      struct ib_uverbs_resize_cq_resp *resp, size_t resp_size);
int ibv_cmd_destroy_cq(struct ibv_cq *cq);
int ibv_cmd_create_srq(struct ibv_pd *pd, struct ibv_srq *srq, struct ibv_srq_init_attr *attr,
		       struct ibv_create_srq *cmd, size_t cmd_size,
		       struct ib_uverbs_create_srq_resp *resp, size_t resp_size);
int ibv_cmd_modify_srq(struct ibv_srq *srq, struct ibv_srq_attr *attr, int attr_mask,
		       struct ibv_modify_srq *cmd, size_t cmd_size);
int ibv_cmd_query_srq(struct ibv_srq *srq, struct ibv_srq_attr *attr, struct ibv_query_srq *cmd,
		      size_t cmd_size);
int ibv_cmd_destroy_srq(struct ibv_srq *srq);
int ibv_cmd_create_qp_ex(struct ibv_context *context, struct verbs_qp *qp,
			 struct ibv_qp_init_attr_ex *attr, struct ibv_create_qp *cmd,
			 size_t cmd_size, struct ib_uverbs_create_qp_resp *resp,
			 size_t resp_size);
int ibv_cmd_query_qp(struct ibv_qp *qp, struct ibv_qp_attr *attr, int attr_mask,
		     struct ibv_qp_init_attr *init_attr, struct ibv_query_qp *cmd,
		     size_t cmd_size);
int ibv_cmd_modify_qp(struct ibv_qp *qp, struct ibv_qp_attr *attr, int attr_mask,
		      struct ibv_modify_qp *cmd, size_t cmd_size);
int ibv_cmd_destroy_qp(struct ibv_qp *qp);

/* ---- the ABI, as numbers ---- */

#if UINTPTR_MAX == UINT64_MAX
#define VERBS_ASSERT_OP(op, slot) \
	static_assert(offsetof(struct verbs_context_ops, op) == (slot) * sizeof(void *), \
		      "private ABI 34: " #op)
VERBS_ASSERT_OP(advise_mr, 0);
VERBS_ASSERT_OP(alloc_dm, 1);
VERBS_ASSERT_OP(alloc_null_mr, 3);
VERBS_ASSERT_OP(alloc_parent_domain, 4);
VERBS_ASSERT_OP(alloc_pd, 5);
VERBS_ASSERT_OP(attach_mcast, 9);
VERBS_ASSERT_OP(alloc_td, 6);
VERBS_ASSERT_OP(alloc_mw, 2);
VERBS_ASSERT_OP(bind_mw, 10);
VERBS_ASSERT_OP(create_ah, 13);
VERBS_ASSERT_OP(create_cq, 15);
VERBS_ASSERT_OP(create_cq_ex, 16);
VERBS_ASSERT_OP(create_qp, 19);
VERBS_ASSERT_OP(create_qp_ex, 20);
VERBS_ASSERT_OP(create_srq, 22);
VERBS_ASSERT_OP(dealloc_mw, 25);
VERBS_ASSERT_OP(dealloc_pd, 26);
VERBS_ASSERT_OP(dealloc_td, 27);
VERBS_ASSERT_OP(dereg_mr, 28);
VERBS_ASSERT_OP(destroy_ah, 29);
VERBS_ASSERT_OP(destroy_cq, 31);
VERBS_ASSERT_OP(destroy_qp, 34);
VERBS_ASSERT_OP(detach_mcast, 38);
VERBS_ASSERT_OP(destroy_srq, 36);
VERBS_ASSERT_OP(free_context, 39);
VERBS_ASSERT_OP(free_dm, 40);
VERBS_ASSERT_OP(import_dm, 42);
VERBS_ASSERT_OP(import_mr, 43);
VERBS_ASSERT_OP(import_pd, 44);
VERBS_ASSERT_OP(modify_qp, 47);
VERBS_ASSERT_OP(modify_srq, 49);
VERBS_ASSERT_OP(poll_cq, 53);
VERBS_ASSERT_OP(post_recv, 54);
VERBS_ASSERT_OP(post_send, 55);
VERBS_ASSERT_OP(post_srq_recv, 57);
VERBS_ASSERT_OP(query_device_ex, 58);
VERBS_ASSERT_OP(query_port, 60);
VERBS_ASSERT_OP(query_qp, 61);
VERBS_ASSERT_OP(query_rt_values, 63);
VERBS_ASSERT_OP(reg_dm_mr, 66);
VERBS_ASSERT_OP(query_srq, 64);
VERBS_ASSERT_OP(reg_dmabuf_mr, 67);
VERBS_ASSERT_OP(reg_mr, 68);
VERBS_ASSERT_OP(req_notify_cq, 69);
VERBS_ASSERT_OP(rereg_mr, 70);
VERBS_ASSERT_OP(resize_cq, 71);
VERBS_ASSERT_OP(unimport_dm, 73);
VERBS_ASSERT_OP(unimport_mr, 74);
VERBS_ASSERT_OP(unimport_pd, 75);
#undef VERBS_ASSERT_OP
static_assert(sizeof(struct verbs_context_ops) == 76 * sizeof(void *), "private ABI 34");
static_assert(sizeof(struct verbs_match_ent) == 24, "private ABI 34");
static_assert(sizeof(struct verbs_device_ops) == 72, "private ABI 34");
static_assert(sizeof(struct ibv_device) == 664, "private ABI 34");
static_assert(sizeof(struct verbs_device) == 712, "private ABI 34");
static_assert(offsetof(struct verbs_device, sysfs) == 696, "private ABI 34");
static_assert(sizeof(struct verbs_mr) == sizeof(struct ibv_mr) + 8, "private ABI 34");
static_assert(VERBS_QP_EX_COMMON == 344, "private ABI 34");
static_assert(sizeof(struct verbs_qp) <= VERBS_QP_EX_COMMON + 32, "private ABI 34");
#endif
static_assert(offsetof(struct ibv_qp_ex, qp_base) == 0, "private ABI 34");
static_assert(sizeof(struct ibv_get_context) == 16, "private ABI 34");
static_assert(sizeof(struct ibv_create_qp) == 64, "private ABI 34");
static_assert(sizeof(struct ib_uverbs_create_qp_resp) == 32, "private ABI 34");
static_assert(sizeof(struct ibv_resize_cq) == 24, "private ABI 34");
static_assert(sizeof(struct ib_uverbs_resize_cq_resp) == 8, "private ABI 34");
static_assert(sizeof(struct ibv_create_srq) == 40, "private ABI 34");
static_assert(sizeof(struct ib_uverbs_create_srq_resp) == 16, "private ABI 34");
static_assert(sizeof(struct ibv_create_cq_ex) == 56, "private ABI 34");
static_assert(sizeof(struct ib_uverbs_ex_create_cq_resp) == 16, "private ABI 34");

#endif /* BERTH_IN_RDMA_CORE */

/**
 * verbs_qp_prepare - get a QP ready for verbs_qp_mark_ex
 * @vqp: the QP, zeroed, before ibv_cmd_create_qp_ex
 */
static inline void verbs_qp_prepare(struct verbs_qp *vqp)
{
#ifdef BERTH_IN_RDMA_CORE
	(void)vqp;
#else
	memset(vqp->tail, 0xff, sizeof(vqp->tail));
#endif
}

/**
 * verbs_qp_mark_ex - tell libibverbs whether the QP has the ibv_wr_* operations
 * @vqp: the QP, after ibv_cmd_create_qp_ex
 * @ex: it has them
 *
 * Creating a QP stores 0 into the mask, and into nothing else behind the common part: the slot
 * whose low half is no longer all ones is the mask. Those before it are operations, which are left
 * empty, those behind it nothing.
 *
 * Return: how many operations this libibverbs knows behind the common part (wr_atomic_write,
 * wr_flush); -1 when no mask was found (a libibverbs that this file does not know).
 */
static inline int verbs_qp_mark_ex(struct verbs_qp *vqp, bool ex)
{
#ifdef BERTH_IN_RDMA_CORE
	if (ex)
		vqp->comp_mask |= VERBS_QP_EX;
	return 1;
#else
	const uint32_t mask = ex ? VERBS_QP_EX : 0;
	int found = -1;
	uint32_t low;
	int i;

	for (i = 0; i < (int)(sizeof(vqp->tail) / sizeof(vqp->tail[0])); i++) {
		memcpy(&low, &vqp->tail[i], sizeof(low));
		vqp->tail[i] = 0;
		if (low)
			continue;
		memcpy(&vqp->tail[i], &mask, sizeof(mask));
		found = i;
	}
	return found;
#endif
}

/**
 * verbs_qp_set_atomic_write - offer ibv_wr_atomic_write
 * @vqp: a QP for which verbs_qp_mark_ex() returned more than 0
 * @fn: the operation
 */
static inline void verbs_qp_set_atomic_write(struct verbs_qp *vqp, verbs_atomic_write_fn fn)
{
#ifdef BERTH_IN_RDMA_CORE
	vqp->qp_ex.wr_atomic_write = fn;
#else
	memcpy(&vqp->tail[0], &fn, sizeof(fn));
#endif
}

#endif
