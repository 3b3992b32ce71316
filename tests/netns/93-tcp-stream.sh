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
serving() { [[ $(ip netns exec b ss -Hltn) == *:$1* ]]; }
# A response that tells no length: as many bytes as there is room for, and one more.
no_length() {
	local url=http://10.77.0.2:8001/
	ip netns exec b python3 -c 'import socket, sys
s = socket.create_server(("", 8001))
while True:
    c = s.accept()[0]
    c.recv(4096)
    c.sendall(b"HTTP/1.1 200 OK\r\n\r\n" + open(sys.argv[1], "rb").read())
    c.close()' "$1" >/dev/null 2>&1 &
	wait_for serving 8001 || { fail fetch/no_length "the server does not listen"; return; }
	check fetch/no_length/fits fetch -s 3000001 -o "$1.copy" "$url"
	check fetch/no_length/bytes cmp "$1" "$1.copy"
	refuse fetch/no_length/overflows 'does not fit into 3000000 bytes' fetch -s 3000000 "$url"
	kill %%
}
fetch_all() {
	local kind dir=/tmp/fetch.$$ url=http://10.77.0.2:8000/file
	mkdir -p "$dir"
	head -c 3000001 /dev/urandom >"$dir/file"
	ip netns exec b python3 -m http.server -d "$dir" 8000 >/dev/null 2>&1 &
	wait_for serving 8000 || { fail fetch/server "python3 -m http.server does not listen"; return; }
	for kind in heap udmabuf bar; do
		check "fetch/$kind" fetch -m "$kind" -o "$dir/$kind" "$url"
		check "fetch/$kind/bytes" cmp "$dir/file" "$dir/$kind"
	done
	refuse fetch/absent 404 fetch "${url}s"
	kill %%
	no_length "$dir/file"
	rm -rf "$dir"
}
fetch_all
same_census stream/left_behind "$before" berth0 berth1

copied() { cat "/sys/class/infiniband/$1/ports/1/hw_counters/tx_copied"; }

# Pages go to a network card as they are; for a receiver on this host the kernel copies them, and so it does where a card
# cannot gather. QEMU has two cards on one wire; its e1000 can, its virtio-net on such a wire cannot.
between_cards() {
	local n before sender receiver
	# Over veth they were, so that the counter is known to count.
	(($(copied berth0) > 0)) && pass stream/veth/copied || fail stream/veth/copied "tx_copied is 0"
	# The debug kernel has no driver of network cards but virtio's.
	! debug_kernel || return
	modprobe -q -a virtio_net e1000
	sender=$(netdev_of e1000)
	receiver=$(netdev_of virtio_net)
	[[ -n $sender && -n $receiver ]] || { skip stream/cards "this machine has not got both network cards"; return; }
	ip netns add c0
	ip netns add c1
	ip link set "$sender" netns c0
	ip link set "$receiver" netns c1
	ip -n c0 addr add 10.81.0.1/24 dev "$sender"
	ip -n c1 addr add 10.81.0.2/24 dev "$receiver"
	ip -n c0 link set "$sender" up
	ip -n c1 link set "$receiver" up
	check stream/cards/add add_dev bc c0 "$sender"
	before=$(census bc)
	VT_NETNS=c0 VT_ADDR=10.81.0.1 VT_PEER_NETNS=c1 VT_PEER_ADDR=10.81.0.2 \
		run_verbs_as stream/ stream/cards/ stream --dev bc --filter stream/send/host --filter stream/receive/bar
	n=$(copied bc)
	[[ $n == 0 ]] && pass stream/cards/uncopied || fail stream/cards/uncopied "$n parts were copied"
	same_census stream/cards/left_behind "$before" bc
	rdma link delete bc
	# The cards come back by themselves.
	ip netns del c0
	ip netns del c1
}
between_cards

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
