#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
# The module goes and comes, again and again: links are deleted under traffic, the processes killed, the module
# unloaded with links that still exist, loaded, and its links used. 2 rounds, 100 with --long. Runs in the guest.
# timeout: 180
set -uo pipefail
# shellcheck source=tests/verbs/guest-lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../verbs/guest-lib.sh"
need_programs rc_data
rounds=2
! long || rounds=100
traffic=
stop_traffic() {
	[[ -z $traffic ]] || kill -9 -- "-$traffic" 2>/dev/null
	[[ -z $traffic ]] || wait "$traffic" 2>/dev/null
	traffic=
}
cleanup() {
	stop_traffic
	link_down
}
trap cleanup EXIT
link_up || { fail reload/setup "no link of our own"; exit 1; }

# Transfers without end, in a process group of their own.
start_traffic() {
	setsid bash -c 'while "$@"; do :; done' - "$TESTS/rc_data" --dev bt0 --peer bt1 --filter 'bidir/*' \
		>/dev/null 2>&1 &
	traffic=$!
	# Before it is a group, a kill of the group finds nobody.
	while ! kill -0 -- "-$traffic" && kill -0 "$traffic"; do sleep 0.01; done 2>/dev/null
}

one_round() {
	local i
	devs_up || { echo "links do not come up"; return 1; }
	start_traffic
	sleep "0.$((RANDOM % 9))"
	# Refused while a process has the device open; but none may have at this moment.
	((RANDOM % 3)) || rmmod berth 2>/dev/null
	((RANDOM % 2)) && rdma link delete bt0 2>/dev/null
	stop_traffic
	for ((i = 0; i < 100; i++)); do
		[[ ! -e /sys/module/berth ]] || modprobe -r berth 2>/dev/null && break
		sleep 0.05
	done
	[[ ! -e /sys/module/berth ]] || { echo "modprobe -r berth: $(modprobe -r berth 2>&1)"; return 1; }
	no_dev bt0 && no_dev bt1 && no_dev berth0 || { echo "a device outlived the module"; return 1; }
	[[ ! -s /sys/kernel/debug/berth_netmem/areas ]] || { echo "areas are left"; return 1; }
	modprobe berth || { echo "modprobe berth"; return 1; }
}

for ((round = 1; round <= rounds; round++)); do
	out=$(one_round 2>&1) || { fail "reload/rounds" "round $round: ${out//$'\n'/; }"; break; }
done
((round <= rounds)) || pass reload/rounds
for d in 'berth0 a va' 'berth1 b vb'; do
	# shellcheck disable=SC2086
	check "reload/add_again/${d%% *}" add_dev $d
done
sleep 0.5
run_verbs_as data/ reload/after/ rc_data --filter 'data/write/wire/bar-heap' --filter 'data/send/local/host-host'
exit $failed
