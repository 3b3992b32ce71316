# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
# shellcheck shell=bash
# Runs a pair of perftest's tools in the guest: the server in one netns, the client in another.
# Sourced by the demo, the benchmark and the tests, which run as root in the guest that ./run vm
# boots.

PERF_LAUNCHERS=/usr/lib/berth/perftest
PERF_PORT=18515

# perf_exec NETNS COMMAND…: becomes COMMAND, in a network namespace, or where we are for "-".
perf_exec() {
	local ns=$1
	shift
	if [[ $ns == - ]]; then exec "$@"; else exec ip netns exec "$ns" "$@"; fi
}

# perf_listening PORT PID: waits for PID to listen; its own time limit ends the wait. PID's view of
# the network is read without a process, which would cost more here than what it looks at.
perf_listening() {
	local port pid=$2 line re
	port=$(printf %04X "$1")
	re="^ *[0-9]+: [0-9A-F]+:$port [0-9A-F]+:0000 0A "
	while kill -0 "$pid" 2>/dev/null; do
		while IFS= read -r line; do
			[[ ! $line =~ $re ]] || return 0
		done < <(exec cat "/proc/$pid/net/tcp" "/proc/$pid/net/tcp6" 2>/dev/null)
		sleep 0.1
	done
	return 1
}

# perf_pair LIMIT TOOL SERVER-NETNS SERVER-DEVICE SERVER-IP CLIENT-NETNS CLIENT-DEVICE ARGUMENTS…
# Runs both sides, LIMIT seconds at most; ARGUMENTS are common. PERF_SERVER and PERF_CLIENT are
# arrays with what comes before the tool (env …), PERF_SERVER_ARGS and PERF_CLIENT_ARGS arrays
# with arguments of one side. Output is left in $PERF_DIR/server.txt and client.txt. Sets PERF_WHY
# and returns 1 when a side fails.
perf_pair() {
	local limit=$1 tool=$2 sns=$3 sdev=$4 sip=$5 cns=$6 cdev=$7 server src=0 crc=0
	shift 7
	PERF_PORT=$((PERF_PORT + 1))
	PERF_WHY=
	(perf_exec "$sns" timeout -k 2 "$limit" "${PERF_SERVER[@]:-env}" "$tool" -d "$sdev" -p "$PERF_PORT" -F \
		"$@" "${PERF_SERVER_ARGS[@]}") >"$PERF_DIR/server.txt" 2>&1 </dev/null &
	server=$!
	if ! perf_listening "$PERF_PORT" "$server"; then
		kill "$server" 2>/dev/null
		wait "$server"
		PERF_WHY="server did not start: $(perf_last "$PERF_DIR/server.txt")"
		return 1
	fi
	(perf_exec "$cns" timeout -k 2 "$limit" "${PERF_CLIENT[@]:-env}" "$tool" -d "$cdev" -p "$PERF_PORT" -F \
		"$@" "${PERF_CLIENT_ARGS[@]}" "$sip") >"$PERF_DIR/client.txt" 2>&1 </dev/null || crc=$?
	# A server whose client has failed waits for ever.
	[[ $crc -eq 0 ]] || { sleep 0.5; kill "$server" 2>/dev/null; }
	wait "$server" || src=$?
	[[ $crc -ne 0 || $src -ne 0 ]] || return 0
	PERF_WHY="client $(perf_status $crc): $(perf_last "$PERF_DIR/client.txt")"
	PERF_WHY+="; server $(perf_status $src): $(perf_last "$PERF_DIR/server.txt")"
	return 1
}

perf_status() {
	if [[ $1 -eq 124 || $1 -eq 137 ]]; then echo "timed out"; else echo "status $1"; fi
}

# What went wrong, or else the last line that says something.
perf_last() {
	{ grep -iE 'error|fail|unable|couldn.t|libberth|exporter' "$1" || grep -vE '^[-* ]*$|^ *#bytes' "$1"; } |
		tail -n 1 | tr -s ' \t' ' ' | cut -c 1-200
}
