// SPDX-License-Identifier: GPL-2.0
/*
 * Driver data of uverbs commands, see udata.h.
 *
 * Process context of the caller's mm; no state, no locks. The rule for requests is that of
 * berth-abi.h: a field that this kernel does not know is refused unless it is zero, so that no
 * provider ever believes to have been understood when it was not. Reserved fields inside the known
 * structure are the caller's to check.
 */
#include <linux/uaccess.h>
#include "udata.h"

/* -EINVAL when a byte at or after offset is set. */
static int rest_is_zero(struct ib_udata *udata, size_t offset)
{
	if (udata->inlen > offset && !ib_is_udata_cleared(udata, offset, udata->inlen - offset))
		return -EINVAL;
	return 0;
}

/**
 * berth_udata_copy_in - take the driver data of a request
 * @udata: of the command; not NULL.
 * @req: receives the request.
 * @size: of the request as this kernel knows it.
 *
 * Context: process; sleeps.
 * Return: 0; -EINVAL: shorter, or longer with bytes set that are unknown here; -EFAULT.
 */
int berth_udata_copy_in(struct ib_udata *udata, void *req, size_t size)
{
	int ret;

	if (udata->inlen < size)
		return -EINVAL;
	ret = rest_is_zero(udata, size);
	if (ret)
		return ret;
	return ib_copy_from_udata(req, udata, size);
}

/**
 * berth_udata_none - check that a request brings no driver data
 * @udata: of the command; NULL for a kernel consumer.
 *
 * Context: process; sleeps.
 * Return: 0; -EINVAL: bytes are set that nobody here knows.
 */
int berth_udata_none(struct ib_udata *udata)
{
	return udata ? rest_is_zero(udata, 0) : 0;
}

/**
 * berth_udata_copy_out - give the driver data of a response, whole
 * @udata: of the command; not NULL.
 * @resp: the response.
 * @size: of the response.
 *
 * Context: process; sleeps.
 * Return: 0; -ENOSPC: the caller has no room for all of it; -EFAULT.
 */
int berth_udata_copy_out(struct ib_udata *udata, const void *resp, size_t size)
{
	if (udata->outlen < size)
		return -ENOSPC;
	return copy_to_user(udata->outbuf, resp, size) ? -EFAULT : 0;
}
