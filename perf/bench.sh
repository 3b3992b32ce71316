#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
# ./run bench: RC write through berth, host memory and dma-buf, beside rxe, in one VM. The VM
# counts instructions (guest time is instructions executed, one processor), so figures repeat and
# tell the cost per byte and per message. Table on stdout, build/bench/first-light.json beside it,
# and a plot when gnuplot is here.
set -euo pipefail
# shellcheck source=tests/vm/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../tests/vm/lib.sh"

# name:size:iterations:post list
ROWS=(write-64k:65536:400:1 write-8:8:4000:1 write-8-list16:8:8000:16 busy:64:40000:4)

usage() {
	cat <<EOT
usage: ./run bench [--check] [--rounds N] [--peers LIST] [NAME...]

Rows: ${ROWS[*]%%:*} (all without a NAME). ib_write_bw over RC, both sides on one device, path
MTU 4096, in a VM that counts instructions: figures compare costs, they are no speeds of this machine.

  --check       exit with 1 unless every floor is held
  --rounds N    runs of each row on each peer; the median counts (3)
  --peers LIST  of berth, berth-heap, rxe (berth,berth-heap,rxe); busy is about berth alone

Floors: berth over rxe 5 x at 64 KiB and 3 x in messages of 8 bytes; a dma-buf of the heap within 10 % of
host memory at 64 KiB; 1,000 busy QPs within 10 % of the messages of one. The table goes to stdout, all samples to build/bench/first-light.json.
EOT
}

check='' rounds=3 peers=berth,berth-heap,rxe names=()
while [[ $# -gt 0 ]]; do
	case $1 in
	--check)	check=1 ;;
	--rounds|--peers)
		[[ $# -ge 2 ]] || bad_usage "bench: $1 needs a value"
		[[ $1 == --rounds ]] && rounds=$2 || peers=$2
		shift
		;;
	-h|--help)	usage; exit 0 ;;
	-*)		bad_usage "bench: unknown option '$1' (./run bench --help)" ;;
	*)		names+=("$1") ;;
	esac
	shift
done
[[ $rounds =~ ^[1-9][0-9]?$ ]] || bad_usage "bench: --rounds wants a number from 1 to 99, not '$rounds'"
[[ $peers =~ ^(berth|berth-heap|rxe)(,(berth|berth-heap|rxe))*$ ]] ||
	bad_usage "bench: --peers wants names out of berth, berth-heap, rxe, with commas between, not '$peers'"

rows=()
for row in "${ROWS[@]}"; do
	[[ ${#names[@]} -eq 0 || " ${names[*]} " == *" ${row%%:*} "* ]] && rows+=("$row")
done
for name in ${names[@]+"${names[@]}"}; do
	[[ " ${ROWS[*]%%:*} " == *" $name "* ]] || bad_usage "bench: no row '$name'; there are ${ROWS[*]%%:*}"
done

make_build_dir 600
need perftest ibverbs-providers iproute2
out=$BUILD/bench
mkdir -p "$out"
samples=$out/first-light.tsv
: >"$samples"

say "the benchmark: ${rows[*]%%:*} on $peers, $rounds rounds; each run shows as it ends"
vm=0
bash "$VMDIR/vm.sh" --icount --timeout 3000 -- bash "$TOP/perf/bench-guest.sh" "$rounds" "$peers" "${rows[@]}" |
	tee "$samples" >&2 || vm=$?

report=0
python3 "$TOP/perf/bench-report.py" "$samples" "$out/first-light.json" || report=$?
if command -v gnuplot >/dev/null && [[ -s $out/first-light.dat ]]; then
	gnuplot -e "data='$out/first-light.dat'; image='$out/first-light.svg'" "$TOP/perf/bench.gp" ||
		say "gnuplot failed: no $out/first-light.svg"
fi
[[ $vm -eq 0 ]] || die "bench: the VM ended with status $vm: the figures above may be incomplete (build/vm/dmesg.log)"
case $report in
0)	;;
3)	[[ -z $check ]] || die "bench: a floor is not held" ;;
*)	die "bench: a run failed, see above" ;;
esac
