// SPDX-License-Identifier: GPL-2.0
/*
 * Attaching QPs to multicast groups, and delivering to them, see mcast.h.
 *
 * mcast_mutex serialises attach and detach and protects the counts; rtnl nests inside it. An
 * attachment does not hold its QP: the core has QPs detached before they are destroyed. Delivery
 * takes a reference of each QP in turn and then its rq.lock, never two.
 */
#include <linux/hashtable.h>
#include <linux/jhash.h>
#include <linux/mutex.h>
#include <linux/once.h>
#include <linux/slab.h>
#include <net/ipv6.h>
#include "../net/group.h"
#include "../net/netns.h"
#include "../stats.h"
#include "../transport.h"
#include "../wire/cursor.h"
#include "../wire/packet.h"
#include "mcast.h"
#include "qp_state.h"

struct attachment {
	struct hlist_node node;
	struct rcu_head rcu;
	struct berth_qp *qp;
	struct in6_addr group;
};

static DEFINE_HASHTABLE(attachments, 8);
static DEFINE_MUTEX(mcast_mutex);

/* Of a seed that nobody knows: a process chooses its groups. */
static u32 hash_of(const struct in6_addr *group)
{
	static u32 seed;

	get_random_once(&seed, sizeof(seed));
	return jhash2((const u32 *)group->s6_addr32, ARRAY_SIZE(group->s6_addr32), seed);
}

static struct in6_addr group_of(const union ib_gid *gid)
{
	struct in6_addr group;

	memcpy(&group, gid, sizeof(group));
	return group;
}

/* Attachments of a device's group; *own is that of @qp, if there is one. */
static unsigned int count(const struct berth_qp *qp, const struct in6_addr *group,
			  struct attachment **own)
{
	struct attachment *at;
	unsigned int n = 0;

	lockdep_assert_held(&mcast_mutex);
	*own = NULL;
	hash_for_each_possible(attachments, at, node, hash_of(group)) {
		if (at->qp->dev != qp->dev || !ipv6_addr_equal(&at->group, group))
			continue;
		if (at->qp == qp)
			*own = at;
		n++;
	}
	return n;
}

static int attach(struct berth_qp *qp, const struct in6_addr *group)
{
	struct attachment *at;
	unsigned int n;
	int err;

	n = count(qp, group, &at);
	if (at)
		return -EEXIST;
	if (n >= BERTH_MAX_MCAST_ATTACH || (!n && qp->dev->mcast_groups >= BERTH_MAX_MCAST_GROUP))
		return -ENOMEM;
	at = kzalloc(sizeof(*at), GFP_KERNEL_ACCOUNT);
	if (!at)
		return -ENOMEM;
	at->qp = qp;
	at->group = *group;
	if (!n) {
		err = berth_group_join(qp->dev, group);
		if (err) {
			kfree(at);
			return err;
		}
		qp->dev->mcast_groups++;
	}
	hash_add_rcu(attachments, &at->node, hash_of(group));
	return 0;
}

/**
 * berth_mcast_attach - ib_device_ops.attach_mcast
 * @ib: UD QP
 * @gid: multicast, checked by the core
 * @lid: has no meaning on Ethernet
 *
 * Context: process.
 * Return: 0; -EEXIST: attached already; -ENOMEM: no memory, or a limit of query_device; an errno of
 * berth_group_join().
 */
int berth_mcast_attach(struct ib_qp *ib, union ib_gid *gid, u16 lid)
{
	struct in6_addr group = group_of(gid);
	int err;

	mutex_lock(&mcast_mutex);
	err = attach(berth_qp(ib), &group);
	mutex_unlock(&mcast_mutex);
	return err;
}

/**
 * berth_mcast_detach - ib_device_ops.detach_mcast
 * @ib: UD QP
 * @gid: multicast
 * @lid: has no meaning on Ethernet
 *
 * Context: process. Return: 0; -EINVAL: not attached.
 */
int berth_mcast_detach(struct ib_qp *ib, union ib_gid *gid, u16 lid)
{
	struct in6_addr group = group_of(gid);
	struct berth_qp *qp = berth_qp(ib);
	struct attachment *at;
	unsigned int n;

	mutex_lock(&mcast_mutex);
	n = count(qp, &group, &at);
	if (at) {
		hash_del_rcu(&at->node);
		kfree_rcu(at, rcu);
		if (n == 1) {
			berth_group_leave(qp->dev, &group);
			qp->dev->mcast_groups--;
		}
	}
	mutex_unlock(&mcast_mutex);
	return at ? 0 : -EINVAL;
}

static void deliver_one(struct berth_qp *qp, struct berth_packet pkt, struct berth_cursor payload,
			const struct berth_rx *rx)
{
	pkt.qpn = qp->wire_qpn;
	spin_lock(&qp->rq.lock);
	if (qp->transport->accepts(qp, &pkt, rx)) {
		berth_count(qp->dev, BERTH_CNT_RX_PACKETS);
		qp->transport->request(qp, &pkt, &payload, rx);
	} else {
		berth_count(qp->dev, BERTH_CNT_RX_NO_QP);
	}
	spin_unlock(&qp->rq.lock);
	berth_qp_settle(qp);
}

/**
 * berth_mcast_deliver - give a datagram to every QP that is attached to its group
 * @pkt: parsed, ICRC checked
 * @payload: at its payload
 * @rx: where it came in, and the group
 *
 * The sender, too, gets it if it is attached, as with adapters.
 *
 * Context: softirq, rcu_read_lock held; no lock of a QP.
 */
void berth_mcast_deliver(const struct berth_packet *pkt, const struct berth_cursor *payload,
			 const struct berth_rx *rx)
{
	struct attachment *at;
	struct in6_addr group;

	if (berth_opcode_service(pkt->op) != BERTH_SERVICE_UD)
		return;
	if (rx->family == AF_INET)
		ipv6_addr_set_v4mapped(rx->daddr.v4, &group);
	else
		group = rx->daddr.v6;
	hash_for_each_possible_rcu(attachments, at, node, hash_of(&group)) {
		struct berth_qp *qp = at->qp;

		/* The QP is freed by RCU later than its attachment is unpublished. */
		if (!ipv6_addr_equal(&at->group, &group) || !refcount_inc_not_zero(&qp->refs))
			continue;
		if (qp->dev->ndev->ifindex == rx->iif && dev_net(qp->dev->ndev) == rx->net)
			deliver_one(qp, *pkt, *payload, rx);
		berth_qp_put(qp);
	}
}
