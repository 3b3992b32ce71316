#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
# TCP-offload QPs: the programs that test RC QPs, with BERTH_QP_TYPE=tcp: every opcode with every kind of memory, on
# one device and across the namespaces. Runs in the guest.
# timeout: 300
set -uo pipefail
# shellcheck source=tests/verbs/guest-lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../verbs/guest-lib.sh"
need_programs rc_data rc_atomic rc_errors
export BERTH_QP_TYPE=tcp

before=$(census berth0 berth1)
if debug_kernel; then
	run_verbs_as '' tcp/ rc_data --filter 'data/*/host-bar' --filter 'data/*/bar-heap' --filter 'data/*/heap-udmabuf'
else
	run_verbs_as '' tcp/ rc_data --filter 'data/*'
fi
same_census tcp/left_behind "$before" berth0 berth1
exit $failed
