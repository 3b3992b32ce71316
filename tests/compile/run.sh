#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
# Proves that the type of a handle, struct berth_netmem, is checked: files that misuse it must fail to compile,
# each for its own reason, while a control file compiles.
#   tests/compile/run.sh [KDIR]
# KDIR is what kbuild takes with -C, by default $BERTH_KBUILD; without either the exit status is 77 (skipped). Prints PASS, FAIL and SKIP lines; exit status 1 if any failed.
set -euo pipefail

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
here=$top/tests/compile
kdir=${1:-${BERTH_KBUILD:-}}
cc=${KCC:-gcc-12}
failed=0

[[ -n $kdir ]] || { echo "SKIP compile: no kernel to compile against (name its build directory)"; exit 77; }
[[ $# -le 1 && -f $kdir/Makefile ]] || {
	echo "usage: tests/compile/run.sh [KDIR], where KDIR is a kernel's build directory" >&2
	exit 2
}
command -v "$cc" >/dev/null || { echo "tests/compile: no compiler $cc (set KCC)" >&2; exit 2; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# compile DIR NAMES [MAKE ARGUMENTS]: files as kbuild compiles them, all at once, as kbuild's own start takes longest.
# Leaves DIR/NAME.o of what compiles, and the output in DIR/log.
# shellcheck disable=SC2046,SC2086
compile() {
	local dir=$work/$1 names=$2 name
	shift 2
	mkdir -p "$dir"
	for name in $names; do cp "$here/$name.c" "$dir/"; done
	printf 'obj-m := %s\nccflags-y := -I%s/include\n' "$(printf '%s.o ' $names)" "$top" >"$dir/Kbuild"
	make -k -C "$kdir" M="$dir" CC="$cc" "$@" $(printf '%s.o ' $names) >"$dir/log" 2>&1 || true
}

verdict() {
	local what=$1 why=${2:-}
	if [[ -z $why ]]; then
		echo "PASS compile/$what"
	else
		echo "FAIL compile/$what: $why"
		failed=1
	fi
}

what_it_said() { grep "$2" "$work/$1/log" | tail -n 5 | tr '\n' ' '; }

# compiles DIR NAME [WHAT]
compiles() {
	if [[ -e $work/$1/$2.o ]]; then
		verdict "${3:-$2}"
	else
		verdict "${3:-$2}" "it does not compile: $(what_it_said "$1" "$2")"
	fi
}

# fails DIR NAME REASON: the log has to hold REASON, for this file's own line.
fails() {
	if [[ -e $work/$1/$2.o ]]; then
		verdict "$2" "it compiles"
	elif grep -Eq "/$2\.c:[0-9:]+ .*$3" "$work/$1/log"; then
		verdict "$2"
	else
		verdict "$2" "it fails for another reason: $(what_it_said "$1" "$2")"
	fi
}

compile gcc 'control gcc_page gcc_integer gcc_cast sparse_integer sparse_pointer sparse_forge'
compiles gcc control
fails gcc gcc_page 'error: incompatible type for argument 1 of .berth_chunk_offset'
fails gcc gcc_integer 'error: incompatible type for argument 1 of .berth_chunk_offset'
fails gcc gcc_cast 'error: cannot convert to a pointer type'
if command -v sparse >/dev/null; then
	compile sparse 'control sparse_integer sparse_pointer sparse_forge' C=1 CF=-Wsparse-error
	compiles sparse control control_sparse
	for name in sparse_integer sparse_pointer sparse_forge; do
		compiles gcc "$name" "${name}_gcc"
	done
	fails sparse sparse_integer 'error: cast from restricted netmem_ref'
	fails sparse sparse_pointer 'error: cast from restricted netmem_ref'
	fails sparse sparse_forge 'error: cast to restricted netmem_ref'
else
	echo "SKIP compile/sparse: sparse is not installed"
fi
exit $failed
