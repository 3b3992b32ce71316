#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
# Two VMs on a wire, rdma_rxe in one and berth in the other: every opcode in both directions, path MTUs, IPv4 and
# IPv6, UC. Prints PASS and FAIL lines for tests/vm/test.sh, which names in RESULTS the file that collects them.
# Both ends tell of their cases: berth's count, and what failed at the other.
set -euo pipefail
# shellcheck source=tests/vm/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../vm/lib.sh"
RESULTS=${RESULTS:-/dev/null}
flavour=${1:-stock}
WIRE=$(mktemp -d)
OUT=$BUILD/test/pair
mkdir -p "$OUT"
trap 'rm -rf "$WIRE"; [[ -z $(jobs -p) ]] || kill $(jobs -p) 2>/dev/null' EXIT

report() { printf '%s\n' "$1" | tee -a "$RESULTS"; }

# vm NUMBER DRIVER: one end; its lines are left in OUT.
vm() {
	local args=(--no-build --no-berth --quiet --net "$WIRE/$(($1 - 1))" --timeout 400)
	[[ $flavour == stock ]] || args+=(--debug-kernel --mem 3G)
	BERTH_FLAVOUR=$flavour bash "$VMDIR/vm.sh" "${args[@]}" -- bash "$TOP/tests/pair/guest.sh" "$2" "$1" </dev/null \
		>"$OUT/$2-$1.out" 2>"$OUT/$2-$1.err"
}

rc1=0 rc2=0 any=''
vm 1 rxe & first=$!
vm 2 berth || rc2=$?
wait $first || rc1=$?
while IFS= read -r line; do
	any=1
	report "${line%% *} pair/rxe/${line#* }"
done < <(grep -E '^(PASS|FAIL|SKIP) ' "$OUT/berth-2.out")
while IFS= read -r line; do
	report "FAIL pair/rxe/other_end/${line#* }"
done < <(grep '^FAIL ' "$OUT/rxe-1.out")
if [[ $rc1 -ne 0 || $rc2 -ne 0 || -z $any ]]; then
	report "FAIL pair/rxe: exit status $rc1 and $rc2, see $OUT"
	tail -n 20 "$OUT"/*.err
fi
