#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
# What the benchmark makes of samples: medians and ratios, targets held and not, rows that do not repeat, what has become
# slower, the document; and what ./run bench says of wrong use. Samples are made up, nothing is measured.
set -euo pipefail
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
export PYTHONDONTWRITEBYTECODE=1
# shellcheck source=perf/tests/expects.sh
. "$top/perf/tests/expects.sh"
report=$top/perf/bench/report.py

tabs() { printf '%s\n' "$@" | tr ' ' '\t'; }
tabs 'rc-local/write/64k 65536 100 10 - berth,berth-heap,rxe,siw,memcpy,string' 'rc-local/write/8 8 100 10 - berth,rxe' \
	'chunk/heap 4096 1 1 - berth-pool' 'latency/local/write/8 8 10 10 - berth,rxe' >"$dir/chosen"
{ cat "$dir/chosen"; tabs 'tcp/write/64k 65536 100 10 - berth,siw'; } >"$dir/rows"
tabs 'rc-local/write/64k rate berth rxe >= 12' 'rc-local/write/64k rate berth memcpy >= 0.85' 'rc-local/write/8 rate berth rxe >= 10' \
	'* bandwidth berth-heap berth >= 0.97' 'chunk/* instructions berth-pool - <= 80' \
	'latency/local/write/8 median berth rxe <= 0.25' 'tcp/write/64k rate berth siw >= 4' >"$dir/targets"
good() {
	tabs 'SAMPLE rc-local/write/64k berth rate=80000' 'SAMPLE rc-local/write/64k berth rate=81000' 'SAMPLE rc-local/write/64k berth rate=79900' \
		'SAMPLE rc-local/write/64k berth-heap rate=79000' 'SAMPLE rc-local/write/64k rxe rate=2500' 'SAMPLE rc-local/write/64k siw rate=5000' \
		'SAMPLE rc-local/write/64k memcpy rate=40000' 'SAMPLE rc-local/write/64k string rate=100000' \
		'SAMPLE rc-local/write/8 berth rate=500000' 'SAMPLE rc-local/write/8 rxe rate=40000' \
		'SAMPLE chunk/heap berth-pool instructions=75' \
		'SAMPLE latency/local/write/8 berth median=4.0 p99=8 p999=9' 'SAMPLE latency/local/write/8 berth median=6.0 p99=8 p999=9' \
		'SAMPLE latency/local/write/8 berth median=5.0 p99=8 p999=9' 'SAMPLE latency/local/write/8 rxe median=40 p99=80 p999=90'
}

# made NAME STATUS PATTERN: of the samples on stdin; the JSON is NAME.json.
made() {
	cat >"$dir/samples"
	lines=0 expects "$1" "$2" "$3" python3 "$report" make "$dir/rows" "$dir/chosen" "$dir/targets" "$dir/samples" "$dir/$1.json" --rounds 3
}

# said NAME PATTERN: of what was made last.
said() {
	if grep -Eq -- "$2" "$dir/out"; then echo "PASS $1"; else echo "FAIL $1: $(cat "$dir/out")"; failed=1; fi
}

made good 0 '^rc-local/write/64k +berth +5000.0 MB/s +1.4% +12500 +195.3 +16.00 siw +0.80 string$' < <(good)
said heap_too '^rc-local/write/64k +berth-heap +4937.5 MB/s .* 15.80 siw '
said latency '^latency/local/write/8 +berth +5.00 us .* 8.00 rxe +-$'
said target '^target rc-local/write/64k: rate of berth over rxe 32, >= 12: held$'
said pattern '^target rc-local/write/64k: rate of berth over memcpy 2, >= 0.85: held$'
said every_row '^target rc-local/write/64k: bandwidth of berth-heap over berth 0.988, >= 0.97: held$'
said itself '^target chunk/heap: instructions of berth-pool 75, <= 80: held$'
if grep -q tcp "$dir/out"; then echo "FAIL others: a target of a row that was not measured"; failed=1; else echo "PASS others"; fi
expects check 0 '^6 of 6 targets are held$' python3 "$report" check "$dir/good.json"

made short 0 'berth over rxe 9, >= 10: NOT HELD' < <(good | sed 's/\t40000$/&/; s/rate=500000/rate=360000/')
lines=0 expects check_short 1 '^short rc-local/write/8: rate of berth over rxe 9, >= 10: NOT HELD$' python3 "$report" check "$dir/short.json"
made unmeasured 1 'berth over rxe not measured, >= 10: NOT HELD' < <(good | grep -v '8.rxe')
said no_line '^failed: rc-local/write/8 rxe: has given no line$'
lines=0 expects check_unmeasured 1 'not measured' python3 "$report" check "$dir/unmeasured.json"
made no_row 1 '^failed: rc-local/write/8 berth: has given no line$' < <(good | grep -v 'rc-local/write/8.')
said no_row_target 'rate of berth over rxe not measured, >= 10: NOT HELD$'
made no_pattern 1 '^target rc-local/write/64k: bandwidth of berth-heap over berth not measured, >= 0.97: NOT HELD$' < <(good | grep -v berth-heap)
made no_chunk 1 '^target chunk/heap: instructions of berth-pool not measured, <= 80: NOT HELD$' < <(good | grep -v chunk)
cut_off() { good | head -n 9; printf 'SAMPLE\trc-local/write/8\trxe\t%s' "$1"; }
made cut_off 1 '^failed: rc-local/write/8 rxe: is no sample: rate=40$' < <(cut_off rate=40)
made no_number 1 '^failed: rc-local/write/8 rxe: is no sample: rate$' < <(cut_off rate; echo)
made infinite 1 '^failed: rc-local/write/8 rxe: is no sample: rate=inf$' < <(cut_off rate=inf; echo)
# wrong NAME PATTERN: the files of the last run, one of them changed.
wrong() { expects "$1" 2 "$2" python3 "$report" make "$dir/rows" "$dir/chosen" "$dir/targets" "$dir/samples" "$dir/wrong.json"; }
good >"$dir/samples"
cp "$dir/targets" "$dir/right"
for target in 'rc-local/write/9 rate berth rxe >= 1' 'rc-nowhere/* rate berth rxe >= 1' 'rc-local/* rate nobody rxe >= 1' \
	'latency/local/write/8 rate berth rxe >= 1' 'rc-local/write/8 bandwidth berth rxe >= 1'; do
	tabs "$target" >>"$dir/targets"
	wrong "no_row_of ${target%% >*}" "^bench: target .* over rxe: there is no such row$"
	cp "$dir/right" "$dir/targets"
done
tabs 'rc-local/write/8 rate berth rxe >= nan' >>"$dir/targets"
wrong nan_target "'nan' is no factor"
cp "$dir/right" "$dir/targets"
cp "$dir/rows" "$dir/right"
tabs 'rc-local/write/9 64k 100 10 - berth' >>"$dir/rows"
wrong rows_number "rc-local/write/9: '64k', '100' and '10' should be whole numbers"
cp "$dir/right" "$dir/rows"
made left_out 0 '^skipped: rc-local/write/64k berth-heap: it cannot$' < <(good | grep -v berth-heap; tabs 'SKIPPED rc-local/write/64k berth-heap it cannot')

made varies 0 '^varies: rc-local/write/8 rxe: samples differ by 5.1 %, 5 % are allowed$' < <(good; tabs 'SAMPLE rc-local/write/8 rxe rate=42100')
made unsteady 1 '^does not repeat: rc-local/write/8 berth: samples differ by' < <(good; tabs 'SAMPLE rc-local/write/8 berth rate=550000')
made steady 0 '^rc-local/write/8 +rxe .* 4.9%' < <(good; tabs 'SAMPLE rc-local/write/8 rxe rate=42000')
made failure 1 '^failed: rc-local/write/8 siw: no such device$' < <(good; tabs 'FAILED rc-local/write/8 siw no such device')
made nothing 1 '^no run has given a figure$' </dev/null
cp "$dir/chosen" "$dir/all"
grep latency "$dir/all" >"$dir/chosen"
made few 0 latency < <(good | grep latency)
expects check_few 0 '^1 of 1 targets are held$' python3 "$report" check "$dir/few.json"
cp "$dir/all" "$dir/chosen"

lines=0 expects compare_same 0 '^9 figures compared: 0 slower, 0 faster' python3 "$report" compare "$dir/good.json" "$dir/good.json"
lines=0 expects compare_slower 1 '^REGRESSION rc-local/write/8 berth: 0.720 times' python3 "$report" compare "$dir/good.json" "$dir/short.json"
lines=0 expects compare_faster 0 '^better rc-local/write/8 berth: 1.389 times' python3 "$report" compare "$dir/short.json" "$dir/good.json"
made cost 0 chunk < <(good | sed 's/instructions=75/instructions=79/')
lines=0 expects compare_cost 1 '^REGRESSION chunk/heap berth-pool: 0.949 times' python3 "$report" compare "$dir/good.json" "$dir/cost.json"
expects compare_nothing 2 'no row in common' python3 "$report" compare "$dir/good.json" "$dir/few.json"
echo '{}' >"$dir/empty.json"
expects compare_bad 2 'empty.json is not what' python3 "$report" compare "$dir/empty.json" "$dir/good.json"
for part in '{"figures": 5}' '[]' '"x"' '{"figures": [], "targets": [{}]}'; do
	echo "$part" >"$dir/part.json"
	expects "read $part" 2 'part.json is not what' python3 "$report" read "$dir/part.json"
done
sed 's/"targets"/"aims"/' "$dir/good.json" >"$dir/part.json"
expects no_targets 2 'part.json is not what' python3 "$report" check "$dir/part.json"
sed 's/"median": [0-9.]*/"median": NaN/' "$dir/good.json" >"$dir/part.json"
expects no_median 2 'part.json is not what' python3 "$report" compare "$dir/part.json" "$dir/good.json"
expects check_absent 2 'none.json: No such file' python3 "$report" check "$dir/none.json"

mkdir "$dir/bench" "$dir/docs"
cp "$dir/few.json" "$dir/bench/bench.json"
expects doc_part 2 'not of all rows' python3 "$top/perf/bench/doc.py" "$dir/bench" "$dir/docs"
cp "$dir/rows" "$dir/chosen"
made whole 0 '^target tcp/write/64k: .*held$' < <(good; tabs 'SAMPLE tcp/write/64k berth rate=20000' 'SAMPLE tcp/write/64k siw rate=5000')
cp "$dir/whole.json" "$dir/bench/bench.json"
mkdir -p "$dir/bench/profile/"{this,other,old}
echo 'a profile of the tree' | tee "$dir/bench/profile/"{this,other,old}/report.txt >/dev/null
echo unknown >"$dir/bench/profile/this/tree"
echo other >"$dir/bench/profile/other/tree"
printf '<?xml version="1.0"?>\n<svg/>\n' >"$dir/bench/rc-local-write.svg"
lines=0 expects doc 0 'performance.md$' python3 "$top/perf/bench/doc.py" "$dir/bench" "$dir/docs"
cp "$dir/docs/performance.md" "$dir/out"
# shellcheck disable=SC2016
said doc_table '^\| `write/64k` \| MB/s \| 5,000 \(16.00\) \|'
said doc_latency '\| 5.0 / 8.0 / 9.0 \(8.00\) \|'
# shellcheck disable=SC2016
said doc_target '^\| `rc-local/write/64k` \| rate of berth \| rxe \| 32 \| >= 12 \| held \|$'
said doc_plot 'performance/rc-local-write.svg'
said doc_profile 'a profile of the tree'
said doc_check 'not measured counts as not held'
# shellcheck disable=SC2016
said doc_one_tree '^`this`:$'
# shellcheck disable=SC2016
if grep -Eq '^`(other|old)`:' "$dir/out"; then echo "FAIL doc_other_tree: a profile of another tree"; failed=1; else echo "PASS doc_other_tree"; fi
if grep -q 'not held, and why' "$dir/out"; then echo "FAIL doc_held: a reason where none is needed"; failed=1; else echo "PASS doc_held"; fi
if grep -q SPDX "$dir/docs/performance/rc-local-write.svg"; then echo "PASS doc_licence"; else echo "FAIL doc_licence"; failed=1; fi

# Why a target is not held: from reasons.md; a row that is not there is told, too.
made missed 0 'berth over siw 2, >= 4: NOT HELD' < <(good | sed 's/rate=500000/rate=360000/'; tabs 'SAMPLE tcp/write/64k berth rate=10000' \
	'SAMPLE tcp/write/64k siw rate=5000')
cp "$dir/missed.json" "$dir/bench/bench.json"
lines=0 expects doc_missed 0 'performance.md$' python3 "$top/perf/bench/doc.py" "$dir/bench" "$dir/docs"
cp "$dir/docs/performance.md" "$dir/out"
# shellcheck disable=SC2016
said doc_reason '^\*\*`tcp/write/64k`\*\*: .'
# shellcheck disable=SC2016
said doc_no_reason '^\*\*`rc-local/write/8`\*\*: not looked into yet\.$'

# The files of this tree.
expect() { expects "$1" "$2" "$3" env BERTH_BUILD="$dir/build" bash "$top/perf/bench/bench.sh" "${@:4}"; }
lines=0 expect help 0 '^usage: ./run bench' --help
lines=0 expect list 0 '^rc-local/write/64k +berth,' --list
expect option 2 "unknown option '--nonsense'" --nonsense
expect no_value 2 '--rounds needs a value' --rounds
expect rounds 2 "not '0'" --rounds 0
expect row 2 "no row 'nonsense'" nonsense
expect peer 2 "none of these rows has a peer 'nonsense'" --peers nonsense rc-local
expect old 2 "cannot read '/none'" --compare /none
expect old_wrong 2 'empty.json is not what' --compare "$dir/empty.json"
# The second name is of rows that the first has taken.
expect covered 2 "none of these rows has a peer 'nonsense'" --peers nonsense tcp 'tcp/*/64k'
expect not_covered 2 "no row 'tcp/9'" --peers nonsense tcp tcp/9
expect no_run 2 'bench.json: No such file' --doc
good >"$dir/samples"
lines=0 expects own_files 0 '^target chunk/heap: ' python3 "$report" make "$top/perf/bench/rows.tsv" "$dir/all" "$top/perf/targets.tsv" "$dir/samples" "$dir/own.json"
exit $failed
