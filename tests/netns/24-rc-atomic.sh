#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
# Atomics and ATOMIC WRITE: values, errors, every kind of memory, both paths; and over a bad wire (packets lost and doubled), where
# each must be done once all the same and every value come back. Runs in the guest.
# timeout: 240
set -uo pipefail
# shellcheck source=tests/verbs/guest-lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../verbs/guest-lib.sh"
need_programs rc_atomic rc_atomic_write
trap link_down EXIT

before=$(census berth0 berth1)
run_verbs rc_atomic
run_verbs rc_atomic_write
same_census atomic/left_behind "$before" berth0 berth1

modprobe -q sch_netem || { skip atomic/netem "this kernel has no netem"; exit $failed; }
if ! link_up || ! devs_up; then fail atomic/setup "no link of our own"; exit 1; fi
for d in 'ta tva' 'tb tvb'; do
	read -r ns dev <<<"$d"
	# netem treats a super-packet as one packet: have them cut before.
	ip netns exec "$ns" ethtool -K "$dev" tx-udp-segmentation off tx-gso-list off ||
		{ fail atomic/setup "ethtool on $dev"; exit 1; }
done
mac() { ip -n "$1" -br link show "$2" | awk '{ print $3 }'; }
ip -n ta neigh replace 10.78.0.2 lladdr "$(mac tb tvb)" dev tva nud permanent
ip -n tb neigh replace 10.78.0.1 lladdr "$(mac ta tva)" dev tvb nud permanent
tc -n ta qdisc replace dev tva root netem limit 10000 loss 5% duplicate 5%
tc -n tb qdisc replace dev tvb root netem limit 10000 loss 5% duplicate 5%
run_verbs_as '' 'bad_wire/' rc_atomic --dev bt0 --peer bt1 --ack-timeout 12 --filter 'stream/wire/host' \
	--filter 'stream/wire/bar' --filter 'mixed/wire/host' --filter 'crowd/wire/host'
run_verbs_as '' 'bad_wire/' rc_atomic_write --dev bt0 --peer bt1 --ack-timeout 12 --filter 'atomic_write/stream/wire/host' \
	--filter 'atomic_write/stream/wire/bar' --filter 'atomic_write/behind/wire/host'
n=$(rdma statistic show link bt1/1 | tr ' ' '\n' | grep -A1 -x rx_duplicate | tail -n1)
if [[ ${n:-0} -gt 0 ]]; then
	pass bad_wire/happened
else
	fail bad_wire/happened "no request came twice: nothing was tested"
fi
exit $failed
