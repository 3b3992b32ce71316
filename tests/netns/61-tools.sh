#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
# rdma-core's and iproute2's own tools over berth, in the guest of ./run vm: ibv_devinfo,
# ibv_rc_pingpong, ibv_uc_pingpong, rdma. Prints "PASS case" or "FAIL case: why"; exit status 1 if one failed.
#
#	netns a: va 10.77.0.1, fd77::1 berth0  ---- veth ----  netns b: vb 10.77.0.2, fd77::2 berth1
set -uo pipefail
top=$(dirname "${BASH_SOURCE[0]}")/../..
# shellcheck source=perf/guest.sh
. "$top/perf/guest.sh"

limit=$((40 * ${BERTH_SLOW:-1}))
dir=$(mktemp -d)
failed=0

pass() { echo "PASS $1"; }

fail() {
	echo "FAIL $1: $2"
	failed=1
}

# says NAME PATTERN COMMAND…: the command succeeds and its output has a line like PATTERN.
says() {
	local name=$1 pattern=$2 status=0
	shift 2
	timeout "$limit" "$@" >"$dir/out" 2>&1 || status=$?
	if [[ $status -eq 0 ]] && grep -Eq -- "$pattern" "$dir/out"; then
		pass "$name"
	else
		fail "$name" "status $status, no '$pattern' in: $(head -c 300 "$dir/out" | tr '\n\t' '  ')"
	fi
}

# gid_index DEVICE HEX: the RoCE v2 entry whose GID ends in HEX (written as sysfs does).
gid_index() {
	local f index
	for f in "/sys/class/infiniband/$1/ports/1/gids/"*; do
		index=${f##*/}
		[[ $(<"$f") == *"$2" ]] || continue
		grep -qs 'v2' "/sys/class/infiniband/$1/ports/1/gid_attrs/types/$index" || continue
		echo "$index"
		return
	done
}

port=19000
program=ibv_rc_pingpong
# pingpong NAME SERVER-NETNS SERVER-DEVICE SERVER-GID SERVER-IP CLIENT-DEVICE CLIENT-GID ARGUMENTS…
# -c has the server check the data it gets. Its own connection is over IPv4 whatever the GID.
pingpong() {
	local name=$1 sns=$2 sdev=$3 sgid=$4 sip=$5 cdev=$6 cgid=$7 server src=0 crc=0
	shift 7
	port=$((port + 1))
	if [[ -z $sgid || -z $cgid ]]; then
		fail "$name" "no RoCE v2 GID of the address"
		return
	fi
	(perf_exec "$sns" timeout "$limit" $program -d "$sdev" -g "$sgid" -p $port -c -n 200 "$@") >"$dir/server" 2>&1 &
	server=$!
	perf_listening $port $server || true
	(perf_exec a timeout "$limit" $program -d "$cdev" -g "$cgid" -p $port -c -n 200 "$@" "$sip") >"$dir/client" 2>&1 || crc=$?
	[[ $crc -eq 0 ]] || { sleep 0.5; kill $server 2>/dev/null; }
	wait $server || src=$?
	if [[ $crc -eq 0 && $src -eq 0 ]] && grep -q '200 iters in' "$dir/client" &&
	   ! grep -q 'invalid data' "$dir/client" "$dir/server"; then
		pass "$name"
	else
		fail "$name" "client $(perf_status $crc): $(perf_last "$dir/client"); server $(perf_status $src): $(perf_last "$dir/server")"
	fi
}

# While a server holds its objects, rdma resource has to list them.
resources() {
	local server word
	(perf_exec b timeout "$limit" ibv_rc_pingpong -d berth1 -g "$b4" -p 18999) >/dev/null 2>&1 &
	server=$!
	perf_listening 18999 $server || true
	says rdma-resource-qp '^link berth1/1 lqpn' ip netns exec b rdma resource show qp link berth1/1
	for word in cq mr pd; do
		says "rdma-resource-$word" '^dev berth1 ' ip netns exec b rdma resource show "$word" dev berth1
	done
	says rdma-resource-owner 'comm ibv_rc_pingpong' ip netns exec b rdma resource show qp link berth1
	says rdma-resource-counts 'berth1: .*qp [1-9].*mr [1-9]' ip netns exec b rdma resource show berth1
	kill $server
	wait $server 2>/dev/null
	says rdma-resource-gone 'berth1: .*mr 0' ip netns exec b rdma resource show berth1
}

a4=$(gid_index berth0 ffff:0a4d:0001) a6=$(gid_index berth0 0000:0000:0000:0001)
b4=$(gid_index berth1 ffff:0a4d:0002) b6=$(gid_index berth1 0000:0000:0000:0002)

says ibv_devices 'berth0' ip netns exec a ibv_devices
says ibv_devinfo-port 'state:.*PORT_ACTIVE' ip netns exec a ibv_devinfo -d berth0
says ibv_devinfo-v-limits 'max_sge:[[:space:]]*(3[2-9]|[4-9][0-9]|[0-9]{3,})' ip netns exec a ibv_devinfo -v -d berth0
says ibv_devinfo-v-gid 'GID\[ *[0-9]+\]:.*::ffff:10\.77\.0\.1.*RoCE v2' ip netns exec a ibv_devinfo -v -d berth0
says ibv_devinfo-v-layer 'link_layer:.*Ethernet' ip netns exec b ibv_devinfo -v -d berth1
says rdma-link 'link berth0/1 state ACTIVE physical_state LINK_UP.*netdev va' ip netns exec a rdma link show berth0/1
says rdma-dev 'berth1: node_type ca' ip netns exec b rdma dev show berth1
resources

pingpong pingpong-local a berth0 "$a4" 10.77.0.1 berth0 "$a4"
pingpong pingpong-wire b berth1 "$b4" 10.77.0.2 berth0 "$a4"
pingpong pingpong-wire-events b berth1 "$b4" 10.77.0.2 berth0 "$a4" -e
# What the rest takes of ours the programs of tests/verbs take on the debug kernel, too.
[[ ${BERTH_FLAVOUR:-stock} == stock ]] || exit $failed
pingpong pingpong-wire-ipv6 b berth1 "$b6" 10.77.0.2 berth0 "$a6"
if [[ -n ${BERTH_LONG:-} ]]; then
	pingpong pingpong-local-events a berth0 "$a4" 10.77.0.1 berth0 "$a4" -e
	pingpong pingpong-wire-ipv6-local a berth0 "$a6" 10.77.0.1 berth0 "$a6" -e
	pingpong pingpong-wire-256 b berth1 "$b4" 10.77.0.2 berth0 "$a4" -m 256 -s 10000
	pingpong pingpong-wire-large b berth1 "$b4" 10.77.0.2 berth0 "$a4" -s 1000003
fi
pingpong pingpong-wire-1-byte b berth1 "$b4" 10.77.0.2 berth0 "$a4" -s 1
program=ibv_uc_pingpong
pingpong uc-pingpong-local a berth0 "$a4" 10.77.0.1 berth0 "$a4"
pingpong uc-pingpong-wire-events b berth1 "$b4" 10.77.0.2 berth0 "$a4" -e -s 10000
exit $failed
