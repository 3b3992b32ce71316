// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * rc_life: device memory that moves and is revoked (/dev/berth_move). A move under traffic stops
 * it for a moment and loses nothing; the old memory is poisoned by the exporter, so a stale access
 * shows as wrong bytes. A revoked buffer is a remote access error for the peer and a local error
 * for its owner, and stays so; everything else works on.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <rdma/berth-exporter.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "rc_life.h"
#include "xfer.h"

#define BYTES	(256 * 1024)

struct move_arg {
	enum xfer_op op;
	bool wire;
	bool move_src, move_dst;
	unsigned int flags;	/* of the exporter */
};

static int target_ioctl(const struct vt_buf *buf, unsigned long request)
{
	struct berth_exporter_target t = { .fd = buf->fd };

	return ioctl(buf->ctl_fd, request, &t) ? errno : 0;
}

struct mover {
	struct vt_buf *buf[2];
	volatile bool stop;
	unsigned int moves;
};

static void *move_on(void *arg)
{
	struct mover *m = arg;
	uint64_t rnd = 17;

	while (!m->stop) {
		for (int i = 0; i < 2; i++) {
			if (!m->buf[i])
				continue;
			CHECK_ERRNO(target_ioctl(m->buf[i], BERTH_EXPORTER_MOVE), 0,
				    "BERTH_EXPORTER_MOVE");
			m->moves++;
		}
		usleep((useconds_t)(200 + vt_rand(&rnd) % 4000));
	}
	return NULL;
}

/* A stream of verified messages while another thread moves the memory of either end or both. */
static void move_case(const void *arg)
{
	const struct move_arg *t = arg;
	struct vt_dev *a = vt_open(vt_cfg.dev), *b = t->wire ? vt_open(vt_cfg.peer) : a;
	struct vt_dev *sd = t->op == X_READ ? b : a, *dd = t->op == X_READ ? a : b;
	struct vt_buf *src, *dst;
	struct vt_opts o = VT_OPTS;
	struct vt_pair *p;
	struct mover *m = vt_zalloc(sizeof(*m));
	uint64_t end, rnd = 23;
	unsigned int done = 0;
	pthread_t thread;

	src = vt_buf_new(sd, t->move_src ? VT_MOVE : VT_HOST, BYTES, VT_ACCESS_ALL);
	dst = vt_buf_new(dd, t->move_dst ? VT_MOVE : VT_BAR, BYTES, VT_ACCESS_ALL);
	o.min_rnr_timer = 4;
	p = vt_pair_new(a, b, &o);
	m->buf[0] = t->move_src ? src : NULL;
	m->buf[1] = t->move_dst ? dst : NULL;
	CHECK(!pthread_create(&thread, NULL, move_on, m), "pthread_create");
	end = vt_now_ms() + 700;
	while (vt_now_ms() < end || done < 10) {
		uint32_t len = (uint32_t)(vt_rand(&rnd) % (BYTES - 4096));
		struct xfer x = xfer_simple(t->op, src, vt_rand(&rnd) % 2000, dst,
					    vt_rand(&rnd) % 2000, len);

		xfer_run(&p->a, &p->b, &x);
		done++;
	}
	m->stop = true;
	pthread_join(thread, NULL);
	CHECK(m->moves > 5, "only %u moves in %u messages: nothing tested", m->moves, done);
	vt_buf_check(src, 0, BYTES, "source");
	vt_buf_check(dst, 0, BYTES, "destination");
}

static int close_fd(void *arg)
{
	return close((int)(intptr_t)arg) ? errno : 0;
}

/* A bare buffer of the moving exporter with flags, registered at iova 0; no CPU mapping. */
static struct ibv_mr *odd_mr(struct vt_dev *d, unsigned int flags, int *fd, int *ctl)
{
	struct berth_exporter_alloc al = { .offset = BERTH_EXPORTER_ANYWHERE, .length = BYTES,
					   .flags = flags };

	if (!vt_mem_probe(VT_MOVE))
		vt_skip("no %s on this machine", BERTH_EXPORTER_MOVE_DEV);
	*ctl = open(BERTH_EXPORTER_MOVE_DEV, O_RDWR | O_CLOEXEC);
	CHECK(*ctl >= 0 && !ioctl(*ctl, BERTH_EXPORTER_ALLOC, &al), "%s: %s",
	      BERTH_EXPORTER_MOVE_DEV, strerror(errno));
	*fd = al.fd;
	vt_defer(close_fd, (void *)(intptr_t)*ctl, "close");
	vt_defer(close_fd, (void *)(intptr_t)al.fd, "close");
	errno = 0;
	return ibv_reg_dmabuf_mr(d->pd, 0, BYTES, 0, al.fd, VT_ACCESS_ALL);
}

/* Exporters with quirks: slow ones and ones that are busy after a move work in the end. */
static void quirk(const void *arg)
{
	const struct move_arg *t = arg;
	struct vt_dev *a = vt_open(vt_cfg.dev), *b = t->wire ? vt_open(vt_cfg.peer) : a;
	struct vt_buf *src = vt_buf_new(a, VT_HOST, BYTES, VT_ACCESS_ALL);
	struct vt_buf *back = vt_buf_new(a, VT_HOST, BYTES, VT_ACCESS_ALL);
	struct vt_opts o = VT_OPTS;
	struct vt_pair *p = vt_pair_new(a, b, &o);
	int fd, ctl;
	struct ibv_mr *mr = odd_mr(b, t->flags, &fd, &ctl);

	CHECK(mr, "ibv_reg_dmabuf_mr: %s", strerror(errno));
	for (uint64_t i = 0; i < 4; i++) {
		struct berth_exporter_target tg = { .fd = fd };

		CHECK(!ioctl(ctl, BERTH_EXPORTER_MOVE, &tg), "MOVE: %s", strerror(errno));
		CHECK_ERRNO(vt_rdma(&p->a, i, IBV_WR_RDMA_WRITE, vt_sge(src, i, BYTES - 4), 0,
				    mr->rkey), 0, "ibv_post_send");
		vt_expect_wc(&p->a, p->a.scq, i, IBV_WC_SUCCESS, "WRITE after a move", NULL);
		CHECK(!ioctl(ctl, BERTH_EXPORTER_MOVE, &tg), "MOVE: %s", strerror(errno));
		CHECK_ERRNO(vt_rdma(&p->a, i, IBV_WR_RDMA_READ, vt_sge(back, 0, BYTES - 4), 0,
				    mr->rkey), 0, "ibv_post_send");
		vt_expect_wc(&p->a, p->a.scq, i, IBV_WC_SUCCESS, "READ after a move", NULL);
		vt_buf_expect_copy(back, 0, BYTES - 4, src, i, "what came back");
		vt_buf_fill(back, 0, BYTES);
	}
	CHECK_ERRNO(ibv_dereg_mr(mr), 0, "ibv_dereg_mr");
}

/* An exporter that fails to map: its errno comes back, nothing is left. */
static void map_fails(const void *arg)
{
	struct vt_dev *d = vt_open(vt_cfg.dev);
	int fd, ctl;

	(void)arg;
	CHECK(!odd_mr(d, BERTH_EXPORTER_MAP_FAILS, &fd, &ctl), "registered what cannot be mapped");
	CHECK_ERRNO(errno, EIO, "ibv_reg_dmabuf_mr of a buffer that cannot be mapped");
	CHECK(!odd_mr(d, BERTH_EXPORTER_NO_VMAP, &fd, &ctl), "registered what the CPU cannot reach");
	CHECK(errno, "no errno");
}

struct revoke_bench {
	struct vt_dev *a, *b;
	struct vt_pair *p;
	struct vt_buf *src, *dst;
	int fd, ctl;
	struct ibv_mr *mr;	/* of the responder, over the revocable buffer */
};

static struct revoke_bench revoke_bench(bool wire)
{
	struct revoke_bench r = { .a = vt_open(vt_cfg.dev) };
	struct vt_opts o = VT_OPTS;

	r.b = wire ? vt_open(vt_cfg.peer) : r.a;
	r.src = vt_buf_new(r.a, VT_HOST, BYTES, VT_ACCESS_ALL);
	r.dst = vt_buf_new(r.b, VT_HOST, BYTES, VT_ACCESS_ALL);
	r.p = vt_pair_new(r.a, r.b, &o);
	r.mr = odd_mr(r.b, 0, &r.fd, &r.ctl);
	CHECK(r.mr, "ibv_reg_dmabuf_mr: %s", strerror(errno));
	return r;
}

static void take_away(struct revoke_bench *r)
{
	struct berth_exporter_target tg = { .fd = r->fd };

	CHECK(!ioctl(r->ctl, BERTH_EXPORTER_REVOKE, &tg), "REVOKE: %s", strerror(errno));
}

static void revoked_write_read(const void *arg)
{
	const struct move_arg *t = arg;
	struct revoke_bench r = revoke_bench(t->wire);

	CHECK_ERRNO(vt_rdma(&r.p->a, 1, IBV_WR_RDMA_WRITE, vt_sge(r.src, 0, BYTES), 0, r.mr->rkey), 0,
		    "ibv_post_send");
	vt_expect_wc(&r.p->a, r.p->a.scq, 1, IBV_WC_SUCCESS, "WRITE before", NULL);
	take_away(&r);
	CHECK_ERRNO(vt_rdma(&r.p->a, 2, IBV_WR_RDMA_WRITE, vt_sge(r.src, 0, BYTES), 0, r.mr->rkey), 0,
		    "ibv_post_send");
	vt_expect_wc(&r.p->a, r.p->a.scq, 2, IBV_WC_REM_ACCESS_ERR, "WRITE to revoked memory", NULL);
	vt_pair_reset(r.p);
	CHECK_ERRNO(vt_rdma(&r.p->a, 3, IBV_WR_RDMA_READ, vt_sge(r.src, 0, 64), 0, r.mr->rkey), 0,
		    "ibv_post_send");
	vt_expect_wc(&r.p->a, r.p->a.scq, 3, IBV_WC_REM_ACCESS_ERR, "READ of revoked memory", NULL);
	vt_pair_reset(r.p);
	vt_buf_check(r.src, 0, BYTES, "local buffer of a refused READ");
	vt_ping(r.p, r.src, r.dst, 5000);
	CHECK_ERRNO(ibv_dereg_mr(r.mr), 0, "ibv_dereg_mr of revoked memory");
	CHECK(!ibv_reg_dmabuf_mr(r.b->pd, 0, 4096, 0, r.fd, 0), "revoked memory was registered");
	CHECK_ERRNO(errno, ENODEV, "ibv_reg_dmabuf_mr of revoked memory");
}

/* The owner's own use: as source of a SEND and as target of a receive. */
static void revoked_local(const void *arg)
{
	const struct move_arg *t = arg;
	struct revoke_bench r = revoke_bench(t->wire);
	struct ibv_sge sge = { .addr = 0, .length = 64, .lkey = r.mr->lkey };

	take_away(&r);
	CHECK_ERRNO(vt_send(&r.p->b, 1, IBV_WR_SEND, sge, NULL, 0, IBV_SEND_SIGNALED), 0, "post");
	vt_expect_wc(&r.p->b, r.p->b.scq, 1, IBV_WC_LOC_PROT_ERR, "SEND from revoked memory", NULL);
	vt_pair_reset(r.p);
	CHECK_ERRNO(vt_recv(&r.p->b, 2, sge), 0, "ibv_post_recv");
	CHECK_ERRNO(vt_send(&r.p->a, 3, IBV_WR_SEND, vt_sge(r.src, 0, 64), NULL, 0,
			    IBV_SEND_SIGNALED), 0, "ibv_post_send");
	vt_expect_wc(&r.p->b, r.p->b.rcq, 2, IBV_WC_LOC_PROT_ERR, "receive to revoked memory", NULL);
	vt_expect_wc(&r.p->a, r.p->a.scq, 3, IBV_WC_REM_OP_ERR, "SEND to revoked memory", NULL);
	CHECK_ERRNO(ibv_dereg_mr(r.mr), 0, "ibv_dereg_mr");
}

/* Revoked in the middle of a stream: successes, then one access error, then flushes. */
static void revoked_under_traffic(const void *arg)
{
	const struct move_arg *t = arg;

	for (int round = 0; round < 20; round++) {
		struct revoke_bench r = revoke_bench(t->wire);
		bool failed = false;
		struct ibv_wc wc;

		for (uint64_t i = 0; i < 60; i++)
			CHECK_ERRNO(vt_rdma(&r.p->a, i, i & 1 ? IBV_WR_RDMA_READ : IBV_WR_RDMA_WRITE,
					    vt_sge(r.src, 0, BYTES), 0, r.mr->rkey), 0, "post");
		usleep((useconds_t)(round * 3000));
		take_away(&r);
		for (uint64_t i = 0; i < 60; i++) {
			vt_poll(r.p->a.scq, &wc, "stream");
			CHECK_EQ(wc.wr_id, i, "order");
			if (failed)
				CHECK_EQ(wc.status, IBV_WC_WR_FLUSH_ERR, "status behind the error");
			else if (wc.status != IBV_WC_SUCCESS)
				CHECK_EQ(wc.status, IBV_WC_REM_ACCESS_ERR, "status after the revocation");
			failed = wc.status != IBV_WC_SUCCESS;
		}
		/* Every READ brought back what the WRITEs stored: never poison. */
		vt_buf_check(r.src, 0, BYTES, "bytes read around the revocation");
		CHECK_ERRNO(ibv_dereg_mr(r.mr), 0, "ibv_dereg_mr");
	}
}

static void add_pair(const char *name, vt_fn fn, struct move_arg a, unsigned int seconds)
{
	for (int wire = 0; wire <= !!vt_cfg.peer; wire++) {
		struct move_arg *arg = malloc(sizeof(*arg));
		char full[96];

		if (!arg)
			exit(2);
		*arg = a;
		arg->wire = wire;
		snprintf(full, sizeof(full), "%s/%s", name, wire ? "wire" : "local");
		vt_add(full, fn, arg, seconds);
	}
}

void life_add_move(void)
{
	char name[64];

	for (int op = 0; op < X_OPS; op++) {
		if (op == X_SEND_INV)
			continue;
		snprintf(name, sizeof(name), "move/%s/source", xfer_ops[op].name);
		add_pair(name, move_case, (struct move_arg){ .op = (enum xfer_op)op, .move_src = true }, 40);
		snprintf(name, sizeof(name), "move/%s/target", xfer_ops[op].name);
		add_pair(name, move_case, (struct move_arg){ .op = (enum xfer_op)op, .move_dst = true }, 40);
	}
	add_pair("move/write/both", move_case, (struct move_arg){ .op = X_WRITE, .move_src = true,
		 .move_dst = true }, 40);
	add_pair("move/slow", quirk, (struct move_arg){ .flags = BERTH_EXPORTER_SLOW }, 40);
	add_pair("move/busy_once", quirk, (struct move_arg){ .flags = BERTH_EXPORTER_BUSY_ONCE }, 40);
	vt_add("move/map_fails", map_fails, NULL, 0);
	add_pair("revoke/write_read", revoked_write_read, (struct move_arg){ }, 0);
	add_pair("revoke/local", revoked_local, (struct move_arg){ }, 0);
	add_pair("revoke/under_traffic", revoked_under_traffic, (struct move_arg){ }, 60);
}
