#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
# What software devices are known to get wrong, tried exhaustively: the state machine, flags, keys, connections that
# fail beside others. Runs in the guest.
# timeout: 180
set -uo pipefail
# shellcheck source=tests/verbs/guest-lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../verbs/guest-lib.sh"
need_programs conformance

before=$(census berth0 berth1)
# As many objects as there may be take the debug kernel, which keeps account of each, a quarter of an hour.
cases=(--filter '[!lk]*' --filter 'keys/alive' --filter 'keys/stale/wire' --filter 'keys/used/*')
debug_kernel || cases+=(--filter 'limits/pd')
! long || debug_kernel || cases=()
run_verbs conformance "${cases[@]}"
same_census conformance/left_behind "$before" berth0 berth1
exit $failed
