// SPDX-License-Identifier: GPL-2.0
/*
 * /sys/kernel/debug/berth_netmem/areas: one line for each area. Process context; the registry keeps
 * areas in place while they are shown, everything else is read without locks and may be a moment
 * old.
 *
 * Columns: id, exporter, size and mapped bytes, device, references, system or I/O memory, state,
 * moves so far, then chunks: total, allocated, free on the stack, free in caches, allocations that
 * found none; of areas that lease chunks of a NIC's binding also: leased chunks, those out with the
 * holders, those kept free for them, those free with the NIC.
 */
#include <linux/debugfs.h>
#include <linux/device.h>
#include <linux/seq_file.h>

#include "area.h"
#include "chunk.h"
#include "debugfs.h"
#include "lease.h"

static struct dentry *debugfs_root;

static const char *state_name(enum berth_window_state state)
{
	switch (state) {
	case BERTH_WINDOW_READY:
		return "ready";
	case BERTH_WINDOW_MOVING:
		return "moving";
	case BERTH_WINDOW_REVOKED:
		return "revoked";
	}
	return "?";
}

static void area_show(struct seq_file *s, struct berth_area *area)
{
	enum berth_window_state state = berth_window_state(&area->window);
	struct berth_chunk_account account;
	struct berth_lease_account lease;

	berth_area_chunks_account(area, &account);
	berth_area_leases_account(area, &lease);
	seq_printf(s, "id=%u exporter=%s size=%llu mapped=%llu device=%s refs=%u ", area->id,
		   area->dmabuf->exp_name, area->window.length,
		   state == BERTH_WINDOW_READY ? area->window.length : 0, dev_name(area->dev),
		   refcount_read(&area->refs));
	seq_printf(s, "memory=%s state=%s moves=%u ",
		   berth_window_is_iomem(&area->window) ? "io" : "sys", state_name(state),
		   READ_ONCE(area->moves));
	seq_printf(s, "chunks=%u allocated=%u free=%u cached=%u exhausted=%llu", account.total,
		   account.allocated, account.free, account.cached, account.exhausted);
	if (lease.total)
		seq_printf(s, " leased=%u out=%u kept=%u home=%u", lease.total, lease.out, lease.kept,
			   lease.home);
	seq_putc(s, '\n');
}

static int areas_show(struct seq_file *s, void *unused)
{
	berth_areas_show(s, area_show);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(areas);

void berth_netmem_debugfs_init(void)
{
	debugfs_root = debugfs_create_dir("berth_netmem", NULL);
	debugfs_create_file("areas", 0444, debugfs_root, NULL, &areas_fops);
}

void berth_netmem_debugfs_fini(void)
{
	debugfs_remove_recursive(debugfs_root);
}
