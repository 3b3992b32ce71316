#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
# Connection tracking sees what berth receives, whether its hooks came before ours or after: connections are
# confirmed, so that they are entered and the rules' idea of state is right. Runs in the guest.
set -uo pipefail
# shellcheck source=tests/verbs/guest-lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../verbs/guest-lib.sh"
need_programs rc_data
cleanup() {
	link_down
	modprobe -q -r nf_conntrack
	return 0
}
trap cleanup EXIT

if ! modprobe -n -q nf_conntrack; then
	skip conntrack/before "this kernel has no connection tracking"
	exit 0
fi

# tracked NAME: traffic, then both ends know the IPv4 flow towards themselves.
tracked() {
	local ns
	run_verbs_as data/ "$1/" rc_data --dev bt0 --peer bt1 --filter 'data/*/wire/host-host'
	run_verbs_as ipv6/ "$1/ipv6/" rc_data --dev bt0 --peer bt1 --filter 'ipv6/write/wire'
	for ns in ta tb; do
		if ip netns exec $ns grep -q "src=10.78.0.$([[ $ns == ta ]] && echo 2 || echo 1) .*dport=4791" /proc/net/nf_conntrack; then
			pass "$1/entered_$ns"
		else
			fail "$1/entered_$ns" "nothing of the peer in /proc/net/nf_conntrack of $ns"
		fi
	done
}

modprobe -q -r nf_conntrack
link_up || { fail conntrack/setup "no link of our own"; exit 1; }
devs_up || { fail conntrack/setup "no devices"; exit 1; }
check conntrack/load modprobe nf_conntrack enable_hooks=1
tracked conntrack/after
# New namespaces, where it tracks from the beginning and nothing is entered yet.
link_down
link_up && devs_up || fail conntrack/again "no link of our own"
tracked conntrack/before
exit $failed
