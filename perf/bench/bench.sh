#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
# ./run bench: the benchmark matrix (rows.tsv), berth beside its peers in one boot of the VM. Most rows run where guest
# time is instructions executed, on one processor, so that figures repeat and tell the cost per byte and per message;
# those of the group latency in a second boot, with two processors and a clock. report.py makes of the samples a table,
# build/bench/bench.json and data for the plots; doc.py makes docs/performance.md of the JSON.
set -euo pipefail
# shellcheck source=tests/vm/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../../tests/vm/lib.sh"
HERE=$TOP/perf/bench
# Nothing is generated beside the sources.
export PYTHONDONTWRITEBYTECODE=1
OUT=$BUILD/bench

usage() {
	cat <<EOT
usage: ./run bench [--check] [--compare OLD.json] [--rounds N] [--peers LIST] [NAME...]
       ./run bench --profile [--peers PEER] NAME
       ./run bench --doc
       ./run bench --list

Measures the rows with these names (a name, the beginning of one up to a slash, or a pattern: rc-local, 'tcp/*/64k'),
without a NAME all of them, in about half an hour. Latencies want a machine that does nothing else. Groups: $(groups).
Table on stdout; samples, ratios and targets in build/bench/bench.json, plots beside it.

  --check       exit with 1 unless every target of perf/targets.tsv that is about these rows is held; one that cannot be measured
                is not held (berth-unchecked, of rc-wire/write/64k)
  --compare OLD.json  what has moved by more than 5 % since that run; exit with 1 if anything of ours has become slower
  --rounds N    runs of each row on each peer; the median counts (2)
  --peers LIST  only these (patterns, as in berth,berth-*,rxe)
  --profile     instead: where the instructions of a message of one row go, by function, on one peer (the row's
                first); also in build/bench/profile
  --doc         instead: make docs/performance.md and its plots of the last run, which has to have been of all rows,
                and of the profiles of the same tree in build/bench/profile
  --list        instead: the rows with their peers

Exit status: 1 if a run failed or has given no figure, or if samples of ours in a row that counts instructions differ by more than 5 %, as then
figures do not repeat (those of others, which sleep and are woken as it comes, are named); else as the options say.
EOT
}

all_rows() { grep -v '^#' "$HERE/rows.tsv"; }
groups() { all_rows | cut -d/ -f1 | uniq | tr '\n' ' ' | sed 's/ $//'; }

check='' old='' rounds=2 peers='' mode=measure names=()
while [[ $# -gt 0 ]]; do
	case $1 in
	--check)	check=1 ;;
	--profile|--doc|--list)	mode=${1#--} ;;
	--compare|--rounds|--peers)
		[[ $# -ge 2 ]] || bad_usage "bench: $1 needs a value"
		case $1 in
		--compare)	old=$2 ;;
		--rounds)	rounds=$2 ;;
		--peers)	peers=$2 ;;
		esac
		shift
		;;
	-h|--help)	usage; exit 0 ;;
	-*)		bad_usage "bench: unknown option '$1' (./run bench --help)" ;;
	*)		names+=("$1") ;;
	esac
	shift
done
[[ $rounds =~ ^[1-9][0-9]?$ ]] || bad_usage "bench: --rounds wants a number from 1 to 99, not '$rounds'"
[[ -z $old || -r $old ]] || bad_usage "bench: --compare: cannot read '$old'"

# named ROW NAME: is it one of those? A profile is of the row of that name.
# shellcheck disable=SC2053
named() { [[ $1 == $2 ]] || [[ $mode != profile && $1 == $2/* ]]; }

# The peers of a list that --peers leaves, separated by commas.
left_peers() {
	local peer pattern left=()
	for peer in ${1//,/ }; do
		for pattern in "${wanted[@]}"; do
			# shellcheck disable=SC2053
			[[ $peer != $pattern ]] || { left+=("$peer"); break; }
		done
	done
	(IFS=,; echo "${left[*]}")
}

# choose FILE: the rows that were asked for.
choose() {
	local row fields name left here used=' ' wanted=()
	IFS=, read -ra wanted <<<"${peers:-*}"
	: >"$1"
	while IFS= read -r row; do
		[[ ${#names[@]} -gt 0 ]] || names=('*')
		here=
		for name in "${names[@]}"; do
			named "${row%%$'\t'*}" "$name" || continue
			used+="$name "
			here=1
		done
		[[ -n $here ]] || continue
		IFS=$'\t' read -ra fields <<<"$row"
		left=$(left_peers "${fields[5]}")
		[[ -z $left ]] || printf '%s\t%s\n' "${row%$'\t'*}" "$left" >>"$1"
	done < <(all_rows)
	for name in "${names[@]}"; do
		[[ $used == *" $name "* ]] || bad_usage "bench: no row '$name' beside the others (./run bench --list)"
	done
	[[ -s $1 ]] || bad_usage "bench: none of these rows has a peer '$peers' (./run bench --list)"
}

has_peer() { cut -f6 "$OUT/rows.tsv" | tr ',' '\n' | grep -qx "$1"; }

install_peers() {
	need perftest ibverbs-providers iproute2 python3
	siw=()
	! has_peer siw || siw=(--siw)
	! has_peer iperf3 || need iperf3
	! has_peer qperf || need qperf
}

# What a figure is of.
tree() { git -C "$TOP" describe --always --dirty 2>/dev/null || echo unknown; }

# Two runs, one with three times the messages: what is once a run does not count.
profile_main() {
	local row fields peer dir n
	[[ $(wc -l <"$OUT/rows.tsv") -eq 1 ]] || bad_usage "bench: --profile wants the name of one row"
	row=$(<"$OUT/rows.tsv")
	IFS=$'\t' read -ra fields <<<"$row"
	peer=${fields[5]%%,*}
	[[ $row =~ ^(rc-local|rc-wire|tcp|stream|netmem)/ && ! $peer =~ ^(memcpy|string|qperf)$ ]] ||
		bad_usage "bench: --profile counts messages of programs: a row of rc-local, rc-wire, tcp, stream or netmem"
	n=${fields[2]}
	[[ $peer != rxe && $peer != siw && $peer != berth-iw ]] || n=${fields[3]}
	dir=$OUT/profile/${fields[0]//\//-}-$peer
	need gcc libc6-dev
	rm -rf "$dir"
	mkdir -p "$dir"
	gcc -O2 -Wall -Wextra -fPIC -shared -fvisibility=hidden -pthread -o "$dir/counts.so" "$TOP/perf/profile/counts.c" ||
		die "bench: perf/profile/counts.c does not compile"
	say "counting the instructions of ${fields[0]} on $peer, twice"
	bash "$VMDIR/vm.sh" --icount ${siw[@]+"${siw[@]}"} --timeout 3000 --out "$dir" --plugin "$dir/counts.so,dir=$dir" -- \
		bash "$HERE/guest.sh" --profile "$peer" "$OUT/rows.tsv" >&2 ||
		die "bench: the VM ended with status $? (build/vm/dmesg.log)"
	python3 "$TOP/perf/profile/report.py" "$dir" $((2 * n)) | tee "$dir/report.txt"
	tree >"$dir/tree"
	rm -f "$dir/counts.so" "$dir/kallsyms" "$dir"/counts.[01]
}

# boot latency|rest OPTIONS…: measures those of the chosen rows, if there are any.
boot() {
	local rows=$OUT/rows.$1.tsv rc=0
	awk -v want="$1" '(/^latency\// ? "latency" : "rest") == want' "$OUT/rows.tsv" >"$rows"
	shift
	[[ -s $rows ]] || return 0
	say "measuring $(cut -f6 "$rows" | tr ',' '\n' | wc -l) pairs of a row and a peer, $rounds times; each run shows as it ends"
	bash "$VMDIR/vm.sh" ${siw[@]+"${siw[@]}"} --timeout 7200 "$@" -- bash "$HERE/guest.sh" "$rounds" "$rows" |
		tee -a "$OUT/samples.tsv" >&2 || rc=$?
	return $rc
}

plots() {
	local data
	for data in "$OUT"/*.dat; do
		[[ -e $data ]] || continue
		gnuplot -e "data='$data'; image='${data%.dat}.svg'" "$HERE/plot.gp" || say "gnuplot failed: no ${data%.dat}.svg"
	done
}

measure_main() {
	local vm=0 status=0
	# Not after half an hour.
	need gnuplot-nox
	# It may be the file that this run replaces, or what an earlier one has kept of it.
	[[ -z $old || $old -ef $OUT/old.json ]] || cp "$old" "$OUT/old.json"
	: >"$OUT/samples.tsv"
	boot rest --icount || vm=$?
	# Who ends the first VM by a signal wants no second one.
	((vm < 128)) || die "bench: the VM was ended by signal $((vm - 128))"
	boot latency --smp 2 || vm=$?
	# The last run's files stay until there are others.
	rm -f "$OUT"/*.dat "$OUT"/*.svg
	python3 "$HERE/report.py" make "$HERE/rows.tsv" "$OUT/rows.tsv" "$TOP/perf/targets.tsv" "$OUT/samples.tsv" "$OUT/new.json" \
		--tree "$(tree)" --kernel "$(pinned_kernel)" --rounds "$rounds" || status=$?
	[[ $status -le 1 ]] || exit "$status"
	mv "$OUT/new.json" "$OUT/bench.json"
	plots
	[[ $vm -eq 0 ]] || die "bench: the VM ended with status $vm: the figures above may be incomplete (build/vm/dmesg.log)"
	[[ $status -eq 0 ]] || say "bench: a run failed or does not repeat, see above"
	[[ -z $old ]] || python3 "$HERE/report.py" compare "$OUT/old.json" "$OUT/bench.json" || status=$?
	[[ -z $check ]] || python3 "$HERE/report.py" check "$OUT/bench.json" || status=$?
	exit $status
}

make_build_dir 600
mkdir -p "$OUT"
[[ $mode == list ]] || one_run bench
if [[ -n $old ]]; then
	need python3
	python3 "$HERE/report.py" read "$old" || exit 2
fi
case $mode in
list)	all_rows | cut -f1,6 | column -t -s$'\t' ;;
doc)	need python3
	python3 "$HERE/doc.py" "$OUT" "$TOP/docs" ;;
*)	choose "$OUT/rows.tsv"
	install_peers
	"${mode}_main" ;;
esac
