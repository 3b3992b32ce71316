#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
# Multicast: groups of datagram QPs over IPv4 and IPv6, on one device and over the wire; rdma_cm joins (mckey, IPv4:
# the core refuses IPv6 groups over RoCE v2); nothing stays joined. Runs in the guest.
# timeout: 120
set -uo pipefail
# shellcheck source=tests/verbs/guest-lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../verbs/guest-lib.sh"
need_programs ud_mcast

limit=$((30 * ${BERTH_SLOW:-1}))
memberships() { ip -n a -o maddr show dev va; ip -n b -o maddr show dev vb; }

# Not by grep -q, which ends before all was written, and with pipefail that is a failure.
has_users() { [[ $(memberships) =~ va[^$'\n']*$1\ users\ $2 ]]; }

# mckey NAME GROUP RECEIVER SENDER: rdma_cm joins a group on both sides, 10 messages arrive.
mckey_case() {
	local name=$1 group=$2 to=$3 from=$4 out rc=0 i
	out=$(mktemp)
	ip netns exec a timeout "$limit" mckey -m "$group" -b "$to" -c 1 -C 10 >"$out" 2>&1 &
	# What is sent before it is attached is lost. rdma_cm has joined once, the QP that is attached once more.
	wait_for has_users "$group" 2
	for ((i = 0; i < 2; i++)); do
		ip netns exec b timeout "$limit" mckey -m "$group" -b "$from" -s -c 1 -C 10 >"$out.s" 2>&1 || rc=$?
		sleep 1
		kill -0 $! 2>/dev/null || break
	done
	wait $! || rc=$?
	if [[ $rc -eq 0 ]]; then pass "$name"; else fail "$name" "status $rc: $(tail -n 4 "$out" "$out.s" | tr '\n' ';')"; fi
}

before=$(census berth0 berth1)
joined=$(memberships)
run_verbs ud_mcast
if command -v mckey >/dev/null; then
	mckey_case mcast/rdma_cm/ipv4 239.77.1.1 10.77.0.1 10.77.0.2
else
	skip mcast/rdma_cm "mckey is not installed (rdmacm-utils)"
fi
same_census mcast/left_behind "$before" berth0 berth1
now=$(memberships)
if [[ $now == "$joined" ]]; then pass mcast/left_groups; else fail mcast/left_groups "was '$joined', is '$now'"; fi
exit $failed
