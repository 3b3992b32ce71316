// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * rc_data: a message of 2 GiB - 1, the largest there is. The machine need not have that much
 * memory: 64 MiB of it are named 32 times, by 32 entries (SEND) or by 32 mappings of one memfd side
 * by side under one region (WRITE, READ), so byte n of the message lands on byte n mod 64 MiB.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "rc_data.h"

#define PART	(64UL << 20)
#define PARTS	32
#define TOTAL	0x7fffffffU

/* A region of PARTS * PART bytes of address space over PART bytes of memory. */
struct alias {
	uint8_t *va;
	uint64_t seed;
	struct ibv_mr *mr;
};

static int dereg(void *arg)
{
	return ibv_dereg_mr(arg);
}

static void alias_init(struct alias *a, struct vt_dev *dev, uint64_t seed)
{
	int fd = memfd_create("vtest-big", MFD_CLOEXEC);

	CHECK(fd >= 0 && !ftruncate(fd, PART), "memfd of %lu bytes: %s", PART, strerror(errno));
	a->seed = seed;
	a->va = mmap(NULL, PARTS * PART, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	CHECK(a->va != MAP_FAILED, "2 GiB of address space: %s", strerror(errno));
	for (unsigned int i = 0; i < PARTS; i++)
		CHECK(mmap(a->va + i * PART, PART, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0)
		      != MAP_FAILED, "mapping %u of one memfd: %s", i, strerror(errno));
	close(fd);
	vt_fill(a->va, PART, seed, 0);
	a->mr = ibv_reg_mr(dev->pd, a->va, PARTS * PART, VT_ACCESS_ALL);
	CHECK(a->mr, "ibv_reg_mr of 2 GiB: %s", strerror(errno));
	vt_defer(dereg, a->mr, "ibv_dereg_mr");
}

static void big(const void *arg)
{
	const struct rc_arg *t = arg;
	struct rc_devs d = rc_open(t->path);
	const struct xfer_op_info *op = &xfer_ops[t->op];
	struct ibv_sge ss[PARTS], rs[PARTS];
	struct ibv_send_wr wr = { .wr_id = 1, .sg_list = ss, .num_sge = PARTS, .opcode = op->wr,
				  .send_flags = IBV_SEND_SIGNALED }, *bad;
	struct ibv_recv_wr rr = { .wr_id = 2, .sg_list = rs, .num_sge = PARTS }, *rbad;
	struct vt_opts o = VT_OPTS;
	struct alias src, dst;
	struct vt_pair *p;
	struct ibv_wc wc;
	ssize_t miss;

	alias_init(&src, d.a, 1);
	alias_init(&dst, d.b, 2);
	o.send_sge = PARTS;
	o.recv_sge = PARTS;
	o.timeout = 20;
	p = vt_pair_new(d.a, d.b, &o);
	for (unsigned int i = 0; i < PARTS; i++) {
		uint32_t len = i < PARTS - 1 ? PART : PART - 1;

		ss[i] = (struct ibv_sge){ (uintptr_t)src.va + i * PART, len, src.mr->lkey };
		rs[i] = (struct ibv_sge){ (uintptr_t)dst.va, len, dst.mr->lkey };
	}
	wr.wr.rdma.remote_addr = (uintptr_t)dst.va;
	wr.wr.rdma.rkey = dst.mr->rkey;
	if (op->recv)
		CHECK_ERRNO(ibv_post_recv(p->b.qp, &rr, &rbad), 0, "ibv_post_recv");
	CHECK_ERRNO(ibv_post_send(p->a.qp, &wr, &bad), 0, "ibv_post_send");
	CHECK(vt_poll_for(p->a.scq, &wc, 170000 * vt_cfg.slow), "2 GiB - 1 not sent in 170 s");
	CHECK(wc.status == IBV_WC_SUCCESS, "2 GiB - 1: status '%s'", ibv_wc_status_str(wc.status));
	if (op->recv) {
		vt_expect_wc(&p->b, p->b.rcq, 2, IBV_WC_SUCCESS, "receive of 2 GiB - 1", &wc);
		CHECK_EQ(wc.byte_len, TOTAL, "byte_len");
	}
	if (vt_cfg.flip)
		dst.va[12345] ^= 1;
	miss = vt_mismatch(dst.va, PART, src.seed, 0);
	CHECK(miss < 0, "byte %zd of the 64 MiB is wrong", miss);
}

/* One byte more than the largest message is refused, here or by the peer, never cut short. */
static void too_big(const void *arg)
{
	const struct rc_arg *t = arg;
	struct rc_devs d = rc_open(t->path);
	struct ibv_sge ss[PARTS];
	struct ibv_send_wr wr = { .wr_id = 1, .sg_list = ss, .num_sge = PARTS,
				  .opcode = IBV_WR_RDMA_WRITE, .send_flags = IBV_SEND_SIGNALED }, *bad;
	struct vt_opts o = VT_OPTS;
	struct alias src, dst;
	struct vt_pair *p;
	struct ibv_wc wc;

	alias_init(&src, d.a, 1);
	alias_init(&dst, d.b, 2);
	o.send_sge = PARTS;
	p = vt_pair_new(d.a, d.b, &o);
	for (unsigned int i = 0; i < PARTS; i++)
		ss[i] = (struct ibv_sge){ (uintptr_t)src.va, PART, src.mr->lkey };
	wr.wr.rdma.remote_addr = (uintptr_t)dst.va;
	wr.wr.rdma.rkey = dst.mr->rkey;
	if (!ibv_post_send(p->a.qp, &wr, &bad)) {
		vt_poll(p->a.scq, &wc, "WRITE of 2 GiB");
		CHECK(wc.status == IBV_WC_LOC_LEN_ERR || wc.status == IBV_WC_LOC_QP_OP_ERR,
		      "WRITE of 2 GiB: status '%s', expected a local length error",
		      ibv_wc_status_str(wc.status));
	}
	CHECK(vt_mismatch(dst.va, PART, dst.seed, 0) < 0, "a refused WRITE wrote");
}

void rc_data_add_big(void)
{
	rc_add(big, (struct rc_arg){ .op = X_SEND, .path = P_LOCAL }, 180, "big/send/local");
	rc_add(big, (struct rc_arg){ .op = X_WRITE, .path = P_WIRE }, 180, "big/write/wire");
	rc_add(too_big, (struct rc_arg){ .path = P_LOCAL }, 60, "big/too_big/local");
}
