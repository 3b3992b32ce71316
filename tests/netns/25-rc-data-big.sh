#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
# Messages of 2 GiB - 1 bytes, and one byte more. Slow: on a debug kernel only the refusal runs. In the guest.
# timeout: 240
set -uo pipefail
# shellcheck source=tests/verbs/guest-lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../verbs/guest-lib.sh"
need_programs rc_data

before=$(census berth0 berth1)
if debug_kernel; then
	skip big/send "2 GiB take too long on the debug kernel"
	run_verbs rc_data --filter 'big/too_big/*'
else
	run_verbs rc_data --filter 'big/*'
fi
same_census big/left_behind "$before" berth0 berth1
exit $failed
