#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
# The kernel's own program for devmem TCP, ncdevmem, as it is, on berth_nic: its tests of binding, and data that it
# validates, into udmabuf and the PCI BAR. Only when it is asked for by name, as it is built from the kernel's sources:
# ./run test ncdevmem. Runs in the guest.
# timeout: 900
set -uo pipefail
# shellcheck source=tests/netns/nic/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/nic/lib.sh"
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
program=${TESTS%/user/tests/verbs}/ncdevmem
trap nic_down EXIT
[[ -x $program/ncdevmem ]] || { fail ncdevmem/setup "$program/ncdevmem is not built: ./run test ncdevmem does that"; exit 1; }
modprobe -q udmabuf
modprobe -q berth_bar_exporter || { fail ncdevmem/setup "modprobe berth_bar_exporter failed"; exit 1; }
nic_up || { fail ncdevmem/setup "no NIC"; exit 1; }
export PATH=$here/nic/bin:$PATH

listening() { [[ $(ip netns exec ta ss -Hltn) == *:$PORT* ]]; }

# The exporter of the dma-buf that the child of $1 has.
exporter_of() { cat "/proc/$(pgrep -P "$1")/fdinfo/"* 2>/dev/null | sed -n 's/^exp_name:[[:space:]]*//p'; }

# Bytes 1, 2, ... 250, 0, 1, ...: what -v 251 wants. A page has no multiple of that, so one that is in another's place shows.
sender='import socket, sys
address, port, size, *own = sys.argv[1:]
with socket.create_connection((address, port), source_address=(own[0], int(port)) if own else None) as s:
    s.sendall((bytes(range(1, 251)) + b"\0") * (int(size) // 251))'

# receives NAME EXPORTER ADDRESS QUEUES CLIENT: QUEUES from 2 on; a CLIENT's address goes into the rule for the queue.
receives() {
	local name=$1 exporter=$2 address=$3 queues=$4 client=$5 bytes=$((251 * 28000)) out pid rc=0 i before memory preload=''
	[[ $exporter == udmabuf ]] || preload=$program/udmabuf-bar.so
	before=$(nic_count device_bytes 2)
	out=$(mktemp)
	ip netns exec ta timeout $((400 * ${BERTH_SLOW:-1})) env ${preload:+LD_PRELOAD="$preload"} "$program/ncdevmem" -l -s "$address" \
		${client:+-c "$client"} -p $PORT -v 251 -f nic0 -t 2 -q "$queues" >"$out" 2>&1 & pid=$!
	# The kernel's allocator takes a minute and more for 62.5 MiB of single pages, twice.
	for ((i = 0; i < 800 * ${BERTH_SLOW:-1}; i++)); do
		! listening || break
		kill -0 $pid 2>/dev/null || break
		sleep 0.5
	done
	memory=$(exporter_of $pid)
	ip netns exec tb python3 -c "$sender" "$address" $PORT "$bytes" ${client:+"$client"}
	wait $pid || rc=$?
	# What it says of validations is buffered, what it says of counts is not, so a line may begin with a piece of another.
	if [[ $rc -eq 0 ]] && grep -q "total_received=$bytes\$" "$out" && grep -q '^Validated' "$out" &&
		! grep -qE 'Failed validation|LINEAR' "$out"; then
		pass "$name"
	else
		fail "$name" "exit status $rc: $(grep -vE '^(Validated|received|recvmsg)' "$out" | tail -n 3 | tr '\n' ';')"
		head -n 200 "$out"
	fi
	rm -f "$out"
	if [[ $memory == "$exporter" ]]; then pass "$name/memory"; else fail "$name/memory" "a dma-buf of '$memory', not of $exporter"; fi
	rises "$name/counted" device_bytes "$before" 2
}

# Memory of the last one goes back to the kernel's allocator first, which takes as long again.
unload() {
	local i
	for ((i = 0; i < 60 * ${BERTH_SLOW:-1}; i++)); do
		! rmmod berth_nic 2>/dev/null || return 0
		sleep 3
	done
	rmmod berth_nic
}

receives ncdevmem/bar berth_bar_exporter 10.79.0.1 2 10.79.0.2
receives ncdevmem/bar/ipv6 berth_bar_exporter fd79::1 1 ''
receives ncdevmem/udmabuf udmabuf 10.79.0.1 1 ''
transfer ncdevmem/pages_afterwards ta 10.79.0.1 tb 1000000
ip -n ta link del nic0
check ncdevmem/unload unload
exit $failed
