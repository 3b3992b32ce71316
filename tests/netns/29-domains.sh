#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
# Thread domains and parent domains; contexts, domains, regions and device memory imported by another process.
# Runs in the guest.
set -uo pipefail
# shellcheck source=tests/verbs/guest-lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../verbs/guest-lib.sh"
need_programs domains imports

before=$(census berth0 berth1)
run_verbs domains
run_verbs imports
same_census domains/left_behind "$before" berth0 berth1
exit $failed
