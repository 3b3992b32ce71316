#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
# The launchers over a fake perftest: what reaches the tool, and what a wrong use says.
set -euo pipefail
launchers=$1
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
# shellcheck source=perf/tests/expects.sh
. "$(dirname "${BASH_SOURCE[0]}")/expects.sh"
cat >"$dir/ib_write_bw" <<'TOOL'
#!/bin/sh
printf '<%s>' "$@"
echo " preload=${LD_PRELOAD:-} exporter=${BERTH_DMABUF:-}"
exit 7
TOOL
chmod +x "$dir/ib_write_bw"
export BERTH_PERFTEST_BIN=$dir
unset LD_PRELOAD BERTH_DMABUF
# A launcher built with ASan would otherwise refuse to start behind another preloaded library.
export ASAN_OPTIONS=verify_asan_link_order=0

# expect NAME STATUS PATTERN ARGUMENTS…
expect() { expects "$1" "$2" "$3" "$launchers/${tool:-ib_write_bw}" "${@:4}"; }

# A device that opens, so that the exporter's check passes everywhere.
dev=/dev/null
expect without_option 7 '^<-d><berth0><a b> preload= exporter=$' -d berth0 'a b'
expect path_in_the_middle 7 "^<-s><8><host> preload=.*/libberth-dmabuf.so exporter=$dev\$" -s 8 --use_dmabuf=$dev host
expect last_one_counts 7 "exporter=$dev\$" --use_dmabuf=nonsense --use_dmabuf=$dev
expect unknown_exporter 1 "^ib_write_bw: unknown dma-buf exporter 'nonsense'" --use_dmabuf=nonsense
expect empty_exporter 1 "^ib_write_bw: unknown dma-buf exporter ''" --use_dmabuf=
expect no_such_device 1 '^ib_write_bw: exporter /dev/none: .*No such file' --use_dmabuf=/dev/none
expect not_a_device 1 'not a character device' --use_dmabuf=/etc/passwd
expect similar_option 7 '^<--use_dmabuf_not> preload= exporter=$' --use_dmabuf_not
[[ -e /dev/dma_heap/system ]] || expect default_is_heap 1 'exporter heap: /dev/dma_heap/system' --use_dmabuf
lines=0 expect help 7 '--use_dmabuf\[=heap' --help
lines=0 expect help_of_the_tool 7 '^<-h>' -h
tool=ib_read_lat expect not_installed 1 '^ib_read_lat: .*/ib_read_lat: No such file.*install package perftest' -d x
LD_PRELOAD=$(ldconfig -p | awk '/libc\.so\.6/ {print $NF; exit}') \
	expect keeps_other_preloads 7 'libberth-dmabuf.so:/.*libc' --use_dmabuf=$dev
exit $failed
