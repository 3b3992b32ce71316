#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
# Shared receive queues: data over several QPs, limits, other sizes, QPs that fail. Runs in the guest.
# timeout: 120
set -uo pipefail
# shellcheck source=tests/verbs/guest-lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../verbs/guest-lib.sh"
need_programs rc_srq

before=$(census berth0 berth1)
run_verbs rc_srq
same_census srq/left_behind "$before" berth0 berth1
exit $failed
