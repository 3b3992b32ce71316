#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
# Unreliable connections: every opcode of UC with every kind of memory, on one device and across the namespaces,
# verified byte for byte; what is dropped, what fails; a wire that loses packets, where whole messages are missing
# and no other. Runs in the guest.
# timeout: 180
set -uo pipefail
# shellcheck source=tests/verbs/guest-lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../verbs/guest-lib.sh"
need_programs uc_data
trap link_down EXIT

before=$(census berth0 berth1)
if ! long; then
	run_verbs uc_data --filter 'uc/*/mtu/1024/*' --filter 'uc/*/host-bar/*' --filter 'uc/*/bar-heap/*' \
		--filter 'uc/*/heap-udmabuf/*' --filter 'uc/*/psn_wrap/*' \
		--filter 'uc/lossy/*' --filter 'uc/errors/*'
else
	run_verbs uc_data
fi
same_census uc/left_behind "$before" berth0 berth1

modprobe -q sch_netem || { skip uc/netem "this kernel has no netem"; exit $failed; }
bad_link_up || { fail uc/setup "no link of our own"; exit 1; }
for kind in 'loss 3%' 'corrupt 3%' 'reorder 90% delay 1ms'; do
	# shellcheck disable=SC2086
	bad_wire $kind
	VT_LOSSY=${kind%% *} run_verbs_as uc/ "uc/${kind%% *}/" uc_data --dev bt0 --peer bt1 --filter 'uc/lossy/wire'
	good_wire
done
exit $failed
