/* SPDX-License-Identifier: GPL-2.0 */
/* What differs between kernel versions, for the test modules. Every version check is here. */
#ifndef _BERTH_EXPORTER_COMPAT_H
#define _BERTH_EXPORTER_COMPAT_H

#include <linux/module.h>
#include <linux/version.h>

/* Since 6.13 MODULE_IMPORT_NS() takes a string. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 13, 0)
#define BERTH_IMPORT_NS(ns)	MODULE_IMPORT_NS(#ns)
#else
#define BERTH_IMPORT_NS(ns)	MODULE_IMPORT_NS(ns)
#endif

#endif /* _BERTH_EXPORTER_COMPAT_H */
