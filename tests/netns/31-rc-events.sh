#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
# Completion channels and asynchronous events; a port that goes down and up on a link of this script's own.
# Runs in the guest.
# timeout: 180
set -uo pipefail
# shellcheck source=tests/verbs/guest-lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../verbs/guest-lib.sh"
need_programs rc_events
trap link_down EXIT

before=$(census berth0 berth1)
run_verbs rc_events --filter 'channel/*' --filter 'async/*'
same_census events/left_behind "$before" berth0 berth1

link_up && devs_up || { fail events/setup "no link of our own"; exit 1; }
before=$(census bt0 bt1)
export VT_PORT_DOWN="ip -n ta link set tva down"
export VT_PORT_UP="ip -n ta link set tva up"
export VT_ADDR_ADD="ip -n ta addr add 10.78.0.7/24 dev tva"
run_verbs rc_events --dev bt0 --peer bt1 --filter 'port/*'
same_census port/left_behind "$before" bt0 bt1
exit $failed
