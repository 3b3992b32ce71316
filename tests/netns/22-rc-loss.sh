#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
# Data over a bad wire: packets lost, doubled, out of order and corrupted (netem, both directions). Every message
# arrives once and whole all the same, and a spoilt packet is never believed. Runs in the guest.
# timeout: 240
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

# What netem did to packets, so that a run in which nothing happened is no pass.
dropped() {
	tc -n "$1" -s qdisc show dev "$2" | sed -n 's/.*dropped \([0-9]*\).*/\1/p' | head -n1
}

bad_wire() {
	local label=$1 before after
	shift
	tc -n ta qdisc replace dev tva root netem limit 10000 "$@" || { fail "loss/$label" "tc refused"; return; }
	tc -n tb qdisc replace dev tvb root netem limit 10000 "$@"
	before=$(census bt0 bt1)
	run_verbs_as '' "loss/$label/" rc_data --dev bt0 --peer bt1 --ack-timeout 12 \
		--filter 'data/*/wire/host-bar' --filter 'data/read/wire/heap-host' --filter 'mtu/*/wire/1024/*' \
		--filter 'psn_wrap/send/wire' --filter 'psn_wrap/read/wire' --filter 'bidir/wire/host' \
		--filter 'order/wire/bar' --filter 'reads/wire/*' --filter 'crowd/wire/host'
	after=$(dropped ta tva)
	[[ $label != loss || ${after:-0} -gt 0 ]] || fail "loss/$label" "netem dropped nothing"
	same_census "loss/$label/left_behind" "$before" bt0 bt1
	tc -n ta qdisc del dev tva root
	tc -n tb qdisc del dev tvb root
}

bad_wire loss loss 2%
bad_wire duplicate duplicate 10%
bad_wire reorder delay 1ms reorder 25% 50%
bad_wire corrupt corrupt 2%
exit $failed
