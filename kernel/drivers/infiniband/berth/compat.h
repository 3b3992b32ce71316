/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The one place that knows about differences between kernels, or works around something that the
 * core does not offer. Everything here is a small inline that reads the same on every kernel.
 */
#ifndef BERTH_COMPAT_H
#define BERTH_COMPAT_H

#include <linux/module.h>
#include <linux/version.h>
#include <net/net_namespace.h>
#include <rdma/ib_verbs.h>

/* Since 6.13 MODULE_IMPORT_NS() takes a string. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 13, 0)
#define BERTH_IMPORT_NS(ns)	MODULE_IMPORT_NS(#ns)
#else
#define BERTH_IMPORT_NS(ns)	MODULE_IMPORT_NS(ns)
#endif

/**
 * berth_compat_place_in_net - put a device that is not registered yet into a network namespace
 * @ib: fresh from ib_alloc_device()
 * @net: namespace of its netdev
 *
 * ib_alloc_device() gives every device to init_net. In exclusive mode (`rdma system set netns
 * exclusive`) it would then be invisible where it was asked for, so it is moved before anybody can
 * see it; in shared mode devices stay in init_net and are shown everywhere. The mode is not exported,
 * but whether a foreign namespace may use the device tells it.
 */
static inline void berth_compat_place_in_net(struct ib_device *ib, struct net *net)
{
	if (!rdma_dev_access_netns(ib, net))
		write_pnet(&ib->coredev.rdma_net, net);
}

#endif
