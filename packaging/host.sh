#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
# ./run load, ./run unload: the modules on this machine, for its own kernel. Nothing is installed: they are
# built under build/kmod/host and inserted from there.
set -euo pipefail
# shellcheck source=tests/vm/build.sh
. "$(dirname "${BASH_SOURCE[0]}")/../tests/vm/build.sh"

usage() {
	cat <<'EOT'
usage: ./run load | ./run unload

load builds the modules for the running kernel (its headers must be installed) and inserts them; afterwards
	rdma link add berth0 type berth netdev eth0
makes a device. Programs need the provider too: ./run package makes .debs of it.
unload removes the links of type berth and the modules.
EOT
}

# Refuse early, with the reason, what insmod would refuse late.
check_host() {
	[[ $(id -u) = 0 ]] || die "$1 needs root"
	[[ -e /proc/modules ]] || die "this kernel ($(uname -r)) cannot load modules: use ./run vm, or boot one that can"
	[[ $(cat /proc/sys/kernel/modules_disabled 2>/dev/null) != 1 ]] ||
		die "loading modules is locked until the next boot (kernel.modules_disabled is 1)"
}

# built MODULE: its file.
built() { find "$BUILD/kmod/host" -name "$1.ko" | head -n1; }

# What berth needs of the kernel, as insmod loads nothing besides; and what programs with rdma_cm need, where it is.
load_kernels_own() {
	local mods
	for mods in $(modinfo -F depends "$(built berth)" | tr ',' ' '); do
		[[ $mods != berth_netmem ]] || continue
		modprobe "$mods" || die "cannot load $mods, a module of the kernel $KVER that berth needs: see above"
	done
	modprobe -a rdma_cm rdma_ucm 2>/dev/null || true
}

load() {
	local flavour=host mods
	check_host load
	KVER=$(uname -r)
	KROOT=''
	KBUILD=/lib/modules/$KVER/build
	[[ -e $KBUILD/Makefile ]] ||
		die "no headers for the running kernel $KVER: install package linux-headers-$KVER"
	need make gcc kmod iproute2
	KCC=$(sed -n 's/^CONFIG_CC_VERSION_TEXT="\([^ ]*\).*/\1/p' "$KBUILD/.config" "$KBUILD/include/config/auto.conf" 2>/dev/null | head -n1)
	command -v "${KCC:=gcc}" >/dev/null || die "kernel $KVER was compiled with $KCC, which is not installed"
	make_build_dir 200
	mkdir -p "$BUILD/kmod/$flavour"
	kmod_sync "$BUILD/kmod/$flavour"
	logged "$BUILD/kmod/$flavour/make.log" "building the modules for $KVER" kmod_make "$BUILD/kmod/$flavour"
	load_kernels_own
	for mods in berth_netmem berth berth_nic; do
		[[ ! -e /sys/module/$mods ]] || { say "$mods is loaded already: ./run unload first"; continue; }
		[[ $mods != berth_nic || $KVER == 6.12.* ]] || continue
		insmod "$(built "$mods")" ||
			die "cannot load $mods: see the end of dmesg (where Secure Boot wants signed modules, it says so there)"
	done
	say "loaded; next: rdma link add berth0 type berth netdev DEVICE"
}

unload() {
	local dev mods
	check_host unload
	for dev in /sys/class/infiniband/*; do
		[[ -e $dev ]] || continue
		[[ $(rdma -d link show "${dev##*/}" 2>/dev/null) == *berth* ]] || [[ ${dev##*/} == berth* ]] || continue
		rdma link delete "${dev##*/}" || die "cannot delete ${dev##*/}: a program may be using it"
	done
	for mods in berth_nic berth berth_netmem; do
		[[ ! -e /sys/module/$mods ]] || rmmod "$mods" || die "cannot remove $mods: a program may be using it"
	done
}

case ${2:-} in
'')		;;
-h|--help)	usage; exit 0 ;;
*)		bad_usage "$1: unknown option '$2' (./run $1 --help)" ;;
esac
"$1"
