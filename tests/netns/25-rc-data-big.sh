#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
# Messages of 2 GiB - 1 bytes, and one byte more. Slow: over the wire with --long, and on a debug kernel only the
# refusal. Runs in the guest.
# timeout: 240
set -uo pipefail
# shellcheck source=tests/verbs/guest-lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../verbs/guest-lib.sh"
need_programs rc_data

before=$(census berth0 berth1)
if debug_kernel; then
	run_verbs rc_data --filter 'big/too_big/*'
elif long; then
	run_verbs rc_data --filter 'big/*'
else
	run_verbs rc_data --filter 'big/*/local*'
fi
same_census big/left_behind "$before" berth0 berth1
exit $failed
