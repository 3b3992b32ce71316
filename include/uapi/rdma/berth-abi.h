/* SPDX-License-Identifier: ((GPL-2.0 WITH Linux-syscall-note) OR Linux-OpenIB) */
/*
 * What berth.ko and its libibverbs provider share: driver data of the uverbs commands, the layout
 * of the rings that both map, and the doorbell.
 *
 * Rules: fixed-size fields only, every structure a multiple of 8 bytes with its size asserted,
 * reserved bytes are zero and refused (EINVAL) when they are not, unknown flags are refused
 * (EOPNOTSUPP). Ring indices are free running 32-bit counters; a ring has a power-of-two number of
 * entries and the entry of counter i is i & (entries - 1). The kernel copies an entry once and never
 * trusts or rereads it; it writes to shared memory only what a process may know.
 */
#ifndef RDMA_BERTH_ABI_H
#define RDMA_BERTH_ABI_H

#include <linux/types.h>
#include <linux/ioctl.h>
#include <rdma/ib_user_ioctl_cmds.h>

#define BERTH_ABI_VERSION	1

/* ib_device_ops.driver_id, matched by the provider; private, in none of the kernel's enums. */
#define BERTH_DRIVER_ID		0x62657274

#define BERTH_MAX_SGE		32
#define BERTH_MAX_INLINE	512
#define BERTH_MAX_WR		16384
#define BERTH_MAX_CQE		(1 << 20)
#define BERTH_MAX_MSG		0x7fffffffU	/* bytes in one message */
#define BERTH_MAX_PIECES	256		/* chunks of an area in one message */
#define BERTH_MAX_CHUNKS	(1 << 20)	/* of an area */

/* ---- driver data of the uverbs commands ---- */

struct berth_alloc_ucontext_req {
	__u32 abi_min;		/* lowest and highest ABI that the provider speaks */
	__u32 abi_max;
	__aligned_u64 reserved;
};

struct berth_alloc_ucontext_resp {
	__u32 abi;		/* the one that both will use */
	__u32 max_inline;
	__u32 null_lkey;	/* names null memory in any domain; 0: there is none */
	__u32 reserved;
};

enum berth_create_cq_flags {
	BERTH_CQ_TIMESTAMP = 1 << 0,	/* fill berth_cqe.timestamp */
	BERTH_CQ_WALLCLOCK = 1 << 1,	/* fill berth_cqe.wallclock */
	BERTH_CQ_IGNORE_OVERRUN = 1 << 2,	/* drop what does not fit, without an error */
};

struct berth_create_cq_req {
	__u32 flags;		/* enum berth_create_cq_flags */
	__u32 reserved;
};

/* Also of resizing. */
struct berth_create_cq_resp {
	__aligned_u64 mmap_offset;
	__u32 mmap_size;
	__u32 entries;		/* of the ring, at least what was asked for */
};

struct berth_create_ah_resp {
	__u32 ah;		/* what berth_send_wqe.ud.ah names it by */
	__u32 reserved;
};

/* Of a QP that is RC to the verbs: what carries it instead of RoCEv2. */
enum berth_create_qp_flags {
	BERTH_QP_TCP = 1 << 0,	/* a TCP connection: MPA, DDP and RDMAP */
	BERTH_QP_TCP_STREAM = 1 << 1,	/* the bytes of a socket of the process's, nothing around them */
};

struct berth_create_qp_req {
	__u32 flags;		/* enum berth_create_qp_flags */
	__u32 reserved;
};

struct berth_create_qp_resp {
	__aligned_u64 mmap_offset;
	__u32 mmap_size;
	__u32 sq_offset;	/* these offsets: bytes from the start of the mapping */
	__u32 sq_entries;	/* ring entries; max_send_wr (as returned) may be in use */
	__u32 sq_stride;	/* bytes */
	__u32 rq_offset;
	__u32 rq_entries;	/* 0: the QP has an SRQ */
	__u32 rq_stride;
	__u32 ring_offset;	/* of struct berth_qp_ring; QPs may share a mapping */
};

struct berth_create_srq_req {
	__u32 flags;		/* none yet */
	__u32 reserved;
};

struct berth_create_srq_resp {
	__aligned_u64 mmap_offset;
	__u32 mmap_size;
	__u32 entries;		/* of the ring, at least max_wr (as returned) */
	__u32 stride;		/* bytes */
	__u32 reserved;
};

/* ---- queue pair rings: a mapping holds the header, the SQ and the RQ, of one QP or of several ---- */

enum berth_ring_flags {
	/* The kernel wants a doorbell after receives were posted (QP in error: flush them). */
	BERTH_RING_RQ_DOORBELL = 1 << 0,
};

/*
 * The header of a QP's rings. The process stores sq_prod and rq_prod with release after it
 * wrote the entries; the kernel loads them with acquire. The process reads flags after a full
 * barrier that follows the store of rq_prod; the kernel writes flags, full barrier, reads rq_prod.
 * Modifying the QP to RESET sets both counters to 0.
 */
struct berth_qp_ring {
	__u32 sq_prod;
	__u32 reserved0[15];
	__u32 rq_prod;
	__u32 reserved1[15];
	__u32 flags;		/* enum berth_ring_flags, written by the kernel */
	__u32 reserved2[15];
};

struct berth_sge {
	__aligned_u64 addr;
	__u32 length;
	__u32 lkey;
};

enum berth_wr_opcode {
	BERTH_WR_SEND = 1,
	BERTH_WR_SEND_IMM,
	BERTH_WR_SEND_INV,
	BERTH_WR_WRITE,
	BERTH_WR_WRITE_IMM,
	BERTH_WR_READ,
	BERTH_WR_CMP_SWP,
	BERTH_WR_FETCH_ADD,
	BERTH_WR_LOCAL_INV,
	BERTH_WR_BIND_MW,
	BERTH_WR_REG_MR,	/* kernel consumers only */
	BERTH_WR_ATOMIC_WRITE,	/* 8 bytes, also inline whatever the QP's limit */
};

enum berth_wr_flags {
	BERTH_WR_SIGNALED = 1 << 0,
	BERTH_WR_SOLICITED = 1 << 1,
	BERTH_WR_FENCE = 1 << 2,
	BERTH_WR_INLINE = 1 << 3,
};

/*
 * A send work request: this header, then either num_sge struct berth_sge or inline_len bytes of
 * payload (BERTH_WR_INLINE, num_sge 0). The stride of the SQ holds the header and the larger of
 * both limits of the QP.
 */
struct berth_send_wqe {
	__aligned_u64 wr_id;
	__u8 opcode;		/* enum berth_wr_opcode */
	__u8 flags;		/* enum berth_wr_flags */
	__u8 num_sge;
	__u8 reserved0;
	__u32 ex;		/* immediate data (as on the wire, big endian) or rkey to invalidate */
	__u32 inline_len;
	__u32 rkey;
	__aligned_u64 remote_addr;
	union {
		struct {
			__aligned_u64 compare_add;
			__aligned_u64 swap;
		} atomic;
		/*
		 * BIND_MW: rkey is the window's, ex its new key, remote_addr the first byte in the
		 * MR.
		 */
		struct {
			__aligned_u64 length;	/* bytes; 0 unbinds a window of type 1 */
			__u32 lkey;		/* of the MR */
			__u32 access;		/* enum ib_uverbs_access_flags */
		} bind;
		struct {
			__u32 ah;
			__u32 qpn;
			__u32 qkey;
			__u32 reserved;
		} ud;
	};
	/* struct berth_sge sge[num_sge], or payload */
};

struct berth_recv_wqe {
	__aligned_u64 wr_id;
	__u32 num_sge;
	__u32 reserved;
	/* struct berth_sge sge[num_sge] */
};

/*
 * The first bytes of an SRQ's mapping; the entries, struct berth_recv_wqe, follow. The process
 * stores prod with release after it wrote entries. The kernel copies an entry when a QP takes it and
 * then stores head with release: entries before head may be overwritten, whatever has completed.
 *
 * When IBV_SRQ_MAX_WR is modified the kernel makes another mapping, copies what is posted under the
 * same counters, and says in next_* of the present one where it is.
 */
struct berth_srq_ring {
	__u32 prod;
	__u32 reserved0[15];
	__u32 head;
	__u32 reserved1[15];
	__aligned_u64 next_offset;	/* for mmap, written by the kernel */
	__u32 next_size;
	__u32 next_entries;
	__u32 reserved2[12];
};

/* ---- areas: memory that queues take for what arrives, instead of posted receives ---- */

/* Stands for no chunk: at the end of a message's pieces, and where a completion has none. */
#define BERTH_NO_TOKEN	0xffffffffU

/* Over an MR of a dma-buf, from the first byte on that begins a page of the dma-buf. */
struct berth_create_area_req {
	__u32 chunk_size;	/* bytes; a power of two, at least a page */
	__u32 max_message;	/* bytes; at most BERTH_MAX_PIECES chunks, and no more than there are */
	__u32 flags;		/* none yet */
	__u32 reserved;
};

struct berth_create_area_resp {
	__aligned_u64 mmap_offset;
	__u32 mmap_size;
	__u32 chunks;
	__u32 entries;		/* of the ring of tokens */
	__u32 returned_offset;	/* of it: bytes from the start of the mapping */
	__u32 piece_offset;	/* of the pieces */
	__u32 first;		/* chunk 0: bytes from the start of the MR */
};

/*
 * The first bytes of an area's mapping. A token is the number of a chunk. The process has those that completions have
 * told it, and returns each once: it writes it to the ring, __u32 returned[entries], which has room for all, and stores prod
 * with release. The kernel looks when it needs chunks; what it did not lend it counts in refused.
 *
 * A completion's wr_id is the token of the message's first piece. What belongs to a token is in
 * struct berth_area_piece piece[chunks], which the kernel writes before the completion.
 */
struct berth_area_ring {
	__u32 prod;
	__u32 reserved0[15];
	__u32 refused;		/* written by the kernel */
	__u32 reserved1[15];
};

struct berth_area_piece {
	__u32 offset;		/* of the first byte in the chunk */
	__u32 length;		/* bytes */
	__u32 next;		/* token of the message's next piece, or BERTH_NO_TOKEN */
	__u32 flags;		/* enum berth_area_piece_flags */
};

enum berth_area_piece_flags {
	BERTH_PIECE_HANDED_OVER = 1 << 0,	/* a packet has brought the bytes in this chunk: nothing was copied */
};

/* ---- completion queue ring ---- */

enum berth_cq_arm {
	BERTH_CQ_ARM_NONE = 0,
	BERTH_CQ_ARM_SOLICITED = 1,
	BERTH_CQ_ARM_ANY = 2,
};

/*
 * The first bytes of a CQ's mapping; the entries follow. The kernel stores prod with release after
 * the entry; the process stores cons with release after it read the entry. To arm, the process
 * raises arm (never lowers it: any covers solicited) with a full barrier and polls once more; the
 * kernel stores prod, full barrier, exchanges arm for none when it matches.
 *
 * Resizing makes another mapping, which goes on at the same counters: what the kernel completes from
 * then on is there, up to the last prod of the old one. The process moves the entries which it has
 * not read over.
 */
struct berth_cq_ring {
	__u32 cons;
	__u32 reserved0[15];
	__u32 prod;
	__u32 reserved1[15];
	__u32 arm;		/* enum berth_cq_arm */
	__u32 reserved2[15];
};

enum berth_cqe_flags {
	BERTH_CQE_RECV = 1 << 0,	/* of a receive queue */
	BERTH_CQE_IMM = 1 << 1,		/* ex is immediate data (big endian) */
	BERTH_CQE_INV = 1 << 2,		/* ex is the rkey that the peer invalidated */
	BERTH_CQE_GRH = 1 << 3,
	BERTH_CQE_SOLICITED = 1 << 4,
	BERTH_CQE_DEAD = 1 << 5,	/* set by the process: of a QP that is gone, skip */
	BERTH_CQE_VLAN = 1 << 6,	/* vlan_id holds; kernel consumers only */
	BERTH_CQE_IPV4 = 1 << 7,	/* the GRH is an IPv4 header, else IPv6 */
};

struct berth_cqe {
	__aligned_u64 wr_id;
	__u8 status;		/* enum ibv_wc_status */
	__u8 opcode;		/* enum berth_wr_opcode of the send request, or of the arriving message */
	__u16 flags;		/* enum berth_cqe_flags */
	__u32 byte_len;
	__u32 qpn;
	__u32 ex;
	__u32 index;		/* ring counter of the work request: it and all before it are done, */
				/* but for an SRQ, which says itself what may be overwritten */
	__u32 src_qp;
	__u32 vendor_err;
	__u16 pkey_index;
	__u16 vlan_id;
	__aligned_u64 timestamp;	/* ns, CLOCK_MONOTONIC; only with BERTH_CQ_TIMESTAMP */
	__aligned_u64 wallclock;	/* ns, CLOCK_REALTIME; only with BERTH_CQ_WALLCLOCK */
	__aligned_u64 reserved1;
};

/* ---- doorbell ---- */

/*
 * A file descriptor of a context, opened once by BERTH_METHOD_DOORBELL_OPEN. After a store to
 * sq_prod: ioctl(fd, BERTH_IOC_RING, qpn | BERTH_RING_SQ). Returns 0; EINVAL: no QP of this context;
 * EIO: the context or the device has gone.
 */
#define BERTH_IOC_RING		_IO(0xbe, 1)
#define BERTH_RING_QPN_MASK	0xffffffU
#define BERTH_RING_SQ		(1U << 24)
#define BERTH_RING_RQ		(1U << 25)

enum berth_uverbs_objects {
	BERTH_OBJECT_DOORBELL = (1U << UVERBS_ID_NS_SHIFT),
	BERTH_OBJECT_AREA,
};

enum berth_doorbell_methods {
	BERTH_METHOD_DOORBELL_OPEN = (1U << UVERBS_ID_NS_SHIFT),
};

enum berth_doorbell_open_attrs {
	BERTH_ATTR_DOORBELL_OPEN_FD = (1U << UVERBS_ID_NS_SHIFT),
};

/*
 * EINVAL: figures that do not fit, no MR of a dma-buf; EACCES: it may not be written; EBUSY: a byte of it belongs to another
 * area, or to what is bound to a NIC's queue and is not exactly that in chunks of a page. An area that a QP or an SRQ uses
 * is not destroyed (EBUSY).
 */
enum berth_area_methods {
	BERTH_METHOD_AREA_CREATE = (1U << UVERBS_ID_NS_SHIFT),
	BERTH_METHOD_AREA_DESTROY,
};

enum berth_area_create_attrs {
	BERTH_ATTR_AREA_CREATE_HANDLE = (1U << UVERBS_ID_NS_SHIFT),
	BERTH_ATTR_AREA_CREATE_MR,
	BERTH_ATTR_AREA_CREATE_REQ,		/* in, struct berth_create_area_req */
	BERTH_ATTR_AREA_CREATE_RESP,		/* out, struct berth_create_area_resp */
};

enum berth_area_destroy_attrs {
	BERTH_ATTR_AREA_DESTROY_HANDLE = (1U << UVERBS_ID_NS_SHIFT),
};

/*
 * Of an SRQ that no QP uses yet: its QPs take what arrives from the area. EINVAL: it has an area, or another domain than
 * the area's MR.
 */
enum berth_srq_methods {
	BERTH_METHOD_SRQ_SET_AREA = (1U << UVERBS_ID_NS_SHIFT),
};

/* Also of a QP's. */
enum berth_set_area_attrs {
	BERTH_ATTR_SET_AREA_HANDLE = (1U << UVERBS_ID_NS_SHIFT),	/* the queue's */
	BERTH_ATTR_SET_AREA_AREA,
};

/*
 * For another user of a context, who has its file descriptor and handles of its objects.
 *
 * Of a context: added to UVERBS_METHOD_QUERY_CONTEXT, what berth_alloc_ucontext_resp said.
 */
enum berth_query_context_attrs {
	BERTH_ATTR_QUERY_CONTEXT_RESP = (1U << UVERBS_ID_NS_SHIFT),	/* out */
};

/* Of a protection domain: whether it is there. */
enum berth_pd_methods {
	BERTH_METHOD_PD_QUERY = (1U << UVERBS_ID_NS_SHIFT),
};

enum berth_pd_query_attrs {
	BERTH_ATTR_PD_QUERY_HANDLE = (1U << UVERBS_ID_NS_SHIFT),
};

/* Of device memory: how long it is, and where to map it. */
struct berth_dm_query_resp {
	__aligned_u64 length;
	__aligned_u64 mmap_offset;
};

enum berth_dm_methods {
	BERTH_METHOD_DM_QUERY = (1U << UVERBS_ID_NS_SHIFT),
};

enum berth_dm_query_attrs {
	BERTH_ATTR_DM_QUERY_HANDLE = (1U << UVERBS_ID_NS_SHIFT),
	BERTH_ATTR_DM_QUERY_RESP,	/* out, struct berth_dm_query_resp */
};

/*
 * Of a QP created with BERTH_QP_TCP_STREAM, in INIT: adopts a connected TCP socket and goes to RTS.
 * EINVAL: another kind or state of QP; ENOTSOCK, EOPNOTSUPP: not a TCP socket; ENOTCONN; EBUSY:
 * something else has hold of it.
 *
 * Of a connected QP in RESET, which has neither an SRQ nor receives of its own: takes what arrives from an area. EINVAL: another
 * kind or state of QP, one that has an area, or another domain than the area's MR.
 */
enum berth_qp_methods {
	BERTH_METHOD_QP_ATTACH_SOCKET = (1U << UVERBS_ID_NS_SHIFT),
	BERTH_METHOD_QP_SET_AREA,
};

enum berth_qp_attach_socket_attrs {
	BERTH_ATTR_QP_ATTACH_SOCKET_HANDLE = (1U << UVERBS_ID_NS_SHIFT),
	BERTH_ATTR_QP_ATTACH_SOCKET_FD,		/* in, the descriptor itself */
};

/* What a driver adds to UVERBS_METHOD_DM_ALLOC: mmap all of it, up to whole pages, at this offset. */
enum berth_dm_alloc_attrs {
	BERTH_ATTR_DM_ALLOC_MMAP_OFFSET = (1U << UVERBS_ID_NS_SHIFT),	/* out, u64 */
};

/* C11 and later, gcc in any mode: sizes are part of the ABI. */
#define BERTH_ABI_ASSERT(type, size) \
	_Static_assert(sizeof(type) == (size), "ABI size of " #type)
BERTH_ABI_ASSERT(struct berth_alloc_ucontext_req, 16);
BERTH_ABI_ASSERT(struct berth_alloc_ucontext_resp, 16);
BERTH_ABI_ASSERT(struct berth_create_cq_req, 8);
BERTH_ABI_ASSERT(struct berth_create_cq_resp, 16);
BERTH_ABI_ASSERT(struct berth_create_ah_resp, 8);
BERTH_ABI_ASSERT(struct berth_create_qp_req, 8);
BERTH_ABI_ASSERT(struct berth_create_qp_resp, 40);
BERTH_ABI_ASSERT(struct berth_create_srq_req, 8);
BERTH_ABI_ASSERT(struct berth_create_srq_resp, 24);
BERTH_ABI_ASSERT(struct berth_dm_query_resp, 16);
BERTH_ABI_ASSERT(struct berth_create_area_req, 16);
BERTH_ABI_ASSERT(struct berth_create_area_resp, 32);
BERTH_ABI_ASSERT(struct berth_area_ring, 128);
BERTH_ABI_ASSERT(struct berth_area_piece, 16);
BERTH_ABI_ASSERT(struct berth_qp_ring, 192);
BERTH_ABI_ASSERT(struct berth_srq_ring, 192);
BERTH_ABI_ASSERT(struct berth_sge, 16);
BERTH_ABI_ASSERT(struct berth_send_wqe, 48);
BERTH_ABI_ASSERT(struct berth_recv_wqe, 16);
BERTH_ABI_ASSERT(struct berth_cq_ring, 192);
BERTH_ABI_ASSERT(struct berth_cqe, 64);
#undef BERTH_ABI_ASSERT

#endif
