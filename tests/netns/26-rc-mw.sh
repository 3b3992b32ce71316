#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
# Keys that work requests make and end: memory windows, LOCAL_INV; by the local path and the wire. Runs in the guest.
set -uo pipefail
# shellcheck source=tests/verbs/guest-lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../verbs/guest-lib.sh"
need_programs rc_mw

before=$(census berth0 berth1)
run_verbs rc_mw
same_census mw/left_behind "$before" berth0 berth1
exit $failed
