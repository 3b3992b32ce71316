/* SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB */
/*
 * A kernel for tests: ioctl() and mmap() of the test program stand before those of libc, for
 * libibverbs as well, and answer uverbs commands as berth.ko does. One CQ ring per CQ and one
 * mapping per QP, in ordinary memory; the test plays the driver on them.
 */
#ifndef BERTH_TESTS_MOCK_KERNEL_H
#define BERTH_TESTS_MOCK_KERNEL_H

#include <stdbool.h>
#include <stdint.h>

#include <rdma/berth-abi.h>

#define MOCK_CQ_ENTRIES		8
#define MOCK_SQ_ENTRIES		8
#define MOCK_RQ_ENTRIES		8
#define MOCK_QP_OFFSET		2048	/* as of the second QP in a page */
#define MOCK_SQ_STRIDE		(sizeof(struct berth_send_wqe) + 64)
#define MOCK_RQ_STRIDE		(sizeof(struct berth_recv_wqe) + 64)
#define MOCK_FD			0x5e1f

struct mock_state {
	/* what was seen in the commands */
	struct berth_alloc_ucontext_req ucontext_req;
	struct berth_create_cq_req cq_req;
	struct berth_create_qp_req qp_req;
	uint64_t dmabuf_offset, dmabuf_length, dmabuf_iova;
	uint32_t dmabuf_fd, dmabuf_access;
	uint32_t attach_handle;		/* of the last attached QP */
	int64_t attach_fd;
	unsigned int refused;		/* commands with a wrong length, driver id or attribute */
	unsigned int doorbells;
	uint32_t last_doorbell;
	/* how to answer */
	uint32_t next_qpn;
	uint32_t abi;			/* answer to the ucontext, 0: the right one */
	uint32_t null_lkey;		/* likewise */
	int doorbell_errno;
	int dmabuf_errno;
	int attach_errno;
	bool gone;			/* the device: EIO to device memory and windows */
	bool short_map;			/* a QP mapping that cannot hold its rings */
	/* the newest objects */
	struct berth_cq_ring *cq_ring;
	struct berth_qp_ring *qp_ring;
};

extern struct mock_state mock;

struct berth_send_wqe *mock_sqe(struct berth_qp_ring *ring, uint32_t index);
struct berth_recv_wqe *mock_rqe(struct berth_qp_ring *ring, uint32_t index);
void mock_complete(struct berth_cq_ring *ring, const struct berth_cqe *cqe);

#endif
