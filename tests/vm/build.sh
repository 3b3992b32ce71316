#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
# ./run build: user space with CMake, staged under build/stage as cmake --install would lay it out, and the
# kernel modules for the VM's kernel. Sourced by vm.sh and test.sh for build_user.
set -euo pipefail
# shellcheck source=tests/vm/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source=tests/vm/kernel.sh
. "$VMDIR/kernel.sh"
# shellcheck source=tests/vm/kmod.sh
. "$VMDIR/kmod.sh"

build_user_locked() {
	local dir=$BUILD/user
	mkdir -p "$dir"
	[[ -e $dir/Makefile ]] || say "building user space"
	logged "$dir/configure.log" "cmake" cmake -S "$TOP" -B "$dir" -DCMAKE_INSTALL_PREFIX=/usr \
		-DCMAKE_BUILD_TYPE=RelWithDebInfo -DBERTH_WERROR=ON
	logged "$dir/make.log" "building user space" cmake --build "$dir" -j "$JOBS"
	rm -rf "$STAGE.new"
	mkdir -p "$STAGE.new"
	logged "$dir/install.log" "cmake --install" env DESTDIR="$STAGE.new" cmake --install "$dir"
	rm -rf "$STAGE"
	mv "$STAGE.new" "$STAGE"
}

build_user() {
	need gcc g++ make cmake pkg-config libc6-dev libibverbs-dev librdmacm-dev
	with_lock user build_user_locked
}

usage() {
	cat <<'EOT'
usage: ./run build [--user | --modules] [--debug-kernel] [--sparse]

Compiles everything; user space is staged under build/stage (prefix /usr), the modules are left in
build/kmod/stock/layer/usr/lib/modules/VERSION/extra/berth. Does only what changed.

  --user          user space only
  --modules       kernel modules only
  --debug-kernel  modules for the debug kernel (builds that kernel first: a quarter of an hour, once)
  --sparse        run sparse over every kernel source instead; any warning fails
EOT
}

build_main() {
	local user=1 modules=1 flavour=stock sparse=
	while [[ $# -gt 0 ]]; do
		case $1 in
		--user)		modules= ;;
		--modules)	user= ;;
		--debug-kernel)	flavour=debug ;;
		--sparse)	sparse=1 ;;
		-h|--help)	usage; exit 0 ;;
		*)		bad_usage "build: unknown option '$1' (./run build --help)" ;;
		esac
		shift
	done
	make_build_dir 200
	if [[ -n $sparse ]]; then
		kernel_get "$flavour"
		kmod_sparse "$flavour"
		say "sparse: no warnings"
		return
	fi
	[[ -z $user ]] || build_user
	[[ -z $modules ]] || { kernel_get "$flavour"; kmod_build "$flavour"; }
}

[[ ${BASH_SOURCE[0]} != "$0" ]] || build_main "$@"
