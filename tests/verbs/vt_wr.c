// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * Posting single requests and waiting for completions. Polling yields between tries, and sleeps
 * where it takes long: the machine may have one CPU, and the device needs it too.
 */
#include <sched.h>
#include <string.h>
#include <unistd.h>

#include "vtest.h"

#define POLL_MS		10000
#define POLL_TRIES	50
/* Of sleep between two tries: at first, and at most. */
#define POLL_US_FIRST	100
#define POLL_US_MAX	2000

struct ibv_sge vt_sge(const struct vt_buf *buf, size_t off, uint32_t len)
{
	return (struct ibv_sge){ .addr = buf->iova + off, .length = len,
				 .lkey = buf->mr ? buf->mr->lkey : 0 };
}

int vt_recv(struct vt_ep *ep, uint64_t wr_id, struct ibv_sge sge)
{
	struct ibv_recv_wr wr = { .wr_id = wr_id, .sg_list = &sge, .num_sge = 1 };
	struct ibv_recv_wr *bad = NULL;
	int err = ibv_post_recv(ep->qp, &wr, &bad);

	if (err)
		CHECK(bad == &wr, "ibv_post_recv failed without setting bad_wr");
	return err;
}

static int post(struct vt_ep *ep, struct ibv_send_wr *wr)
{
	struct ibv_send_wr *bad = NULL;
	int err = ibv_post_send(ep->qp, wr, &bad);

	if (err)
		CHECK(bad == wr, "ibv_post_send failed without setting bad_wr");
	return err;
}

int vt_send(struct vt_ep *ep, uint64_t wr_id, enum ibv_wr_opcode op, struct ibv_sge sge,
	    const struct vt_buf *rbuf, size_t roff, unsigned int flags)
{
	struct ibv_send_wr wr = {
		.wr_id = wr_id, .sg_list = &sge, .num_sge = 1, .opcode = op, .send_flags = flags,
	};

	if (rbuf) {
		wr.wr.rdma.remote_addr = rbuf->iova + roff;
		wr.wr.rdma.rkey = rbuf->mr ? rbuf->mr->rkey : 0;
	}
	return post(ep, &wr);
}

int vt_rdma(struct vt_ep *ep, uint64_t wr_id, enum ibv_wr_opcode op, struct ibv_sge sge,
	    uint64_t raddr, uint32_t rkey)
{
	struct ibv_send_wr wr = {
		.wr_id = wr_id, .sg_list = &sge, .num_sge = 1, .opcode = op,
		.send_flags = IBV_SEND_SIGNALED,
		.wr.rdma = { .remote_addr = raddr, .rkey = rkey },
	};

	return post(ep, &wr);
}

bool vt_poll_for(struct ibv_cq *cq, struct ibv_wc *wc, unsigned int ms)
{
	uint64_t end = vt_now_ms() + ms;
	unsigned int tries = 0, us = POLL_US_FIRST;

	for (;;) {
		int n = ibv_poll_cq(cq, 1, wc);

		CHECK(n >= 0, "ibv_poll_cq: %d", n);
		if (n)
			return true;
		if (++tries < POLL_TRIES) {
			sched_yield();
			continue;
		}
		if (vt_now_ms() >= end)
			return false;
		usleep(us);
		us = us * 5 / 4 < POLL_US_MAX ? us * 5 / 4 : POLL_US_MAX;
	}
}

void vt_poll(struct ibv_cq *cq, struct ibv_wc *wc, const char *what)
{
	CHECK(vt_poll_for(cq, wc, POLL_MS * vt_cfg.slow), "%s: no completion within %u s", what,
	      POLL_MS * vt_cfg.slow / 1000);
}

void vt_poll_none(struct ibv_cq *cq, unsigned int ms, const char *what)
{
	struct ibv_wc wc;

	if (vt_poll_for(cq, &wc, ms))
		CHECK(0, "%s: a completion came that should not: wr_id %llu, %s", what,
		      (unsigned long long)wc.wr_id, ibv_wc_status_str(wc.status));
}

void vt_expect_wc(struct vt_ep *ep, struct ibv_cq *cq, uint64_t wr_id, enum ibv_wc_status status,
		  const char *what, struct ibv_wc *out)
{
	struct ibv_wc wc;

	vt_poll(cq, &wc, what);
	CHECK(wc.status == status, "%s: status '%s' (%d) for wr_id %llu, expected '%s'", what,
	      ibv_wc_status_str(wc.status), wc.status, (unsigned long long)wc.wr_id,
	      ibv_wc_status_str(status));
	CHECK(wc.wr_id == wr_id, "%s: completion of wr_id %#llx, expected %#llx", what,
	      (unsigned long long)wc.wr_id, (unsigned long long)wr_id);
	if (ep->qp)
		CHECK(wc.qp_num == ep->qp->qp_num, "%s: completion of QP %#x, expected %#x", what,
		      wc.qp_num, ep->qp->qp_num);
	if (out)
		*out = wc;
}

void vt_fence(struct vt_ep *ep)
{
	struct ibv_send_wr wr = { .wr_id = 0xfe9ce, .opcode = IBV_WR_RDMA_WRITE,
				  .send_flags = IBV_SEND_SIGNALED };

	CHECK_ERRNO(post(ep, &wr), 0, "posting a WRITE of 0 bytes");
	vt_expect_wc(ep, ep->scq, 0xfe9ce, IBV_WC_SUCCESS, "WRITE of 0 bytes", NULL);
}

void vt_ping(struct vt_pair *p, struct vt_buf *src, struct vt_buf *dst, size_t len)
{
	struct ibv_wc wc;

	CHECK_ERRNO(vt_recv(&p->b, 0x9e0, vt_sge(dst, 0, (uint32_t)len)), 0, "ibv_post_recv");
	CHECK_ERRNO(vt_send(&p->a, 0x9e1, IBV_WR_SEND, vt_sge(src, 0, (uint32_t)len), NULL, 0,
			    IBV_SEND_SIGNALED), 0, "ibv_post_send");
	vt_expect_wc(&p->a, p->a.scq, 0x9e1, IBV_WC_SUCCESS, "SEND on a pair that should work", NULL);
	vt_expect_wc(&p->b, p->b.rcq, 0x9e0, IBV_WC_SUCCESS, "receive on a pair that should work", &wc);
	CHECK_EQ(wc.byte_len, len, "byte_len");
	vt_buf_expect_copy(dst, 0, len, src, 0, "SEND on a pair that should work");
	vt_buf_fill(dst, 0, len);
}
