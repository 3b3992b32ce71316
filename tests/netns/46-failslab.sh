#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
# Every allocation on the way of every create fails once, and nothing stays behind. Needs the fault injection of the
# debug kernel. Runs in the guest.
# timeout: 300
# The kernel warns when an exporter has no memory for vmap().
# harmless: WARNING: CPU: .* at drivers/dma-buf/dma-buf\.c:[0-9]+ dma_buf_vmap
# A radix tree keeps an empty node when the allocation of the next one fails, and uverbs frees only full ones.
# harmless leak: comm "fail_nth".* radix_tree_node_alloc.* radix_tree_insert.* uapi_add_get_elm
set -uo pipefail
# shellcheck source=tests/verbs/guest-lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../verbs/guest-lib.sh"
need_programs fail_nth

if [[ ! -e /proc/self/fail-nth ]]; then
	skip fail/all "this kernel has no fault injection (CONFIG_FAULT_INJECTION)"
	exit 0
fi
# Allocations that may sleep, too; those of page faults (highmem) stay out of it; no word about each in the log.
for what in failslab fail_page_alloc; do
	echo N >"/sys/kernel/debug/$what/ignore-gfp-wait"
	echo 0 >"/sys/kernel/debug/$what/verbose"
done
echo 0 >/sys/kernel/debug/fail_page_alloc/min-order

before=$(census berth0 berth1)
run_verbs fail_nth
ip -n a link del dmf 2>/dev/null
same_census fail/left_behind "$before" berth0 berth1
exit $failed
