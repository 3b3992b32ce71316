#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
# Memory regions that are paged on demand, by the local path and the wire, with somewhere to swap to. Runs in the guest.
# timeout: 300
set -uo pipefail
# shellcheck source=tests/verbs/guest-lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../verbs/guest-lib.sh"
need_programs odp
cleanup() {
	[[ -z ${swap:-} ]] || swapoff "$swap"
	modprobe -qr zram 2>/dev/null
}
trap cleanup EXIT

# Pages that are evicted are gone for a while, not only out of the table.
if modprobe -q zram && echo 256M >/sys/block/zram0/disksize && mkswap /dev/zram0 >/dev/null && swapon /dev/zram0; then
	swap=/dev/zram0
else
	echo "no zram: nothing will be swapped out"
fi

before=$(census berth0 berth1)
run_verbs odp
same_census odp/left_behind "$before" berth0 berth1

if [[ -n ${swap:-} ]]; then
	n=$(awk '$1 == "pswpout" { print $2 }' /proc/vmstat)
	if [[ ${n:-0} -gt 0 ]]; then pass odp/swapped; else fail odp/swapped "nothing was swapped out"; fi
fi
exit $failed
