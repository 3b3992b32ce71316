// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/* area: areas that cannot be had, and what cannot be done with one or with a queue that has one. */
#include <errno.h>
#include <string.h>

#include "area.h"

static void refused_area(struct ibv_mr *mr, uint32_t chunk_size, uint32_t max_message, int want, const char *what)
{
	struct berthdv_area *area = area_try(mr, chunk_size, max_message);

	CHECK(!area, "%s was accepted", what);
	CHECK_ERRNO(errno, want, what);
}

static void refused(const void *unused __attribute__((unused)))
{
	struct area_bench *b = area_bench_new(false, VT_HEAP, 16, AREA_CHUNK);
	struct vt_buf *buf = vt_buf_new(b->db, VT_HEAP, 17 * AREA_CHUNK, VT_ACCESS_ALL);
	struct vt_buf *read_only = vt_buf_new(b->db, VT_HEAP, 17 * AREA_CHUNK, IBV_ACCESS_REMOTE_READ);
	struct ibv_qp_init_attr ud = { .qp_type = IBV_QPT_UD, .send_cq = b->scq, .recv_cq = b->scq, .srq = b->srq,
				       .cap = { .max_send_wr = 1, .max_send_sge = 1 } };
	struct ibv_srq_attr limit = { .srq_limit = 1 };
	struct ibv_sge sge = vt_sge(b->dst, 0, 1);
	struct ibv_recv_wr wr = { .sg_list = &sge, .num_sge = 1 }, *bad;

	refused_area(b->src->mr, 4096, 4096, EINVAL, "memory that is no dma-buf");
	refused_area(read_only->mr, 4096, 4096, EACCES, "memory that may not be written");
	refused_area(buf->mr, 0, 4096, EINVAL, "no chunk size");
	refused_area(buf->mr, 2048, 4096, EINVAL, "chunks smaller than a page");
	refused_area(buf->mr, 12288, 4096, EINVAL, "a chunk size that is no power of two");
	refused_area(buf->mr, 4096, 0, EINVAL, "no message size");
	refused_area(buf->mr, 4096, 257 * 4096, EINVAL, "messages of too many chunks");
	refused_area(buf->mr, 4096, 17 * 4096, EINVAL, "messages longer than the area");
	refused_area(buf->mr, 1U << 31, 4096, EINVAL, "chunks larger than the region");
	refused_area(b->dst->mr, 4096, 4096, EBUSY, "memory of another area");
	CHECK(!area_srq_try(vt_pd_new(b->db), b->area), "an SRQ of another domain was accepted");
	CHECK_ERRNO(errno, EINVAL, "an SRQ of another domain");
	CHECK(!area_srq_try(vt_open(vt_cfg.dev)->pd, b->area), "an SRQ of another context was accepted");
	CHECK_ERRNO(errno, EINVAL, "an SRQ of another context");
	CHECK(!ibv_create_qp(b->db->pd, &ud), "a UD QP on an SRQ with an area was accepted");
	CHECK_ERRNO(errno, EINVAL, "a UD QP on an SRQ with an area");
	CHECK_ERRNO(berthdv_destroy_area(b->area), EBUSY, "an area that an SRQ uses");
	CHECK_ERRNO(ibv_modify_srq(b->srq, &limit, IBV_SRQ_LIMIT), EINVAL, "a limit of an SRQ with an area");
	CHECK_ERRNO(ibv_post_srq_recv(b->srq, &wr, &bad), ENOMEM, "a receive to an SRQ with an area");
	/* What was refused has booked nothing. */
	berthdv_destroy_area(area_try(buf->mr, 4096, 4096));
	area_new(buf, 8192, 65536);
}

void area_add_refused(void)
{
	vt_add("area/refused", refused, NULL, 0);
}
