#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
# perftest's six tools over berth, in the guest of ./run vm: unmodified on host memory, and with
# --use_dmabuf. Prints "PASS case" or "FAIL case: why" for each run; exit status 1 if one failed.
#
#	netns a: va 10.77.0.1 berth0  ---- veth ----  netns b: vb 10.77.0.2 berth1
#
#	local	client and server on berth0		wire	client on berth0, server on berth1
#	loss	wire, with netem loss 1% on both ends, for each packet rather than each super-packet
#
# timeout: 900
# With BERTH_QP_TYPE=tcp in the environment the same over TCP-offload QPs (95-tcp-perftest.sh).
# Every run ends by itself or is ended after a limit. A word as argument selects the cases that
# contain it.
set -uo pipefail
top=$(dirname "${BASH_SOURCE[0]}")/../..
# shellcheck source=perf/guest.sh
. "$top/perf/guest.sh"

select=${1:-}
limit=$((120 * ${BERTH_SLOW:-1}))
PERF_DIR=$(mktemp -d)
# Line by line, so that a run that is ended tells how far it came.
PERF_SERVER=(stdbuf -oL)
PERF_CLIENT=(stdbuf -oL)
TOOLS=(ib_write_bw ib_write_lat ib_send_bw ib_send_lat ib_read_bw ib_read_lat)
BANDWIDTH=(ib_write_bw ib_send_bw ib_read_bw)
# On the debug kernel a pair takes half a minute and its figures mean nothing: only what takes other paths.
ON_DEBUG=(ib_write_bw-local-16-qps ib_send_lat-local ib_send_bw-wire-16-qps ib_send_bw-wire-events
	ib_write_bw-wire-post-list ib_write_bw-wire-heap ib_send_lat-wire-udmabuf ib_read_bw-wire-bar ib_write_lat-wire-bar
	ib_write_bw-loss-16-qps ib_read_bw-loss-bar)
[[ ${BERTH_QP_TYPE:-} != tcp ]] || ON_DEBUG=(ib_send_bw-wire-16-qps ib_write_bw-wire-heap ib_send_lat-wire-udmabuf
	ib_read_bw-wire-bar ib_write_bw-loss-16-qps)
failed=0

# ./run test --long: everything.
long() { [[ -n ${BERTH_LONG:-} ]]; }

# wanted NAME: on the debug kernel a sample; with TCP-offload QPs (95) each tool, each exporter, 16 QPs, and all sizes of
# WRITE, and with --long all.
wanted() {
	local tcp=('*-wire-bar' ib_send_bw-wire-heap ib_read_bw-wire-udmabuf ib_write_bw-loss-16-qps ib_send_bw-wire-16-qps
		ib_write_bw-wire-all-sizes)
	local pattern
	[[ $1 == *"$select"* ]] || return 1
	if [[ ${BERTH_FLAVOUR:-stock} != stock ]]; then
		[[ " ${ON_DEBUG[*]} " == *" $1 "* ]]
		return
	fi
	[[ ${BERTH_QP_TYPE:-} == tcp ]] && ! long || return 0
	for pattern in "${tcp[@]}"; do
		# shellcheck disable=SC2053
		[[ $1 != $pattern ]] || return 0
	done
	return 1
}

# result_lines SIZE…: each size has a line of figures in the client's report, all of them above
# zero. perftest measures its clock for each of them, says so where that does not succeed (a busy
# machine), and prints zeros then.
result_lines() {
	local size
	for size in "$@"; do
		awk -v size="$size" '/^Correlation coefficient/ { no_clock = 1; next }
			$1 == size && NF >= 5 && $2 > 0 && (no_clock || $3 + $4 + $5 > 0) { found = 1 }
			{ no_clock = 0 }
			END { exit !found }' "$PERF_DIR/client.txt" ||
			{ PERF_WHY="no figures for $size bytes"; return 1; }
	done
}

# check NAME TOOL local|wire SIZES ARGUMENTS…: SIZES is what the report must have a line for.
check() {
	local name=$1 tool=$2 path=$3 sizes=$4 peer
	shift 4
	wanted "$name" || return 0
	peer=(b berth1 10.77.0.2 a berth0)
	[[ $path == wire ]] || peer=(a berth0 10.77.0.1 a berth0)
	# shellcheck disable=SC2086
	if perf_pair $limit "$tool" "${peer[@]}" "$@" && result_lines $sizes; then
		echo "PASS $name"
	else
		echo "FAIL $name: $PERF_WHY"
		failed=1
	fi
}

all_sizes=$(for ((i = 1; i <= 23; i++)); do echo -n "$((1 << i)) "; done)

# All sizes take long, as perftest measures its clock for each: WRITE has them on the wire and READ on one device, with --long
# each tool has them on both paths.
host_memory() {
	local tool path
	for path in local wire; do
		for tool in "${TOOLS[@]}"; do
			if long || [[ $tool-$path == ib_@(write_bw-wire|read_bw-local) ]]; then
				check "$tool-$path-all-sizes" "/usr/bin/$tool" $path "$all_sizes" -a -n 5
			else
				check "$tool-$path" "/usr/bin/$tool" $path 65536 -s 65536 -n 20
			fi
		done
		for tool in "${BANDWIDTH[@]}"; do
			check "$tool-$path-16-qps" "/usr/bin/$tool" $path 4096 -s 4096 -n 20 -q 16
		done
	done
	check ib_write_bw-wire-1-byte /usr/bin/ib_write_bw wire 1 -s 1 -n 20
	check ib_send_bw-wire-events /usr/bin/ib_send_bw wire 4096 -s 4096 -n 50 -e
	check ib_send_bw-wire-both-ways /usr/bin/ib_send_bw wire 65536 -s 65536 -n 50 -b
	check ib_write_bw-local-uc /usr/bin/ib_write_bw local 65536 -s 65536 -n 50 -c UC
	check ib_send_lat-wire-uc /usr/bin/ib_send_lat wire 4096 -s 4096 -n 50 -c UC
	check ib_write_bw-wire-post-list /usr/bin/ib_write_bw wire 64 -s 64 -n 160 -l 16
}

# Without --long each tool has the BAR, and each exporter has each operation.
dmabufs() {
	local exporter tool
	for exporter in heap udmabuf bar; do
		for tool in "${TOOLS[@]}"; do
			long || [[ $exporter == bar || $tool == *_bw ]] || continue
			check "$tool-wire-$exporter" "$PERF_LAUNCHERS/$tool" wire 65536 -s 65536 -n 20 \
				"--use_dmabuf=$exporter"
		done
		# On one device heap and udmabuf are alike: one tool tells.
		for tool in "${BANDWIDTH[@]}"; do
			long || [[ $exporter-$tool == @(bar-ib_write_bw|bar-ib_read_bw|heap-ib_send_bw) ]] || continue
			check "$tool-local-$exporter" "$PERF_LAUNCHERS/$tool" local 65536 -s 65536 -n 20 \
				"--use_dmabuf=$exporter"
		done
		! long ||
			check "ib_write_bw-wire-$exporter-all-sizes" "$PERF_LAUNCHERS/ib_write_bw" wire "$all_sizes" \
				-a -n 5 "--use_dmabuf=$exporter"
		if long || [[ $exporter == bar ]]; then
			check "ib_send_bw-wire-$exporter-16-qps" "$PERF_LAUNCHERS/ib_send_bw" wire 4096 \
				-s 4096 -n 20 -q 16 "--use_dmabuf=$exporter"
		fi
	done
}

lossy() {
	local ns dev tool
	modprobe -q sch_netem
	for ns in a:va b:vb; do
		dev=${ns#*:} ns=${ns%:*}
		ip netns exec $ns ethtool -K $dev tx-udp-segmentation off >/dev/null 2>&1
		ip netns exec $ns ethtool -K $dev tx-gso-list off >/dev/null 2>&1
		if ! ip netns exec $ns tc qdisc add dev $dev root netem loss 1%; then
			echo "FAIL loss: no netem on $dev"
			failed=1
			return
		fi
	done
	for tool in "${TOOLS[@]}"; do
		long || [[ $tool == ib_@(write_bw|send_lat|read_bw) ]] || continue
		check "$tool-loss" "/usr/bin/$tool" wire 65536 -s 65536 -n 50
	done
	for tool in "${BANDWIDTH[@]}"; do
		long || [[ $tool != ib_write_bw ]] || continue
		check "$tool-loss-bar" "$PERF_LAUNCHERS/$tool" wire 65536 -s 65536 -n 50 --use_dmabuf=bar
	done
	check ib_write_bw-loss-16-qps /usr/bin/ib_write_bw wire 4096 -s 4096 -n 20 -q 16
	ip netns exec a tc qdisc del dev va root
	ip netns exec b tc qdisc del dev vb root
}

# What must not work has to say so.
refusals() {
	local said
	[[ refusals == *"$select"* ]] || return 0
	said=$("$PERF_LAUNCHERS/ib_write_bw" --use_dmabuf=nonsense 2>&1)
	if [[ $? -eq 1 && $said == *"unknown dma-buf exporter 'nonsense'"* ]]; then
		echo "PASS refusals-exporter"
	else
		echo "FAIL refusals-exporter: $said"
		failed=1
	fi
	said=$("$PERF_LAUNCHERS/ib_write_bw" --help 2>&1)
	if [[ $said == *--use_dmabuf\[* && $said == *--tx-depth* ]]; then
		echo "PASS refusals-help"
	else
		echo "FAIL refusals-help: --use_dmabuf is not in the help"
		failed=1
	fi
}

host_memory
dmabufs
[[ ${BERTH_QP_TYPE:-} == tcp ]] || refusals
lossy
exit $failed
