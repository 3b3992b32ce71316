#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
# What ./run test makes of names, and what the scripts refuse at once. Nothing is built. The argument is a build directory
# of CMake's with the unit tests, which tells their names.
# shellcheck disable=SC2031
set -euo pipefail
asan=$(cd "$1" && pwd -P)
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
# Beside what was built, where there is the room that they ask for.
dir=$(mktemp -d "$asan/scripts-test.XXXXXX")
trap 'rm -rf "$dir"' EXIT
# shellcheck source=perf/tests/expects.sh
. "$top/perf/tests/expects.sh"
# Not the tree that is being tested, whose lock is held.
export BERTH_BUILD=$dir/build
unset TOP

run() { expects "$1" "$2" "$3" bash "$top/run" "${@:4}"; }
test_lists() { lines=0 run "$1" 0 "$2" test --list "${@:3}"; }

run mistyped 2 "no test has 'nonsense' in its name" test nonsense
run mistyped_beside 2 "no test has 'nonsense' in its name" test rc-data unit_packet nonsense
run option 2 "unknown option '--nonsense'" test --nonsense
test_lists lists_group '^sparse$'
test_lists lists_script '^vm/21-rc-data$'
test_lists lists_beside '^unit/unit_packet$' rc-data unit_packet
test_lists lists_ncdevmem '^vm/59-ncdevmem$' 59

# The names that the script knows are ctest's.
ctest --test-dir "$asan" -N | sed -n 's/^ *Test *#[0-9]*: /unit\//p' | sort >"$dir/ctest"
bash "$top/run" test --list unit/ | grep '^unit/' | sort >"$dir/list"
# shellcheck disable=SC2016
expects unit_names 0 '^the same$' sh -c 'diff "$0" "$1" && echo the same' "$dir/ctest" "$dir/list"

# runs_units NAME...: which unit tests ./run test NAME... would run.
# shellcheck disable=SC2317
runs_units() {
	(
		# shellcheck source=tests/vm/test.sh
		. "$top/tests/vm/test.sh"
		parse "$@"
		if wanted_units; then wanted_unit_names; else echo none; fi
	)
}
expects unit_alone 0 '^unit_packet$' runs_units unit_packet
expects unit_beside_script 0 '^unit_packet$' runs_units rc-data unit_packet
expects no_unit 0 '^none$' runs_units rc-data

# A second run beside one that is at work, which holds the lock.
mkdir -p "$BERTH_BUILD/test"
echo 'PASS of the first' >"$BERTH_BUILD/test/results"
for word in test demo bench; do
	exec {lock}>"$BERTH_BUILD/.$word.lock"
	flock "$lock"
	run "second_$word" 1 "another ./run $word is at work" "$word"
	exec {lock}>&-
done
expects results_kept 0 'of the first' cat "$BERTH_BUILD/test/results"

# A run that is ended takes along what it has started; the VM is made up.
# shellcheck disable=SC2016
bash -c '. "$1"
	built=usermodules pid=$2
	vm_scripts() { echo x.sh; }
	vm_boot() { sleep 1000 & echo $! >"$pid.new"; mv "$pid.new" "$pid"; wait; }
	vm_tests' ended "$top/tests/vm/test.sh" "$dir/pid" >"$dir/out" 2>&1 &
main=$!
for ((i = 0; i < 100; i++)); do
	[[ ! -e $dir/pid ]] || break
	sleep 0.1
done
kill "$main" || true
wait "$main" || true
sleep 0.2
if vm=$(cat "$dir/pid") && ! kill "$vm" 2>/dev/null; then echo "PASS ended"; else echo "FAIL ended: the VM goes on: $(cat "$dir/out")"; failed=1; fi

# Paths that make and QEMU cannot take.
for path in 'a blank' 'a,comma' 'a:colon'; do
	BERTH_BUILD=$BERTH_BUILD/$path run "path_${path#a?}" 1 'give the tree another path' build
done
exit $failed
