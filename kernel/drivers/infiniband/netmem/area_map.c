// SPDX-License-Identifier: GPL-2.0
/*
 * The mapping of an area: attach as a dynamic importer, map for the device, get a kernel address,
 * publish; and back, when the exporter moves the memory, when somebody revokes it, when the area
 * ends.
 *
 * Process context. The reservation lock of the dma-buf covers the mapping. The exporter calls
 * area_move_notify() with that lock held, and when it returns no access runs: unpublish, grace
 * period, unmap. Bringing the mapping up has three steps, because begin_cpu_access may not be
 * called with the lock held: map (locked), begin_cpu_access, publish (locked) if the mapping is
 * still there.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/device.h>
#include <linux/dma-direct.h>
#include <linux/dma-resv.h>
#include <linux/io.h>
#include <linux/iommu.h>
#include <linux/ioport.h>
#include <linux/scatterlist.h>
#include <linux/swiotlb.h>

#include "area.h"
#include "booking.h"
#include "compat.h"

BERTH_IMPORT_NS(DMA_BUF);

/* Say once per failed registration what stands in the way: the errno cannot. */
#define area_refuse(area, fmt, ...) \
	pr_info_ratelimited("dma-buf of exporter %s cannot be registered: " fmt "\n", \
			    (area)->dmabuf->exp_name, ##__VA_ARGS__)

/* Errors after which mapping again may work: the exporter is busy, or short of something. */
bool berth_area_map_may_pass(int err)
{
	return err == -EAGAIN || err == -EBUSY || err == -ENOMEM ||
	       err == -EINTR || err == -ERESTARTSYS || err == -ENOSPC;
}

/*
 * ---- ioremap, for exporters without vmap, on request ----
 */

/* Are the DMA addresses of this device physical addresses? */
static bool dma_is_direct(struct device *dev)
{
	struct iommu_domain *domain = iommu_get_domain_for_dev(dev);

	return !berth_dma_has_ops(dev) && (!domain || domain->type == IOMMU_DOMAIN_IDENTITY);
}

/* The one physical range that the mapping covers, or an error. */
static int sgt_range(struct berth_area *area, phys_addr_t *base)
{
	struct scatterlist *sg;
	u64 have = 0;
	int i;

	for_each_sgtable_dma_sg(area->sgt, sg, i) {
		phys_addr_t at;

		if (sg_dma_is_bus_address(sg)) {
			area_refuse(area, "its addresses are PCI bus addresses");
			return -EOPNOTSUPP;
		}
		at = dma_to_phys(area->dev, sg_dma_address(sg));
		if (!have)
			*base = at;
		if (at != *base + have) {
			area_refuse(area, "it has no vmap and is not in one piece");
			return -EOPNOTSUPP;
		}
		have += sg_dma_len(sg);
	}
	return have && have >= area->dmabuf->size ? 0 : -EINVAL;
}

static int remap_bus(struct berth_area *area)
{
	void __iomem *addr;
	phys_addr_t base;
	int err;

	if (!dma_is_direct(area->dev)) {
		area_refuse(area, "it has no vmap, and %s has an IOMMU", dev_name(area->dev));
		return -EOPNOTSUPP;
	}
	err = sgt_range(area, &base);
	if (err)
		return err;
	if (region_intersects(base, area->dmabuf->size, IORESOURCE_SYSTEM_RAM, IORES_DESC_NONE) !=
	    REGION_DISJOINT) {
		area_refuse(area, "it has no vmap and is not device memory");
		return -EOPNOTSUPP;
	}
	addr = ioremap_wc(base, area->dmabuf->size);
	if (!addr)
		return -ENOMEM;
	iosys_map_set_vaddr_iomem(&area->vmap, addr);
	area->ioremapped = true;
	return 0;
}

/*
 * ---- up and down, under the reservation lock ----
 */

static int map_address(struct berth_area *area)
{
	if (area->dmabuf->ops->vmap) {
		area->ioremapped = false;
		return dma_buf_vmap(area->dmabuf, &area->vmap);
	}
	if (area->flags & BERTH_AREA_IOREMAP)
		return remap_bus(area);
	return -EOPNOTSUPP;
}

static int map_locked(struct berth_area *area)
{
	struct sg_table *sgt;
	long left;
	int err;

	dma_resv_assert_held(area->dmabuf->resv);
	if (berth_window_state(&area->window) == BERTH_WINDOW_REVOKED)
		return -EKEYREVOKED;
	if (area->sgt)
		return 0;

	sgt = dma_buf_map_attachment(area->attach, DMA_BIDIRECTIONAL);
	if (IS_ERR(sgt))
		return PTR_ERR(sgt);
	area->sgt = sgt;
	/* A dynamic importer has to wait for the move to end by itself. */
	left = dma_resv_wait_timeout(area->dmabuf->resv, DMA_RESV_USAGE_KERNEL, false,
				     MAX_SCHEDULE_TIMEOUT);
	err = left < 0 ? left : 0;
	if (err)
		goto unmap_attachment;
	err = berth_bookings_claim(area);
	if (err)
		goto unmap_attachment;
	err = map_address(area);
	if (err)
		goto drop_claims;
	return 0;

drop_claims:
	berth_bookings_drop(area);
unmap_attachment:
	dma_buf_unmap_attachment(area->attach, sgt, DMA_BIDIRECTIONAL);
	area->sgt = NULL;
	return err;
}

/* Take the mapping down, if there is one. Readers see the state that the caller has set. */
static void unmap_locked(struct berth_area *area)
{
	dma_resv_assert_held(area->dmabuf->resv);
	if (!area->sgt)
		return;
	berth_window_unpublish(&area->window);
	berth_bookings_drop(area);
	if (area->ioremapped)
		iounmap(area->vmap.vaddr_iomem);
	else
		dma_buf_vunmap(area->dmabuf, &area->vmap);
	iosys_map_clear(&area->vmap);
	dma_buf_unmap_attachment(area->attach, area->sgt, DMA_BIDIRECTIONAL);
	area->sgt = NULL;
}

/* Called by the exporter, reservation lock held: the memory goes away when we return. */
static void area_move_notify(struct dma_buf_attachment *attach)
{
	struct berth_area *area = attach->importer_priv;

	dma_resv_assert_held(attach->dmabuf->resv);
	if (berth_window_state(&area->window) == BERTH_WINDOW_REVOKED || !area->sgt)
		return;
	berth_window_set_state(&area->window, BERTH_WINDOW_MOVING);
	WRITE_ONCE(area->moves, area->moves + 1);
	unmap_locked(area);
	berth_area_work_queue(area, 0);
}

static const struct dma_buf_attach_ops area_attach_ops = {
	.allow_peer2peer	= true,
	.move_notify		= area_move_notify,
};

/*
 * ---- for area.c ----
 */

/**
 * berth_area_attach() - attach a new area to its dma-buf
 * @area: the area.
 *
 * Context: process; no reservation lock held.
 * Return: 0, -EOPNOTSUPP, or the exporter's error.
 */
int berth_area_attach(struct berth_area *area)
{
	struct dma_buf_attachment *attach;

	if (is_swiotlb_force_bounce(area->dev)) {
		area_refuse(area, "device %s bounces all DMA (swiotlb=force)", dev_name(area->dev));
		return -EOPNOTSUPP;
	}
	if (!area->dmabuf->ops->vmap && !(area->flags & BERTH_AREA_IOREMAP)) {
		area_refuse(area, "it has no vmap, so the CPU cannot reach its memory");
		return -EOPNOTSUPP;
	}
	attach = dma_buf_dynamic_attach(area->dmabuf, area->dev, &area_attach_ops, area);
	if (IS_ERR(attach))
		return PTR_ERR(attach);
	area->attach = attach;
	return 0;
}

/**
 * berth_area_detach() - undo berth_area_attach(), also of an area that is not attached
 * @area: the area; berth_area_shut() came before, so nobody maps it again.
 *
 * Context: process; no reservation lock held.
 */
void berth_area_detach(struct berth_area *area)
{
	mutex_lock(&area->map_lock);
	if (area->cpu_access)
		dma_buf_end_cpu_access(area->dmabuf, DMA_BIDIRECTIONAL);
	area->cpu_access = false;
	if (area->attach)
		dma_buf_detach(area->dmabuf, area->attach);
	area->attach = NULL;
	mutex_unlock(&area->map_lock);
}

/* Begin CPU access to a fresh mapping; end the one of the mapping before. */
static int bracket_cpu_access(struct berth_area *area)
{
	int err;

	lockdep_assert_held(&area->map_lock);
	if (area->cpu_access)
		dma_buf_end_cpu_access(area->dmabuf, DMA_BIDIRECTIONAL);
	err = dma_buf_begin_cpu_access(area->dmabuf, DMA_BIDIRECTIONAL);
	area->cpu_access = !err;
	return err;
}

/**
 * berth_area_map() - bring the mapping of an attached area up, if it is down
 * @area: the area.
 *
 * Context: process; no reservation lock held.
 * Return: 0 when the window is ready; -EKEYREVOKED; AREA_MOVED when the exporter moved the memory
 *	meanwhile and the work will go on; or the exporter's error, after which nothing is mapped.
 */
int berth_area_map(struct berth_area *area)
{
	struct dma_resv *resv = area->dmabuf->resv;
	bool ready;
	int err;

	mutex_lock(&area->map_lock);
	dma_resv_lock(resv, NULL);
	ready = berth_window_state(&area->window) == BERTH_WINDOW_READY;
	err = ready ? 0 : map_locked(area);
	dma_resv_unlock(resv);
	if (err || ready)
		goto unlock;

	err = bracket_cpu_access(area);
	dma_resv_lock(resv, NULL);
	if (err) {
		unmap_locked(area);
	} else if (berth_window_state(&area->window) == BERTH_WINDOW_REVOKED) {
		err = -EKEYREVOKED;
	} else if (!area->sgt) {
		err = AREA_MOVED;
	} else {
		berth_window_publish(&area->window, &area->vmap);
		area->tell = true;
	}
	dma_resv_unlock(resv);
unlock:
	mutex_unlock(&area->map_lock);
	return err;
}

/**
 * berth_area_shut() - end all access for good and take the mapping down
 * @area: the area, attached or not.
 *
 * Context: process; no reservation lock held.
 */
void berth_area_shut(struct berth_area *area)
{
	dma_resv_lock(area->dmabuf->resv, NULL);
	if (berth_window_state(&area->window) != BERTH_WINDOW_REVOKED) {
		berth_window_set_state(&area->window, BERTH_WINDOW_REVOKED);
		area->tell = true;
	}
	unmap_locked(area);
	dma_resv_unlock(area->dmabuf->resv);
}
