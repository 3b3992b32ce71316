// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * rc_srq: shared receive queues. Several QPs take from one, messages lie where the SRQ said, what
 * does not fit is refused, another size keeps what is posted.
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "rc_srq.h"

static int destroy_srq(void *arg)
{
	return ibv_destroy_srq(arg);
}

struct ibv_srq *srq_new(struct ibv_pd *pd, uint32_t max_wr, uint32_t max_sge)
{
	struct ibv_srq_init_attr ia = { .attr = { .max_wr = max_wr, .max_sge = max_sge } };
	struct ibv_srq *srq = ibv_create_srq(pd, &ia);

	CHECK(srq, "ibv_create_srq: %s", strerror(errno));
	CHECK(ia.attr.max_wr >= max_wr && ia.attr.max_sge >= max_sge, "granted less than asked");
	vt_defer(destroy_srq, srq, "ibv_destroy_srq");
	return srq;
}

struct srq_bench *srq_bench(const void *wire, uint32_t max_wr, int pairs)
{
	struct srq_bench *b = vt_zalloc(sizeof(*b));
	struct vt_opts o = VT_OPTS;

	b->da = vt_open(vt_cfg.dev);
	b->db = wire ? vt_open(vt_cfg.peer) : b->da;
	b->src = vt_buf_new(b->da, VT_HOST, SRQ_SLOTS * SRQ_SLOT, VT_ACCESS_ALL);
	b->dst = vt_buf_new(b->db, VT_HOST, SRQ_SLOTS * SRQ_SLOT, VT_ACCESS_ALL);
	b->srq = srq_new(b->db->pd, max_wr, 2);
	b->rcq = vt_cq_new(b->db, 4096, NULL);
	o.mtu = IBV_MTU_1024;
	o.srq[1] = b->srq;
	o.cq[1] = b->rcq;
	for (int i = 0; i < pairs; i++)
		b->p[i] = vt_pair_new(b->da, b->db, &o);
	return b;
}

int srq_post(struct srq_bench *b, struct ibv_srq *srq, uint64_t slot)
{
	struct ibv_sge sge = vt_sge(b->dst, slot * SRQ_SLOT, SRQ_SLOT);
	struct ibv_recv_wr wr = { .wr_id = slot, .sg_list = &sge, .num_sge = 1 }, *bad = NULL;
	int err = ibv_post_srq_recv(srq, &wr, &bad);

	CHECK(!err || bad == &wr, "ibv_post_srq_recv failed without setting bad_wr");
	return err;
}

void srq_send(struct srq_bench *b, int pair, uint64_t from, uint32_t len)
{
	CHECK_ERRNO(vt_send(&b->p[pair]->a, from, IBV_WR_SEND, vt_sge(b->src, from * SRQ_SLOT, len),
			    NULL, 0, IBV_SEND_SIGNALED), 0, "ibv_post_send");
}

uint64_t srq_take(struct srq_bench *b, const char *what, struct ibv_wc *out)
{
	struct ibv_wc wc;

	vt_poll(b->rcq, &wc, what);
	CHECK(wc.status == IBV_WC_SUCCESS, "%s: %s", what, ibv_wc_status_str(wc.status));
	CHECK(wc.opcode == IBV_WC_RECV, "%s: opcode %d", what, wc.opcode);
	if (out)
		*out = wc;
	return wc.wr_id;
}

static int pair_of(struct srq_bench *b, uint32_t qpn)
{
	for (int i = 0; i < SRQ_PAIRS; i++)
		if (b->p[i] && b->p[i]->b.qp->qp_num == qpn)
			return i;
	vt_fail(__FILE__, __LINE__, "completion of QP %#x, which is none of ours", qpn);
}

/* Rounds of messages on all pairs at once through few WQEs: the ring wraps, slots are used again. */
static void data(const void *wire)
{
	struct srq_bench *b = srq_bench(wire, 16, SRQ_PAIRS);
	uint64_t next[SRQ_PAIRS] = { };

	for (uint64_t i = 0; i < 16; i++)
		CHECK_ERRNO(srq_post(b, b->srq, i), 0, "ibv_post_srq_recv");
	for (int round = 0; round < 40; round++) {
		/* Of each pair four messages, in its order; the pair's slots are 16 * pair + n. */
		for (uint64_t n = 0; n < 4; n++)
			for (int i = 0; i < SRQ_PAIRS; i++)
				srq_send(b, i, 16 * i + (4 * round + n) % 16, 3000 + i);
		for (int n = 0; n < 4 * SRQ_PAIRS; n++) {
			struct ibv_wc wc;
			uint64_t slot = srq_take(b, "message", &wc);
			int i = pair_of(b, wc.qp_num);

			CHECK_EQ(wc.byte_len, 3000 + i, "byte_len");
			vt_buf_expect_copy(b->dst, slot * SRQ_SLOT, wc.byte_len, b->src,
					   (16 * i + next[i]++ % 16) * SRQ_SLOT, "message");
			vt_buf_fill(b->dst, slot * SRQ_SLOT, SRQ_SLOT);
			CHECK_ERRNO(srq_post(b, b->srq, slot), 0, "ibv_post_srq_recv");
		}
		for (int i = 0; i < SRQ_PAIRS; i++)
			for (uint64_t n = 0; n < 4; n++)
				vt_expect_wc(&b->p[i]->a, b->p[i]->a.scq, 16 * i + (4 * round + n) % 16,
					     IBV_WC_SUCCESS, "SEND", NULL);
	}
	vt_poll_none(b->rcq, 50, "all was received");
}

/* A receiver that is not ready waits for the SRQ as for its own queue. */
static void not_ready(const void *wire)
{
	struct srq_bench *b = srq_bench(wire, 16, 2);

	srq_send(b, 0, 1, 100);
	srq_send(b, 1, 2, 100);
	vt_poll_none(b->rcq, 100, "nothing is posted");
	for (uint64_t i = 8; i < 10; i++) {
		struct ibv_wc wc;

		CHECK_ERRNO(srq_post(b, b->srq, i), 0, "ibv_post_srq_recv");
		CHECK_EQ(srq_take(b, "late receive", &wc), i, "wr_id");
		vt_buf_expect_copy(b->dst, i * SRQ_SLOT, 100, b->src,
				   (uint64_t)(1 + pair_of(b, wc.qp_num)) * SRQ_SLOT, "late receive");
	}
}

static void overflow(const void *wire)
{
	struct srq_bench *b = srq_bench(wire, 10, 1);

	for (int round = 0; round < 20; round++) {
		int posted = 0;

		while (posted < SRQ_SLOTS && !srq_post(b, b->srq, posted))
			posted++;
		CHECK_EQ(posted, round ? 3 : 10, "receives that the SRQ took");
		CHECK_ERRNO(srq_post(b, b->srq, 0), ENOMEM, "one too many");
		for (uint64_t i = 0; i < 3; i++)
			srq_send(b, 0, i, 10);
		for (uint64_t i = 0; i < 3; i++)
			srq_take(b, "message", NULL);
		for (uint64_t i = 0; i < 3; i++)
			vt_expect_wc(&b->p[0]->a, b->p[0]->a.scq, i, IBV_WC_SUCCESS, "SEND", NULL);
	}
}

/* A list is posted up to the request that does not fit. */
static void list(const void *wire)
{
	struct srq_bench *b = srq_bench(wire, 4, 1);
	struct ibv_recv_wr wr[6], *bad = NULL;
	struct ibv_sge sge[3];

	for (int i = 0; i < 3; i++)
		sge[i] = vt_sge(b->dst, i * 64, 64);
	for (int i = 0; i < 6; i++)
		wr[i] = (struct ibv_recv_wr){ .wr_id = i, .next = i < 5 ? &wr[i + 1] : NULL,
					      .sg_list = sge, .num_sge = 1 };
	CHECK_ERRNO(ibv_post_srq_recv(b->srq, wr, &bad), ENOMEM, "a list of 6 for 4");
	CHECK(bad == &wr[4], "bad_wr is not the fifth");
	for (uint64_t i = 0; i < 4; i++) {
		srq_send(b, 0, 0, 10);
		CHECK_EQ(srq_take(b, "message", NULL), i, "wr_id");
	}
	wr[0].num_sge = 3;
	CHECK_ERRNO(ibv_post_srq_recv(b->srq, wr, &bad), EINVAL, "3 SGEs for 2");
	CHECK(bad == &wr[0], "bad_wr is not the first");
	wr[0].num_sge = -1;
	CHECK_ERRNO(ibv_post_srq_recv(b->srq, wr, &bad), EINVAL, "-1 SGEs");
	wr[0].num_sge = 1;
	CHECK_ERRNO(ibv_post_recv(b->p[0]->b.qp, wr, &bad), EINVAL, "receive to a QP on an SRQ");
	CHECK(bad == &wr[0], "bad_wr is not the first");
}

static void set(struct ibv_srq *srq, uint32_t max_wr, uint32_t limit, int mask, int want,
		const char *what)
{
	struct ibv_srq_attr attr = { .max_wr = max_wr, .srq_limit = limit };

	CHECK_ERRNO(ibv_modify_srq(srq, &attr, mask), want, what);
}

static struct ibv_srq_attr get(struct ibv_srq *srq)
{
	struct ibv_srq_attr attr = { };

	CHECK_ERRNO(ibv_query_srq(srq, &attr), 0, "ibv_query_srq");
	return attr;
}

static void resize(const void *wire)
{
	static const uint32_t sizes[] = { 40, 9, 8, 33, 64, 8 };
	struct srq_bench *b = srq_bench(wire, 16, 2);
	uint64_t in = 0, out = 0;

	for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++) {
		while (in - out < 8)
			CHECK_ERRNO(srq_post(b, b->srq, in++ % SRQ_SLOTS), 0, "ibv_post_srq_recv");
		set(b->srq, sizes[s], 0, IBV_SRQ_MAX_WR, 0, "another size");
		CHECK_EQ(get(b->srq).max_wr, sizes[s], "max_wr");
		set(b->srq, 7, 0, IBV_SRQ_MAX_WR, EINVAL, "less than is posted");
		CHECK_EQ(get(b->srq).max_wr, sizes[s], "max_wr after a refusal");
		while (in - out < sizes[s])
			CHECK_ERRNO(srq_post(b, b->srq, in++ % SRQ_SLOTS), 0, "ibv_post_srq_recv");
		CHECK_ERRNO(srq_post(b, b->srq, 0), ENOMEM, "one too many");
		/* All but 5, in the order in which they were posted, over both QPs. */
		while (in - out > 5) {
			srq_send(b, out % 2, out % SRQ_SLOTS, 2000);
			CHECK_EQ(srq_take(b, "message", NULL), out % SRQ_SLOTS, "wr_id");
			vt_expect_wc(&b->p[out % 2]->a, b->p[out % 2]->a.scq, out % SRQ_SLOTS,
				     IBV_WC_SUCCESS, "SEND", NULL);
			vt_buf_expect_copy(b->dst, out % SRQ_SLOTS * SRQ_SLOT, 2000, b->src,
					   out % SRQ_SLOTS * SRQ_SLOT, "message");
			out++;
		}
	}
	set(b->srq, 0, 0, IBV_SRQ_MAX_WR, EINVAL, "no entries at all");
	set(b->srq, b->db->attr.max_srq_wr + 1, 0, IBV_SRQ_MAX_WR, EINVAL, "more than max_srq_wr");
	set(b->srq, 16, 17, IBV_SRQ_MAX_WR | IBV_SRQ_LIMIT, EINVAL, "limit above the new size");
	set(b->srq, 16, 0, 1 << 5, EINVAL, "unknown attribute");
	CHECK_EQ(get(b->srq).max_wr, 8, "max_wr after refusals");
}

struct storm {
	struct srq_bench *b;
	bool stop;
	int done;
};

static void *resizer(void *arg)
{
	struct storm *s = arg;

	for (; !__atomic_load_n(&s->stop, __ATOMIC_ACQUIRE); s->done++) {
		struct ibv_srq_attr attr = { .max_wr = s->done % 2 ? 500 : 64 };

		if (ibv_modify_srq(s->b->srq, &attr, IBV_SRQ_MAX_WR))
			return "refused";
		/* The lock of the queue is nobody's for long enough that who waits for it gets it. */
		usleep(200);
	}
	return NULL;
}

/* Messages on all pairs while another thread changes the size all the time: nothing is lost. */
static void resize_busy(const void *wire)
{
	struct storm s = { .b = srq_bench(wire, 64, SRQ_PAIRS) };
	struct srq_bench *b = s.b;
	/* Under KASAN another size costs a hundred times more, and who sends waits for it. */
	int rounds = vt_cfg.slow > 2 ? 10 : 100;
	pthread_t thread;
	void *said;

	for (uint64_t i = 0; i < 32; i++)
		CHECK_ERRNO(srq_post(b, b->srq, i), 0, "ibv_post_srq_recv");
	CHECK(!pthread_create(&thread, NULL, resizer, &s), "pthread_create");
	/* For as long as it takes the other thread to have its turns, within the time of the case. */
	for (int round = 0; round < rounds || __atomic_load_n(&s.done, __ATOMIC_RELAXED) <= 2; round++) {
		uint64_t seen = 0;

		for (int i = 0; i < 32; i++)
			srq_send(b, i % SRQ_PAIRS, i, 1500);
		for (int i = 0; i < 32; i++)
			seen |= 1ULL << srq_take(b, "message", NULL);
		CHECK_EQ(seen, 0xffffffffULL, "receives that completed");
		for (int i = 0; i < 32; i++) {
			struct ibv_wc wc;

			vt_poll(b->p[i % SRQ_PAIRS]->a.scq, &wc, "SEND");
			CHECK_EQ(wc.status, IBV_WC_SUCCESS, "status");
			CHECK_ERRNO(srq_post(b, b->srq, i), 0, "ibv_post_srq_recv");
		}
	}
	__atomic_store_n(&s.stop, true, __ATOMIC_RELEASE);
	pthread_join(thread, &said);
	CHECK(!said, "the thread that resizes: %s", (char *)said);
}

/* Memory of the SRQ's PD counts, not of the QP's (IBTA volume 1, 10.2.9.2). */
static void other_pd(const void *wire)
{
	struct vt_dev *da = vt_open(vt_cfg.dev), *db = wire ? vt_open(vt_cfg.peer) : da;
	struct srq_bench b = { .da = da, .db = db };
	struct vt_opts o = VT_OPTS;

	b.src = vt_buf_new(da, VT_HOST, SRQ_SLOTS * SRQ_SLOT, VT_ACCESS_ALL);
	b.dst = vt_buf_new(db, VT_HOST, SRQ_SLOTS * SRQ_SLOT, VT_ACCESS_ALL);
	b.srq = srq_new(db->pd, 16, 1);
	b.rcq = vt_cq_new(db, 64, NULL);
	o.srq[1] = b.srq;
	o.cq[1] = b.rcq;
	o.pd[1] = vt_pd_new(db);
	b.p[0] = vt_pair_new(da, db, &o);
	CHECK_ERRNO(srq_post(&b, b.srq, 3), 0, "ibv_post_srq_recv");
	srq_send(&b, 0, 5, 777);
	CHECK_EQ(srq_take(&b, "message", NULL), 3, "wr_id");
	vt_buf_expect_copy(b.dst, 3 * SRQ_SLOT, 777, b.src, 5 * SRQ_SLOT, "message");

	/* The other way round: the QP has the PD of the memory, the SRQ another. */
	o.srq[1] = b.srq = srq_new(o.pd[1], 16, 1);
	o.pd[1] = NULL;
	b.p[0] = vt_pair_new(da, db, &o);
	CHECK_ERRNO(srq_post(&b, b.srq, 7), 0, "ibv_post_srq_recv");
	srq_send(&b, 0, 5, 777);
	vt_expect_wc(&b.p[0]->b, b.rcq, 7, IBV_WC_LOC_PROT_ERR, "memory of another PD", NULL);
	vt_expect_wc(&b.p[0]->a, b.p[0]->a.scq, 5, IBV_WC_REM_OP_ERR, "memory of another PD", NULL);
	vt_buf_check(b.dst, 7 * SRQ_SLOT, SRQ_SLOT, "memory of another PD");
}

static void refuse_new(struct vt_dev *d, uint32_t max_wr, uint32_t max_sge)
{
	struct ibv_srq_init_attr ia = { .attr = { .max_wr = max_wr, .max_sge = max_sge } };
	struct ibv_srq *srq = ibv_create_srq(d->pd, &ia);
	int err = errno;

	CHECK(!srq, "an SRQ of %u requests of %u SGEs was granted", max_wr, max_sge);
	CHECK_ERRNO(err, EINVAL, "ibv_create_srq");
}

static void refusals(const void *wire)
{
	struct srq_bench *b = srq_bench(wire, 16, 1);
	struct ibv_srq_init_attr_ex ia = {
		.attr = { .max_wr = 4, .max_sge = 1 }, .pd = b->db->pd, .srq_type = IBV_SRQT_TM,
		.comp_mask = IBV_SRQ_INIT_ATTR_TYPE | IBV_SRQ_INIT_ATTR_PD,
	};
	struct ibv_qp_init_attr qia = {
		.cap = { .max_send_wr = 1, .max_send_sge = 1, .max_recv_wr = 1 << 20, .max_recv_sge = 1 << 20 },
		.qp_type = IBV_QPT_RC,
	};
	struct ibv_srq *srq;
	struct ibv_qp *qp;
	uint32_t num;

	refuse_new(b->db, 0, 1);
	refuse_new(b->db, b->db->attr.max_srq_wr + 1, 1);
	refuse_new(b->db, 1, b->db->attr.max_srq_sge + 1);
	CHECK(!ibv_create_srq_ex(b->db->ctx, &ia), "a tag matching SRQ was granted");
	CHECK_ERRNO(errno, EOPNOTSUPP, "tag matching");
	ia.srq_type = IBV_SRQT_XRC;
	CHECK(!ibv_create_srq_ex(b->db->ctx, &ia), "an XRC SRQ was granted");
	ia.srq_type = IBV_SRQT_BASIC;
	srq = ibv_create_srq_ex(b->db->ctx, &ia);
	CHECK(srq, "ibv_create_srq_ex: %s", strerror(errno));
	CHECK_ERRNO(ibv_get_srq_num(srq, &num), EOPNOTSUPP, "ibv_get_srq_num");
	CHECK_ERRNO(ibv_destroy_srq(srq), 0, "ibv_destroy_srq");
	/* Sizes of a receive queue mean nothing with an SRQ. */
	qia.send_cq = qia.recv_cq = b->rcq;
	qia.srq = b->srq;
	qp = ibv_create_qp(b->db->pd, &qia);
	CHECK(qp, "ibv_create_qp with an SRQ: %s", strerror(errno));
	CHECK_ERRNO(ibv_destroy_qp(qp), 0, "ibv_destroy_qp");
	CHECK_ERRNO(ibv_destroy_srq(b->srq), EBUSY, "destroying an SRQ in use");
	/* The refused destroy has harmed nothing. */
	CHECK_ERRNO(srq_post(b, b->srq, 1), 0, "ibv_post_srq_recv");
	srq_send(b, 0, 2, 100);
	CHECK_EQ(srq_take(b, "message", NULL), 1, "wr_id");
}

void srq_add(const char *name, vt_fn fn, unsigned int seconds)
{
	char full[96];

	snprintf(full, sizeof(full), "%s/local", name);
	vt_add(full, fn, NULL, seconds);
	if (vt_cfg.peer) {
		snprintf(full, sizeof(full), "%s/wire", name);
		vt_add(full, fn, "", seconds);
	}
}

static void add_cases(void)
{
	srq_add("srq/data", data, 30);
	srq_add("srq/not_ready", not_ready, 0);
	srq_add("srq/overflow", overflow, 0);
	srq_add("srq/list", list, 0);
	srq_add("srq/resize", resize, 30);
	srq_add("srq/resize_busy", resize_busy, 60);
	srq_add("srq/other_pd", other_pd, 0);
	srq_add("srq/refusals", refusals, 0);
	srq_add_events();
}

int main(int argc, char **argv)
{
	return vt_main(argc, argv, add_cases);
}
