/* SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB */
/*
 * Direct verbs of berth: what its devices can do that libibverbs has no verb for. Link with -lberth
 * -libverbs; each function has a man page.
 */
#ifndef BERTHDV_H
#define BERTHDV_H

#include <stdbool.h>
#include <stdint.h>

#include <infiniband/verbs.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * enum berthdv_qp_type - what carries a QP whose type is IBV_QPT_RC
 * @BERTHDV_QP_RC: RoCEv2
 * @BERTHDV_QP_TCP: a TCP connection of its own, framed as iWARP; the peer is such a QP, too
 * @BERTHDV_QP_TCP_STREAM: the bytes of a TCP socket of the program's, nothing around them; the peer
 *	can be anything that speaks TCP
 */
enum berthdv_qp_type {
	BERTHDV_QP_RC = 0,
	BERTHDV_QP_TCP,
	BERTHDV_QP_TCP_STREAM,
};

struct berthdv_area;

enum berthdv_qp_init_attr_mask {
	BERTHDV_QP_INIT_ATTR_AREA = 1 << 0,
};

/**
 * struct berthdv_qp_init_attr - what berthdv_create_qp() is told beyond struct ibv_qp_init_attr_ex
 * @comp_mask: enum berthdv_qp_init_attr_mask, which of the members after qp_type are there
 * @qp_type: what carries the QP, whatever BERTH_QP_TYPE in the environment says
 * @area: what arrives lands in its chunks; no receives are posted (max_recv_wr 0, no SRQ)
 */
struct berthdv_qp_init_attr {
	uint64_t comp_mask;
	enum berthdv_qp_type qp_type;
	struct berthdv_area *area;
};

/**
 * struct berthdv_srq_init_attr - what berthdv_create_srq() is told beyond struct ibv_srq_init_attr
 * @comp_mask: which members exist that later versions add; 0
 * @area: what arrives lands in its chunks; no receives are posted
 */
struct berthdv_srq_init_attr {
	uint64_t comp_mask;
	struct berthdv_area *area;
};

/**
 * struct berthdv_area_attr - what an area is like
 * @comp_mask: which members exist that later versions add; 0
 * @chunk_size: bytes of a chunk; a power of two, at least 4096
 * @max_message: bytes of the largest message; at most 256 chunks. Of a stream: of the largest completion.
 */
struct berthdv_area_attr {
	uint64_t comp_mask;
	uint32_t chunk_size;
	uint32_t max_message;
};

/* In wr_id: the message has no pieces; in berthdv_area_piece(): it has no more. */
#define BERTHDV_NO_TOKEN	UINT32_MAX

/**
 * struct berthdv_piece - a part of a message
 * @offset: of its first byte in the memory region, in bytes
 * @length: in bytes
 * @token: for berthdv_area_return()
 * @flags: BERTHDV_PIECE_HANDED_OVER: a NIC has put the bytes there; nobody has copied them
 */
struct berthdv_piece {
	uint64_t offset;
	uint32_t length;
	uint32_t token;
	uint32_t flags;
};

enum berthdv_piece_flags {
	BERTHDV_PIECE_HANDED_OVER = 1 << 0,
};

bool berthdv_is_supported(struct ibv_device *device);

struct ibv_qp *berthdv_create_qp(struct ibv_context *context, struct ibv_qp_init_attr_ex *qp_attr,
				 struct berthdv_qp_init_attr *dv_attr);

int berthdv_qp_attach_socket(struct ibv_qp *qp, int fd);

struct berthdv_area *berthdv_create_area(struct ibv_mr *mr, const struct berthdv_area_attr *attr);
int berthdv_destroy_area(struct berthdv_area *area);
struct ibv_srq *berthdv_create_srq(struct ibv_pd *pd, struct ibv_srq_init_attr *srq_attr,
				   struct berthdv_srq_init_attr *dv_attr);
bool berthdv_area_piece(struct berthdv_area *area, uint32_t *token, struct berthdv_piece *piece);
void berthdv_area_return(struct berthdv_area *area, const uint32_t *tokens, uint32_t count);
uint32_t berthdv_area_refused(struct berthdv_area *area);

#ifdef __cplusplus
}
#endif

#endif
