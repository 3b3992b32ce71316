// SPDX-License-Identifier: GPL-2.0
/*
 * The doorbell file, see doorbell.h.
 *
 * The file may outlive the context it was opened on: it is inherited by fork, passed through
 * sockets, or still open when the device is removed. It never keeps a context alive. It points at
 * the context under RCU: destruction of the object (last close, close of the context, or device
 * removal; the core calls it once and under its own lock) clears the pointer and waits for the
 * lookups that have seen it. So a doorbell costs two increments of a task-local counter at most and
 * no lock until it has its queue pair. Whoever holds the file may ring the context's
 * queue pairs: it is the capability.
 *
 * The memory is the core's: the file holds a reference of the uobject until its release.
 */
#include <linux/fs.h>
#include <linux/module.h>
#include <rdma/berth-abi.h>
#include <rdma/uverbs_std_types.h>
#include <rdma/uverbs_types.h>
#include "../tcp/stream.h"
#include "dm.h"
#include "doorbell.h"
#include "import.h"
#include "qp.h"
#include "rx_area.h"
#include "ucontext.h"

#define UVERBS_MODULE_NAME berth
#include <rdma/uverbs_named_ioctl.h>

#define RING_BITS	(BERTH_RING_QPN_MASK | BERTH_RING_SQ | BERTH_RING_RQ)

struct berth_doorbell {
	struct ib_uobject uobj;			/* first: uverbs allocates and frees by it */
	struct berth_ucontext __rcu *uctx;	/* NULL: the context has gone */
};

static struct berth_doorbell *doorbell_of(struct ib_uobject *uobj)
{
	return container_of(uobj, struct berth_doorbell, uobj);
}

/*
 * BERTH_IOC_RING: 0; -EINVAL: no such QP of this context; -EIO: the context or device has gone. The
 * context is looked at under RCU; from there on the reference of the QP is enough.
 */
static long doorbell_ioctl(struct file *filp, unsigned int cmd, unsigned long arg)
{
	struct berth_doorbell *doorbell = doorbell_of(filp->private_data);
	struct berth_qp *qp = NULL;
	struct berth_ucontext *uctx;

	if (unlikely(cmd != BERTH_IOC_RING))
		return -ENOTTY;
	if (unlikely(arg & ~(unsigned long)RING_BITS))
		return -EINVAL;

	rcu_read_lock();
	uctx = rcu_dereference(doorbell->uctx);
	if (likely(uctx))
		qp = berth_qp_get_owned(uctx, arg & BERTH_RING_QPN_MASK);
	rcu_read_unlock();
	if (unlikely(!qp))
		return uctx ? -EINVAL : -EIO;

	berth_qp_ring(qp, arg);
	berth_qp_put(qp);
	return 0;
}

static const struct file_operations doorbell_fops = {
	.owner = THIS_MODULE,
	.release = uverbs_uobject_fd_release,
	.unlocked_ioctl = doorbell_ioctl,
	.compat_ioctl = doorbell_ioctl,		/* the argument is a number */
};

/*
 * Expedited: this runs in the exit of every process and a normal grace period takes tens of
 * milliseconds; waiting at all is what lets the core free the context when this returns.
 */
static void doorbell_destroy(struct ib_uobject *uobj, enum rdma_remove_reason why)
{
	RCU_INIT_POINTER(doorbell_of(uobj)->uctx, NULL);
	synchronize_rcu_expedited();
}

static int UVERBS_HANDLER(BERTH_METHOD_DOORBELL_OPEN)(struct uverbs_attr_bundle *attrs)
{
	struct ib_uobject *uobj = uverbs_attr_get_uobject(attrs, BERTH_ATTR_DOORBELL_OPEN_FD);

	/* Nobody sees the object before the core installs the file. */
	RCU_INIT_POINTER(doorbell_of(uobj)->uctx, berth_ucontext(attrs->context));
	return 0;
}

DECLARE_UVERBS_NAMED_METHOD(BERTH_METHOD_DOORBELL_OPEN,
			    UVERBS_ATTR_FD(BERTH_ATTR_DOORBELL_OPEN_FD, BERTH_OBJECT_DOORBELL,
					   UVERBS_ACCESS_NEW, UA_MANDATORY));

DECLARE_UVERBS_NAMED_OBJECT(BERTH_OBJECT_DOORBELL,
			    UVERBS_TYPE_ALLOC_FD(sizeof(struct berth_doorbell), doorbell_destroy,
						 &doorbell_fops, "[berth_doorbell]", O_RDWR),
			    &UVERBS_METHOD(BERTH_METHOD_DOORBELL_OPEN));

const struct uapi_definition berth_uapi_defs[] = {
	UAPI_DEF_CHAIN_OBJ_TREE_NAMED(BERTH_OBJECT_DOORBELL),
	UAPI_DEF_CHAIN(berth_dm_uapi_defs),
	UAPI_DEF_CHAIN(berth_import_uapi_defs),
	UAPI_DEF_CHAIN(berth_stream_uapi_defs),
	UAPI_DEF_CHAIN(berth_rx_area_uapi_defs),
	{}
};
