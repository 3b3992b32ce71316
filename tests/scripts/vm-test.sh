#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
# What ./run vm says to wrong use, what it does when QEMU does not start, and how long it waits. Nothing boots: QEMU is
# made up.
# shellcheck disable=SC2016,SC2317
set -euo pipefail
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
# shellcheck source=perf/tests/expects.sh
. "$top/perf/tests/expects.sh"
export BERTH_BUILD=$dir/build
unset TOP

run() { expects "$1" "$2" "$3" bash "$top/run" vm "${@:4}"; }
run comma_bar 2 "--bar 'a,b' has a comma" --bar a,b
run comma_out 2 "--out '/tmp/a,b' has a comma" --out /tmp/a,b
run comma_net 2 "--net 'a,b/0' has a comma" --net a,b/0
run timeout_value 2 "not '0'" --timeout 0
run option 2 "unknown option '--nonsense'" --nonsense

# in_vm COMMAND: among the script's functions, with a directory of a run.
in_vm() {
	rm -rf "$dir/run"
	mkdir -p "$dir/run/ctl"
	mkfifo "$dir/run/out" "$dir/run/err" "$dir/run/nothing"
	timeout 20 bash -c '. "$1"
		work=$2 interactive="" stdin="" started=0
		exec 3</dev/null {nothing}<>"$work/nothing"
		qemu_args() { args=(); }
		eval "$3"' in_vm "$top/tests/vm/vm.sh" "$dir/run" "$1"
}
mkdir "$dir/bin"
printf '#!/bin/sh\necho "cannot take that" >&2\nexit 1\n' >"$dir/bin/qemu-system-x86_64"
chmod +x "$dir/bin/qemu-system-x86_64"
PATH=$dir/bin:$PATH
lines=0 expects no_start 125 '^qemu: cannot take that$' in_vm boot_until_up
lines=0 expects no_start_said 125 'QEMU did not start the guest' in_vm boot_until_up

# late NAME YES|NO WHAT: after eleven minutes.
late() { expects "$1" 0 "^$2\$" in_vm "SECONDS=660; $3; if is_late; then echo yes; else echo no; fi"; }
late late_command yes ': >"$work/ctl/up"'
late late_shell no 'interactive=1; : >"$work/ctl/up"'
late late_shell_boot yes 'interactive=1'
late late_shell_asked yes 'interactive=1; timeout=600; : >"$work/ctl/up"'
late late_asked no 'timeout=700'
exit $failed
