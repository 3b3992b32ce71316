#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
# ./run bench: RC write through berth, host memory and dma-buf, beside rxe, in one VM; TCP-offload QPs beside siw
# and a plain TCP socket; how bytes land that come by a receive queue of berth_nic. The VM counts instructions
# (guest time is instructions executed, one processor), so figures repeat and tell the cost per byte and per
# message. Table on stdout, JSON beside it, and a plot when gnuplot is here.
set -euo pipefail
# shellcheck source=tests/vm/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../tests/vm/lib.sh"

# name:size:iterations:post list
ROWS=(write-64k:65536:400:1 write-8:8:4000:1 write-8-list16:8:8000:16 busy:64:40000:4)
# The same over TCP, on request.
TCP_ROWS=(tcp-write-64k:65536:1000:1 tcp-write-1m:1048576:100:1 tcp-send-64k:65536:1000:1 tcp-send-1m:1048576:100:1)
# Ways of landing what comes by berth_nic (berth_landing_bw), on request.
LANDING_ROWS=(landing-devmem:65536:4000:1 landing-handed-over:65536:4000:1 landing-copy:65536:4000:1
	landing-socket:65536:4000:1)

usage() {
	cat <<EOT
usage: ./run bench [--check] [--rounds N] [--peers LIST] [NAME...]
       ./run bench --profile [--peers PEER] NAME

Rows: ${ROWS[*]%%:*} (all without a NAME). ib_write_bw over RC, both sides on one device, path
MTU 4096, in a VM that counts instructions: figures compare costs, they are no speeds of this machine.
On request, tcp for all of them: ${TCP_ROWS[*]%%:*}. Between network namespaces: TCP-offload
QPs (berth-tcp), a link of type berth_iw (berth-iw), iperf3 with writes of the same size; siw on one device,
because two of its listeners cannot share a kernel.
On request, landing for all of them: ${LANDING_ROWS[*]%%:*}.
Instructions per KiB of a TCP connection whose bytes come by a receive queue of berth_nic: the kernel's devmem TCP, a
stream QP with its area on the queue's memory, one with its area elsewhere, a plain socket read into host memory.

  --check       exit with 1 unless every floor is held
  --rounds N    runs of each row on each peer; the median counts (3)
  --peers LIST  of berth, berth-heap, rxe (berth,berth-heap,rxe); busy is about berth alone;
                with tcp rows of berth-tcp, berth-iw, siw, iperf3 (all); with landing rows the exporter of the
                dma-buf: heap, udmabuf, bar (heap)
  --profile     instead: where the instructions of a message of one row go, by function, on one peer that
                uses verbs (the first)

Floors: berth over rxe 5 x at 64 KiB and 3 x in messages of 8 bytes; a dma-buf of the heap within 10 % of
host memory at 64 KiB; 1,000 busy QPs within 10 % of the messages of one. Over TCP at 64 KiB, writes: 3 x siw and 0.9 of the
plain socket. The table goes to stdout, all samples to build/bench/first-light.json, with tcp rows to build/bench/tcp.json,
with landing rows to build/bench/landing.json.
EOT
}

check='' rounds=3 peers='' profile='' names=()
while [[ $# -gt 0 ]]; do
	case $1 in
	--check)	check=1 ;;
	--profile)	profile=1 ;;
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

# One kind of rows, as they have different peers.
known=(berth berth-heap rxe) table=("${ROWS[@]}") name=first-light siw=()
if [[ ${names[0]:-} == tcp* ]]; then
	known=(berth-tcp berth-iw siw iperf3) table=("${TCP_ROWS[@]}") name=tcp
	[[ ${names[*]} != tcp ]] || names=()
elif [[ ${names[0]:-} == landing* ]]; then
	known=(heap udmabuf bar) table=("${LANDING_ROWS[@]}") name=landing peers=${peers:-heap}
	[[ ${names[*]} != landing ]] || names=()
fi
peers=${peers:-$(IFS=,; echo "${known[*]}")}
for peer in ${peers//,/ }; do
	[[ " ${known[*]} " == *" $peer "* ]] || bad_usage "bench: no peer '$peer' for these rows; there are ${known[*]}"
done
rows=()
for row in "${table[@]}"; do
	[[ ${#names[@]} -eq 0 || " ${names[*]} " == *" ${row%%:*} "* ]] && rows+=("$row")
done
for row in ${names[@]+"${names[@]}"}; do
	[[ " ${table[*]%%:*} " == *" $row "* ]] || bad_usage "bench: no row '$row' beside the others; there are ${table[*]%%:*}"
done

# Two runs, one with three times the messages: what is once a run does not count.
profile_main() {
	local out=$BUILD/bench/profile fields
	[[ ${#rows[@]} -eq 1 && -n ${names[*]:-} ]] || bad_usage "bench: --profile wants the name of one row"
	[[ $peers != iperf3 && ${rows[0]} != busy:* ]] || bad_usage "bench: --profile counts messages: not busy, not iperf3"
	IFS=: read -ra fields <<<"${rows[0]}"
	need gcc libc6-dev
	rm -rf "$out"
	mkdir -p "$out"
	gcc -O2 -Wall -Wextra -fPIC -shared -fvisibility=hidden -pthread -o "$out/counts.so" "$TOP/perf/profile/counts.c" ||
		die "bench: perf/profile/counts.c does not compile"
	say "counting the instructions of ${fields[0]} on $peers, twice"
	bash "$VMDIR/vm.sh" --icount ${siw[@]+"${siw[@]}"} --timeout 3000 --out "$out" --plugin "$out/counts.so,dir=$out" -- \
		bash "$TOP/perf/bench-guest.sh" --profile "$peers" "${rows[0]}" >&2 ||
		die "bench: the VM ended with status $? (build/vm/dmesg.log)"
	exec python3 "$TOP/perf/profile/report.py" "$out" $((2 * fields[2]))
}

make_build_dir 600
need perftest ibverbs-providers iproute2
[[ -z $profile ]] || peers=${peers%%,*}
[[ ,$peers, != *,siw,* ]] || siw=(--siw)
[[ -z $profile ]] || profile_main
[[ ,$peers, != *,iperf3,* ]] || need iperf3
out=$BUILD/bench
mkdir -p "$out"
samples=$out/$name.tsv
: >"$samples"

say "the benchmark: ${rows[*]%%:*} on $peers, $rounds rounds; each run shows as it ends"
vm=0
bash "$VMDIR/vm.sh" --icount ${siw[@]+"${siw[@]}"} --timeout 3000 -- bash "$TOP/perf/bench-guest.sh" "$rounds" "$peers" "${rows[@]}" |
	tee "$samples" >&2 || vm=$?

report=0
python3 "$TOP/perf/bench-report.py" "$samples" "$out/$name.json" || report=$?
if command -v gnuplot >/dev/null && [[ -s $out/$name.dat ]]; then
	gnuplot -e "data='$out/$name.dat'; image='$out/$name.svg'" "$TOP/perf/bench.gp" ||
		say "gnuplot failed: no $out/$name.svg"
fi
[[ $vm -eq 0 ]] || die "bench: the VM ended with status $vm: the figures above may be incomplete (build/vm/dmesg.log)"
case $report in
0)	;;
3)	[[ -z $check ]] || die "bench: a floor is not held" ;;
*)	die "bench: a run failed, see above" ;;
esac
