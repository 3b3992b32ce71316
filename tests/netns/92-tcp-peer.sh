#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
# TCP-offload QPs whose peer is a plain socket that does what a peer should not: see tests/verbs/tcp_peer.c. Runs in
# the guest.
# timeout: 200
set -uo pipefail
# shellcheck source=tests/verbs/guest-lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../verbs/guest-lib.sh"
need_programs tcp_peer

before=$(census berth0 berth1)
VT_NETNS=a VT_ADDR=10.77.0.1 run_verbs tcp_peer
same_census tcp_peer/left_behind "$before" berth0 berth1
exit $failed
