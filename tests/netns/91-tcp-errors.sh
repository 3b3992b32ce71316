#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
# TCP-offload QPs: what fails and how, events, shared receive queues, memory windows, memory paged on demand, memory
# that moves, processes that are killed: the programs that test it of RC QPs, with BERTH_QP_TYPE=tcp. Runs in the guest.
# timeout: 400
set -uo pipefail
# shellcheck source=tests/verbs/guest-lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../verbs/guest-lib.sh"
need_programs rc_errors rc_events rc_srq rc_mw rc_life odp
export BERTH_QP_TYPE=tcp

before=$(census berth0 berth1)
# One device or two, it is a connection.
paths='*/wire'
! long || paths='*'
if debug_kernel; then
	run_verbs_as '' tcp/ rc_errors --filter 'remote/*/host/wire' --filter '[!r]*/wire'
else
	run_verbs_as '' tcp/ rc_errors --filter 'remote/*/bar/wire' --filter '[!rpm]*/wire' --filter 'post/*'
fi
run_verbs_as '' tcp/ rc_events --filter 'channel/*' --filter 'events/*'
run_verbs_as '' tcp/ rc_srq --filter "$paths"
run_verbs_as '' tcp/ rc_mw --filter '*/wire*'
# ATOMIC WRITE does not exist here; absent memory stops the stream without a word to the peer.
odp=(--filter "odp/[!apc]$paths" --filter 'odp/caps' --filter 'odp/churn/private/wire')
! long || odp=(--filter "odp/[!ap]$paths")
run_verbs_as '' tcp/ odp "${odp[@]}"
! long || export LIFE_ROUNDS=50
run_verbs_as '' tcp/ rc_life --filter "kill/$paths" --filter "move/$paths"
same_census tcp/left_behind "$before" berth0 berth1
exit $failed
