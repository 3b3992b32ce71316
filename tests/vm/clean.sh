#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
# ./run clean: removes what was built. Downloads, the unpacked kernel and the debug kernel stay unless --all.
set -euo pipefail
# shellcheck source=tests/vm/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

usage() {
	cat <<'EOT'
usage: ./run clean [--all]

Removes what was built from this tree. The downloaded packages, the unpacked kernel and the debug kernel stay;
--all removes build/ altogether.
EOT
}

case ${1:-} in
'')		;;
--all)		rm -rf "$BUILD"; exit 0 ;;
-h|--help)	usage; exit 0 ;;
*)		bad_usage "clean: unknown option '$1' (./run clean --help)" ;;
esac
[[ -d $BUILD ]] || exit 0
find "$BUILD" -mindepth 1 -maxdepth 1 ! -name deps ! -name kernel ! -name debug-kernel -exec rm -rf {} +
