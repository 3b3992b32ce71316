// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * fuzz_abi's children: a process without privileges that makes verbs calls with arguments that may be
 * anything, over calls that may be changed (fuzz_mutate.c) and rings that may be written over. It ends
 * at any moment and in any way; that it may crash in its own libraries is no fault of the kernel.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pthread.h>
#include <sched.h>
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

#define MANY	12
#define NOBODY	65534

struct bag {
	void *item[MANY];
};

static struct {
	struct ibv_context *ctx;
	int doorbell;
	union ibv_gid gid;
	int gid_index;
	struct bag pd, cq, qp, mr, ah, chan;
	uint8_t *memory;
} c;

#define MEMORY	(256 * 1024)

static void *pick(struct bag *b)
{
	return b->item[fuzz_below(MANY)];
}

static void keep(struct bag *b, void *item)
{
	/* What falls out of the bag is left to the exit. */
	if (item && !mutate_forgets())
		b->item[fuzz_below(MANY)] = item;
}

static void *take(struct bag *b)
{
	uint32_t i = fuzz_below(MANY);
	void *item = b->item[i];

	b->item[i] = NULL;
	return item;
}

/* ---- rings ---- */

static struct ring {
	volatile uint32_t *at;
	size_t words;
} rings[64];

static volatile int nr_rings;

/* All that this process has mapped of a device. */
static void find_rings(void)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	unsigned long from, to;
	char line[512];
	int n = 0;

	while (maps && n < 64 && fgets(line, sizeof(line), maps))
		if (strstr(line, "uverbs") && sscanf(line, "%lx-%lx", &from, &to) == 2)
			rings[n++] = (struct ring){ (volatile uint32_t *)from, (to - from) / 4 };
	if (maps)
		fclose(maps);
	nr_rings = n;
}

/* A work request that is nearly one. */
static void put_wqe(volatile uint32_t *at, size_t words, uint64_t r)
{
	struct berth_send_wqe wqe = {
		.wr_id = r, .opcode = (uint8_t)(r % 13), .flags = (uint8_t)(r >> 8 & 0x1f),
		.num_sge = (uint8_t)(r >> 16 & 3), .inline_len = (uint32_t)(r >> 24 & 0x3ff),
		.rkey = (uint32_t)(r >> 20), .remote_addr = (uintptr_t)c.memory + (r >> 40 & 0xffff),
	};
	struct ibv_mr *mr = c.mr.item[r % MANY];
	uint32_t copy[sizeof(wqe) / 4];

	if (words < sizeof(copy) / 4)
		return;
	if (mr)
		wqe.rkey = mr->rkey;
	memcpy(copy, &wqe, sizeof(wqe));
	for (size_t i = 0; i < sizeof(copy) / 4; i++)
		at[i] = copy[i];
}

static void *scribble(void *arg)
{
	uint64_t rnd = *(uint64_t *)arg;

	for (;;) {
		uint64_t r = vt_rand(&rnd);
		int n = nr_rings;
		struct ring ring;
		size_t word;

		if (!n) {
			sched_yield();
			continue;
		}
		ring = rings[r % (uint64_t)n];
		word = vt_rand(&rnd) % ring.words;
		/* The counters are in the first words. */
		if (r >> 60 < 6)
			word = (r >> 32 & 3) * 16;
		if (r >> 60 == 15)
			put_wqe(ring.at + (word & ~15UL), ring.words - (word & ~15UL), vt_rand(&rnd));
		else if (r >> 60 & 1)
			ring.at[word] += (uint32_t)(r >> 8 & 7);
		else
			ring.at[word] = (uint32_t)(r >> 8);
		if (!(r & 0x3f0))
			sched_yield();
	}
	return NULL;
}

void scribble_start(uint64_t seed)
{
	static uint64_t seeds[2];
	static int nr;
	pthread_t thread;

	seeds[nr & 1] = seed;
	pthread_create(&thread, NULL, scribble, &seeds[nr++ & 1]);
}

/* ---- what a child does ---- */

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

	c.doorbell = ioctl(c.ctx->cmd_fd, RDMA_VERBS_IOCTL, &call) ? -1 : (int)call.attr.data_s64;
}

static void do_pd(void)
{
	keep(&c.pd, ibv_alloc_pd(c.ctx));
}

static void do_cq(void)
{
	int cqe = fuzz_odds(80) ? 1 + (int)fuzz_below(300) : (int)fuzz_odd();

	keep(&c.cq, ibv_create_cq(c.ctx, cqe, NULL, fuzz_odds(30) ? pick(&c.chan) : NULL,
				  fuzz_odds(95) ? 0 : (int)fuzz_odd()));
	if (fuzz_odds(10))
		keep(&c.chan, ibv_create_comp_channel(c.ctx));
	find_rings();
}

static uint32_t limit(uint32_t usual)
{
	return fuzz_odds(90) ? fuzz_below(usual + 1) : (uint32_t)fuzz_odd();
}

static void do_qp(void)
{
	struct ibv_qp_init_attr ia = {
		.send_cq = pick(&c.cq), .recv_cq = pick(&c.cq), .sq_sig_all = (int)fuzz_below(2),
		.qp_type = fuzz_odds(80) ? IBV_QPT_RC : (enum ibv_qp_type)fuzz_below(12),
		.cap = { limit(64), limit(64), limit(8), limit(8), limit(256) },
	};
	struct ibv_pd *pd = pick(&c.pd);

	if (pd && ia.send_cq && ia.recv_cq)
		keep(&c.qp, ibv_create_qp(pd, &ia));
	find_rings();
}

static void do_mr(void)
{
	struct ibv_pd *pd = pick(&c.pd);
	uint32_t off = fuzz_below(MEMORY);
	int access = fuzz_odds(80) ? VT_ACCESS_ALL : (int)fuzz_odd();

	if (!pd)
		return;
	if (fuzz_odds(70))
		keep(&c.mr, ibv_reg_mr(pd, c.memory + off, fuzz_odds(80) ? fuzz_below(MEMORY - off) :
				       fuzz_odd(), access));
	else
		keep(&c.mr, ibv_reg_dmabuf_mr(pd, fuzz_odd(), fuzz_odd(), fuzz_odd(),
					      (int)fuzz_below(20), access));
}

static void do_rereg(void)
{
	struct ibv_mr *mr = pick(&c.mr);

	if (mr)
		ibv_rereg_mr(mr, (int)fuzz_below(16), pick(&c.pd), c.memory + fuzz_below(MEMORY),
			     fuzz_below(8192), fuzz_odds(80) ? VT_ACCESS_ALL : (int)fuzz_odd());
}

static void do_resize(void)
{
	struct ibv_cq *cq = pick(&c.cq);

	if (cq)
		ibv_resize_cq(cq, fuzz_odds(80) ? 1 + (int)fuzz_below(500) : (int)fuzz_odd());
}

static void do_ah(void)
{
	struct ibv_ah_attr a = { .is_global = fuzz_odds(90), .port_num = fuzz_odds(90),
				 .grh = { .dgid = c.gid, .sgid_index = (uint8_t)c.gid_index,
					  .hop_limit = (uint8_t)fuzz_rnd() } };
	struct ibv_pd *pd = pick(&c.pd);

	if (fuzz_odds(20))
		fuzz_bytes(&a, sizeof(a));
	if (pd)
		keep(&c.ah, ibv_create_ah(pd, &a));
}

static int to_rts(struct ibv_qp *qp, uint32_t peer)
{
	struct ibv_qp_attr a = {
		.qp_state = IBV_QPS_INIT, .port_num = 1, .qp_access_flags = VT_ACCESS_ALL,
		.path_mtu = IBV_MTU_1024, .dest_qp_num = peer, .max_dest_rd_atomic = 4,
		.min_rnr_timer = 1, .timeout = 10, .retry_cnt = 1, .max_rd_atomic = 4,
		.ah_attr = { .is_global = 1, .port_num = 1,
			     .grh = { .dgid = c.gid, .hop_limit = 4,
				      .sgid_index = (uint8_t)c.gid_index } },
	};

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
	struct ibv_qp *qp = pick(&c.qp), *peer = pick(&c.qp);
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
	struct ibv_qp *qp = pick(&c.qp);

	if (qp)
		ibv_query_qp(qp, &a, (int)fuzz_below(1 << 21), &ia);
}

static struct ibv_sge any_sge(void)
{
	struct ibv_mr *mr = pick(&c.mr);

	return (struct ibv_sge){
		.addr = fuzz_odds(85) ? (uintptr_t)c.memory + fuzz_below(MEMORY) : fuzz_odd(),
		.length = fuzz_odds(85) ? fuzz_below(9000) : (uint32_t)fuzz_odd(),
		.lkey = mr && fuzz_odds(90) ? mr->lkey : (uint32_t)fuzz_odd(),
	};
}

static void do_send(void)
{
	struct ibv_sge sge[2] = { any_sge(), any_sge() };
	struct ibv_qp *qp = pick(&c.qp);
	struct ibv_mr *mr = pick(&c.mr);
	struct ibv_send_wr wr = {
		.wr_id = fuzz_rnd(), .sg_list = sge, .num_sge = (int)fuzz_below(3),
		.opcode = (enum ibv_wr_opcode)fuzz_below(12), .send_flags = fuzz_below(32),
	}, *bad;

	if (!qp)
		return;
	if (qp->qp_type == IBV_QPT_UD) {
		wr.wr.ud.ah = pick(&c.ah);
		wr.wr.ud.remote_qpn = qp->qp_num;
		if (!wr.wr.ud.ah)
			return;
	} else {
		wr.wr.rdma.remote_addr = (uintptr_t)c.memory + fuzz_below(MEMORY);
		wr.wr.rdma.rkey = mr ? mr->rkey : (uint32_t)fuzz_odd();
	}
	ibv_post_send(qp, &wr, &bad);
}

static void do_recv(void)
{
	struct ibv_sge sge[2] = { any_sge(), any_sge() };
	struct ibv_recv_wr wr = { .wr_id = fuzz_rnd(), .sg_list = sge, .num_sge = (int)fuzz_below(3) };
	struct ibv_recv_wr *bad;
	struct ibv_qp *qp = pick(&c.qp);

	if (qp && qp->state != IBV_QPS_RESET)
		ibv_post_recv(qp, &wr, &bad);
}

static void do_poll(void)
{
	struct ibv_cq *cq = pick(&c.cq);
	struct ibv_wc wc[8];

	if (!cq)
		return;
	ibv_req_notify_cq(cq, (int)fuzz_below(2));
	ibv_poll_cq(cq, 8, wc);
}

static void do_ring(void)
{
	struct ibv_qp *qp = pick(&c.qp);
	unsigned long arg = qp && fuzz_odds(80) ? qp->qp_num | (1UL << (24 + fuzz_below(2))) : fuzz_odd();
	unsigned long request = fuzz_odds(90) ? BERTH_IOC_RING : fuzz_odd();

	ioctl(c.doorbell, request, arg);
	if (fuzz_odds(2)) {
		close(c.doorbell);
		open_doorbell();
	}
}

static void do_mmap(void)
{
	size_t len = fuzz_odds(70) ? 4096UL << fuzz_below(6) : fuzz_odd();
	int prot = fuzz_odds(80) ? PROT_READ | PROT_WRITE : (int)fuzz_below(8);
	off_t off = fuzz_odds(70) ? (off_t)fuzz_below(64) * 4096 : (off_t)(fuzz_odd() & ~4095UL);
	uint8_t *p = mmap(NULL, len, prot, fuzz_odds(80) ? MAP_SHARED : MAP_PRIVATE, c.ctx->cmd_fd, off);

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
	find_rings();
}

/* A ring that is scribbled over must not be unmapped under the thread: forget it first. */
static void do_destroy(void)
{
	void *item;

	nr_rings = 0;
	switch (fuzz_below(5)) {
	case 0:
		item = take(&c.qp);
		if (item)
			ibv_destroy_qp(item);
		break;
	case 1:
		item = take(&c.cq);
		if (item && ibv_destroy_cq(item))
			keep(&c.cq, item);
		break;
	case 2:
		item = take(&c.mr);
		if (item)
			ibv_dereg_mr(item);
		break;
	case 3:
		item = take(&c.ah);
		if (item)
			ibv_destroy_ah(item);
		break;
	case 4:
		item = take(&c.pd);
		if (item && ibv_dealloc_pd(item))
			keep(&c.pd, item);
		break;
	}
	find_rings();
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
			c.ctx = ibv_open_device(list[i]);
	CHECK(c.ctx, "nobody cannot open %s: %s", name, strerror(errno));
	dev.ctx = c.ctx;
	CHECK(!ibv_query_port(c.ctx, 1, &dev.port), "ibv_query_port");
	c.gid_index = vt_find_gid(&dev, false, &c.gid);
	open_doorbell();
	c.memory = mmap(NULL, MEMORY, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

void fuzz_child(uint64_t seed)
{
	static void (*const steps[])(void) = {
		do_pd, do_cq, do_cq, do_qp, do_qp, do_mr, do_mr, do_rereg, do_resize, do_ah,
		do_modify, do_modify, do_modify, do_query, do_send, do_send, do_send, do_send, do_recv,
		do_recv, do_poll, do_poll, do_ring, do_ring, do_mmap, do_destroy,
	};
	uint32_t n;
	int null;

	fuzz_cfg.seed = seed;
	fuzz_reseed();
	be_nobody();
	open_device(fuzz_odds(50) || !vt_cfg.peer ? vt_cfg.dev : vt_cfg.peer);
	/* What libraries have to say about all this is of no interest. */
	null = open("/dev/null", O_RDWR);
	dup2(null, 1);
	dup2(null, 2);
	for (int i = 0; i < 2; i++) {
		do_pd();
		do_cq();
		do_mr();
		do_qp();
	}
	mutate_arm(fuzz_odds(30) ? 0 : fuzz_below(50));
	if (fuzz_odds(60))
		scribble_start(fuzz_rnd());
	for (n = fuzz_below(400); n; n--) {
		steps[fuzz_below(sizeof(steps) / sizeof(steps[0]))]();
		if (fuzz_odds(1))
			do_fork();
	}
	if (fuzz_odds(20))
		ibv_close_device(c.ctx);
	_exit(0);
}
