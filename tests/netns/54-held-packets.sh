#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
# Buffers of packets are used again only when nobody has the packet any more: what a sniffer holds while much more is
# sent keeps its bytes, and so does what waits in a queue. Retransmission would hide it: ICRCs are looked at. Runs in
# the guest.
# timeout: 120
set -uo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
# shellcheck source=tests/verbs/guest-lib.sh
. "$here/../verbs/guest-lib.sh"
need_programs rc_data
dir=$(mktemp -d /tmp/held.XXXXXX)
trap 'link_down; rm -rf "$dir"' EXIT
link_up && devs_up || { fail held/setup "no link of our own"; exit 1; }

# Messages of many packets of the largest path MTU, and of one.
traffic() {
	run_verbs_as '' "$1/" rc_data --dev bt0 --peer bt1 --ack-timeout 18 --filter 'mtu/write/wire/4096/*' \
		--filter 'mtu/read/wire/4096/*' --filter 'mtu/send/wire/1024/*'
}

held_by_sniffer() {
	local pid out
	ip netns exec ta python3 "$here/hold_packets.py" tva "$dir/held.pcap" >"$dir/said" &
	pid=$!
	wait_for grep -q holding "$dir/said" || { fail held/sniffer "hold_packets.py does not start"; return; }
	traffic held/sniffer
	kill -TERM $pid
	wait $pid || { fail held/sniffer "hold_packets.py failed"; return; }
	if out=$(python3 "$here/wire_check.py" "$dir/held.pcap" --supers 64 --want 6,7,8,13,14,15); then
		pass held/sniffer/bytes
	else
		fail held/sniffer/bytes "${out//$'\n'/; }"
	fi
	echo "$out"
}

# Nothing is lost or spoilt on this wire, it is slow: more is on its way than one CPU keeps.
held_by_queue() {
	local before bad
	modprobe -q sch_netem || { skip held/queue "this kernel has no netem"; return; }
	tell_neighbours
	bad_wire delay 20ms || { fail held/queue "tc refused it"; return; }
	before=$(counters rx_bad_icrc)
	traffic held/queue
	bad=$(($(counters rx_bad_icrc) - before))
	good_wire
	if ((bad)); then fail held/queue/bytes "$bad packets with a wrong ICRC"; else pass held/queue/bytes; fi
}

held_by_sniffer
held_by_queue
exit $failed
