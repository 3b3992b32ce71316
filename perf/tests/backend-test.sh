#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
# The backend for perftest's sources over fake exporters, and the script that installs it, over trees that look like
# perftest's where it matters.
set -euo pipefail
test=$1 fake=$2 install=$3
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
failed=0

pass() { echo "PASS $1"; }
fail() { echo "FAIL $1: $2"; failed=1; }

# run NAME STATUS PATTERN CASE [VAR=VALUE…]: stderr is one line that matches PATTERN, or empty when that is.
run() {
	local name=$1 want=$2 pattern=$3 case=$4 status=0
	shift 4
	# shellcheck disable=SC2086
	env "$@" LD_PRELOAD="$fake" "$test" $case >"$dir/out" 2>"$dir/err" || status=$?
	if [[ $status -eq $want && $(wc -l <"$dir/err") -eq $([[ -z $pattern ]] || echo 1) ]] &&
	   grep -q -- "$pattern" <(cat "$dir/err"; echo); then
		pass "$name"
	else
		fail "$name" "status $status, not $want: $(cat "$dir/out" "$dir/err")"
	fi
}

run buffers 0 '' buffers A=
run buffers_of_a_heap 0 '' buffers FAKE_REFUSE_BERTH=1
run without_stdin 0 '' without_stdin A=
run huge_alignment 0 'aligned to pages, not to 2097152' huge_alignment A=
run no_bytes 0 'no buffer of 0 bytes' no_bytes A=
run too_many_bytes 0 'no buffer of 18446744073709551610 bytes' too_many_bytes A=
run alloc_fails 0 'no dma-buf of 12288 bytes' alloc_fails FAKE_REFUSE_BERTH=1 FAKE_FAIL_ALLOC=1
run unknown_exporter 3 "perftest: unknown dma-buf exporter 'nonsense'" 'option nonsense' A=
run no_such_exporter 3 'No such file' 'option /dev/no-such-exporter' A=

# The lines that install-into.sh looks for.
tree() {
	rm -rf "$dir/tree"
	mkdir -p "$dir/tree/src"
	: >"$dir/tree/src/memory.h"
	printf '%s\n' 'AUTOMAKE_OPTIONS= subdir-objects' 'libperftest_a_SOURCES = src/a.c src/mmap_memory.c' \
		'noinst_HEADERS = src/mmap_memory.h src/a.h' >"$dir/tree/Makefile.am"
	printf '\t%s\n' 'MEMORY_HOST,' 'MEMORY_MMAP,' 'char *mmap_file;' 'unsigned long			mmap_offset;' \
		>"$dir/tree/src/perftest_parameters.h"
	printf '%s\n' '#include "mmap_memory.h"' $'\t\tprintf("      --mmap=file ");' $'\tstatic int mmap_file_flag = 0;' \
		$'\t\t\t{ .name = "mmap",		.has_arg = 1, .flag = &mmap_file_flag, .val = 1},' \
		$'\t\t\t\t    (mmap_file_flag || use_x_flag ||' $'\t\t\t\tif (mmap_file_flag) {' \
		>"$dir/tree/src/perftest_parameters.c"
}

tree
if bash "$install" "$dir/tree" >"$dir/out" 2>&1 && [[ $(grep -c dmabuf "$dir/tree/src/perftest_parameters.c") -eq 8 &&
   $(grep -c dmabuf_exporter "$dir/tree/src/perftest_parameters.h") -eq 1 &&
   $(grep -c 'MEMORY_DMABUF,' "$dir/tree/src/perftest_parameters.h") -eq 1 &&
   $(grep -o 'src/berth/[a-z_/-]*\.[ch]' "$dir/tree/Makefile.am" | wc -l) -eq 7 ]]; then
	pass install
else
	fail install "$(cat "$dir/out"; grep -n -r -i dmabuf "$dir/tree/src/"perf* "$dir/tree/Makefile.am")"
fi
# What Makefile.am names was copied.
missing=$(grep -o 'src/berth/[a-z_/-]*\.[ch]' "$dir/tree/Makefile.am" | while read -r f; do
	[[ -f $dir/tree/$f ]] || echo "$f"; done)
if [[ -z $missing ]]; then pass install_copies; else fail install_copies "not there: $missing"; fi

refuse() {
	local before
	before=$(cd "$dir/tree" && find . -type f -exec cksum {} + | sort)
	if bash "$install" "$dir/tree" >"$dir/out" 2>&1; then
		fail "$1" "was accepted"
	elif ! grep -q -- "$2" "$dir/out"; then
		fail "$1" "$(cat "$dir/out")"
	elif [[ $(cd "$dir/tree" && find . -type f -exec cksum {} + | sort) != "$before" ]]; then
		fail "$1" "refused, but the tree has changed"
	else
		pass "$1"
	fi
}
refuse install_twice 'has an option use_dmabuf already'
tree
sed -i '/if (mmap_file_flag) {/d' "$dir/tree/src/perftest_parameters.c"
refuse install_into_unknown 'this perftest is unknown'
tree
rm "$dir/tree/src/memory.h"
refuse install_into_old 'not a perftest with memory backends'
exit $failed
