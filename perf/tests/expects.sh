# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
# For the tests of programs that need no device. Sourced; $dir is a directory of the test's own.
failed=0

# expects NAME STATUS PATTERN COMMAND…: of the combined output, which must be one line unless lines is 0.
expects() {
	local name=$1 want=$2 pattern=$3 status=0
	shift 3
	"$@" >"$dir/out" 2>&1 || status=$?
	if [[ $status -eq $want ]] && grep -Eq -- "$pattern" "$dir/out" &&
	   [[ ${lines:-1} -eq 0 || $(wc -l <"$dir/out") -eq 1 ]]; then
		echo "PASS $name"
	else
		echo "FAIL $name: status $status, not $want: $(cat "$dir/out")"
		failed=1
	fi
}
