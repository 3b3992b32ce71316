// SPDX-License-Identifier: GPL-2.0
/*
 * A device to attach dma-bufs with, for RDMA devices that are software.
 *
 * An exporter wants to map its memory for somebody's DMA. Here the CPU is that somebody: a platform
 * device without firmware node gets no IOMMU, so DMA addresses are physical addresses, and it
 * reaches all 64 bits. Created and removed with the module, in process context; constant in
 * between, so no lock.
 */
#include <linux/dma-mapping.h>
#include <linux/err.h>
#include <linux/platform_device.h>

#include <berth/netmem.h>

#include "compat.h"
#include "device.h"

static struct platform_device *netmem_pdev;

int berth_device_init(void)
{
	const struct platform_device_info info = {
		.name		= "berth_netmem",
		.id		= PLATFORM_DEVID_NONE,
		.dma_mask	= DMA_BIT_MASK(64),
	};

	netmem_pdev = platform_device_register_full(&info);
	if (IS_ERR(netmem_pdev))
		return PTR_ERR(netmem_pdev);
	dma_set_max_seg_size(&netmem_pdev->dev, UINT_MAX);
	berth_dma_forgo_bounce(&netmem_pdev->dev);
	return 0;
}

void berth_device_fini(void)
{
	platform_device_unregister(netmem_pdev);
}

struct device *berth_netmem_device(void)
{
	return &netmem_pdev->dev;
}
EXPORT_SYMBOL_GPL(berth_netmem_device);
