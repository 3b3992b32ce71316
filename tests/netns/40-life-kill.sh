#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
# Processes killed in mid-transfer, either side, every kind of request: the survivor gets its error, the kernel gets
# everything back. 40 rounds, 500 with --long. Runs in the guest.
# timeout: 180
set -uo pipefail
# shellcheck source=tests/verbs/guest-lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../verbs/guest-lib.sh"
need_programs rc_life

! long || export LIFE_ROUNDS=50
before=$(census berth0 berth1)
run_verbs rc_life --filter 'kill/*'
same_census kill/left_behind "$before" berth0 berth1
exit $failed
