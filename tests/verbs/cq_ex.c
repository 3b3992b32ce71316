// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * cq_ex: extended CQs. Every field that was asked for is there and right, what cannot be had is
 * refused, a CQ that ignores overruns loses entries but harms nobody. Other sizes: cq_resize.c.
 */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "cq_ex.h"

static int destroy_cq(void *arg)
{
	return ibv_destroy_cq(arg);
}

struct ibv_cq_ex *cq_ex_new(struct vt_dev *d, uint32_t cqe, uint64_t wc_flags, uint32_t flags)
{
	struct ibv_cq_init_attr_ex ia = {
		.cqe = cqe, .wc_flags = wc_flags, .flags = flags,
		.comp_mask = flags ? IBV_CQ_INIT_ATTR_MASK_FLAGS : 0,
	};
	struct ibv_cq_ex *cq = ibv_create_cq_ex(d->ctx, &ia);

	CHECK(cq, "ibv_create_cq_ex: %s", strerror(errno));
	vt_defer(destroy_cq, ibv_cq_ex_to_cq(cq), "ibv_destroy_cq");
	return cq;
}

struct cq_bench cq_bench(const void *wire, struct ibv_cq_ex *(*make)(struct vt_dev *))
{
	struct cq_bench b = { .da = vt_open(vt_cfg.dev) };
	struct vt_opts o = VT_OPTS;

	b.db = wire ? vt_open(vt_cfg.peer) : b.da;
	b.src = vt_buf_new(b.da, VT_HOST, 65536, VT_ACCESS_ALL);
	b.dst = vt_buf_new(b.db, VT_HOST, 65536, VT_ACCESS_ALL);
	if (make) {
		b.cq = make(b.db);
		o.cq[1] = ibv_cq_ex_to_cq(b.cq);
	}
	b.p = vt_pair_new(b.da, b.db, &o);
	return b;
}

void cq_message(struct cq_bench *b, uint64_t id, enum ibv_wr_opcode op)
{
	struct ibv_sge sge = vt_sge(b->src, 0, 100 + id);
	struct ibv_send_wr wr = {
		.wr_id = id, .sg_list = &sge, .num_sge = 1, .opcode = op, .imm_data = 0x11223344 + id,
		.send_flags = IBV_SEND_SIGNALED,
		.wr.rdma = { .remote_addr = b->dst->iova, .rkey = b->dst->mr->rkey },
	}, *bad;

	CHECK_ERRNO(vt_recv(&b->p->b, id, vt_sge(b->dst, 0, 4096)), 0, "ibv_post_recv");
	CHECK_ERRNO(ibv_post_send(b->p->a.qp, &wr, &bad), 0, "ibv_post_send");
	vt_expect_wc(&b->p->a, b->p->a.scq, id, IBV_WC_SUCCESS, "request", NULL);
}

static uint64_t now(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return t.tv_sec * 1000000000ULL + t.tv_nsec;
}

#define ALL_FIELDS	(IBV_WC_STANDARD_FLAGS | IBV_WC_EX_WITH_COMPLETION_TIMESTAMP | \
			 IBV_WC_EX_WITH_COMPLETION_TIMESTAMP_WALLCLOCK)

static struct ibv_cq_ex *all_fields(struct vt_dev *d)
{
	return cq_ex_new(d, 64, ALL_FIELDS, 0);
}

static void check_fields(struct cq_bench *b, uint64_t id, bool imm)
{
	struct ibv_cq_ex *cq = b->cq;

	CHECK_EQ(cq->status, IBV_WC_SUCCESS, "status");
	CHECK_EQ(cq->wr_id, id, "wr_id");
	CHECK_EQ(ibv_wc_read_byte_len(cq), 100 + id, "byte_len");
	CHECK_EQ(ibv_wc_read_qp_num(cq), b->p->b.qp->qp_num, "qp_num");
	CHECK_EQ(ibv_wc_read_src_qp(cq), b->p->a.qp->qp_num, "src_qp");
	CHECK_EQ(ibv_wc_read_wc_flags(cq), imm ? IBV_WC_WITH_IMM : 0, "wc_flags");
	if (imm)
		CHECK_EQ(ibv_wc_read_imm_data(cq), 0x11223344 + id, "imm_data");
	CHECK_EQ(ibv_wc_read_slid(cq), 0, "slid");
	CHECK_EQ(ibv_wc_read_sl(cq), 0, "sl");
	CHECK_EQ(ibv_wc_read_dlid_path_bits(cq), 0, "dlid_path_bits");
	CHECK_EQ(ibv_wc_read_vendor_err(cq), 0, "vendor_err");
}

static void fields(const void *wire)
{
	static const enum ibv_wr_opcode ops[] = { IBV_WR_SEND, IBV_WR_SEND_WITH_IMM,
						  IBV_WR_RDMA_WRITE_WITH_IMM };
	struct cq_bench b = cq_bench(wire, all_fields);
	struct ibv_poll_cq_attr none = { };
	uint64_t mono = now(CLOCK_MONOTONIC), wall = now(CLOCK_REALTIME);

	CHECK_EQ(ibv_start_poll(b.cq, &none), ENOENT, "polling an empty CQ");
	for (uint64_t id = 0; id < 30; id++)
		cq_message(&b, id, ops[id % 3]);
	for (uint64_t id = 0; id < 30; id++) {
		uint64_t m, w;

		CHECK_EQ(id % 5 ? ibv_next_poll(b.cq) : ibv_start_poll(b.cq, &none), 0, "polling");
		check_fields(&b, id, id % 3);
		CHECK_EQ(ibv_wc_read_opcode(b.cq), id % 3 == 2 ? IBV_WC_RECV_RDMA_WITH_IMM : IBV_WC_RECV,
			 "opcode");
		m = ibv_wc_read_completion_ts(b.cq);
		w = ibv_wc_read_completion_wallclock_ns(b.cq);
		CHECK(m >= mono && m <= now(CLOCK_MONOTONIC), "timestamp is not between");
		/* The wall clock may be set while this runs, but hardly in a VM. */
		CHECK(w >= wall && w <= now(CLOCK_REALTIME), "wall clock is not between");
		mono = m;
		wall = w;
		if (id % 5 == 4)
			ibv_end_poll(b.cq);
	}
	CHECK_EQ(ibv_start_poll(b.cq, &none), ENOENT, "all was polled");
	none.comp_mask = 1;
	CHECK_EQ(ibv_start_poll(b.cq, &none), EINVAL, "unknown poll attribute");
}

static void refuse(struct vt_dev *d, struct ibv_cq_init_attr_ex ia, int want, const char *what)
{
	struct ibv_cq_ex *cq = ibv_create_cq_ex(d->ctx, &ia);
	int err = errno;

	CHECK(!cq, "%s was granted", what);
	CHECK_ERRNO(err, want, what);
}

static void refusals(const void *arg)
{
	struct vt_dev *d = vt_open(vt_cfg.dev);
	struct ibv_modify_cq_attr moderation = { .attr_mask = IBV_CQ_ATTR_MODERATE,
						 .moderate = { .cq_count = 4, .cq_period = 10 } };
	struct ibv_device_attr_ex attr;

	(void)arg;
#define REFUSE(want, what, ...) \
	refuse(d, (struct ibv_cq_init_attr_ex){ .cqe = 16, __VA_ARGS__ }, want, what)
	REFUSE(EOPNOTSUPP, "VLAN tag", .wc_flags = IBV_WC_EX_WITH_CVLAN);
	REFUSE(EOPNOTSUPP, "flow tag", .wc_flags = IBV_WC_EX_WITH_FLOW_TAG);
	REFUSE(EOPNOTSUPP, "tag matching", .wc_flags = IBV_WC_EX_WITH_TM_INFO);
	REFUSE(EOPNOTSUPP, "unknown field", .wc_flags = 1ULL << 40);
	REFUSE(EOPNOTSUPP, "unknown flag", .comp_mask = IBV_CQ_INIT_ATTR_MASK_FLAGS, .flags = 1 << 9);
	REFUSE(EOPNOTSUPP, "unknown attribute", .comp_mask = 1 << 9);
	refuse(d, (struct ibv_cq_init_attr_ex){ .cqe = 0 }, EINVAL, "no entries");
	refuse(d, (struct ibv_cq_init_attr_ex){ .cqe = d->attr.max_cqe + 1 }, EINVAL,
	       "too many entries");
	REFUSE(EINVAL, "vector out of range", .comp_vector = d->ctx->num_comp_vectors);
	REFUSE(EINVAL, "an ordinary PD as parent domain", .comp_mask = IBV_CQ_INIT_ATTR_MASK_PD,
	       .parent_domain = d->pd);
	CHECK_ERRNO(ibv_query_device_ex(d->ctx, NULL, &attr), 0, "ibv_query_device_ex");
	CHECK_EQ(attr.cq_mod_caps.max_cq_count, 0, "moderation is not offered");
	CHECK_ERRNO(ibv_modify_cq(vt_cq_new(d, 16, NULL), &moderation), EOPNOTSUPP, "ibv_modify_cq");
}

static struct ibv_cq_ex *single_threaded(struct vt_dev *d)
{
	return cq_ex_new(d, 64, IBV_WC_STANDARD_FLAGS, IBV_CREATE_CQ_ATTR_SINGLE_THREADED);
}

/* Not more than the other CQs can: that it takes no lock is for the provider's own tests. */
static void one_thread(const void *wire)
{
	struct cq_bench b = cq_bench(wire, single_threaded);
	struct ibv_poll_cq_attr none = { };

	for (uint64_t id = 0; id < 100; id++) {
		cq_message(&b, id, IBV_WR_SEND);
		CHECK_EQ(ibv_start_poll(b.cq, &none), 0, "polling");
		check_fields(&b, id, false);
		ibv_end_poll(b.cq);
	}
}

static struct ibv_cq_ex *ignoring(struct vt_dev *d)
{
	return cq_ex_new(d, 4, IBV_WC_STANDARD_FLAGS, IBV_CREATE_CQ_ATTR_IGNORE_OVERRUN);
}

/* More completions than fit: no event, the QP goes on, and so does the CQ when there is room. */
static void overrun(const void *wire)
{
	struct cq_bench b = cq_bench(wire, ignoring);
	int size = ibv_cq_ex_to_cq(b.cq)->cqe;
	struct ibv_poll_cq_attr none = { };

	CHECK(size < 20, "a CQ of 4 got %d entries: the test has to post more", size);
	for (int round = 0; round < 3; round++) {
		for (uint64_t id = 0; id < 20; id++)
			cq_message(&b, id, IBV_WR_SEND);
		for (int id = 0; id < size; id++) {
			CHECK_EQ(ibv_start_poll(b.cq, &none), 0, "polling");
			check_fields(&b, (uint64_t)id, false);
			ibv_end_poll(b.cq);
		}
		CHECK_EQ(ibv_start_poll(b.cq, &none), ENOENT, "what did not fit");
		vt_async_none(b.db, 20, "a CQ that ignores overruns");
		CHECK_EQ(vt_ep_state(&b.p->b), IBV_QPS_RTS, "state of the QP");
		/* A completion that is seen gives all receives before it back. */
		cq_message(&b, 3, IBV_WR_SEND);
		CHECK_EQ(ibv_start_poll(b.cq, &none), 0, "polling");
		ibv_end_poll(b.cq);
	}
}

static void add_cases(void)
{
	static const struct { const char *local, *wire; vt_fn fn; } rows[] = {
		{ "cq_ex/fields/local", "cq_ex/fields/wire", fields },
		{ "cq_ex/one_thread/local", "cq_ex/one_thread/wire", one_thread },
		{ "cq_ex/overrun/local", "cq_ex/overrun/wire", overrun },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		vt_add(rows[i].local, rows[i].fn, NULL, 0);
		if (vt_cfg.peer)
			vt_add(rows[i].wire, rows[i].fn, "", 0);
	}
	vt_add("cq_ex/refusals", refusals, NULL, 0);
	cq_add_resize();
}

int main(int argc, char **argv)
{
	return vt_main(argc, argv, add_cases);
}
