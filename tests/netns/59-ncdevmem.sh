#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
# The kernel's own program for devmem TCP, ncdevmem, as it is, on berth_nic: its tests of binding, and data that it
# validates, into udmabuf and the PCI BAR. Only when it is asked for by name, as it is built from the kernel's sources:
# ./run test ncdevmem. Runs in the guest.
# timeout: 600
set -uo pipefail
# shellcheck source=tests/netns/nic/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/nic/lib.sh"
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
program=$here/../../build/ncdevmem
trap nic_down EXIT
[[ -x $program/ncdevmem ]] || { fail ncdevmem/setup "it is not built: ./run test ncdevmem does that"; exit 1; }
modprobe -q udmabuf
modprobe -q berth_bar_exporter || { fail ncdevmem/setup "modprobe berth_bar_exporter failed"; exit 1; }
nic_up || { fail ncdevmem/setup "no NIC"; exit 1; }
export PATH=$here/nic/bin:$PATH

listening() { [[ $(ip netns exec ta ss -Hltn) == *:$PORT* ]]; }

# Bytes 1, 2, ... 6, 0, 1, ...: what -v 7 wants.
sender='import socket, sys
with socket.create_connection((sys.argv[1], sys.argv[2])) as s:
    s.sendall((bytes(range(1, 7)) + b"\0") * (int(sys.argv[3]) // 7))'

# receives NAME ADDRESS BYTES [PRELOAD]: BYTES is a multiple of 7.
receives() {
	local name=$1 address=$2 bytes=$3 out pid rc=0 i
	out=$(mktemp)
	ip netns exec ta timeout $((300 * ${BERTH_SLOW:-1})) env ${4:+LD_PRELOAD="$4"} "$program/ncdevmem" -l -s "$address" -p $PORT \
		-v 7 -f nic0 -t 3 -q 1 >"$out" 2>&1 & pid=$!
	# It binds 62.5 MiB of single pages twice, and the kernel's allocator takes a minute for that here.
	for ((i = 0; i < 1000 * ${BERTH_SLOW:-1}; i++)); do
		! listening || break
		kill -0 $pid 2>/dev/null || break
		sleep 0.2
	done
	ip netns exec tb python3 -c "$sender" "$address" $PORT "$bytes"
	wait $pid || rc=$?
	if [[ $rc -eq 0 ]] && grep -q 'Validated buffer' "$out" && grep -qx "total_received=$bytes" "$out" &&
		! grep -q 'Failed validation' "$out"; then
		pass "$name"
	else
		fail "$name" "exit status $rc: $(tail -n 3 "$out" | tr '\n' ';')"
		head -n 200 "$out" >&2
	fi
	rm -f "$out"
}

before=$(nic_count device_bytes 3)
receives ncdevmem/udmabuf 10.79.0.1 7000000
rises ncdevmem/udmabuf/counted device_bytes "$before" 3
before=$(nic_count device_bytes 3)
receives ncdevmem/bar 10.79.0.1 7000000 "$program/udmabuf-bar.so"
rises ncdevmem/bar/counted device_bytes "$before" 3
transfer ncdevmem/pages_afterwards ta 10.79.0.1 tb 1000000
ip -n ta link del nic0
check ncdevmem/unload wait_for rmmod berth_nic
exit $failed
