#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
# UCX over berth, as its own ucx_perftest drives it: its transports over RC and UD QPs, with each way to hand over data,
# and its protocols (tags, streams, active messages, eager and rendezvous) on top of them; the same over TCP-offload QPs.
# Runs in the guest.
# timeout: 200
set -uo pipefail
# shellcheck source=tests/verbs/guest-lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../verbs/guest-lib.sh"
# shellcheck source=perf/guest.sh
. "$(dirname "${BASH_SOURCE[0]}")/../../perf/guest.sh"
command -v ucx_perftest >/dev/null || { fail setup "ucx_perftest is not installed: apt-get install ucx-utils"; exit 1; }
limit=$((40 * ${BERTH_SLOW:-1}))
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
# What it finds on the machine beside our devices is not asked.
export UCX_WARN_UNUSED_ENV_VARS=n UCX_LOG_LEVEL=error

# Starting UCX takes two seconds, on the debug kernel a third of a minute: one of each kind, all with --long.
SAMPLE=(ucx/rc/am_short ucx/rc/put_zcopy ucx/rc/cswap ucx/ud/am_bcopy ucx/protocols/rc/tag_rendezvous ucx/tcp/am_zcopy
	ucx/tcp/get_zcopy ucx/protocols/tcp/tag_eager ucx/protocols/tcp/stream)

# ucx NAME NETNS DEVICE ARGUMENTS...: server on berth0 in netns a, client in NETNS on DEVICE; the line of the result has figures
# above zero.
port=13400
ucx() {
	local name=$1 ns=$2 dev=$3 server src=0 crc=0
	long || [[ " ${SAMPLE[*]} " == *" $name "* ]] || return 0
	shift 3
	port=$((port + 1))
	UCX_NET_DEVICES=berth0:1 ip netns exec a timeout "$limit" ucx_perftest -f -p $port "$@" >"$dir/server" 2>&1 &
	server=$!
	perf_listening $port $server || true
	UCX_NET_DEVICES=$dev:1 ip netns exec "$ns" timeout "$limit" ucx_perftest -f -p $port "$@" 10.77.0.1 >"$dir/client" 2>&1 || crc=$?
	[[ $crc -eq 0 ]] || kill $server 2>/dev/null
	wait $server || src=$?
	if [[ $src -eq 0 && $crc -eq 0 ]] && awk '$NF > 0 && $(NF - 1) > 0 { ok = 1 } END { exit !ok }' "$dir/client"; then
		pass "$name"
	else
		fail "$name" "server $src, client $crc: $(tail -qn 3 "$dir/server" "$dir/client" | tr '\n' ';')"
	fi
}

# transport NAME UCX-TRANSPORT: on one device, because the server takes its from the client.
transport() {
	local name=$1 tl=$2
	one() { ucx "$name/$1" a berth0 -d berth0:1 -x "$tl" "${@:2}"; }
	one am_short -t am_lat -s 8 -D short -n 200 -w 10
	one am_bcopy -t am_bw -s 1000 -D bcopy -n 200 -w 10
	one am_zcopy -t am_bw -s 2000 -D zcopy -n 200 -w 10
	[[ $tl == rc_verbs ]] || return 0
	one put_zcopy -t put_bw -s 1000000 -D zcopy -n 50 -w 10
	one get_zcopy -t get -s 1000000 -D zcopy -n 50 -w 10
	one cswap -t cswap -s 8 -n 200 -w 10
	one fadd -t fadd -s 8 -n 200 -w 10
}

# protocols NAME TRANSPORTS: across the namespaces.
protocols() {
	local name=$1
	export UCX_TLS=$2
	two() { ucx "$name/$1" b berth1 "${@:2}"; }
	two tag_eager -t tag_lat -s 100 -n 200 -w 10
	two tag_rendezvous -t tag_bw -s 1000000 -n 50 -w 10
	two stream -t stream_bw -s 10000 -n 100 -w 10
	two am -t ucp_am_bw -s 10000 -n 100 -w 10
	unset UCX_TLS
}

before=$(census berth0 berth1)
transport ucx/rc rc_verbs
transport ucx/ud ud_verbs
protocols ucx/protocols/rc rc_v,ud_v
export BERTH_QP_TYPE=tcp
transport ucx/tcp rc_verbs
protocols ucx/protocols/tcp rc_v,ud_v
same_census ucx/left_behind "$before" berth0 berth1
exit $failed
