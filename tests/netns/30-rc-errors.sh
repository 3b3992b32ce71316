#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
# Bad input from programs and peers: keys, bounds, rights, queues, states, registrations; each with the status
# that the specification names, and nothing left behind. Runs in the guest.
# timeout: 240
set -uo pipefail
# shellcheck source=tests/verbs/guest-lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../verbs/guest-lib.sh"
need_programs rc_errors

before=$(census berth0 berth1)
run_verbs rc_errors
same_census errors/left_behind "$before" berth0 berth1
exit $failed
