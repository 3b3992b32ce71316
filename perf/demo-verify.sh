#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
# Judges a demo from outside the guest: reads what the cases left, and the file behind the PCI BAR.
# usage: demo-verify.sh BERTH-PATTERN OUT-DIR BAR-FILE CASE…   (cases as in demo-guest.sh)
#
# A case holds when both programs ended well, the shim's records say that each side's buffer was a
# dma-buf of the right exporter and that the sender's carried the pattern, and every byte of the
# payload is where perftest's own report says that the client wrote it: in the BAR's file when the
# server's buffer is in the BAR, in the dumped buffer otherwise. The same check with another seed
# has to fail, or it proves nothing. Prints a line for each case; exit status 0 only when all
# hold.
set -euo pipefail

pattern=$1 out=$2 bar=$3
shift 3

# field FILE EVENT KEY: a number or word of the first record of EVENT.
field() {
	[[ -f $1 ]] || return 0
	sed -n "/\"event\":\"$2\"/{s/.*\"$3\":\"\{0,1\}\([^,\"}]*\).*/\1/p;q}" "$1"
}

# Sets $why and returns 1 unless the case holds.
judge() {
	local name path sexp cexp size seed offset dir status vaddr address where file at
	IFS=: read -r name path sexp cexp size seed offset <<<"$1"
	dir=$out/$name
	status=$(cat "$dir/status" 2>/dev/null) || { why="it did not run"; return 1; }
	[[ $status == 0 ]] || { why="ib_write_bw failed: $status"; return 1; }
	grep -Eq "^ *${size}[[:space:]]+200[[:space:]]+[0-9.]+[[:space:]]+[0-9.]+" "$dir/client.txt" || { why="perftest printed no result"; return 1; }
	[[ $(field "$dir/server.json" registered exporter) == "$sexp" ]] || { why="the server's buffer is no dma-buf of $sexp"; return 1; }
	[[ $(field "$dir/client.json" registered exporter) == "$cexp" ]] || { why="the client's buffer is no dma-buf of $cexp"; return 1; }
	[[ $(field "$dir/client.json" filled seed) == "$seed" ]] || { why="the client's buffer did not get the pattern"; return 1; }
	# Where the client wrote, as perftest reports it, within the server's registration.
	vaddr=$(sed -n 's/^ remote address:.* VAddr \(0x[0-9a-f]*\).*/\1/p' "$dir/client.txt" | head -n 1)
	address=$(field "$dir/server.json" registered address)
	[[ -n $vaddr && -n $address ]] || { why="no address in perftest's report or the shim's record"; return 1; }
	at=$((vaddr - address))
	if ((at < 0 || at + size > $(field "$dir/server.json" registered length))); then
		why="perftest's address is outside the server's registration"
		return 1
	fi
	file=$dir/dump where="the server's dumped buffer"
	if [[ $sexp == bar ]]; then
		[[ $(field "$dir/server.json" registered device_offset) == "$offset" ]] || { why="the server's buffer is not at $offset in the BAR"; return 1; }
		file=$bar where="the file behind the BAR"
		at=$((at + offset))
	fi
	if ! why=$("$pattern" check "$file" --offset "$at" --length "$size" --seed "$seed" 2>&1); then
		return 1
	fi
	if "$pattern" check "$file" --offset "$at" --length "$size" --seed $((seed + 1)) >/dev/null 2>&1; then
		why="the check accepts a wrong seed too"
		return 1
	fi
	why="$size bytes at $at in $where are the sender's"
}

bad=0
for case in "$@"; do
	if judge "$case"; then
		echo "PASS ${case%%:*}: $why"
	else
		echo "FAIL ${case%%:*}: $why"
		bad=$((bad + 1))
	fi
done
[[ $# -gt 0 ]] || { echo "demo-verify.sh: no cases" >&2; exit 2; }
((bad == 0))
