// SPDX-License-Identifier: GPL-2.0
/*
 * Address handles, see ah.h.
 *
 * Create and destroy: process context, or atomic when the consumer says so; also with interrupts
 * off, hence the interrupt-safe lock of dev->avs.
 */
#include <linux/slab.h>
#include <rdma/berth-abi.h>
#include "ah.h"
#include "udata.h"

static void free_av(struct rcu_head *rcu)
{
	struct berth_av *av = container_of(rcu, struct berth_av, rcu);

	berth_path_fini(&av->path);
	kfree(av);
}

static int publish(struct berth_dev *dev, struct berth_ah *ah, gfp_t gfp)
{
	unsigned long flags;
	int ret;

	xa_lock_irqsave(&dev->avs, flags);
	ret = __xa_alloc_cyclic(&dev->avs, &ah->number, ah->av, XA_LIMIT(1, BERTH_MAX_AH),
				&dev->av_next, gfp);
	xa_unlock_irqrestore(&dev->avs, flags);
	/* There are max_ah. */
	if (ret == -EBUSY)
		return -ENOMEM;
	return ret < 0 ? ret : 0;
}

static void unpublish(struct berth_dev *dev, struct berth_ah *ah)
{
	unsigned long flags;

	xa_lock_irqsave(&dev->avs, flags);
	__xa_erase(&dev->avs, ah->number);
	xa_unlock_irqrestore(&dev->avs, flags);
	/* Whoever has found it may still be sending. */
	call_rcu(&ah->av->rcu, free_av);
}

static struct berth_av *make_av(struct berth_dev *dev, const struct ib_pd *pd,
				const struct rdma_ah_attr *attr, gfp_t gfp)
{
	struct berth_av *av = kzalloc(sizeof(*av), gfp);
	int err;

	if (!av)
		return ERR_PTR(-ENOMEM);
	av->pd = pd;
	err = berth_path_init_datagram(&av->path, dev, attr);
	if (err) {
		kfree(av);
		return ERR_PTR(err);
	}
	return av;
}

/**
 * berth_ah_create - ib_device_ops.create_ah and create_user_ah
 * @ib: allocated by the core
 * @init: what it stands for; the core has filled in the source GID
 * @udata: of a process, gets struct berth_create_ah_resp; NULL for a kernel consumer
 *
 * Context: process; sleeps when @init says so.
 * Return: 0; -EINVAL: port, addresses or driver data; -ENOMEM, also when all numbers are in use;
 * -ENOSPC, -EFAULT, or an errno of berth_path_init_datagram().
 */
int berth_ah_create(struct ib_ah *ib, struct rdma_ah_init_attr *init, struct ib_udata *udata)
{
	gfp_t gfp = init->flags & RDMA_CREATE_AH_SLEEPABLE ? GFP_KERNEL_ACCOUNT : GFP_ATOMIC;
	struct berth_dev *dev = berth_dev(ib->device);
	struct berth_create_ah_resp resp = {};
	struct berth_ah *ah = berth_ah(ib);
	int err;

	if (rdma_ah_get_port_num(init->ah_attr) != 1)
		return -EINVAL;
	err = berth_udata_none(udata);
	if (err)
		return err;
	ah->av = make_av(dev, ib->pd, init->ah_attr, gfp);
	if (IS_ERR(ah->av))
		return PTR_ERR(ah->av);
	ah->attr = *init->ah_attr;
	ah->attr.grh.sgid_attr = NULL;
	err = publish(dev, ah, gfp & ~__GFP_DIRECT_RECLAIM);
	if (err)
		goto free_av;
	if (udata) {
		resp.ah = ah->number;
		err = berth_udata_copy_out(udata, &resp, sizeof(resp));
		if (err)
			goto unpublish;
	}
	return 0;

unpublish:
	unpublish(dev, ah);
	return err;
free_av:
	free_av(&ah->av->rcu);
	return err;
}

/**
 * berth_ah_query - ib_device_ops.query_ah
 * @ib: address handle
 * @attr: receives what it was made from
 *
 * Context: any. Return: 0.
 */
int berth_ah_query(struct ib_ah *ib, struct rdma_ah_attr *attr)
{
	*attr = berth_ah(ib)->attr;
	return 0;
}

/**
 * berth_ah_destroy - ib_device_ops.destroy_ah
 * @ib: address handle; freed by the core afterwards
 * @flags: ignored: nothing here sleeps
 *
 * Datagrams that name it from now on fail.
 *
 * Context: any. Return: 0.
 */
int berth_ah_destroy(struct ib_ah *ib, u32 flags)
{
	unpublish(berth_dev(ib->device), berth_ah(ib));
	return 0;
}
