#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
# The part of the benchmark inside the guest: runs each row on each peer, and prints one line a run:
#	SAMPLE <tab> row <tab> peer <tab> MB/s <tab> messages/s        or  FAILED <tab> row <tab> peer <tab> why
# usage: bench-guest.sh ROUNDS PEER,PEER… ROW…, a row is NAME:SIZE:ITERATIONS:POST-LIST, or busy
#        bench-guest.sh --profile PEER ROW: once as it is and once with three times the iterations, counted (profile/)
#
# Peers, each with client and server on one device: berth (host memory) and berth-heap on berth0
# in netns a; rxe on a veth of its own in the first namespace, with the same MTU, and so siw. Between the
# namespaces b and a: berth-tcp, iperf3, and berth-iw on a veth of its own. Rows landing-*: from b to a berth_nic in a
# on a veth of its own; their peers are exporters of dma-bufs. Rounds go around all peers, so
# that no peer has a warmer machine than another.
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

setup_siw() {
	modprobe libcrc32c && modprobe siw || return 1
	ip link add swa type veth peer name swb || return 1
	ip addr add 10.79.0.1/24 dev swa
	ip link set swa mtu 4200 up
	ip link set swb mtu 4200 up
	rdma link add siw0 type siw netdev swa
}

setup_iw() {
	# siw listens in the namespace of the program on the index of its own netdev: no other may have the same number.
	ip link add iwa index 101 netns a type veth peer name iwb index 102 netns b || return 1
	ip -n a addr add 10.80.0.1/24 dev iwa
	ip -n b addr add 10.80.0.2/24 dev iwb
	ip -n a link set iwa mtu 4200 up
	ip -n b link set iwb mtu 4200 up
	ip netns exec a rdma link add iw0 type berth_iw netdev iwa && ip netns exec b rdma link add iw1 type berth_iw netdev iwb
}

# What is for the port PERF_PORT is for queue 3 alone.
setup_landing() {
	[[ ! -e /sys/module/berth_nic ]] || return 0
	modprobe berth_nic || return 1
	[[ -e /dev/berth_bar ]] || modprobe berth_bar_exporter || return 1
	ip link add lna netns a type veth peer name lnb netns b || return 1
	ip -n a link set lna mtu 4200 up
	ip -n b link set lnb mtu 4200 up
	ip -n b addr add 10.81.0.2/24 dev lnb
	ip -n a link add link lna name nic0 type berth_nic || return 1
	ip -n a link set nic0 up
	ip -n a addr add 10.81.0.1/24 dev nic0
	ip netns exec a ethtool -X nic0 equal 2 >/dev/null &&
		ip netns exec a ethtool -N nic0 flow-type tcp4 dst-ip 10.81.0.1 dst-port $PERF_PORT queue 3 >/dev/null
}

# landing ROW SIZE ITERATIONS EXPORTER: the receiver's time, in which the sender works, too.
landing() {
	local row=$1 size=$2 iterations=$3 peer=$4 server src=0 crc=0 why handed=0 how=(--mode=stream "--use_dmabuf=$4")
	case $row in
	landing-devmem)		how=(--mode=devmem "--use_dmabuf=$peer" --netdev=nic0 --queue=3) handed=1 ;;
	landing-handed-over)	how+=(--netdev=nic0 --queue=3) handed=1 ;;
	landing-socket)		how=(--mode=socket) peer=host ;;
	esac
	ip netns exec a timeout -k 2 $LIMIT berth_landing_bw -p $PERF_PORT -s "$size" -n "$iterations" "${how[@]}" \
		>"$PERF_DIR/server.txt" 2>&1 </dev/null &
	server=$!
	if perf_listening $PERF_PORT $server; then
		ip netns exec b timeout -k 2 $LIMIT berth_landing_bw -p $PERF_PORT -s "$size" -n "$iterations" 10.81.0.1 \
			>"$PERF_DIR/client.txt" 2>&1 </dev/null || crc=$?
		[[ $crc -eq 0 ]] || kill $server 2>/dev/null
	fi
	wait $server || src=$?
	if [[ $src -ne 0 || $crc -ne 0 ]]; then
		why=$(perf_last "$PERF_DIR/server.txt")
		printf 'FAILED\t%s\t%s\t%s\n' "$row" "$peer" "${why:-$(perf_last "$PERF_DIR/client.txt")}"
		return
	fi
	# Figures of what did not land as the row says are none.
	tail -n 1 "$PERF_DIR/server.txt" | awk -v row="$row" -v peer="$peer" -v handed=$handed '
		handed ? $4 < 0.99 * ($4 + $5) : $4 > 0 {
			printf "FAILED\t%s\t%s\t%.0f bytes were handed over, %.0f copied\n", row, peer, $4, $5
			next
		}
		{ printf "SAMPLE\t%s\t%s\t%s\t%.0f\n", row, peer, $3, $3 * 1048576 / $1 }'
}

# A plain socket: as many bytes, in writes of as many.
iperf() {
	local row=$1 size=$2 iterations=$3 server
	PERF_PORT=$((PERF_PORT + 1))
	ip netns exec a iperf3 -s -1 -p $PERF_PORT >"$PERF_DIR/server.txt" 2>&1 </dev/null &
	server=$!
	perf_listening $PERF_PORT $server
	if ip netns exec b iperf3 -c 10.77.0.1 -p $PERF_PORT -l "$size" -n $((size * iterations)) -J >"$PERF_DIR/client.txt" 2>&1 </dev/null; then
		python3 - "$row" "$size" "$PERF_DIR/client.txt" <<-'EOT'
			import json, sys
			with open(sys.argv[3]) as f: rate = json.load(f)["end"]["sum_received"]["bits_per_second"] / 8
			print(f"SAMPLE\t{sys.argv[1]}\tiperf3\t{rate / (1 << 20):.2f}\t{rate / int(sys.argv[2]):.0f}")
		EOT
	else
		printf 'FAILED\t%s\tiperf3\t%s\n' "$row" "$(perf_last "$PERF_DIR/client.txt")"
		kill $server 2>/dev/null
	fi
	wait $server
}

sample() {
	local row=$1 peer=$2 size=$3 iterations=$4 list=$5 line tool=ib_write_bw
	local where=(a berth0 10.77.0.1 a berth0)
	local arguments=(-s "$size" -n "$iterations" -m 4096)
	PERF_SERVER_ARGS=() PERF_CLIENT_ARGS=() PERF_SERVER=(env) PERF_CLIENT=(env)
	[[ $row != landing-* ]] || { landing "$row" "$size" "$iterations" "$peer"; return; }
	[[ $row != *send* ]] || tool=ib_send_bw
	case $peer in
	iperf3)		iperf "$row" "$size" "$iterations"; return ;;
	berth-tcp)	where=(a berth0 10.77.0.1 b berth1) PERF_SERVER=(env BERTH_QP_TYPE=tcp) PERF_CLIENT=(env BERTH_QP_TYPE=tcp) ;;
	berth-iw)	where=(a iw0 10.80.0.1 b iw1) arguments=(-s "$size" -n "$iterations" -R) ;;
	siw)		where=(- siw0 10.79.0.1 - siw0) arguments=(-s "$size" -n "$iterations" -R) ;;
	berth-heap)	PERF_SERVER_ARGS=(--use_dmabuf=heap) PERF_CLIENT_ARGS=(--use_dmabuf=heap) ;;
	rxe)		where=(- rxe0 10.78.0.1 - rxe0) ;;
	esac
	PERF_CLIENT_ARGS+=("${PROFILE[@]}")
	[[ $list -eq 1 ]] || PERF_CLIENT_ARGS+=(-l "$list")
	if ! perf_pair $LIMIT "$PERF_LAUNCHERS/$tool" "${where[@]}" "${arguments[@]}"; then
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

# Has the plugin begin or end to count (profile/counts.c); it says so by removing the file.
count() {
	: >"/out/$1"
	while [[ -e /out/$1 ]]; do :; done
}

# A sample, and whether it was one.
sampled() {
	sample "$@" >"$PERF_DIR/sample.txt"
	cat "$PERF_DIR/sample.txt"
	grep -q ^SAMPLE "$PERF_DIR/sample.txt"
}

# Without a peak, for which perftest compares each two of its messages.
profile() {
	local peer=$1 name size iterations list times
	IFS=: read -r name size iterations list <<<"$2"
	PROFILE=(-N)
	cp /proc/kallsyms /out/kallsyms
	sampled "$name" "$peer" "$size" "$iterations" "$list" || return
	for times in 1 3; do
		count start
		sampled "$name" "$peer" "$size" "$((times * iterations))" "$list" || return
		count stop
	done
}

PROFILE=()
rounds=$1
IFS=, read -ra peers <<<"$2"
shift 2
for peer in "${peers[@]}"; do
	case $peer in
	rxe)		setup_rxe ;;
	siw)		setup_siw ;;
	berth-iw)	setup_iw ;;
	heap|udmabuf|bar) setup_landing ;;
	esac || { printf 'FAILED\tsetup\t%s\tno such device\n' "$peer"; exit 1; }
done
if [[ $rounds == --profile ]]; then
	profile "${peers[0]}" "$1"
	exit
fi
for row in "$@"; do
	IFS=: read -r name size iterations list <<<"$row"
	for ((round = 0; round < rounds; round++)); do
		[[ $name != busy ]] || { busy; continue; }
		for peer in "${peers[@]}"; do
			sample "$name" "$peer" "$size" "$iterations" "$list"
			# Host memory is from nobody.
			[[ $name != landing-socket ]] || break
		done
	done
done
