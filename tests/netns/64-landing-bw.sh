#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
# berth_landing_bw: each of its modes across namespaces, over a plain veth and over berth_nic, into every kind of memory, every
# byte compared; who counts as copied and who not; bytes that are wrong, or missing, or never come. Runs in the guest.
# timeout: 180
set -uo pipefail
# shellcheck source=tests/netns/nic/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/nic/lib.sh"
# The program that is installed here, with the library that is.
TOOL=berth_landing_bw
LIMIT=$((30 * ${BERTH_SLOW:-1}))
dir=$(mktemp -d)
trap 'nic_down; rm -rf "$dir"' EXIT
modprobe -q berth_bar_exporter || { fail landing/setup "modprobe berth_bar_exporter failed"; exit 1; }
nic_up || { fail landing/setup "no NIC"; exit 1; }
veth=10.78.0.1 nic=10.79.0.1 queue=3
{ ip netns exec ta ethtool -X nic0 equal 2 &&
	ip netns exec ta ethtool -N nic0 flow-type tcp4 dst-ip $nic dst-port $PORT queue $queue; } >/dev/null ||
	{ fail landing/setup "ethtool refuses"; exit 1; }
before=$(census berth0 berth1)

listening() { [[ $(<"/proc/$1/net/tcp6") == *:$(printf %04X "$PORT")\ *\ 0A\ * ]] || ! kill -0 "$1"; } 2>/dev/null

# receiver OPTIONS...: in the background, until it listens; its PID is in $pid.
receiver() {
	ip netns exec ta timeout $LIMIT $TOOL -p $PORT "$@" >"$dir/receiver" 2>&1 &
	pid=$!
	wait_for listening $pid
}

# landed NAME ADDRESS BYTES-HANDED-OVER OPTIONS...: 50 writes of 64 KiB; their bytes, and that none was copied or that all were.
landed() {
	local name=$1 address=$2 least=$3 src=0 crc=0 total=$((50 * 65536)) handed copied
	shift 3
	receiver -n 50 --verify "$@"
	ip netns exec tb timeout $LIMIT $TOOL -p $PORT -n 50 "$address" >"$dir/sender" 2>&1 || crc=$?
	[[ $crc -eq 0 ]] || kill $pid 2>/dev/null
	wait $pid || src=$?
	read -r _ _ _ handed copied < <(tail -n 1 "$dir/receiver")
	if [[ $src -ne 0 || $crc -ne 0 ]]; then
		fail "$name" "receiver $src, sender $crc: $(tail -qn 1 "$dir/receiver" "$dir/sender" | tr '\n' ';')"
	elif ((handed + copied != total || handed < least || least == 0 && handed != 0)); then
		fail "$name" "$handed bytes were handed over and $copied copied, of $total"
	else
		pass "$name"
	fi
}

# fails NAME PATTERN COMMAND OF A SENDER...: the receiver, which expects 50 writes, has to say so and to fail.
fails() {
	local name=$1 pattern=$2 rc=0
	shift 2
	ip netns exec tb timeout $LIMIT "$@" >"$dir/sender" 2>&1 </dev/null
	wait $pid || rc=$?
	if [[ $rc -eq 1 && $(<"$dir/receiver") =~ $pattern ]]; then
		pass "$name"
	else
		fail "$name" "exit status $rc: $(tail -n 1 "$dir/receiver")"
	fi
}

# What is not bound to a queue is copied, once.
copied() {
	local memory memories=(bar)
	! long || memories=(heap udmabuf bar)
	landed landing/veth/socket $veth 0 --mode=socket
	landed landing/nic/socket $nic 0 --mode=socket
	for memory in "${memories[@]}"; do
		landed landing/veth/stream/$memory $veth 0 --use_dmabuf=$memory
		landed landing/nic/stream/$memory $nic 0 --use_dmabuf=$memory
		landed landing/nic/posted/$memory $nic 0 --mode=posted --use_dmabuf=$memory
	done
	landed landing/veth/posted/host $veth 0 --mode=posted
	landed landing/veth/posted/bar $veth 0 --mode=posted --use_dmabuf=bar
}

devmem() {
	local memory
	for memory in heap udmabuf bar; do
		landed landing/nic/devmem/$memory $nic $((50 * 65536)) --mode=devmem --netdev=nic0 --queue=$queue --use_dmabuf=$memory
	done
	# By another queue.
	landed landing/veth/devmem $veth 0 --mode=devmem --netdev=nic0 --queue=$queue
}

# A stream QP on memory that the queue is bound to: nothing is copied.
handed_over() {
	local memory
	for memory in heap udmabuf bar; do
		landed landing/nic/handed_over/$memory $nic $((50 * 65536)) --netdev=nic0 --queue=$queue --use_dmabuf=$memory
	done
}

refusals() {
	local zeros="head -c 65536 /dev/zero >/dev/tcp/$veth/$PORT"
	receiver -n 1 --verify
	fails landing/wrong/stream 'byte 0 of the stream is 0x00' bash -c "$zeros"
	receiver -n 1 --verify --mode=posted --use_dmabuf=bar
	fails landing/wrong/posted 'byte 0 of the stream is 0x00' bash -c "$zeros"
	receiver -n 1 --verify --mode=devmem --netdev=nic0 --queue=$queue
	fails landing/wrong/devmem 'byte 0 of the stream is 0x00' bash -c "${zeros/$veth/$nic}"
	receiver -n 50
	fails landing/missing 'bytes have arrived, not' $TOOL -p $PORT -n 49 $veth
	refuse landing/refused/netdev 'No such device' ip netns exec ta $TOOL --mode=devmem --netdev=none --queue=0
	refuse landing/refused/queue 'queue 99 of nic0' ip netns exec ta $TOOL --mode=devmem --netdev=nic0 --queue=99
}

copied
devmem
handed_over
refusals
same_census landing/left_behind "$before" berth0 berth1
exit $failed
