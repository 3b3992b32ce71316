// SPDX-License-Identifier: GPL-2.0
/*
 * berth_netmem: the module. Init and exit only; process context.
 *
 * Users of the exported functions hold this module by their symbol dependency, so at exit none is
 * left, and whatever areas, pools or windows still exist were leaked. Each leak is a WARN that says
 * what it was.
 */
#include <linux/module.h>

#include "area.h"
#include "booking.h"
#include "chunk.h"
#include "debugfs.h"
#include "device.h"
#include "window.h"
#include "window_paged.h"

static int __init berth_netmem_init(void)
{
	int err;

	err = berth_device_init();
	if (err)
		return err;
	err = berth_paged_init();
	if (err)
		goto fini_device;
	err = berth_areas_init();
	if (err)
		goto fini_paged;
	err = berth_chunks_init();
	if (err)
		goto fini_areas;
	berth_netmem_debugfs_init();
	return 0;

fini_areas:
	berth_areas_fini();
fini_paged:
	berth_paged_fini();
fini_device:
	berth_device_fini();
	return err;
}

static void __exit berth_netmem_exit(void)
{
	berth_netmem_debugfs_fini();
	berth_chunks_fini();
	WARN(berth_windows_alive(), "berth_netmem: leaked %ld windows\n", berth_windows_alive());
	berth_paged_fini();
	berth_areas_fini();
	berth_bookings_fini();
	berth_device_fini();
}

module_init(berth_netmem_init);
module_exit(berth_netmem_exit);

MODULE_DESCRIPTION("berth: dma-buf areas, windows and chunks");
MODULE_LICENSE("GPL");
