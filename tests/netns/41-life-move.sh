#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
# Device memory that moves or is revoked under traffic. Runs in the guest.
# timeout: 240
set -uo pipefail
# shellcheck source=tests/verbs/guest-lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../verbs/guest-lib.sh"
need_programs rc_life

before=$(census berth0 berth1)
run_verbs rc_life --filter 'move/*' --filter 'revoke/*'
same_census move/left_behind "$before" berth0 berth1

# Where READs are asked for again although their answers are on the way, one comes behind the revocation. The ack
# timeout is so short for that that a busy machine uses up the retries: only with --long.
asked_again() {
	local i
	bad_link_up && bad_wire delay "$((10 * $(slow)))ms" || { fail revoke/asked_again "no wire that delays"; return; }
	for ((i = 0; i < 10; i++)); do
		run_verbs_as revoke/under_traffic "revoke/asked_again/$i" rc_life --dev bt0 --peer bt1 --ack-timeout 11 \
			--filter 'revoke/under_traffic/wire'
	done
}
if long; then
	asked_again
	link_down
fi

# A left attachment or mapping would keep the exporter.
check move/exporter_unloads modprobe -r berth_move_exporter
modprobe -q berth_move_exporter
exit $failed
