#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
# Kernel verbs by a module that uses them as a kernel consumer does: fast registration, every kind of CQ, drain,
# ATOMIC WRITE, what has to be refused; on one device (local path) and between two (packets); a device that goes while it is used.
# Runs in the guest.
set -uo pipefail
# shellcheck source=tests/verbs/guest-lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../verbs/guest-lib.sh"
modprobe berth_kverbs_test || { fail setup "modprobe berth_kverbs_test failed"; exit 1; }
cleanup() { modprobe -r berth_kverbs_test; link_down; }
trap cleanup EXIT

run=/sys/module/berth_kverbs_test/parameters/run

# $1: name, then what the module is told. Its reasons are in the kernel log.
kernel_case() {
	local name=$1 mark=$EPOCHREALTIME
	shift
	echo "berth: kernel_case $mark" >/dev/kmsg
	if echo "$*" 2>/dev/null >"$run"; then pass "$name"; else
		fail "$name" "$(dmesg | sed "1,/kernel_case $mark/d" | grep -o 'berth_kverbs_test: .*' | tail -3 | tr '\n' ';')"; fi
}

before=$(census berth0 berth1)
for c in cycles unregistered invalidated given-back old-key bounds twice poll-direct poll-softirq poll-workqueue \
	poll-unbound drain-workqueue drain-softirq drain-direct overflow atomic-write word-misaligned \
	word-length word-old-key refused; do
	kernel_case "kverbs/local/$c" "$c" berth0 berth0
	kernel_case "kverbs/wire/$c" "$c" berth0 berth1
done
same_census kverbs/left_behind "$before" berth0 berth1

# The test that finds nothing wrong must be able to.
if echo "no-such-case berth0 berth1" 2>/dev/null >"$run"; then fail kverbs/unknown "an unknown case passed"; else
	pass kverbs/unknown; fi

# The device goes while a consumer has QPs, a receive and an MR on it.
link_up && devs_up || { fail kverbs/delete/setup "no link"; exit 1; }
kernel_case kverbs/delete/hold hold bt0 bt1
check kverbs/delete/link timeout "$((20 * ${BERTH_SLOW:-1}))" rdma link delete bt0
wait_for no_dev bt0 || fail kverbs/delete/gone "bt0 is still there"
kernel_case kverbs/delete/other_end refused bt1 bt1
exit "$failed"
