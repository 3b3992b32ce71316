#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
# Atomics and ATOMIC WRITE: values, errors, every kind of memory, both paths; and over a bad wire (packets lost
# and doubled), where each must be done once all the same and every value come back. Runs in the guest.
# timeout: 240
set -uo pipefail
# shellcheck source=tests/verbs/guest-lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../verbs/guest-lib.sh"
need_programs rc_atomic rc_atomic_write
trap link_down EXIT

before=$(census berth0 berth1)
# What a dma-buf in system memory can do, the host's memory can.
if debug_kernel; then
	run_verbs rc_atomic --filter '[!smc]*' --filter 'cpu/*' --filter '[smc]*/host' --filter '[smc]*/bar'
	run_verbs rc_atomic_write --filter '*[!pf]'
else
	run_verbs rc_atomic
	run_verbs rc_atomic_write
fi
same_census atomic/left_behind "$before" berth0 berth1

modprobe -q sch_netem || { skip atomic/netem "this kernel has no netem"; exit $failed; }
bad_link_up || { fail atomic/setup "no link of our own"; exit 1; }
bad_wire loss 5% duplicate 5%
run_verbs_as '' 'bad_wire/' rc_atomic --dev bt0 --peer bt1 --ack-timeout 12 --filter 'stream/wire/host' \
	--filter 'stream/wire/bar' --filter 'mixed/wire/host' --filter 'crowd/wire/host'
run_verbs_as '' 'bad_wire/' rc_atomic_write --dev bt0 --peer bt1 --ack-timeout 12 \
	--filter 'atomic_write/stream/wire/host' --filter 'atomic_write/stream/wire/bar' --filter 'atomic_write/behind/wire/host'
if [[ $(counters rx_duplicate) -gt 0 ]]; then
	pass bad_wire/happened
else
	fail bad_wire/happened "no request came twice: nothing was tested"
fi
exit $failed
