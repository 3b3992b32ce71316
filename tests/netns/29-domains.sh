#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
# Thread domains and parent domains. Runs in the guest.
set -uo pipefail
# shellcheck source=tests/verbs/guest-lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../verbs/guest-lib.sh"
need_programs domains

before=$(census berth0 berth1)
run_verbs domains
same_census domains/left_behind "$before" berth0 berth1
exit $failed
