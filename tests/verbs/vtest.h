/* SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB */
/*
 * vtest: the small library under the verbs test programs.
 *
 * A program adds cases and calls vt_main(). Every case runs in a child process of its own: the
 * child opens the devices, so a crash, a hang or a leak of one case never reaches the next one.
 * A failed CHECK prints the FAIL line and ends the child; the kernel then frees what it held.
 * A case that returns has its objects destroyed in reverse order, and a destroy that fails, or a
 * guard byte that changed, fails the case as well.
 *
 * Output, one line a case: "PASS name", "FAIL name: why", "SKIP name: why".
 */
#ifndef VTEST_H
#define VTEST_H

#include <infiniband/verbs.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vt_pattern.h"

/* ---- runner (vtest.c) ---- */

typedef void (*vt_fn)(const void *arg);

struct vt_config {
	const char *dev;	/* device of the first end */
	const char *peer;	/* device of the other end of wire cases; NULL: no wire cases */
	bool strict;		/* a SKIP is a FAIL */
	bool flip;		/* spoil one byte per transfer: every data case has to fail */
	unsigned int slow;	/* factor on every deadline */
	uint8_t ack_timeout;	/* default of vt_opts.timeout */
};

extern struct vt_config vt_cfg;

/**
 * vt_add() - Add a case.
 * @name: unique name; copied.
 * @arg: handed to @fn; has to stay valid.
 * @seconds: time limit before the factor --slow; 0 means 20.
 */
void vt_add(const char *name, vt_fn fn, const void *arg, unsigned int seconds);

/** vt_main() - Read the options, run the chosen cases. Return: the exit status of the program. */
int vt_main(int argc, char **argv, void (*add_cases)(void));

/** vt_case_name() - The name of the case that is running. */
const char *vt_case_name(void);

/* End the case; do not return. */
void vt_fail(const char *file, int line, const char *fmt, ...)
	__attribute__((noreturn, format(printf, 3, 4)));
void vt_skip(const char *fmt, ...) __attribute__((noreturn, format(printf, 1, 2)));

/**
 * vt_defer() - Have @fn(@arg) called when the case has returned; latest first.
 * A non-zero result (an errno) fails the case and names @what.
 */
void vt_defer(int (*fn)(void *arg), void *arg, const char *what);

/** vt_run_deferred() - Do it now: for a process that a case forks, before it ends. */
void vt_run_deferred(void);

/** vt_undefer() - Forget the calls deferred for @arg, because the case did it itself. */
void vt_undefer(const void *arg);

/** vt_zalloc() - Zeroed memory that lives until the case ends; fails the case when there is none. */
void *vt_zalloc(size_t size);

/** vt_is_long() - Whether ./run test --long asks for all of what else is a sample. */
bool vt_is_long(void);

/** vt_is_tcp() - Whether BERTH_QP_TYPE makes TCP connections of RC QPs. */
bool vt_is_tcp(void);

/** vt_now_ms() - Monotonic milliseconds. */
uint64_t vt_now_ms(void);

/** vt_sleep_ms() - Sleep that long, whatever the signals. */
void vt_sleep_ms(unsigned int ms);

#define CHECK(cond, ...)						\
	do {								\
		if (!(cond))						\
			vt_fail(__FILE__, __LINE__, __VA_ARGS__);	\
	} while (0)

#define CHECK_EQ(got, want, what)					\
	do {								\
		long long got_ = (long long)(got);			\
		long long want_ = (long long)(want);			\
									\
		if (got_ != want_)					\
			vt_fail(__FILE__, __LINE__, "%s: got %lld (%#llx), expected %lld (%#llx)", \
				what, got_, got_, want_, want_);	\
	} while (0)

/* @got is an errno value, 0 for success. */
#define CHECK_ERRNO(got, want, what)					\
	do {								\
		int got_ = (got);					\
		int want_ = (want);					\
									\
		if (got_ != want_)					\
			vt_fail(__FILE__, __LINE__, "%s: got %d (%s), expected %d (%s)", what, \
				got_, strerror(got_), want_, strerror(want_)); \
	} while (0)

/* ---- memory (vt_mem.c) ---- */

enum vt_mem { VT_HOST, VT_HEAP, VT_UDMABUF, VT_BAR, VT_MOVE, VT_MEM_KINDS };

extern const char *const vt_mem_name[VT_MEM_KINDS];

/* Bytes kept around the registered part of every buffer, filled and checked like the rest. */
#define VT_SKEW		(4096 + 0x123)
#define VT_TAIL		4096

struct vt_buf {
	enum vt_mem kind;
	uint8_t *base;		/* CPU mapping of the whole allocation */
	size_t base_size;
	uint8_t *ptr;		/* the part that is registered: base + VT_SKEW */
	size_t size;
	uint64_t seed;		/* the pattern that the buffer carries by default */
	int fd;			/* dma-buf, -1 for host memory */
	int ctl_fd;		/* exporter device that made it, -1 when not kept */
	uint64_t offset;	/* of ptr in the dma-buf */
	uint64_t iova;		/* address of ptr[0] in work requests */
	struct ibv_mr *mr;	/* the registration made by vt_buf_new() */
};

struct vt_dev;

#define VT_ACCESS_ALL (IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_WRITE | IBV_ACCESS_REMOTE_READ)

/** vt_buf_alloc() - Allocate and map, fill with the buffer's own pattern, do not register. */
struct vt_buf *vt_buf_alloc(enum vt_mem kind, size_t size);

/** vt_buf_try_reg() - Register all of ptr[0..size). Return: NULL and errno when refused. */
struct ibv_mr *vt_buf_try_reg(struct vt_buf *buf, struct ibv_pd *pd, int access);

/** vt_buf_new() - vt_buf_alloc() and register in the device's PD; fails the case when refused. */
struct vt_buf *vt_buf_new(struct vt_dev *dev, enum vt_mem kind, size_t size, int access);

/** vt_buf_dereg() - Deregister buf->mr now; fails the case when that is refused. */
void vt_buf_dereg(struct vt_buf *buf);

/** vt_buf_fill() - Write the buffer's own pattern to [off, off + len) of the registered part. */
void vt_buf_fill(struct vt_buf *buf, size_t off, size_t len);

/** vt_buf_check() - Fail the case unless [off, off + len) holds the buffer's own pattern. */
void vt_buf_check(struct vt_buf *buf, size_t off, size_t len, const char *what);

/** vt_buf_expect() - Fail the case unless [off, off + len) holds @seed's pattern from @pos on. */
void vt_buf_expect(struct vt_buf *buf, size_t off, size_t len, uint64_t seed, uint64_t pos,
		   const char *what);

/** vt_buf_expect_copy() - The same for bytes that came from src->ptr + src_off. */
void vt_buf_expect_copy(struct vt_buf *dst, size_t off, size_t len, const struct vt_buf *src,
			size_t src_off, const char *what);

/** vt_dmabuf_alloc() - A bare dma-buf of that kind. Return: descriptor, or -1 and errno. */
int vt_dmabuf_alloc(enum vt_mem kind, size_t size, int *ctl_fd);

/** vt_mem_probe() - Whether this machine has the exporter. */
bool vt_mem_probe(enum vt_mem kind);

/* ---- devices and queue pairs (vt_qp.c) ---- */

struct vt_dev {
	struct ibv_context *ctx;
	struct ibv_pd *pd;
	struct ibv_device_attr attr;
	struct ibv_port_attr port;
	const char *name;
};

struct vt_opts {
	enum ibv_qp_type type;	/* IBV_QPT_RC or _UC */
	enum ibv_mtu mtu;	/* 0: the port's active MTU */
	uint32_t psn[2];	/* first PSN that each end sends */
	uint8_t timeout;	/* 4.096 us << timeout */
	uint8_t retry;
	uint8_t rnr_retry;
	uint8_t min_rnr_timer;
	uint8_t rd_atomic;
	uint32_t send_wr, recv_wr, send_sge, recv_sge, inline_data;
	unsigned int qp_access;
	bool sig_all;
	bool v6;
	uint64_t send_ops;	/* enum ibv_qp_create_send_ops_flags; 0: a plain QP */
	bool separate_rcq;	/* receive completions to a CQ of their own (default) */
	struct ibv_cq *cq[2];	/* takes all completions of that end; NULL: CQs of its own */
	struct ibv_comp_channel *chan[2];
	struct ibv_pd *pd[2];	/* instead of the devices' PDs */
	struct ibv_srq *srq[2];	/* takes the receives of that end */
};

#define VT_OPTS ((struct vt_opts){					\
	.type = IBV_QPT_RC, .psn = { 0x123456, 0x654321 },		\
	.timeout = vt_cfg.ack_timeout, .retry = 7, .rnr_retry = 7, .min_rnr_timer = 6, \
	.rd_atomic = 16, .send_wr = 64, .recv_wr = 64, .send_sge = 4, \
	.recv_sge = 4, .inline_data = 0, .qp_access = VT_ACCESS_ALL, .separate_rcq = true })

/* One end: everything that a test needs to post and to poll. */
struct vt_ep {
	struct vt_dev *dev;
	struct ibv_pd *pd;
	struct ibv_cq *scq, *rcq;
	struct ibv_qp *qp;
	struct ibv_qp_cap cap;	/* as granted */
	union ibv_gid gid;
	int gid_index;
	uint32_t psn;
};

struct vt_pair {
	struct vt_ep a, b;
	struct vt_opts opts;
};

/** vt_open() - Open a device by name with a PD; the case fails when it is not there. */
struct vt_dev *vt_open(const char *name);

/** vt_find_gid() - Index of a RoCEv2 GID of that address family, or -1. */
int vt_find_gid(struct vt_dev *dev, bool v6, union ibv_gid *gid);

/** vt_mtu_bytes() - Bytes of a path MTU. */
unsigned int vt_mtu_bytes(enum ibv_mtu mtu);

/** vt_cq_new() - A CQ that is destroyed with the case. */
struct ibv_cq *vt_cq_new(struct vt_dev *dev, int cqe, struct ibv_comp_channel *chan);

/** vt_pd_new() - A further PD. */
struct ibv_pd *vt_pd_new(struct vt_dev *dev);

/** vt_ep_create() - CQs and a QP in RESET. @side: which of the two ends of @o. */
void vt_ep_create(struct vt_ep *ep, struct vt_dev *dev, const struct vt_opts *o, int side);

/* State changes; return 0 or an errno value. */
int vt_ep_to_init(struct vt_ep *ep, const struct vt_opts *o);
int vt_ep_to_rtr(struct vt_ep *ep, const struct vt_ep *peer, const struct vt_opts *o);
int vt_ep_to_rtr_raw(struct vt_ep *ep, const struct vt_opts *o, const union ibv_gid *dgid,
		     uint32_t qpn, uint32_t psn);
int vt_ep_to_rts(struct vt_ep *ep, const struct vt_opts *o);
int vt_ep_to_state(struct vt_ep *ep, enum ibv_qp_state state);
enum ibv_qp_state vt_ep_state(struct vt_ep *ep);
/** vt_expect_state() - Wait up to 5 s for the QP to get there. */
void vt_expect_state(struct vt_ep *ep, enum ibv_qp_state state, const char *what);

/** vt_ep_destroy_qp() - Destroy the QP now; fails the case when that is refused. */
void vt_ep_destroy_qp(struct vt_ep *ep);

/** vt_pair_new() - Two ends connected and in RTS. */
struct vt_pair *vt_pair_new(struct vt_dev *da, struct vt_dev *db, const struct vt_opts *o);

/** vt_pair_reset() - Take both ends through RESET and connect them again. */
void vt_pair_reset(struct vt_pair *p);

/* ---- asynchronous events (vt_async.c) ---- */

/** vt_async_get() - Wait @ms for an event, acknowledge it. Return: whether one came. */
bool vt_async_get(struct vt_dev *dev, struct ibv_async_event *e, int ms);

/** vt_async_expect() - Wait for an event of that type; fails the case when another one comes. */
void vt_async_expect(struct vt_dev *dev, enum ibv_event_type type, const void *element,
		     const char *what);

/** vt_async_none() - Fail the case when an event comes within @ms. */
void vt_async_none(struct vt_dev *dev, int ms, const char *what);

/* ---- posting and polling (vt_wr.c) ---- */

/** vt_sge() - A scatter/gather entry in a buffer registered by vt_buf_new(). */
struct ibv_sge vt_sge(const struct vt_buf *buf, size_t off, uint32_t len);

/** vt_recv() - Post one receive of one entry. Return: what ibv_post_recv() returned. */
int vt_recv(struct vt_ep *ep, uint64_t wr_id, struct ibv_sge sge);

/** vt_send() - Post one request of one entry. @rbuf may be NULL for SEND. Return: errno. */
int vt_send(struct vt_ep *ep, uint64_t wr_id, enum ibv_wr_opcode op, struct ibv_sge sge,
	    const struct vt_buf *rbuf, size_t roff, unsigned int flags);

/** vt_rdma() - Post one WRITE or READ with an address and a key that may be wrong. */
int vt_rdma(struct vt_ep *ep, uint64_t wr_id, enum ibv_wr_opcode op, struct ibv_sge sge,
	    uint64_t raddr, uint32_t rkey);

/** vt_poll() - Wait for one completion; fails the case after 10 s. */
void vt_poll(struct ibv_cq *cq, struct ibv_wc *wc, const char *what);

/** vt_poll_for() - Wait @ms for one completion. Return: whether one came. */
bool vt_poll_for(struct ibv_cq *cq, struct ibv_wc *wc, unsigned int ms);

/** vt_poll_none() - Fail the case when a completion comes within @ms. */
void vt_poll_none(struct ibv_cq *cq, unsigned int ms, const char *what);

/** vt_expect_wc() - Wait for one completion and check whose it is and its status. */
void vt_expect_wc(struct vt_ep *ep, struct ibv_cq *cq, uint64_t wr_id, enum ibv_wc_status status,
		  const char *what, struct ibv_wc *out);

/** vt_fence() - Post a signalled WRITE of 0 bytes and wait until it has completed. */
void vt_fence(struct vt_ep *ep);

/** vt_ping() - Prove that a pair works: one SEND of @len bytes, checked. */
void vt_ping(struct vt_pair *p, struct vt_buf *src, struct vt_buf *dst, size_t len);

#endif
