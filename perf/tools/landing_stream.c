// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * Receiving by a stream QP: it adopts the connection, and its bytes land in an area over the dma-buf, or in
 * posted receives. With the dma-buf bound to a receive queue the payload is in the area's memory when it
 * arrives, and the kernel hands it over as it is; each piece tells whether that was so.
 */
#define _GNU_SOURCE
#include "landing.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "../common/say.h"

#define MAX_PIECES	256	/* of a message */
#define MAX_RECEIVES	256
#define BATCH		16

/* ---- setting up ---- */

static struct ibv_context *open_device(const char *name)
{
	struct ibv_device **list = ibv_get_device_list(NULL);
	struct ibv_context *ctx = NULL;
	int i;

	for (i = 0; list && list[i]; i++)
		if (name ? !strcmp(name, ibv_get_device_name(list[i])) :
			   berthdv_is_supported(list[i]))
			break;
	if (!list || !list[i]) {
		say("device %s: not there: load berth and add one (rdma link add berth0 type berth netdev eth0)",
		    name ? name : "of berth");
	} else if (!berthdv_is_supported(list[i])) {
		say("device %s: not one of berth: choose another with -d, or none", name);
	} else {
		ctx = ibv_open_device(list[i]);
		if (!ctx)
			say("device %s: cannot be opened: %s", ibv_get_device_name(list[i]),
			    strerror(errno));
	}
	if (list)
		ibv_free_device_list(list);
	return ctx;
}

static uint64_t smaller(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint32_t receives(const struct landing *l)
{
	return (uint32_t)smaller(l->size / l->opt->size, MAX_RECEIVES);
}

static int create_area(struct landing *l)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	/* A write may come in two packets, and what is handed over of each begins another piece. */
	uint64_t most = ((l->opt->size + page - 1) & ~(page - 1)) + page;
	struct berthdv_area_attr attr = {
		.chunk_size = (uint32_t)page, .max_message = (uint32_t)smaller(smaller(most, l->size), MAX_PIECES * page),
	};

	l->area = berthdv_create_area(l->mr, &attr);
	return l->area ? 0 : landing_failed("creating the area");
}

/* Completions that do not fit would be lost: there may be one for each chunk or receive. */
static int create_cq(struct landing *l)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	int entries = 2 + (int)(l->area ? l->size / page : receives(l));

	l->channel = ibv_create_comp_channel(l->ctx);
	if (!l->channel)
		return landing_failed("creating a completion channel");
	l->cq = ibv_create_cq(l->ctx, entries, NULL, l->channel, 0);
	return l->cq ? 0 : landing_failed("creating a completion queue");
}

static int create_qp(struct landing *l)
{
	struct berthdv_qp_init_attr stream = {
		.comp_mask = l->area ? BERTHDV_QP_INIT_ATTR_AREA : 0,
		.qp_type = BERTHDV_QP_TCP_STREAM,
		.area = l->area,
	};
	struct ibv_qp_init_attr_ex attr = {
		.send_cq = l->cq,
		.recv_cq = l->cq,
		.cap = {
			.max_send_wr = 1, .max_send_sge = 1,
			.max_recv_wr = l->area ? 0 : receives(l), .max_recv_sge = !l->area,
		},
		.qp_type = IBV_QPT_RC,
		.comp_mask = IBV_QP_INIT_ATTR_PD,
		.pd = l->pd,
	};
	struct ibv_qp_attr init = { .qp_state = IBV_QPS_INIT, .port_num = 1 };

	l->qp = berthdv_create_qp(l->ctx, &attr, &stream);
	if (!l->qp)
		return landing_failed("creating a stream QP");
	errno = ibv_modify_qp(l->qp, &init, IBV_QP_STATE | IBV_QP_PKEY_INDEX | IBV_QP_PORT |
			      IBV_QP_ACCESS_FLAGS);
	return errno ? landing_failed("bringing the QP to INIT") : 0;
}

static int stream_set_up(struct landing *l)
{
	int err = 0;

	l->ctx = open_device(l->opt->device);
	if (!l->ctx)
		return -ENODEV;
	l->pd = ibv_alloc_pd(l->ctx);
	if (!l->pd)
		return landing_failed("allocating a protection domain");
	/* Addresses of its bytes are offsets, in host memory too. */
	if (l->dmabuf >= 0)
		l->mr = ibv_reg_dmabuf_mr(l->pd, 0, l->size, 0, l->dmabuf, IBV_ACCESS_LOCAL_WRITE);
	else
		l->mr = ibv_reg_mr_iova(l->pd, l->map, l->size, 0, IBV_ACCESS_LOCAL_WRITE);
	if (!l->mr)
		return landing_failed("registering the memory");
	if (l->opt->mode == LANDING_STREAM)
		err = create_area(l);
	if (!err)
		err = create_cq(l);
	if (!err)
		err = create_qp(l);
	return err;
}

static void stream_tear_down(struct landing *l)
{
	if (l->qp)
		ibv_destroy_qp(l->qp);
	if (l->cq)
		ibv_destroy_cq(l->cq);
	if (l->channel)
		ibv_destroy_comp_channel(l->channel);
	if (l->area)
		berthdv_destroy_area(l->area);
	if (l->mr)
		ibv_dereg_mr(l->mr);
	if (l->pd)
		ibv_dealloc_pd(l->pd);
	if (l->ctx)
		ibv_close_device(l->ctx);
}

/* ---- landing ---- */

static int post(struct landing *l, uint64_t slot)
{
	struct ibv_sge sge = {
		.addr = slot * l->opt->size, .length = (uint32_t)l->opt->size, .lkey = l->mr->lkey,
	};
	struct ibv_recv_wr wr = { .wr_id = slot, .sg_list = &sge, .num_sge = 1 };
	struct ibv_recv_wr *bad;

	errno = ibv_post_recv(l->qp, &wr, &bad);
	return errno ? landing_failed("posting a receive") : 0;
}

/* Returns how many completions there are, at least one, or a negative errno after one line. */
static int wait_completions(struct landing *l, struct ibv_wc *wc)
{
	struct ibv_cq *cq;
	void *context;
	int n;

	for (;;) {
		n = ibv_poll_cq(l->cq, BATCH, wc);
		if (!n) {
			/* What comes between that poll and this call would wake nobody. */
			errno = ibv_req_notify_cq(l->cq, 0);
			if (errno)
				return landing_failed("asking for a notification");
			n = ibv_poll_cq(l->cq, BATCH, wc);
		}
		if (n > 0)
			return n;
		if (n < 0) {
			say("polling the completion queue failed");
			return -EIO;
		}
		if (ibv_get_cq_event(l->channel, &cq, &context))
			return landing_failed("waiting for a completion");
		ibv_ack_cq_events(cq, 1);
	}
}

/* The pieces of a completion, wherever they begin in their chunks. */
static int take_pieces(struct landing *l, const struct ibv_wc *wc)
{
	uint32_t next = (uint32_t)wc->wr_id, tokens[MAX_PIECES], n = 0;
	struct berthdv_piece piece;
	uint64_t length = 0;
	int err = 0;

	while (!err && berthdv_area_piece(l->area, &next, &piece)) {
		err = landing_take_memory(l, piece.offset, piece.length);
		length += piece.length;
		if (piece.flags & BERTHDV_PIECE_HANDED_OVER)
			l->handed_over += piece.length;
		tokens[n++] = piece.token;
		if (n == MAX_PIECES) {
			berthdv_area_return(l->area, tokens, n);
			n = 0;
		}
	}
	berthdv_area_return(l->area, tokens, n);
	if (err || length == wc->byte_len)
		return err;
	say("pieces of %" PRIu64 " bytes in a completion of %u", length, wc->byte_len);
	return -EBADMSG;
}

static int take_receive(struct landing *l, const struct ibv_wc *wc)
{
	int err = landing_take_memory(l, wc->wr_id * l->opt->size, wc->byte_len);

	return err ? err : post(l, wc->wr_id);
}

/* Returns 1 at the end of the stream. */
static int take(struct landing *l, const struct ibv_wc *wc)
{
	int err;

	if (wc->status != IBV_WC_SUCCESS) {
		say("the connection failed after %" PRIu64 " bytes: %s", l->bytes,
		    ibv_wc_status_str(wc->status));
		return -EIO;
	}
	if (!wc->byte_len)
		return 1;
	err = landing_begin_access(l);
	if (err)
		return err;
	err = l->area ? take_pieces(l, wc) : take_receive(l, wc);
	landing_end_access(l);
	return err;
}

static int take_all(struct landing *l)
{
	struct ibv_wc wc[BATCH];
	int n, i, ret;

	for (;;) {
		n = wait_completions(l, wc);
		if (n < 0)
			return n;
		for (i = 0; i < n; i++) {
			ret = take(l, &wc[i]);
			if (ret)
				return ret < 0 ? ret : 0;
		}
	}
}

static int stream_land(struct landing *l, int sock)
{
	uint64_t slot;
	int err = 0;

	for (slot = 0; !l->area && !err && slot < receives(l); slot++)
		err = post(l, slot);
	if (err)
		return err;
	errno = berthdv_qp_attach_socket(l->qp, sock);
	if (errno)
		return landing_failed("attaching the socket to the QP");
	err = take_all(l);
	if (err)
		return err;
	/* It gives the socket back. */
	errno = ibv_destroy_qp(l->qp);
	l->qp = NULL;
	return errno ? landing_failed("destroying the QP") : 0;
}

const struct landing_ops landing_stream_ops = {
	.set_up = stream_set_up,
	.land = stream_land,
	.tear_down = stream_tear_down,
};
