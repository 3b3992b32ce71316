#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
# The demo's judgement must be able to fail: a run made up here passes, and each way of spoiling
# it is caught.
set -euo pipefail
pattern=$1 verify=$(dirname "${BASH_SOURCE[0]}")/../demo-verify.sh
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
bar_case=b:wire:bar:heap:65536:77:8388608
heap_case=h:local:heap:heap:1000:78:0
failed=0

# A run as the guest would leave it: the server's buffer begins at 0x7f0000000000, the payload
# lies in its middle.
make_run() {
	rm -rf "$dir/out" "$dir/bar"
	local c name sexp cexp size seed offset
	for c in "$bar_case" "$heap_case"; do
		IFS=: read -r name _ sexp cexp size seed offset <<<"$c"
		mkdir -p "$dir/out/$name"
		cd "$dir/out/$name"
		echo 0 >status
		printf ' remote address: LID 0000 QPN 0x1 PSN 0x2 RKey 0x3 VAddr 0x%014x\n %s      200     5.0   4.0   0.1\n' \
			$((0x7f0000000000 + size)) "$size" >client.txt
		[[ $sexp == bar ]] || offset=null
		echo "{\"event\":\"registered\",\"exporter\":\"$sexp\",\"device_offset\":$offset,\"length\":$((2 * size)),\"address\":$((0x7f0000000000)),\"rkey\":3}" >server.json
		echo "{\"event\":\"registered\",\"exporter\":\"$cexp\",\"device_offset\":null,\"length\":$((2 * size)),\"address\":4096,\"rkey\":3}" >client.json
		echo "{\"event\":\"filled\",\"seed\":$seed,\"length\":5,\"address\":4096,\"rkey\":3}" >>client.json
	done
	"$pattern" fill "$dir/bar" --offset $((8388608 + 65536)) --length 65536 --seed 77
	"$pattern" fill "$dir/out/h/dump" --offset 1000 --length 1000 --seed 78
}

# expect NAME STATUS CASE…
expect() {
	local name=$1 want=$2 status=0
	shift 2
	bash "$verify" "$pattern" "$dir/out" "$dir/bar" "$@" >"$dir/said" 2>&1 || status=$?
	if [[ $status -eq $want ]]; then
		echo "PASS $name"
	else
		echo "FAIL $name: status $status, not $want: $(cat "$dir/said")"
		failed=1
	fi
}

spoil() {
	make_run
	eval "$2"
	expect "$1" 1 "$bar_case" "$heap_case"
}

verify=$(readlink -f "$verify")
make_run
expect good_run 0 "$bar_case" "$heap_case"
spoil byte_in_the_bar 'printf x | dd of="$dir/bar" bs=1 seek=8454999 conv=notrunc status=none'
spoil last_byte_missing 'truncate -s -1 "$dir/bar"'
spoil byte_in_the_dump 'printf xy | dd of="$dir/out/h/dump" bs=1 seek=1500 conv=notrunc status=none'
spoil no_dump 'rm "$dir/out/h/dump"'
spoil nothing_landed 'truncate -s 0 "$dir/bar"; truncate -s 64M "$dir/bar"'
spoil shifted '"$pattern" fill "$dir/bar" --offset $((8388608 + 65536)) --length 65536 --seed 77 --start 1'
spoil seed_of_another_run '"$pattern" fill "$dir/bar" --offset $((8388608 + 65536)) --length 65536 --seed 76'
spoil tool_failed 'echo "client status 1" >"$dir/out/b/status"'
spoil did_not_run 'rm -r "$dir/out/b"'
spoil no_report 'sed -i /200/d "$dir/out/b/client.txt"'
spoil server_in_host_memory ': >"$dir/out/b/server.json"'
spoil client_in_host_memory 'rm "$dir/out/h/client.json"'
spoil wrong_exporter 'sed -i s/bar/heap/ "$dir/out/b/server.json"'
spoil wrong_place 'sed -i s/:8388608/:0/ "$dir/out/b/server.json"'
spoil no_pattern 'sed -i /filled/d "$dir/out/b/client.json"'
exit $failed
