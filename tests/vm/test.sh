#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
# ./run test: everything that can fail, one line a case, and a line of counts at the end.
# Each line of a case goes through report(), which counts it; the file build/test/results has them all.
set -euo pipefail
# shellcheck source=tests/vm/build.sh
. "$(dirname "${BASH_SOURCE[0]}")/build.sh"
# shellcheck source=tests/vm/ncdevmem.sh
. "$VMDIR/ncdevmem.sh"

usage() {
	cat <<'EOT'
usage: ./run test [--debug-kernel] [--long] [--list] [NAME...]

Runs the build with warnings as errors (build), the scripts of tests/netns in VMs (vm), beside them sparse over
the kernel sources (sparse), the unit tests under ASan and UBSan (unit) and the packages (package), and at the end
berth and rdma_rxe in two VMs (pair). Ends with "N passed, N failed, N skipped"; exit status 0 only if nothing failed,
2 if a NAME is in no name. One run at a time in a tree.

  --debug-kernel  the VM tests on the kernel with KASAN, lockdep, kmemleak (built first: a quarter of an hour, once)
  --long          more of what a bounded run has a sample of: 500 kills, 100 reloads, fuzzing the device for
                  10 minutes each way, all sizes with every tool of perftest
  --list          only print the names (with NAME: those that have it in them); builds nothing
  NAME            only what has this in its name, as --list prints it: a group, a unit test, a script of tests/netns;
                  "59-ncdevmem" runs only when it is asked for (it downloads the kernel's sources)

Logs: build/test/ (one file a script under out/, the kernels' under vm.0/ and vm.1/). docs/testing.md tells how to write a test.
EOT
}

flavour=stock list='' built='' names=()
# Process groups that must not outlive us.
background=() started=''
# start COMMAND...: in a group of its own. Sets started.
start() {
	set -m
	"$@" </dev/null &
	started=$!
	set +m
	background+=("$started")
}
stop_background() {
	local group
	for group in "${background[@]}"; do
		kill -- "-$group" 2>/dev/null || true
	done
}
trap stop_background EXIT
RESULTS=$BUILD/test/results

parse() {
	while [[ $# -gt 0 ]]; do
		case $1 in
		--debug-kernel)	flavour=debug ;;
		--long)		export BERTH_LONG=1 ;;
		--list)		list=1 ;;
		-h|--help)	usage; exit 0 ;;
		-*)		bad_usage "test: unknown option '$1' (./run test --help)" ;;
		*)		names+=("$1") ;;
		esac
		shift
	done
}

# wanted GROUP/NAME: whether the names on the command line ask for it.
wanted() {
	local n
	[[ ${#names[@]} -gt 0 ]] || return 0
	for n in "${names[@]}"; do
		[[ $1 != *"$n"* ]] || return 0
	done
	return 1
}

# report LINE: a line that starts with PASS, FAIL or SKIP.
report() {
	printf '%s\n' "$1" | tee -a "$RESULTS"
}

seconds() { awk -v s="$1" -v e="$EPOCHREALTIME" 'BEGIN { printf "%.1f s", e - s }'; }

# step NAME COMMAND...: one case that is a command; its output is shown only when it fails.
step() {
	local name=$1 start=$EPOCHREALTIME log=$BUILD/test/${1//\//-}.log
	shift
	if ("$@") >"$log" 2>&1 </dev/null; then
		report "PASS $name ($(seconds "$start"))"
	else
		tail -n 40 "$log"
		report "FAIL $name: see $log"
		return 1
	fi
}

unit_build() {
	local dir=$BUILD/asan
	cmake -S "$TOP" -B "$dir" -DCMAKE_BUILD_TYPE=Debug -DBERTH_WERROR=ON -DBERTH_SANITIZE=ON \
		-DBERTH_UNIT_TESTS=ON -DBERTH_VM_TESTS=OFF || return 1
	cmake --build "$dir" -j "$JOBS"
}

# ctest's own lines become ours.
unit_run() {
	local line any=''
	local re='^ *[0-9]+/[0-9]+ +Test +#[0-9]+: ([^ ]+) \.*[* ]*([A-Z][A-Za-z: ]*[a-z]) +([0-9.]+) sec'
	while IFS= read -r line; do
		if [[ $line =~ $re ]]; then
			any=1
			case ${BASH_REMATCH[2]} in
			Passed)		report "PASS unit/${BASH_REMATCH[1]} (${BASH_REMATCH[3]} s)" ;;
			Skipped|'Not Run'*) report "SKIP unit/${BASH_REMATCH[1]}: ${BASH_REMATCH[2]}" ;;
			*)		report "FAIL unit/${BASH_REMATCH[1]}: ${BASH_REMATCH[2]}, see $BUILD/test/ctest.log" ;;
			esac
		fi
	done < <(export BERTH_KBUILD=$KBUILD BERTH_KMOD=$BUILD/kmod/stock
		ctest --test-dir "$BUILD/asan" -j "$JOBS" --timeout 300 --output-on-failure "$@" </dev/null 2>&1 | tee "$BUILD/test/ctest.log")
	[[ -n $any ]] || report "FAIL unit/ctest: ran no test, see $BUILD/test/ctest.log"
	! grep -q '^The following tests FAILED' "$BUILD/test/ctest.log" ||
		grep -vE "$re|^ +Start " "$BUILD/test/ctest.log" | head -n 80
}

# What ctest would list, without cmake: of tests/unit one a file, elsewhere what is said (tests/scripts compares the two).
unit_names() {
	local file
	for file in "$TOP"/tests/unit/{test,fuzz}_*.c; do
		file=${file##*/}
		file=${file%.c}
		printf '%s\n' "${file/#test_/unit_}"
	done
	sed -En 's/^[[:space:]]*add_test\(NAME ([a-z_-]+)([[:space:]].*)?$/\1/p' \
		"$TOP"/{providers/berth/tests,perf/tests,tests/compile,tests/scripts,examples}/CMakeLists.txt
}

wanted_unit_names() {
	local n
	while IFS= read -r n; do
		! wanted "unit/$n" || printf '%s\n' "$n"
	done < <(unit_names)
}

wanted_units() { wanted build/unit || [[ -n $(wanted_unit_names) ]]; }

unit_tests() {
	local pick
	step build/unit unit_build || return 0
	mapfile -t pick < <(wanted_unit_names)
	[[ ${#pick[@]} -eq 0 ]] || unit_run -R "^($(IFS='|'; echo "${pick[*]}"))\$"
}

vm_scripts() {
	local s
	for s in "$TOP"/tests/netns/*.sh; do
		[[ -e $s ]] || continue
		s=${s##*/}
		# What it runs is built from the kernel's sources, a long download.
		[[ $s != *-ncdevmem.sh || ${names[*]} =~ 59|nc ]] || continue
		! wanted "vm/${s%.sh}" || printf '%s\n' "$TOP/tests/netns/$s"
	done
}

# One boot for the scripts given. Sets current (the script that ran when the guest died) and ended. A guest that says
# nothing for longer than its script may take, and as long again as a boot or a scan for leaks, is ended.
vm_boot() {
	local line vm from rc=0 patience=$((300 * slow)) args=(--quiet --no-build --mem "${mem}M" --out "$BUILD/test/out"
		--timeout "$((300 + 240 * slow * (${BERTH_LONG:-0} ? 15 : 1) * $#))")
	[[ $flavour == stock ]] || args+=(--debug-kernel)
	current='' ended=''
	exec {from}< <(BERTH_SLOW=$slow BERTH_VM_LOGS=$logs exec bash "$VMDIR/vm.sh" "${args[@]}" -- bash "$VMDIR/suite.sh" "$@" \
		</dev/null 2>"$logs/vm.err")
	vm=$!
	while :; do
		IFS= read -r -t "$patience" -u "$from" line || { rc=$?; break; }
		case $line in
		'BEGIN '*)	read -r _ current patience <<<"$line"
				patience=$((patience + 300 * slow)) ;;
		'PASS '*|'FAIL '*|'SKIP '*) report "${line%% *} vm/${line#* }" ;;
		END)		ended=1 ;;
		# Two lanes may have something to say at the same time.
		*)		printf '    %s\n' "${current:+$current: }${line#LOG }" ;;
		esac
	done
	# More than 128 is a timeout, else it is the end.
	((rc <= 128)) || { kill "$vm"; echo "    ${current:+$current: }the VM was ended after $patience s of silence"; }
	exec {from}<&-
	wait "$vm" || sed 's/^/    /' "$logs/vm.err"
}

# Sets scripts: those that no VM has taken yet (suite.sh).
scripts_left() {
	local s
	scripts=()
	while IFS= read -r s; do
		[[ -d $BUILD/test/out/taken/${s##*/} ]] || scripts+=("$s")
	done < <(vm_scripts)
}

# lane NUMBER: a guest that dies takes only the script that killed it along: another boot goes on with the others.
lane() {
	local logs=$BUILD/test/vm.$1 boots=0 current ended scripts
	mkdir -p "$logs"
	scripts_left
	while [[ ${#scripts[@]} -gt 0 ]]; do
		echo "booting a VM ($flavour kernel)"
		vm_boot "${scripts[@]}"
		[[ -z $ended ]] || return 0
		boots=$((boots + 1))
		if [[ -z $current ]]; then
			report "FAIL vm/boot: the guest ran no test: see $logs/console.log"
			return 0
		fi
		report "FAIL vm/$current: the guest died in it: see $logs/console.log"
		cp "$logs/console.log" "$BUILD/test/out/$current.console" 2>/dev/null || true
		((boots < 5)) || { report "FAIL vm/boot: the guest died $boots times, giving up"; return 0; }
		scripts_left
	done
}

# A VM keeps little more than one processor busy, so where there are two and the memory, two VMs share the scripts.
vm_tests() {
	local scripts slow=1 mem=2048 free lanes=()
	mapfile -t scripts < <(vm_scripts)
	[[ ${#scripts[@]} -gt 0 ]] || return 0
	# Before the VMs, which would both do it.
	[[ $built == usermodules ]] || (build_user && kmod_build "$flavour") ||
		{ report "FAIL vm/build: see above"; return 0; }
	[[ ${scripts[*]} != *-ncdevmem.sh* ]] || (ncdevmem_get) || { report "FAIL vm/ncdevmem: see above"; return 0; }
	[[ $flavour == stock ]] || slow=6 mem=3072
	rm -rf "$BUILD/test/out"
	mkdir -p "$BUILD/test/out/taken"
	free=$(awk '/^MemAvailable/ { print int($2 / 1024) }' /proc/meminfo)
	if (($(nproc) > 1 && free > 3 * mem && ${#scripts[@]} > 3)); then
		start lane 1
		lanes+=("$started")
	fi
	start lane 0
	wait "${lanes[@]}" "$started" || true
	# Not beside a third VM: with more of them than processors a guest's clock may stand still.
	pair_test
	scripts_left
	[[ ${#scripts[@]} -eq 0 ]] || report "FAIL vm/left: no VM has run: ${scripts[*]##*/}"
}

# berth and rdma_rxe in two VMs; once.
paired=''
pair_test() {
	[[ -z $paired ]] || return 0
	paired=1
	wanted pair || return 0
	start env RESULTS="$RESULTS" bash "$TOP/tests/pair/test.sh" "$flavour"
	wait "$started" || true
}

# What needs no VM, and the packages' test, which mostly waits for the network: with what the VM leaves of the
# processors. Before the debug kernel's VM, which has no time to spare, or instead of it.
side='' rest='' user=''
beside() {
	! wanted sparse || step sparse kmod_sparse "$flavour" || true
	! wanted_units || unit_tests
	! wanted package || RESULTS=$RESULTS bash "$TOP/packaging/test.sh" </dev/null || true
}

beside_vms() {
	renice -n 5 "$BASHPID" >/dev/null
	beside
}

start_beside() {
	if [[ $flavour == debug || -z $(vm_scripts) ]]; then
		start beside
		wait "$started" || true
	else
		start beside_vms
		side=$started
	fi
}

all_names() {
	printf '%s\n' build/user build/modules build/unit sparse
	unit_names | sed 's#^#unit/#'
	printf '%s\n' "$TOP"/tests/netns/*.sh | sed 's#.*/#vm/#; s/\.sh$//'
	printf '%s\n' package pair
}

# A name that is in none would run nothing, and nothing would have failed.
check_names() {
	local n all
	all=$(all_names)
	for n in "${names[@]}"; do
		[[ $all == *"$n"* ]] || bad_usage "test: no test has '$n' in its name (./run test --list)"
	done
}

list_names() {
	local n
	all_names | while IFS= read -r n; do
		! wanted "$n" || printf '%s\n' "$n"
	done
}

totals() {
	local p f s
	p=$(grep -c '^PASS ' "$RESULTS") || true
	f=$(grep -c '^FAIL ' "$RESULTS") || true
	s=$(grep -c '^SKIP ' "$RESULTS") || true
	echo
	if ((f > 0)); then
		echo "Failed:"
		grep '^FAIL ' "$RESULTS" | sed 's/^FAIL /  /'
		echo
	fi
	echo "$p passed, $f failed, $s skipped"
	((f == 0 && p > 0))
}

# What only tests want is installed while compilers run.
need_rest() {
	local more=()
	! wanted sparse || more+=(sparse)
	! wanted_units || more+=(libcmocka-dev clang-14 libclang-rt-14-dev)
	! wanted package || [[ $(id -u) != 0 ]] || more+=(debootstrap dpkg-dev file fakeroot)
	[[ -z $(vm_scripts) ]] || more+=("${VM_PACKAGES[@]}")
	[[ $(vm_scripts) != *-tshark.sh* ]] || more+=(tshark)
	[[ ${#more[@]} -eq 0 ]] || need "${more[@]}"
}

test_main() {
	parse "$@"
	check_names
	[[ -z $list ]] || { list_names; return; }
	make_build_dir 3000
	one_run test
	mkdir -p "$BUILD/test"
	: >"$RESULTS"
	need gcc g++ make cmake pkg-config libc6-dev libibverbs-dev librdmacm-dev gcc-12 binutils libelf1
	if wanted build/user; then
		start step build/user build_user
		user=$started
	fi
	kernel_get "$flavour"
	# Who is not root is told at once.
	[[ $(id -u) == 0 ]] || need_rest
	need_rest &
	rest=$!
	[[ -z $user ]] || ! wait "$user" || built=user
	background=()
	! wanted build/modules || ! step build/modules kmod_build "$flavour" || built+=modules
	wait "$rest" || exit 1
	start_beside
	vm_tests
	[[ -z $side ]] || wait "$side" || true
	background=()
	pair_test
	totals
}

[[ ${BASH_SOURCE[0]} != "$0" ]] || test_main "$@"
