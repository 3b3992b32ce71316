#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
# TCP-offload QPs in stream mode: a QP adopts a socket whose other end is a plain one; every kind of memory, ends and
# resets, what becomes of the descriptor; over wires that lose and reorder packets, where a buffer that has completed is
# overwritten at once. Runs in the guest.
# timeout: 300
set -uo pipefail
# shellcheck source=tests/verbs/guest-lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../verbs/guest-lib.sh"
need_programs stream
trap link_down EXIT

before=$(census berth0 berth1)
export VT_NETNS=a VT_ADDR=10.77.0.1 VT_ADDR6=fd77::1 VT_PEER_NETNS=b VT_PEER_ADDR=10.77.0.2 VT_PEER_ADDR6=fd77::2
run_verbs stream
# Both ends on one host, over lo.
VT_PEER_NETNS=a VT_PEER_ADDR=10.77.0.1 run_verbs_as stream/ stream/lo/ stream --filter 'stream/both/h*' --filter stream/two_qps
same_census stream/left_behind "$before" berth0 berth1

modprobe -q sch_netem || { skip stream/netem "this kernel has no netem"; exit $failed; }
bad_link_up || { fail stream/setup "no link of our own"; exit 1; }
export VT_NETNS=ta VT_ADDR=10.78.0.1 VT_PEER_NETNS=tb VT_PEER_ADDR=10.78.0.2
for kind in 'loss 2%' 'reorder 75% delay 1ms'; do
	# shellcheck disable=SC2086
	bad_wire $kind
	run_verbs_as stream/ "stream/${kind%% *}/" stream --dev bt0 --filter 'stream/send/*' --filter stream/receive/host
	good_wire
done
exit $failed
