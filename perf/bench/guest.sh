#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
# The part of the benchmark inside the guest: runs each row on each of its peers, and prints one line a run, fields
# separated by tabs:
#	SAMPLE row peer metric=value…		rate: messages a second; instructions: of one; median, p99, p999: microseconds
#	SKIPPED row peer why			it cannot be had here
#	FAILED row peer why
# usage: guest.sh ROUNDS ROWS.tsv	(rows.tsv tells the fields)
#        guest.sh --profile PEER ROWS.tsv	the first row, once as it is and once with three times the messages, counted (../profile/)
#
# Peers. Of rc-local, client and server on berth0 in a; of rc-wire and tcp, client on berth1 in b, server on berth0 in a:
#	berth, berth-heap, berth-bar		host memory, or dma-bufs on both sides
#	berth-unchecked				without the check of ICRCs where no packet leaves the host: not to be had, and skipped
#	berth-tcp, berth-iw			latency: TCP-offload QPs; tcp: over a link of type berth_iw
#	rxe, siw				on one device in the first namespace (two listeners of siw cannot share a kernel)
#	iperf3, qperf				sockets, from b to a, writes of the same size
#	memcpy, string				the limit: the kernel copies by memcpy(), or by a string move
# Of stream, a socket's bytes from b to a; of netmem, the same by a receive queue of berth_nic; berth_landing_bw receives:
#	berth-posted, -posted-heap, -posted-bar	a stream QP with posted receives
#	berth-handed-over-*, berth-copy-*	a stream QP with an area on the memory of the queue, or elsewhere
#	devmem-*, socket			the kernel's devmem TCP; recv() into host memory
# Rounds go around all peers, so that no peer has a warmer machine than another.
set -uo pipefail
BENCH=$(dirname "${BASH_SOURCE[0]}")
# shellcheck source=perf/guest.sh
. "$BENCH/../guest.sh"
# shellcheck source=perf/bench/peers.sh
. "$BENCH/peers.sh"

PERF_DIR=$(mktemp -d)
# Guest time leaps to the next timer whenever the guest waits for the host, as for a file: a
# minute can pass in a blink. A run that really hangs idle still gets there soon.
LIMIT=100000
# So what spins for ever is found by the host's time, which the clock chip tells: seconds that a run may take.
PATIENCE=90

# watchdog PID: ends the tools of a sample when it takes too long, for the life of PID. It looks seldom, and starts no
# process between.
watchdog() {
	local now began of='' sample
	while kill -0 "$1" 2>/dev/null; do
		read -r -t 5 -u 8
		read -r now </sys/class/rtc/rtc0/since_epoch || return
		read -r sample <"$PERF_DIR/now"
		[[ $sample == "$of" ]] || { of=$sample began=$now; }
		((now - began < PATIENCE)) || { pkill -KILL -x "$TOOLS"; began=$now; }
	done
}
TOOLS='ib_(write|send|read)_(bw|lat)|iperf3|berth_landing_b|scale'

# These speak of the row and the peer that run: row, peer, size, count, options are the sample's (see sample()).
took() { printf 'SAMPLE\t%s\t%s\t%s\n' "$row" "$peer" "$1"; }
failed() { printf 'FAILED\t%s\t%s\t%s\n' "$row" "$peer" "$1"; }
skipped() { printf 'SKIPPED\t%s\t%s\t%s\n' "$row" "$peer" "$1"; }

# Of small messages the table has more digits of their number, of large ones of their bytes.
perftest_rate() {
	awk -v size="$size" '$1 == size && NF == 5 { rate = size < 4096 ? $5 * 1e6 : $4 * 1048576 / size }
		END { if (rate > 0) printf "rate=%.3f", rate }' "$PERF_DIR/client.txt"
}

# perftest measures its clock each time; where that does not succeed all is infinite.
perftest_latency() {
	awk -v size="$size" '$1 == size && NF == 9 && $5 ~ /^[0-9]/ { found = sprintf("median=%s p99=%s p999=%s", $5, $8, $9) }
		END { printf "%s", found }' "$PERF_DIR/client.txt"
}

# perftest KIND: bw or lat.
perftest() {
	local kind=$1 op figures memory='' tcp='' name try
	local where=(a berth0 10.77.0.1 b berth1) arguments=(-s "$size" -n "$count" -m 4096)
	IFS=/ read -ra name <<<"$row"
	PERF_SERVER_ARGS=() PERF_CLIENT_ARGS=() PERF_SERVER=(env) PERF_CLIENT=(env)
	op=${name[1]}
	case $row in
	rc-local/*|qps/*)	where=(a berth0 10.77.0.1 a berth0) ;;
	tcp/*)			tcp=1 ;;
	latency/*)		op=${name[2]}
				[[ ${name[1]} != local ]] || where=(a berth0 10.77.0.1 a berth0) ;;
	esac
	case $peer in
	berth-heap)	memory=heap ;;
	berth-bar)	memory=bar ;;
	berth-tcp)	tcp=1 ;;
	esac
	[[ -z $tcp ]] || PERF_SERVER=(env BERTH_QP_TYPE=tcp) PERF_CLIENT=(env BERTH_QP_TYPE=tcp)
	# Each side polls: on one processor each would wait for the other's time slice.
	[[ $kind == bw ]] || PERF_SERVER=(taskset -c 0 "${PERF_SERVER[@]}") PERF_CLIENT=(taskset -c 1 "${PERF_CLIENT[@]}")
	[[ -z $memory ]] || arguments+=("--use_dmabuf=$memory")
	case $peer in
	rxe)		peer_setup rxe || { failed "no such device"; return; }
			where=(- rxe0 10.78.0.1 - rxe0) ;;
	siw)		peer_setup siw || { failed "no such device"; return; }
			where=(- siw0 10.79.0.1 - siw0) arguments=(-s "$size" -n "$count" -R) ;;
	berth-iw)	peer_setup iw || { failed "no such device"; return; }
			where=(a iw0 10.80.0.1 b iw1) arguments=(-s "$size" -n "$count" -R) ;;
	esac
	[[ $options == - ]] || { IFS=, read -ra name <<<"$options" && arguments+=("${name[@]}"); }
	PERF_CLIENT_ARGS+=("${PROFILE[@]}")
	for try in 1 2; do
		perf_pair $LIMIT "$PERF_LAUNCHERS/ib_${op}_$kind" "${where[@]}" "${arguments[@]}" || { failed "$PERF_WHY"; return; }
		if [[ $kind == bw ]]; then figures=$(perftest_rate); else figures=$(perftest_latency); fi
		[[ -z $figures ]] || break
	done
	if [[ -n $figures ]]; then took "${figures// /$'\t'}"; else failed "perftest printed no result"; fi
}

# A plain socket: as many bytes, in writes of as many.
iperf() {
	local server rate
	PERF_PORT=$((PERF_PORT + 1))
	ip netns exec a iperf3 -s -1 -p $PERF_PORT >"$PERF_DIR/server.txt" 2>&1 </dev/null &
	server=$!
	perf_listening $PERF_PORT $server
	if ip netns exec b iperf3 -c 10.77.0.1 -p $PERF_PORT -l "$size" -n $((size * count)) -J >"$PERF_DIR/client.txt" 2>&1 </dev/null &&
	   rate=$(awk '/"sum_received"/ { here = 1 } here && /"bits_per_second"/ { sub(/.*:/, ""); print $1 + 0; exit }' "$PERF_DIR/client.txt"); then
		took "rate=$(awk -v bits="$rate" -v size="$size" 'BEGIN { printf "%.3f", bits / 8 / size }')"
	else
		failed "$(perf_last "$PERF_DIR/client.txt")"
		kill $server 2>/dev/null
	fi
	wait $server
}

# qperf TEST, a second of it, as its option for a number of messages does not work with TCP: tcp_bw, or tcp_lat, which is
# half a round trip as perftest's is, and a mean.
qperf_run() {
	local figures cpu=0
	peer_setup qperf || { failed "qperf does not listen"; return; }
	[[ $1 == tcp_bw ]] || cpu=1
	ip netns exec b taskset -c $cpu qperf 10.77.0.1 -lp $QPERF_PORT -uu -m "$size" -t 1 "$1" >"$PERF_DIR/client.txt" 2>&1 </dev/null ||
		{ failed "$(perf_last "$PERF_DIR/client.txt")"; return; }
	figures=$(awk -v size="$size" '$1 == "bw" && $4 == "bytes/sec" { printf "rate=%.3f", $3 / size }
		$1 == "latency" && $4 == "sec" { printf "median=%.3f", $3 * 1e6 }
		$1 == "latency" && $4 == "ns" { printf "median=%.3f", $3 / 1e3 }' "$PERF_DIR/client.txt")
	if [[ -n $figures ]]; then took "$figures"; else failed "$(perf_last "$PERF_DIR/client.txt")"; fi
}

# landing ADDRESS: the receiver's time, in which the sender works, too.
landing() {
	local address=$1 port=$NIC_PORT server src=0 crc=0 handed=0 figures memory=${peer##*-} how
	case $peer in
	berth-posted)		how=(--mode=posted) ;;
	berth-posted-*)		how=(--mode=posted "--use_dmabuf=$memory") ;;
	berth-copy-*)		how=(--mode=stream "--use_dmabuf=$memory") ;;
	berth-handed-over-*)	how=(--mode=stream "--use_dmabuf=$memory" --netdev=nic0 --queue=3) handed=1 ;;
	devmem-*)		how=(--mode=devmem "--use_dmabuf=$memory" --netdev=nic0 --queue=3) handed=1 ;;
	socket)			how=(--mode=socket) ;;
	esac
	# What a read, a receive or a completion takes at most; a chunk pool of 8 MiB has to hold some.
	local most=$((size < 1 << 20 ? size : 1 << 20))
	ip netns exec a timeout -k 2 $LIMIT berth_landing_bw -p $port -s "$most" -n $((count * size / most)) "${how[@]}" \
		>"$PERF_DIR/server.txt" 2>&1 </dev/null &
	server=$!
	if perf_listening $port $server; then
		ip netns exec b timeout -k 2 $LIMIT berth_landing_bw -p $port -s "$size" -n "$count" "$address" \
			>"$PERF_DIR/client.txt" 2>&1 </dev/null || crc=$?
		[[ $crc -eq 0 ]] || kill $server 2>/dev/null
	fi
	wait $server || src=$?
	if [[ $src -ne 0 || $crc -ne 0 ]]; then
		figures=$(perf_last "$PERF_DIR/server.txt")
		failed "${figures:-$(perf_last "$PERF_DIR/client.txt")}"
		return
	fi
	# Figures of what did not land as the peer says are none.
	figures=$(tail -n 1 "$PERF_DIR/server.txt" | awk -v size="$size" -v handed=$handed '
		handed ? $4 >= 0.99 * ($4 + $5) : $4 == 0 { printf "rate=%.3f", $3 * 1048576 / size }')
	if [[ -n $figures ]]; then took "$figures"; else failed "not as it says: $(perf_last "$PERF_DIR/server.txt")"; fi
}

# One connection against a thousand that are busy at once (tests/verbs/scale.c): their messages per second.
busy() {
	local out
	if out=$("$BERTH_TESTS/scale" --dev berth0 --peer none --slow 100 --filter scale/rate/local 2>&1); then
		awk -v row="$row" '/messages\/s with one pair/ {
			printf "SAMPLE\t%s\tberth-1-qp\trate=%s\nSAMPLE\t%s\tberth-1000-qps\trate=%s\n", row, $2, row, $7 }' <<<"$out"
	else
		failed "${out//$'\n'/; }"
	fi
}

# A chunk and its return: of an area's own pool; leased from a binding, when it goes home and when it stays.
chunk() {
	local memory=${row##*/} out
	if ! { peer_setup kernel && peer_setup nic; }; then
		failed "no test module or no NIC"
	elif out=$(ip netns exec a python3 "$BERTH_TOP/tests/netns/nic/devmem.py" cost nic0 3 --memory "$memory" 2>&1); then
		awk -v row="$row" '$1 == "pool" {
			printf "SAMPLE\t%s\tberth-pool\tinstructions=%s\n", row, $2
			printf "SAMPLE\t%s\tberth-lease-home\tinstructions=%s\n", row, $4
			printf "SAMPLE\t%s\tberth-lease-kept\tinstructions=%s\n", row, $6 }' <<<"$out"
	else
		failed "${out##*$'\n'}"
	fi
}

# The kernel's own copying; at most 32 MiB of it.
copying() {
	local rate times=$(((32 << 20) / size))
	peer_setup kernel || { failed "no test module"; return; }
	if rate=$(python3 "$BENCH/kernel_cost.py" "$peer" "$size" $((times > count ? count : times)) 2>&1); then
		took "rate=$rate"
	else
		failed "${rate##*$'\n'}"
	fi
}

# sample ROW PEER SIZE COUNT OPTIONS
sample() {
	local row=$1 peer=$2 size=$3 count=$4 options=$5
	samples=$((samples + 1))
	echo $samples >"$PERF_DIR/now"
	case $row:$peer in
	*:memcpy|*:string)	copying ;;
	*:berth-unchecked)	skipped "every ICRC is checked: what never leaves the host may be changed on its way, too" ;;
	*:iperf3)		iperf ;;
	latency/*:qperf)	qperf_run tcp_lat ;;
	*:qperf)		qperf_run tcp_bw ;;
	latency/*)		perftest lat ;;
	stream/*)		landing 10.77.0.1 ;;
	netmem/*)		if peer_setup nic; then landing 10.81.0.1; else failed "no NIC"; fi ;;
	*)			perftest bw ;;
	esac
}

# The peers of these come out of one run.
at_once() { [[ $1 == chunk/* || $2 == berth-1-qp* ]]; }

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

count_of() { if [[ $1 == rxe || $1 == siw || $1 == berth-iw ]]; then echo "$slow"; else echo "$count"; fi; }

# Without a peak, for which perftest compares each two of its messages.
profile() {
	local peer=$1 name size count slow options times n
	IFS=$'\t' read -r name size count slow options _ <"$2"
	PROFILE=(-N)
	n=$(count_of "$peer")
	sampled "$name" "$peer" "$size" "$n" "$options" || return
	# All modules are there now.
	cp /proc/kallsyms /out/kallsyms
	for times in 1 3; do
		count start
		sampled "$name" "$peer" "$size" "$((times * n))" "$options" || return
		count stop
	done
}

measure() {
	local rounds=$1 name size count slow options list peers peer round row
	while IFS=$'\t' read -r -u 9 name size count slow options list; do
		IFS=, read -ra peers <<<"$list"
		for ((round = 0; round < rounds; round++)); do
			if at_once "$name" "$list"; then
				row=$name peer=${peers[0]}
				if [[ $name == chunk/* ]]; then chunk; else busy; fi
				continue
			fi
			for peer in "${peers[@]}"; do
				sample "$name" "$peer" "$size" "$(count_of "$peer")" "$options"
			done
		done
	done 9<"$2"
}

PROFILE=() samples=0
echo 0 >"$PERF_DIR/now"
if [[ $1 == --profile ]]; then
	profile "$2" "$3"
	exit
fi
mkfifo "$PERF_DIR/silence"
exec 8<>"$PERF_DIR/silence"
watchdog $$ 2>/dev/null &
watchdog=$!
measure "$1" "$2"
kill $watchdog 2>/dev/null
peers_end
