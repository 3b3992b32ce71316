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

static int gone_ok(int err)
{
	return !err || err == EIO || err == ENODEV || err == EINVAL || err == EBUSY;
}

/* Use after the end: errors or flushes, never a hang, a signal or a success that stored bytes. */
static void after_end(struct holder *h, struct vt_dev *d)
{
	struct ibv_port_attr pa;
	struct ibv_wc wc;

	keep_busy(h, 3);
	for (int i = 0; i < 50; i++)
		vt_poll_for(h->p.a.scq, &wc, 1);
	CHECK(!ibv_alloc_pd(d->ctx), "ibv_alloc_pd works on a device that is gone");
	CHECK(ibv_query_port(d->ctx, 1, &pa), "ibv_query_port works on a device that is gone");
	ibv_req_notify_cq(h->p.a.scq, 0);
	vt_ep_to_state(&h->p.a, IBV_QPS_ERR);
}

static void tear_down(struct holder *h, struct vt_dev *d)
{
	CHECK(gone_ok(ibv_destroy_qp(h->p.a.qp)), "ibv_destroy_qp: %s", strerror(errno));
	CHECK(gone_ok(ibv_destroy_qp(h->p.b.qp)), "ibv_destroy_qp: %s", strerror(errno));
	for (unsigned int i = 0; i < h->nr_dst; i++)
		CHECK(gone_ok(ibv_dereg_mr(h->dst[i]->mr)), "ibv_dereg_mr: %s", strerror(errno));
	CHECK(gone_ok(ibv_dereg_mr(h->src->mr)), "ibv_dereg_mr: %s", strerror(errno));
	CHECK(!ibv_close_device(d->ctx), "ibv_close_device: %s", strerror(errno));
}

static void gone(const void *arg)
{
	const char *cmd = getenv("VT_CMD");
	struct vt_opts o = VT_OPTS;
	struct holder h = { };
	struct vt_dev *d;
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
	keep_busy(&h, 60);
	status = system(cmd);
	if (status) {
		CHECK(getenv("VT_CMD_MAY_FAIL"), "%s: status %#x", cmd, status);
		vt_pair_reset(&h.p);
		vt_buf_fill(h.dst[0], 0, BYTES);
		vt_ping(&h.p, h.src, h.dst[0], BYTES);
		return;
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
