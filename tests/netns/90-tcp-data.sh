#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
# TCP-offload QPs: the programs that test the data of RC QPs, with BERTH_QP_TYPE=tcp: every opcode with every kind of
# memory, atomics, many QPs, on one device and across the namespaces, verified byte for byte; with and without MPA's
# CRC; over wires that lose, double, reorder and spoil packets. Runs in the guest.
# timeout: 400
set -uo pipefail
# shellcheck source=tests/verbs/guest-lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../verbs/guest-lib.sh"
need_programs rc_data rc_atomic
crc=/sys/module/berth/parameters/tcp_crc
trap 'echo N >$crc; link_down' EXIT
export BERTH_QP_TYPE=tcp

before=$(census berth0 berth1)
sent=$(segments a)
pairs=(--filter 'data/*/host-bar' --filter 'data/*/bar-heap' --filter 'data/*/heap-udmabuf')
# One device or two, it is a connection.
debug_kernel || pairs+=(--filter 'data/*/wire/*')
! long || pairs=(--filter 'data/*')
run_verbs_as '' tcp/ rc_data "${pairs[@]}"
# A program that took no notice of BERTH_QP_TYPE would pass, too.
if (($(segments a) > sent + 100)); then pass tcp/is_tcp; else fail tcp/is_tcp "hardly a segment was sent"; fi
# One QP has no connection with itself, and without a fence a READ may see a later WRITE.
run_verbs_as '' tcp/ rc_data --filter 'crowd/*' --filter 'bidir/*' --filter 'batch/*' --filter 'reads/*' --filter 'ring_wrap/*'
wires=('loss 2%' 'duplicate 5%' 'reorder 75% delay 1ms' 'corrupt 1%')
if debug_kernel; then
	wires=('loss 2%' 'reorder 75% delay 1ms')
	run_verbs_as '' tcp/ rc_atomic --filter '*/wire/bar' --filter 'refused/[kmq]*/wire/*'
else
	run_verbs_as '' tcp/ rc_atomic
fi
echo Y >$crc
run_verbs_as '' tcp/crc/ rc_data --filter 'data/*/wire/host-bar' --filter 'data/*/wire/heap-udmabuf'
echo N >$crc
same_census tcp/left_behind "$before" berth0 berth1

modprobe -q sch_netem || { skip tcp/netem "this kernel has no netem"; exit $failed; }
bad_link_up || { fail tcp/setup "no link of our own"; exit 1; }
for kind in "${wires[@]}"; do
	# shellcheck disable=SC2086
	bad_wire $kind
	run_verbs_as '' "tcp/${kind%% *}/" rc_data --dev bt0 --peer bt1 --filter 'data/*/wire/host-bar' \
		--filter 'crowd/wire/host' --filter 'reads/wire/16' --filter 'reuse/*/wire/host'
	good_wire
done
exit $failed
