// SPDX-License-Identifier: GPL-2.0
/* Which transport serves a type of QP. Read-only data, any context. */
#include <rdma/berth-abi.h>
#include "dev.h"
#include "rc/rc.h"
#include "tcp/stream.h"
#include "tcp/tcp.h"
#include "transport.h"
#include "ud/ud.h"

/**
 * berth_transport_find - the transport of a type of QP
 * @dev: device
 * @type: of the QP
 * @flags: enum berth_create_qp_flags
 *
 * Return: its table, or NULL: there is none.
 */
const struct berth_transport *berth_transport_find(const struct berth_dev *dev, enum ib_qp_type type,
						   u32 flags)
{
	if (dev->iw)
		return type == IB_QPT_RC && !flags ? &berth_iw_transport : NULL;
	if (flags && type != IB_QPT_RC)
		return NULL;
	if (flags == BERTH_QP_TCP)
		return &berth_tcp_transport;
	if (flags == BERTH_QP_TCP_STREAM)
		return &berth_stream_transport;
	if (flags)
		return NULL;
	switch (type) {
	case IB_QPT_RC:
		return &berth_rc_transport;
	case IB_QPT_UC:
		return &berth_uc_transport;
	case IB_QPT_UD:
	case IB_QPT_GSI:
		return &berth_ud_transport;
	default:
		return NULL;
	}
}
