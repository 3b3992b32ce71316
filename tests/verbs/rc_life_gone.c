// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * rc_life: the device goes while a process uses it. The process has QPs with requests on the way
 * and regions of every kind; then it runs the command in VT_CMD (rdma link delete, ip link delete,
 * ip netns delete, modprobe -r). When the command succeeds, a fatal event comes, no call hangs or
 * crashes, and everything can be closed. When it is refused (allowed with VT_CMD_MAY_FAIL only),
 * nothing changes.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "rc_life.h"
#include "vtest.h"

#define BYTES	(64 * 1024)
#define KINDS	(VT_BAR + 1)

/* Everything that the process holds, destroyed by hand: on a device that is gone calls may fail. */
struct holder {
	struct ibv_context *ctx[2];
	struct vt_pair p;
	struct vt_buf *src, *dst[KINDS];
	unsigned int nr_dst;
	struct ibv_comp_channel *chan;
	struct ibv_srq *srq;
	struct ibv_cq *srq_cq;		/* on the channel, armed, polled by a thread */
	struct ibv_qp *srq_qp;
	struct ibv_td *td;
	struct ibv_pd *parent;		/* of the QP */
	bool stop;
};

static bool fatal_event(struct vt_dev *d)
{
	struct pollfd fd = { .fd = d->ctx->async_fd, .events = POLLIN };
	uint64_t end = vt_now_ms() + 8000 * vt_cfg.slow;
	struct ibv_async_event e;

	while (vt_now_ms() < end) {
		if (poll(&fd, 1, 100) != 1)
			continue;
		if (ibv_get_async_event(d->ctx, &e))
			return false;
		ibv_ack_async_event(&e);
		if (e.event_type == IBV_EVENT_DEVICE_FATAL)
			return true;
	}
	return false;
}

static void keep_busy(struct holder *h, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		struct vt_buf *dst = h->dst[i % h->nr_dst];

		/* SENDs without a receive stay on the way. */
		if (i % 4 == 3)
			vt_send(&h->p.a, i, IBV_WR_SEND, vt_sge(h->src, 0, BYTES), NULL, 0,
				IBV_SEND_SIGNALED);
		else
			vt_send(&h->p.a, i, IBV_WR_RDMA_WRITE, vt_sge(h->src, 0, BYTES), dst, 0,
				IBV_SEND_SIGNALED);
	}
}

/* Polls the CQ as long as it is there, whatever becomes of the device. */
static void *poller(void *arg)
{
	struct holder *h = arg;
	struct ibv_wc wc;

	while (!__atomic_load_n(&h->stop, __ATOMIC_ACQUIRE))
		if (ibv_poll_cq(h->srq_cq, 1, &wc) < 0)
			return "ibv_poll_cq failed";
	return NULL;
}

static int post_srq(struct holder *h)
{
	struct ibv_sge sge = vt_sge(h->src, 0, BYTES);
	struct ibv_recv_wr wr = { .sg_list = &sge, .num_sge = 1 }, *bad;

	return ibv_post_srq_recv(h->srq, &wr, &bad);
}

static void hold_more(struct holder *h, struct vt_dev *d)
{
	struct ibv_srq_init_attr sia = { .attr = { .max_wr = 16, .max_sge = 1 } };
	struct ibv_parent_domain_init_attr pia = { .pd = d->pd };
	struct ibv_td_init_attr tia = { };
	struct ibv_qp_init_attr qia = { .qp_type = IBV_QPT_RC, .cap = { .max_send_wr = 4 } };

	h->chan = ibv_create_comp_channel(d->ctx);
	CHECK(h->chan, "ibv_create_comp_channel: %s", strerror(errno));
	h->srq_cq = ibv_create_cq(d->ctx, 64, NULL, h->chan, 0);
	CHECK(h->srq_cq, "ibv_create_cq: %s", strerror(errno));
	CHECK_ERRNO(ibv_req_notify_cq(h->srq_cq, 0), 0, "ibv_req_notify_cq");
	h->td = ibv_alloc_td(d->ctx, &tia);
	pia.td = h->td;
	h->parent = ibv_alloc_parent_domain(d->ctx, &pia);
	CHECK(h->td && h->parent, "parent domain: %s", strerror(errno));
	h->srq = ibv_create_srq(d->pd, &sia);
	CHECK(h->srq, "ibv_create_srq: %s", strerror(errno));
	CHECK_ERRNO(post_srq(h), 0, "ibv_post_srq_recv");
	qia.srq = h->srq;
	qia.send_cq = qia.recv_cq = h->srq_cq;
	h->srq_qp = ibv_create_qp(h->parent, &qia);
	CHECK(h->srq_qp, "ibv_create_qp: %s", strerror(errno));
}

/* Use after the end: errors or flushes, never a hang, a signal or a success that stored bytes. */
static void after_end(struct holder *h, struct vt_dev *d)
{
	struct ibv_port_attr pa;
	struct ibv_wc wc;

	struct ibv_srq_init_attr sia = { .attr = { .max_wr = 16, .max_sge = 1 } };
	struct ibv_srq_attr sa = { .max_wr = 32 };

	keep_busy(h, 3);
	post_srq(h);
	CHECK_ERRNO(ibv_query_srq(h->srq, &sa), EIO, "ibv_query_srq on a device that is gone");
	CHECK_ERRNO(ibv_modify_srq(h->srq, &sa, IBV_SRQ_MAX_WR), EIO, "ibv_modify_srq");
	CHECK_ERRNO(ibv_resize_cq(h->srq_cq, 128), EIO, "ibv_resize_cq");
	CHECK(!ibv_create_srq(d->pd, &sia) && errno == EIO, "ibv_create_srq");
	CHECK(!ibv_create_cq(d->ctx, 16, NULL, NULL, 0) && errno == EIO, "ibv_create_cq");
	for (int i = 0; i < 50; i++)
		vt_poll_for(h->p.a.scq, &wc, 1);
	CHECK(!ibv_alloc_pd(d->ctx), "ibv_alloc_pd works on a device that is gone");
	CHECK(ibv_query_port(d->ctx, 1, &pa), "ibv_query_port works on a device that is gone");
	CHECK_ERRNO(ibv_req_notify_cq(h->p.a.scq, 0), 0, "ibv_req_notify_cq");
	CHECK_ERRNO(vt_ep_to_state(&h->p.a, IBV_QPS_ERR), EIO, "ibv_modify_qp");
}

/* Destroying works: there is nothing left but the process's own part. */
static void tear_down(struct holder *h, struct vt_dev *d)
{
	CHECK_ERRNO(ibv_destroy_qp(h->srq_qp), 0, "ibv_destroy_qp on an SRQ");
	CHECK_ERRNO(ibv_destroy_srq(h->srq), 0, "ibv_destroy_srq");
	CHECK_ERRNO(ibv_destroy_cq(h->srq_cq), 0, "ibv_destroy_cq");
	CHECK_ERRNO(ibv_destroy_comp_channel(h->chan), 0, "ibv_destroy_comp_channel");
	CHECK_ERRNO(ibv_dealloc_pd(h->parent), 0, "ibv_dealloc_pd of a parent domain");
	CHECK_ERRNO(ibv_dealloc_td(h->td), 0, "ibv_dealloc_td");
	CHECK_ERRNO(ibv_destroy_qp(h->p.a.qp), 0, "ibv_destroy_qp");
	CHECK_ERRNO(ibv_destroy_qp(h->p.b.qp), 0, "ibv_destroy_qp");
	for (unsigned int i = 0; i < h->nr_dst; i++)
		CHECK_ERRNO(ibv_dereg_mr(h->dst[i]->mr), 0, "ibv_dereg_mr");
	CHECK_ERRNO(ibv_dereg_mr(h->src->mr), 0, "ibv_dereg_mr");
	CHECK_ERRNO(ibv_dealloc_pd(d->pd), 0, "ibv_dealloc_pd");
	CHECK(!ibv_close_device(d->ctx), "ibv_close_device: %s", strerror(errno));
}

static void gone(const void *arg)
{
	const char *cmd = getenv("VT_CMD");
	struct vt_opts o = VT_OPTS;
	struct holder h = { };
	pthread_t thread;
	struct vt_dev *d;
	void *said;
	int status;

	(void)arg;
	if (!cmd)
		vt_skip("VT_CMD is not set");
	d = vt_open(vt_cfg.dev);
	h.src = vt_buf_new(d, VT_HOST, BYTES, VT_ACCESS_ALL);
	for (int k = VT_HOST; k <= VT_BAR; k++)
		if (vt_mem_probe((enum vt_mem)k))
			h.dst[h.nr_dst++] = vt_buf_new(d, (enum vt_mem)k, BYTES, VT_ACCESS_ALL);
	/* Both ends on this device: the other one may not see its peer go. */
	h.p = *vt_pair_new(d, d, &o);
	hold_more(&h, d);
	CHECK(!pthread_create(&thread, NULL, poller, &h), "pthread_create");
	keep_busy(&h, 60);
	status = system(cmd);
	vt_sleep_ms(20);
	__atomic_store_n(&h.stop, true, __ATOMIC_RELEASE);
	pthread_join(thread, &said);
	CHECK(!said, "%s", (char *)said);
	if (status) {
		CHECK(getenv("VT_CMD_MAY_FAIL"), "%s: status %#x", cmd, status);
		vt_pair_reset(&h.p);
		vt_buf_fill(h.dst[0], 0, BYTES);
		vt_ping(&h.p, h.src, h.dst[0], BYTES);
		_exit(0);
	}
	CHECK(fatal_event(d), "no IBV_EVENT_DEVICE_FATAL after: %s", cmd);
	after_end(&h, d);
	tear_down(&h, d);
	_exit(0);
}

/* Open the device with everything there is and stay until killed or until stdin ends. */
static void hold(const void *arg)
{
	struct vt_opts o = VT_OPTS;
	struct vt_dev *d;
	struct vt_buf *src, *dst;
	struct vt_pair *p;
	char c;

	(void)arg;
	if (!getenv("VT_HOLD"))
		vt_skip("VT_HOLD is not set");
	d = vt_open(vt_cfg.dev);
	src = vt_buf_new(d, VT_HOST, BYTES, VT_ACCESS_ALL);
	dst = vt_buf_new(d, VT_HEAP, BYTES, VT_ACCESS_ALL);
	p = vt_pair_new(d, d, &o);
	fprintf(stderr, "holding %s\n", vt_cfg.dev);
	while (read(STDIN_FILENO, &c, 1) > 0)
		;
	vt_ping(p, src, dst, BYTES);
}

void life_add_gone(void)
{
	vt_add("gone/device", gone, NULL, 60);
	vt_add("gone/hold", hold, NULL, 120);
}
