#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
# The part of the demo inside the guest: runs each case and leaves its traces in /out/NAME.
# usage: demo-guest.sh CASE…, each NAME:PATH:SERVER-EXPORTER:CLIENT-EXPORTER:SIZE:SEED:BAR-OFFSET
#
# PATH is "wire" (client berth0 in netns a, server berth1 in netns b) or "local" (both on berth0), over RoCEv2; "tcp" and
# "tcp-local" are the same with TCP-offload QPs.
# A case leaves status (0 or why), server.json and client.json (the shim's records), dump (the
# server's buffer as the CPU reads it at the end), and perftest's output of both sides. Judging is
# left to the host.
set -uo pipefail
# shellcheck source=perf/guest.sh
. "$(dirname "${BASH_SOURCE[0]}")/guest.sh"

run_case() {
	local name path sexp cexp size seed offset dir
	IFS=: read -r name path sexp cexp size seed offset <<<"$1"
	dir=/out/$name
	mkdir -p "$dir"
	PERF_DIR=$dir
	PERF_SERVER=(env "BERTH_DMABUF_LOG=$dir/server.json" "BERTH_DMABUF_DUMP=$dir/dump" "BERTH_DMABUF_BAR_OFFSET=$offset")
	PERF_CLIENT=(env "BERTH_DMABUF_LOG=$dir/client.json" "BERTH_DMABUF_PATTERN=$seed"
		"BERTH_DMABUF_BAR_OFFSET=$((offset + (4 << 20)))")
	PERF_SERVER_ARGS=("--use_dmabuf=$sexp")
	PERF_CLIENT_ARGS=("--use_dmabuf=$cexp")
	local peer=(b berth1 10.77.0.2 a berth0)
	[[ $path != *local ]] || peer=(a berth0 10.77.0.1 a berth0)
	if [[ $path == tcp* ]]; then
		PERF_SERVER+=(BERTH_QP_TYPE=tcp)
		PERF_CLIENT+=(BERTH_QP_TYPE=tcp)
	fi
	echo
	echo "=== $name: ib_write_bw --use_dmabuf=$cexp on ${peer[4]} (netns ${peer[3]}) to --use_dmabuf=$sexp on ${peer[1]} (netns ${peer[0]})"
	if perf_pair 60 "$PERF_LAUNCHERS/ib_write_bw" "${peer[@]}" -s "$size" -n 200; then
		cat "$dir/client.txt"
		echo 0 >"$dir/status"
	else
		echo "$PERF_WHY" | tee "$dir/status"
	fi
}

for case in "$@"; do
	run_case "$case"
done
