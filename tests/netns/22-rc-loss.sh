#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
# Data over a bad wire: packets lost, doubled, out of order and corrupted (netem, both directions). Every message
# arrives once and whole all the same, and a spoilt packet is never believed. Runs in the guest.
# timeout: 400
set -uo pipefail
# shellcheck source=tests/verbs/guest-lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../verbs/guest-lib.sh"
need_programs rc_data
trap link_down EXIT
modprobe -q sch_netem || { skip loss/netem "this kernel has no netem"; exit 0; }
if ! link_up || ! devs_up; then fail loss/setup "no link of our own"; exit 1; fi

# netem treats a super-packet as one packet: have them cut before.
for d in 'ta tva' 'tb tvb'; do
	read -r ns dev <<<"$d"
	ip netns exec "$ns" ethtool -K "$dev" tx-udp-segmentation off tx-gso-list off ||
		{ fail loss/setup "ethtool on $dev"; exit 1; }
done

# The kernel asks for a neighbour's address once a second and gives up: that is not what is tested here.
mac() { ip -n "$1" -br link show "$2" | awk '{ print $3 }'; }
ip -n ta neigh replace 10.78.0.2 lladdr "$(mac tb tvb)" dev tva nud permanent
ip -n tb neigh replace 10.78.0.1 lladdr "$(mac ta tva)" dev tvb nud permanent

# A counter of both devices together, so that a run in which nothing happened is no pass.
counter() {
	local d
	for d in bt0 bt1; do
		rdma statistic show link "$d/1" | tr ' ' '\n' | grep -A1 -x "$1" | tail -n1
	done | awk '{ n += $1 } END { print n + 0 }'
}

# bad_wire LABEL "NETEM OPTIONS" COUNTER [OPTIONS OF rc_data...]: COUNTER has to rise.
bad_wire() {
	local label=$1 counter=$3 before began netem
	read -ra netem <<<"$2"
	shift 3
	tc -n ta qdisc replace dev tva root netem limit 10000 "${netem[@]}" ||
		{ fail "loss/$label" "tc refused"; return; }
	tc -n tb qdisc replace dev tvb root netem limit 10000 "${netem[@]}"
	before=$(census bt0 bt1)
	began=$(counter "$counter")
	run_verbs_as '' "loss/$label/" rc_data --dev bt0 --peer bt1 --ack-timeout 12 \
		--filter 'data/*/wire/host-bar' --filter 'psn_wrap/read/wire' --filter 'crowd/wire/host' \
		--filter 'reads/wire/16' "$@"
	if [[ $(counter "$counter") -gt $began ]]; then
		pass "loss/$label/happened"
	else
		fail "loss/$label/happened" "the counter $counter did not rise: nothing was tested"
	fi
	same_census "loss/$label/left_behind" "$before" bt0 bt1
	tc -n ta qdisc del dev tva root
	tc -n tb qdisc del dev tvb root
}

bad_wire loss 'loss 2%' retransmits --filter 'mtu/*/wire/1024/*' --filter 'psn_wrap/send/wire' \
	--filter 'bidir/wire/host' --filter 'order/wire/bar'
bad_wire duplicate 'duplicate 10%' rx_duplicate
bad_wire reorder 'delay 1ms reorder 25% 50%' rx_out_of_order
bad_wire corrupt 'corrupt 2%' rx_bad_icrc
exit $failed
