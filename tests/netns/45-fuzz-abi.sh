#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
# Processes without privileges that misuse calls, doorbells, mappings and rings. A seed repeats what they do:
# BERTH_FUZZ_ARGS="--seed N". A fifth of them has a link of iWARP. 10 minutes with --long. Runs in the guest.
# timeout: 120
set -uo pipefail
# shellcheck source=tests/verbs/guest-lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../verbs/guest-lib.sh"
need_programs fuzz_abi

link_up && iw_add iw0 ta tva || { fail fuzz/abi/setup "no link of iWARP"; exit 1; }
trap 'rdma link delete iw0; link_down' EXIT
chmod a+rw /dev/infiniband/uverbs*
before=$(census berth0 berth1 iw0)
# shellcheck disable=SC2086
FUZZ_IW=iw0 run_verbs fuzz_abi ${BERTH_LONG:+--seconds 600} ${BERTH_FUZZ_ARGS:-}
same_census fuzz/abi/left_behind "$before" berth0 berth1 iw0
exit $failed
