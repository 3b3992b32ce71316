// SPDX-License-Identifier: GPL-2.0
/*
 * Tests of kernel verbs through the core's interface, as a kernel consumer uses it.
 *
 *	echo CASE DEVICE DEVICE >/sys/module/berth_kverbs_test/parameters/run
 *
 * runs a case over a pair of QPs of the two devices (or of one, twice). The write fails when the
 * case does; the log says where. "hold" keeps a pair until its device goes: what every consumer
 * must survive. Process context throughout.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include "kverbs_pair.h"

/* What the case expected and did not get. */
#define CHECK(what, cond) do {							\
	if (!(cond)) {								\
		pr_err("%s:%d: %s: %s\n", __func__, __LINE__, what, #cond);	\
		return -EPROTO;							\
	}									\
} while (0)

#define EXPECT(end, wait, want) do {						\
	int status_ = kv_wait(end, wait);					\
										\
	if (status_ != (want)) {						\
		pr_err("%s:%d: completion with %d instead of %d\n", __func__,	\
		       __LINE__, status_, want);				\
		return -EPROTO;							\
	}									\
} while (0)

static DEFINE_MUTEX(lock);		/* cases, and what follows */
static struct kv_pair *held;

static int send_simple(struct kv_end *e, struct kv_wait *w, struct ib_send_wr *wr)
{
	const struct ib_send_wr *bad;

	kv_wait_init(w);
	wr->wr_cqe = &w->cqe;
	wr->send_flags |= IB_SEND_SIGNALED;
	return ib_post_send(e->qp, wr, &bad);
}

static int register_pages(struct kv_end *e, unsigned int offset, struct kv_wait *w)
{
	struct ib_reg_wr wr = { .wr.opcode = IB_WR_REG_MR };
	int n;

	n = ib_map_mr_sg(e->mr, e->sg, KV_PAGES, &offset, PAGE_SIZE);
	CHECK("map_mr_sg", n == KV_PAGES);
	ib_update_fast_reg_key(e->mr, ib_inc_rkey(e->mr->rkey));
	wr.mr = e->mr;
	wr.key = e->mr->rkey;
	wr.access = IB_ACCESS_LOCAL_WRITE | IB_ACCESS_REMOTE_WRITE | IB_ACCESS_REMOTE_READ;
	return send_simple(e, w, &wr.wr);
}

static int invalidate(struct kv_end *e, struct kv_wait *w)
{
	struct ib_send_wr wr = { .opcode = IB_WR_LOCAL_INV, .ex.invalidate_rkey = e->mr->rkey };

	return send_simple(e, w, &wr);
}

/* e writes or reads len bytes of its flat memory to or from an address of its peer. */
static int rdma(struct kv_end *e, struct kv_wait *w, enum ib_wr_opcode op, u64 addr, u32 rkey,
		u32 len)
{
	struct ib_sge sge = {
		.addr = (uintptr_t)e->flat, .length = len, .lkey = e->pd->local_dma_lkey,
	};
	struct ib_rdma_wr wr = {
		.wr = { .opcode = op, .sg_list = &sge, .num_sge = 1 },
		.remote_addr = addr,
		.rkey = rkey,
	};

	return send_simple(e, w, &wr.wr);
}

/* In the error state it may have completed when this returns. */
static int post_recv_for(struct kv_end *e, struct kv_wait *w,
			 void (*done)(struct ib_cq *cq, struct ib_wc *wc))
{
	struct ib_sge sge = {
		.addr = (uintptr_t)e->flat, .length = KV_BYTES, .lkey = e->pd->local_dma_lkey,
	};
	struct ib_recv_wr wr = { .wr_cqe = &w->cqe, .sg_list = &sge, .num_sge = 1 };
	const struct ib_recv_wr *bad;

	kv_wait_init(w);
	if (done)
		w->cqe.done = done;
	return ib_post_recv(e->qp, &wr, &bad);
}

static int post_recv(struct kv_end *e, struct kv_wait *w)
{
	return post_recv_for(e, w, NULL);
}

/* The key goes by the peer's SEND. */
static int give_back(struct kv_pair *p)
{
	struct ib_send_wr wr = {
		.opcode = IB_WR_SEND_WITH_INV, .ex.invalidate_rkey = p->a.mr->rkey,
	};
	struct kv_wait recv, send;

	CHECK("post_recv", !post_recv(&p->a, &recv));
	CHECK("post_send", !send_simple(&p->b, &send, &wr));
	EXPECT(&p->b, &send, IB_WC_SUCCESS);
	EXPECT(&p->a, &recv, IB_WC_SUCCESS);
	CHECK("flag", recv.wc.wc_flags & IB_WC_WITH_INVALIDATE);
	CHECK("key", recv.wc.ex.invalidate_rkey == p->a.mr->rkey);
	return 0;
}

/* Register, write, read back, invalidate; each time with other pages, offsets and keys. */
static int one_cycle(struct kv_pair *p, u32 i)
{
	u32 offset = i % 7 * 8, len = KV_BYTES - PAGE_SIZE - offset - i * 13;
	struct kv_wait w;
	int err;

	swap(p->a.page[i % KV_PAGES], p->a.page[(i * 5 + 3) % KV_PAGES]);
	CHECK("map", !kv_map_pages(&p->a));
	CHECK("post", !register_pages(&p->a, offset, &w));
	EXPECT(&p->a, &w, IB_WC_SUCCESS);
	CHECK("opcode", w.wc.opcode == IB_WC_REG_MR);
	kv_fill(p->b.flat, len, i);
	CHECK("post", !rdma(&p->b, &w, IB_WR_RDMA_WRITE, p->a.mr->iova, p->a.mr->rkey, len));
	EXPECT(&p->b, &w, IB_WC_SUCCESS);
	err = kv_check_pages(&p->a, offset, p->b.flat, len);
	if (err)
		return err;
	memset(p->b.flat, 0, KV_BYTES);
	CHECK("post", !rdma(&p->b, &w, IB_WR_RDMA_READ, p->a.mr->iova + 100, p->a.mr->rkey,
			    len - 100));
	EXPECT(&p->b, &w, IB_WC_SUCCESS);
	err = kv_check_pages(&p->a, offset + 100, p->b.flat, len - 100);
	if (err)
		return err;
	if (i % 2)
		return give_back(p);
	CHECK("post", !invalidate(&p->a, &w));
	EXPECT(&p->a, &w, IB_WC_SUCCESS);
	CHECK("opcode", w.wc.opcode == IB_WC_LOCAL_INV);
	return 0;
}

static int case_cycles(struct kv_pair *p)
{
	int err = 0;
	u32 i;

	for (i = 0; i < 300 && !err; i++)
		err = one_cycle(p, i);
	return err;
}

/* Nothing can be written by a key that has ended, was never open, or has another variant. */
static int refuse(struct kv_pair *p, u32 rkey, u64 addr, u32 len)
{
	struct kv_wait w;
	u8 *zeros = kzalloc(KV_BYTES, GFP_KERNEL);
	int err;

	CHECK("memory", zeros);
	memset(p->b.flat, 0x55, KV_BYTES);
	CHECK("post", !rdma(&p->b, &w, IB_WR_RDMA_WRITE, addr, rkey, len));
	EXPECT(&p->b, &w, IB_WC_REM_ACCESS_ERR);
	err = kv_check_pages(&p->a, 0, zeros, KV_BYTES);
	kfree(zeros);
	return err;
}

static int case_unregistered(struct kv_pair *p)
{
	return refuse(p, p->a.mr->rkey, (uintptr_t)p->a.page[0], 64);
}

static int case_invalidated(struct kv_pair *p)
{
	struct kv_wait w;

	CHECK("post", !register_pages(&p->a, 0, &w));
	EXPECT(&p->a, &w, IB_WC_SUCCESS);
	CHECK("post", !invalidate(&p->a, &w));
	EXPECT(&p->a, &w, IB_WC_SUCCESS);
	return refuse(p, p->a.mr->rkey, p->a.mr->iova, 64);
}

static int case_given_back(struct kv_pair *p)
{
	struct kv_wait w;
	int err;

	CHECK("post", !register_pages(&p->a, 0, &w));
	EXPECT(&p->a, &w, IB_WC_SUCCESS);
	err = give_back(p);
	return err ?: refuse(p, p->a.mr->rkey, p->a.mr->iova, 64);
}

static int case_old_key(struct kv_pair *p)
{
	u32 old = p->a.mr->rkey;
	struct kv_wait w;

	CHECK("post", !register_pages(&p->a, 0, &w));
	EXPECT(&p->a, &w, IB_WC_SUCCESS);
	return refuse(p, old, p->a.mr->iova, 64);
}

static int case_bounds(struct kv_pair *p)
{
	struct kv_wait w;

	CHECK("post", !register_pages(&p->a, 8, &w));
	EXPECT(&p->a, &w, IB_WC_SUCCESS);
	return refuse(p, p->a.mr->rkey, p->a.mr->iova, p->a.mr->length + 1);
}

/* Registering what is registered fails and takes the QP down. */
static int case_twice(struct kv_pair *p)
{
	struct kv_wait w;

	CHECK("post", !register_pages(&p->a, 0, &w));
	EXPECT(&p->a, &w, IB_WC_SUCCESS);
	CHECK("post", !register_pages(&p->a, 0, &w));
	CHECK("status", kv_wait(&p->a, &w) == IB_WC_MW_BIND_ERR);
	return 0;
}

/* Requests that complete in the order in which they were posted. */
struct stream {
	struct kv_wait w[KV_DEPTH];
	atomic_t next;
	atomic_t wrong;
};

static struct stream *streams;		/* of the sender, of the receiver */

static void stream_done(struct ib_cq *cq, struct ib_wc *wc)
{
	struct kv_wait *w = container_of(wc->wr_cqe, struct kv_wait, cqe);
	struct stream *s = w < streams[1].w ? &streams[0] : &streams[1];

	w->wc = *wc;
	if (atomic_inc_return(&s->next) - 1 != w - s->w)
		atomic_inc(&s->wrong);
	complete(&w->done);
}

static int post_stream(struct kv_pair *p, int n)
{
	struct ib_send_wr wr = { .opcode = IB_WR_SEND, .send_flags = IB_SEND_SIGNALED };
	const struct ib_send_wr *bad;
	unsigned long flags;
	int i, err;

	for (i = 0; i < n; i++) {
		CHECK("post_recv", !post_recv_for(&p->a, &streams[1].w[i], stream_done));
	}
	for (i = 0; i < n; i++) {
		kv_wait_init(&streams[0].w[i]);
		streams[0].w[i].cqe.done = stream_done;
		wr.wr_cqe = &streams[0].w[i].cqe;
		/* Consumers post with interrupts off, too. */
		local_irq_save(flags);
		err = ib_post_send(p->b.qp, &wr, &bad);
		local_irq_restore(flags);
		CHECK("post_send", !err);
	}
	return 0;
}

static int expect_stream(struct kv_pair *p, int n, int status)
{
	int i;

	for (i = 0; i < n; i++) {
		EXPECT(&p->b, &streams[0].w[i], status);
		EXPECT(&p->a, &streams[1].w[i], status);
	}
	CHECK("order", !atomic_read(&streams[0].wrong) && !atomic_read(&streams[1].wrong));
	return 0;
}

/* A CQ of each kind tells of everything, in order. */
static int case_poll(struct kv_pair *p)
{
	int err = 0, i;

	for (i = 0; i < 50 && !err; i++) {
		memset(streams, 0, 2 * sizeof(*streams));
		err = post_stream(p, KV_DEPTH);
		if (!err)
			err = expect_stream(p, KV_DEPTH, IB_WC_SUCCESS);
	}
	return err;
}

/* What is posted in the error state is flushed, and drain returns when all of it has completed. */
static int case_drain(struct kv_pair *p)
{
	struct ib_qp_attr attr = { .qp_state = IB_QPS_ERR };
	int err;

	CHECK("modify", !ib_modify_qp(p->a.qp, &attr, IB_QP_STATE));
	CHECK("modify", !ib_modify_qp(p->b.qp, &attr, IB_QP_STATE));
	memset(streams, 0, 2 * sizeof(*streams));
	err = post_stream(p, KV_DEPTH - 1);
	if (err)
		return err;
	ib_drain_qp(p->b.qp);
	ib_drain_qp(p->a.qp);
	CHECK("all told", atomic_read(&streams[0].next) == KV_DEPTH - 1);
	CHECK("all told", atomic_read(&streams[1].next) == KV_DEPTH - 1);
	return expect_stream(p, KV_DEPTH - 1, IB_WC_WR_FLUSH_ERR);
}

/* A queue that is full refuses; it never overwrites. */
static int case_overflow(struct kv_pair *p)
{
	struct ib_recv_wr wr[2] = { { .next = &wr[1] }, {} };
	const struct ib_recv_wr *bad = NULL;
	int i;

	memset(streams, 0, 2 * sizeof(*streams));
	for (i = 0; i < KV_DEPTH - 1; i++)
		CHECK("post_recv", !post_recv(&p->a, &streams[1].w[i]));
	kv_wait_init(&streams[1].w[i]);
	wr[0].wr_cqe = &streams[1].w[i].cqe;
	CHECK("refused", ib_post_recv(p->a.qp, wr, &bad) == -ENOMEM);
	CHECK("bad_wr", bad == &wr[1]);
	ib_drain_rq(p->a.qp);
	for (i = 0; i < KV_DEPTH; i++)
		EXPECT(&p->a, &streams[1].w[i], IB_WC_WR_FLUSH_ERR);
	return 0;
}

static int atomic_write(struct kv_end *e, struct kv_wait *w, u64 addr, u32 rkey, u32 len, int flags)
{
	/* In two pieces: the word is gathered like any other payload. */
	struct ib_sge sge[2] = {
		{ .addr = (uintptr_t)e->flat, .length = 3, .lkey = e->pd->local_dma_lkey },
		{ .addr = (uintptr_t)e->flat + 3, .length = len - 3,
		  .lkey = e->pd->local_dma_lkey },
	};
	struct ib_rdma_wr wr = {
		.wr = { .opcode = IB_WR_ATOMIC_WRITE, .sg_list = sge, .num_sge = 2,
			.send_flags = flags },
		.remote_addr = addr,
		.rkey = rkey,
	};

	return send_simple(e, w, &wr.wr);
}

/* One word, at offset 8 + @at in the pages; all else stays what it was. */
static int write_word(struct kv_pair *p, u8 *want, size_t at, int flags)
{
	struct kv_wait w;

	kv_fill(p->b.flat, sizeof(u64), at + 1);
	CHECK("post", !atomic_write(&p->b, &w, p->a.mr->iova + at, p->a.mr->rkey, sizeof(u64),
				   flags));
	EXPECT(&p->b, &w, IB_WC_SUCCESS);
	CHECK("opcode", w.wc.opcode == IB_WC_ATOMIC_WRITE);
	memcpy(want + 8 + at, p->b.flat, sizeof(u64));
	return kv_check_pages(&p->a, 0, want, KV_BYTES);
}

static int case_atomic_write(struct kv_pair *p)
{
	struct kv_wait w;
	int err = 0, i;
	u8 *want;

	CHECK("post", !register_pages(&p->a, 8, &w));
	EXPECT(&p->a, &w, IB_WC_SUCCESS);
	want = kzalloc(KV_BYTES, GFP_KERNEL);
	CHECK("memory", want);
	for (i = 0; i < 200 && !err; i++)
		err = write_word(p, want, i * 1031 % (KV_BYTES / 8 - 1) * 8,
				 i % 2 ? IB_SEND_INLINE : 0);
	kfree(want);
	return err;
}

/* A word that cannot be: the request fails, and no byte of the pages is written. */
static int no_word(struct kv_pair *p, u64 off, u32 rkey, u32 len, int status)
{
	struct kv_wait w;
	u8 *zeros;
	int err;

	memset(p->b.flat, 0x55, KV_BYTES);
	CHECK("post", !atomic_write(&p->b, &w, p->a.mr->iova + off, rkey, len, 0));
	EXPECT(&p->b, &w, status);
	zeros = kzalloc(KV_BYTES, GFP_KERNEL);
	CHECK("memory", zeros);
	err = kv_check_pages(&p->a, 0, zeros, KV_BYTES);
	kfree(zeros);
	return err;
}

static int case_word_misaligned(struct kv_pair *p)
{
	struct kv_wait w;

	CHECK("post", !register_pages(&p->a, 0, &w));
	EXPECT(&p->a, &w, IB_WC_SUCCESS);
	return no_word(p, 4, p->a.mr->rkey, sizeof(u64), IB_WC_REM_INV_REQ_ERR);
}

static int case_word_length(struct kv_pair *p)
{
	struct kv_wait w;

	CHECK("post", !register_pages(&p->a, 0, &w));
	EXPECT(&p->a, &w, IB_WC_SUCCESS);
	return no_word(p, 0, p->a.mr->rkey, 2 * sizeof(u64), IB_WC_LOC_LEN_ERR);
}

static int case_word_old_key(struct kv_pair *p)
{
	u32 old = p->a.mr->rkey;
	struct kv_wait w;

	CHECK("post", !register_pages(&p->a, 0, &w));
	EXPECT(&p->a, &w, IB_WC_SUCCESS);
	return no_word(p, 0, old, sizeof(u64), IB_WC_REM_ACCESS_ERR);
}

/* What the device does not do is refused. */
static int case_refused(struct kv_pair *p)
{
	struct ib_send_wr wr = { .opcode = IB_WR_REG_MR_INTEGRITY };
	u32 max = p->a.dev->attrs.max_fast_reg_page_list_len;
	struct kv_wait w;

	CHECK("gaps", IS_ERR(ib_alloc_mr(p->a.pd, IB_MR_TYPE_SG_GAPS, 4)));
	CHECK("user", IS_ERR(ib_alloc_mr(p->a.pd, IB_MR_TYPE_USER, 4)));
	CHECK("long", IS_ERR(ib_alloc_mr(p->a.pd, IB_MR_TYPE_MEM_REG, 1 + max)));
	CHECK("none", IS_ERR(ib_alloc_mr(p->a.pd, IB_MR_TYPE_MEM_REG, 0)));
	CHECK("opcode", send_simple(&p->a, &w, &wr) == -EINVAL);
	return 0;
}

static const struct {
	const char *name;
	int (*run)(struct kv_pair *p);
	enum ib_poll_context poll;
} cases[] = {
	{ "cycles", case_cycles, IB_POLL_WORKQUEUE },
	{ "unregistered", case_unregistered, IB_POLL_WORKQUEUE },
	{ "invalidated", case_invalidated, IB_POLL_WORKQUEUE },
	{ "given-back", case_given_back, IB_POLL_SOFTIRQ },
	{ "old-key", case_old_key, IB_POLL_SOFTIRQ },
	{ "bounds", case_bounds, IB_POLL_WORKQUEUE },
	{ "twice", case_twice, IB_POLL_DIRECT },
	{ "poll-direct", case_poll, IB_POLL_DIRECT },
	{ "poll-softirq", case_poll, IB_POLL_SOFTIRQ },
	{ "poll-workqueue", case_poll, IB_POLL_WORKQUEUE },
	{ "poll-unbound", case_poll, IB_POLL_UNBOUND_WORKQUEUE },
	{ "drain-workqueue", case_drain, IB_POLL_WORKQUEUE },
	{ "drain-softirq", case_drain, IB_POLL_SOFTIRQ },
	{ "drain-direct", case_drain, IB_POLL_DIRECT },
	{ "overflow", case_overflow, IB_POLL_WORKQUEUE },
	{ "atomic-write", case_atomic_write, IB_POLL_SOFTIRQ },
	{ "word-misaligned", case_word_misaligned, IB_POLL_WORKQUEUE },
	{ "word-length", case_word_length, IB_POLL_WORKQUEUE },
	{ "word-old-key", case_word_old_key, IB_POLL_DIRECT },
	{ "refused", case_refused, IB_POLL_WORKQUEUE },
};

static int run_case(const char *name, struct ib_device *a, struct ib_device *b)
{
	struct kv_pair *p = kzalloc(sizeof(*p), GFP_KERNEL);
	int err = -ENOENT;
	size_t i;

	if (!p)
		return -ENOMEM;
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		if (strcmp(cases[i].name, name))
			continue;
		err = kv_pair_init(p, a, b, cases[i].poll);
		if (err)
			pr_err("%s: cannot connect: %d\n", name, err);
		else
			err = cases[i].run(p);
	}
	kv_pair_fini(p);
	kfree(p);
	return err;
}

static int hold(struct ib_device *a, struct ib_device *b)
{
	int err;

	if (held)
		return -EBUSY;
	held = kzalloc(sizeof(*held), GFP_KERNEL);
	if (!held)
		return -ENOMEM;
	err = kv_pair_init(held, a, b, IB_POLL_WORKQUEUE);
	if (!err)
		err = post_recv(&held->a, &streams[0].w[0]);
	if (!err)
		return 0;
	kv_pair_fini(held);
	kfree(held);
	held = NULL;
	return err;
}

static int set_run(const char *val, const struct kernel_param *kp)
{
	char name[3][32] = {};
	struct ib_device *a, *b;
	int err = -ENODEV;

	if (sscanf(val, "%31s %31s %31s", name[0], name[1], name[2]) != 3)
		return -EINVAL;
	a = ib_device_get_by_name(name[1], RDMA_DRIVER_UNKNOWN);
	b = ib_device_get_by_name(name[2], RDMA_DRIVER_UNKNOWN);
	if (a && b) {
		mutex_lock(&lock);
		err = strcmp(name[0], "hold") ? run_case(name[0], a, b) : hold(a, b);
		mutex_unlock(&lock);
	}
	if (b)
		ib_device_put(b);
	if (a)
		ib_device_put(a);
	return err;
}

static const struct kernel_param_ops run_ops = { .set = set_run };
module_param_cb(run, &run_ops, NULL, 0200);
MODULE_PARM_DESC(run, "case and two devices");

static int add_one(struct ib_device *dev)
{
	return 0;
}

static void remove_one(struct ib_device *dev, void *data)
{
	mutex_lock(&lock);
	if (held && (held->a.dev == dev || held->b.dev == dev)) {
		kv_pair_fini(held);
		kfree(held);
		held = NULL;
		pr_info("gave up what was held on %s\n", dev_name(&dev->dev));
	}
	mutex_unlock(&lock);
}

static struct ib_client client = {
	.name = "berth_kverbs_test",
	.add = add_one,
	.remove = remove_one,
};

static int __init kverbs_init(void)
{
	int err;

	streams = kcalloc(2, sizeof(*streams), GFP_KERNEL);
	if (!streams)
		return -ENOMEM;
	err = ib_register_client(&client);
	if (err)
		kfree(streams);
	return err;
}

static void __exit kverbs_exit(void)
{
	ib_unregister_client(&client);
	kfree(streams);
}

module_init(kverbs_init);
module_exit(kverbs_exit);
MODULE_DESCRIPTION("Tests of berth's kernel verbs");
MODULE_LICENSE("GPL");
