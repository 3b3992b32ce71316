// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * Direct verbs: the functions that libberth.so exports (libberth.map, berthdv.h).
 *
 * Control path. A program may hand in objects of other providers, so each function looks first.
 */
#include <errno.h>

#include "berth.h"

/**
 * berthdv_create_qp - create a queue pair and say what carries it
 * @context: of a device of berth
 * @qp_attr: as for ibv_create_qp_ex(); the type is IBV_QPT_RC
 * @dv_attr: what carries it, and where what arrives lands
 *
 * Return: the QP, for ibv_destroy_qp(), or NULL with errno set; EOPNOTSUPP: not a context of this
 * library's, another type of QP, a mask or a member that is not known.
 */
struct ibv_qp *berthdv_create_qp(struct ibv_context *context, struct ibv_qp_init_attr_ex *qp_attr,
				 struct berthdv_qp_init_attr *dv_attr)
{
	static const uint32_t flags[] = {
		[BERTHDV_QP_RC] = 0,
		[BERTHDV_QP_TCP] = BERTH_QP_TCP,
		[BERTHDV_QP_TCP_STREAM] = BERTH_QP_TCP_STREAM,
	};

	struct ibv_qp *qp;
	int ret;

	if (!dv_attr) {
		errno = EINVAL;
		return NULL;
	}
	if (!berthdv_is_supported(context->device) || dv_attr->comp_mask & ~BERTHDV_QP_INIT_ATTR_AREA ||
	    (size_t)dv_attr->qp_type >= sizeof(flags) / sizeof(flags[0]) ||
	    qp_attr->qp_type != IBV_QPT_RC) {
		errno = EOPNOTSUPP;
		return NULL;
	}
	if (dv_attr->comp_mask & BERTHDV_QP_INIT_ATTR_AREA && (!dv_attr->area || dv_attr->area->context != context)) {
		errno = EINVAL;
		return NULL;
	}
	qp = berth_create_qp_flags(context, qp_attr, flags[dv_attr->qp_type]);
	if (!qp || !(dv_attr->comp_mask & BERTHDV_QP_INIT_ATTR_AREA))
		return qp;
	ret = berth_qp_set_area(qp, dv_attr->area->handle);
	if (!ret) {
		to_bqp(qp)->area = dv_attr->area;
		return qp;
	}
	berth_destroy_qp(qp);
	errno = ret;
	return NULL;
}

/**
 * berthdv_qp_attach_socket - give a stream QP its connection
 * @qp: of berthdv_create_qp() with BERTHDV_QP_TCP_STREAM, in INIT; then it is in RTS
 * @fd: a connected TCP socket, which stays the caller's to close
 *
 * Return: 0 or an errno.
 */
int berthdv_qp_attach_socket(struct ibv_qp *qp, int fd)
{
	int ret;

	if (!berthdv_is_supported(qp->context->device))
		return EOPNOTSUPP;
	ret = berth_attach_socket(qp, fd);
	/* As ibv_cmd_modify_qp() does; posting looks at it. */
	if (!ret)
		qp->state = IBV_QPS_RTS;
	return ret;
}
