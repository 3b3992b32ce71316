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
bad_link_up || { fail loss/setup "no link of our own"; exit 1; }

cases=(--filter 'data/*/wire/host-bar' --filter 'psn_wrap/read/wire' --filter 'crowd/wire/host' --filter 'reads/wire/16')
of_loss=(--filter 'mtu/*/wire/1024/*' --filter 'psn_wrap/send/wire' --filter 'bidir/wire/host' --filter 'order/wire/bar'
	--filter 'reuse/*/wire/host')
if debug_kernel; then
	cases=(--filter 'data/send_inv/wire/host-bar' --filter 'data/write_imm/wire/host-bar' --filter 'data/read/wire/host-bar'
		--filter 'psn_wrap/read/wire' --filter 'crowd/wire/host' --filter 'reads/wire/16')
	of_loss=(--filter 'mtu/send/wire/1024/*' --filter 'psn_wrap/send/wire' --filter 'order/wire/bar'
		--filter 'reuse/write/wire/host')
fi

# over LABEL "NETEM OPTIONS" COUNTER [OPTIONS OF rc_data...]: COUNTER has to rise.
over() {
	local label=$1 counter=$3 before began netem
	read -ra netem <<<"$2"
	shift 3
	bad_wire "${netem[@]}" || { fail "loss/$label" "tc refused ${netem[*]}"; return; }
	before=$(census bt0 bt1)
	began=$(counters "$counter")
	run_verbs_as '' "loss/$label/" rc_data --dev bt0 --peer bt1 --ack-timeout 12 "${cases[@]}" "$@"
	if [[ $(counters "$counter") -gt $began ]]; then
		pass "loss/$label/happened"
	else
		fail "loss/$label/happened" "the counter $counter did not rise: nothing was tested"
	fi
	same_census "loss/$label/left_behind" "$before" bt0 bt1
	good_wire
}

over loss 'loss 2%' retransmits "${of_loss[@]}"
over duplicate 'duplicate 10%' rx_duplicate
over reorder 'delay 1ms reorder 25% 50%' rx_out_of_order
over corrupt 'corrupt 2%' rx_bad_icrc
exit $failed
