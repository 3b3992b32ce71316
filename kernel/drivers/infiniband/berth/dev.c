// SPDX-License-Identifier: GPL-2.0
/*
 * The ib_device: allocated over a netdev, described to the core, registered; taken apart when the
 * core lets go of it.
 *
 * Everything here runs in process context. What is set before registration stays as it is, and
 * dealloc_driver runs when nobody else has the device any more; only the list of devices has a lock.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/etherdevice.h>
#include <linux/if_vlan.h>
#include <linux/jhash.h>
#include <linux/module.h>
#include <linux/rtnetlink.h>
#include <linux/spinlock.h>
#include <net/addrconf.h>
#include <rdma/uverbs_ioctl.h>
#include <rdma/berth-abi.h>
#include "compat.h"
#include "dev.h"
#include "stats.h"
#include "net/gid.h"
#include "net/netns.h"
#include "obj/ah.h"
#include "obj/cq.h"
#include "obj/dm.h"
#include "obj/import.h"
#include "obj/kernel_verbs.h"
#include "obj/mcast.h"
#include "obj/mr.h"
#include "obj/mr_fast.h"
#include "obj/mw.h"
#include "obj/pd.h"
#include "obj/qp.h"
#include "obj/shared.h"
#include "obj/srq.h"
#include "obj/ucontext.h"
#include "tcp/iw_call.h"
#include "tcp/iw_cm.h"

#define VENDOR_ID		0xffffff	/* none assigned */
#define FW_VER			((0ULL << 32) | (1ULL << 16) | 0ULL)
#define RD_ATOMIC		BERTH_MAX_RD_ATOMIC
#define MAX_KEY_INDEX		((1 << BERTH_KEY_INDEX_BITS) - 1)
#define ACK_DELAY		15		/* 4.096 us << 15 */

/* Every device from create to dealloc_driver; ib_device_try_get() tells which are registered. */
static LIST_HEAD(devices);
static DEFINE_SPINLOCK(devices_lock);

/* What a link of type berth_iw has not: none of it is iWARP's. */
static void strip_caps(struct ib_device_attr *attr)
{
	attr->device_cap_flags &= ~(IB_DEVICE_RC_RNR_NAK_GEN | IB_DEVICE_ATOMIC_WRITE);
	attr->max_ah = 0;
	attr->atomic_cap = IB_ATOMIC_NONE;
	attr->max_mcast_grp = 0;
	attr->max_mcast_qp_attach = 0;
	attr->max_total_mcast_qp_attach = 0;
}

static int query_device(struct ib_device *ib, struct ib_device_attr *attr, struct ib_udata *udata)
{
	if (udata->inlen && !ib_is_udata_cleared(udata, 0, udata->inlen))
		return -EINVAL;

	*attr = (struct ib_device_attr) {
		.fw_ver = FW_VER,
		.sys_image_guid = ib->node_guid,
		.vendor_id = VENDOR_ID,
		.hw_ver = 1,
		.max_mr_size = U64_MAX,
		.page_size_cap = 0xfffff000,
		.max_qp = berth_limit_max(BERTH_LIMIT_QP),
		.max_qp_wr = BERTH_MAX_WR,
		.device_cap_flags = IB_DEVICE_RC_RNR_NAK_GEN | IB_DEVICE_CURR_QP_STATE_MOD |
				    IB_DEVICE_SRQ_RESIZE |
				    IB_DEVICE_PORT_ACTIVE_EVENT | IB_DEVICE_SYS_IMAGE_GUID |
				    IB_DEVICE_MEM_MGT_EXTENSIONS |
				    IB_DEVICE_MEM_WINDOW | IB_DEVICE_MEM_WINDOW_TYPE_2B |
				    IB_DEVICE_ATOMIC_WRITE,
		.kernel_cap_flags = IBK_ALLOW_USER_UNREG,
		.max_send_sge = BERTH_MAX_SGE,
		.max_recv_sge = BERTH_MAX_SGE,
		.max_sge_rd = BERTH_MAX_SGE,
		.max_cq = berth_limit_max(BERTH_LIMIT_CQ),
		.max_cqe = BERTH_MAX_CQE,
		.max_fast_reg_page_list_len = BERTH_MAX_FAST_PAGES,
		.max_mr = MAX_KEY_INDEX,
		.max_mw = MAX_KEY_INDEX,
		.max_pd = berth_limit_max(BERTH_LIMIT_PD),
		.max_dm_size = BERTH_MAX_DM,
		.max_srq = berth_limit_max(BERTH_LIMIT_SRQ),
		.max_srq_wr = BERTH_MAX_WR,
		.max_srq_sge = BERTH_MAX_SGE,
		.max_ah = BERTH_MAX_AH,
		.max_qp_rd_atom = RD_ATOMIC,
		.max_res_rd_atom = RD_ATOMIC * berth_limit_max(BERTH_LIMIT_QP),
		.max_qp_init_rd_atom = RD_ATOMIC,
		.atomic_cap = IB_ATOMIC_HCA,
		.masked_atomic_cap = IB_ATOMIC_NONE,
		.max_mcast_grp = BERTH_MAX_MCAST_GROUP,
		.max_mcast_qp_attach = BERTH_MAX_MCAST_ATTACH,
		.max_total_mcast_qp_attach = BERTH_MAX_MCAST_GROUP * BERTH_MAX_MCAST_ATTACH,
		.max_pkeys = 1,
		.local_ca_ack_delay = ACK_DELAY,
		.timestamp_mask = U64_MAX,
		.hca_core_clock = NSEC_PER_SEC / 1000,	/* kHz of berth_cqe.timestamp */
	};
	berth_mr_odp_caps(attr);
	if (berth_dev(ib)->iw)
		strip_caps(attr);
	return 0;
}

static void get_fw_str(struct ib_device *ib, char *str)
{
	snprintf(str, IB_FW_VERSION_NAME_MAX, "berth 0.1.0");
}

static void dealloc_driver(struct ib_device *ib)
{
	struct berth_dev *dev = berth_dev(ib);

	spin_lock(&devices_lock);
	list_del(&dev->all);
	spin_unlock(&devices_lock);
	berth_gid_fini(dev);
	berth_limit_fini(dev);
	berth_iw_dev_fini(dev);
	WARN_ON(!xa_empty(&dev->mrs));
	xa_destroy(&dev->mrs);
	WARN_ON(!xa_empty(&dev->mws));
	xa_destroy(&dev->mws);
	WARN_ON(!xa_empty(&dev->avs));
	xa_destroy(&dev->avs);
	if (dev->netns)
		berth_netns_put(dev->netns);
	berth_stats_fini(dev);
	netdev_put(dev->ndev, &dev->ndev_tracker);
}

static ssize_t parent_show(struct device *device, struct device_attribute *attr, char *buf)
{
	struct berth_dev *dev = rdma_device_to_drv_device(device, struct berth_dev, ib);

	return sysfs_emit(buf, "%s\n", netdev_name(dev->ndev));
}
static DEVICE_ATTR_RO(parent);

static ssize_t hca_type_show(struct device *device, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "berth\n");
}
static DEVICE_ATTR_RO(hca_type);

static ssize_t board_id_show(struct device *device, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "berth\n");
}
static DEVICE_ATTR_RO(board_id);

static struct attribute *dev_attrs[] = {
	&dev_attr_parent.attr,
	&dev_attr_hca_type.attr,
	&dev_attr_board_id.attr,
	NULL
};

static const struct attribute_group dev_attr_group = {
	.attrs = dev_attrs,
};

static const struct ib_device_ops dev_ops = {
	.owner = THIS_MODULE,
	.driver_id = BERTH_DRIVER_ID,
	.uverbs_abi_ver = BERTH_ABI_VERSION,
	.device_group = &dev_attr_group,

	.advise_mr = berth_mr_advise,
	.alloc_dm = berth_dm_alloc,
	.alloc_mr = berth_mr_alloc_fast,
	.alloc_mw = berth_mw_alloc,
	.alloc_pd = berth_pd_alloc,
	.alloc_ucontext = berth_ucontext_alloc,
	.create_cq = berth_cq_create,
	.create_qp = berth_qp_create,
	.create_srq = berth_srq_create,
	.dealloc_dm = berth_dm_dealloc,
	.dealloc_driver = dealloc_driver,
	.dealloc_mw = berth_mw_dealloc,
	.dealloc_pd = berth_pd_dealloc,
	.dealloc_ucontext = berth_ucontext_dealloc,
	.dereg_mr = berth_mr_dereg,
	.destroy_cq = berth_cq_destroy,
	.destroy_qp = berth_qp_destroy,
	.destroy_srq = berth_srq_destroy,
	.disassociate_ucontext = berth_ucontext_disassociate,
	.fill_res_cq_entry = berth_cq_fill_res,
	.fill_res_mr_entry = berth_mr_fill_res,
	.get_dev_fw_str = get_fw_str,
	.get_dma_mr = berth_mr_get_dma,
	.get_link_layer = berth_port_link_layer,
	.map_mr_sg = berth_mr_map_sg,
	.mmap = berth_shared_mmap,
	.mmap_free = berth_shared_mmap_free,
	.modify_qp = berth_qp_modify,
	.modify_srq = berth_srq_modify,
	.poll_cq = berth_poll_cq,
	.post_recv = berth_post_recv,
	.post_send = berth_post_send,
	.post_srq_recv = berth_post_srq_recv,
	.query_device = query_device,
	.query_pkey = berth_port_query_pkey,
	.query_port = berth_port_query,
	.query_qp = berth_qp_query,
	.query_ucontext = berth_ucontext_query,
	.reg_dm_mr = berth_dm_reg_mr,
	.query_srq = berth_srq_query,
	.reg_user_mr = berth_mr_reg_user,
	.reg_user_mr_dmabuf = berth_mr_reg_dmabuf,
	.req_notify_cq = berth_req_notify_cq,
	.rereg_user_mr = berth_mr_rereg,
	.resize_cq = berth_cq_resize,

	INIT_RDMA_OBJ_SIZE(ib_cq, berth_cq, ib),
	INIT_RDMA_OBJ_SIZE(ib_mw, berth_mw, ib),
	INIT_RDMA_OBJ_SIZE(ib_pd, berth_pd, ib),
	INIT_RDMA_OBJ_SIZE(ib_qp, berth_ibqp, ib),
	INIT_RDMA_OBJ_SIZE(ib_srq, berth_srq, ib),
	INIT_RDMA_OBJ_SIZE(ib_ucontext, berth_ucontext, ib),
};

static const struct ib_device_ops roce_ops = {
	.attach_mcast = berth_mcast_attach,
	.create_ah = berth_ah_create,
	.create_user_ah = berth_ah_create,
	.destroy_ah = berth_ah_destroy,
	.detach_mcast = berth_mcast_detach,
	.get_port_immutable = berth_port_immutable,
	.query_ah = berth_ah_query,
	INIT_RDMA_OBJ_SIZE(ib_ah, berth_ah, ib),
};

static const struct ib_device_ops iw_ops = {
	.get_port_immutable = berth_port_immutable_iw,
	.iw_accept = berth_iw_accept,
	.iw_add_ref = berth_iw_add_ref,
	.iw_connect = berth_iw_connect,
	.iw_create_listen = berth_iw_create_listen,
	.iw_destroy_listen = berth_iw_destroy_listen,
	.iw_get_qp = berth_iw_get_qp,
	.iw_reject = berth_iw_reject,
	.iw_rem_ref = berth_iw_rem_ref,
	.query_gid = berth_port_query_gid,
};

/*
 * EUI-64 of the netdev's address. VLANs share the address of the device below, so their tags take the
 * place of ff:fe. Without an address (lo) it is made from what tells the netdev from others: its
 * index and namespace; the universal bit says that nobody assigned it.
 */
static __be64 node_guid(struct net_device *ndev, struct net *net)
{
	u8 eui[8] = { 0x00, 0xbe, 0x72, 0xff, 0xfe };
	__be64 guid;

	if (is_valid_ether_addr(ndev->dev_addr)) {
		addrconf_addr_eui48(eui, ndev->dev_addr);
		if (is_vlan_dev(ndev)) {
			u16 tags = berth_compat_vlan_tags(ndev);

			eui[3] = tags >> 8;
			eui[4] = tags;
		}
	} else {
		u32 hash = jhash_2words(ndev->ifindex, (u32)net->net_cookie, 0);

		eui[5] = hash >> 16;
		eui[6] = hash >> 8;
		eui[7] = hash;
	}
	memcpy(&guid, eui, sizeof(guid));
	return guid;
}

static void describe(struct berth_dev *dev, struct net_device *ndev, struct net *net)
{
	struct ib_device *ib = &dev->ib;

	strscpy(ib->node_desc, "berth", sizeof(ib->node_desc));
	ib->node_type = dev->iw ? RDMA_NODE_RNIC : RDMA_NODE_IB_CA;
	ib->node_guid = node_guid(ndev, net);
	ib->phys_port_cnt = 1;
	ib->num_comp_vectors = num_possible_cpus();
	set_dev_node(&ib->dev, dev_to_node(&ndev->dev));
	ib_mark_name_assigned_by_user(ib);
	ib_set_device_ops(ib, &dev_ops);
	ib_set_device_ops(ib, dev->iw ? &iw_ops : &roce_ops);
	/* Its TCP is the host's, so its ports are TCP's. */
	ib->iw_driver_flags = IW_F_NO_PORT_MAP;
	strscpy(ib->iw_ifname, ndev->name, sizeof(ib->iw_ifname));
	ib_set_device_ops(ib, &berth_stats_ops);
	ib->driver_def = berth_uapi_defs;
	berth_compat_place_in_net(ib, net);
}

/**
 * berth_dev_create - make and register the device of a netdev
 * @name: from the user, checked by the core
 * @ndev: held by the caller for the call, by the device until it is deallocated
 * @net: namespace that @ndev was in, held by the caller for the call
 * @iw: of type berth_iw
 *
 * There is no DMA device: the core then hands over kernel addresses, and nothing here needs others.
 * The parent, where there is one, is the netdev's: programs find netdevs by it. It stays longer than
 * the device, because whoever removes it waits for the netdev, and the device holds that.
 *
 * Context: process, without rtnl.
 * Return: the device, which somebody may have unregistered already; or ERR_PTR: EEXIST for the name,
 * EADDRINUSE when UDP port 4791 belongs to somebody else, ENOMEM.
 */
struct berth_dev *berth_dev_create(const char *name, struct net_device *ndev, struct net *net, bool iw)
{
	struct berth_netns *netns;
	struct berth_dev *dev;
	int err;

	dev = ib_alloc_device(berth_dev, ib);
	if (!dev)
		return ERR_PTR(-ENOMEM);
	netdev_hold(ndev, &dev->ndev_tracker, GFP_KERNEL);
	dev->ndev = ndev;
	dev->iw = iw;
	xa_init_flags(&dev->iw_calls, XA_FLAGS_ALLOC1);
	xa_init_flags(&dev->mrs, XA_FLAGS_ALLOC1);
	xa_init_flags(&dev->mws, XA_FLAGS_ALLOC1);
	xa_init_flags(&dev->avs, XA_FLAGS_ALLOC1 | XA_FLAGS_LOCK_IRQ);
	describe(dev, ndev, net);
	berth_gid_init(dev);
	spin_lock(&devices_lock);
	list_add(&dev->all, &devices);
	spin_unlock(&devices_lock);

	err = berth_stats_init(dev);
	if (err)
		goto dealloc;
	netns = berth_netns_get(net);
	err = PTR_ERR_OR_ZERO(netns);
	if (err)
		goto dealloc;
	dev->netns = netns;
	rtnl_lock();
	berth_port_sample(dev);
	if (ndev->reg_state == NETREG_REGISTERED)
		dev->ib.dev.parent = ndev->dev.parent;
	rtnl_unlock();
	err = ib_device_set_netdev(&dev->ib, iw ? ndev : berth_gid_core_netdev(ndev), 1);
	if (err)
		goto dealloc;
	err = ib_register_device(&dev->ib, name, NULL);
	if (err)
		goto dealloc;
	return dev;

dealloc:
	/* Ends in dealloc_driver(), which takes apart as much as there is. */
	ib_dealloc_device(&dev->ib);
	return ERR_PTR(err);
}

/**
 * berth_dev_get_by_netdev - the device that was made over a netdev
 * @ndev: netdev
 *
 * The core's own index does not serve: for a VLAN it has the device below, see net/gid.c.
 *
 * Context: process.
 * Return: the device, registered and kept so until ib_device_put(); NULL: none.
 */
struct berth_dev *berth_dev_get_by_netdev(const struct net_device *ndev)
{
	struct berth_dev *dev, *found = NULL;

	spin_lock(&devices_lock);
	list_for_each_entry(dev, &devices, all) {
		/* One that is going away may still be there beside its successor. */
		if (dev->ndev == ndev && ib_device_try_get(&dev->ib)) {
			found = dev;
			break;
		}
	}
	spin_unlock(&devices_lock);
	return found;
}

/**
 * berth_dev_port_event - tell the core and applications that the port's state has changed
 * @dev: registered, a reference is held
 * @type: IB_EVENT_PORT_ACTIVE or IB_EVENT_PORT_ERR
 *
 * Context: any; delivery is deferred by the core.
 */
void berth_dev_port_event(struct berth_dev *dev, enum ib_event_type type)
{
	struct ib_event event = {
		.device = &dev->ib,
		.element.port_num = 1,
		.event = type,
	};

	ib_dispatch_event(&event);
}
