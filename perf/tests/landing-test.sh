#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
# berth_landing_bw without a device: what a wrong use says; the mode socket over lo, and that it fails when it should.
set -euo pipefail
tool=$1
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
# shellcheck source=perf/tests/expects.sh
. "$(dirname "${BASH_SOURCE[0]}")/expects.sh"
port=$((20000 + $$ % 10000))

# expect NAME STATUS PATTERN ARGUMENTS…
expect() { expects "$1" "$2" "$3" timeout 20 "$tool" "${@:4}"; }

lines=0 expect help 0 '^usage: berth_landing_bw' --help
expect mode 2 "unknown mode 'verbs': use stream" --mode=verbs
expect option 2 '^.*berth_landing_bw: unrecognized option' --nonsense
expect no_size 2 '-s 0: give a number from 1' -s 0
expect size 2 '-s 1x: give a number' -s 1x
expect iterations 2 '-n -1: give a number' -n -1
expect duration 2 '-D 0: give a number' -D 0
expect port 2 '-p 65536: give a number' -p 65536
expect both 2 '-n and -D: one of them' -n 1 -D 1
expect exporter 2 "unknown dma-buf exporter 'nonsense'" --use_dmabuf=nonsense
expect netdev_alone 2 '--netdev and --queue: both' --netdev=lo
expect queue_alone 2 '--netdev and --queue: both' --queue=1
expect devmem_unbound 2 'devmem needs --netdev' --mode=devmem
expect posted_bound 2 'for the modes stream and devmem' --mode=posted --netdev=lo --queue=0
expect socket_dmabuf 2 'not for the mode socket' --mode=socket --use_dmabuf
expect socket_device 2 '-d is for' --mode=socket -d berth0
expect posted_memory 2 'less than one receive' --mode=posted --memory=4k
expect stream_memory 2 'too much for --mode=stream' --memory=4G
expect stream_memory_fits 1 'exporter /dev/none' --memory=4294959104 --use_dmabuf=/dev/none
expect senders_mode 2 '--mode is an option of the receiver' --mode=socket 127.0.0.1
expect senders_verify 2 '--verify is an option of the receiver' --verify 127.0.0.1
expect two_addresses 2 '10.0.0.2: one ADDRESS' 10.0.0.1 10.0.0.2
expect nobody_listens 1 'cannot connect to 127.0.0.1' -p $port 127.0.0.1
expect no_address 1 'nonsense.invalid: ' nonsense.invalid
expect no_exporter 1 'exporter /dev/none: .*No such file' --use_dmabuf=/dev/none
expect no_device 1 'device nonsense: not there' --mode=posted -d nonsense

# pair NAME STATUS-OF-BOTH PATTERN "RECEIVER'S OPTIONS" "SENDER'S OPTIONS": PATTERN is of what the receiver says.
pair() {
	local name=$1 want=$2 pattern=$3 receiver sender pid i status=0 other=0
	read -ra receiver <<<"$4"
	read -ra sender <<<"$5"
	port=$((port + 1))
	timeout 20 "$tool" --mode=socket -p $port "${receiver[@]}" >"$dir/receiver" 2>&1 &
	pid=$!
	for ((i = 0; i < 100; i++)); do
		other=0
		timeout 20 "$tool" -p $port "${sender[@]}" 127.0.0.1 >"$dir/sender" 2>&1 || other=$?
		grep -q 'cannot connect' "$dir/sender" || break
		sleep 0.1
	done
	wait $pid || status=$?
	if [[ $status -eq $want && $other -eq $want ]] && grep -Eq -- "$pattern" "$dir/receiver"; then
		echo "PASS $name"
	else
		echo "FAIL $name: receiver $status, sender $other, not $want: $(cat "$dir/receiver" "$dir/sender")"
		failed=1
	fi
}

pair socket 0 '^ 65536 +100 .* 0 +6553600$' '-n 100 --verify' '-n 100'
pair odd_sizes 0 '^ 1234567 +7 .* 0 +8641969$' '-s 1234567 -n 7 --verify' '-s 1234567 -n 7'
pair seconds 0 '^ 1000 +[0-9]+ .* 0 +[0-9]+$' '-s 1000 -D 1 --verify' '-s 1000 -D 1'
pair fewer 1 '6488064 bytes have arrived, not 6553600' '-n 100' '-n 99'

# Bytes that are not the pattern.
port=$((port + 1))
timeout 20 "$tool" --mode=socket -p $port -s 1000 -n 1 --verify >"$dir/receiver" 2>&1 &
pid=$!
for ((i = 0; i < 100; i++)); do
	! (exec 3<>/dev/tcp/127.0.0.1/$port && head -c 1000 /dev/zero >&3) 2>/dev/null || break
	sleep 0.1
done
status=0
wait $pid || status=$?
if [[ $status -eq 1 ]] && grep -q 'byte 0 of the stream is 0x00' "$dir/receiver"; then
	echo "PASS wrong_bytes"
else
	echo "FAIL wrong_bytes: status $status: $(cat "$dir/receiver")"
	failed=1
fi
exit $failed
