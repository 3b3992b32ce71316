#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
# Extended CQs and CQs that change their size. Runs in the guest.
# timeout: 120
set -uo pipefail
# shellcheck source=tests/verbs/guest-lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../verbs/guest-lib.sh"
need_programs cq_ex

before=$(census berth0 berth1)
run_verbs cq_ex
same_census cq/left_behind "$before" berth0 berth1
exit $failed
