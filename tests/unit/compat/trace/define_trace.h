/* SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB */
/* User-space stand-in for <trace/define_trace.h>: there are no tracepoints. */
