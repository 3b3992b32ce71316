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

/**
 * struct berthdv_qp_init_attr - what berthdv_create_qp() is told beyond struct ibv_qp_init_attr_ex
 * @comp_mask: which members exist that later versions add; 0
 * @qp_type: what carries the QP, whatever BERTH_QP_TYPE in the environment says
 */
struct berthdv_qp_init_attr {
	uint64_t comp_mask;
	enum berthdv_qp_type qp_type;
};

bool berthdv_is_supported(struct ibv_device *device);

struct ibv_qp *berthdv_create_qp(struct ibv_context *context, struct ibv_qp_init_attr_ex *qp_attr,
				 struct berthdv_qp_init_attr *dv_attr);

int berthdv_qp_attach_socket(struct ibv_qp *qp, int fd);

#ifdef __cplusplus
}
#endif

#endif
