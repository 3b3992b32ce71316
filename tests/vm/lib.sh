# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
# shellcheck shell=bash
# What every script behind ./run shares: paths, messages, packages, locks. Sourced, never run.
# TOP is the root of the tree (set by ./run; found from this file otherwise). BUILD is where everything
# generated goes. Messages go to stderr, so that stdout belongs to what was asked for.

TOP=${TOP:-$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)}
BUILD=${BERTH_BUILD:-$TOP/build}
VMDIR=$TOP/tests/vm
DEPS=$BUILD/deps
STAGE=$BUILD/stage
JOBS=${BERTH_JOBS:-$(nproc)}
export TOP BUILD STAGE

# What ./run vm wants on this machine, besides what builds.
VM_PACKAGES=(qemu-system-x86 kmod iproute2 ethtool python3 procps ibverbs-utils perftest rdmacm-utils ucx-utils
	ibverbs-providers python3-pyverbs)

say() { printf '%s\n' "berth: $*" >&2; }
die() { printf '%s\n' "berth: $*" >&2; exit 1; }
bad_usage() { printf '%s\n' "berth: $*" >&2; exit 2; }

# The release of the kernel that everything is tested on.
pinned_kernel() { sed '/^#/d' "$VMDIR/kernel-version"; }

# make_build_dir: everything else assumes that build/ exists and can be written.
make_build_dir() {
	[[ $TOP$BUILD != *[[:space:],:]* ]] ||
		die "a blank, a comma or a colon is in $TOP or $BUILD, which make and QEMU cannot take: give the tree another path"
	mkdir -p "$BUILD" "$DEPS" 2>/dev/null || die "cannot create $BUILD: the tree must be writable and the disk not full"
	local free
	free=$(df -Pk "$BUILD" | awk 'NR == 2 { print $4 }')
	((free >= 1024 * ${1:-200})) ||
		die "only $((free / 1024)) MiB free under $BUILD, ${1:-200} MiB needed: free some space"
}

# package_lists: refresh apt's lists, once per process tree, because a fresh machine has none.
package_lists() {
	[[ -z ${BERTH_APT_UPDATED:-} ]] || return 0
	[[ $(id -u) = 0 ]] || die "refreshing the package lists needs root: run 'apt-get update' as root, or ./run as root"
	say "refreshing package lists"
	apt-get -q update >"$BUILD/apt-update.log" 2>&1 ||
		die "apt-get update failed (no network?): see $BUILD/apt-update.log"
	export BERTH_APT_UPDATED=1
}

# need PACKAGE...: install those that are missing. Another package manager that is at work is waited for.
need() {
	local p missing=()
	for p in "$@"; do
		[[ $(dpkg-query -W -f '${Status}' "$p" 2>/dev/null) == "install ok installed" ]] || missing+=("$p")
	done
	[[ ${#missing[@]} -gt 0 ]] || return 0
	[[ $(id -u) = 0 ]] ||
		die "missing packages: as root, run 'apt-get install --no-install-recommends ${missing[*]}'"
	mkdir -p "$BUILD"
	package_lists
	say "installing ${missing[*]}"
	DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=600 install \
		--no-install-recommends "${missing[@]}" \
		</dev/null >"$BUILD/apt-install.log" 2>&1 ||
		die "apt-get install ${missing[*]} failed: $(grep -m1 '^E:' "$BUILD/apt-install.log" || echo "see $BUILD/apt-install.log")"
}

# download PACKAGE[=VERSION]: leave its .deb in build/deps and print the path; nothing is installed.
download() {
	local name=${1%%=*} have
	have=$(find "$DEPS" -maxdepth 1 -name "${name}_*.deb" -size +0 | sort -V | tail -n1)
	if [[ -z $have ]]; then
		apt-cache show "$name" >/dev/null 2>&1 || package_lists
		say "downloading $name"
		(cd "$DEPS" && apt-get -q download "$1") >"$BUILD/apt-download.log" 2>&1 ||
			die "cannot download $1 (no network, or the registry no longer has it): $(
				grep -m1 '^E:' "$BUILD/apt-download.log" || echo "see $BUILD/apt-download.log")"
		have=$(find "$DEPS" -maxdepth 1 -name "${name}_*.deb" -size +0 | sort -V | tail -n1)
	fi
	printf '%s\n' "$have"
}

# unpack DEB DIR
unpack() {
	mkdir -p "$2"
	dpkg-deb -x "$1" "$2" || die "cannot unpack $1 into $2: a damaged download (remove it and try again) or a full disk"
}

# with_lock NAME COMMAND...: one builder at a time; several VMs may ask for the same build at once.
with_lock() {
	local name=$1 rc=0
	shift
	mkdir -p "$BUILD"
	exec {lock_fd}>"$BUILD/.$name.lock"
	flock -n "$lock_fd" || { say "waiting for another run that is building ($name)"; flock "$lock_fd"; }
	"$@" || rc=$?
	exec {lock_fd}>&-
	return $rc
}

# one_run WORD: until we end; another ./run WORD would take our files away.
one_run() {
	exec {run_fd}>"$BUILD/.$1.lock"
	flock -n "$run_fd" || die "$1: another ./run $1 is at work in $BUILD: wait for it"
}

# logged LOG WHAT COMMAND...: run quietly; on failure show the end of the log.
logged() {
	local log=$1 what=$2
	shift 2
	if ! "$@" >"$log" 2>&1 </dev/null; then
		grep -E -A5 '(error|Error|ERROR)[ :]|undefined reference' "$log" | head -n 40 >&2 || tail -n 25 "$log" >&2
		die "$what failed: see $log"
	fi
}
