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

# compile NAME [MAKE ARGUMENTS]: one file as kbuild compiles it; the output is left in $work/NAME.log.
compile() {
	local name=$1 dir=$work/$1
	shift
	rm -rf "$dir"
	mkdir -p "$dir"
	cp "$here/$name.c" "$dir/"
	printf 'obj-m := %s.o\nccflags-y := -I%s/include\n' "$name" "$top" >"$dir/Kbuild"
	make -C "$kdir" M="$dir" CC="$cc" "$@" "$name.o" >"$work/$name.log" 2>&1
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

must_compile() {
	local what=$1 name=$2
	shift 2
	if compile "$name" "$@"; then
		verdict "$what"
	else
		verdict "$what" "$(tail -n 5 "$work/$name.log" | tr '\n' ' ')"
	fi
}

# must_fail NAME REASON [MAKE ARGUMENTS]: the log has to hold REASON, for this file's own line.
must_fail() {
	local name=$1 reason=$2
	shift 2
	if compile "$name" "$@"; then
		verdict "$name" "it compiles"
	elif grep -Eq "/$name\.c:[0-9:]+ .*$reason" "$work/$name.log"; then
		verdict "$name"
	else
		verdict "$name" "it fails for another reason: $(tail -n 5 "$work/$name.log" | tr '\n' ' ')"
	fi
}

sparse=(C=2 CF=-Wsparse-error)

must_compile control control
must_fail gcc_page 'error: incompatible type for argument 1 of .berth_chunk_offset'
must_fail gcc_integer 'error: incompatible type for argument 1 of .berth_chunk_offset'
must_fail gcc_cast 'error: cannot convert to a pointer type'
if command -v sparse >/dev/null; then
	must_compile control_sparse control "${sparse[@]}"
	for name in sparse_integer sparse_pointer sparse_forge; do
		must_compile "${name}_gcc" "$name"
	done
	must_fail sparse_integer 'error: cast from restricted netmem_ref' "${sparse[@]}"
	must_fail sparse_pointer 'error: cast from restricted netmem_ref' "${sparse[@]}"
	must_fail sparse_forge 'error: cast to restricted netmem_ref' "${sparse[@]}"
else
	echo "SKIP compile/sparse: sparse is not installed"
fi
exit $failed
