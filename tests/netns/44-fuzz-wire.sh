#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
# Packets that no peer should send, at QPs in every stage of a conversation. A seed repeats what is sent:
# BERTH_FUZZ_ARGS="--seed N". 10 minutes with --long. Runs in the guest.
# timeout: 120
set -uo pipefail
# shellcheck source=tests/verbs/guest-lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../verbs/guest-lib.sh"
need_programs fuzz_wire

before=$(census berth0 berth1)
# shellcheck disable=SC2086
run_verbs fuzz_wire ${BERTH_LONG:+--seconds 600} ${BERTH_FUZZ_ARGS:-}
same_census fuzz/wire/left_behind "$before" berth0 berth1
exit $failed
