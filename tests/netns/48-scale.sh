#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
# 2,000 QPs, 64 processes; what an idle QP takes; with --long 10,000 QPs and 1,000 busy ones. Runs in the guest.
# timeout: 300
set -uo pipefail
# shellcheck source=tests/verbs/guest-lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../verbs/guest-lib.sh"
need_programs scale

before=$(census berth0 berth1)
if debug_kernel; then
	run_verbs scale --filter 'scale/qps/local' --filter 'scale/rate/wire' --filter 'scale/processes/wire'
else
	run_verbs scale --filter 'scale/qps/local' --filter 'scale/processes/*'
	! long || run_verbs scale --filter 'scale/qps/wire' --filter 'scale/rate/*'
fi
same_census scale/left_behind "$before" berth0 berth1
exit $failed
