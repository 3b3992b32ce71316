// SPDX-License-Identifier: GPL-2.0
/* Makes and connects what kverbs_pair.h describes. Process context. */
#include <linux/delay.h>
#include <linux/slab.h>
#include <rdma/ib_cache.h>
#include "kverbs_pair.h"

static int find_gid(struct kv_end *e)
{
	int i;

	for (i = 0; i < e->dev->port_data[1].immutable.gid_tbl_len; i++) {
		const struct ib_gid_attr *attr = rdma_get_gid_attr(e->dev, 1, i);
		bool found;

		if (IS_ERR(attr))
			continue;
		found = attr->gid_type == IB_GID_TYPE_ROCE_UDP_ENCAP &&
			ipv6_addr_v4mapped((const struct in6_addr *)&attr->gid);
		e->gid = attr->gid;
		e->gid_index = i;
		rdma_put_gid_attr(attr);
		if (found)
			return 0;
	}
	return -ENOENT;
}

/* The list for the pages in their present order. */
int kv_map_pages(struct kv_end *e)
{
	int i;

	sg_init_table(e->sg, KV_PAGES);
	for (i = 0; i < KV_PAGES; i++)
		sg_set_buf(&e->sg[i], e->page[i], PAGE_SIZE);
	return ib_dma_map_sg(e->dev, e->sg, KV_PAGES, DMA_BIDIRECTIONAL) == KV_PAGES ? 0 : -EIO;
}

static int make_memory(struct kv_end *e)
{
	int i;

	e->flat = kzalloc(KV_BYTES, GFP_KERNEL);
	if (!e->flat)
		return -ENOMEM;
	/* From the top, so that they do not follow each other by chance. */
	for (i = KV_PAGES; i--;) {
		e->page[i] = (void *)get_zeroed_page(GFP_KERNEL);
		if (!e->page[i])
			return -ENOMEM;
	}
	return kv_map_pages(e);
}

static int make_end(struct kv_end *e, struct ib_device *dev, enum ib_poll_context poll)
{
	struct ib_qp_init_attr init = {
		.qp_type = IB_QPT_RC,
		.sq_sig_type = IB_SIGNAL_REQ_WR,
		.cap = {
			.max_send_wr = KV_DEPTH, .max_recv_wr = KV_DEPTH,
			.max_send_sge = 4, .max_recv_sge = 4, .max_inline_data = 64,
		},
	};
	int err;

	e->dev = dev;
	err = find_gid(e);
	if (!err)
		err = make_memory(e);
	if (err)
		return err;
	e->pd = ib_alloc_pd(dev, 0);
	if (IS_ERR(e->pd))
		return PTR_ERR(e->pd);
	e->cq = ib_alloc_cq(dev, e, 4 * KV_DEPTH, 0, poll);
	if (IS_ERR(e->cq))
		return PTR_ERR(e->cq);
	init.send_cq = e->cq;
	init.recv_cq = e->cq;
	e->qp = ib_create_qp(e->pd, &init);
	if (IS_ERR(e->qp))
		return PTR_ERR(e->qp);
	e->mr = ib_alloc_mr(e->pd, IB_MR_TYPE_MEM_REG, KV_PAGES);
	return PTR_ERR_OR_ZERO(e->mr);
}

static int connect_end(struct kv_end *e, const struct kv_end *peer)
{
	struct ib_qp_attr attr = {
		.qp_state = IB_QPS_INIT, .port_num = 1,
		.qp_access_flags = IB_ACCESS_REMOTE_READ | IB_ACCESS_REMOTE_WRITE,
	};
	int err;

	err = ib_modify_qp(e->qp, &attr, IB_QP_STATE | IB_QP_PORT | IB_QP_PKEY_INDEX |
			   IB_QP_ACCESS_FLAGS);
	if (err)
		return err;
	attr = (struct ib_qp_attr){
		.qp_state = IB_QPS_RTR, .path_mtu = IB_MTU_1024, .dest_qp_num = peer->qp->qp_num,
		.rq_psn = 0xfffff0, .max_dest_rd_atomic = 8, .min_rnr_timer = 1,
	};
	attr.ah_attr.type = RDMA_AH_ATTR_TYPE_ROCE;
	rdma_ah_set_port_num(&attr.ah_attr, 1);
	rdma_ah_set_grh(&attr.ah_attr, (union ib_gid *)&peer->gid, 0, e->gid_index, 64, 0);
	err = ib_modify_qp(e->qp, &attr, IB_QP_STATE | IB_QP_AV | IB_QP_PATH_MTU | IB_QP_DEST_QPN |
			   IB_QP_RQ_PSN | IB_QP_MAX_DEST_RD_ATOMIC | IB_QP_MIN_RNR_TIMER);
	if (err)
		return err;
	attr = (struct ib_qp_attr){
		.qp_state = IB_QPS_RTS, .sq_psn = 0xfffff0, .timeout = 16, .retry_cnt = 7,
		.rnr_retry = 7, .max_rd_atomic = 8,
	};
	return ib_modify_qp(e->qp, &attr, IB_QP_STATE | IB_QP_SQ_PSN | IB_QP_TIMEOUT |
			    IB_QP_RETRY_CNT | IB_QP_RNR_RETRY | IB_QP_MAX_QP_RD_ATOMIC);
}

static void fini_end(struct kv_end *e)
{
	int i;

	if (!IS_ERR_OR_NULL(e->mr))
		ib_dereg_mr(e->mr);
	if (!IS_ERR_OR_NULL(e->cq))
		ib_free_cq(e->cq);
	if (!IS_ERR_OR_NULL(e->pd))
		ib_dealloc_pd(e->pd);
	for (i = 0; i < KV_PAGES; i++)
		free_page((unsigned long)e->page[i]);
	kfree(e->flat);
}

static void fini_qp(struct kv_end *e)
{
	if (IS_ERR_OR_NULL(e->qp))
		return;
	ib_drain_qp(e->qp);
	ib_destroy_qp(e->qp);
}

/**
 * kv_pair_init - two connected ends
 * @p: zeroed; kv_pair_fini() undoes also what has failed
 * @a: device of one end
 * @b: device of the other, may be the same
 * @poll: how the CQs are polled
 *
 * Return: 0 or a negative errno.
 */
int kv_pair_init(struct kv_pair *p, struct ib_device *a, struct ib_device *b,
		 enum ib_poll_context poll)
{
	int err = make_end(&p->a, a, poll);

	if (!err)
		err = make_end(&p->b, b, poll);
	if (!err)
		err = connect_end(&p->a, &p->b);
	if (!err)
		err = connect_end(&p->b, &p->a);
	return err;
}

void kv_pair_fini(struct kv_pair *p)
{
	fini_qp(&p->a);
	fini_qp(&p->b);
	fini_end(&p->a);
	fini_end(&p->b);
}

static void wait_done(struct ib_cq *cq, struct ib_wc *wc)
{
	struct kv_wait *w = container_of(wc->wr_cqe, struct kv_wait, cqe);

	w->wc = *wc;
	complete(&w->done);
}

void kv_wait_init(struct kv_wait *w)
{
	w->cqe.done = wait_done;
	init_completion(&w->done);
}

/* Returns the status, or -ETIMEDOUT; polls where nobody else does. */
int kv_wait(struct kv_end *e, struct kv_wait *w)
{
	unsigned long end = jiffies + 20 * HZ;

	while (!try_wait_for_completion(&w->done)) {
		if (time_after(jiffies, end))
			return -ETIMEDOUT;
		if (e->cq->poll_ctx == IB_POLL_DIRECT)
			ib_process_cq_direct(e->cq, -1);
		usleep_range(50, 100);
	}
	return w->wc.status;
}

void kv_fill(void *buf, size_t len, u32 seed)
{
	u32 x = seed * 2654435761U + 1;
	size_t i;

	for (i = 0; i < len; i++) {
		x = x * 1664525U + 1013904223U;
		((u8 *)buf)[i] = x >> 24;
	}
}

/* Compares bytes of the pages of an end with a buffer: -EILSEQ when they differ. */
int kv_check_pages(struct kv_end *e, size_t from, const void *want, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++) {
		const u8 *page = e->page[(from + i) / PAGE_SIZE];

		if (page[(from + i) % PAGE_SIZE] != ((const u8 *)want)[i]) {
			pr_err("berth_kverbs_test: byte %zu of %zu is wrong\n", i, len);
			return -EILSEQ;
		}
	}
	return 0;
}
