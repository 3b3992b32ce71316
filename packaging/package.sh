#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
# ./run package: builds the .deb packages with CPack and leaves them in build/packages.
set -euo pipefail
# shellcheck source=tests/vm/build.sh
. "$(dirname "${BASH_SOURCE[0]}")/../tests/vm/build.sh"

usage() {
	cat <<'EOT'
usage: ./run package

Leaves in build/packages:
  berth-dkms      the kernel modules, built by DKMS for each installed kernel
  berth-provider  the libibverbs driver, and libberth for direct verbs
  berth-perftest  perftest's launchers with --use_dmabuf
EOT
}

package_locked() {
	local dir=$BUILD/package
	logged "$BUILD/package.configure.log" "cmake" cmake -S "$TOP" -B "$dir" -DCMAKE_INSTALL_PREFIX=/usr \
		-DCMAKE_BUILD_TYPE=RelWithDebInfo -DBERTH_VM_TESTS=OFF
	logged "$BUILD/package.make.log" "building user space" cmake --build "$dir" -j "$JOBS"
	rm -rf "$dir/packages"
	logged "$BUILD/package.cpack.log" "cpack" sh -c "cd '$dir' && cpack"
	rm -rf "$BUILD/packages"
	mkdir -p "$BUILD/packages"
	mv "$dir"/packages/*.deb "$BUILD/packages/"
}

case ${1:-} in
'')		;;
-h|--help)	usage; exit 0 ;;
*)		bad_usage "package: unknown option '$1' (./run package --help)" ;;
esac
make_build_dir 200
need gcc make cmake pkg-config libibverbs-dev librdmacm-dev dpkg-dev file fakeroot
with_lock package package_locked
ls "$BUILD"/packages/*.deb
