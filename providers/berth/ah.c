// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * Address handles. The kernel keeps the path and gives it a number, which is what a datagram's work
 * request carries. Control path, no locks.
 */
#include <errno.h>
#include <stdlib.h>

#include "berth.h"

struct create_ah_resp {
	struct ib_uverbs_create_ah_resp ibv_resp;
	struct berth_create_ah_resp drv;
};

static_assert(sizeof(struct create_ah_resp) == 12 && offsetof(struct create_ah_resp, drv) == 4,
	      "no padding before driver data");

struct ibv_ah *berth_create_ah(struct ibv_pd *ibpd, struct ibv_ah_attr *attr)
{
	struct create_ah_resp resp = {};
	struct berth_ah *ah;
	int ret;

	ah = calloc(1, sizeof(*ah));
	if (!ah)
		return NULL;

	ret = ibv_cmd_create_ah(ibpd, &ah->ah, attr, &resp.ibv_resp, sizeof(resp));
	if (ret) {
		free(ah);
		errno = ret;
		return NULL;
	}
	ah->number = resp.drv.ah;
	return &ah->ah;
}

int berth_destroy_ah(struct ibv_ah *ibah)
{
	int ret;

	ret = berth_destroyed(ibv_cmd_destroy_ah(ibah));
	if (!ret)
		free(to_bah(ibah));
	return ret;
}
