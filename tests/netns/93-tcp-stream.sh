#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
# TCP-offload QPs in stream mode: a QP adopts a socket whose other end is a plain one; every kind of memory, ends and
# resets, what becomes of the descriptor; over wires that lose and reorder packets, where a buffer that has completed is
# overwritten at once; a download into dma-bufs. Runs in the guest.
# timeout: 300
set -uo pipefail
# shellcheck source=tests/verbs/guest-lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../verbs/guest-lib.sh"
need_programs stream
trap link_down EXIT

before=$(census berth0 berth1)
export VT_NETNS=a VT_ADDR=10.77.0.1 VT_ADDR6=fd77::1 VT_PEER_NETNS=b VT_PEER_ADDR=10.77.0.2 VT_PEER_ADDR6=fd77::2
run_verbs stream
# Both ends on one host, over lo.
VT_PEER_NETNS=a VT_PEER_ADDR=10.77.0.1 run_verbs_as stream/ stream/lo/ stream --filter 'stream/both/h*' --filter stream/two_qps
# The example: a download by HTTP whose body lands in a dma-buf. With the library that is installed here, not the one
# beside the program.
fetch() {
	env LD_LIBRARY_PATH=/usr/lib/x86_64-linux-gnu ip netns exec a "$TESTS/../../examples/berth_fetch" -d berth0 "$@"
}
serving() { [[ $(ip netns exec b ss -Hltn) == *:8000* ]]; }
fetch_all() {
	local kind dir=/tmp/fetch.$$ url=http://10.77.0.2:8000/file
	mkdir -p "$dir"
	head -c 3000001 /dev/urandom >"$dir/file"
	ip netns exec b python3 -m http.server -d "$dir" 8000 >/dev/null 2>&1 &
	wait_for serving || { fail fetch/server "python3 -m http.server does not listen"; return; }
	for kind in heap udmabuf bar; do
		check "fetch/$kind" fetch -m "$kind" -o "$dir/$kind" "$url"
		check "fetch/$kind/bytes" cmp "$dir/file" "$dir/$kind"
	done
	refuse fetch/absent 404 fetch "${url}s"
	kill %%
	rm -rf "$dir"
}
fetch_all
same_census stream/left_behind "$before" berth0 berth1

modprobe -q sch_netem || { skip stream/netem "this kernel has no netem"; exit $failed; }
bad_link_up || { fail stream/setup "no link of our own"; exit 1; }
export VT_NETNS=ta VT_ADDR=10.78.0.1 VT_PEER_NETNS=tb VT_PEER_ADDR=10.78.0.2
for kind in 'loss 2%' 'reorder 75% delay 1ms'; do
	# shellcheck disable=SC2086
	bad_wire $kind
	run_verbs_as stream/ "stream/${kind%% *}/" stream --dev bt0 --filter 'stream/send/*' --filter stream/receive/host
	good_wire
done
exit $failed
