#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
# Data: every opcode, every kind of memory at both ends, one device and across the namespaces, verified byte for
# byte; and nothing left behind. The messages of 2 GiB are in 25-rc-data-big.sh. Runs in the guest.
# timeout: 300
set -uo pipefail
# shellcheck source=tests/verbs/guest-lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../verbs/guest-lib.sh"
need_programs rc_data

before=$(census berth0 berth1)
if debug_kernel; then
	run_verbs rc_data --filter '[!bdm]*' --filter 'batch/*' --filter 'bidir/*' --filter 'mtu/*/1024/*' \
		--filter 'data/*/host-bar' --filter 'data/*/bar-heap' --filter 'data/*/heap-udmabuf'
else
	run_verbs rc_data --filter '[!b]*' --filter 'batch/*' --filter 'bidir/*'
fi
same_census data/left_behind "$before" berth0 berth1
exit $failed
