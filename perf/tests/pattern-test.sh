#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
# berth-pattern: what it writes it accepts, and every way of being wrong it tells.
set -euo pipefail
tool=$1
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
failed=0

# expect NAME STATUS COMMAND…
expect() {
	local name=$1 want=$2 status=0
	shift 2
	"$@" >"$dir/out" 2>&1 || status=$?
	if [[ $status -eq $want ]]; then
		echo "PASS $name"
	else
		echo "FAIL $name: status $status, not $want: $(cat "$dir/out")"
		failed=1
	fi
}

f=$dir/f
expect fill 0 "$tool" fill "$f" --length 200003 --seed 42 --offset 13
expect check 0 "$tool" check "$f" --length 200003 --seed 42 --offset 13
expect check_part 0 "$tool" check "$f" --length 1001 --seed 42 --offset 1014 --start 1001
expect wrong_seed 1 "$tool" check "$f" --length 200003 --seed 43 --offset 13
expect shifted_by_one 1 "$tool" check "$f" --length 1000 --seed 42 --offset 14
expect shifted_by_a_word 1 "$tool" check "$f" --length 1000 --seed 42 --offset 21
expect file_ends 2 "$tool" check "$f" --length 200004 --seed 42 --offset 13
expect no_file 2 "$tool" check "$dir/none" --length 1 --seed 1
expect bad_number 2 "$tool" check "$f" --length 1x --seed 1
expect leading_zero 0 "$tool" check "$f" --length 0200003 --seed 042 --offset 013
expect hexadecimal 0 "$tool" check "$f" --length 0x30d43 --seed 0X2A --offset 0xd
expect bare_prefix 2 "$tool" check "$f" --length 0x --seed 1
expect no_length 2 "$tool" check "$f" --seed 1
printf '\x00' >"$dir/zero"
byte=$(od -An -tu1 -j 150000 -N 1 "$f")
printf "\\x$(printf %x $((byte ^ 1)))" | dd of="$f" bs=1 seek=150000 conv=notrunc status=none
expect one_bit 1 "$tool" check "$f" --length 200003 --seed 42 --offset 13
grep -q 'byte 149987 of 200003 (file offset 150000)' "$dir/out" && echo "PASS tells_where" ||
	{ echo "FAIL tells_where: $(cat "$dir/out")"; failed=1; }
# The definition, computed here: word 0 of seed 0 is the first output of splitmix64 from 0.
"$tool" fill "$dir/w" --length 8 --seed 0
[[ $(od -An -tx8 "$dir/w" | tr -d ' ') == e220a8397b1dcdaf ]] && echo "PASS definition" ||
	{ echo "FAIL definition: $(od -An -tx8 "$dir/w")"; failed=1; }
exit $failed
