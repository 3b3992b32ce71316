#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
# Device memory that moves or is revoked under traffic. Runs in the guest.
# timeout: 240
set -uo pipefail
# shellcheck source=tests/verbs/guest-lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../verbs/guest-lib.sh"
need_programs rc_life

before=$(census berth0 berth1)
run_verbs rc_life --filter 'move/*' --filter 'revoke/*'
same_census move/left_behind "$before" berth0 berth1
# A left attachment or mapping would keep the exporter.
check move/exporter_unloads modprobe -r berth_move_exporter
modprobe -q berth_move_exporter
exit $failed
