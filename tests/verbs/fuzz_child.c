// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * fuzz_abi's children: a process without privileges that makes verbs calls with arguments that may be
 * anything, over calls that may be changed (fuzz_mutate.c) and rings that may be written over. It ends
 * at any moment and in any way; that it may crash in its own libraries is no fault of the kernel.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <rdma/berth-abi.h>
#include <rdma/rdma_user_ioctl_cmds.h>

#include "fuzz_abi.h"
#include "vt_ud.h"

#define NOBODY	65534

struct fuzz_child child;

void *bag_pick(struct fuzz_bag *b)
{
	return b->item[fuzz_below(FUZZ_MANY)];
}

void bag_keep(struct fuzz_bag *b, void *item)
{
	if (item && !mutate_forgets())
		b->item[fuzz_below(FUZZ_MANY)] = item;
}

void *bag_take(struct fuzz_bag *b)
{
	uint32_t i = fuzz_below(FUZZ_MANY);
	void *item = b->item[i];

	b->item[i] = NULL;
	return item;
}

uint32_t fuzz_limit(uint32_t usual)
{
	return fuzz_odds(90) ? fuzz_below(usual + 1) : (uint32_t)fuzz_odd();
}

int fuzz_access(void)
{
	return fuzz_odds(80) ? VT_ACCESS_ALL | IBV_ACCESS_REMOTE_ATOMIC | IBV_ACCESS_MW_BIND :
	       (int)fuzz_odd();
}

static void open_doorbell(void)
{
	struct {
		struct ib_uverbs_ioctl_hdr hdr;
		struct ib_uverbs_attr attr;
	} call = {
		.hdr = { .length = sizeof(call), .object_id = BERTH_OBJECT_DOORBELL, .num_attrs = 1,
			 .method_id = BERTH_METHOD_DOORBELL_OPEN, .driver_id = BERTH_DRIVER_ID },
		.attr = { .attr_id = BERTH_ATTR_DOORBELL_OPEN_FD, .flags = UVERBS_ATTR_F_MANDATORY },
	};

	child.doorbell = ioctl(child.ctx->cmd_fd, RDMA_VERBS_IOCTL, &call) ? -1 :
			 (int)call.attr.data_s64;
}

static void do_pd(void)
{
	bag_keep(&child.pd, ibv_alloc_pd(child.ctx));
}

static void do_cq(void)
{
	int cqe = fuzz_odds(80) ? 1 + (int)fuzz_below(300) : (int)fuzz_odd();
	struct ibv_comp_channel *chan = fuzz_odds(30) ? bag_pick(&child.chan) : NULL;

	bag_keep(&child.cq, ibv_create_cq(child.ctx, cqe, NULL, chan,
					  fuzz_odds(95) ? 0 : (int)fuzz_odd()));
	if (fuzz_odds(10))
		bag_keep(&child.chan, ibv_create_comp_channel(child.ctx));
	rings_find();
}

/* Small ones share a page with another. */
static struct ibv_qp_cap any_cap(void)
{
	if (fuzz_odds(40))
		return (struct ibv_qp_cap){ 1 + fuzz_below(8), 1 + fuzz_below(8), 1, 1,
					    fuzz_below(17) };
	return (struct ibv_qp_cap){ fuzz_limit(64), fuzz_limit(64), fuzz_limit(8), fuzz_limit(8),
				    fuzz_limit(256) };
}

static enum ibv_qp_type any_type(void)
{
	if (fuzz_odds(70))
		return IBV_QPT_RC;
	return fuzz_odds(60) ? IBV_QPT_UD : (enum ibv_qp_type)fuzz_below(12);
}

static void do_qp(void)
{
	struct ibv_qp_init_attr ia = {
		.send_cq = bag_pick(&child.cq), .recv_cq = bag_pick(&child.cq),
		.srq = fuzz_odds(30) ? bag_pick(&child.srq) : NULL,
		.sq_sig_all = (int)fuzz_below(2), .qp_type = any_type(), .cap = any_cap(),
	};
	struct ibv_pd *pd = bag_pick(&child.pd);

	if (pd && ia.send_cq && ia.recv_cq)
		bag_keep(&child.qp, ibv_create_qp(pd, &ia));
	rings_find();
}

static void do_mr(void)
{
	struct ibv_pd *pd = bag_pick(&child.pd);
	uint32_t off = fuzz_below(FUZZ_MEMORY);
	size_t len = fuzz_odds(80) ? fuzz_below(FUZZ_MEMORY - off) : fuzz_odd();
	int access = fuzz_access();

	if (!pd)
		return;
	if (fuzz_odds(70))
		bag_keep(&child.mr, ibv_reg_mr(pd, child.memory + off, len, access));
	else
		bag_keep(&child.mr, ibv_reg_dmabuf_mr(pd, fuzz_odd(), fuzz_odd(), fuzz_odd(),
						      (int)fuzz_below(20), access));
}

static void do_rereg(void)
{
	struct ibv_mr *mr = bag_pick(&child.mr);
	uint8_t *at = child.memory + fuzz_below(FUZZ_MEMORY);

	if (mr)
		ibv_rereg_mr(mr, (int)fuzz_below(16), bag_pick(&child.pd), at,
			     fuzz_odds(90) ? fuzz_below(8192) : fuzz_odd(), fuzz_access());
}

static void do_resize(void)
{
	struct ibv_cq *cq = bag_pick(&child.cq);

	if (!cq)
		return;
	/* The provider unmaps the old ring. */
	if (fuzz_odds(50))
		rings_forget();
	ibv_resize_cq(cq, fuzz_odds(80) ? 1 + (int)fuzz_below(500) : (int)fuzz_odd());
	rings_find();
}

static void do_ah(void)
{
	struct ibv_ah_attr a = { .is_global = fuzz_odds(90), .port_num = fuzz_odds(90),
				 .grh = { .dgid = child.gid, .sgid_index = (uint8_t)child.gid_index,
					  .hop_limit = (uint8_t)fuzz_rnd() } };
	struct ibv_pd *pd = bag_pick(&child.pd);

	if (fuzz_odds(20))
		fuzz_bytes(&a, sizeof(a));
	if (pd)
		bag_keep(&child.ah, ibv_create_ah(pd, &a));
}

static int ud_to_rts(struct ibv_qp *qp)
{
	struct ibv_qp_attr a = { .qp_state = IBV_QPS_INIT, .port_num = 1, .qkey = UD_QKEY };

	if (ibv_modify_qp(qp, &a, IBV_QP_STATE | IBV_QP_PKEY_INDEX | IBV_QP_PORT | IBV_QP_QKEY))
		return -1;
	a.qp_state = IBV_QPS_RTR;
	if (ibv_modify_qp(qp, &a, IBV_QP_STATE))
		return -1;
	a.qp_state = IBV_QPS_RTS;
	return ibv_modify_qp(qp, &a, IBV_QP_STATE | IBV_QP_SQ_PSN);
}

static int to_rts(struct ibv_qp *qp, uint32_t peer)
{
	struct ibv_qp_attr a = {
		.qp_state = IBV_QPS_INIT, .port_num = 1,
		.qp_access_flags = VT_ACCESS_ALL | IBV_ACCESS_REMOTE_ATOMIC,
		.path_mtu = IBV_MTU_1024, .dest_qp_num = peer, .max_dest_rd_atomic = 4,
		.min_rnr_timer = 1, .timeout = 10, .retry_cnt = 1, .max_rd_atomic = 4,
		.ah_attr = { .is_global = 1, .port_num = 1,
			     .grh = { .dgid = child.gid, .hop_limit = 4,
				      .sgid_index = (uint8_t)child.gid_index } },
	};

	if (qp->qp_type == IBV_QPT_UD)
		return ud_to_rts(qp);
	if (ibv_modify_qp(qp, &a, IBV_QP_STATE | IBV_QP_PKEY_INDEX | IBV_QP_PORT | IBV_QP_ACCESS_FLAGS))
		return -1;
	a.qp_state = IBV_QPS_RTR;
	if (ibv_modify_qp(qp, &a, IBV_QP_STATE | IBV_QP_AV | IBV_QP_PATH_MTU | IBV_QP_DEST_QPN |
			  IBV_QP_RQ_PSN | IBV_QP_MAX_DEST_RD_ATOMIC | IBV_QP_MIN_RNR_TIMER))
		return -1;
	a.qp_state = IBV_QPS_RTS;
	return ibv_modify_qp(qp, &a, IBV_QP_STATE | IBV_QP_SQ_PSN | IBV_QP_TIMEOUT | IBV_QP_RETRY_CNT |
			     IBV_QP_RNR_RETRY | IBV_QP_MAX_QP_RD_ATOMIC);
}

static void do_modify(void)
{
	struct ibv_qp *qp = bag_pick(&child.qp), *peer = bag_pick(&child.qp);
	struct ibv_qp_attr a = { .qp_state = (enum ibv_qp_state)fuzz_below(8) };

	if (!qp || !peer)
		return;
	if (fuzz_odds(60)) {
		a.qp_state = IBV_QPS_RESET;
		ibv_modify_qp(qp, &a, IBV_QP_STATE);
		to_rts(qp, fuzz_odds(90) ? peer->qp_num : (uint32_t)fuzz_odd());
		return;
	}
	if (fuzz_odds(50))
		fuzz_bytes(&a, sizeof(a));
	ibv_modify_qp(qp, &a, fuzz_odds(60) ? IBV_QP_STATE : (int)fuzz_below(1 << 21));
}

static void do_query(void)
{
	struct ibv_qp_init_attr ia;
	struct ibv_qp_attr a;
	struct ibv_qp *qp = bag_pick(&child.qp);

	if (qp)
		ibv_query_qp(qp, &a, (int)fuzz_below(1 << 21), &ia);
}

struct ibv_sge fuzz_sge(void)
{
	const struct innocent_region *theirs = innocent_region(fuzz_below(8));
	struct ibv_mr *mr = bag_pick(&child.mr);
	bool foreign = fuzz_odds(5);

	if (foreign)
		return (struct ibv_sge){ .addr = theirs->addr, .length = fuzz_below(9000),
					 .lkey = theirs->key };
	return (struct ibv_sge){
		.addr = fuzz_odds(85) ? (uintptr_t)child.memory + fuzz_below(FUZZ_MEMORY) : fuzz_odd(),
		.length = fuzz_odds(85) ? fuzz_below(9000) : (uint32_t)fuzz_odd(),
		.lkey = mr && fuzz_odds(90) ? mr->lkey : (uint32_t)fuzz_odd(),
	};
}

/* Binding is do_bind()'s: the provider has to be given a window then. */
static enum ibv_wr_opcode any_opcode(void)
{
	uint32_t op = fuzz_below(17);

	return op == IBV_WR_BIND_MW ? IBV_WR_SEND : (enum ibv_wr_opcode)op;
}

/* Where in the memory of the peer, and by what key: a region's, a window's, an innocent's. */
static void aim_wr(struct ibv_send_wr *wr)
{
	const struct innocent_region *theirs = innocent_region(fuzz_below(8));
	uint64_t addr = (uintptr_t)child.memory + fuzz_below(FUZZ_MEMORY);
	struct ibv_mr *mr = bag_pick(&child.mr);
	struct ibv_mw *mw = bag_pick(&child.mw);
	uint32_t key = mr ? mr->rkey : (uint32_t)fuzz_odd();

	if (mw && fuzz_odds(30))
		key = mw->rkey;
	if (fuzz_odds(5)) {
		key = theirs->key;
		addr = theirs->addr;
	}
	if (fuzz_odds(10))
		addr = fuzz_below(8192);	/* as device memory and windows may begin with 0 */
	if (wr->opcode == IBV_WR_ATOMIC_CMP_AND_SWP || wr->opcode == IBV_WR_ATOMIC_FETCH_AND_ADD) {
		wr->wr.atomic.remote_addr = addr & ~7ULL;
		wr->wr.atomic.compare_add = fuzz_odds(50) ? 0 : fuzz_rnd();
		wr->wr.atomic.swap = fuzz_rnd();
		wr->wr.atomic.rkey = key;
		return;
	}
	wr->wr.rdma.remote_addr = wr->opcode == IBV_WR_ATOMIC_WRITE ? addr & ~7ULL : addr;
	wr->wr.rdma.rkey = key;
	if (wr->opcode == IBV_WR_LOCAL_INV || wr->opcode == IBV_WR_SEND_WITH_INV)
		wr->invalidate_rkey = key;
}

static void do_send(void)
{
	struct ibv_sge sge[2] = { fuzz_sge(), fuzz_sge() };
	struct ibv_qp *qp = bag_pick(&child.qp);
	struct ibv_send_wr wr = {
		.wr_id = fuzz_rnd(), .sg_list = sge, .num_sge = (int)fuzz_below(3),
		.opcode = any_opcode(), .send_flags = fuzz_below(32),
	}, *bad;

	if (!qp)
		return;
	if (wr.opcode >= IBV_WR_ATOMIC_CMP_AND_SWP && fuzz_odds(70)) {
		wr.num_sge = 1;
		sge[0].length = 8;
	}
	if (qp->qp_type == IBV_QPT_UD) {
		wr.wr.ud.ah = bag_pick(&child.ah);
		wr.wr.ud.remote_qpn = fuzz_odds(80) ? qp->qp_num : 0xffffff;
		wr.wr.ud.remote_qkey = fuzz_odds(80) ? UD_QKEY : (uint32_t)fuzz_odd();
		if (!wr.wr.ud.ah)
			return;
	} else {
		aim_wr(&wr);
	}
	ibv_post_send(qp, &wr, &bad);
}

static void do_recv(void)
{
	struct ibv_sge sge[2] = { fuzz_sge(), fuzz_sge() };
	struct ibv_recv_wr wr = { .wr_id = fuzz_rnd(), .sg_list = sge, .num_sge = (int)fuzz_below(3) };
	struct ibv_recv_wr *bad;
	struct ibv_qp *qp = bag_pick(&child.qp);

	if (qp && !qp->srq && qp->state != IBV_QPS_RESET)
		ibv_post_recv(qp, &wr, &bad);
}

static void do_poll(void)
{
	struct ibv_cq *cq = bag_pick(&child.cq);
	struct ibv_wc wc[8];

	if (!cq)
		return;
	ibv_req_notify_cq(cq, (int)fuzz_below(2));
	ibv_poll_cq(cq, 8, wc);
}

static void do_ring(void)
{
	struct ibv_qp *qp = bag_pick(&child.qp);
	unsigned long arg = qp && fuzz_odds(80) ? qp->qp_num | (1UL << (24 + fuzz_below(2))) : fuzz_odd();
	unsigned long request = fuzz_odds(90) ? BERTH_IOC_RING : fuzz_odd();

	ioctl(child.doorbell, request, arg);
	if (fuzz_odds(2)) {
		close(child.doorbell);
		open_doorbell();
	}
}

static void do_mmap(void)
{
	size_t len = fuzz_odds(70) ? 4096UL << fuzz_below(6) : fuzz_odd();
	int prot = fuzz_odds(80) ? PROT_READ | PROT_WRITE : (int)fuzz_below(8);
	off_t off = fuzz_odds(70) ? (off_t)fuzz_below(64) * 4096 : (off_t)(fuzz_odd() & ~4095UL);
	int flags = fuzz_odds(80) ? MAP_SHARED : MAP_PRIVATE;
	uint8_t *p = mmap(NULL, len, prot, flags, child.ctx->cmd_fd, off);

	if (p == MAP_FAILED)
		return;
	if (prot & PROT_WRITE)
		p[fuzz_below(4096)] = (uint8_t)fuzz_rnd();
	if (fuzz_odds(50))
		mremap(p, len, fuzz_odds(50) ? len * 2 : 4096, MREMAP_MAYMOVE);
	if (fuzz_odds(50))
		mprotect(p, len, (int)fuzz_below(8));
	if (fuzz_odds(50))
		munmap(p, len);
	rings_find();
}

/* The rings, the doorbell and the context, in a process that did not open them. */
static void do_fork(void)
{
	if (!fork()) {
		for (int i = 0; i < 20; i++)
			do_ring();
		do_qp();
		do_destroy();
		_exit(0);
	}
}

static void be_nobody(void)
{
	struct rlimit memlock = { 32 << 20, 32 << 20 };

	setrlimit(RLIMIT_MEMLOCK, &memlock);
	CHECK(!setgroups(0, NULL) && !setresgid(NOBODY, NOBODY, NOBODY) &&
	      !setresuid(NOBODY, NOBODY, NOBODY), "cannot give up privileges: %s", strerror(errno));
}

static void open_device(const char *name)
{
	struct ibv_device **list = ibv_get_device_list(NULL);
	struct vt_dev dev = { };

	for (int i = 0; list && list[i]; i++)
		if (!strcmp(ibv_get_device_name(list[i]), name))
			child.ctx = ibv_open_device(list[i]);
	CHECK(child.ctx, "nobody cannot open %s: %s", name, strerror(errno));
	dev.ctx = child.ctx;
	CHECK(!ibv_query_port(child.ctx, 1, &dev.port), "ibv_query_port");
	if (child.ctx->device->transport_type == IBV_TRANSPORT_IWARP)
		CHECK(!ibv_query_gid(child.ctx, 1, 0, &child.gid), "ibv_query_gid");
	else
		child.gid_index = vt_find_gid(&dev, false, &child.gid);
	open_doorbell();
	child.memory = mmap(NULL, FUZZ_MEMORY, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			    -1, 0);
}

static const char *any_device(void)
{
	const char *iw = getenv("FUZZ_IW");

	if (iw && fuzz_odds(20))
		return iw;
	return fuzz_odds(50) || !vt_cfg.peer ? vt_cfg.dev : vt_cfg.peer;
}

void fuzz_child(uint64_t seed)
{
	static void (*const steps[])(void) = {
		do_pd, do_cq, do_cq, do_qp, do_qp, do_mr, do_mr, do_rereg, do_resize, do_ah,
		do_modify, do_modify, do_modify, do_query, do_send, do_send, do_send, do_send, do_recv,
		do_recv, do_poll, do_poll, do_ring, do_ring, do_mmap, do_destroy, do_destroy,
		do_domains, do_cq_ex, do_srq, do_srq_modify, do_srq_recv, do_srq_recv, do_null_mr,
		do_mw, do_bind, do_bind, do_dm, do_dm_mr, do_dm_copy, do_mcast,
		do_tcp_qp, do_tcp_qp, do_attach, do_attach, do_socket, do_socket,
		do_area, do_area_srq, do_area_qp, do_area_return, do_area_return,
	};
	uint32_t n;
	int null;

	fuzz_cfg.seed = seed;
	fuzz_reseed();
	area_open();
	be_nobody();
	open_device(any_device());
	/* What libraries have to say about all this is of no interest. */
	null = open("/dev/null", O_RDWR);
	dup2(null, 1);
	dup2(null, 2);
	for (int i = 0; i < 2; i++) {
		do_pd();
		do_cq();
		do_mr();
		do_srq();
		do_mw();
		do_qp();
	}
	mutate_arm(fuzz_odds(30) ? 0 : fuzz_below(50));
	if (fuzz_odds(60))
		scribble_start(fuzz_rnd());
	for (n = fuzz_below(600); n; n--) {
		steps[fuzz_below(sizeof(steps) / sizeof(steps[0]))]();
		if (fuzz_odds(1))
			do_fork();
	}
	if (fuzz_odds(20))
		ibv_close_device(child.ctx);
	_exit(0);
}
