/* SPDX-License-Identifier: GPL-2.0 */
/* /sys/kernel/debug/berth_netmem; debugfs.c. */
#ifndef _BERTH_NETMEM_DEBUGFS_H
#define _BERTH_NETMEM_DEBUGFS_H

void berth_netmem_debugfs_init(void);
void berth_netmem_debugfs_fini(void);

#endif /* _BERTH_NETMEM_DEBUGFS_H */
