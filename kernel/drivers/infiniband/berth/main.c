// SPDX-License-Identifier: GPL-2.0
/*
 * Module init and exit: the parts in the order in which they need each other, undone in reverse.
 *
 * Exit runs only when no doorbell file is open, as each holds the module. Contexts without one are
 * taken away from their processes by the core when the devices are unregistered.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/module.h>
#include <linux/rcupdate.h>
#include <rdma/rdma_netlink.h>
#include "link.h"
#include "net/bufs.h"
#include "net/netns.h"
#include "obj/qp.h"
#include "wire/crc.h"
#include "tcp/tcp.h"

static int __init berth_init(void)
{
	int err;

	err = berth_crc_init();
	if (err)
		return err;
	err = berth_qp_module_init();
	if (err)
		goto fini_crc;
	/* A namespace ends in the other order: its listener after its devices, which it waits for. */
	err = berth_tcp_module_init();
	if (err)
		goto fini_qp;
	err = berth_netns_module_init();
	if (err)
		goto fini_tcp;
	err = berth_link_init();
	if (err)
		goto fini_netns;
	return 0;

fini_netns:
	berth_netns_module_fini();
fini_tcp:
	berth_tcp_module_fini();
fini_qp:
	berth_qp_module_fini();
fini_crc:
	berth_crc_fini();
	return err;
}

static void __exit berth_exit(void)
{
	berth_link_fini();
	berth_netns_module_fini();
	berth_tcp_module_fini();
	/* QPs and MRs are freed by RCU callbacks, some of them functions of this module. */
	rcu_barrier();
	berth_qp_module_fini();
	berth_bufs_fini();
	berth_crc_fini();
}

module_init(berth_init);
module_exit(berth_exit);

MODULE_DESCRIPTION("Software RDMA device whose memory regions can be dma-bufs");
MODULE_AUTHOR("The berth authors");
MODULE_LICENSE("GPL");
MODULE_VERSION("0.1.0");
MODULE_ALIAS_RDMA_LINK("berth");
MODULE_ALIAS_RDMA_LINK("berth_iw");
/*
 * All drivers of "crc32", an accelerated one among them if there is any. Asking the crypto layer alone
 * is not enough: once the generic one is loaded, it looks no further. Not there is no error.
 */
MODULE_SOFTDEP("pre: crypto-crc32");
