#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
# Queues that take chunks of an area for what arrives: over RC QPs, TCP-offload QPs and streams, one device and across namespaces,
# every exporter; a thousand QPs on one area; a process that is killed with chunks in its hands. Runs in the guest.
# timeout: 240
set -uo pipefail
# shellcheck source=tests/verbs/guest-lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../verbs/guest-lib.sh"
need_programs area

before=$(census berth0 berth1)
export VT_NETNS=a VT_ADDR=10.77.0.1 VT_PEER_NETNS=b VT_PEER_ADDR=10.77.0.2
cases=(--filter 'area/[!m]*' --filter area/many/local)
! long || cases=()
run_verbs area "${cases[@]}"
BERTH_QP_TYPE=tcp run_verbs_as area/ area/tcp/ area --filter 'area/[!m]*/wire' --filter 'area/data/wire/*'
same_census area/left_behind "$before" berth0 berth1
exit $failed
