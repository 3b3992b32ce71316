#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
# The part of the benchmark inside the guest: runs each row on each peer, and prints one line a run:
#	SAMPLE <tab> row <tab> peer <tab> MB/s <tab> messages/s        or  FAILED <tab> row <tab> peer <tab> why
# usage: bench-guest.sh ROUNDS PEER,PEER… ROW…, a row is NAME:SIZE:ITERATIONS:POST-LIST, or busy
#
# Peers, each with client and server on one device: berth (host memory) and berth-heap on berth0
# in netns a; rxe on a veth of its own in the first namespace, with the same MTU. Rounds go around
# all peers, so that no peer has a warmer machine than another.
set -uo pipefail
# shellcheck source=perf/guest.sh
. "$(dirname "${BASH_SOURCE[0]}")/guest.sh"

PERF_DIR=$(mktemp -d)
# Guest time leaps to the next timer whenever the guest waits for the host, as for a file: a
# minute can pass in a blink. A run that really hangs idle still gets there soon.
LIMIT=100000

setup_rxe() {
	modprobe rdma_rxe || return 1
	ip link add rxa type veth peer name rxb || return 1
	ip addr add 10.78.0.1/24 dev rxa
	ip link set rxa mtu 4200 up
	ip link set rxb mtu 4200 up
	rdma link add rxe0 type rxe netdev rxa || return 1
	for _ in $(seq 100); do
		grep -qs ffff:0a4e: /sys/class/infiniband/rxe0/ports/1/gids/* && return 0
		sleep 0.05
	done
	return 1
}

sample() {
	local row=$1 peer=$2 size=$3 iterations=$4 list=$5 line
	local where=(a berth0 10.77.0.1 a berth0)
	local arguments=(-s "$size" -n "$iterations" -m 4096)
	PERF_SERVER_ARGS=() PERF_CLIENT_ARGS=()
	case $peer in
	berth-heap)	PERF_SERVER_ARGS=(--use_dmabuf=heap) PERF_CLIENT_ARGS=(--use_dmabuf=heap) ;;
	rxe)		where=(- rxe0 10.78.0.1 - rxe0) ;;
	esac
	[[ $list -eq 1 ]] || PERF_CLIENT_ARGS+=(-l "$list")
	if ! perf_pair $LIMIT "$PERF_LAUNCHERS/ib_write_bw" "${where[@]}" "${arguments[@]}"; then
		printf 'FAILED\t%s\t%s\t%s\n' "$row" "$peer" "$PERF_WHY"
		return
	fi
	line=$(grep -E "^ *${size}[[:space:]]+[0-9]+[[:space:]]+[0-9.]+[[:space:]]" "$PERF_DIR/client.txt" | tail -n 1)
	awk -v row="$row" -v peer="$peer" 'NF == 5 { printf "SAMPLE\t%s\t%s\t%s\t%.0f\n", row, peer, $4, $5 * 1000000; found = 1 }
		END { if (!found) printf "FAILED\t%s\t%s\tperftest printed no result\n", row, peer }' <<<"$line"
}

# One connection against a thousand that are busy at once (tests/verbs/scale.c): their messages per second.
busy() {
	local out
	if out=$("$BERTH_TESTS/scale" --dev berth0 --peer none --slow 100 --filter scale/rate/local 2>&1); then
		awk '/messages\/s with one pair/ {
			printf "SAMPLE\tbusy\tberth\t0\t%.0f\nSAMPLE\tbusy\tberth-1000-qps\t0\t%.0f\n", $2, $7 }' <<<"$out"
	else
		printf 'FAILED\tbusy\tberth\t%s\n' "${out//$'\n'/; }"
	fi
}

rounds=$1
IFS=, read -ra peers <<<"$2"
shift 2
for peer in "${peers[@]}"; do
	[[ $peer != rxe ]] || setup_rxe || { printf 'FAILED\tsetup\trxe\tno rxe device\n'; exit 1; }
done
for row in "$@"; do
	IFS=: read -r name size iterations list <<<"$row"
	for ((round = 0; round < rounds; round++)); do
		[[ $name != busy ]] || { busy; continue; }
		for peer in "${peers[@]}"; do
			sample "$name" "$peer" "$size" "$iterations" "$list"
		done
	done
done
