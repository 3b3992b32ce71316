#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
# Devices that go while in use: the link deleted, the netdev removed, its namespace deleted, the module unloaded;
# by a process with requests on the way and regions of every kind. Afterwards everything is built up again and
# works. Ends with berth0 and berth1 as the VM made them. Runs in the guest.
# timeout: 240
set -uo pipefail
# shellcheck source=tests/verbs/guest-lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../verbs/guest-lib.sh"
need_programs rc_life rc_data
trap link_down EXIT

# gone NAME COMMAND [may-fail]: in a process that uses bt0.
gone() {
	local name=$1 out rc=0
	export VT_CMD=$2
	unset VT_CMD_MAY_FAIL
	[[ -z ${3:-} ]] || export VT_CMD_MAY_FAIL=1
	out=$("$TESTS/rc_life" --slow "$(slow)" --dev bt0 --peer none --filter gone/device 2>/tmp/gone.$$) || rc=$?
	echo "${out//gone\/device/gone/$name}"
	cat /tmp/gone.$$ >&2
	[[ $rc -eq 0 ]] || failed=1
}

works() {
	run_verbs_as data/ "gone/after_$1/" rc_data --dev "$2" --peer "$3" --filter 'data/write/wire/bar-heap' \
		--filter 'data/send/local/host-host'
}

again() {
	link_down
	link_up && devs_up || { fail "gone/after_$1" "the link does not come up again"; exit 1; }
	works "$1" bt0 bt1
}

areas=$(census)
again nothing
gone link_delete 'rdma link delete bt0'
wait_for no_dev bt0 || fail gone/link_delete "bt0 is still there"
again link_delete
gone netdev_removed 'ip -n ta link del tva'
wait_for no_dev bt0 || fail gone/netdev_removed "bt0 is still there"
again netdev_removed
gone netdev_moved 'ip -n ta link set tva netns 1'
wait_for no_dev bt0 || fail gone/netdev_moved "bt0 is still there"
ip link del tva
again netdev_moved
gone netns_deleted 'ip netns del ta'
wait_for no_dev bt0 || fail gone/netns_deleted "bt0 is still there"
again netns_deleted
gone module_unload 'modprobe -r berth' may-fail
[[ -e /sys/module/berth ]] || fail gone/module_unload "the module went although a process had it open"
link_down
same_census gone/left_behind "$areas"

# Nobody uses it any more: links may exist, the module goes, and comes again.
check gone/unload_idle modprobe -r berth
no_dev berth0 || fail gone/unload_idle "berth0 is still there"
check gone/load_again modprobe berth
for d in 'berth0 a va' 'berth1 b vb'; do
	# shellcheck disable=SC2086
	check "gone/add_again/${d%% *}" add_dev $d
done
sleep 0.5
works module_unload berth0 berth1
exit $failed
